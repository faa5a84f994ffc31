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

/// How the reason of an order begins that a person, or a workflow for one, has asked for.
const COMMAND: &str = "command ";

impl OrderNews<'_> {
    /// Its reason, for people.
    pub fn reason(&self) -> &str {
        self.guard.map_or("asked for", |guard| guard.reason.as_str())
    }

    /// The run that is ended with it as somebody asked, empty for a unit that has none. Absent if it is no such order.
    pub fn ends_on_command(&self) -> Option<&str> {
        let guard = self.guard.filter(|guard| self.verb != Verb::Start && guard.reason.starts_with(COMMAND))?;
        Some(guard.invocation.as_deref().unwrap_or_default())
    }
}

/// How an order ended.
#[derive(Clone, Copy, Debug)]
pub struct OrderEnd<'a> {
    /// Why it was not carried out, as data and for people.
    pub failure: Option<(FailureKind, &'a str)>,
    /// How long it took.
    pub took: Duration,
}
