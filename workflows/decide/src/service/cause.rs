//! What is behind what fires here: a dependency or a lost host; or, within the service, the alert that says why.
//!
//! That a service is degraded is one rule's to say, and which of its probes fails is another's. Both fire, and both are counted; to
//! people they are one trouble, so the first is a consequence of the second: it is told on its own when it outlives that, or nobody is
//! told of that. It fell with nothing but itself: it need not wait whether a cause is mended at once, as what has a dependency behind
//! it does.
//!
//! Rejected: one rule instead of two. Whoever has switched the other one off is still to hear that something is wrong.

use super::dependencies::LINGER;
use super::{Action, Event, Service, Skill};
use dixmgr_contract::{Alert, Cause, Time};

impl Service {
    /// Whether alerts of more than one type fire here, or do with what has come: else it is all one whether they are related.
    pub(super) fn has_alerts_to_relate<'a>(&self, mut news: impl Iterator<Item = &'a Event>) -> bool {
        let brings_several = |event: &Event| match event {
            Event::Observed(observation) => observation.alerts.as_deref().is_some_and(are_several),
            _ => false,
        };
        are_several(&self.alerts.firing) || news.any(brings_several)
    }

    /// Whether something fires, or does with what has come, and a dependency on another host may be behind it.
    pub(super) fn may_fire_elsewhere<'a>(&self, mut news: impl Iterator<Item = &'a Event>) -> bool {
        let brings_one = |event: &Event| match event {
            Event::Observed(observation) => {
                let fires = observation.alerts.as_ref().is_some_and(|alerts| !alerts.is_empty());
                fires && observation.spec.after.iter().any(|one| one.remote)
            }
            _ => false,
        };
        let fires = !self.alerts.firing.is_empty() && self.remote().next().is_some();
        fires || news.any(brings_one)
    }

    /// While something fires, its dependencies on other hosts are to say how they stand: one that runs has not asked them yet.
    pub(super) fn ask_for_causes(&mut self, now: Time, actions: &mut Vec<Action>) {
        let fires = !self.alerts.firing.is_empty() && !self.alerts.is_over;
        if fires && self.has(Skill::AsksForCauses) {
            self.ask_peers(now, actions);
        }
    }

    /// Until when a dependency that was asked may take to say that it is behind what fires; none if none is waited for.
    pub(super) fn answers_until(&self) -> Option<Time> {
        let asked = self.remote().filter_map(|name| self.peers.asked_in_vain(name)).max();
        asked.filter(|_| self.has(Skill::AsksForCauses)).map(|asked| asked.after(LINGER))
    }

    /// What fires for a dependency, or behind it: what is wrong here is told as its consequence.
    pub(super) fn cause(&self) -> Option<Cause> {
        let seen = self.seen.as_ref()?;
        let away = || self.remote_losses().find_map(|name| self.peers.trouble(name));
        seen.causes.first().or_else(away).cloned()
    }

    /// What else fires here and says why this does.
    pub(super) fn own_cause(&self, alert: &str, firing: &[Alert]) -> Option<Cause> {
        Cause::explains(alert, firing, &self.spec).filter(|_| self.has(Skill::RelatesAlerts))
    }

    /// What whoever depends on this service is told of it while it is not ready: what is behind it, if something is.
    pub(super) fn trouble(&self) -> Option<Cause> {
        match &self.spec.host {
            Some(host) if self.host_lost => Some(Cause::lost(host.clone())),
            _ if self.alerts.is_over => None,
            _ => {
                let of = if self.has(Skill::RelatesAlerts) { Cause::of } else { Cause::gravest };
                of(&self.alerts.firing, &self.spec).map(|own| self.cause().unwrap_or(own))
            }
        }
    }
}

/// Of more than one type.
fn are_several(firing: &[Alert]) -> bool {
    firing.first().is_some_and(|first| firing.iter().any(|one| one.alert != first.alert))
}
