//! From a probe of the configuration to what is asked. What could be wrong with it was said when the file was read.

use super::chains::ChainKey;
use super::slot::Slot;
use super::subject::{EndpointSubject, NodeLook, NodeSubject, Subject};
use dixmgr_contract::id::Origin;
use dixmgr_contract::{Span, Time};
use dixmgr_decide::check::Belief;
use dixmgr_decide::node::{NodePolicy, NodeVerdict, NodeWatch};
use dixmgr_decide::rng::Rng;
use dixmgr_model::{self as model, Probe, Service};
use dixmgr_probe::check::{Address, Ask, HttpAsk, TlsOptions};
use dixmgr_probe::{CheckSpec, Endpoint, NodeChecker, Prober};
use std::collections::BTreeSet;

/// A look at a node is news for so many of its intervals, of which some may fail.
const INTERVALS_VALID: u64 = 4;

/// Makes slots.
pub(super) struct Maker {
    pub(super) prober: Prober,
    pub(super) nodes: NodeChecker,
    pub(super) rng: Rng,
    pub(super) now: Time,
}

impl Maker {
    pub(super) fn slot(&mut self, service: &Service, name: &str, probe: &Probe) -> Option<Slot> {
        let subject = match &probe.check {
            model::Check::Node(check) => Subject::Node(Box::new(self.node(service, name, probe, check)?)),
            _ => Subject::Endpoint(Box::new(EndpointSubject {
                check: Some(self.prober.check(check_spec(probe)?)),
                thresholds: probe.thresholds(),
                belief: Belief::new(self.now),
            })),
        };
        let service = service.spec.name.to_string();
        Some(Slot::new(service, name.to_owned(), (probe.interval, probe.failures), subject, &mut self.rng, self.now))
    }

    fn node(&self, service: &Service, name: &str, probe: &Probe, check: &model::NodeCheck) -> Option<NodeSubject> {
        let endpoint = Endpoint::parse(check.rpc.expose()).ok()?;
        let over_network = !endpoint.is_local();
        Some(NodeSubject {
            service: service.spec.name.clone(),
            probe: name.to_owned(),
            chain: chain_of(service, check),
            ask: NodeLook {
                nodes: self.nodes.clone(),
                protocol: check.protocol,
                endpoint,
                timeout: probe.timeout.duration(),
            },
            policy: NodePolicy {
                protocol: check.protocol,
                min_peers: check.min_peers,
                stall_warning: check.stall_warning,
                stall_critical: check.stall_critical,
                max_lag: check.max_lag,
                failures: probe.failures,
                successes: probe.successes,
                grace: probe.start_grace,
                valid_for: Span::from_millis(probe.interval.as_millis().saturating_mul(INTERVALS_VALID)),
                over_network,
            },
            watch: NodeWatch::default(),
            verdict: NodeVerdict::default(),
        })
    }
}

/// A node without a chain is compared with none. In the dotidx format parachains of different relays may have one name.
fn chain_of(service: &Service, check: &model::NodeCheck) -> ChainKey {
    let chain = match &service.origin {
        _ if service.spec.chain.is_empty() => service.spec.name.to_string(),
        Origin::Para(relay, chain) if *chain == service.spec.chain => format!("{relay}-{chain}"),
        _ => service.spec.chain.clone(),
    };
    (chain, check.protocol)
}

/// True if the node of another host can be compared with one of ours, and its address means the same here as there.
pub(super) fn is_comparable(service: &Service, probe: &Probe, chains: &BTreeSet<ChainKey>) -> bool {
    let model::Check::Node(check) = &probe.check else { return false };
    let endpoint = Endpoint::parse(check.rpc.expose());
    endpoint.is_ok_and(|endpoint| !endpoint.is_local()) && chains.contains(&chain_of(service, check))
}

/// The chain of a probe that asks a node.
pub(crate) fn chain(service: &Service, probe: &Probe) -> Option<ChainKey> {
    let model::Check::Node(check) = &probe.check else { return None };
    Some(chain_of(service, check))
}

/// The chain of a node that only its own host can ask.
pub(crate) fn unseen_chain(service: &Service, probe: &Probe) -> Option<ChainKey> {
    let model::Check::Node(check) = &probe.check else { return None };
    let endpoint = Endpoint::parse(check.rpc.expose()).ok()?;
    endpoint.is_local().then(|| chain_of(service, check))
}

/// The check of a probe; nothing for a blockchain node, which is asked otherwise.
fn check_spec(probe: &Probe) -> Option<CheckSpec> {
    let budget = probe.budget();
    let ask = match &probe.check {
        model::Check::Http(check) => Ask::Http(Box::new(http(probe, check)?)),
        model::Check::Tcp(check) => {
            Ask::Tcp { address: Address::parse(&check.tcp)?, tls: tls_if_on(&check.tls), budget }
        }
        model::Check::Dns(check) => Ask::Dns { name: check.dns.clone(), expect: check.dns_expect.clone(), budget },
        model::Check::Grpc(check) => Ask::Grpc {
            address: Address::parse(&check.grpc)?,
            service: check.grpc_service.clone(),
            tls: tls_if_on(&check.tls),
            budget,
        },
        model::Check::Node(_) => return None,
    };
    Some(CheckSpec { ask, timeout: Span::duration(probe.timeout) })
}

fn http(probe: &Probe, check: &model::HttpCheck) -> Option<HttpAsk> {
    let mut ask = http_way(check)?;
    for (name, value) in &check.headers {
        ask.header(name, value.expose()).ok()?;
    }
    ask.body = check.body.expose().to_owned();
    ask.expectation = check.expectation(probe.budget());
    ask.keep_alive = check.keep_alive;
    Some(ask)
}

/// Where a check asks over HTTP, with which method, and on which way; without headers, body and expectations.
pub(crate) fn http_way(check: &model::HttpCheck) -> Option<HttpAsk> {
    let mut ask = HttpAsk::new(Endpoint::parse(check.url.expose()).ok()?);
    ask.method = check.method.parse().ok()?;
    ask.max_body = check.max_body;
    ask.redirects = check.redirects;
    ask.proxy = check.proxy.as_ref().and_then(|proxy| Endpoint::parse(proxy.expose()).ok());
    ask.unix.clone_from(&check.unix);
    ask.tls = tls(&check.tls);
    Some(ask)
}

fn tls(tls: &model::Tls) -> TlsOptions {
    TlsOptions {
        ca: tls.ca.clone(),
        cert: tls.cert.clone(),
        key: tls.key.clone(),
        server_name: tls.server_name.clone(),
    }
}

fn tls_if_on(options: &model::Tls) -> Option<TlsOptions> {
    options.is_on().then(|| tls(options))
}
