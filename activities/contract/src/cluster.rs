//! Clusters on the wire: services that stand in for each other, how many of them must be ready, and what can be asked.
//!
//! A cluster is told its whole specification each time, never a difference, so that a repeated or late one does no
//! harm. Rejected: members as workflow ids. People know services by name; where a member's workflow has another id than
//! the usual one (a node, a sidecar), `workflow_ids` says so.

mod told;

pub use told::{ClusterReport, ClusterReportKind, ClusterStatus, MemberStatus, PromotionStatus, RolloutStatus};

use crate::{ServiceName, Span, id::Origin};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The workflow type of a cluster.
pub const CLUSTER_WORKFLOW: &str = "ClusterWorkflow";
/// The update that restarts the members one by one; its argument is [`RollingRestartArgs`].
pub const UPDATE_ROLLING_RESTART: &str = "rolling_restart";
/// The update that makes another member of a standby cluster the active one; its argument is [`PromoteArgs`].
pub const UPDATE_PROMOTE: &str = "promote";
/// A cluster has no more members than this.
pub const MEMBERS_MAX: usize = 1000;
/// Temporal's usual limit is 1000 bytes; ours are far shorter.
const WORKFLOW_ID_MAX: usize = 255;
/// Whoever waits longer has forgotten what for.
const WAIT_MAX: Span = Span::from_secs(86_400);
/// What does not help is tried again after this long at the earliest.
const TIMEOUT_MIN: Span = Span::from_secs(1);

/// The workflow id of a cluster, such as `wf.cluster.rpc`.
pub fn workflow_id(cluster: &ServiceName) -> String {
    format!("wf.cluster.{cluster}")
}

/// How many members run at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterMode {
    /// All of them; the cluster is well while `quorum` are ready.
    #[default]
    Active,
    /// Exactly one; the others are stopped and stand by. The quorum is 1, whatever is written.
    Standby,
}

impl std::fmt::Display for ClusterMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Standby => "standby",
        })
    }
}

/// The input of `ClusterWorkflow`. Minimal: `{"name":"rpc","members":["rpc-1","rpc-2"],"quorum":2,"mode":"active"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// Its name in the plan.
    pub name: ServiceName,
    /// Its members, 1 to [`MEMBERS_MAX`], each once. The order is that of a rolling restart; the first is preferred.
    pub members: Vec<ServiceName>,
    /// So many members must be ready, 1 to their number. In standby mode it is not looked at.
    pub quorum: u32,
    /// How many members run at a time.
    #[serde(default)]
    pub mode: ClusterMode,
    /// Workflow ids of members for which it is not `wf.svc.<name>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub workflow_ids: BTreeMap<ServiceName, String>,
    /// A restarted member must be ready for so long before the next one is restarted, 0 to 1 day.
    #[serde(default = "default_healthy_for")]
    pub healthy_for: Span,
    /// How long a member may take to be ready, or to be down, after it was asked to, 1 second to 1 day.
    #[serde(default = "default_member_timeout")]
    pub member_timeout: Span,
}

const fn default_healthy_for() -> Span {
    Span::from_secs(10)
}

const fn default_member_timeout() -> Span {
    Span::from_secs(300)
}

/// What is wrong with a [`ClusterSpec`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// There is nobody in it.
    #[error("cluster {0} has no members")]
    Empty(ServiceName),
    /// More than [`MEMBERS_MAX`].
    #[error("cluster {0} has {1} members; at most {MEMBERS_MAX} are allowed")]
    TooMany(ServiceName, usize),
    /// A member is named twice.
    #[error("cluster {0} names {1} twice")]
    Twice(ServiceName, ServiceName),
    /// Not 1 to the number of members.
    #[error("cluster {0} has a quorum of {1}; with its members it is 1 to {2}")]
    Quorum(ServiceName, u32, usize),
    /// A workflow id that no workflow can have.
    #[error("cluster {0}: the workflow id of {1} is empty or longer than {WORKFLOW_ID_MAX} bytes")]
    WorkflowId(ServiceName, ServiceName),
}

impl ClusterSpec {
    /// A cluster with nothing set but its members and quorum.
    pub fn new(name: ServiceName, members: Vec<ServiceName>, quorum: u32) -> Self {
        Self {
            name,
            members,
            quorum,
            mode: ClusterMode::Active,
            workflow_ids: BTreeMap::new(),
            healthy_for: default_healthy_for(),
            member_timeout: default_member_timeout(),
        }
    }

    /// Where signals to a member go.
    pub fn workflow_id(&self, member: &ServiceName) -> String {
        self.workflow_ids.get(member).cloned().unwrap_or_else(|| Origin::Service(member.clone()).workflow_id())
    }

    /// How many members must be ready: `quorum`, and 1 in standby mode.
    pub fn effective_quorum(&self) -> u32 {
        match self.mode {
            ClusterMode::Active => self.quorum.max(1),
            ClusterMode::Standby => 1,
        }
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), ClusterError> {
        let count = self.members.len();
        if count == 0 {
            return Err(ClusterError::Empty(self.name.clone()));
        }
        if count > MEMBERS_MAX {
            return Err(ClusterError::TooMany(self.name.clone(), count));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.members.iter().find(|member| !seen.insert(*member)) {
            return Err(ClusterError::Twice(self.name.clone(), twice.clone()));
        }
        let fits = usize::try_from(self.quorum).is_ok_and(|quorum| (1..=count).contains(&quorum));
        if self.mode == ClusterMode::Active && !fits {
            return Err(ClusterError::Quorum(self.name.clone(), self.quorum, count));
        }
        match self.workflow_ids.iter().find(|(_, id)| id.is_empty() || id.len() > WORKFLOW_ID_MAX) {
            Some((member, _)) => Err(ClusterError::WorkflowId(self.name.clone(), member.clone())),
            None => Ok(()),
        }
    }

    /// The same without what [`Self::check`] would refuse, for whoever must go on in any case: the first
    /// [`MEMBERS_MAX`] different members, and only their workflow ids. Waits are brought into their ranges.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let mut seen = BTreeSet::new();
        self.members.retain(|member| seen.len() < MEMBERS_MAX && seen.insert(member.clone()));
        self.workflow_ids.retain(|member, id| seen.contains(member) && (1..=WORKFLOW_ID_MAX).contains(&id.len()));
        self.healthy_for = self.healthy_for.min(WAIT_MAX);
        self.member_timeout = self.member_timeout.clamp(TIMEOUT_MIN, WAIT_MAX);
        self
    }
}

/// The optional input of the update `rolling_restart`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollingRestartArgs {
    /// Who asks, for the record.
    #[serde(default)]
    pub by: String,
    /// Why, for the record.
    #[serde(default)]
    pub reason: String,
}

/// The input of the update `promote`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromoteArgs {
    /// The member to become the active one.
    pub member: ServiceName,
    /// Who asks, for the record.
    #[serde(default)]
    pub by: String,
    /// Why, for the record.
    #[serde(default)]
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServiceName {
        ServiceName::new(text).unwrap()
    }

    #[test]
    fn the_minimal_input_has_the_defaults() {
        let json = r#"{"name":"rpc","members":["rpc-1","rpc-2"],"quorum":2,"mode":"active"}"#;
        let spec: ClusterSpec = serde_json::from_str(json).unwrap();
        assert_eq!(spec, ClusterSpec::new(name("rpc"), vec![name("rpc-1"), name("rpc-2")], 2));
        assert_eq!(spec.check(), Ok(()));
        assert_eq!((spec.healthy_for, spec.member_timeout), (Span::from_secs(10), Span::from_secs(300)));
        assert_eq!(spec.workflow_id(&name("rpc-1")), "wf.svc.rpc-1");
    }

    #[test]
    fn a_member_may_have_a_workflow_id_of_its_own() {
        let json = r#"{"name":"r","members":["a"],"quorum":1,"workflow_ids":{"a":"wf.node.relay.polkadot"}}"#;
        let spec: ClusterSpec = serde_json::from_str(json).unwrap();
        assert_eq!(spec.workflow_id(&name("a")), "wf.node.relay.polkadot");
        assert_eq!(serde_json::from_str::<ClusterSpec>(&serde_json::to_string(&spec).unwrap()).unwrap(), spec);
    }

    #[test]
    fn what_makes_no_sense_is_named_and_can_be_cut_to_what_does() {
        let spec = |members: &[&str], quorum| {
            ClusterSpec::new(name("r"), members.iter().map(|member| name(member)).collect(), quorum)
        };
        assert_eq!(spec(&[], 1).check(), Err(ClusterError::Empty(name("r"))));
        assert_eq!(spec(&["a", "a"], 1).check(), Err(ClusterError::Twice(name("r"), name("a"))));
        assert_eq!(spec(&["a"], 2).check(), Err(ClusterError::Quorum(name("r"), 2, 1)));
        assert_eq!(spec(&["a"], 0).check(), Err(ClusterError::Quorum(name("r"), 0, 1)));
        let mut crowd = spec(&[], 1);
        crowd.members = (0..1500).map(|index| name(&format!("m{}", index / 2 * 2))).collect();
        crowd.members.extend((0..1500).map(|index| name(&format!("n{index}"))));
        assert_eq!(crowd.check(), Err(ClusterError::TooMany(name("r"), 3000)));
        let cut = crowd.bounded();
        assert_eq!((cut.members.len(), cut.check()), (MEMBERS_MAX, Ok(())));
    }
}
