//! Operations that run beside the workflow's main loop, polled in the order in which they were begun.
//!
//! Rejected: `FuturesUnordered`, whose order of polling follows wake-ups. A plain list is deterministic by sight.

use futures_util::future::LocalBoxFuture;
use std::task::{Context, Poll};

/// Futures under way, each ending in a `T`.
pub(crate) struct InFlight<'a, T>(Vec<LocalBoxFuture<'a, T>>);

impl<'a, T> InFlight<'a, T> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn push(&mut self, operation: LocalBoxFuture<'a, T>) {
        self.0.push(operation);
    }

    pub(crate) fn extend(&mut self, operations: impl IntoIterator<Item = LocalBoxFuture<'a, T>>) {
        self.0.extend(operations);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The results of all that have ended; pending while there are none.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Vec<T>> {
        let mut ended = Vec::new();
        self.0.retain_mut(|operation| match operation.as_mut().poll(cx) {
            Poll::Ready(result) => {
                ended.push(result);
                false
            }
            Poll::Pending => true,
        });
        if ended.is_empty() { Poll::Pending } else { Poll::Ready(ended) }
    }
}
