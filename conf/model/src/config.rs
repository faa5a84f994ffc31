//! The validated configuration. Whoever holds a [`Config`] need not check anything again.
//!
//! What a flag of the command line may override stays an `Option` here, so that flag wins over file and file over default
//! in one place, the worker.

use crate::{Alerts, ConfigErrors, Probe, Problem, Secret};
use dixmgr_contract::{ClusterMode, HostName, ServiceName, ServiceSpec, Span, id::Origin};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

/// A file's whole content, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it came from, for messages.
    pub source: String,
    /// How Temporal is reached.
    pub temporal: Temporal,
    /// Which systemd is watched.
    pub systemd: Systemd,
    /// The admin server and the metrics' names.
    pub metrics: Metrics,
    /// The lease of each host.
    pub hosts: Hosts,
    /// Sampling of resources.
    pub resources: Resources,
    /// Who is told what.
    pub alerts: Alerts,
    /// What is remembered, and where.
    pub history: History,
    /// `[watcher] watch_interval`: how often everything is looked at again, as a safety net.
    pub watch_interval: Span,
    /// `[watcher] operation_timeout`: how long systemd may take for one job.
    pub operation_timeout: Span,
    /// All services in start order: dependencies first, then by name.
    pub services: Vec<Service>,
    /// All clusters, by name.
    pub clusters: Vec<Cluster>,
}

impl Config {
    /// The services that run on `host`: those that name it, and those that name none.
    pub fn services_of(&self, host: &HostName) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(move |service| service.spec.host.as_ref().is_none_or(|own| own == host))
    }

    /// What only the host itself can tell: a service without a host and one that names `host` may share a unit.
    ///
    /// # Errors
    /// One problem for each unit that two services of `host` supervise.
    pub fn check_host(&self, host: &HostName) -> Result<(), ConfigErrors> {
        let mut owners = BTreeMap::new();
        let mut problems = Vec::new();
        for service in self.services_of(host) {
            let name = &service.spec.name;
            if let Some(other) = owners.insert(&service.spec.unit, name) {
                let message = format!("on host {host}, unit {} is already that of service {other}", service.spec.unit);
                let hint = Some(format!("one unit, one service: remove {name} or {other}, or give one another host"));
                problems.push(Problem { path: format!("services.{name}.unit"), line: None, message, hint });
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(ConfigErrors { source: self.source.clone(), problems }) }
    }
}

/// `[temporal]`.
#[derive(Clone, Debug, Deserialize)]
pub struct Temporal {
    /// `host:port` of the frontend.
    pub hostport: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The queue of workflows; the other queues' names begin with it.
    #[serde(rename = "taskqueue")]
    pub task_queue: String,
    /// PEM file of the client certificate.
    pub tls_cert: Option<PathBuf>,
    /// PEM file of its key.
    pub tls_key: Option<PathBuf>,
    /// PEM file of the authorities that the server's certificate is checked against.
    pub tls_ca: Option<PathBuf>,
    /// Sent as bearer token.
    pub api_key: Option<Secret>,
}

impl Temporal {
    /// Makes relative paths relative to `base`, the folder of the file.
    pub(crate) fn resolve(&mut self, base: &Path) {
        for path in [&mut self.tls_cert, &mut self.tls_key, &mut self.tls_ca].into_iter().flatten() {
            *path = base.join(&*path);
        }
    }
}

/// Which bus systemd is spoken to on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bus {
    /// The machine's own manager.
    System,
    /// The manager of the user that dixmgr runs as.
    Session,
}

/// `[systemd]`.
#[derive(Clone, Debug, Deserialize)]
pub struct Systemd {
    /// System or session.
    pub bus: Bus,
}

/// `[metrics]`.
#[derive(Clone, Debug, Deserialize)]
pub struct Metrics {
    /// Whether metrics are served.
    pub enabled: Option<bool>,
    /// The address that the admin server listens on.
    pub listen: IpAddr,
    /// Its port; 0 takes a free one.
    pub port: Option<u16>,
    /// What the metrics' names begin with.
    pub namespace: String,
}

/// `[hosts]`.
#[derive(Clone, Debug, Deserialize)]
pub struct Hosts {
    /// A host is lost when its lease had no heartbeat for this long.
    pub lease_timeout: Span,
}

/// `[resources]`.
#[derive(Clone, Debug, Deserialize)]
pub struct Resources {
    /// How often CPU, memory and disk are read.
    pub sample_interval: Span,
    /// A path in each file system that is measured beside that of `/`.
    pub paths: Vec<PathBuf>,
}

/// `[history]`.
#[derive(Clone, Debug, Deserialize)]
pub struct History {
    /// `sqlite`, `sqlite:FILE` or a server's URL; hidden, since that holds a password.
    pub url: Secret,
    /// How long everything is kept, an hour or more.
    pub retention: Span,
    /// How long samples are kept as they came.
    #[serde(rename = "retention_raw")]
    pub raw: Span,
    /// How long sums over five minutes are kept.
    #[serde(rename = "retention_5m")]
    pub five_minutes: Span,
    /// The most that the file of SQLite may have, in bytes.
    #[serde(deserialize_with = "crate::size::deserialize")]
    pub max_size: u64,
}

/// A service with everything its host needs to know of it.
#[derive(Clone, Debug)]
pub struct Service {
    /// What its workflow knows. The host is there only if the file names one.
    pub spec: ServiceSpec,
    /// What gives it its workflow id.
    pub origin: Origin,
    /// Its dependencies, in the order of the file, each once.
    pub after: Vec<ServiceName>,
    /// Whether its CPU, memory and disk are measured.
    pub resources: bool,
    /// Where it keeps its data.
    pub paths: Vec<PathBuf>,
    /// Its probes, by name.
    pub probes: BTreeMap<String, Probe>,
}

/// `[clusters.<name>]`: services of which some must be up at any time.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its name.
    pub name: ServiceName,
    /// The services in it, each once.
    pub members: Vec<ServiceName>,
    /// How many must be up, 1 to the number of members.
    pub quorum: u32,
    /// Whether all run or one at a time.
    pub mode: ClusterMode,
    /// A restarted member must be ready this long before the next one is restarted.
    pub healthy_for: Span,
    /// How long a member may take to be ready, or down, when it was asked to.
    pub member_timeout: Span,
}
