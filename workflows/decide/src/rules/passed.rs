//! What began and ended while nobody could be told of it.
//!
//! An observation says what fires when it is sent. A trouble that is over by the time that Temporal is back would be told to nobody,
//! so it is kept here until an observation that carries it has been accepted.
//!
//! Only what would have been told in good times is kept: it lasted for `group_wait`, and was no consequence, or outlived what was
//! behind it. Nor is kept what an accepted observation has carried (that it does not fire any more is told by the next one), nor what
//! came and went faster than it was delivered, with nothing in the way but the pace of delivery.
//!
//! Rejected: a queue of all that changed. Whoever comes back after an hour does not want to read the hour: of each rule the newest is
//! told, with how often it was so.

use dixmgr_contract::observation::{MAX_PASSED, Passed};
use dixmgr_contract::{Alert, AlertPolicy, Span, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// For how long something has to be wrong to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// By itself.
    pub group_wait: Span,
    /// After what was behind it, if something was.
    pub consequence_grace: Span,
}

impl From<&AlertPolicy> for Waits {
    fn from(policy: &AlertPolicy) -> Self {
        Self { group_wait: policy.group_wait, consequence_grace: policy.consequence_grace }
    }
}

/// The alerts of a service that fire, and those that have passed. Plain data; keep it on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Episodes {
    /// In the order in which they began; those that have passed, in which they ended.
    all: Vec<Episode>,
    /// Of the last that has passed.
    number: u64,
}

/// What an observation carries of them: the rule, and when it fired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried(BTreeSet<(String, Time)>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Episode {
    /// As it fired, with its age then.
    alert: Alert,
    fired: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
    /// An observation with it was accepted while it fired.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    told: bool,
    /// A failure kept it from being told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    kept_back: bool,
    #[serde(default)]
    stands: Stands,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ended {
    at: Time,
    number: u64,
    /// So often it was so since somebody was told of it last.
    times: u32,
}

/// What is behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stands {
    /// Nothing was.
    #[default]
    Alone,
    /// It is a consequence.
    Behind,
    /// It was one until then.
    Freed(Time),
}

impl Episodes {
    /// A rule fires now. `cut_off`: at this moment nobody can be told.
    pub fn begin(&mut self, alert: Alert, cut_off: bool, now: Time) {
        self.all.retain(|one| one.ended.is_some() || one.alert.rule != alert.rule);
        let (ended, told, stands) = (None, false, Stands::Alone);
        self.all.push(Episode { alert, fired: now, ended, told, kept_back: cut_off, stands });
    }

    /// Whether what fires now is a consequence of something.
    pub fn relate(&mut self, is_consequence: bool, now: Time) {
        for one in self.all.iter_mut().filter(|one| one.ended.is_none()) {
            one.stands = match one.stands {
                _ if is_consequence => Stands::Behind,
                Stands::Behind => Stands::Freed(now),
                stands => stands,
            };
        }
    }

    /// A rule does not fire any more. `under_way`: an observation is being delivered, and how that ends is not known.
    pub fn end(&mut self, rule: &str, under_way: bool, waits: Waits, now: Time) {
        let is_it = |one: &Episode| one.ended.is_none() && one.alert.rule == rule;
        let Some(at) = self.all.iter().position(is_it) else { return };
        let mut one = self.all.remove(at);
        if one.told || !(one.kept_back || under_way) || !one.would_be_told(waits, now) {
            return;
        }
        self.number = u64::try_from(now.unix_millis()).unwrap_or(0).max(self.number + 1);
        one.ended = Some(Ended { at: now, number: self.number, times: 1 });
        self.all.push(one);
        self.bound();
    }

    /// Something could not be delivered, or nobody can be told at all: what nobody was told of was kept back.
    pub fn keep_back(&mut self) {
        self.all.iter_mut().filter(|one| !one.told).for_each(|one| one.kept_back = true);
        self.bound();
    }

    /// What an observation that is made now says of them.
    pub fn carried(&self) -> Carried {
        let told = self.all.iter().filter(|one| one.ended.is_none() || one.kept_back);
        Carried(told.map(Episode::key).collect())
    }

    /// An observation with these was accepted.
    pub fn accepted(&mut self, carried: &Carried) {
        self.all.retain_mut(|one| {
            let is_carried = carried.0.contains(&one.key());
            one.told |= is_carried;
            // What ended while the delivery was under way, and was not in it, came and went faster than it was delivered.
            one.ended.is_none() || (one.kept_back && !is_carried)
        });
    }

    /// What has passed and was told to nobody.
    pub fn passed(&self, now: Time) -> Vec<Passed> {
        self.all.iter().filter(|one| one.kept_back).filter_map(|one| one.passed(now)).collect()
    }

    /// True if something has passed that was told to nobody.
    pub fn has_passed(&self) -> bool {
        self.all.iter().any(|one| one.kept_back && one.ended.is_some())
    }

    /// Of each rule the newest, and not too many.
    fn bound(&mut self) {
        let mut kept: Vec<Episode> = Vec::new();
        for one in self.all.drain(..).rev() {
            let is_same = |other: &&mut Episode| other.is_like(&one);
            match (kept.iter_mut().find(is_same).and_then(|other| other.ended.as_mut()), one.ended) {
                (Some(newer), Some(older)) => newer.times = newer.times.saturating_add(older.times),
                _ => kept.push(one),
            }
        }
        kept.reverse();
        let mut surplus = kept.iter().filter(|one| one.ended.is_some()).count().saturating_sub(MAX_PASSED);
        kept.retain(|one| {
            let goes = surplus > 0 && one.ended.is_some();
            surplus -= usize::from(goes);
            !goes
        });
        self.all = kept;
    }
}

impl Episode {
    fn key(&self) -> (String, Time) {
        (self.alert.rule.clone(), self.fired)
    }

    /// Both have passed, of one rule, and as much is known of how they were told.
    fn is_like(&self, other: &Self) -> bool {
        let has_passed = self.ended.is_some() && other.ended.is_some();
        has_passed && self.alert.rule == other.alert.rule && self.kept_back == other.kept_back
    }

    /// People would have been told of it, with nothing in the way.
    fn would_be_told(&self, waits: Waits, now: Time) -> bool {
        let from = match self.stands {
            Stands::Alone => self.fired,
            Stands::Behind => return false,
            Stands::Freed(at) => at.after(waits.consequence_grace),
        };
        from.after(waits.group_wait) <= now
    }

    fn passed(&self, now: Time) -> Option<Passed> {
        let Ended { at, number, times } = self.ended?;
        let mut alert = self.alert.clone();
        alert.age_ms = alert.age_ms.saturating_add(now.since(self.fired).as_millis());
        alert.ended_ms = Some(now.since(at).as_millis());
        if times > 1 {
            alert.detail = format!("{} ({times} times)", alert.detail);
        }
        Some(Passed { number, alert })
    }
}

#[cfg(test)]
#[path = "passed_tests.rs"]
mod tests;
