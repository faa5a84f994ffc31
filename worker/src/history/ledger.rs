//! The health of each service as the history has it: the agent shows it what it knows, and each change is recorded once.

use super::{History, now};
use dixmgr_contract::{Policy, ServiceName, Span, Time, UnitState, Verdict};
use dixmgr_decide::service::{Counts, Reading, Standing};
use dixmgr_history::{Record, State, Transition};
use std::collections::BTreeMap;
use std::time::Instant;

/// What was recorded last of each service.
#[derive(Debug)]
pub(crate) struct Ledger {
    history: History,
    last: BTreeMap<ServiceName, (Counts, &'static str)>,
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
        let run = unit.invocation.as_deref();
        let is_wanted = self.history.stopped.is(service, run);
        let before = self.last.get(sight.service).map(|(counts, _)| *counts);
        let standing = Standing::of(unit, sight.verdicts, sight.policy, is_wanted, before);
        match (Reading::of(unit, sight.verdicts), run) {
            (Reading::Up | Reading::Impaired, _) => self.history.stopped.runs_in(service, run),
            (Reading::StoppedByJob, Some(run)) if standing.counts == Counts::Off => {
                self.history.stopped.put(service, run);
            }
            _ => {}
        }
        self.note(sight.service, standing, now().earlier(Span::from(sight.at.elapsed())));
    }

    /// Nobody knows how any of them is.
    pub(crate) fn lose_sight(&mut self, reason: &str) {
        let services: Vec<_> = self.last.keys().cloned().collect();
        for service in services {
            self.note(&service, Standing::unknown(reason), now());
        }
    }

    fn note(&mut self, service: &ServiceName, standing: Standing, at: Time) {
        let Standing { counts, phase, reason } = standing;
        if self.last.insert(service.clone(), (counts, phase)) == Some((counts, phase)) {
            return;
        }
        let (service, phase, state) = (service.to_string(), phase.to_owned(), state(counts));
        self.history.record(Record::Transition(Transition { service, at, state, phase, reason }));
    }
}

const fn state(counts: Counts) -> State {
    match counts {
        Counts::Up => State::Up,
        Counts::Down => State::Down,
        Counts::Off => State::Off,
        Counts::Unknown => State::Unknown,
    }
}
