//! A probe: what it asks, what it expects, and how often.
//!
//! What can be wrong with one is said when the file is read: paths and conditions are compiled here, once.

use crate::Secret;
use dixmgr_contract::{Protocol, Span};
use dixmgr_decide::{
    check::{Budget, Expectation, JsonPath, Thresholds, judge::NAMES},
    condition::Condition,
};
use serde::{Deserialize, Deserializer, de::Error};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

/// One probe of a service.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What it asks.
    pub check: Check,
    /// How long an answer may take.
    pub timeout: Span,
    /// An answer that takes longer is degraded.
    pub latency: Option<Span>,
    /// How often it asks.
    pub interval: Span,
    /// Failures in a row before the service counts as unhealthy.
    pub failures: u32,
    /// Successes in a row before it counts as healthy again.
    pub successes: u32,
    /// After a start, failures do not count for this long.
    pub start_grace: Span,
}

impl Probe {
    /// What makes a state of its results.
    pub const fn thresholds(&self) -> Thresholds {
        Thresholds { failures: self.failures, successes: self.successes, start_grace: self.start_grace }
    }

    /// What is still good.
    pub fn budget(&self) -> Budget {
        let certificate_min = self.check.tls().and_then(|tls| tls.certificate_min);
        Budget { latency: self.latency, certificate_min }
    }
}

/// What a probe asks.
#[derive(Clone, Debug)]
pub enum Check {
    /// An HTTP request.
    Http(Box<HttpCheck>),
    /// A TCP connection.
    Tcp(TcpCheck),
    /// The resolver.
    Dns(DnsCheck),
    /// A gRPC server's health.
    Grpc(GrpcCheck),
    /// A blockchain node's JSON-RPC.
    Node(NodeCheck),
}

impl Check {
    fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Http(check) => Some(&check.tls),
            Self::Tcp(TcpCheck { tls, .. }) | Self::Grpc(GrpcCheck { tls, .. }) => Some(tls),
            Self::Dns(_) | Self::Node(_) => None,
        }
    }

    /// Makes relative paths relative to `base`, the folder of the file.
    pub(crate) fn resolve(&mut self, base: &Path) {
        let tls = match self {
            Self::Http(check) => {
                if let Some(path) = &mut check.unix {
                    *path = base.join(&*path);
                }
                &mut check.tls
            }
            Self::Tcp(TcpCheck { tls, .. }) | Self::Grpc(GrpcCheck { tls, .. }) => tls,
            Self::Dns(_) | Self::Node(_) => return,
        };
        for path in [&mut tls.ca, &mut tls.cert, &mut tls.key].into_iter().flatten() {
            *path = base.join(&*path);
        }
    }
}

/// How a probe speaks TLS.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Tls {
    /// PEM file of the authorities that are trusted instead of the host's.
    #[serde(rename = "tls_ca")]
    pub ca: Option<PathBuf>,
    /// PEM file of our certificate.
    #[serde(rename = "tls_cert")]
    pub cert: Option<PathBuf>,
    /// PEM file of its key.
    #[serde(rename = "tls_key")]
    pub key: Option<PathBuf>,
    /// The name that the server's certificate must be for; absent: the host that is asked.
    #[serde(rename = "tls_server_name")]
    pub server_name: Option<String>,
    /// A certificate that ends sooner is degraded.
    pub certificate_min: Option<Span>,
    #[serde(rename = "tls")]
    wanted: Option<bool>,
}

impl Tls {
    /// Whether a connection that has no scheme speaks it: as the file says, or if any of its keys is there.
    pub fn is_on(&self) -> bool {
        let Self { ca, cert, key, server_name, certificate_min, wanted } = self;
        let has_key =
            ca.is_some() || cert.is_some() || key.is_some() || server_name.is_some() || certificate_min.is_some();
        wanted.unwrap_or(has_key)
    }
}

/// A probe with `url`.
#[derive(Clone, Debug, Deserialize)]
pub struct HttpCheck {
    /// Whom it asks; hidden, since a URL may hold a password.
    pub url: Secret,
    /// The method.
    pub method: String,
    /// Sent along; hidden, since one may be a token.
    pub headers: BTreeMap<String, Secret>,
    /// The body that is sent; hidden, since it may hold a token.
    pub body: Secret,
    /// The status that is healthy; absent: any 2xx.
    pub expect_status: Option<u16>,
    /// The body must hold this; empty: anything.
    pub contains: String,
    /// A value in a JSON body that must be there and mean well.
    #[serde(deserialize_with = "json_path")]
    pub json_path: Option<JsonPath>,
    /// A CEL expression that must be true.
    #[serde(deserialize_with = "condition")]
    pub condition: Option<Condition>,
    /// How much of the answer's body is judged, in bytes.
    pub max_body: usize,
    /// How many redirects are followed.
    pub redirects: u8,
    /// The proxy to ask through; hidden, since its URL may hold a password.
    pub proxy: Option<Secret>,
    /// The unix socket to connect to.
    pub unix: Option<PathBuf>,
    /// Whether the connection is kept.
    pub keep_alive: bool,
    /// For `https://`.
    #[serde(flatten)]
    pub tls: Tls,
}

impl HttpCheck {
    /// What the answer must be, within the probe's [`Probe::budget`].
    pub fn expectation(&self, budget: Budget) -> Expectation {
        Expectation {
            status: self.expect_status,
            contains: self.contains.clone(),
            json_path: self.json_path.clone(),
            condition: self.condition.clone(),
            budget,
        }
    }
}

/// A probe with `tcp`.
#[derive(Clone, Debug, Deserialize)]
pub struct TcpCheck {
    /// `host:port`.
    pub tcp: String,
    /// Spoken if [`Tls::is_on`].
    #[serde(flatten)]
    pub tls: Tls,
}

/// A probe with `dns`.
#[derive(Clone, Debug, Deserialize)]
pub struct DnsCheck {
    /// The name to resolve.
    pub dns: String,
    /// Addresses that must be among the answers.
    pub dns_expect: Vec<IpAddr>,
}

/// A probe with `grpc`.
#[derive(Clone, Debug, Deserialize)]
pub struct GrpcCheck {
    /// `host:port`.
    pub grpc: String,
    /// The service that is asked about; empty: the server.
    pub grpc_service: String,
    /// Spoken if [`Tls::is_on`].
    #[serde(flatten)]
    pub tls: Tls,
}

/// A probe with `rpc`. What the file does not say of blocks is what is normal for the protocol.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "RawNode")]
pub struct NodeCheck {
    /// The node's endpoint; hidden, since a URL may hold a password.
    pub rpc: Secret,
    /// Its language.
    pub protocol: Protocol,
    /// Fewer peers are a warning.
    pub min_peers: u32,
    /// More blocks (slots) behind the other nodes of its chain is not in sync.
    pub max_lag: u64,
    /// No new block for this long is a warning.
    pub stall_warning: Span,
    /// No new block for this long is critical.
    pub stall_critical: Span,
}

#[derive(Deserialize)]
struct RawNode {
    rpc: Secret,
    protocol: Protocol,
    min_peers: u32,
    max_lag: Option<u64>,
    stall_warning: Option<Span>,
    stall_critical: Option<Span>,
}

impl From<RawNode> for NodeCheck {
    /// One of the two stalls alone moves the other out of its way.
    fn from(raw: RawNode) -> Self {
        let limits = raw.protocol.limits();
        let stall_warning = raw
            .stall_warning
            .unwrap_or_else(|| limits.stall_warning.min(raw.stall_critical.unwrap_or(limits.stall_warning)));
        let stall_critical = raw.stall_critical.unwrap_or_else(|| limits.stall_critical.max(stall_warning));
        let max_lag = raw.max_lag.unwrap_or(limits.max_lag);
        Self { rpc: raw.rpc, protocol: raw.protocol, min_peers: raw.min_peers, max_lag, stall_warning, stall_critical }
    }
}

fn json_path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<JsonPath>, D::Error> {
    let text = String::deserialize(from)?;
    if text.trim().is_empty() { Ok(None) } else { JsonPath::parse(&text).map(Some).map_err(D::Error::custom) }
}

fn condition<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Condition>, D::Error> {
    let text = String::deserialize(from)?;
    if text.trim().is_empty() {
        Ok(None)
    } else {
        Condition::compile(&text, &NAMES).map(Some).map_err(D::Error::custom)
    }
}
