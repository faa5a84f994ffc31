//! Causes and consequences: what is held back because of another incident, and what is held back because of this one.
//!
//! A consequence tells its cause what is behind it, itself included and always whole, so a chain of three is one note of the first.
//! Two incidents that name each other as their cause find their own names behind the other one, and neither waits.

use super::{Action, Clock, Incident, reach, skills::Skill};
use dixmgr_contract::incident::{Affected, MAX_AFFECTED, Reach};
use dixmgr_contract::{AlertPolicy, ServiceName, Span, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A cause is told again after this long.
const AGAIN: Span = Span::from_secs(3_600);

/// Another incident that is held because of this one, with what is behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Consequence {
    pub(super) services: BTreeSet<ServiceName>,
    #[serde(default)]
    incidents: BTreeSet<String>,
    /// In [`Incident::reaches`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reach: Option<u16>,
    /// Since when it has that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Time>,
    /// The count of affected services with its last: whoever was told of so many was told of it.
    #[serde(default)]
    pub(super) joined: u64,
}

/// What is behind an incident, as its cause is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Behind {
    pub(super) services: BTreeSet<ServiceName>,
    /// Which incidents; they find two that wait for each other.
    #[serde(default)]
    incidents: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    reach: Reach,
}

impl Incident {
    /// Whether a cause is one to wait for.
    pub(super) fn may_hold(&self, cause: &str) -> bool {
        cause != self.spec.fingerprint && !self.cycles.contains(cause) && cause.len() <= 400
    }

    pub(super) fn hold(&mut self, cause: &str, only: Option<&str>) {
        if !self.may_hold(cause) {
            return;
        }
        let is_meant = |name: &str| only.is_none_or(|only| only == name);
        for (_, member) in self.members.iter_mut().filter(|(name, member)| is_meant(name) && member.firing) {
            (member.cause, member.grace) = (Some(cause.to_owned()), None);
        }
    }

    pub(super) fn release(&mut self, cause: &str, is_muted: bool, policy: &AlertPolicy, now: Time) {
        for member in self.members.values_mut().filter(|member| member.cause.as_deref() == Some(cause)) {
            if is_muted {
                member.let_go();
            } else {
                member.release(policy, now);
            }
        }
        self.told_causes.remove(cause);
    }

    /// Another incident says what is behind it because of this one.
    pub(super) fn affect(&mut self, told: Affected, policy: &AlertPolicy, now: Time) {
        if told.incident == self.spec.fingerprint {
            return;
        }
        if told.behind.contains(&self.spec.fingerprint) {
            self.break_cycle(policy, now);
        }
        if told.services.is_empty() && told.behind.is_empty() {
            self.affected.remove(&told.incident);
            return;
        }
        let mut known = self.affected_services();
        let room = MAX_AFFECTED.saturating_sub(known.len());
        // What else fires for a member is no news: the member is named.
        if self.has(Skill::HeedsReachAndPeace) {
            known.extend(self.services().cloned());
        }
        let is_taken = |service: &ServiceName| known.contains(service);
        let services: Vec<ServiceName> = told.services.into_iter().take(MAX_AFFECTED).collect();
        let new = services.iter().filter(|service| !is_taken(service)).count();
        if new > room || (self.affected.len() >= MAX_AFFECTED && !self.affected.contains_key(&told.incident)) {
            return;
        }
        let before = self.affected.get(&told.incident).cloned().unwrap_or_default();
        let reach = self.number_of(told.reach);
        let is_same = reach == before.reach && before.since.is_some();
        let since = if is_same { before.since } else { Some(now) };
        self.affected_joins += new as u64;
        let joined = if new == 0 && before.joined > 0 { before.joined } else { self.affected_joins };
        let mut incidents: BTreeSet<String> = told.behind.into_iter().take(MAX_AFFECTED).collect();
        incidents.insert(told.incident.clone());
        let services = services.into_iter().collect();
        self.affected.insert(told.incident, Consequence { services, incidents, reach, since, joined });
    }

    /// What this one waits for waits for this one.
    fn break_cycle(&mut self, policy: &AlertPolicy, now: Time) {
        let causes: BTreeSet<String> = self.members.values().filter_map(|member| member.cause.clone()).collect();
        for cause in causes {
            for member in self.members.values_mut().filter(|member| member.cause.as_deref() == Some(&cause)) {
                member.release(policy, now);
                member.grace = None;
            }
            self.cycles.insert(cause);
        }
    }

    /// All services that are affected and are not members themselves.
    pub(super) fn affected_services(&self) -> BTreeSet<ServiceName> {
        let own: BTreeSet<&ServiceName> = self.services().collect();
        let all = self.affected.values().flat_map(|behind| &behind.services);
        all.filter(|service| !own.contains(service)).cloned().collect()
    }

    /// Tells each cause what is behind it, if that is something else than it was told last, or it was told long ago: should
    /// somebody have ended the cause's workflow, this begins another one, which knows of no trouble and says so.
    pub(super) fn tell_causes(&mut self, clock: &mut Clock<'_>, actions: &mut Vec<Action>) {
        let mut behind: BTreeMap<String, Behind> = BTreeMap::new();
        for member in self.members.values().filter(|member| member.firing) {
            let Some(cause) = &member.cause else { continue };
            let of_cause = behind.entry(cause.clone()).or_default();
            of_cause.services.extend(member.service.clone());
            self.extend_reach(&mut of_cause.reach, member, clock.policy);
        }
        if behind.is_empty() && self.told_causes.is_empty() {
            self.tell_again = None;
            return;
        }
        if self.tell_again.is_some_and(|at| clock.due(at)) {
            self.told_causes.retain(|cause, _| !behind.contains_key(cause));
        }
        for of_cause in behind.values_mut() {
            of_cause.incidents.insert(self.spec.fingerprint.clone());
            for further in self.affected.values() {
                of_cause.services.extend(further.services.iter().cloned());
                of_cause.incidents.extend(further.incidents.iter().cloned());
                reach::extend(&mut of_cause.reach, self.reach_of(further));
            }
        }
        let gone = self.told_causes.keys().filter(|cause| !behind.contains_key(*cause));
        let mut told: Vec<(&String, Behind)> = gone.map(|cause| (cause, Behind::default())).collect();
        let changed = behind.iter().filter(|(cause, of_cause)| self.told_causes.get(*cause) != Some(of_cause));
        told.extend(changed.map(|(cause, of_cause)| (cause, of_cause.clone())));
        if !told.is_empty() {
            let again = clock.now.after(AGAIN);
            self.tell_again = Some(again);
            // Where nothing else has changed, nobody looks again in this step.
            if self.has(Skill::HeedsReachAndPeace) {
                clock.due(again);
            }
        }
        actions.extend(told.into_iter().map(|(cause, of_cause)| Action::TellCause {
            cause: cause.clone(),
            affected: Affected {
                incident: self.spec.fingerprint.clone(),
                services: of_cause.services.into_iter().take(MAX_AFFECTED).collect(),
                behind: of_cause.incidents.into_iter().take(MAX_AFFECTED).collect(),
                reach: of_cause.reach,
            },
        }));
        self.told_causes = behind;
    }
}
