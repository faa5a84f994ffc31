//! What began and ended while Temporal was away: its incident is told that it was, and then, as ever, that it is not any more.
//!
//! What is over is told by itself, and so that it cannot be taken for something that fires: the incident makes one summary of it. Its
//! end follows all the same, for a dixmgr that does not know [`Alert::ended_ms`] takes it for something that fires.
//!
//! Rejected: the beginning and the end to be told by the host, as two reports. The incident of a type is told one thing after the
//! other, and only here is known what it was told last.

use super::alerts::Told;
use super::{Action, Service};
use dixmgr_contract::observation::{MAX_PASSED, Passed};
use dixmgr_contract::{Alert, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What has passed and is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Passing {
    /// With its ages at `heard`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alerts: Vec<Alert>,
    heard: Time,
    /// [`Passed::number`] of the last that was heard.
    number: u64,
}

impl Passing {
    /// True if there is nothing to be remembered.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Service {
    /// What its host says of what has passed. What fires, or what the incident takes to be so, swallows it.
    pub(super) fn hear_passed(&mut self, passed: &[Passed], now: Time) {
        if passed.is_empty() && self.alerts.passing.alerts.is_empty() {
            return;
        }
        let heard = self.alerts.passing.number;
        let mut new: Vec<Alert> = self.aged(now);
        for one in passed.iter().filter(|one| one.number > heard).take(MAX_PASSED) {
            let passing = &mut self.alerts.passing;
            passing.number = passing.number.max(one.number);
            new.push(one.alert.clone());
        }
        let is_told = |alert: &Alert| self.alerts.told.get(&alert.alert).is_some_and(|told| !told.has_passed);
        let fires = |alert: &Alert| self.alerts.firing.iter().any(|found| found.alert == alert.alert);
        new.retain(|alert| alert.ended_ms.is_some() && !is_told(alert) && !fires(alert));
        new.truncate(MAX_PASSED);
        (self.alerts.passing.alerts, self.alerts.passing.heard) = (new, now);
    }

    /// Tells the incidents of what has passed, one thing after the other.
    pub(super) fn raise_passed(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.alerts.is_over || self.alerts.passing.alerts.is_empty() {
            return;
        }
        let all = self.aged(now);
        let is_free = |alert: &String| !self.alerts.telling.contains(alert) && !self.alerts.told.contains_key(alert);
        let types: BTreeSet<String> = all.iter().map(|alert| alert.alert.clone()).filter(is_free).collect();
        self.alerts.passing.alerts.retain(|alert| !types.contains(&alert.alert));
        for alert in types {
            let of_type = all.iter().filter(|one| one.alert == alert).cloned().collect();
            self.alerts.told.insert(alert.clone(), Told::passed());
            self.alerts.telling.insert(alert.clone());
            actions.push(self.report_alerts(alert, of_type, None, now));
        }
    }

    /// What is to be told of what has passed, as old as it is now.
    fn aged(&self, now: Time) -> Vec<Alert> {
        let Passing { alerts, heard, .. } = &self.alerts.passing;
        let more = now.since(*heard).as_millis();
        let older = |alert: &Alert| Alert {
            age_ms: alert.age_ms.saturating_add(more),
            ended_ms: alert.ended_ms.map(|ended| ended.saturating_add(more)),
            ..alert.clone()
        };
        alerts.iter().map(older).collect()
    }
}
