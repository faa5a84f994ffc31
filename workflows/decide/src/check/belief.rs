//! What is believed of an endpoint in a run of its service, and what others are told of it.
//!
//! That we cannot look says nothing of the endpoint: then it is neither ill nor newly unready. Nobody may rely on what was
//! never seen, so until the first look that says something it is unready.

use super::machine::{CheckMachine, Thresholds};
use dixmgr_contract::{CheckResult, CheckState, Time, Verdict};

/// Many looks at one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belief {
    machine: CheckMachine,
    last: CheckResult,
    /// It was not unhealthy when it was last known how it is, in this run.
    ready: bool,
    /// Something was known of this run.
    known: bool,
    /// Looks in a row that could not be made, while nothing was known and the grace of the start was over.
    in_vain: u32,
    /// As many of these as its owner allows.
    blind: bool,
}

impl Belief {
    /// Of an endpoint that nobody has looked at.
    pub fn new(now: Time) -> Self {
        Self {
            machine: CheckMachine::new(now),
            last: CheckResult::default(),
            ready: false,
            known: false,
            in_vain: 0,
            blind: false,
        }
    }

    /// Another run begins, or none: what was seen before means nothing.
    pub fn started(&mut self, now: Time) {
        self.machine.started(now);
        self.last = CheckResult::default();
        (self.ready, self.known, self.in_vain, self.blind) = (false, false, 0, false);
    }

    /// Takes in a look.
    pub fn hear(&mut self, result: CheckResult, thresholds: &Thresholds, now: Time) {
        self.machine.step(result.state, thresholds, now);
        self.known |= self.machine.state() != CheckState::Unknown;
        let is_in_vain = result.state == CheckState::Unknown && !self.known;
        let counts = is_in_vain && !self.machine.is_in_grace(thresholds, now);
        self.in_vain = if counts { self.in_vain.saturating_add(1) } else { 0 };
        self.blind = self.in_vain >= thresholds.failures.max(1);
        self.last = result;
        if let Some(is_healthy) = self.is_healthy() {
            self.ready = is_healthy;
        }
    }

    /// What the last look has seen.
    pub const fn last(&self) -> &CheckResult {
        &self.last
    }

    /// Nothing is known of it: others may wait for it.
    pub fn is_awaited(&self) -> bool {
        self.machine.state() == CheckState::Unknown
    }

    /// Absent while it is not known.
    pub fn is_healthy(&self) -> Option<bool> {
        match self.machine.state() {
            CheckState::Unknown => None,
            state => Some(state != CheckState::Unhealthy),
        }
    }

    /// What its service's workflow is told, as the opinion of `probe`.
    pub fn verdict(&self, probe: &str) -> Verdict {
        let state = self.machine.state();
        // That nobody has ever been able to look is for somebody to mend; but nothing is done about the service.
        let is_well = state == CheckState::Healthy || (state == CheckState::Unknown && !self.blind);
        let detail = if state == CheckState::Healthy { String::new() } else { self.last.reason.clone() };
        Verdict {
            unready: !self.ready,
            failed: state == CheckState::Unhealthy,
            unknown: state == CheckState::Unknown,
            ..Verdict::of_probe(probe, is_well, detail)
        }
    }
}

/// Other words alone are no news.
pub fn mean_the_same(these: &[Verdict], those: &[Verdict]) -> bool {
    let meaning = |verdict: &Verdict| (verdict.healthy, verdict.unready, verdict.failed, verdict.unknown);
    these.len() == those.len() && these.iter().zip(those).all(|(this, that)| meaning(this) == meaning(that))
}

#[cfg(test)]
mod tests {
    use super::*;
    use CheckState::{Degraded, Healthy, Unhealthy, Unknown};
    use dixmgr_contract::Span;

    /// What is believed after these looks.
    fn after(states: &[CheckState]) -> Belief {
        let thresholds = Thresholds { failures: 2, successes: 1, start_grace: Span::ZERO };
        let mut belief = Belief::new(Time::default());
        for state in states {
            let result = CheckResult { state: *state, reason: "why".into(), ..CheckResult::default() };
            belief.hear(result, &thresholds, Time::default());
        }
        belief
    }

    #[test]
    fn what_we_cannot_see_is_neither_ill_nor_newly_unready() {
        let of = |states: &[CheckState]| {
            let verdict = after(states).verdict("http");
            (verdict.healthy, verdict.unready, verdict.failed, verdict.unknown)
        };
        assert_eq!(of(&[]), (true, true, false, true), "nobody relies on what was never seen");
        assert_eq!(of(&[Healthy]), (true, false, false, false));
        assert_eq!(of(&[Healthy, Unhealthy]), (true, false, false, false), "once is not enough");
        assert_eq!(of(&[Healthy, Unhealthy, Unhealthy]), (false, true, true, false));
        assert_eq!(of(&[Healthy, Degraded, Degraded]), (false, false, false, false));
        assert_eq!(of(&[Unknown]), (true, true, false, true));
        assert_eq!(of(&[Unknown, Unknown]), (false, true, false, true), "nobody has ever been able to look");
        assert_eq!(of(&[Unknown, Unknown, Healthy]), (true, false, false, false));
        assert_eq!(of(&[Healthy, Unknown, Unknown]), (true, false, false, true), "our own fault");
        assert_eq!(of(&[Unhealthy, Unhealthy, Unknown, Unknown]), (true, true, false, true));
        assert_eq!(after(&[Unhealthy, Unhealthy]).verdict("http").detail, "why");
    }

    #[test]
    fn a_new_run_has_nothing_of_the_last_one() {
        let mut belief = after(&[Healthy]);
        assert_eq!((belief.is_healthy(), belief.is_awaited()), (Some(true), false));
        belief.started(Time::default());
        assert_eq!(belief, {
            let mut new = Belief::new(Time::default());
            new.started(Time::default());
            new
        });
        assert_eq!((belief.is_healthy(), belief.is_awaited()), (None, true));
    }

    #[test]
    fn other_words_alone_are_no_news() {
        let verdict = |healthy, detail: &str| Verdict::new("http", healthy, detail.to_owned());
        assert!(mean_the_same(&[verdict(false, "slow")], &[verdict(false, "slower")]));
        assert!(!mean_the_same(&[verdict(false, "slow")], &[verdict(true, "slow")]));
        assert!(!mean_the_same(&[verdict(true, "")], &[]));
        let failed = Verdict { failed: true, ..verdict(false, "slow") };
        assert!(!mean_the_same(&[failed], &[verdict(false, "slow")]));
        let unknown = Verdict { unknown: true, ..verdict(true, "") };
        assert!(!mean_the_same(&[unknown], &[verdict(true, "")]));
    }
}
