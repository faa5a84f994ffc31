//! What is worth telling: each event writes its log line and feeds its metric together, so that the two cannot disagree.
//!
//! To add one: a struct with what happened, and an [`Event`] for it. Callers say `ServiceDown { … }.emit(&metrics)` and
//! neither log nor count by themselves.

mod history;

pub use history::{HistoryDegraded, HistoryRecovered, HistorySetAside};

use crate::{metrics::Metrics, outcome::Peer};
use dixmgr_contract::cluster::{ClusterReport, ClusterReportKind};
use dixmgr_contract::host::{HostReport, HostReportKind};
use dixmgr_contract::{FailureKind, ServiceName, UnitName, Verb, activity::ReportKind};
use std::time::Duration;
use tracing::{error, info, warn};

/// Something that happened.
pub trait Event {
    /// Writes the log line and feeds the metric.
    fn emit(self, metrics: &Metrics);
}

/// A service went down, by itself or by somebody's hand.
#[derive(Debug)]
pub struct ServiceDown<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// Its unit.
    pub unit: &'a UnitName,
    /// What happened, such as `signal 9`.
    pub reason: &'a str,
}

impl Event for ServiceDown<'_> {
    fn emit(self, metrics: &Metrics) {
        warn!(service = %self.service, unit = %self.unit, reason = self.reason, "service is down");
        metrics.services().set_health(self.service.as_str(), Some(false));
    }
}

/// A probe of a service that runs has failed.
#[derive(Debug)]
pub struct ProbeFailed<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// The probe.
    pub probe: &'a str,
    /// What it saw, without secrets.
    pub reason: &'a str,
}

impl Event for ProbeFailed<'_> {
    fn emit(self, _metrics: &Metrics) {
        warn!(service = %self.service, probe = self.probe, reason = self.reason, "probe has failed");
    }
}

/// A probe that had failed is content again.
#[derive(Debug)]
pub struct ProbeRecovered<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// The probe.
    pub probe: &'a str,
}

impl Event for ProbeRecovered<'_> {
    fn emit(self, _metrics: &Metrics) {
        info!(service = %self.service, probe = self.probe, "probe is content again");
    }
}

/// All nodes of a chain stand still: nobody's node is at fault, and no restart helps.
#[derive(Debug)]
pub struct ChainStalled<'a> {
    /// The chain.
    pub chain: &'a str,
    /// `best` or `finalized`.
    pub which: &'a str,
    /// The height that it stands at.
    pub at: u64,
    /// How many nodes stand there.
    pub nodes: usize,
}

impl Event for ChainStalled<'_> {
    fn emit(self, _metrics: &Metrics) {
        error!(chain = self.chain, height = self.which, at = self.at, nodes = self.nodes, "chain stalled");
    }
}

/// A chain that stood still moves again.
#[derive(Debug)]
pub struct ChainMoves<'a> {
    /// The chain.
    pub chain: &'a str,
    /// `best` or `finalized`.
    pub which: &'a str,
}

impl Event for ChainMoves<'_> {
    fn emit(self, _metrics: &Metrics) {
        info!(chain = self.chain, height = self.which, "chain moves again");
    }
}

/// A service is up.
#[derive(Debug)]
pub struct ServiceUp<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// Its unit.
    pub unit: &'a UnitName,
    /// How long it was down, if that was seen.
    pub after: Option<Duration>,
}

impl Event for ServiceUp<'_> {
    fn emit(self, metrics: &Metrics) {
        info!(service = %self.service, unit = %self.unit, down_ms = self.after.map(millis), "service is up");
        metrics.services().set_health(self.service.as_str(), Some(true));
    }
}

/// The unit does not exist on this host: said once, and not "down".
#[derive(Debug)]
pub struct ServiceAbsent<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// The unit that systemd does not know.
    pub unit: &'a UnitName,
}

impl Event for ServiceAbsent<'_> {
    fn emit(self, metrics: &Metrics) {
        warn!(service = %self.service, unit = %self.unit, "systemd has no such unit on this host; waiting for it to appear");
        metrics.services().set_health(self.service.as_str(), None);
    }
}

/// A failed service was restarted by us.
#[derive(Debug)]
pub struct RestartDone<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// Its unit.
    pub unit: &'a UnitName,
    /// How long systemd took.
    pub took: Duration,
}

impl Event for RestartDone<'_> {
    fn emit(self, metrics: &Metrics) {
        info!(service = %self.service, unit = %self.unit, took_ms = millis(self.took), "restarted");
        metrics.services().add_restarts(self.service.as_str(), 1);
    }
}

/// An action that does not count as the restart of a failed service was done: a start, a stop, a restart on command.
#[derive(Debug)]
pub struct ActionDone<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// Its unit.
    pub unit: &'a UnitName,
    /// What was done.
    pub verb: Verb,
    /// How long systemd took.
    pub took: Duration,
}

impl Event for ActionDone<'_> {
    fn emit(self, _: &Metrics) {
        info!(service = %self.service, unit = %self.unit, took_ms = millis(self.took), "{} done", self.verb);
    }
}

/// An action was not taken, or failed.
#[derive(Debug)]
pub struct ActionRefused<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// Why, as data.
    pub kind: FailureKind,
    /// Why, for people.
    pub message: &'a str,
}

impl Event for ActionRefused<'_> {
    fn emit(self, metrics: &Metrics) {
        warn!(service = %self.service, kind = %self.kind, reason = self.message, "action refused");
        metrics.action_refused(self.kind.as_str());
    }
}

/// A dry run names the action that it does not take.
#[derive(Debug)]
pub struct WouldAct<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// Its unit.
    pub unit: &'a UnitName,
    /// What it would do.
    pub verb: Verb,
    /// Why.
    pub reason: &'a str,
}

impl Event for WouldAct<'_> {
    fn emit(self, metrics: &Metrics) {
        info!(service = %self.service, unit = %self.unit, reason = self.reason, "would {}, but this is a dry run", self.verb);
        metrics.action_refused(FailureKind::ObserveOnly.as_str());
    }
}

/// Temporal answers.
#[derive(Debug)]
pub struct TemporalConnected<'a> {
    /// Host and port.
    pub address: &'a str,
    /// The namespace.
    pub namespace: &'a str,
}

impl Event for TemporalConnected<'_> {
    fn emit(self, metrics: &Metrics) {
        info!(address = self.address, namespace = self.namespace, "connected to Temporal");
        metrics.connected(Peer::Temporal, true);
    }
}

/// Temporal does not answer any more, or not yet.
#[derive(Debug)]
pub struct TemporalLost<'a> {
    /// Host and port.
    pub address: &'a str,
    /// What happened.
    pub reason: &'a str,
}

impl Event for TemporalLost<'_> {
    fn emit(self, metrics: &Metrics) {
        warn!(
            address = self.address,
            reason = self.reason,
            "Temporal cannot be reached; observing goes on, and is told when it is back"
        );
        metrics.connected(Peer::Temporal, false);
    }
}

/// The connection to systemd stands.
#[derive(Debug)]
pub struct BusConnected<'a> {
    /// `system` or `session`.
    pub bus: &'a str,
}

impl Event for BusConnected<'_> {
    fn emit(self, metrics: &Metrics) {
        info!(bus = self.bus, "connected to systemd");
        metrics.connected(Peer::Systemd, true);
    }
}

/// The connection to systemd is gone; what was known may be wrong until it is back.
#[derive(Debug)]
pub struct BusLost<'a> {
    /// `system` or `session`.
    pub bus: &'a str,
    /// What happened.
    pub reason: &'a str,
}

impl Event for BusLost<'_> {
    fn emit(self, metrics: &Metrics) {
        warn!(bus = self.bus, reason = self.reason, "lost the connection to systemd; trying again");
        metrics.connected(Peer::Systemd, false);
    }
}

/// What a service's workflow wants its people to know.
#[derive(Debug)]
pub struct Report<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// What happened; `Exhausted` is the spent restart budget.
    pub kind: ReportKind,
    /// It in a sentence.
    pub text: &'a str,
    /// The dependencies that it is about.
    pub dependencies: &'a [ServiceName],
}

impl<'a> From<&'a dixmgr_contract::activity::Report> for Report<'a> {
    fn from(report: &'a dixmgr_contract::activity::Report) -> Self {
        Self { service: &report.service, kind: report.kind, text: &report.text, dependencies: &report.dependencies }
    }
}

impl Event for Report<'_> {
    fn emit(self, metrics: &Metrics) {
        if self.kind == ReportKind::DependencyTimeout {
            self.dependencies.iter().for_each(|one| metrics.dependency_timeout(self.service.as_str(), one.as_str()));
        }
        match self.kind {
            ReportKind::Exhausted | ReportKind::Prevented | ReportKind::DependencyTimeout => {
                error!(service = %self.service, "{}", self.text)
            }
            ReportKind::Refused => warn!(service = %self.service, "{}", self.text),
            ReportKind::Recovered => info!(service = %self.service, "{}", self.text),
        }
    }
}

/// What a host's workflow, or the registry, wants people to know.
#[derive(Debug)]
pub struct HostNews<'a>(pub &'a HostReport);

impl Event for HostNews<'_> {
    fn emit(self, _: &Metrics) {
        let HostReport { host, kind, text } = self.0;
        match kind {
            HostReportKind::HostLost => error!(%host, "{text}"),
            HostReportKind::HostRefused | HostReportKind::PlanConflict => warn!(%host, "{text}"),
            HostReportKind::HostBack => info!(%host, "{text}"),
        }
    }
}

/// What a cluster's workflow wants people to know.
#[derive(Debug)]
pub struct ClusterNews<'a>(pub &'a ClusterReport);

impl Event for ClusterNews<'_> {
    fn emit(self, _: &Metrics) {
        let ClusterReport { cluster, kind, text } = self.0;
        match kind {
            ClusterReportKind::QuorumLost => error!(%cluster, "{text}"),
            ClusterReportKind::RolloutHalted
            | ClusterReportKind::PromotionFailed
            | ClusterReportKind::ActiveChanged
            | ClusterReportKind::SurplusStopped => warn!(%cluster, "{text}"),
            ClusterReportKind::QuorumRegained
            | ClusterReportKind::RolloutDone
            | ClusterReportKind::Promoted
            | ClusterReportKind::FirstStarted => info!(%cluster, "{text}"),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
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
}
