//! Shared by the tests of the exposition: metrics with every fed series touched, and a reader of the text format.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use dixmgr_contract::activity::ReportKind;
use dixmgr_contract::{FailureKind, ServiceName};
pub use dixmgr_telemetry::catalogue::CATALOGUE;
use dixmgr_telemetry::{
    ActivityOutcome, DeliveryOutcome, Event, Metrics, ServiceLabels, WorkflowOutcome,
    events::{ActionRefused, Report, TemporalConnected, TemporalLost},
};
use std::time::Duration;

/// Metrics in which every fed metric has at least one series.
pub fn fed_metrics() -> Metrics {
    let metrics = Metrics::new("dixmgr", 10).unwrap();
    let service: ServiceName = "api".parse().unwrap();
    metrics.services().put(ServiceLabels { service: "api".into(), kind: "app".into(), chain: String::new() });
    metrics.services().set_health("api", Some(true));
    metrics.services().set_node("api", Some((true, 5)));
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
    metrics.delivery(DeliveryOutcome::Accepted);
    ActionRefused { service: &service, kind: FailureKind::Stale, message: "generation 3 is older than 4" }
        .emit(&metrics);
    metrics
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
