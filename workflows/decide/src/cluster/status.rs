//! What people see of a cluster.
//!
//! Computed from the state when asked, never kept. Rejected: a copy of the members' own statuses; each member has one,
//! and this would be the older.

use super::Cluster;
use dixmgr_contract::cluster::{MemberStatus, PromotionStatus, RolloutStatus};
use dixmgr_contract::{ClusterStatus, LOGIC_VERSION};

impl Cluster {
    /// The answer of the query `status`.
    pub fn status(&self) -> ClusterStatus {
        let members = self.in_order().map(|(name, member)| MemberStatus {
            name: name.clone(),
            ready: member.ready,
            phase: member.phase,
            since: member.since,
        });
        ClusterStatus {
            name: self.spec.name.clone(),
            mode: self.spec.mode,
            quorum: self.spec.effective_quorum(),
            ready: self.ready(),
            members: members.collect(),
            quorum_ok: self.quorum_ok,
            since: self.since,
            active: self.active.clone(),
            rollout: self.rollout.as_ref().map(|rollout| RolloutStatus {
                by: rollout.by.clone(),
                done: rollout.done.clone(),
                current: rollout.current.clone(),
                remaining: rollout.remaining.clone(),
                halted: rollout.halted.clone(),
            }),
            promotion: self.promotion.as_ref().map(|promotion| PromotionStatus {
                by: promotion.by.clone(),
                member: promotion.member.clone(),
                starting: promotion.starting,
            }),
            logic_version: LOGIC_VERSION,
            input_error: None,
        }
    }
}
