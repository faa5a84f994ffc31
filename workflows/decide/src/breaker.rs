//! A circuit breaker: what failed several times in a row is left alone for a while, then tried with care.
//!
//! Closed, everything passes. After `failures` in a row it opens, and nothing passes for `open_for`. Then it is half open:
//! up to `probes` tries pass; if all of them succeed it closes, and one that fails opens it again (Nygard, "Release It!",
//! 2007). A try that is refused says nothing of the other side: its result is unknown.
//!
//! A try whose end is never told does not wedge it: half open for longer than `open_for`, it lets tries pass anew.

use dixmgr_contract::{Span, Time};
use serde::{Deserialize, Serialize};

/// When it opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BreakerPolicy {
    /// Failures in a row before it opens; 1 or more.
    pub failures: u32,
    /// How long nothing passes.
    pub open_for: Span,
    /// Tries that must succeed before it closes; 1 or more.
    pub probes: u32,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self { failures: 5, open_for: Span::from_secs(60), probes: 3 }
    }
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Everything passes.
    Closed {
        /// Failures in a row so far.
        failures: u32,
    },
    /// Nothing passes.
    Open {
        /// Until then.
        until: Time,
    },
    /// A few tries pass.
    HalfOpen {
        /// Since when, or since tries last passed anew.
        since: Time,
        /// Tries that passed.
        passed: u32,
        /// Tries that succeeded.
        succeeded: u32,
    },
}

/// What happens around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants to try.
    Ask,
    /// A try succeeded.
    Succeeded,
    /// A try failed.
    Failed,
    /// A try ended without a word on the other side.
    Abandoned,
}

/// A circuit breaker. Plain data, to be kept over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Breaker(BreakerState);

impl Default for Breaker {
    fn default() -> Self {
        Self(BreakerState::Closed { failures: 0 })
    }
}

impl Breaker {
    /// Where it stands.
    pub const fn state(&self) -> BreakerState {
        self.0
    }

    /// Takes in what happens. To [`Event::Ask`] it answers whether the try may pass; to anything else, `true`.
    pub fn step(&mut self, event: Event, policy: &BreakerPolicy, now: Time) -> bool {
        match event {
            Event::Ask => self.ask(policy, now),
            Event::Succeeded => {
                self.succeeded(policy);
                true
            }
            Event::Failed => {
                self.failed(policy, now);
                true
            }
            Event::Abandoned => {
                if let BreakerState::HalfOpen { passed, .. } = &mut self.0 {
                    *passed = passed.saturating_sub(1);
                }
                true
            }
        }
    }

    fn ask(&mut self, policy: &BreakerPolicy, now: Time) -> bool {
        match &mut self.0 {
            BreakerState::Closed { .. } => true,
            BreakerState::Open { until } if now < *until => false,
            BreakerState::Open { .. } => {
                self.0 = BreakerState::HalfOpen { since: now, passed: 1, succeeded: 0 };
                true
            }
            BreakerState::HalfOpen { since, passed, succeeded } => {
                if *passed < policy.probes.max(1) {
                    *passed += 1;
                    return true;
                }
                let is_stuck = now >= since.after(policy.open_for);
                if is_stuck {
                    (*since, *passed) = (now, *succeeded + 1);
                }
                is_stuck
            }
        }
    }

    fn succeeded(&mut self, policy: &BreakerPolicy) {
        match &mut self.0 {
            BreakerState::Closed { failures } => *failures = 0,
            // A try from before it opened: it says nothing of now.
            BreakerState::Open { .. } => {}
            BreakerState::HalfOpen { succeeded, .. } => {
                *succeeded += 1;
                if *succeeded >= policy.probes.max(1) {
                    *self = Self::default();
                }
            }
        }
    }

    fn failed(&mut self, policy: &BreakerPolicy, now: Time) {
        let opens = match &mut self.0 {
            BreakerState::Closed { failures } => {
                *failures = failures.saturating_add(1);
                *failures >= policy.failures.max(1)
            }
            BreakerState::Open { .. } => false,
            BreakerState::HalfOpen { .. } => true,
        };
        if opens {
            self.0 = BreakerState::Open { until: now.after(policy.open_for) };
        }
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
