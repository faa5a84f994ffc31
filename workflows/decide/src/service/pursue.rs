//! From "it is to be started" to the order: everything that may stand between the two, looked at in one place and in one
//! order, each time anew.
//!
//! What is served stays served: a wait that has passed is not waited for again because a dependency was missing at its
//! end, and an order that never touched the unit costs neither a restart of the budget nor a longer wait.

use super::attempt::Mandate;
use super::phase::{By, Cause, Pending, Phase, Why};
use super::reading::Seen;
use super::{Action, Event, Service, Skill};
use crate::budget::Spent;
use dixmgr_contract::activity::ReportKind;
use dixmgr_contract::policy::RestartOn;
use dixmgr_contract::{ExitCode, Policy, Span, Time, Verb, Verdict};

/// How long one that runs may take to come round by itself once what it has waited for is ready: most find it again with their
/// next try, and are seen to by the next look of their probe, which has been left alone for up to a minute if nobody answered.
const COMES_ROUND: Span = Span::from_secs(90);

impl Service {
    /// Goes one step nearer to the start that is pending, or says what stands in its way.
    pub(super) fn pursue(&mut self, seen: &Seen, now: Time, actions: &mut Vec<Action>) {
        let Some(Pending { cause, .. }) = self.pending else { return };
        if cause == Cause::Failure {
            if let Some(code) = self.prevented_by(seen) {
                return self.prevent(code, seen, now, actions);
            }
            let settle = self.spec.policy.restart.settle;
            let until = self.last_failure.as_ref().map_or(now, |failure| failure.at.after(settle));
            if until > now {
                return self.enter(Phase::Down { why: Why::Settling { until } }, now);
            }
        }
        if seen.unit.is_held() {
            return self.enter(Phase::Down { why: Why::Held }, now);
        }
        if self.must_wait(seen, now, actions) {
            return self.enter(Phase::Waiting { cause }, now);
        }
        if cause == Cause::Failure {
            if let Err(spent) = self.budget.ask(&self.spec.policy.restart, now) {
                return self.exhaust(spent, seen, now, actions);
            }
            let not_before = self.not_before(now);
            if not_before > now {
                return self.enter(Phase::BackingOff { not_before }, now);
            }
        }
        let attempt = self.order(Verb::Start, Mandate::Policy(cause), seen, now, actions);
        let by = By::Us(attempt);
        self.enter(if cause == Cause::Failure { Phase::Restarting { by } } else { Phase::Starting { by } }, now);
    }

    /// What a probe says that has failed, if its owner wants the service restarted for it.
    pub(super) fn failed_probe(&self, seen: &Seen) -> Option<String> {
        let failed = failed(&self.spec.policy, &seen.verdicts)?;
        Some(format!("probe {} has failed: {}", failed.rule, failed.detail))
    }

    /// Whether a probe has failed, or does with what has come, of a service that is restarted for it.
    pub(super) fn may_be_healed<'a>(&self, mut news: impl Iterator<Item = &'a Event>) -> bool {
        let brings_failure = |event: &Event| match event {
            Event::Observed(news) => failed(&news.spec.policy, &news.verdicts).is_some(),
            _ => false,
        };
        self.seen.as_ref().is_some_and(|seen| self.failed_probe(seen).is_some()) || news.any(brings_failure)
    }

    /// When to look again at what runs and does not work. While a job of somebody else's is on it, the job's end is news.
    pub(super) fn heals_at(&self) -> Option<Time> {
        let waits =
            matches!(self.phase, Phase::Degraded) && !self.seen.as_ref().is_some_and(|seen| seen.unit.is_held());
        if waits { self.settles_at() } else { None }
    }

    /// The end of the owner's patience with a failure that is pending.
    fn settles_at(&self) -> Option<Time> {
        let failure = self.pending.as_ref().and(self.last_failure.as_ref())?;
        Some(failure.at.after(self.spec.policy.restart.settle))
    }

    /// It runs and does not work. What stands between that and its restart is what stands between a failure and a start.
    pub(super) fn heal(&mut self, why: String, seen: &Seen, now: Time, actions: &mut Vec<Action>) {
        if self.pending.is_none() {
            self.note_failure(now, why);
            self.pending = Some(Pending::new(Cause::Failure));
        }
        if seen.unit.is_held() || self.settles_at().is_some_and(|until| until > now) {
            return self.enter(Phase::Degraded, now);
        }
        if self.has(Skill::WaitsToBeHealed) && (self.is_answered(now) || self.waits_to_be_healed(seen, now, actions)) {
            return;
        }
        if let Err(spent) = self.budget.ask(&self.spec.policy.restart, now) {
            return self.exhaust(spent, seen, now, actions);
        }
        let not_before = self.not_before(now);
        if not_before > now {
            return self.enter(Phase::BackingOff { not_before }, now);
        }
        let attempt = self.order(Verb::Restart, Mandate::Policy(Cause::Failure), seen, now, actions);
        self.enter(Phase::Restarting { by: By::Us(attempt) }, now);
    }

    /// The host has just said why it does not do it, and nothing has been seen since.
    pub(super) fn is_answered(&self, now: Time) -> bool {
        match &self.phase {
            Phase::Down { why: Why::Answered { revision, until, .. } } => *revision >= self.revision && *until > now,
            _ => false,
        }
    }

    /// True if its restart is not to come now: no restart mends what a dependency has broken, and it would cost the budget.
    fn waits_to_be_healed(&mut self, seen: &Seen, now: Time, actions: &mut Vec<Action>) -> bool {
        if self.heed_losses(seen, now, actions) {
            return true;
        }
        if self.must_wait(seen, now, actions) {
            self.enter(Phase::Waiting { cause: Cause::Failure }, now);
            return true;
        }
        if self.has_outwaited()
            && let Some(pending) = &mut self.pending
        {
            let not_before = now.after(COMES_ROUND);
            pending.not_before = Some(pending.not_before.map_or(not_before, |drawn| drawn.max(not_before)));
        }
        false
    }

    /// The end of the wait before this start: drawn once.
    fn not_before(&mut self, now: Time) -> Time {
        let (budget, rng, policy) = (&mut self.budget, &mut self.rng, &self.spec.policy.restart);
        match &mut self.pending {
            Some(pending) => *pending.not_before.get_or_insert_with(|| now.after(budget.wait(policy, rng))),
            None => now,
        }
    }

    fn exhaust(&mut self, spent: Spent, seen: &Seen, now: Time, actions: &mut Vec<Action>) {
        self.enter(Phase::Exhausted { until: spent.until }, now);
        if let (Some(pending), Some(until)) = (&mut self.pending, spent.until) {
            // The window is wait enough.
            pending.not_before.get_or_insert(until);
        }
        if spent.first {
            let (name, policy) = (&self.spec.name, &self.spec.policy.restart);
            let state = if seen.unit.is_up() { "does not work" } else { "is down" };
            let text = match spent.until {
                Some(until) => {
                    let (max, window) = (policy.max, policy.window);
                    format!("{name} {state} and its restart budget of {max} in {window} is spent; next try: {until}")
                }
                None => format!("{name} {state} and is never restarted (`restart.max` is 0)"),
            };
            actions.push(self.report(ReportKind::Exhausted, text));
        }
    }

    fn prevent(&mut self, code: i32, seen: &Seen, now: Time, actions: &mut Vec<Action>) {
        self.pending = None;
        self.enter(Phase::Down { why: Why::Prevented { run: seen.run().clone(), code } }, now);
        let text = format!("{} ended with exit code {code} and is not to be restarted after it", self.spec.name);
        actions.push(self.report(ReportKind::Prevented, text));
    }

    fn prevented_by(&self, seen: &Seen) -> Option<i32> {
        let exit = seen.unit.exit.filter(|exit| exit.code == ExitCode::Exited)?;
        self.spec.policy.restart.prevent_exit_codes.contains(&exit.status).then_some(exit.status)
    }
}

/// The first probe that has failed, if that is a failure of the service.
fn failed<'a>(policy: &Policy, verdicts: &'a [Verdict]) -> Option<&'a Verdict> {
    let heeds = policy.restart.restart_on.contains(&RestartOn::Probe);
    verdicts.iter().find(|verdict| heeds && verdict.failed)
}
