//! systemd in memory, for the tests of those who use this crate.

use crate::{
    ActError, UnitControl, UnitReader,
    buffer::{Buffer, UnitFeed},
    error,
};
use dixmgr_contract::{ActiveState, FailureKind, Guard, LoadState, UnitName, UnitState, Verb};
use futures_util::future::BoxFuture;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// An action that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// On which unit.
    pub unit: UnitName,
    /// What.
    pub verb: Verb,
    /// What it was decided on.
    pub guard: Option<Guard>,
}

/// A systemd that does at once what it is asked, unless told to fail. Clones share one state.
#[derive(Clone, Debug)]
pub struct FakeSystemd {
    inner: Arc<Mutex<Inner>>,
    buffer: Arc<Buffer>,
}

#[derive(Debug, Default)]
struct Inner {
    units: Vec<UnitName>,
    states: BTreeMap<UnitName, UnitState>,
    failures: BTreeMap<UnitName, VecDeque<ActError>>,
    calls: Vec<Call>,
    runs: u128,
}

impl FakeSystemd {
    /// All `units` are loaded and inactive, and the feed has told nothing yet.
    pub fn new(units: &[UnitName]) -> (Self, UnitFeed) {
        let buffer = Arc::new(Buffer::new(units));
        let fake = Self { inner: Arc::default(), buffer: Arc::clone(&buffer) };
        fake.lock().units = units.to_vec();
        for unit in units {
            fake.set(unit, UnitState::new(LoadState::Loaded, ActiveState::Inactive));
        }
        buffer.synced();
        (fake, UnitFeed::new(buffer, Arc::default()))
    }

    /// The unit is now in this state, and the feed tells so.
    pub fn set(&self, unit: &UnitName, state: UnitState) {
        let mut inner = self.lock();
        if let Some(index) = inner.units.iter().position(|known| known == unit) {
            self.buffer.put(index, state.clone(), Instant::now());
        }
        inner.states.insert(unit.clone(), state);
    }

    /// The next action on the unit fails so, without effect. Several queue up.
    pub fn fail_next(&self, unit: &UnitName, error: ActError) {
        self.lock().failures.entry(unit.clone()).or_default().push_back(error);
    }

    /// The feed tells of a lost connection.
    pub fn disconnect(&self, reason: &str) {
        self.buffer.disconnected(reason.to_owned());
    }

    /// The feed tells that all is known again.
    pub fn sync(&self) {
        self.buffer.synced();
    }

    /// The feed tells of a shutdown, or its end.
    pub fn stopping(&self, stopping: bool) {
        self.buffer.stopping(stopping);
    }

    /// What was asked for so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    fn do_it(&self, unit: &UnitName, verb: Verb, guard: Option<&Guard>) -> Result<(), ActError> {
        let mut inner = self.lock();
        inner.calls.push(Call { unit: unit.clone(), verb, guard: guard.cloned() });
        if let Some(error) = inner.failures.get_mut(unit).and_then(VecDeque::pop_front) {
            return Err(error);
        }
        inner.runs += 1;
        let run = inner.runs;
        let Some(mut state) = inner.states.get(unit).cloned() else {
            return Err(ActError::new(FailureKind::NoSuchUnit, error::no_such_unit(unit)));
        };
        drop(inner);
        match verb {
            Verb::Start | Verb::Restart => {
                state.active = ActiveState::Active;
                state.sub = "running".to_owned();
                state.invocation = Some(format!("{run:032x}"));
            }
            Verb::Stop => {
                state.active = ActiveState::Inactive;
                state.sub = "dead".to_owned();
            }
        }
        state.result = "success".to_owned();
        state.exit = None;
        state.stopped_by_job = false;
        self.set(unit, state);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnitReader for FakeSystemd {
    fn look<'a>(&'a self, unit: &'a UnitName) -> BoxFuture<'a, Result<UnitState, ActError>> {
        let known = self.lock().states.get(unit).cloned();
        let state = known.unwrap_or_else(|| UnitState::new(LoadState::NotFound, ActiveState::Inactive));
        Box::pin(std::future::ready(Ok(state)))
    }

    fn control_group<'a>(&'a self, unit: &'a UnitName) -> BoxFuture<'a, Result<String, ActError>> {
        Box::pin(std::future::ready(Ok(format!("/system.slice/{unit}"))))
    }
}

impl UnitControl for FakeSystemd {
    fn act<'a>(
        &'a self,
        unit: &'a UnitName,
        verb: Verb,
        guard: Option<&'a Guard>,
        _timeout: Duration,
    ) -> BoxFuture<'a, Result<(), ActError>> {
        Box::pin(std::future::ready(self.do_it(unit, verb, guard)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeedEvent;
    use futures_util::FutureExt;

    #[test]
    fn it_does_what_it_is_told_and_remembers_what_it_was_asked() {
        let unit = UnitName::new("a.service").unwrap();
        let (systemd, mut feed) = FakeSystemd::new(std::slice::from_ref(&unit));
        let act = |verb| systemd.act(&unit, verb, None, Duration::ZERO).now_or_never().unwrap();
        assert!(matches!(feed.next().now_or_never(), Some(FeedEvent::Changed(changes)) if !changes[0].state.is_up()));
        assert_eq!(feed.next().now_or_never(), Some(FeedEvent::Synced));
        systemd.fail_next(&unit, ActError::new(FailureKind::JobFailed, "no"));
        assert_eq!(act(Verb::Start).unwrap_err().kind, FailureKind::JobFailed);
        assert_eq!(feed.next().now_or_never(), None);
        act(Verb::Start).unwrap();
        assert!(matches!(feed.next().now_or_never(), Some(FeedEvent::Changed(changes)) if changes[0].state.is_up()));
        assert_eq!(systemd.calls().iter().map(|call| call.verb).collect::<Vec<_>>(), [Verb::Start, Verb::Start]);
    }
}
