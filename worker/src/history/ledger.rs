//! The health of each service as the history has it: the agent shows it what it knows, and each change is recorded once.

use super::health::Health;
use super::{History, now};
use dixmgr_contract::{Policy, ServiceName, Span, Time, UnitState, Verdict};
use dixmgr_decide::service::{Reading, Seen};
use dixmgr_history::{Record, State, Transition};
use std::collections::BTreeMap;
use std::time::Instant;

/// What was recorded last of each service.
#[derive(Debug)]
pub(crate) struct Ledger {
    history: History,
    last: BTreeMap<ServiceName, (State, &'static str)>,
}

/// A service as the agent sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight<'a> {
    /// The service.
    pub(crate) service: &'a ServiceName,
    /// What its owner wants.
    pub(crate) policy: &'a Policy,
    /// What systemd said.
    pub(crate) unit: &'a UnitState,
    /// What its probes said of this run.
    pub(crate) verdicts: &'a [Verdict],
    /// Since when it is so.
    pub(crate) at: Instant,
}

impl Ledger {
    pub(crate) const fn new(history: History) -> Self {
        Self { history, last: BTreeMap::new() }
    }

    /// This is how a service is.
    pub(crate) fn see(&mut self, sight: Sight<'_>) {
        let (service, unit) = (sight.service.as_str(), sight.unit);
        let seen = Seen {
            unit: unit.clone(),
            epoch: String::new(),
            boot: String::new(),
            at: Time::default(),
            waiting_for: Vec::new(),
            runs: BTreeMap::new(),
            verdicts: sight.verdicts.to_vec(),
            causes: Vec::new(),
        };
        let run = unit.invocation.as_deref();
        let is_wanted = self.history.stopped.is(service, run);
        let before = self.last.get(sight.service).map(|(state, _)| *state);
        let health = Health::of(&seen, sight.policy, is_wanted, before);
        match (seen.reading(), run) {
            (Reading::Up | Reading::Impaired, _) => self.history.stopped.runs_in(service, run),
            (Reading::StoppedByJob, Some(run)) if health.state == State::Off => self.history.stopped.put(service, run),
            _ => {}
        }
        self.note(sight.service, health, now().earlier(Span::from(sight.at.elapsed())));
    }

    /// Nobody knows how any of them is.
    pub(crate) fn lose_sight(&mut self, reason: &str) {
        let services: Vec<_> = self.last.keys().cloned().collect();
        for service in services {
            self.note(&service, Health::unknown(reason), now());
        }
    }

    fn note(&mut self, service: &ServiceName, health: Health, at: Time) {
        let Health { state, phase, reason } = health;
        if self.last.insert(service.clone(), (state, phase)) == Some((state, phase)) {
            return;
        }
        let (service, phase) = (service.to_string(), phase.to_owned());
        self.history.record(Record::Transition(Transition { service, at, state, phase, reason }));
    }
}
