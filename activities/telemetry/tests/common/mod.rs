//! Shared by the tests of the exposition: metrics with every fed series touched, and a reader of the text format.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use dixmgr_contract::activity::ReportKind;
use dixmgr_contract::{Delivery, FailureKind, Note, Protocol, ServiceName, Severity, Span};
pub use dixmgr_telemetry::catalogue::CATALOGUE;
use dixmgr_telemetry::{
    ActivityOutcome, BreakerPosition, DeliveryOutcome, Event, Figures, FileSystemFigures, HistoryFigures, HostFigures,
    Metrics, NodeFigures, PressureFigures, ProbeFigures, Room, ServiceLabels, WorkflowOutcome,
    events::{ActionRefused, AlertFired, HistorySetAside, NoteDelivered, Report, TemporalConnected, TemporalLost},
};
use std::time::Duration;

/// Metrics in which every fed metric has at least one series.
pub fn fed_metrics() -> Metrics {
    let metrics = Metrics::new("dixmgr", Room { probes: 1, ..Room::of(10) }).unwrap();
    let service: ServiceName = "api".parse().unwrap();
    metrics.services().put(ServiceLabels { service: "api".into(), kind: "app".into(), chain: String::new() });
    metrics.services().set_health("api", Some(true));
    feed_senses(&metrics);
    metrics.workflow_started("ServiceWatchWorkflow");
    metrics.workflow_closed("ServiceWatchWorkflow", WorkflowOutcome::Continued, Duration::from_secs(3));
    let took = Duration::from_millis(2);
    metrics.activity_done("CheckSystemdServiceActivity", ActivityOutcome::Success, took, None);
    metrics.activity_done("RestartSystemdServiceActivity", ActivityOutcome::Error, took, Some("Denied"));
    TemporalConnected { address: "127.0.0.1:7233", namespace: "dotidx" }.emit(&metrics);
    TemporalLost { address: "127.0.0.1:7233", reason: "connection refused" }.emit(&metrics);
    metrics.agent_lag(took);
    metrics.dependency_waited("api", "db", took);
    let missing = ["db".parse().unwrap()];
    let kind = ReportKind::DependencyTimeout;
    Report { service: &service, kind, text: "api has waited 1m for db", dependencies: &missing }.emit(&metrics);
    let (rule, alert, severity) = ("ServiceDown", "service_down", Severity::Critical);
    AlertFired { service: &service, rule, alert, severity, detail: "api is down" }.emit(&metrics);
    feed_telling(&metrics);
    metrics.delivery(DeliveryOutcome::Accepted);
    ActionRefused { service: &service, kind: FailureKind::Stale, message: "generation 3 is older than 4" }
        .emit(&metrics);
    metrics
}

/// What people were told, and what is kept of it.
fn feed_telling(metrics: &Metrics) {
    let note: Note = serde_json::from_value(serde_json::json!({
        "id": "n", "incident": "service_down.api-1", "sequence": 1, "kind": "firing", "type": "service_down", "severity": "critical",
        "title": "api is down", "began": "2026-01-01T00:00:00Z", "at": "2026-01-01T00:00:00Z",
    }))
    .unwrap();
    let (sent, refused) = (Delivery::Sent { thread: String::new() }, Delivery::Refused { reason: "HTTP 404".into() });
    // What was not tried is no failure, and what is told again is no news: neither is counted.
    let later = Delivery::Later { after: Span::from_secs(1) };
    for (delivery, again) in
        [(&sent, false), (&refused, false), (&later, false), (&sent, true), (&refused, true), (&later, true)]
    {
        NoteDelivered { channel: "ops", note: &note, delivery, took: Duration::from_millis(3), again }.emit(metrics);
    }
    metrics.history().watch(|| HistoryFigures { written: 3, lost: 1, waiting: 2, bytes: 4_096 });
    HistorySetAside { text: "it was damaged" }.emit(metrics);
}

/// What is measured and seen of a service, which is a node, and of the host.
fn feed_senses(metrics: &Metrics) {
    let some = Some(5);
    let pressure = PressureFigures { cpu: Some(1.5), memory: None, io: Some(0.0) };
    metrics.services().set_node(
        "api",
        NodeFigures {
            in_sync: Some(true),
            peers: some,
            best: some,
            finalized: some,
            lag: some,
            since_best: Some(Duration::from_secs(6)),
        },
    );
    metrics.services().set_figures(
        "api",
        Figures {
            cpu_percent: Some(12.5),
            memory_bytes: some,
            disk_read_bps: Some(0.0),
            disk_write_bps: Some(1e6),
            processes: some,
            threads: some,
            open_files: some,
            open_files_percent: Some(0.5),
            context_switches_per_second: Some(7.0),
            oom_kills: some,
            pressure,
        },
    );
    metrics.probes().set(ProbeFigures {
        service: "api",
        probe: "http",
        healthy: Some(true),
        duration: Duration::from_millis(3),
        certificate_expires_in: Some(Duration::from_secs(86_400)),
        breaker: BreakerPosition::HalfOpen,
    });
    metrics.endpoints().set("api", "http", BreakerPosition::Closed, Duration::ZERO);
    metrics.chain_stalled("polkadot", Protocol::Substrate, "best", false);
    let disk = FileSystemFigures { total: 9, available: 5, inodes: some, inodes_available: some };
    metrics.host().set(HostFigures {
        cpu_percent: Some(3.0),
        memory: Some((9, 5)),
        load: Some([0.1, 0.2, 0.3]),
        clock_synchronized: Some(true),
        pressure,
    });
    metrics.host().set_file_system("/", Some(disk));
}

/// A series' labels and value.
pub type Series = (Vec<(String, String)>, f64);

/// The series of one name. For label values without quotes.
pub fn series(text: &str, name: &str) -> Vec<Series> {
    text.lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(['{', ' ']).map(|rest| (line, rest)))
        .map(|(line, rest)| {
            let (labels, value) = match line.as_bytes()[name.len()] {
                b'{' => rest.rsplit_once("} ").unwrap(),
                _ => ("", rest),
            };
            let pairs = labels.split("\",").filter_map(|pair| pair.split_once("=\""));
            let pairs = pairs.map(|(key, value)| (key.to_owned(), value.trim_end_matches('"').to_owned())).collect();
            (pairs, value.parse().unwrap())
        })
        .collect()
}
