//! A run of dixmgr on a host, from start to the end of its grace.

use crate::admin::{self, Admin, FileWindows};
use crate::agent::{Agent, Handle, Memory};
use crate::exit::Failure;
use crate::history::History;
use crate::parts::Common;
use crate::senses::{self, Runs};
use crate::settings::{Settings, is_public};
use crate::state_dir::StateDir;
use crate::temporal::{Session, Verdict};
use crate::{bus_watch, file_systems, history, host_watch, notify, parts, resources};
use dixmgr_contract::plan::INFRASTRUCTURE_ID;
use dixmgr_history::Writer;
use dixmgr_model::Service;
use dixmgr_systemd::{Observer, UnitFeed};
use dixmgr_telemetry::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Whatever still runs this long after SIGTERM is left behind.
const LAST_GRACE: Duration = Duration::from_secs(15);
/// How long the history may take to write what is left.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Supervises until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps dixmgr from starting. Once it runs, nothing ends it but a signal.
pub(crate) async fn run(mut settings: Settings, state: StateDir, ui: Option<String>) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let started = tokio::select! {
        result = start(&mut settings, &state, ui) => result?,
        // Asked to stop before it had begun.
        () = signals.any() => return Ok(()),
    };
    // Whoever needs a part of it has taken it.
    drop(settings);
    started.until(signals.any()).await;
    Ok(())
}

/// What runs once everything has been started.
struct Started {
    stop: watch::Sender<bool>,
    session: JoinHandle<()>,
    records: History,
    history: Writer,
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
        self.records.gather();
        if !self.history.stop(LAST_WORDS).await {
            tracing::warn!("the end of the history could not be written");
        }
    }
}

async fn start(settings: &mut Settings, state: &StateDir, ui: Option<String>) -> Result<Started, Failure> {
    resources::raise_file_limit();
    let memory = Memory::open(&state.file("agent.db"))?;
    let services: Vec<_> = settings.config.services_of(&settings.host).cloned().collect();
    let metrics = Metrics::new(&settings.config.metrics.namespace, parts::room(settings, &services))
        .map_err(anyhow::Error::from)?;
    let (agent, mailbox) = Handle::new();
    let (ready, is_ready) = watch::channel(false);
    let admin = match settings.admin {
        Some(address) => Some(start_admin(address, &metrics, &agent, &is_ready, &settings.config).await?),
        None => None,
    };
    let (observer, feed) = connect_systemd(settings, &services).await?;
    tokio::spawn(bus_watch::show(observer.connection(), metrics.clone()));
    let (trouble, history_trouble) = watch::channel(None);
    let (history, writer) = history::start(settings, &metrics, trouble)?;
    let common = Common::new(&agent, &metrics, history, &services).map_err(anyhow::Error::from)?;
    let host_activities = parts::activities(settings, &services, &observer, &common);
    measure(settings, &services, &observer, &common);
    let runs = Runs::default();
    let elsewhere =
        settings.config.services.iter().filter(|one| one.spec.host.as_ref().is_some_and(|host| *host != settings.host));
    senses::start(&services, elsewhere, runs.clone(), common.clone(), &state.file("syncing.json"));
    let allowed = Arc::clone(&host_activities.allowed);
    let options = parts::agent_options(settings, services, allowed, runs, common.history.clone());
    let registry = format!("{}{INFRASTRUCTURE_ID}", settings.endpoint.prefix);
    let workflow_ids = options.services.iter().map(|(_, id)| id.clone()).chain([registry]).collect();
    let telling = parts::telling(settings, &common);
    let slice = parts::slice(settings, &options.services);
    let claim = parts::claim(settings, &options.epoch);
    let (bus, _) = settings.bus();
    tokio::spawn(Agent::new(options, memory, metrics.clone(), bus, ready).run(feed, mailbox));

    let (stop, stopped) = watch::channel(false);
    let (first, first_verdict) = oneshot::channel();
    let session = Session {
        endpoint: settings.endpoint.clone(),
        host: settings.host.clone(),
        workflow_ids,
        activities: host_activities,
        telling,
        claim,
        slice,
        agent: agent.clone(),
        metrics,
        history: history_trouble,
        stop: stopped,
    };
    let session = tokio::spawn(session.run(first));
    if let Ok(Verdict::Refused(reason)) = first_verdict.await {
        return Err(Failure::Unavailable(reason));
    }
    state.announce(&parts::running(settings, admin, ui))?;
    wait_until_ready(is_ready).await;
    tokio::spawn(notify::watchdog(move || {
        let agent = agent.clone();
        async move { agent.ping().await }
    }));
    Ok(Started { stop, session, records: common.history, history: writer })
}

/// Measures services, and the host with the file systems that they care for.
fn measure(settings: &Settings, services: &[Service], observer: &Observer, common: &Common) {
    if !settings.measures {
        return;
    }
    tokio::spawn(resources::measure(parts::measuring(settings, services, observer, common)));
    let resources = &settings.config.resources;
    let paths = services.iter().flat_map(|service| &service.paths).chain(&resources.paths).cloned().collect();
    let interval = resources.sample_interval.duration();
    let (bus, metrics) = (observer.clone(), common.metrics.clone());
    let ask_clock = move || {
        let bus = bus.clone();
        async move { bus.clock_synchronized().await }
    };
    tokio::spawn(host_watch::measure(interval, ask_clock, metrics));
    tokio::spawn(file_systems::measure(interval, paths, common.metrics.clone()));
}

async fn start_admin(
    address: std::net::SocketAddr,
    metrics: &Metrics,
    agent: &Handle,
    ready: &watch::Receiver<bool>,
    config: &dixmgr_model::Config,
) -> Result<String, Failure> {
    let listener = admin::bind(address).await?;
    let address = listener.local_addr().map_err(anyhow::Error::from)?;
    if is_public(address.ip()) {
        tracing::warn!(%address, "the admin server can be reached from other machines");
    }
    tracing::info!("metrics on http://{address}/metrics");
    let (metrics, agent, ready) = (metrics.clone(), agent.clone(), ready.clone());
    let maintenance = Arc::new(FileWindows::of(config));
    let admin = Admin { metrics, agent, listens: address.ip(), ready, maintenance };
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
