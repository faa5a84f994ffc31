//! The decision: from what is known and the time to the next phase.

use super::phase::{By, Cause, Pending, Phase, StoppedBy, Why};
use super::reading::{Reading, Seen};
use super::{Action, Service};
use dixmgr_contract::activity::{Report, ReportKind};
use dixmgr_contract::status::LastFailure;
use dixmgr_contract::{OnOperatorStop, Span, Time};

/// A service that has been up this long after an incident is quiet.
const QUIET: Span = Span::from_secs(60);

impl Service {
    /// Looks at everything that is known and moves the phase.
    pub(super) fn settle(&mut self, now: Time, actions: &mut Vec<Action>) {
        let Some(seen) = self.seen.clone() else { return };
        if self.host_lost || matches!(self.phase, Phase::Paused { .. }) {
            return;
        }
        if self.phase.attempt().is_some() && self.attempt_goes_on(&seen, now, actions) {
            return;
        }
        match seen.reading() {
            _ if self.is_done_oneshot(&seen) => {}
            Reading::Up | Reading::Impaired => self.settle_up(&seen, now, actions),
            Reading::Coming => self.enter(Phase::Starting { by: By::Others }, now),
            Reading::AutoRestart => {
                self.note_failure(seen.at, seen.unit.ending());
                self.enter(Phase::Restarting { by: By::Others }, now);
            }
            Reading::Going if seen.unit.stopped_by_job && self.respects_stops() => {
                self.stopped(StoppedBy::Job, &seen, now);
            }
            Reading::Going
                if matches!(self.phase, Phase::Stopped { by: StoppedBy::Command | StoppedBy::Dependency, .. }) => {}
            Reading::Going => {
                self.note_failure(seen.at, seen.unit.ending());
                self.enter(Phase::Down { why: Why::Ending }, now);
            }
            Reading::Absent => self.enter(Phase::Unknown { absent: true }, now),
            Reading::Masked if matches!(self.phase, Phase::Stopped { .. }) => {}
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
        if let Some(why) = self.failed_probe(seen) {
            return self.heal(why, seen, now, actions);
        }
        let up = if seen.reading() == Reading::Up { Phase::Healthy } else { Phase::Degraded };
        self.enter(up, now);
        self.pending = None;
        self.refused = None;
        if let Some(failure) = &mut self.last_failure {
            failure.recovered_after.get_or_insert_with(|| now.since(failure.at));
        }
        let policy = &self.spec.policy.restart;
        if self.up_since.is_some_and(|up_since| now.since(up_since) >= policy.reset_after) {
            self.budget.clear();
        }
        self.heed_losses(seen, now, actions);
        // Last: what a loss has just set going is no quiet.
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
        let stays = match &self.phase {
            Phase::Stopped { by: StoppedBy::Nobody, run, .. } => !self.spec.policy.start && same_run(run),
            Phase::Stopped { by: StoppedBy::Job, boot, run, .. } => {
                *boot == seen.boot && same_run(run) && self.respects_stops()
            }
            Phase::Stopped { by: StoppedBy::Command, boot, run, .. } => *boot == seen.boot && same_run(run),
            Phase::Down { why: Why::Prevented { run, .. } | Why::Observing { run } } => same_run(run),
            _ => self.is_answered(now),
        };
        if stays {
            return;
        }
        if let (Some(_), Some(failure), Reading::Dead) = (&self.pending, &mut self.last_failure, seen.reading()) {
            failure.reason = seen.unit.ending();
        }
        if self.pending.is_none() {
            let for_loss = matches!(self.phase, Phase::Stopped { by: StoppedBy::Dependency, .. });
            let bring_up = for_loss || self.is_bring_up(seen);
            if bring_up && !for_loss && !self.spec.policy.start {
                return self.stopped(StoppedBy::Nobody, seen, now);
            }
            if !bring_up {
                self.note_failure(seen.at, seen.unit.ending());
            }
            self.pending = Some(Pending::new(if bring_up { Cause::BringUp } else { Cause::Failure }));
        }
        self.pursue(seen, now, actions);
    }

    /// Inactive, and nobody was looking when it went down: that is not a failure. Its owner may want it up.
    fn is_bring_up(&self, seen: &Seen) -> bool {
        let ended_before_our_eyes = self.up_epoch.as_ref() == Some(&seen.epoch);
        let was_up = self.phase.is_upward() || matches!(self.phase, Phase::Down { why: Why::Ending });
        seen.reading() == Reading::Idle && !(was_up && ended_before_our_eyes)
    }

    /// A oneshot that ended well in this boot is done, also after systemd has unloaded it and forgotten the run.
    fn is_done_oneshot(&self, seen: &Seen) -> bool {
        let forgotten = seen.unit.oneshot && seen.reading() == Reading::Idle && seen.run().is_none();
        forgotten && matches!(self.phase, Phase::Healthy) && self.up_boot.as_ref() == Some(&seen.boot)
    }

    /// Keeps when and why it went down, and starts the count again if it had been up for long.
    pub(super) fn note_failure(&mut self, at: Time, reason: String) {
        if let Some(up_since) = self.up_since.take()
            && at.since(up_since) >= self.spec.policy.restart.reset_after
        {
            self.budget.clear();
        }
        match &mut self.last_failure {
            Some(failure) if failure.recovered_after.is_none() => failure.reason = reason,
            last => *last = Some(LastFailure { at, reason, recovered_after: None }),
        }
    }

    pub(super) fn respects_stops(&self) -> bool {
        self.spec.policy.restart.on_operator_stop == OnOperatorStop::Respect
    }

    pub(super) fn stopped(&mut self, by: StoppedBy, seen: &Seen, now: Time) {
        self.up_since = None;
        self.pending = None;
        self.enter(Phase::Stopped { by, boot: seen.boot.clone(), run: seen.run().clone(), attempt: None }, now);
    }

    pub(super) fn report(&self, kind: ReportKind, text: String) -> Action {
        Action::Report(Report { service: self.spec.name.clone(), kind, text, dependencies: Vec::new() })
    }
}
