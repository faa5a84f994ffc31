//! The lease of a host: who runs dixmgr under a host's name, and how the fleet learns that nobody does.
//!
//! `HostWorkflow` keeps one endless activity scheduled on the queue of the host's lease; whoever runs dixmgr there picks it
//! up and beats. It costs no history while all is well, and a host that dies is known by its missing heartbeat. Rejected:
//! a signal as a heartbeat, which is an event of history each time; and a search of the hosts' queues for pollers, which
//! sees a process and not whether it still works.

use crate::alert::HOST_LOST;
use crate::{Alert, HostName, Raise, Severity, Span, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The workflow type of a host.
pub const HOST_WORKFLOW: &str = "HostWorkflow";
/// The update that takes a [`Claim`] and answers a [`ClaimAnswer`].
pub const UPDATE_CLAIM: &str = "claim";
/// The signal that carries a [`LeaseBegan`].
pub const SIGNAL_LEASE_BEGAN: &str = "lease_began";
/// `HostLeaseActivity(lease)` → [`Handover`]: takes a [`Lease`], beats with [`Beat`] until it is stopped.
pub const HOST_LEASE: &str = "HostLeaseActivity";
/// `MarkHostLostActivity(mark)` → null: takes a [`LossMark`] and tells each service of the host.
pub const MARK_HOST_LOST: &str = "MarkHostLostActivity";
/// `ReportHostActivity(report)` → null: takes a [`HostReport`].
pub const REPORT_HOST: &str = "ReportHostActivity";

/// The heartbeat time-out of a lease, if nobody says another (`[hosts] lease_timeout`).
pub const LEASE_TIMEOUT: Span = Span::from_secs(15);

/// The id of a host's workflow, such as `wf.host.alpha`.
pub fn host_workflow_id(host: &HostName) -> String {
    format!("wf.host.{host}")
}

/// The queue on which the lease of a host waits, and nothing else.
pub fn lease_queue(task_queue: &str, host: &HostName) -> String {
    format!("{task_queue}@{host}/lease")
}

/// One start of dixmgr on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The machine's id (machine-id(5)), 1 to 128 bytes.
    pub machine: String,
    /// The kernel's boot id, at most 128 bytes.
    #[serde(default)]
    pub boot: String,
    /// The process.
    #[serde(default)]
    pub pid: u32,
    /// Names this start of dixmgr, 1 to 128 bytes.
    pub epoch: String,
    /// The version of dixmgr, at most 128 bytes.
    #[serde(default)]
    pub version: String,
}

impl Holder {
    /// The most bytes that each of the texts may have.
    pub const MAX_BYTES: usize = 128;

    /// What is wrong with it; `None` if it can be taken.
    pub fn objection(&self) -> Option<&'static str> {
        let texts = [&self.machine, &self.boot, &self.epoch, &self.version];
        if self.machine.is_empty() || self.epoch.is_empty() {
            return Some("it names no machine or no epoch");
        }
        texts.iter().any(|text| text.len() > Self::MAX_BYTES).then_some("one of its texts is longer than 128 bytes")
    }

    /// True for two starts on one machine.
    pub fn same_machine(&self, other: &Self) -> bool {
        self.machine == other.machine
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let machine: String = self.machine.chars().take(8).collect();
        let version: String = self.version.chars().take(32).collect();
        write!(f, "machine {machine}, pid {}", self.pid)?;
        if version.is_empty() { Ok(()) } else { write!(f, ", dixmgr {version}") }
    }
}

/// The argument of the update `claim`: a dixmgr asks for its host's name when it starts, before it does anything under it.
/// The update's id is the epoch, so a repeated one answers the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who asks.
    pub holder: Holder,
    /// The heartbeat time-out that it wants, 1 s to 10 min.
    #[serde(default = "default_timeout")]
    pub lease_timeout: Span,
}

const fn default_timeout() -> Span {
    LEASE_TIMEOUT
}

/// The answer to a [`Claim`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimAnswer {
    /// The name is the claimant's, and the lease waits on its queue.
    pub granted: bool,
    /// Why not, and the way out; empty if granted.
    #[serde(default)]
    pub reason: String,
    /// The host was lost: its services have been told that nobody sees them, so all of them are to be told again.
    #[serde(default)]
    pub was_lost: bool,
}

/// The argument of `HostLeaseActivity`. Maximum attempts 1, heartbeat time-out `lease_timeout`, no schedule-to-start
/// time-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The host.
    pub host: HostName,
    /// The number of this lease; grows with each.
    pub lease: u64,
    /// The heartbeat time-out. Beat at least each second: a beat that is older than 3 s when it arrives looks like an
    /// outage of the server.
    pub lease_timeout: Span,
    /// As in [`ClaimAnswer::was_lost`], for a dixmgr that lived on while nobody could hear it.
    #[serde(default)]
    pub was_lost: bool,
}

/// The argument of the signal `lease_began`, sent by the activity before anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseBegan {
    /// Which lease.
    pub lease: u64,
    /// Who has it.
    pub holder: Holder,
    /// The host's wall clock, Unix milliseconds, read anew for each attempt to send this.
    pub at_ms: i64,
}

/// The details of the activity's heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// The host's wall clock, Unix milliseconds.
    pub at_ms: i64,
}

/// The activity's result: dixmgr stops on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {}

/// The argument of [`MARK_HOST_LOST`]: nobody sees the host's services any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossMark {
    /// The host.
    pub host: HostName,
    /// The how many-th loss of this host.
    pub loss: u64,
    /// When it was known. A service that has heard of its host after this ignores the mark: it came late.
    pub at: Time,
}

/// What people should hear of a host once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostReportKind {
    /// Nobody runs dixmgr under its name any more.
    HostLost,
    /// Somebody does again.
    HostBack,
    /// It is gone for good, and nobody waits for it any more.
    HostForgotten,
    /// Another machine wanted its name and did not get it.
    HostRefused,
    /// Its plan names services that belong to another host.
    PlanConflict,
}

/// The argument of [`REPORT_HOST`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostReport {
    /// The host.
    pub host: HostName,
    /// What happened.
    pub kind: HostReportKind,
    /// It in a sentence.
    pub text: String,
    /// When it happened, if that may be a while ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// Somebody has taken it before, and it goes on: no news.
    #[serde(default)]
    pub again: bool,
}

impl HostReport {
    /// News of just now.
    pub const fn new(host: HostName, kind: HostReportKind, text: String) -> Self {
        Self { host, kind, text, at: None, again: false }
    }

    /// What an incident is told of it: a host that is lost is in trouble, one that is back or forgotten is not; the rest is no
    /// incident. `revision` is when it is told, Unix milliseconds; an incident ignores what is not newer than what it has heard.
    pub fn raise(&self, revision: u64) -> Option<Raise> {
        let told = Time::from_unix_millis(i64::try_from(revision).unwrap_or(i64::MAX));
        let lost = Alert {
            rule: "HostLost".to_owned(),
            alert: HOST_LOST.to_owned(),
            severity: Severity::Critical,
            age_ms: self.at.map_or(0, |at| told.since(at).as_millis()),
            ended_ms: None,
            detail: self.text.clone(),
            labels: BTreeMap::new(),
        };
        let alerts = match self.kind {
            HostReportKind::HostLost => vec![lost],
            HostReportKind::HostBack | HostReportKind::HostForgotten => Vec::new(),
            HostReportKind::HostRefused | HostReportKind::PlanConflict => return None,
        };
        Some(Raise::of_host(self.host.clone(), HOST_LOST, alerts, revision))
    }
}

/// Where a host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostPhase {
    /// Nobody has had the name yet.
    Unknown,
    /// A dixmgr beats.
    Held,
    /// dixmgr was stopped on purpose.
    Stopped,
    /// Nobody beats; whoever had the name has a short time to take it again.
    Vacant,
    /// Nobody took it again in time.
    Lost,
}

impl HostPhase {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Unknown, Self::Held, Self::Stopped, Self::Vacant, Self::Lost];
}

/// Who was refused last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The one.
    pub holder: Holder,
    /// When.
    pub at: Time,
}

/// The answer of the query `status` of `HostWorkflow`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStatus {
    /// The host.
    pub host: HostName,
    /// Where it stands.
    pub phase: HostPhase,
    /// Since when.
    pub since: Time,
    /// Who has the name, or had it last.
    pub holder: Option<Holder>,
    /// How often it was lost.
    pub lost_count: u64,
    /// Who was refused last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// Why the last signal that could not be read was ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_that_a_claim_needs_is_a_machine_and_an_epoch() {
        let claim: Claim = serde_json::from_str(r#"{"holder":{"machine":"m","epoch":"e"}}"#).unwrap();
        assert_eq!(claim.lease_timeout, LEASE_TIMEOUT);
        assert_eq!(claim.holder.objection(), None);
        let long = Holder { version: "x".repeat(129), ..claim.holder.clone() };
        assert!(long.objection().is_some());
        assert!(Holder { machine: String::new(), ..claim.holder }.objection().is_some());
    }

    #[test]
    fn names_are_those_of_the_design() {
        let host = HostName::new("alpha").unwrap();
        assert_eq!(host_workflow_id(&host), "wf.host.alpha");
        assert_eq!(lease_queue("dixmgr", &host), "dixmgr@alpha/lease");
        assert_eq!(serde_json::to_string(&HostReportKind::HostBack).unwrap(), "\"host_back\"");
        assert_eq!(serde_json::to_string(&Handover {}).unwrap(), "{}");
    }

    #[test]
    fn a_loss_that_is_told_again_began_when_it_happened() {
        let host = HostName::new("alpha").unwrap();
        let lost = HostReport::new(host, HostReportKind::HostLost, "lost".into());
        assert_eq!(lost.raise(5_000).unwrap().report.alerts[0].age_ms, 0);
        let earlier = HostReport { at: Some(Time::from_unix_millis(2_000)), ..lost };
        assert_eq!(earlier.raise(5_000).unwrap().report.alerts[0].age_ms, 3_000);
        let over = HostReport { kind: HostReportKind::HostForgotten, ..earlier };
        assert!(over.raise(5_000).unwrap().report.alerts.is_empty());
        let old: HostReport = serde_json::from_str(r#"{"host":"alpha","kind":"host_lost","text":"x"}"#).unwrap();
        assert_eq!((old.at, old.again), (None, false));
    }
}
