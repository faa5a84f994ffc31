//! The decision: from what is known and the time to the next phase.

use super::attempt::Mandate;
use super::phase::{By, Cause, Phase, StoppedBy, Why};
use super::reading::{Reading, Seen};
use super::{Action, Service};
use crate::budget::Spent;
use dixmgr_contract::activity::{Report, ReportKind};
use dixmgr_contract::status::LastFailure;
use dixmgr_contract::{ExitCode, OnOperatorStop, Span, Time, Verb};

/// A service that has been up this long after an incident is quiet.
const QUIET: Span = Span::from_secs(60);

impl Service {
    /// Looks at everything that is known and moves the phase.
    pub(super) fn settle(&mut self, now: Time, actions: &mut Vec<Action>) {
        let Some(seen) = self.seen.clone() else { return };
        if matches!(self.phase, Phase::Paused { .. }) {
            return;
        }
        if self.phase.attempt().is_some() && self.attempt_goes_on(&seen, now, actions) {
            return;
        }
        match seen.reading() {
            Reading::Up | Reading::Impaired => self.settle_up(&seen, now, actions),
            Reading::Coming => self.enter(Phase::Starting { by: By::Others }, now),
            Reading::AutoRestart => {
                self.note_failure(&seen);
                self.enter(Phase::Restarting { by: By::Others }, now);
            }
            Reading::Going if seen.unit.stopped_by_job && self.respects_stops() => {
                self.stopped(StoppedBy::Job, &seen, now);
            }
            Reading::Going => {
                self.note_failure(&seen);
                self.enter(Phase::Down { why: Why::Ending }, now);
            }
            Reading::Absent => self.enter(Phase::Unknown { absent: true }, now),
            Reading::Masked => self.stopped(StoppedBy::Mask, &seen, now),
            Reading::Broken => self.enter(Phase::Down { why: Why::Broken }, now),
            Reading::StoppedByJob if self.respects_stops() => {
                if !matches!(self.phase, Phase::Stopped { .. }) {
                    self.stopped(StoppedBy::Job, &seen, now);
                }
            }
            Reading::StoppedByJob | Reading::Dead | Reading::Idle => self.settle_dead(&seen, now, actions),
        }
    }

    /// When an eventful service counts as quiet again.
    pub(super) fn checkpoint_at(&self) -> Option<Time> {
        let quiet = QUIET.min(self.spec.policy.restart.reset_after);
        let up_since = self.up_since?.max(self.since);
        (self.eventful && matches!(self.phase, Phase::Healthy)).then(|| up_since.after(quiet))
    }

    fn settle_up(&mut self, seen: &Seen, now: Time, actions: &mut Vec<Action>) {
        let up = if seen.reading() == Reading::Up { Phase::Healthy } else { Phase::Degraded };
        self.enter(up, now);
        if let Some(failure) = &mut self.last_failure {
            failure.recovered_after.get_or_insert_with(|| now.since(failure.at));
        }
        let policy = &self.spec.policy.restart;
        if self.up_since.is_some_and(|up_since| now.since(up_since) >= policy.reset_after) {
            self.budget.clear();
        }
        if self.checkpoint_at().is_some_and(|at| at <= now) {
            self.eventful = false;
            if self.budget.take_told() {
                actions.push(self.report(ReportKind::Recovered, format!("{} is healthy again", self.spec.name)));
            }
            actions.push(Action::Checkpoint);
        }
    }

    /// It does not run. What that means depends on where it stood.
    fn settle_dead(&mut self, seen: &Seen, now: Time, actions: &mut Vec<Action>) {
        let run = seen.run();
        let same_run = |known: &Option<String>| run.is_none() || known == run;
        match &self.phase {
            Phase::Stopped { by: StoppedBy::Nobody, run, .. } if !self.spec.policy.start && same_run(run) => {}
            Phase::Stopped { by: StoppedBy::Job, boot, run, .. }
                if *boot == seen.boot && same_run(run) && self.respects_stops() => {}
            Phase::Stopped { by: StoppedBy::Command, boot, run, .. } if *boot == seen.boot && same_run(run) => {}
            Phase::BackingOff { not_before } if *not_before > now => {}
            Phase::Exhausted { until } if until.is_none_or(|until| until > now) => {}
            Phase::BackingOff { .. } | Phase::Exhausted { .. } => self.go(Cause::Failure, seen, now, actions),
            Phase::Waiting { cause } => {
                let cause = *cause;
                self.plan(cause, seen, now, actions);
            }
            Phase::Down { why: Why::Settling { until } } if *until > now => {}
            Phase::Down { why: Why::Prevented { run, .. } | Why::Observing { run } } if same_run(run) => {}
            Phase::Down { why: Why::Refused { revision, .. } } if *revision >= self.revision => {}
            Phase::Down { why: Why::Settling { .. } | Why::Held | Why::Refused { .. } } => {
                self.plan(Cause::Failure, seen, now, actions);
            }
            Phase::Down { why: Why::Ending } => self.failed(seen, now, actions),
            _ if self.is_bring_up(seen) => self.bring_up(seen, now, actions),
            _ => self.failed(seen, now, actions),
        }
    }

    /// Inactive, and nobody was looking when it went down: that is not a failure. Its owner may want it up.
    fn is_bring_up(&self, seen: &Seen) -> bool {
        seen.reading() == Reading::Idle && !(self.phase.is_upward() && self.up_epoch.as_ref() == Some(&seen.epoch))
    }

    fn bring_up(&mut self, seen: &Seen, now: Time, actions: &mut Vec<Action>) {
        if self.spec.policy.start {
            self.plan(Cause::BringUp, seen, now, actions);
        } else {
            self.stopped(StoppedBy::Nobody, seen, now);
        }
    }

    /// One failure, seen for the first time.
    pub(super) fn failed(&mut self, seen: &Seen, now: Time, actions: &mut Vec<Action>) {
        self.note_failure(seen);
        self.plan(Cause::Failure, seen, now, actions);
    }

    /// Keeps when and why it went down, and starts the count again if it had been up for long.
    pub(super) fn note_failure(&mut self, seen: &Seen) {
        if let Some(up_since) = self.up_since.take()
            && seen.at.since(up_since) >= self.spec.policy.restart.reset_after
        {
            self.budget.clear();
        }
        if self.last_failure.as_ref().is_none_or(|failure| failure.recovered_after.is_some()) {
            self.last_failure = Some(LastFailure { at: seen.at, reason: seen.unit.ending(), recovered_after: None });
        } else if let Some(failure) = &mut self.last_failure {
            failure.reason = seen.unit.ending();
        }
    }

    /// Everything that may stand between a service that is down and its start, in order.
    pub(super) fn plan(&mut self, cause: Cause, seen: &Seen, now: Time, actions: &mut Vec<Action>) {
        if cause == Cause::Failure {
            if let Some(code) = self.prevented_by(seen) {
                self.enter(Phase::Down { why: Why::Prevented { run: seen.run().clone(), code } }, now);
                let text =
                    format!("{} ended with exit code {code} and is not to be restarted after it", self.spec.name);
                actions.push(self.report(ReportKind::Prevented, text));
                return;
            }
            let until =
                self.last_failure.as_ref().map_or(now, |failure| failure.at.after(self.spec.policy.restart.settle));
            if until > now {
                return self.enter(Phase::Down { why: Why::Settling { until } }, now);
            }
        }
        if seen.unit.is_held() {
            return self.enter(Phase::Down { why: Why::Held }, now);
        }
        if !seen.waiting_for.is_empty() {
            return self.enter(Phase::Waiting { cause }, now);
        }
        if cause == Cause::BringUp {
            return self.go(cause, seen, now, actions);
        }
        // Asked before the wait, so that people hear at once that it is spent; and again after it, in `go`.
        if let Err(spent) = self.budget.ask(&self.spec.policy.restart, now) {
            return self.exhaust(spent, now, actions);
        }
        let wait = self.budget.wait(&self.spec.policy.restart, &mut self.rng);
        if wait.is_zero() {
            return self.go(cause, seen, now, actions);
        }
        self.enter(Phase::BackingOff { not_before: now.after(wait) }, now);
    }

    fn exhaust(&mut self, spent: Spent, now: Time, actions: &mut Vec<Action>) {
        self.enter(Phase::Exhausted { until: spent.until }, now);
        if spent.first {
            let (name, policy) = (&self.spec.name, &self.spec.policy.restart);
            let text = match spent.until {
                Some(until) => {
                    let (max, window) = (policy.max, policy.window);
                    format!("{name} is down and its restart budget of {max} in {window} is spent; next try: {until}")
                }
                None => format!("{name} is down and is never restarted (`restart.max` is 0)"),
            };
            actions.push(self.report(ReportKind::Exhausted, text));
        }
    }

    /// The time has come to start it, unless something came up meanwhile.
    fn go(&mut self, cause: Cause, seen: &Seen, now: Time, actions: &mut Vec<Action>) {
        if seen.unit.is_held() {
            return self.enter(Phase::Down { why: Why::Held }, now);
        }
        if !seen.waiting_for.is_empty() {
            return self.enter(Phase::Waiting { cause }, now);
        }
        if cause == Cause::Failure
            && let Err(spent) = self.budget.ask(&self.spec.policy.restart, now)
        {
            return self.exhaust(spent, now, actions);
        }
        let attempt = self.order(Verb::Start, Mandate::Policy(cause), seen, now, actions);
        let by = By::Us(attempt);
        self.enter(if cause == Cause::Failure { Phase::Restarting { by } } else { Phase::Starting { by } }, now);
    }

    fn respects_stops(&self) -> bool {
        self.spec.policy.restart.on_operator_stop == OnOperatorStop::Respect
    }

    fn prevented_by(&self, seen: &Seen) -> Option<i32> {
        let exit = seen.unit.exit.filter(|exit| exit.code == ExitCode::Exited)?;
        self.spec.policy.restart.prevent_exit_codes.contains(&exit.status).then_some(exit.status)
    }

    pub(super) fn stopped(&mut self, by: StoppedBy, seen: &Seen, now: Time) {
        self.up_since = None;
        self.enter(Phase::Stopped { by, boot: seen.boot.clone(), run: seen.run().clone(), attempt: None }, now);
    }

    pub(super) fn report(&self, kind: ReportKind, text: String) -> Action {
        Action::Report(Report { service: self.spec.name.clone(), kind, text })
    }
}
