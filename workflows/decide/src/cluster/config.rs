//! A changed specification: members come and go, the quorum moves, the mode turns.
//!
//! It is the whole truth, so it is compared with what is known, and telling it again changes nothing. Rejected: ending
//! a rolling restart with every change of the members. It goes on with those that are left.

use super::member::Member;
use super::{Action, Cluster, HEARING};
use dixmgr_contract::{ClusterSpec, Time};
use std::collections::BTreeSet;

impl Cluster {
    pub(super) fn configure(&mut self, spec: ClusterSpec, now: Time, actions: &mut Vec<Action>) {
        // The name is the workflow's own and does not change.
        let spec = ClusterSpec { name: self.spec.name.clone(), ..spec.bounded() };
        if spec == self.spec {
            return;
        }
        self.eventful = Some(now);
        let members: BTreeSet<_> = spec.members.iter().cloned().collect();
        let same_members = members.iter().eq(self.members.keys());
        if !same_members || spec.mode != self.spec.mode {
            // Whoever was to be down first may be out of sight now.
            self.fail_promotion("the configuration of the cluster changed meanwhile", now, actions);
        }
        if spec.mode != self.spec.mode {
            self.members.values_mut().for_each(|member| member.surplus = None);
        }
        self.members.retain(|name, _| members.contains(name));
        for name in &spec.members {
            if !self.members.contains_key(name) {
                self.members.insert(name.clone(), Member::new(now));
                self.hear_by = Some(now.after(HEARING));
            } else if self.spec.workflow_id(name) != spec.workflow_id(name)
                && let Some(member) = self.members.get_mut(name)
            {
                member.ask_again();
                member.revision = None;
            }
        }
        if let Some(rollout) = &mut self.rollout {
            rollout.keep(&members);
        }
        if self.active.as_ref().is_some_and(|active| !members.contains(active)) {
            self.active = None;
            self.starting_until = None;
        }
        self.spec = spec;
    }
}
