//! What people are owed of this host: that it is lost, or that this is over, until somebody has taken it.
//!
//! One report at a time is under way and the newest waits for its end, so a loss never arrives after its own end. A loss that was
//! taken is told again each hour for as long as it lasts: if its incident was ended by hand, it begins anew with that; one that knows
//! of it tells nobody anything. Rejected: more attempts of Temporal for one report, which would tell an old loss after hours.

use super::settle::backoff;
use super::{Action, HostLease, Phase};
use dixmgr_contract::host::{HostReport, HostReportKind};
use dixmgr_contract::{Span, Time};
use serde::{Deserialize, Serialize};

/// How often a loss is told again while it lasts.
const REMIND: Span = Span::from_secs(3_600);

/// The newest of a loss and its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owed {
    report: HostReport,
    /// How often it has failed.
    #[serde(default)]
    failed: u32,
    /// When it is told, or told again; absent while a report is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) again_at: Option<Time>,
    /// What is under way is older than this.
    #[serde(default)]
    newer: bool,
}

impl HostLease {
    /// From now on people are owed this, and nothing older.
    pub(super) fn owe(&mut self, kind: HostReportKind, text: String, now: Time) {
        let is_under_way = self.owed.as_ref().is_some_and(|owed| owed.again_at.is_none());
        let report = HostReport { at: Some(now), ..HostReport::new(self.host.clone(), kind, text) };
        let again_at = (!is_under_way).then_some(now);
        self.owed = Some(Owed { report, failed: 0, again_at, newer: is_under_way });
    }

    pub(super) fn tell(&mut self, now: Time, actions: &mut Vec<Action>) {
        let Some(owed) = self.owed.as_mut().filter(|owed| owed.again_at.is_some_and(|at| at <= now)) else { return };
        (owed.again_at, owed.newer) = (None, false);
        actions.push(Action::Tell(owed.report.clone()));
    }

    /// What became of the report that was under way.
    pub(super) fn told(&mut self, taken: bool, now: Time) {
        let Some(owed) = self.owed.as_mut().filter(|owed| owed.again_at.is_none()) else { return };
        if owed.newer {
            owed.again_at = Some(now);
        } else if !taken {
            owed.again_at = Some(now.after(backoff(owed.failed)));
            owed.failed = owed.failed.saturating_add(1);
        } else if owed.report.kind == HostReportKind::HostLost {
            owed.report.again = true;
            (owed.failed, owed.again_at) = (0, Some(now.after(REMIND)));
        } else {
            self.owed = None;
        }
    }

    /// What was under way in the run before is told again.
    pub(super) fn retry_telling(&mut self, now: Time) {
        if let Some(owed) = &mut self.owed {
            owed.again_at.get_or_insert(now);
        }
    }

    /// Whether people are owed something, or will be told again.
    pub const fn owes(&self) -> bool {
        self.owed.is_some()
    }

    /// Owes people nothing any more: for a run that was worked on by a dixmgr that knew of no debts.
    pub fn forgive(&mut self) {
        self.owed = None;
    }

    /// The host is gone for good. Nobody waits for it any more, and its loss, if people may know of one, is over.
    pub(super) fn forget(&mut self, now: Time) {
        if self.forgotten || matches!(self.phase, Phase::Held { .. }) {
            return;
        }
        if self.owes() || matches!(self.phase, Phase::Lost { .. }) {
            let text = format!("host {} is forgotten: nobody waits for it any more", self.host);
            self.owe(HostReportKind::HostForgotten, text, now);
        }
        (self.forgotten, self.marking) = (true, None);
        self.enter(Phase::Stopped, now);
    }

    /// True when the host is forgotten and that has been told. Nothing is left to be done then, unless it comes back.
    pub const fn is_over(&self) -> bool {
        self.forgotten && !self.owes()
    }
}
