//! What is told of an order to a host, beside its answer to whoever ordered: the history is kept by others.

use dixmgr_contract::{FailureKind, Guard, ServiceName, Verb};
use std::sync::Arc;
use std::time::Duration;

/// Told of each order twice: before it is carried out, and when that has ended. It must not block.
pub type Witness = Arc<dyn Fn(&OrderNews<'_>) + Send + Sync>;

/// An order to this host.
#[derive(Clone, Copy, Debug)]
pub struct OrderNews<'a> {
    /// The service that it is about.
    pub service: &'a ServiceName,
    /// What is to be done.
    pub verb: Verb,
    /// What it was decided on; absent if some other workflow ordered it.
    pub guard: Option<&'a Guard>,
    /// How it ended; absent before that.
    pub end: Option<OrderEnd<'a>>,
}

/// How an order ended.
#[derive(Clone, Copy, Debug)]
pub struct OrderEnd<'a> {
    /// Why it was not carried out, as data and for people.
    pub failure: Option<(FailureKind, &'a str)>,
    /// How long it took.
    pub took: Duration,
}
