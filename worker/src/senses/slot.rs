//! One probe: when it is asked, and whether its endpoint is left alone.

use super::chains::{ChainKey, Chains};
use super::subject::{Look, Seen, Subject};
use dixmgr_contract::{Span, Time, Verdict};
use dixmgr_decide::breaker::{Breaker, BreakerPolicy, BreakerState, Event};
use dixmgr_decide::check::{Schedule, patience};
use dixmgr_decide::rng::Rng;
use dixmgr_telemetry::ProbeFigures;
use std::time::Duration;

/// A breaker stays open for at most this many intervals of its probe: one that is asked each second is not to be found
/// well a minute late.
const INTERVALS_OPEN: u64 = 6;

pub(super) struct Slot {
    service: String,
    probe: String,
    subject: Subject,
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
}

impl Slot {
    pub(super) fn new(
        service: String,
        probe: String,
        interval: Span,
        subject: Subject,
        rng: &mut Rng,
        now: Time,
    ) -> Self {
        let open_for = Span::from_millis(interval.as_millis().saturating_mul(INTERVALS_OPEN));
        let policy = BreakerPolicy::default();
        Self {
            service,
            probe,
            subject,
            interval,
            schedule: Schedule::new(interval, rng, now),
            breaker: Breaker::default(),
            policy: BreakerPolicy { open_for: open_for.min(policy.open_for), ..policy },
            active: false,
            since: now,
            outdated: false,
            heard: false,
        }
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// The chain whose node it asks.
    pub(super) fn chain(&self) -> Option<ChainKey> {
        self.subject.chain()
    }

    pub(super) const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The service runs anew, or not any more. It is asked from `first` on.
    pub(super) fn follow(&mut self, runs: bool, first: Time, now: Time) {
        self.active = runs;
        self.since = now;
        self.outdated = self.schedule.wake_at().is_none();
        self.heard = false;
        self.breaker = Breaker::default();
        self.subject.start(now);
        if runs {
            // Those who wait for it wait for its first good answer.
            self.schedule.hurry(first);
        }
    }

    /// When it is due, while its service runs.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.schedule.wake_at().filter(|_| self.active)
    }

    /// The look that is to be made now; nothing if it is not due after all, or its endpoint is left alone.
    pub(super) fn begin(&mut self, now: Time) -> Option<Look> {
        if !self.active || !self.schedule.begin(now) {
            return None;
        }
        if self.breaker.step(Event::Ask, &self.policy, now) {
            return self.subject.look();
        }
        self.schedule.end(now);
        None
    }

    /// Takes in the end of a look; true for the first one of a run.
    pub(super) fn end(&mut self, seen: Seen, chains: &mut Chains, now: Time) -> bool {
        self.schedule.end(now);
        if std::mem::take(&mut self.outdated) {
            self.subject.put_back(seen);
            self.schedule.hurry(now);
            return false;
        }
        let event = seen.event();
        self.subject.hear(seen, chains, now);
        let (is_awaited, wait) = (self.subject.is_awaited(), patience(now.since(self.since)));
        if is_awaited {
            self.schedule.hurry(now.after(wait));
        }
        // Its port opens only a while after its start: at first that is no reason to leave it alone.
        if !is_awaited || wait >= self.interval {
            self.breaker.step(event, &self.policy, now);
        }
        !std::mem::replace(&mut self.heard, true)
    }

    /// What its service's workflow is told.
    pub(super) fn verdicts(&self) -> Vec<Verdict> {
        self.subject.verdicts(&self.probe)
    }

    /// What is shown of it.
    pub(super) fn shown(&self, took: Duration) -> Option<ProbeFigures<'_>> {
        self.active.then_some(ProbeFigures {
            service: &self.service,
            probe: &self.probe,
            healthy: self.subject.is_healthy(),
            duration: took,
            certificate_expires_in: self.subject.certificate_expires_in(),
            is_open: !matches!(self.breaker.state(), BreakerState::Closed { .. }),
        })
    }
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
