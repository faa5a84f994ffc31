//! What is worth telling: each event writes its log line and feeds its metric together, so that the two cannot disagree.
//!
//! To add one: a struct with what happened, and an [`Event`] for it. Callers say `ServiceDown { … }.emit(&metrics)` and
//! neither log nor count by themselves.

mod history;
mod telling;

pub use history::{HistoryDegraded, HistoryRecovered, HistorySetAside};
pub use telling::{IncidentHappened, NoteDelivered};

use crate::{metrics::Metrics, outcome::Peer};
use dixmgr_contract::cluster::{ClusterReport, ClusterReportKind};
use dixmgr_contract::host::{HostReport, HostReportKind};
use dixmgr_contract::{FailureKind, ServiceName, Severity, UnitName, Verb, activity::ReportKind};
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

/// A probe of a service that has only just started is not content yet, which is no failure.
#[derive(Debug)]
pub struct ProbeNotReady<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// The probe.
    pub probe: &'a str,
    /// What it saw, without secrets.
    pub reason: &'a str,
}

impl Event for ProbeNotReady<'_> {
    fn emit(self, _metrics: &Metrics) {
        info!(service = %self.service, probe = self.probe, reason = self.reason, "not ready yet");
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

/// A look at a probe's endpoint has ended by a fault of our own, which says nothing of the endpoint.
#[derive(Debug)]
pub struct ProbeBroken<'a> {
    /// The service.
    pub service: &'a str,
    /// The probe.
    pub probe: &'a str,
}

impl Event for ProbeBroken<'_> {
    fn emit(self, _metrics: &Metrics) {
        error!(service = self.service, probe = self.probe, "a look broke off by a fault of dixmgr; please report it");
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

/// A rule has begun to fire for a service.
#[derive(Debug)]
pub struct AlertFired<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// The rule.
    pub rule: &'a str,
    /// The type of its alerts.
    pub alert: &'a str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a line.
    pub detail: &'a str,
}

impl Event for AlertFired<'_> {
    fn emit(self, metrics: &Metrics) {
        let Self { service, rule, alert, severity, detail } = self;
        match severity {
            Severity::Critical => error!(%service, rule, %severity, detail, "alert fires"),
            Severity::Warning => warn!(%service, rule, %severity, detail, "alert fires"),
            Severity::Info => info!(%service, rule, %severity, detail, "alert fires"),
        }
        metrics.services().alert_fired(service.as_str(), alert, severity);
    }
}

/// A rule that fired for a service does not any more.
#[derive(Debug)]
pub struct AlertCleared<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// The rule.
    pub rule: &'a str,
    /// The type of its alerts.
    pub alert: &'a str,
    /// How bad it was.
    pub severity: Severity,
    /// How long it fired.
    pub after: Duration,
}

impl Event for AlertCleared<'_> {
    fn emit(self, metrics: &Metrics) {
        let Self { service, rule, alert, severity, after } = self;
        info!(%service, rule, %severity, fired_ms = millis(after), "alert is over");
        metrics.services().alert_cleared(service.as_str(), alert, severity);
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

/// The lease of this host's name was granted and does not come.
#[derive(Debug)]
pub struct LeaseOverdue<'a> {
    /// Whose.
    pub host: &'a str,
    /// For how long it was waited for.
    pub after: Duration,
}

impl Event for LeaseOverdue<'_> {
    fn emit(self, _: &Metrics) {
        warn!(host = self.host, "the host's lease has not come for {:?}; its name is asked for again", self.after);
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
        let HostReport { host, kind, text, again, .. } = self.0;
        if *again {
            return;
        }
        match kind {
            HostReportKind::HostLost => error!(%host, "{text}"),
            HostReportKind::HostRefused | HostReportKind::PlanConflict => warn!(%host, "{text}"),
            HostReportKind::HostBack | HostReportKind::HostForgotten => info!(%host, "{text}"),
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
#[path = "events_tests.rs"]
mod tests;
