//! One probe: what it asks, and when. What is believed, and whether it is asked at all, is decided in `decide::check`.

use super::chains::{ChainKey, Chains};
use super::subject::{Look, Seen, Subject};
use crate::breakers::position;
use dixmgr_contract::{Span, Time, Verdict};
use dixmgr_decide::check::{Asking, Line};
use dixmgr_decide::rng::Rng;
use dixmgr_telemetry::ProbeFigures;
use std::time::Duration;

pub(super) struct Slot {
    service: String,
    probe: String,
    subject: Subject,
    asking: Asking,
    /// Others on this host may wait for its service.
    is_of_here: bool,
}

impl Slot {
    pub(super) fn new(
        service: String,
        probe: String,
        (interval, failures): (Span, u32),
        subject: Subject,
        rng: &mut Rng,
        now: Time,
    ) -> Self {
        Self { service, probe, subject, asking: Asking::new(interval, failures, rng, now), is_of_here: true }
    }

    /// The same of a service of another host: nobody here waits for it.
    pub(super) fn of_another_host(self) -> Self {
        Self { is_of_here: false, ..self }
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    pub(super) fn probe(&self) -> &str {
        &self.probe
    }

    /// The chain whose node it asks.
    pub(super) fn chain(&self) -> Option<ChainKey> {
        self.subject.chain()
    }

    pub(super) const fn subject(&self) -> &Subject {
        &self.subject
    }

    pub(super) const fn subject_mut(&mut self) -> &mut Subject {
        &mut self.subject
    }

    /// The service runs anew, or not any more. It is asked from `first` on.
    pub(super) fn follow(&mut self, runs: bool, first: Time, now: Time) {
        self.asking.follow(runs, first, now);
        self.subject.start(now);
    }

    /// When it is due, while its service runs.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.asking.wake_at()
    }

    /// Where it waits for its turn.
    pub(super) const fn line(&self) -> Line {
        self.asking.line()
    }

    /// The look that is to be made now; nothing if it is not due after all, or its endpoint is left alone.
    pub(super) fn begin(&mut self, now: Time) -> Option<Look> {
        if self.asking.begin(now) { self.subject.look() } else { None }
    }

    /// Takes in the end of a look; true for the first one of a run.
    pub(super) fn end(&mut self, seen: Seen, chains: &mut Chains, now: Time) -> bool {
        if !self.asking.returned(now) {
            self.subject.put_back(seen);
            return false;
        }
        let means = seen.event();
        if self.asking.counts(seen.is_bad(), self.subject.is_awaited()) {
            self.subject.hear(seen, chains, now);
        } else {
            self.subject.put_back(seen);
        }
        self.asking.heard(means, self.is_of_here && self.subject.is_awaited(), now)
    }

    /// What its service's workflow is told.
    pub(super) fn verdicts(&self) -> Vec<Verdict> {
        self.subject.verdicts(&self.probe)
    }

    /// What is shown of it.
    pub(super) fn shown(&self, took: Duration) -> Option<ProbeFigures<'_>> {
        self.asking.is_active().then_some(ProbeFigures {
            service: &self.service,
            probe: &self.probe,
            healthy: self.subject.is_healthy(),
            duration: took,
            certificate_expires_in: self.subject.certificate_expires_in(),
            breaker: position(self.asking.breaker()),
        })
    }
}

#[cfg(test)]
#[path = "slot_tests.rs"]
pub(super) mod tests;
