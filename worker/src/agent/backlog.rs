//! Whether the workflows keep up: how long their tasks lie before somebody takes them, as this host's own worker sees it.

use dixmgr_contract::Span;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The longest that a task has lain since the last look. Cheap enough for each task.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// In milliseconds, and one more: 0 says that there was none.
    longest: AtomicU64,
}

impl Backlog {
    /// A task lay for so long before it was taken.
    pub(crate) fn lay(&self, waited: Duration) {
        let millis = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.longest.fetch_max(millis.saturating_add(1), Ordering::Relaxed);
    }

    /// The longest since it was asked last; absent if none was taken.
    pub(crate) fn take(&self) -> Option<Span> {
        self.longest.swap(0, Ordering::Relaxed).checked_sub(1).map(Span::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_told_once() {
        let backlog = Backlog::default();
        assert_eq!(backlog.take(), None);
        for millis in [0, 70, 3] {
            backlog.lay(Duration::from_millis(millis));
        }
        assert_eq!((backlog.take(), backlog.take()), (Some(Span::from_millis(70)), None));
        backlog.lay(Duration::ZERO);
        assert_eq!(backlog.take(), Some(Span::ZERO));
    }
}
