//! Many verdicts to one state: thresholds, hysteresis, and the grace after a start.
//!
//! A state must be seen several times in a row before it is believed: `failures` times for a worse one, `successes` times
//! for a better one. A slow answer and a wrong one are both worse than a good one, and a wrong one is no sign of being
//! merely slow, so what counts towards a state is every result that is at least as bad, or at least as good. A result that
//! says nothing of the endpoint ([`CheckState::Unknown`]: our own fault) neither counts nor breaks a row; `failures` of them
//! in a row, and the state is not known any more, which is not the same as unhealthy.

use dixmgr_contract::{CheckState, Span, Time};
use serde::{Deserialize, Serialize};

/// How many results make a state, and how long a start may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// In a row before it is worse; 1 or more.
    pub failures: u32,
    /// In a row before it is better again; 1 or more.
    pub successes: u32,
    /// After a start, results that are not healthy do not count for this long.
    pub start_grace: Span,
}

/// What is remembered of a check. Plain data, to be kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckMachine {
    state: CheckState,
    since: Time,
    /// Results in a row that are worse than healthy.
    #[serde(default)]
    not_healthy: u32,
    /// Of which at the end so many are unhealthy in a row.
    #[serde(default)]
    unhealthy: u32,
    /// Results in a row that are healthy.
    #[serde(default)]
    healthy: u32,
    /// Results in a row that are healthy or degraded.
    #[serde(default)]
    not_unhealthy: u32,
    /// Results in a row that say nothing.
    #[serde(default)]
    unknown: u32,
    /// When the service was started last, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<Time>,
}

/// Another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// It was.
    pub from: CheckState,
    /// It is.
    pub to: CheckState,
}

impl CheckMachine {
    /// A check that has not looked yet.
    pub const fn new(now: Time) -> Self {
        Self {
            state: CheckState::Unknown,
            since: now,
            not_healthy: 0,
            unhealthy: 0,
            healthy: 0,
            not_unhealthy: 0,
            unknown: 0,
            started: None,
        }
    }

    /// What is believed.
    pub const fn state(&self) -> CheckState {
        self.state
    }

    /// Since when.
    pub const fn since(&self) -> Time {
        self.since
    }

    /// The service was started: what was seen before is of another run, and the grace begins.
    pub fn started(&mut self, now: Time) -> Option<Change> {
        self.forget();
        self.started = Some(now);
        self.enter(CheckState::Unknown, now)
    }

    /// The service was started only just, and is given its time.
    pub fn is_in_grace(&self, thresholds: &Thresholds, now: Time) -> bool {
        self.started.is_some_and(|at| now < at.after(thresholds.start_grace))
    }

    /// Takes in a result; says if what is believed has changed.
    pub fn step(&mut self, result: CheckState, thresholds: &Thresholds, now: Time) -> Option<Change> {
        let (failures, successes) = (thresholds.failures.max(1), thresholds.successes.max(1));
        let in_grace = self.is_in_grace(thresholds, now);
        match result {
            CheckState::Unknown => {
                self.unknown = self.unknown.saturating_add(1);
                if self.unknown < failures {
                    return None;
                }
                self.forget();
                return self.enter(CheckState::Unknown, now);
            }
            CheckState::Degraded | CheckState::Unhealthy if in_grace => return None,
            result => self.count(result),
        }
        let to = self.believed(failures, successes);
        self.enter(to, now)
    }

    fn count(&mut self, result: CheckState) {
        let next = |count: u32, goes_on: bool| if goes_on { count.saturating_add(1) } else { 0 };
        self.unknown = 0;
        self.healthy = next(self.healthy, result == CheckState::Healthy);
        self.not_healthy = next(self.not_healthy, result != CheckState::Healthy);
        self.unhealthy = next(self.unhealthy, result == CheckState::Unhealthy);
        self.not_unhealthy = next(self.not_unhealthy, result != CheckState::Unhealthy);
    }

    fn believed(&self, failures: u32, successes: u32) -> CheckState {
        // Of what nothing is known, one good look is enough.
        let successes = if self.state == CheckState::Unknown { 1 } else { successes };
        if self.unhealthy >= failures {
            return CheckState::Unhealthy;
        }
        if self.healthy >= successes {
            return CheckState::Healthy;
        }
        match self.state {
            CheckState::Unhealthy if self.not_unhealthy >= successes => CheckState::Degraded,
            CheckState::Healthy | CheckState::Unknown if self.not_healthy >= failures => CheckState::Degraded,
            state => state,
        }
    }

    const fn forget(&mut self) {
        (self.healthy, self.not_healthy, self.unhealthy, self.not_unhealthy, self.unknown) = (0, 0, 0, 0, 0);
    }

    fn enter(&mut self, to: CheckState, now: Time) -> Option<Change> {
        if to == self.state {
            return None;
        }
        let from = std::mem::replace(&mut self.state, to);
        self.since = now;
        Some(Change { from, to })
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
