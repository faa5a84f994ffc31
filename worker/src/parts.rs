//! From the settings to the parts of a run: what each of them is given, and no more.

use crate::agent::Handle;
use crate::agent::Options;
use crate::breakers;
use crate::history::History;
use crate::host;
use crate::resources::Measuring;
use crate::senses::{Runs, http_way};
use crate::settings::{Mode, Settings};
use crate::state_dir::Running;
use crate::temporal::Slice;
use dixmgr_bind::{Allowed, Endpoints, HostActivities, Nodes, Telling};
use dixmgr_contract::cluster::{ClusterMode, ClusterSpec};
use dixmgr_contract::host::{Claim, Holder};
use dixmgr_contract::plan::PlannedService;
use dixmgr_contract::{Dependency, Protocol, ServiceName};
use dixmgr_decide::rules::Waits;
use dixmgr_model::{Check, Cluster, Service};
use dixmgr_probe::check::HttpAsk;
use dixmgr_probe::{Breakers, Endpoint, HttpError, NodeChecker};
use dixmgr_systemd::{Control, ObserveOnly, Observer, UnitControl};
use dixmgr_telemetry::{Metrics, Room};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What most parts are given.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) agent: Handle,
    pub(crate) metrics: Metrics,
    pub(crate) history: History,
    pub(crate) checker: NodeChecker,
    /// Around what workflows ask of this host's endpoints.
    pub(crate) breakers: Breakers,
}

impl Common {
    pub(crate) fn new(
        agent: &Handle,
        metrics: &Metrics,
        history: History,
        services: &[Service],
    ) -> Result<Self, HttpError> {
        let breakers = breakers::of(services, metrics.clone());
        let (agent, metrics, checker) = (agent.clone(), metrics.clone(), NodeChecker::new()?);
        Ok(Self { agent, metrics, history, checker, breakers })
    }
}

/// How many series there will be.
pub(crate) fn room(settings: &Settings, services: &[Service]) -> Room {
    let measured = services.iter().filter(|service| settings.measures && service.resources).count();
    // Nodes of other hosts may be asked for comparison.
    let compared: usize = settings.config.services.iter().map(|service| nodes(service).count()).sum();
    let probes: usize = services.iter().map(|service| service.probes.len()).sum();
    Room { services: services.len(), measured, probes: probes + compared }
}

/// A dry run is given a control that cannot act: there is no flag to forget.
pub(crate) fn activities(
    settings: &Settings,
    services: &[Service],
    observer: &Observer,
    common: &Common,
) -> HostActivities {
    let control: Arc<dyn UnitControl> = match settings.mode {
        Mode::Exec => Arc::new(Control::new(observer)),
        Mode::Watch => Arc::new(ObserveOnly),
    };
    let allowed = services.iter().map(|service| (service.spec.unit.clone(), service.spec.name.clone()));
    let (agent, hears, history) = (common.agent.clone(), common.agent.clone(), common.history.clone());
    let follows = common.agent.clone();
    HostActivities {
        allowed: Arc::new(Allowed::new(allowed)),
        reader: Arc::new(observer.clone()),
        control,
        nodes: Nodes::new(common.checker.clone(), common.breakers.clone(), services.iter().flat_map(nodes)),
        endpoints: Endpoints::new(common.breakers.clone(), services.iter().flat_map(endpoints)),
        metrics: common.metrics.clone(),
        recheck: Arc::new(move |service| agent.recheck(service)),
        waited_in_vain: Arc::new(move |service, missing| hears.waited_in_vain(service, missing)),
        witness: Arc::new(move |news| {
            history.ordered(news);
            follows.ordered(news);
        }),
    }
}

pub(crate) fn measuring(settings: &Settings, services: &[Service], observer: &Observer, common: &Common) -> Measuring {
    let measured = services.iter().enumerate().filter(|(_, service)| service.resources);
    let name = |(index, service): (usize, &Service)| (index, service.spec.name.to_string(), service.spec.unit.clone());
    Measuring {
        services: measured.map(name).collect(),
        agent: common.agent.clone(),
        interval: settings.config.resources.sample_interval.duration(),
        reader: Arc::new(observer.clone()),
        metrics: common.metrics.clone(),
        history: common.history.clone(),
    }
}

/// Where the nodes of a service listen, and what they speak.
fn nodes(service: &Service) -> impl Iterator<Item = (Endpoint, Protocol)> {
    service.probes.values().filter_map(|probe| match &probe.check {
        Check::Node(node) => Some((Endpoint::parse(node.rpc.expose()).ok()?, node.protocol)),
        _ => None,
    })
}

/// What a service's probes ask over HTTP.
fn endpoints(service: &Service) -> impl Iterator<Item = HttpAsk> {
    service.probes.values().filter_map(|probe| match &probe.check {
        Check::Http(check) => http_way(check),
        _ => None,
    })
}

pub(crate) fn agent_options(
    settings: &Settings,
    services: Vec<Service>,
    allowed: Arc<Allowed>,
    runs: Runs,
    history: History,
) -> Options {
    let (prefix, alerts) = (&settings.endpoint.prefix, &settings.config.alerts);
    let id_of = |service: &Service| format!("{prefix}{}", service.origin.workflow_id());
    let here: BTreeSet<_> = services.iter().map(|service| service.spec.name.clone()).collect();
    let sample_interval = settings.config.resources.sample_interval;
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
        service.resources &= settings.measures;
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
        runs,
        rules: alerts.is_enabled().then(|| alerts.rules.clone().sampled_each(sample_interval)),
        waits: Waits::from(&alerts.policy),
        backlog: Arc::clone(&settings.endpoint.backlog),
        history,
        generation: Box::new(move |unit| allowed.generation(unit)),
    }
}

/// Who is told what, and how: takes the channels out of the settings, since they are made once.
pub(crate) fn telling(settings: &mut Settings, common: &Common) -> Arc<Telling> {
    let alerts = &settings.config.alerts;
    let (told, happened) = (common.history.clone(), common.history.clone());
    Arc::new(Telling {
        enabled: alerts.is_enabled(),
        host: settings.host.clone(),
        policy: alerts.policy.clone(),
        channels: std::mem::take(&mut settings.channels),
        task_queue: settings.endpoint.task_queue.clone(),
        metrics: common.metrics.clone(),
        told: Arc::new(move |args, delivery| told.told(args, delivery)),
        happened: Arc::new(move |news| happened.incident(news)),
    })
}

/// What the fleet is told of this host.
pub(crate) fn slice(settings: &Settings, services: &[(Service, String)]) -> Slice {
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

pub(crate) fn claim(settings: &Settings, epoch: &str) -> Claim {
    let holder = Holder {
        machine: host::machine_id(),
        boot: host::boot_id(),
        pid: std::process::id(),
        epoch: epoch.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Claim { holder, lease_timeout: settings.config.hosts.lease_timeout }
}

pub(crate) fn running(settings: &Settings, admin: Option<String>, ui: Option<String>) -> Running {
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
