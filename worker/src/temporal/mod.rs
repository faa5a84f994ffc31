//! Everything between this process and the Temporal cluster.
//!
//! `session` keeps a connection for ever: it connects, prepares the namespace, tells the agent, runs the workers, and
//! begins anew when something breaks. An unreachable cluster is normal weather; a cluster that refuses us is an error
//! that the operator must see at start.

mod claim;
mod connect;
mod courier;
mod incidents;
mod namespace;
mod own;
mod pulse;
mod registry;
mod session;
mod stay;
mod takeover;
mod workers;

pub(crate) use connect::{Endpoint, Tls, connect};
pub(crate) use registry::Slice;
pub(crate) use session::{Session, Verdict};

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// Nobody answers, or not yet.
    #[error("{0}")]
    Unreachable(String),
    /// Somebody answers, and says no.
    #[error("{0}")]
    Refused(String),
}

impl From<temporalio_client::tonic::Status> for SessionError {
    fn from(status: temporalio_client::tonic::Status) -> Self {
        use temporalio_client::tonic::Code;
        match status.code() {
            Code::PermissionDenied | Code::Unauthenticated => {
                Self::Refused(format!("Temporal denied us: {}", status.message()))
            }
            _ => Self::Unreachable(format!("{}: {}", status.code(), status.message())),
        }
    }
}
