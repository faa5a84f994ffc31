//! Which state each service is in, as the writer knows it, so that a change of phase within a state is no new interval.
//!
//! Records are numbered where they are handed in. An older number than the last one of its service comes from the slot
//! for what did not fit the queue, and is ignored; the clock cannot serve for that, because it may be set back.

use crate::State;
use crate::record::Transition;
use dixmgr_contract::Time;
use std::collections::BTreeMap;

/// More services than one host has. What is beyond has transitions and no intervals.
const MOST: usize = 20_000;

/// A service goes over into another state: the interval that lasted ends, and the next begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) service: String,
    pub(crate) at: Time,
    pub(crate) state: State,
    pub(crate) cause: String,
}

struct Open {
    seq: i64,
    state: State,
    began: Time,
    cause: String,
}

/// All services of the host.
#[derive(Default)]
pub(crate) struct Tracker {
    open: BTreeMap<String, Open>,
}

impl Tracker {
    /// Takes a change in; what it means for the intervals, if anything.
    pub(crate) fn take(&mut self, seq: i64, it: &Transition) -> Option<Move> {
        let mut at = it.at;
        let is_full = self.open.len() >= MOST;
        match self.open.get_mut(&it.service) {
            Some(open) if open.seq > seq => return None,
            Some(open) if open.state == it.state => {
                open.seq = seq;
                return None;
            }
            Some(open) => at = at.max(open.began),
            None if is_full => return None,
            None => {}
        }
        let open = Open { seq, state: it.state, began: at, cause: it.reason.clone() };
        self.open.insert(it.service.clone(), open);
        Some(Move { service: it.service.clone(), at, state: it.state, cause: it.reason.clone() })
    }

    /// What is open now, each from its beginning on, or from `at` if that is given.
    pub(crate) fn again(&self, at: Option<Time>) -> Vec<Move> {
        let again = |(service, open): (&String, &Open)| Move {
            service: service.clone(),
            at: at.unwrap_or(open.began),
            state: open.state,
            cause: open.cause.clone(),
        };
        self.open.iter().map(again).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(at: i64, state: State) -> Transition {
        let (at, reason) = (Time::from_unix_millis(at), "signal 9".to_owned());
        Transition { service: "api".into(), at, state, phase: "down".into(), reason }
    }

    #[test]
    fn only_another_state_is_a_new_interval() {
        let mut tracker = Tracker::default();
        assert!(tracker.take(1, &change(10, State::Down)).is_some());
        assert_eq!(tracker.take(2, &change(20, State::Down)), None);
        assert_eq!(tracker.take(3, &change(30, State::Up)).unwrap().at, Time::from_unix_millis(30));
    }

    #[test]
    fn what_is_overtaken_is_ignored_and_a_clock_set_back_is_not() {
        let mut tracker = Tracker::default();
        tracker.take(5, &change(100, State::Up));
        assert_eq!(tracker.take(4, &change(90, State::Down)), None);
        let back = tracker.take(6, &change(50, State::Down)).unwrap();
        assert_eq!((back.at, back.state), (Time::from_unix_millis(100), State::Down));
        assert_eq!(tracker.again(None)[0].at, back.at);
    }
}
