//! What a cluster tells: its status when asked, and reports when something has changed.
//!
//! Apart from what it is told, because people and programs read these and write those. Rejected: reports as free text
//! alone; whoever counts or routes them needs a kind.

use super::ClusterMode;
use crate::{PhaseName, ServiceName, Time};
use serde::{Deserialize, Serialize};

/// What people should hear of a cluster, once per change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterReportKind {
    /// Fewer members are ready than must be.
    QuorumLost,
    /// Enough members are ready again.
    QuorumRegained,
    /// A rolling restart was given up before its end.
    RolloutHalted,
    /// A rolling restart has come to its end.
    RolloutDone,
    /// Another member was made the active one by command.
    Promoted,
    /// A promotion was given up.
    PromotionFailed,
    /// Another member is the active one, though nobody asked for it here.
    ActiveChanged,
    /// No member of a standby cluster ran, so its first one is started.
    FirstStarted,
    /// More than one member of a standby cluster was ready, so all but one are stopped.
    SurplusStopped,
}

/// Something that people should hear of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterReport {
    /// The cluster.
    pub cluster: ServiceName,
    /// What happened.
    pub kind: ClusterReportKind,
    /// It in a sentence, with names.
    pub text: String,
}

/// The answer of the query `status` of `ClusterWorkflow`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// The cluster.
    pub name: ServiceName,
    /// How many members run at a time.
    pub mode: ClusterMode,
    /// So many members must be ready; 1 in standby mode.
    pub quorum: u32,
    /// So many are.
    pub ready: u32,
    /// Each member, in the order of the configuration.
    pub members: Vec<MemberStatus>,
    /// Enough members are ready; null until all have been heard of, or had time to.
    pub quorum_ok: Option<bool>,
    /// Since when `quorum_ok` is what it is.
    pub since: Time,
    /// The active member of a standby cluster, also while it is down.
    pub active: Option<ServiceName>,
    /// The rolling restart that is under way, or the last one if it was halted.
    pub rollout: Option<RolloutStatus>,
    /// The promotion that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<PromotionStatus>,
    /// [`crate::LOGIC_VERSION`] of the code that runs it.
    #[serde(default)]
    pub logic_version: u32,
    /// Why the last signal that could not be read was ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_error: Option<String>,
}

/// A member as its cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// The service.
    pub name: ServiceName,
    /// It is ready; null until it has been heard of.
    pub ready: Option<bool>,
    /// Its phase, as it told last.
    pub phase: PhaseName,
    /// Since when it is ready or not, in this run of it.
    pub since: Time,
}

/// How far a rolling restart has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutStatus {
    /// Who asked for it.
    #[serde(default)]
    pub by: String,
    /// Restarted and ready again.
    pub done: Vec<ServiceName>,
    /// Being restarted; null between two. In a halted one: the member that did not come back.
    pub current: Option<ServiceName>,
    /// Still to come.
    pub remaining: Vec<ServiceName>,
    /// Why it was given up; null while it is under way.
    pub halted: Option<String>,
}

/// A promotion that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionStatus {
    /// Who asked for it.
    #[serde(default)]
    pub by: String,
    /// The member to become the active one.
    pub member: ServiceName,
    /// It is being started; false while others are being stopped.
    pub starting: bool,
}
