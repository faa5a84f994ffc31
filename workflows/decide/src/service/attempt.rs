//! What was asked of the host, and what came of it.
//!
//! Two messengers tell: the activity's answer and the agent's observations. Either may be first, late or lost, so each
//! alone is enough to go on, and the deadline of the attempt is the last resort.

use super::phase::{Attempt, By, Cause, Pending, Phase, StoppedBy, Why};
use super::reading::{Reading, Seen};
use super::{Action, Answer, Order, Outcome, Service};
use dixmgr_contract::activity::ReportKind;
use dixmgr_contract::{FailureKind, Guard, Span, Time, Verb};
use std::collections::BTreeMap;

/// Characters of a host's message that are kept.
const MESSAGE: usize = 300;
/// How long the news of a run that failed to start may take.
const SOON: Span = Span::from_secs(5);
/// How long to wait for the news that explains a refusal, or for a silent host, before asking again.
const PATIENCE: Span = Span::from_secs(300);
/// How long after the host's "done" an observation of it may take.
const MARGIN: Span = Span::from_secs(60);

/// On whose behalf something is asked of the host.
pub(super) enum Mandate {
    /// The service's owner wants it up, or it failed.
    Policy(Cause),
    /// A person, by the command with this id.
    Command(String),
    /// A dependency was lost; how, in words.
    Loss(String),
}

impl Service {
    /// Asks the host to act.
    pub(super) fn order(
        &mut self,
        verb: Verb,
        mandate: Mandate,
        seen: &Seen,
        now: Time,
        actions: &mut Vec<Action>,
    ) -> Attempt {
        self.generation += 1;
        let timeout = self.spec.policy.operation_timeout;
        let (restarts_failure, command, reason) = match mandate {
            Mandate::Command(id) => (false, Some(id.clone()), format!("command {id}")),
            Mandate::Loss(reason) => (false, None, reason),
            Mandate::Policy(Cause::BringUp) => (false, None, "not running".to_owned()),
            Mandate::Policy(Cause::Failure) => {
                self.budget.spend(&self.spec.policy.restart, now);
                self.counted = Some(self.generation);
                (true, None, self.last_failure.as_ref().map(|failure| failure.reason.clone()).unwrap_or_default())
            }
        };
        let guard = Guard {
            service: self.spec.name.clone(),
            generation: self.generation,
            invocation: seen.run().clone(),
            restarts_failure,
            timeout_ms: timeout.as_millis(),
            reason,
            // Whoever is stopped waits no more, but has waited in vain.
            waited: if verb == Verb::Stop { BTreeMap::new() } else { self.end_wait(now) },
        };
        actions.push(Action::Act(Order { verb, guard }));
        Attempt {
            generation: self.generation,
            verb,
            run: seen.run().clone(),
            epoch: seen.epoch.clone(),
            since: now,
            deadline: None,
            at_rest: false,
            command,
        }
    }

    /// Looks at what came of the open attempt. True if it goes on; false if it is over and the phase is to be settled.
    pub(super) fn attempt_goes_on(&mut self, seen: &Seen, now: Time, actions: &mut Vec<Action>) -> bool {
        let Some(attempt) = self.phase.attempt().cloned() else { return false };
        let new_run = seen.run().is_some() && *seen.run() != attempt.run;
        let overdue = attempt.deadline.is_some_and(|deadline| deadline <= now);
        let lost = overdue || attempt.epoch != seen.epoch;
        match (attempt.verb, seen.reading()) {
            (Verb::Stop, Reading::Dead | Reading::Idle | Reading::StoppedByJob)
                if attempt.at_rest && !new_run && !lost =>
            {
                true
            }
            (Verb::Stop, Reading::Dead | Reading::Idle | Reading::StoppedByJob | Reading::Absent | Reading::Masked) => {
                let by = match self.phase {
                    Phase::Stopped { by, .. } => by,
                    _ => StoppedBy::Command,
                };
                self.stopped(by, seen, now);
                self.answer(&attempt, Ok(format!("{} is stopped", self.spec.name)), actions);
                by == StoppedBy::Command
            }
            (Verb::Stop, Reading::Up | Reading::Impaired) if new_run || lost => {
                self.answer(&attempt, Err(format!("{} is still running", self.spec.name)), actions);
                false
            }
            (Verb::Start, Reading::Up | Reading::Impaired) => self.succeed(&attempt, actions),
            (Verb::Restart, Reading::Up | Reading::Impaired) if new_run => self.succeed(&attempt, actions),
            (Verb::Start | Verb::Restart, Reading::Dead | Reading::Idle | Reading::StoppedByJob) if new_run => {
                let text = format!("{} came up and ended again: {}", self.spec.name, seen.unit.ending());
                self.answer(&attempt, Err(text), actions);
                self.phase = Phase::Restarting { by: By::Others };
                self.pending = None;
                self.up_epoch = Some(seen.epoch.clone());
                false
            }
            (Verb::Start | Verb::Restart, Reading::Absent | Reading::Masked | Reading::Broken) => {
                self.answer(&attempt, Err(format!("{} is {}", self.spec.unit, seen.unit.load)), actions);
                false
            }
            (_, Reading::Coming | Reading::Going | Reading::AutoRestart) if !overdue => true,
            _ if lost => {
                let text = "dixmgr on its host was restarted before it was done".to_owned();
                self.answer(&attempt, Err(text), actions);
                actions.push(Action::Withdraw { generation: attempt.generation });
                if !new_run {
                    self.refund(attempt.generation);
                }
                self.phase = Phase::Down { why: Why::Held };
                false
            }
            _ => true,
        }
    }

    fn succeed(&self, attempt: &Attempt, actions: &mut Vec<Action>) -> bool {
        self.answer(attempt, Ok(format!("{} is running", self.spec.name)), actions);
        false
    }

    /// The host's answer to an order. One that does not belong to the open attempt is from the past and means nothing.
    pub(super) fn finish(&mut self, generation: u64, outcome: Outcome, now: Time, actions: &mut Vec<Action>) {
        // Also for an order that was overtaken by an observation: what did not touch the unit does not count.
        match &outcome {
            Outcome::Failed { kind, .. } if kind.is_free() => self.refund(generation),
            _ => {}
        }
        let Some(attempt) = self.phase.attempt().filter(|attempt| attempt.generation == generation).cloned() else {
            return;
        };
        let Some(seen) = self.seen.clone() else { return };
        let Outcome::Failed { kind, message } = outcome else {
            if attempt.at_rest {
                // Nothing about the unit has changed, so no observation follows.
                if let Phase::Stopped { attempt, .. } = &mut self.phase {
                    *attempt = None;
                }
                return self.answer(&attempt, Ok(format!("{} is stopped", self.spec.name)), actions);
            }
            // Done, says systemd; the observation that follows says what came of it, and nothing more is promised.
            return self.expect_soon(now);
        };
        self.answer(&attempt, Err(message.clone()), actions);
        if matches!(kind, FailureKind::Denied | FailureKind::NotAllowed) && self.refused.replace(kind) != Some(kind) {
            actions.push(self.report(ReportKind::Refused, message.clone()));
        }
        if attempt.verb == Verb::Stop {
            // If it still runs, that is seen and it is healthy; if it ends later than asked, it is stopped all the same.
            if let Phase::Stopped { attempt, .. } = &mut self.phase {
                *attempt = None;
            }
            return;
        }
        if kind == FailureKind::ObserveOnly {
            self.pending = None;
            return self.enter(Phase::Down { why: Why::Observing { run: seen.run().clone() } }, now);
        }
        let patience = if kind.is_free() { PATIENCE } else { SOON };
        if !kind.is_free() {
            // It was tried, and that is one more failure: of a run that is about to be told.
            self.note_failure(now, message.clone());
            self.pending = Some(Pending::new(Cause::Failure));
        }
        let message = message.chars().take(MESSAGE).collect();
        let why = Why::Answered { kind, message, revision: self.revision, until: now.after(patience) };
        self.enter(Phase::Down { why }, now);
    }

    /// An order that did not touch the unit gives its restart back, once.
    fn refund(&mut self, generation: u64) {
        if self.counted.take_if(|counted| *counted == generation).is_some() {
            self.budget.refund();
        }
    }

    /// systemd has done it, so the observation is on its way.
    fn expect_soon(&mut self, now: Time) {
        if let Phase::Starting { by: By::Us(attempt) }
        | Phase::Restarting { by: By::Us(attempt) }
        | Phase::Stopped { attempt: Some(attempt), .. } = &mut self.phase
        {
            attempt.deadline = Some(now.after(MARGIN));
        }
    }

    pub(super) fn answer(&self, attempt: &Attempt, result: Result<String, String>, actions: &mut Vec<Action>) {
        if let Some(id) = attempt.command.clone() {
            actions.push(Action::Answer(Answer { id, result }));
        }
    }
}
