//! What becomes of what is told of alerts: what Temporal has taken, what it has not, and what has passed before it could.

use super::{Alerts, Kept, One};
use crate::agent::facts::Known;
use crate::agent::memory::Memory;
use crate::agent::tracked::Tracked;
use dixmgr_contract::Observation;
use dixmgr_decide::rules::Carried;

/// What becomes of what is told.
impl Alerts {
    /// Whether what fires for a service is a consequence of what fires for another one.
    pub(in crate::agent) fn relate(
        &mut self,
        index: usize,
        is_consequence: bool,
        tracked: &mut Tracked,
        memory: &Memory,
    ) {
        let now = self.clock.now();
        let one = &mut self.services[index];
        one.episodes.relate(is_consequence, now);
        one.keep(tracked, memory);
    }

    /// Puts what fires and what has passed into an observation.
    pub(in crate::agent) fn carry(&self, index: usize, observation: &mut Observation) -> Carried {
        let episodes = &self.services[index].episodes;
        (observation.alerts, observation.passed) = (Some(self.firing(index)), episodes.passed(self.clock.now()));
        episodes.carried()
    }

    /// Temporal has taken an observation with these.
    pub(in crate::agent) fn accepted(
        &mut self,
        index: usize,
        carried: &Carried,
        tracked: &mut Tracked,
        memory: &Memory,
    ) {
        let one = &mut self.services[index];
        one.episodes.accepted(carried);
        one.keep(tracked, memory);
        self.is_cut_off = false;
    }

    /// Temporal can be reached.
    pub(in crate::agent) const fn reach(&mut self) {
        self.is_cut_off = false;
    }

    /// Temporal has not taken an observation.
    pub(in crate::agent) fn not_accepted(&mut self, index: usize, tracked: &mut [Tracked], memory: &Memory) {
        self.cut_off(tracked, memory);
        let one = &mut self.services[index];
        one.episodes.keep_back();
        one.keep(&mut tracked[index], memory);
    }

    /// Temporal cannot be reached: what fires, and was told to nobody, is kept back.
    pub(in crate::agent) fn cut_off(&mut self, tracked: &mut [Tracked], memory: &Memory) {
        if !std::mem::replace(&mut self.is_cut_off, true) {
            for (one, tracked) in self.services.iter_mut().zip(tracked) {
                one.episodes.keep_back();
                one.keep(tracked, memory);
            }
        }
    }
}

impl One {
    /// Writes down what has changed, for the next dixmgr.
    pub(super) fn keep(&mut self, tracked: &mut Tracked, memory: &Memory) {
        tracked.has_passed = self.episodes.has_passed();
        let (Known { runs, timed_out, .. }, episodes) = (&self.known, &self.episodes);
        let is_kept = (runs, timed_out, episodes) == (&self.kept.runs, &self.kept.timed_out, &self.kept.episodes);
        if !is_kept || self.rules.differs_from(&self.kept.rules) {
            let (runs, timed_out, episodes) = (runs.clone(), timed_out.clone(), episodes.clone());
            self.kept = Kept { rules: self.rules.clone(), runs, timed_out, episodes };
            memory.put_alerts(tracked.name(), &self.kept);
        }
    }
}
