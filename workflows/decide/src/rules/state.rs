//! How one rule stands with one service, and what a look at the facts changes in that.
//!
//! `since` is when it began; while nothing can be told, that time does not count, so the beginning moves. Rejected: a flag
//! for each look. Looks come whenever a fact changes, and how many there were says nothing.

use super::rule::Rule;
use dixmgr_contract::Time;
use serde::{Deserialize, Serialize};

/// A rule and a service. Plain data, kept over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleState {
    pub(super) phase: Phase,
    /// The last samples, the newest in the lowest bit: whether each fulfilled the condition.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) samples: u64,
    /// Since when nothing can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blind: Option<Time>,
}

fn is_zero(samples: &u64) -> bool {
    *samples == 0
}

/// Where it stands, with what it needs to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing is wrong.
    #[default]
    Quiet,
    /// It is so, and not yet for long enough.
    Pending {
        /// When it began.
        since: Time,
    },
    /// It fires. Only its clear condition ends it.
    Firing {
        /// When it began.
        since: Time,
        /// What was told.
        detail: String,
        /// Since when its clear condition holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clear: Option<Time>,
    },
}

/// What a look has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It fires now.
    Fires,
    /// It does not any more; it began then.
    Clears(Time),
}

/// What the conditions say of the facts; absent: it cannot be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) fires: Option<bool>,
    pub(super) clears: Option<bool>,
    /// The facts hold a sample that was not counted yet.
    pub(super) is_new: bool,
}

impl RuleState {
    pub(super) const fn is_firing(&self) -> bool {
        matches!(self.phase, Phase::Firing { .. })
    }

    /// Nothing is worth being kept.
    pub(super) fn is_blank(&self) -> bool {
        self.phase == Phase::Quiet && self.samples == 0
    }

    /// Time that nobody saw does not count: what was about to fire begins anew.
    pub(super) fn forget_pending(&mut self, now: Time) {
        (self.blind, self.samples) = (None, 0);
        match &mut self.phase {
            Phase::Pending { since } => *since = now,
            Phase::Firing { clear: Some(clear), .. } => *clear = now,
            _ => {}
        }
    }

    pub(super) fn step(&mut self, rule: &Rule, look: Look, now: Time) -> Option<Turn> {
        let told = if self.is_firing() { look.clears } else { look.fires };
        let Some(told) = told else {
            self.blind.get_or_insert(now);
            return None;
        };
        self.see(now);
        let enough = self.count(rule, look);
        match &mut self.phase {
            Phase::Firing { since, clear, .. } => {
                if !told || (rule.spec.of.1 > 1 && enough) {
                    *clear = None;
                    return None;
                }
                let clear = *clear.get_or_insert(now);
                if now < clear.after(rule.clear_for) {
                    return None;
                }
                let since = *since;
                *self = Self::default();
                Some(Turn::Clears(since))
            }
            _ if !enough => {
                self.phase = Phase::Quiet;
                None
            }
            Phase::Quiet => {
                self.phase = Phase::Pending { since: now };
                self.fire(rule, now)
            }
            Phase::Pending { .. } => self.fire(rule, now),
        }
    }

    /// Counts the sample; true if enough of the last ones fulfil the condition.
    fn count(&mut self, rule: &Rule, look: Look) -> bool {
        let (k, n) = rule.spec.of;
        let Some(fires) = look.fires else { return false };
        if n <= 1 {
            return fires;
        }
        if look.is_new {
            let kept = if n >= u64::BITS { u64::MAX } else { (1 << n) - 1 };
            self.samples = ((self.samples << 1) | u64::from(fires)) & kept;
        }
        self.samples.count_ones() >= k
    }

    fn fire(&mut self, rule: &Rule, now: Time) -> Option<Turn> {
        let Phase::Pending { since } = self.phase else { return None };
        if now < since.after(rule.spec.hold) {
            return None;
        }
        self.phase = Phase::Firing { since, detail: String::new(), clear: None };
        Some(Turn::Fires)
    }

    /// Something can be told again: the time of the blindness does not count.
    fn see(&mut self, now: Time) {
        let Some(blind) = self.blind.take() else { return };
        let gap = now.since(blind);
        match &mut self.phase {
            Phase::Pending { since } => *since = since.after(gap).min(now),
            Phase::Firing { clear: Some(clear), .. } => *clear = clear.after(gap).min(now),
            _ => {}
        }
    }

    /// When to look again, if no fact changes before.
    pub(super) fn wake_at(&self, rule: &Rule) -> Option<Time> {
        match &self.phase {
            _ if self.blind.is_some() => None,
            Phase::Pending { since } => Some(since.after(rule.spec.hold)),
            Phase::Firing { clear: Some(clear), .. } => Some(clear.after(rule.clear_for)),
            _ => None,
        }
    }
}
