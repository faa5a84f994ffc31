//! Looking at endpoints: health checks over HTTP, TCP, DNS and gRPC, and how blockchain nodes are.
//!
//! An [`Endpoint`] is a URL that never shows what may be secret in it. [`check`] looks at anything, with a connection that
//! is kept; `http` makes one exchange, bounded in size and time, for a look with a protocol of its own over it:
//! [`NodeChecker`] in `node`; `way` finds the addresses for both alike; `breakers` keeps many callers from a dead endpoint.
//! Nothing here repeats, logs or counts: the caller does. What an answer means is asked of `dixmgr_decide`.
//!
//! Everything that answers is taken for hostile: it may be slow, endless, or repeat our own secrets to us.
//!
//! Rejected: a JSON-RPC client crate. One method needs no subscriptions and no batches, and its errors would have to be
//! searched for the URL all the same.

mod authorities;
mod breakers;
pub mod check;
mod endpoint;
mod http;
mod node;
mod rpc;
mod text;
mod way;

pub use breakers::{Breakers, LeftAlone, OnBreaker, Pass, ProbeId, Target};
pub use check::{Check, CheckSpec, Prober};
pub use endpoint::{Endpoint, EndpointError, endpoint_url};
pub use http::{HttpError, MAX_BODY};
pub use node::{DEFAULT_TIMEOUT, MAX_NODE_ANSWER, NodeChecker, NodeError, NodeHealth};
