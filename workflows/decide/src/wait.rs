//! The machine of a wait for dependencies.
//!
//! It subscribes to each of them, hears how they stand, and ends when enough are ready or the time is up. A service that waits
//! knows all that already and tells it: when a thousand wait for one, that one need not answer each of them.

use crate::peers::Peers;
use dixmgr_contract::{Readiness, ServiceName, Time, WaitResult, WaitSpec};
use serde::{Deserialize, Serialize};

/// More dependencies than this are refused.
pub const MAX_DEPENDENCIES: usize = 1000;

/// Everything that is remembered of a wait. Carried from run to run of its workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    spec: WaitSpec,
    since: Time,
    peers: Peers,
}

/// What can happen to a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A dependency says how it stands.
    Heard(Readiness),
    /// A dependency could not be asked.
    CouldNotAsk(ServiceName),
    /// The service that waits says which are not ready: all of them.
    Missing(Vec<ServiceName>),
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask a dependency to say how it stands, now and with each change.
    Subscribe(ServiceName),
    /// The wait is over.
    End(WaitResult),
}

impl Wait {
    /// A wait that begins at `now`.
    ///
    /// # Errors
    /// What is wrong with the specification, in a sentence.
    pub fn new(spec: WaitSpec, now: Time) -> Result<Self, String> {
        if spec.dependencies.len() > MAX_DEPENDENCIES {
            return Err(format!("{} dependencies are more than {MAX_DEPENDENCIES}", spec.dependencies.len()));
        }
        if spec.dependencies.contains(&spec.service) {
            return Err(format!("{} cannot wait for itself", spec.service));
        }
        let mut peers = Peers::default();
        peers.listen_to(&spec.dependencies);
        Ok(Self { spec, since: now, peers })
    }

    /// Who waits for whom.
    pub const fn spec(&self) -> &WaitSpec {
        &self.spec
    }

    /// Takes in what happened and says what is to be done.
    pub fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        match event {
            Event::Heard(readiness) => self.peers.hear(readiness),
            Event::CouldNotAsk(name) => self.peers.could_not_ask(&name),
            Event::Missing(missing) => self.spec.missing = Some(missing),
            Event::Tick => {}
        }
        let missing = self.missing();
        let satisfied = !self.spec.mode.is_blocked(missing.len(), self.spec.dependencies.len());
        if satisfied || self.until() <= now {
            let waited_seconds = now.since(self.since).as_millis() / 1000;
            return vec![Action::End(WaitResult { satisfied, waited_seconds, missing })];
        }
        if self.spec.missing.is_some() {
            return Vec::new();
        }
        missing.into_iter().filter(|name| self.peers.ask(name, now)).map(Action::Subscribe).collect()
    }

    /// When to send [`Event::Tick`], if nothing else happens before.
    pub fn wake_at(&self) -> Time {
        let ask_at = self.peers.ask_at().filter(|_| self.spec.missing.is_none());
        ask_at.map_or_else(|| self.until(), |at| at.min(self.until()))
    }

    /// Those that are not ready, in the order of the specification.
    pub fn missing(&self) -> Vec<ServiceName> {
        let is_missing = |name: &&ServiceName| match &self.spec.missing {
            Some(missing) => missing.contains(name),
            None => self.peers.ready(name) != Some(true),
        };
        self.spec.dependencies.iter().filter(is_missing).cloned().collect()
    }

    fn until(&self) -> Time {
        self.since.after(self.spec.timeout)
    }
}
