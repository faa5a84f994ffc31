//! A run of dixmgr on a host, from start to the end of its grace.

use crate::resources::{self, Measuring};
use crate::admin::{self, Admin};
use crate::agent::{Agent, Handle, Memory, Options};
use crate::exit::Failure;
use crate::settings::{Mode, Settings, is_public};
use crate::state_dir::{Running, StateDir};
use crate::temporal::{Session, Slice, Verdict};
use crate::senses::{self, Runs};
use crate::{host, notify};
use dixmgr_bind::{Allowed, HostActivities, Nodes};
use dixmgr_contract::cluster::{ClusterMode, ClusterSpec};
use dixmgr_contract::host::{Claim, Holder};
use dixmgr_contract::plan::{INFRASTRUCTURE_ID, PlannedService};
use dixmgr_contract::{Dependency, ServiceName};
use dixmgr_model::{Check, Cluster, Protocol, Service};
use dixmgr_probe::{Endpoint, NodeChecker};
use dixmgr_systemd::{Control, ObserveOnly, Observer, UnitControl, UnitFeed};
use dixmgr_telemetry::Metrics;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Whatever still runs this long after SIGTERM is left behind.
const LAST_GRACE: Duration = Duration::from_secs(15);

/// Supervises until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps dixmgr from starting. Once it runs, nothing ends it but a signal.
pub(crate) async fn run(settings: Settings, state: StateDir, ui: Option<String>) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    tokio::select! {
        result = start(&settings, &state, ui) => result?.until(signals.any()).await,
        // Asked to stop before it had begun.
        () = signals.any() => {}
    }
    Ok(())
}

/// What runs once everything has been started.
struct Started {
    stop: watch::Sender<bool>,
    session: JoinHandle<()>,
}

impl Started {
    async fn until(self, end: impl Future<Output = ()>) {
        end.await;
        notify::stopping();
        tracing::info!("stopping; workflows stay open");
        let _ = self.stop.send(true);
        if tokio::time::timeout(LAST_GRACE, self.session).await.is_err() {
            tracing::warn!("something did not end within {LAST_GRACE:?}; leaving it behind");
        }
    }
}

async fn start(settings: &Settings, state: &StateDir, ui: Option<String>) -> Result<Started, Failure> {
    let memory = Memory::open(&state.file("agent.db"))?;
    let services: Vec<_> = settings.config.services_of(&settings.host).cloned().collect();
    let metrics = Metrics::new(&settings.config.metrics.namespace, services.len()).map_err(anyhow::Error::from)?;
    let (agent, mailbox) = Handle::new();
    let (ready, is_ready) = watch::channel(false);
    let admin = match settings.admin {
        Some(address) => Some(start_admin(address, &metrics, &agent, &is_ready).await?),
        None => None,
    };
    let (observer, feed) = connect_systemd(settings, &services).await?;
    let checker = NodeChecker::new().map_err(anyhow::Error::from)?;
    let host_activities = activities(settings, &services, &observer, &metrics, &agent, &checker);
    if settings.measures {
        tokio::spawn(resources::measure(measuring(settings, &services, &observer, &metrics)));
    }
    let runs = Runs::of(services.len());
    senses::start(&services, runs.clone(), agent.clone(), metrics.clone());
    let options = agent_options(settings, services, Arc::clone(&host_activities.allowed), (checker, runs));
    let registry = format!("{}{INFRASTRUCTURE_ID}", settings.endpoint.prefix);
    let workflow_ids = options.services.iter().map(|(_, id)| id.clone()).chain([registry]).collect();
    let slice = slice(settings, &options.services);
    let claim = claim(settings, &options.epoch);
    let (bus, _) = settings.bus();
    tokio::spawn(Agent::new(options, memory, metrics.clone(), bus, ready).run(feed, mailbox));

    let (stop, stopped) = watch::channel(false);
    let (first, first_verdict) = oneshot::channel();
    let session = Session {
        endpoint: settings.endpoint.clone(),
        host: settings.host.clone(),
        workflow_ids,
        activities: host_activities,
        claim,
        slice,
        agent: agent.clone(),
        metrics,
        stop: stopped,
    };
    let session = tokio::spawn(session.run(first));
    if let Ok(Verdict::Refused(reason)) = first_verdict.await {
        return Err(Failure::Unavailable(reason));
    }
    state.announce(&running(settings, admin, ui))?;
    wait_until_ready(is_ready).await;
    let watched = agent.clone();
    tokio::spawn(notify::watchdog(move || {
        let agent = watched.clone();
        async move { agent.ping().await }
    }));
    Ok(Started { stop, session })
}

async fn start_admin(
    address: std::net::SocketAddr,
    metrics: &Metrics,
    agent: &Handle,
    ready: &watch::Receiver<bool>,
) -> Result<String, Failure> {
    let listener = admin::bind(address).await?;
    let address = listener.local_addr().map_err(anyhow::Error::from)?;
    if is_public(address.ip()) {
        tracing::warn!(%address, "the admin server can be reached from other machines");
    }
    tracing::info!("metrics on http://{address}/metrics");
    let admin = Admin { metrics: metrics.clone(), agent: agent.clone(), ready: ready.clone() };
    tokio::spawn(admin::serve(listener, admin));
    Ok(format!("http://{address}"))
}

async fn connect_systemd(settings: &Settings, services: &[Service]) -> Result<(Observer, UnitFeed), Failure> {
    let (_, bus) = settings.bus();
    let units = services.iter().map(|service| service.spec.unit.clone()).collect();
    let options = dixmgr_systemd::Options { bus, units, resync: settings.config.watch_interval.duration() };
    dixmgr_systemd::start(options)
        .await
        .map_err(|error| Failure::Unavailable(format!("{:#}", anyhow::Error::from(error))))
}

/// A dry run is given a control that cannot act: there is no flag to forget.
fn activities(
    settings: &Settings,
    services: &[Service],
    observer: &Observer,
    metrics: &Metrics,
    agent: &Handle,
    checker: &NodeChecker,
) -> HostActivities {
    let control: Arc<dyn UnitControl> = match settings.mode {
        Mode::Exec => Arc::new(Control::new(observer)),
        Mode::Watch => Arc::new(ObserveOnly),
    };
    let allowed = services.iter().map(|service| (service.spec.unit.clone(), service.spec.name.clone()));
    let agent = agent.clone();
    HostActivities {
        allowed: Arc::new(Allowed::new(allowed)),
        reader: Arc::new(observer.clone()),
        control,
        nodes: Nodes::new(checker.clone(), services.iter().flat_map(endpoints)),
        metrics: metrics.clone(),
        recheck: Arc::new(move |service| agent.recheck(service)),
    }
}

fn measuring(settings: &Settings, services: &[Service], observer: &Observer, metrics: &Metrics) -> Measuring {
    let measured = services.iter().filter(|service| service.resources);
    Measuring {
        services: measured.map(|service| (service.spec.name.to_string(), service.spec.unit.clone())).collect(),
        interval: settings.config.resources.sample_interval.duration(),
        reader: Arc::new(observer.clone()),
        metrics: metrics.clone(),
    }
}

/// Where the nodes of a service listen.
fn endpoints(service: &Service) -> impl Iterator<Item = Endpoint> {
    service.probes.values().filter_map(|probe| match &probe.check {
        Check::Node(node) => Endpoint::parse(node.rpc.expose()).ok(),
        _ => None,
    })
}

fn agent_options(
    settings: &Settings,
    services: Vec<Service>,
    allowed: Arc<Allowed>,
    (nodes, runs): (NodeChecker, Runs),
) -> Options {
    let prefix = &settings.endpoint.prefix;
    let id_of = |service: &Service| format!("{prefix}{}", service.origin.workflow_id());
    let here: BTreeSet<_> = services.iter().map(|service| service.spec.name.clone()).collect();
    let ids: BTreeMap<_, _> = settings.config.services.iter().map(|one| (&one.spec.name, id_of(one))).collect();
    let standby: BTreeSet<&ServiceName> = settings
        .config
        .clusters
        .iter()
        .filter(|cluster| cluster.mode == ClusterMode::Standby)
        .flat_map(|cluster| &cluster.members)
        .collect();
    let with_id = |mut service: Service| {
        // Its cluster says which of them is started.
        service.spec.policy.start &= !standby.contains(&service.spec.name);
        let after = service.after.iter().map(|name| Dependency {
            name: name.clone(),
            workflow_id: ids.get(name).cloned().unwrap_or_default(),
            remote: !here.contains(name),
        });
        service.spec.after = after.collect();
        let id = id_of(&service);
        (service, id)
    };
    Options {
        host: settings.host.clone(),
        epoch: host::epoch(),
        boot: host::boot_id(),
        services: services.into_iter().map(with_id).collect(),
        nodes,
        runs,
        generation: Box::new(move |unit| allowed.generation(unit)),
    }
}

/// What the fleet is told of this host.
fn slice(settings: &Settings, services: &[(Service, String)]) -> Slice {
    let planned = services.iter().map(|(service, workflow_id)| PlannedService {
        name: service.spec.name.clone(),
        workflow_id: workflow_id.clone(),
        unit: service.spec.unit.clone(),
        kind: service.spec.kind.clone(),
        chain: service.spec.chain.clone(),
        after: service.after.clone(),
    });
    let prefix = &settings.endpoint.prefix;
    let ids: BTreeMap<_, _> =
        settings.config.services.iter().map(|one| (&one.spec.name, one.origin.workflow_id())).collect();
    let spec = |cluster: &Cluster| ClusterSpec {
        mode: cluster.mode,
        healthy_for: cluster.healthy_for,
        member_timeout: cluster.member_timeout,
        workflow_ids: cluster
            .members
            .iter()
            .filter_map(|name| Some((name.clone(), format!("{prefix}{}", ids.get(name)?))))
            .collect(),
        ..ClusterSpec::new(cluster.name.clone(), cluster.members.clone(), cluster.quorum)
    };
    Slice {
        host: settings.host.clone(),
        services: planned.collect(),
        clusters: settings.config.clusters.iter().map(spec).collect(),
    }
}

fn claim(settings: &Settings, epoch: &str) -> Claim {
    let holder = Holder {
        machine: host::machine_id(),
        boot: host::boot_id(),
        pid: std::process::id(),
        epoch: epoch.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Claim { holder, lease_timeout: settings.config.hosts.lease_timeout }
}

fn running(settings: &Settings, admin: Option<String>, ui: Option<String>) -> Running {
    Running {
        pid: std::process::id(),
        temporal: settings.endpoint.address.clone(),
        namespace: settings.endpoint.namespace.clone(),
        task_queue: settings.endpoint.task_queue.clone(),
        prefix: settings.endpoint.prefix.clone(),
        admin,
        ui,
    }
}

async fn wait_until_ready(mut ready: watch::Receiver<bool>) {
    let _ = ready.wait_for(|ready| *ready).await;
    notify::ready("supervising");
}

/// The signals that end a run.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
