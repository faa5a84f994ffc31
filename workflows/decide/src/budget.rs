//! How often a service may be restarted: at most `max` times within a sliding `window`.
//!
//! systemd's own restarts count as well, so that `Restart=` in a unit and dixmgr together do not spend twice.

use crate::{backoff::Backoff, rng::Rng};
use dixmgr_contract::{RestartPolicy, Span, Time};
use serde::{Deserialize, Serialize};

/// The restarts of a service so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Those within the window, oldest first; never more than `max` + 1.
    recent: Vec<Time>,
    /// All of them.
    total: u64,
    backoff: Backoff,
    /// Its people have been told that it is spent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    told: bool,
}

/// The budget says no to one more restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// When the window has moved on and one more fits; never, if there is none.
    pub until: Option<Time>,
    /// True the first time since people were told that it is over.
    pub first: bool,
}

impl Budget {
    fn prune(&mut self, policy: &RestartPolicy, now: Time) {
        self.recent.retain(|at| at.after(policy.window) > now);
        let surplus = self.recent.len().saturating_sub(policy.max as usize + 1);
        self.recent.drain(..surplus);
    }

    /// Asks for one more restart. Does not count it: that is [`Budget::spend`], when it really begins.
    ///
    /// # Errors
    /// It is spent.
    pub fn ask(&mut self, policy: &RestartPolicy, now: Time) -> Result<(), Spent> {
        self.prune(policy, now);
        let max = policy.max as usize;
        if self.recent.len() < max {
            return Ok(());
        }
        let first = !std::mem::replace(&mut self.told, true);
        // One more fits as soon as fewer than `max` are in the window.
        let until =
            max.checked_sub(1).and_then(|last| self.recent.iter().rev().nth(last)).map(|at| at.after(policy.window));
        Err(Spent { until, first })
    }

    /// How long to wait before the next restart; each call moves the series of waits on.
    pub fn wait(&mut self, policy: &RestartPolicy, rng: &mut Rng) -> Span {
        self.backoff.next(policy, rng)
    }

    /// Counts a restart that begins now.
    pub fn spend(&mut self, policy: &RestartPolicy, now: Time) {
        self.spend_many(policy, 1, now);
    }

    /// Counts restarts that systemd made by itself.
    pub fn spend_many(&mut self, policy: &RestartPolicy, count: u32, now: Time) {
        self.total = self.total.saturating_add(u64::from(count));
        let kept = count.min(policy.max.saturating_add(1)) as usize;
        self.recent.extend(std::iter::repeat_n(now, kept));
        self.prune(policy, now);
    }

    /// Takes back the last restart: it did not touch the unit.
    pub fn refund(&mut self) {
        if self.recent.pop().is_some() {
            self.total = self.total.saturating_sub(1);
        }
    }

    /// The count starts again; the total stays.
    pub fn clear(&mut self) {
        self.recent.clear();
        self.backoff = Backoff::default();
    }

    /// The waits start again; the count stays.
    pub fn forget_waits(&mut self) {
        self.backoff = Backoff::default();
    }

    /// True once if people were told that it is spent: now they can be told that it is over.
    pub fn take_told(&mut self) -> bool {
        std::mem::take(&mut self.told)
    }

    /// Restarts within the window that ends now.
    pub fn in_window(&self, policy: &RestartPolicy, now: Time) -> u32 {
        let count = self.recent.iter().filter(|at| at.after(policy.window) > now).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// All restarts.
    pub const fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_unix_millis(seconds * 1000)
    }

    fn policy(max: u32) -> RestartPolicy {
        RestartPolicy { max, window: Span::from_secs(60), ..RestartPolicy::default() }
    }

    #[test]
    fn it_is_spent_after_max_and_the_window_moves_on() {
        let (mut budget, policy) = (Budget::default(), policy(2));
        budget.spend(&policy, at(0));
        budget.spend(&policy, at(10));
        assert_eq!(budget.ask(&policy, at(20)), Err(Spent { until: Some(at(60)), first: true }));
        assert_eq!(budget.ask(&policy, at(59)), Err(Spent { until: Some(at(60)), first: false }));
        assert_eq!(budget.ask(&policy, at(60)), Ok(()));
        assert_eq!(budget.total(), 2);
    }

    #[test]
    fn many_restarts_by_systemd_spend_it_and_do_not_grow_it() {
        let (mut budget, policy) = (Budget::default(), policy(5));
        budget.spend_many(&policy, 40_000, at(0));
        assert_eq!(budget.in_window(&policy, at(1)), 6);
        assert_eq!(budget.total(), 40_000);
        assert_eq!(budget.ask(&policy, at(1)), Err(Spent { until: Some(at(60)), first: true }));
    }

    #[test]
    fn a_budget_of_none_is_never_granted() {
        let mut budget = Budget::default();
        assert_eq!(budget.ask(&policy(0), at(1)), Err(Spent { until: None, first: true }));
    }

    #[test]
    fn what_did_not_happen_is_given_back() {
        let (mut budget, policy) = (Budget::default(), policy(5));
        budget.spend(&policy, at(0));
        budget.refund();
        budget.refund();
        assert_eq!((budget.in_window(&policy, at(0)), budget.total()), (0, 0));
    }
}
