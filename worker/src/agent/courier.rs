//! The way to Temporal, as the agent sees it: a parcel is accepted or it is not.

use dixmgr_contract::Observation;
use futures_util::future::BoxFuture;

/// An observation and the workflow that it is for.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) workflow_id: String,
    pub(crate) observation: Observation,
    /// The workflow was open before this dixmgr began: whoever ran it last may be dead and still be waited for.
    pub(crate) inherited: bool,
}

/// Why a parcel was not accepted: Temporal cannot be reached or is busy. It is tried again.
#[derive(Debug, thiserror::Error)]
#[error("Temporal did not take it: {0}")]
pub(crate) struct DeliveryError(pub(crate) String);

/// Delivers parcels, by signal-with-start.
pub(crate) trait Courier: Send + Sync {
    /// Returns when Temporal has the parcel durably.
    fn deliver(&self, parcel: Parcel) -> BoxFuture<'static, Result<(), DeliveryError>>;
}
