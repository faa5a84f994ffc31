//! The instruments, built from the catalogue, and the exposition of everything, the Temporal SDK's metrics included.
//!
//! The exporter is told to add nothing of its own (no suffixes, no scope, no target): the name in the catalogue is the
//! name on the endpoint, and an SDK metric `temporal_x` stays `temporal_x`.

use crate::{
    board::ServiceBoard,
    catalogue::{CATALOGUE, Metric, find},
    endpoints::EndpointBoard,
    history::HistoryBoard,
    host::HostBoard,
    instruments::Builder,
    label::bounded,
    outcome::{ActivityOutcome, BreakerPosition, DeliveryOutcome, Peer, WorkflowOutcome},
    probes::ProbeBoard,
};
use dixmgr_contract::{Delivery, Protocol};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter, MeterProvider},
};
use opentelemetry_sdk::{
    Resource,
    metrics::{Instrument, SdkMeterProvider, Stream},
};
use prometheus::{Registry, TextEncoder};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The most series of an instrument that has none per service, the Temporal SDK's included; beyond it, OpenTelemetry
/// lumps the rest together as `otel_metric_overflow`. It makes room for all of them in advance, in each of some sixty
/// instruments: its default of 2,000 costs 6 MB.
const MAX_SERIES: usize = 200;

/// The most series of one service, on the average, where its dependencies or alerts are told apart.
const MAX_OTHERS: usize = 4;

/// What there is to make room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Services.
    pub services: usize,
    /// Services that are measured.
    pub measured: usize,
    /// Probes of all services.
    pub probes: usize,
}

impl Room {
    /// Room for so many services without probes.
    pub const fn of(services: usize) -> Self {
        Self { services, measured: services, probes: 0 }
    }
}

/// The longest namespace, in characters.
const MAX_NAMESPACE: usize = 64;

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The namespace cannot begin a metric's name.
    #[error(
        "`{0}` cannot be the namespace of metrics: use a letter, then letters, digits or `_`, at most {MAX_NAMESPACE} characters"
    )]
    Namespace(String),
    /// The exporter could not be set up.
    #[error("the metrics exporter cannot be set up")]
    Exporter(#[source] opentelemetry_sdk::error::OTelSdkError),
    /// The metrics could not be written as text.
    #[error("the metrics cannot be rendered")]
    Render(#[source] prometheus::Error),
}

/// Feeds and renders all metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    provider: SdkMeterProvider,
    registry: Registry,
    board: ServiceBoard,
    probes: ProbeBoard,
    endpoints: EndpointBoard,
    host: HostBoard,
    history: HistoryBoard,
    history_degraded: Gauge<u64>,
    history_set_aside: Counter<u64>,
    workflow_executions: Counter<u64>,
    workflow_duration: Histogram<f64>,
    activity_executions: Counter<u64>,
    activity_duration: Histogram<f64>,
    activity_errors: Counter<u64>,
    temporal_connected: Gauge<u64>,
    systemd_connected: Gauge<u64>,
    systemd_breaker: Gauge<u64>,
    /// Whether the connection stands, by [`Peer`]: a failed attempt to connect is not a loss.
    up: [AtomicBool; 2],
    connection_losses: Counter<u64>,
    agent_lag: Histogram<f64>,
    outbox_depth: Gauge<u64>,
    deliveries: Counter<u64>,
    actions_refused: Counter<u64>,
    notes_sent: Counter<u64>,
    notes_failed: Counter<u64>,
    note_duration: Histogram<f64>,
    dependency_wait: Histogram<f64>,
    dependency_timeouts: Counter<u64>,
    chain_stalled: Gauge<u64>,
}

impl Metrics {
    /// Sets up the instruments, with room for the series of what there is; our own names begin with `namespace` and `_`.
    ///
    /// # Errors
    ///
    /// If the namespace cannot begin a metric's name, or the exporter cannot be set up.
    pub fn new(namespace: &str, room: Room) -> Result<Self, MetricsError> {
        let prefix = prefix(namespace)?;
        let registry = Registry::new();
        let provider = provider(&prefix, &registry, room)?;
        let build = Builder { meter: provider.meter("dixmgr"), prefix };
        let board = ServiceBoard::default();
        build.board(&board);
        let probes = ProbeBoard::default();
        build.probes(&probes);
        let endpoints = EndpointBoard::default();
        build.endpoints(&endpoints);
        let host = HostBoard::default();
        build.host(&host);
        let history = HistoryBoard::default();
        build.history(&history);
        build.gauge(const { find("build_info") }).record(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
        let inner = Inner {
            workflow_executions: build.counter(const { find("workflow_executions_total") }),
            workflow_duration: build.histogram(const { find("workflow_duration_seconds") }),
            activity_executions: build.counter(const { find("activity_executions_total") }),
            activity_duration: build.histogram(const { find("activity_duration_seconds") }),
            activity_errors: build.counter(const { find("activity_errors_total") }),
            temporal_connected: build.gauge(const { find("temporal_connected") }),
            systemd_connected: build.gauge(const { find("systemd_connected") }),
            systemd_breaker: build.gauge(const { find("systemd_breaker_state") }),
            up: Default::default(),
            connection_losses: build.counter(const { find("connection_losses_total") }),
            agent_lag: build.histogram(const { find("agent_lag_seconds") }),
            outbox_depth: build.gauge(const { find("agent_outbox_depth") }),
            deliveries: build.counter(const { find("agent_deliveries_total") }),
            actions_refused: build.counter(const { find("actions_refused_total") }),
            notes_sent: build.counter(const { find("notes_sent_total") }),
            notes_failed: build.counter(const { find("notes_failed_total") }),
            note_duration: build.histogram(const { find("note_duration_seconds") }),
            dependency_wait: build.histogram(const { find("dependency_wait_time_seconds") }),
            dependency_timeouts: build.counter(const { find("dependency_timeouts_total") }),
            chain_stalled: build.gauge(const { find("chain_stalled") }),
            history_degraded: build.gauge(const { find("history_degraded") }),
            history_set_aside: build.counter(const { find("history_set_aside_total") }),
            provider,
            registry,
            board,
            probes,
            endpoints,
            host,
            history,
        };
        for gauge in [
            &inner.temporal_connected,
            &inner.systemd_connected,
            &inner.systemd_breaker,
            &inner.outbox_depth,
            &inner.history_degraded,
        ] {
            gauge.record(0, &[]);
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Everything in the Prometheus text format, the SDK's metrics included.
    ///
    /// # Errors
    ///
    /// If a metric cannot be written as text.
    pub fn render(&self) -> Result<String, MetricsError> {
        TextEncoder::new().encode_to_string(&self.0.registry.gather()).map_err(MetricsError::Render)
    }

    /// A meter for the Temporal SDK: what it builds is rendered under its own name, without our namespace.
    pub fn sdk_meter(&self) -> Meter {
        self.0.provider.meter("temporal")
    }

    /// The values per service.
    pub fn services(&self) -> &ServiceBoard {
        &self.0.board
    }

    /// What probes say.
    pub fn probes(&self) -> &ProbeBoard {
        &self.0.probes
    }

    /// What is kept from being asked by name.
    pub fn endpoints(&self) -> &EndpointBoard {
        &self.0.endpoints
    }

    /// How the host is.
    pub fn host(&self) -> &HostBoard {
        &self.0.host
    }

    /// How the history's writer is doing.
    pub fn history(&self) -> &HistoryBoard {
        &self.0.history
    }

    /// Whether the history cannot be written. Set by the events of [`crate::events`].
    pub(crate) fn history_degraded(&self, yes: bool) {
        self.0.history_degraded.record(u64::from(yes), &[]);
    }

    pub(crate) fn history_set_aside(&self) {
        self.0.history_set_aside.add(1, &[]);
    }

    /// A run of a workflow began. Not to be called on replay.
    pub fn workflow_started(&self, workflow: &str) {
        self.count_workflow(workflow, "started");
    }

    /// A run of a workflow closed after `duration`. Not to be called on replay.
    pub fn workflow_closed(&self, workflow: &str, outcome: WorkflowOutcome, duration: Duration) {
        self.count_workflow(workflow, outcome.as_str());
        self.0.workflow_duration.record(duration.as_secs_f64(), &[KeyValue::new("workflow", bounded(workflow))]);
    }

    /// An attempt of an activity ended. `activity_type` is the type on the wire; the label goes without its
    /// `Activity`. `error_type` is the failure's type, where there is one.
    pub fn activity_done(
        &self,
        activity_type: &str,
        outcome: ActivityOutcome,
        duration: Duration,
        error_type: Option<&str>,
    ) {
        let activity =
            KeyValue::new("activity", bounded(activity_type.strip_suffix("Activity").unwrap_or(activity_type)));
        self.0.activity_executions.add(1, &[activity.clone(), KeyValue::new("status", outcome.as_str())]);
        self.0.activity_duration.record(duration.as_secs_f64(), std::slice::from_ref(&activity));
        if let Some(error_type) = error_type {
            self.0.activity_errors.add(1, &[activity, KeyValue::new("error_type", bounded(error_type))]);
        }
    }

    /// Whether the connection to `peer` stands. Set by the events of [`crate::events`].
    pub(crate) fn connected(&self, peer: Peer, yes: bool) {
        let (gauge, up) = match peer {
            Peer::Temporal => (&self.0.temporal_connected, &self.0.up[0]),
            Peer::Systemd => (&self.0.systemd_connected, &self.0.up[1]),
        };
        gauge.record(u64::from(yes), &[]);
        if up.swap(yes, Ordering::Relaxed) && !yes {
            self.0.connection_losses.add(1, &[KeyValue::new("peer", peer.as_str())]);
        }
    }

    /// Where the breaker of D-Bus stands.
    pub fn systemd_breaker(&self, breaker: BreakerPosition) {
        self.0.systemd_breaker.record(breaker as u64, &[]);
    }

    /// Temporal has accepted a change that happened `lag` ago.
    pub fn agent_lag(&self, lag: Duration) {
        self.0.agent_lag.record(lag.as_secs_f64(), &[]);
    }

    /// How many services' newest state Temporal has not accepted yet.
    pub fn outbox_depth(&self, services: usize) {
        self.0.outbox_depth.record(u64::try_from(services).unwrap_or(u64::MAX), &[]);
    }

    /// An observation was sent to Temporal.
    pub fn delivery(&self, outcome: DeliveryOutcome) {
        self.0.deliveries.add(1, &[KeyValue::new("status", outcome.as_str())]);
    }

    /// A channel was asked to take a note.
    pub(crate) fn note(&self, channel: &str, delivery: &Delivery, took: Duration) {
        let channel = KeyValue::new("channel", bounded(channel));
        let outcome = match delivery {
            Delivery::Sent { .. } => {
                self.0.note_duration.record(took.as_secs_f64(), std::slice::from_ref(&channel));
                return self.0.notes_sent.add(1, &[channel]);
            }
            Delivery::Later { .. } => return,
            Delivery::Retry { .. } => "retry",
            Delivery::Refused { .. } => "refused",
        };
        self.0.notes_failed.add(1, &[channel, KeyValue::new("outcome", outcome)]);
    }

    /// A service was started after it had waited for `dependency`.
    pub fn dependency_waited(&self, service: &str, dependency: &str, waited: Duration) {
        self.0.dependency_wait.record(waited.as_secs_f64(), &dependency_labels(service, dependency));
    }

    pub(crate) fn dependency_timeout(&self, service: &str, dependency: &str) {
        self.0.dependency_timeouts.add(1, &dependency_labels(service, dependency));
    }

    /// Whether a height of a chain stands still. `height` is `best` or `finalized`.
    pub fn chain_stalled(&self, chain: &str, protocol: Protocol, height: &'static str, stalled: bool) {
        let labels = [
            KeyValue::new("chain", bounded(chain)),
            KeyValue::new("protocol", protocol.name()),
            KeyValue::new("height", height),
        ];
        self.0.chain_stalled.record(u64::from(stalled), &labels);
    }

    pub(crate) fn action_refused(&self, reason: &'static str) {
        self.0.actions_refused.add(1, &[KeyValue::new("reason", reason)]);
    }

    fn count_workflow(&self, workflow: &str, status: &'static str) {
        let labels = [KeyValue::new("workflow", bounded(workflow)), KeyValue::new("status", status)];
        self.0.workflow_executions.add(1, &labels);
    }
}

fn dependency_labels(service: &str, dependency: &str) -> [KeyValue; 2] {
    [KeyValue::new("service", bounded(service)), KeyValue::new("dependency", bounded(dependency))]
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn prefix(namespace: &str) -> Result<String, MetricsError> {
    let mut chars = namespace.chars();
    let valid = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && namespace.len() <= MAX_NAMESPACE;
    if valid { Ok(format!("{namespace}_")) } else { Err(MetricsError::Namespace(bounded(namespace))) }
}

fn provider(prefix: &str, registry: &Registry, room: Room) -> Result<SdkMeterProvider, MetricsError> {
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .without_units()
        .without_counter_suffixes()
        .without_scope_info()
        .without_target_info()
        .build()
        .map_err(MetricsError::Exporter)?;
    let room: BTreeMap<String, usize> =
        CATALOGUE.iter().map(|metric| (format!("{prefix}{}", metric.name), series(metric, room))).collect();
    let limited = move |instrument: &Instrument| {
        let room = room.get(instrument.name()).copied().unwrap_or(MAX_SERIES);
        Stream::builder().with_cardinality_limit(room).build().ok()
    };
    Ok(SdkMeterProvider::builder()
        .with_resource(Resource::builder_empty().build())
        .with_reader(exporter)
        .with_view(limited)
        .build())
}

/// How many series of a metric to make room for, that of what is too much among them. A quarter more than there are
/// services: some come and go.
fn series(metric: &Metric, room: Room) -> usize {
    let has = |labels: &[&str]| metric.labels.iter().any(|label| labels.contains(label));
    let is_figure = metric.name.starts_with("service_") && !is_always_there(metric);
    let with_spare = |count: usize| count + count / 4;
    match metric.labels {
        [] => 2,
        _ if has(&["probe", "node"]) => with_spare(room.probes) + 2,
        _ if is_figure && has(&["direction"]) => with_spare(2 * room.measured) + 2,
        _ if is_figure && has(&["resource"]) => with_spare(3 * room.measured) + 2,
        _ if is_figure => with_spare(room.measured) + 2,
        _ if has(&["dependency", "alert_type"]) => MAX_SERIES.max(with_spare(room.services * MAX_OTHERS)),
        _ if has(&["service"]) => MAX_SERIES.max(with_spare(room.services)),
        _ => MAX_SERIES,
    }
}

fn is_always_there(metric: &Metric) -> bool {
    ["service_health", "service_restarts_total", "service_downtime_seconds_total"].contains(&metric.name)
}
