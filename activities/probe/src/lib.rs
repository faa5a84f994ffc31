//! Looking at endpoints over HTTP: how is a blockchain node?
//!
//! An [`Endpoint`] is a URL that never shows what may be secret in it. `http` makes one exchange, bounded in size and
//! time. A look is a module over these two, with its own client type and error: [`NodeChecker`] in `node` is the only
//! one so far, and an HTTP check goes beside it. Nothing here decides, repeats, logs or counts: the caller does.
//!
//! Everything that answers is taken for hostile: it may be slow, endless, or repeat our own secrets to us.
//!
//! Rejected: a JSON-RPC client crate. One method needs no subscriptions and no batches, and its errors would have to be
//! searched for the URL all the same.

mod endpoint;
mod http;
mod node;
mod rpc;
mod text;

pub use endpoint::{Endpoint, EndpointError, endpoint_url};
pub use http::{HttpError, MAX_BODY};
pub use node::{DEFAULT_TIMEOUT, MAX_NODE_ANSWER, NodeChecker, NodeError, NodeHealth};
