//! What services tell each other: whether one that others depend on is ready.
//!
//! Like an observation it is the whole present truth with a revision, never a change: losing one, repeating one or
//! swapping two harms nothing. Rejected: a wait for one particular signal, which is lost for ever when it is sent before
//! anybody listens.

use crate::Cause;
use crate::{PhaseName, ServiceName};
use serde::{Deserialize, Serialize};

/// The argument of the signal `subscribe` of `ServiceWatchWorkflow`: who wants to hear of its readiness. It is answered
/// at once with the present one. Whoever is gone when it is told something is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribe {
    /// The workflow to be sent the signal `readiness`.
    pub workflow_id: String,
}

/// The argument of the signal `readiness`: how a service stands that somebody depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// The service.
    pub service: ServiceName,
    /// It is active, and a node is in sync.
    pub ready: bool,
    /// Grows with each change; an older or equal one is old news.
    pub revision: u64,
    /// Its phase, for people.
    pub phase: PhaseName,
    /// Its run (`InvocationID`), if it has one: another run is another service to those that depend on its memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// What people are told of it while it is not ready: what goes wrong elsewhere because of that is a consequence of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Cause>,
}
