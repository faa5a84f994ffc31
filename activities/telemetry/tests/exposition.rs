//! What a scraper sees: exact names, the SDK's metrics as they are, room for 10,000 services, series that leave.
#![allow(clippy::unwrap_used, reason = "helpers of tests, like tests, fail by panic")]

mod common;

use common::{CATALOGUE, fed_metrics, series};
use dixmgr_telemetry::{Metrics, Room, ServiceLabels, catalogue::Kind};
use opentelemetry::KeyValue;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

fn labels(service: &str) -> ServiceLabels {
    ServiceLabels { service: service.into(), kind: "parachain".into(), chain: "asset-hub".into() }
}

#[test]
fn exactly_the_metrics_of_the_catalogue_are_exposed_under_their_own_names() {
    let text = fed_metrics().render().unwrap();
    let seen: BTreeMap<_, _> = text
        .lines()
        .filter_map(|l| l.strip_prefix("# TYPE "))
        .filter_map(|l| l.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    let due: BTreeMap<_, _> =
        CATALOGUE.iter().map(|m| (format!("dixmgr_{}", m.name), m.kind.as_str().to_owned())).collect();
    assert_eq!(seen, due);
    assert!(!text.contains("otel_") && !text.contains("target_info"), "{text}");
}

#[test]
fn labels_and_buckets_are_those_of_the_catalogue() {
    let text = fed_metrics().render().unwrap();
    for metric in CATALOGUE {
        let name = match metric.kind {
            Kind::Histogram => format!("dixmgr_{}_bucket", metric.name),
            Kind::Counter | Kind::Gauge => format!("dixmgr_{}", metric.name),
        };
        let found = series(&text, &name);
        let (first, _) = found.first().unwrap_or_else(|| panic!("no series of {name} in\n{text}"));
        let mut seen: Vec<_> = first.iter().map(|(key, _)| key.as_str()).filter(|key| *key != "le").collect();
        let mut due = metric.labels.to_vec();
        seen.sort_unstable();
        due.sort_unstable();
        assert_eq!(seen, due, "{name}");
        if metric.kind == Kind::Histogram {
            let bounds = found
                .iter()
                .filter(|(set, _)| set.iter().all(|(k, v)| k == "le" || first.contains(&(k.clone(), v.clone()))));
            assert_eq!(bounds.count(), metric.buckets.len() + 1, "{name} with +Inf");
        }
    }
}

#[test]
fn a_note_for_which_there_was_no_room_or_that_is_told_again_is_neither_sent_nor_a_failure() {
    let text = fed_metrics().render().unwrap();
    assert!(text.contains(r#"dixmgr_notes_sent_total{channel="ops"} 1"#), "{text}");
    assert!(text.contains(r#"dixmgr_notes_failed_total{channel="ops",outcome="refused"} 1"#), "{text}");
    assert_eq!(series(&text, "dixmgr_notes_failed_total").len(), 1, "{text}");
}

#[test]
fn activities_go_by_their_type_without_the_ending() {
    let text = fed_metrics().render().unwrap();
    assert!(
        text.contains(r#"dixmgr_activity_executions_total{activity="CheckSystemdService",status="success"} 1"#),
        "{text}"
    );
    assert!(
        text.contains(r#"dixmgr_activity_errors_total{activity="RestartSystemdService",error_type="Denied"} 1"#),
        "{text}"
    );
}

#[test]
fn a_metric_of_the_sdk_keeps_its_name() {
    let metrics = Metrics::new("fleet", Room::of(1)).unwrap();
    metrics.sdk_meter().u64_counter("temporal_request").build().add(3, &[KeyValue::new("operation", "Poll")]);
    metrics.sdk_meter().f64_histogram("temporal_request_latency").with_unit("s").build().record(0.5, &[]);
    let text = metrics.render().unwrap();
    assert!(text.lines().any(|l| l == r#"temporal_request{operation="Poll"} 3"#), "{text}");
    assert!(text.lines().any(|l| l == "temporal_request_latency_count 1"), "{text}");
    assert!(text.contains("fleet_build_info{") && !text.contains("dixmgr_build_info"), "{text}");
}

#[test]
fn a_namespace_that_cannot_begin_a_name_is_refused() {
    for bad in ["", "9lives", "_x", "dix-mgr", "dix mgr", "dixmgr\n", &"x".repeat(65)] {
        assert!(
            Metrics::new(bad, Room::of(1)).unwrap_err().to_string().contains("cannot be the namespace of metrics"),
            "{bad}"
        );
    }
}

#[test]
fn a_removed_service_takes_its_series_with_it() {
    let metrics = Metrics::new("dixmgr", Room::of(1)).unwrap();
    for service in ["stays", "leaves"] {
        metrics.services().put(labels(service));
        metrics.services().set_health(service, Some(true));
        metrics.services().add_restarts(service, 2);
    }
    assert_eq!(metrics.render().unwrap().matches(r#"service="leaves""#).count(), 3);
    metrics.services().remove("leaves");
    let text = metrics.render().unwrap();
    assert!(!text.contains("leaves"), "{text}");
    assert!(text.contains(r#"dixmgr_service_restarts_total{service="stays",type="parachain"} 2"#), "{text}");
    assert!(text.contains("dixmgr_services 1\n"), "{text}");
}

#[test]
fn a_hostile_label_cannot_break_the_text() {
    let metrics = Metrics::new("dixmgr", Room::of(1)).unwrap();
    metrics.services().put(labels(&format!("a\"}} 1\nfake_metric 1\n{}", "x".repeat(5000))));
    let text = metrics.render().unwrap();
    assert!(!text.lines().any(|l| l.starts_with("fake_metric")), "{text}");
    assert!(text.lines().all(|l| l.chars().count() < 400), "{text}");
}

/// Prints the time and size of a scrape; `--release -- --nocapture` shows the figures of the documentation.
#[test]
fn ten_thousand_services_fit() {
    const SERVICES: usize = 10_000;
    let metrics = Metrics::new("dixmgr", Room::of(SERVICES)).unwrap();
    for i in 0..SERVICES {
        let service = format!("para-node-polkadot-{i:05}");
        metrics.services().put(labels(&service));
        metrics.services().set_health(&service, Some(i % 100 != 0));
    }
    let mut times = vec![];
    let mut text = String::new();
    for _ in 0..5 {
        let begun = Instant::now();
        text = metrics.render().unwrap();
        times.push(begun.elapsed());
    }
    for name in ["service_health", "service_restarts_total", "service_downtime_seconds_total"] {
        assert_eq!(series(&text, &format!("dixmgr_{name}")).len(), SERVICES, "{name}");
    }
    assert!(!text.contains("otel_metric_overflow"));
    let slowest = times.iter().max().copied().unwrap_or(Duration::ZERO);
    println!("{SERVICES} services: {} KiB, five scrapes {times:?}, slowest {slowest:?}", text.len() / 1024);
}
