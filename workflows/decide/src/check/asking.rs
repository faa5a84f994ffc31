//! When a probe of a service is asked: while the service runs, at its time, and not while its endpoint is left alone.
//!
//! Those who wait for a service wait for its first good answer, so until then it is asked often ([`patience`]). Its port opens
//! only a while after its start: a failure counts for the breaker once it is awaited for no less than an interval, and from
//! its first good answer on. Likewise, of the bad answers that come so fast only one in an interval counts ([`Asking::counts`]): who
//! allows three failures of a probe each 30 seconds does not mean three within a second.

use super::schedule::{Schedule, patience};
use super::turns::Line;
use crate::breaker::{Breaker, BreakerPolicy, BreakerState, Event};
use crate::rng::Rng;
use dixmgr_contract::{CheckResult, CheckState, Span, Time};

/// A breaker stays open for at most this many intervals of its probe: one that is asked each second is not to be found
/// well a minute late.
const INTERVALS_OPEN: u64 = 6;
/// Whoever has not answered after this long has held up others.
const LONG: Span = Span::from_secs(1);

/// The looks of one probe.
#[derive(Clone, Debug)]
pub struct Asking {
    interval: Span,
    schedule: Schedule,
    breaker: Breaker,
    policy: BreakerPolicy,
    /// The service runs.
    active: bool,
    /// Since when it runs, or does not.
    since: Time,
    /// It runs in another run than the one that is being asked.
    outdated: bool,
    /// Something came back in this run.
    heard: bool,
    /// When the look that is under way began, or else the last one.
    began: Time,
    /// When the last bad look began that counted while it was awaited.
    counted: Option<Time>,
    line: Line,
}

impl Asking {
    /// A probe of a service that does not run, to be asked every `interval`. Whoever may fail for `failures` looks in a row is asked as
    /// often before it is left alone.
    pub fn new(interval: Span, failures: u32, rng: &mut Rng, now: Time) -> Self {
        let open_for = Span::from_millis(interval.as_millis().saturating_mul(INTERVALS_OPEN));
        let policy = BreakerPolicy::default();
        Self {
            interval,
            schedule: Schedule::new(interval, rng, now),
            breaker: Breaker::default(),
            policy: BreakerPolicy {
                open_for: open_for.min(policy.open_for),
                failures: policy.failures.max(failures),
                ..policy
            },
            active: false,
            since: now,
            outdated: false,
            heard: false,
            began: now,
            counted: None,
            line: Line::default(),
        }
    }

    /// The service runs anew, or not any more. It is asked from `first` on.
    pub fn follow(&mut self, runs: bool, first: Time, now: Time) {
        self.active = runs;
        self.since = now;
        self.outdated = self.schedule.wake_at().is_none();
        self.heard = false;
        self.counted = None;
        self.line = Line::default();
        self.breaker = Breaker::default();
        if runs {
            self.schedule.hurry(first);
        }
    }

    /// The service runs.
    pub const fn is_active(&self) -> bool {
        self.active
    }

    /// When it is due, while its service runs and no look is under way.
    pub fn wake_at(&self) -> Option<Time> {
        self.schedule.wake_at().filter(|_| self.active)
    }

    /// Whether a look begins now. Whoever gets `true` makes it, and says so with [`Asking::returned`].
    pub fn begin(&mut self, now: Time) -> bool {
        if !self.active || !self.schedule.begin(now) {
            return false;
        }
        let passes = self.breaker.step(Event::Ask, &self.policy, now);
        if passes {
            self.began = now;
        } else {
            self.schedule.end(now);
        }
        passes
    }

    /// A look is over; whether it is of this run, and so to be believed. If it is, [`Asking::heard`] follows.
    pub fn returned(&mut self, now: Time) -> bool {
        self.schedule.end(now);
        let is_outdated = std::mem::take(&mut self.outdated);
        if is_outdated {
            self.schedule.hurry(now);
        }
        !is_outdated
    }

    /// Whether a look of this run that is over counts. One that is bad, of a probe that is awaited, does not if another one has counted
    /// less than three quarters of an interval before: looks do not begin on the dot.
    pub fn counts(&mut self, is_bad: bool, is_awaited: bool) -> bool {
        if !is_bad || !is_awaited {
            return true;
        }
        let least = Span::from_millis(self.interval.as_millis() / 4 * 3);
        let counts = self.counted.is_none_or(|last| self.began.since(last) >= least);
        if counts {
            self.counted = Some(self.began);
        }
        counts
    }

    /// What a look of this run means for the breaker, and whether the probe is still awaited, now that it was heard. True
    /// for the first one of a run.
    pub fn heard(&mut self, means: Event, is_awaited: bool, now: Time) -> bool {
        let hung = means != Event::Succeeded && now.since(self.began) >= LONG;
        self.line = if hung { Line::Hung } else { Line::Prompt };
        let wait = patience(now.since(self.since));
        if is_awaited {
            self.schedule.hurry(now.after(wait));
        }
        if !is_awaited || wait >= self.interval {
            self.breaker.step(means, &self.policy, now);
        }
        !std::mem::replace(&mut self.heard, true)
    }

    /// Where it waits for its next turn.
    pub const fn line(&self) -> Line {
        self.line
    }

    /// Whether its endpoint is left alone.
    pub const fn breaker(&self) -> BreakerState {
        self.breaker.state()
    }
}

/// What a look at an endpoint means for its breaker: whoever answers is not dead, whatever the answer.
pub const fn sign_of_life(result: &CheckResult) -> Event {
    match result.state {
        CheckState::Unknown => Event::Abandoned,
        CheckState::Unhealthy if !result.answered => Event::Failed,
        _ => Event::Succeeded,
    }
}

/// What a try means that was given `patience`: whoever hardly waited has not learnt that nobody answers, and is not to keep
/// others from asking.
pub fn if_patient(means: Event, patience: Span) -> Event {
    if means == Event::Failed && patience < LONG { Event::Abandoned } else { means }
}

#[cfg(test)]
#[path = "asking_tests.rs"]
mod tests;
