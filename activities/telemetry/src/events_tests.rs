//! Each event writes one line and moves its metric.

use super::*;
use crate::{board::ServiceLabels, metrics::Room, testing::Lines};

/// What the event wrote, and the metrics after it.
fn told(event: impl Event) -> (String, String) {
    let metrics = Metrics::new("dixmgr", Room::of(1)).unwrap();
    metrics.services().put(ServiceLabels { service: "api".into(), kind: "app".into(), chain: String::new() });
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).finish();
    tracing::subscriber::with_default(subscriber, || event.emit(&metrics));
    (lines.text(), metrics.render().unwrap())
}

fn api() -> (ServiceName, UnitName) {
    ("api".parse().unwrap(), "api.service".parse().unwrap())
}

#[track_caller]
fn assert_told(event: impl Event, line: &str, series: &str) {
    let (log, metrics) = told(event);
    assert!(log.contains(line) && log.lines().count() == 1, "{line} not in {log}");
    assert!(metrics.lines().any(|l| l == series), "{series} not in {metrics}");
}

#[test]
fn a_service_that_falls_and_rises_is_logged_and_shown() {
    let (service, unit) = (&api().0, &api().1);
    assert_told(
        ServiceDown { service, unit, reason: "signal 9" },
        r#"WARN dixmgr_telemetry::events: service is down service=api unit=api.service reason="signal 9""#,
        r#"dixmgr_service_health{chain="",service="api",type="app"} 0"#,
    );
    assert_told(
        ServiceUp { service, unit, after: Some(Duration::from_millis(40)) },
        "service is up service=api unit=api.service down_ms=40",
        r#"dixmgr_service_health{chain="",service="api",type="app"} 1"#,
    );
    let (log, metrics) = told(ServiceAbsent { service, unit });
    assert!(log.contains("no such unit"), "{log}");
    assert!(!metrics.contains("dixmgr_service_health{"), "{metrics}");
}

#[test]
fn actions_are_logged_and_counted() {
    let (service, unit) = (&api().0, &api().1);
    assert_told(
        RestartDone { service, unit, took: Duration::from_millis(7) },
        "restarted service=api unit=api.service took_ms=7",
        r#"dixmgr_service_restarts_total{service="api",type="app"} 1"#,
    );
    assert_told(
        ActionDone { service, unit, verb: Verb::Stop, took: Duration::from_millis(7) },
        "stop done service=api",
        r#"dixmgr_service_restarts_total{service="api",type="app"} 0"#,
    );
    assert_told(
        ActionRefused { service, kind: FailureKind::Denied, message: "polkit said no" },
        r#"action refused service=api kind=Denied reason="polkit said no""#,
        r#"dixmgr_actions_refused_total{reason="Denied"} 1"#,
    );
    assert_told(
        WouldAct { service, unit, verb: Verb::Restart, reason: "signal 9" },
        "would restart, but this is a dry run service=api",
        r#"dixmgr_actions_refused_total{reason="ObserveOnly"} 1"#,
    );
}

#[test]
fn an_alert_is_logged_once_and_counted_until_it_is_over() {
    let (service, _) = &api();
    let fired = || AlertFired {
        service,
        rule: "ServiceDown",
        alert: "service_down",
        severity: Severity::Critical,
        detail: "api is down",
    };
    let cleared = || AlertCleared {
        service,
        rule: "ServiceDown",
        alert: "service_down",
        severity: Severity::Critical,
        after: Duration::from_secs(1),
    };
    let counted = r#"dixmgr_alerts_fired_total{alert_type="service_down",service="api",severity="critical"} 1"#;
    let line = r#"alert fires service=api rule="ServiceDown" severity=critical detail="api is down""#;
    assert_told(fired(), line, counted);
    let active = |n: u8| format!("dixmgr_alerts_active{{alert_type=\"service_down\",severity=\"critical\"}} {n}\n");
    assert!(told(fired()).1.contains(&active(1)));
    let (log, metrics) = told(Then(fired(), Then(cleared(), cleared())));
    assert!(log.contains("INFO") && log.contains("alert is over service=api"), "{log}");
    assert!(metrics.contains(&active(0)) && metrics.contains(counted), "{metrics}");
}

#[test]
fn alerts_that_there_may_be_are_shown_and_a_removed_service_takes_its_own_along() {
    let metrics = Metrics::new("dixmgr", Room::of(1)).unwrap();
    metrics.services().put(ServiceLabels { service: "api".into(), kind: "app".into(), chain: String::new() });
    metrics.services().expect_alerts("high_cpu", Severity::Warning);
    metrics.services().still_fires("api", "high_cpu", Severity::Warning);
    let active = "dixmgr_alerts_active{alert_type=\"high_cpu\",severity=\"warning\"}";
    let text = metrics.render().unwrap();
    assert!(text.contains(&format!("{active} 1\n")) && !text.contains("dixmgr_alerts_fired_total{"), "{text}");
    metrics.services().remove("api");
    assert!(metrics.render().unwrap().contains(&format!("{active} 0\n")));
}

/// Two events in a row.
struct Then<A, B>(A, B);

impl<A: Event, B: Event> Event for Then<A, B> {
    fn emit(self, metrics: &Metrics) {
        self.0.emit(metrics);
        self.1.emit(metrics);
    }
}

#[test]
fn a_connection_is_lost_only_if_it_stood() {
    let lost = || BusLost { bus: "system", reason: "end of file" };
    assert_told(BusConnected { bus: "system" }, "connected to systemd", "dixmgr_systemd_connected 1");
    let (_, never) = told(Then(lost(), lost()));
    assert!(!never.contains("dixmgr_connection_losses_total"), "{never}");
    let (_, once) = told(Then(BusConnected { bus: "system" }, Then(lost(), lost())));
    assert!(once.contains("dixmgr_connection_losses_total{peer=\"systemd\"} 1\n"), "{once}");
    assert!(once.contains("dixmgr_systemd_connected 0\n"), "{once}");
}

#[test]
fn a_report_has_the_level_of_its_kind() {
    let (service, _) = &api();
    for (kind, level) in
        [(ReportKind::Exhausted, "ERROR"), (ReportKind::Refused, "WARN"), (ReportKind::Recovered, "INFO")]
    {
        let (log, _) = told(Report { service, kind, text: "5 restarts in 10m are spent", dependencies: &[] });
        assert!(log.contains(level) && log.contains("5 restarts in 10m are spent service=api"), "{log}");
    }
}

#[test]
fn trouble_with_the_history_is_told_and_shown() {
    let degraded = || HistoryDegraded { text: "it is full" };
    assert_told(degraded(), "ERROR dixmgr_telemetry::events::history: it is full", "dixmgr_history_degraded 1");
    let recovered = |lost| Then(degraded(), HistoryRecovered { text: "written again", lost });
    for (lost, level) in [(0, "INFO"), (3, "WARN")] {
        let (log, metrics) = told(recovered(lost));
        assert!(log.contains(level) && log.contains("written again"), "{log}");
        assert!(metrics.contains("dixmgr_history_degraded 0\n"), "{metrics}");
    }
    assert_told(HistorySetAside { text: "moved away" }, "moved away", "dixmgr_history_set_aside_total 1");
}
