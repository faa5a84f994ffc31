//! The series of the history's writer: asked of it at each scrape.

use crate::catalogue::{Metric, find};
use std::sync::{Arc, OnceLock};

/// How the writer is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryFigures {
    /// Rows that were written.
    pub written: u64,
    /// Records that were given up.
    pub lost: u64,
    /// Rows that wait in memory.
    pub waiting: u64,
    /// Bytes of the file in use; 0 for a server.
    pub bytes: u64,
}

type Ask = Box<dyn Fn() -> HistoryFigures + Send + Sync>;

/// A cheap handle on how the writer is doing. Without a writer there are no series.
#[derive(Clone, Default)]
pub struct HistoryBoard(Arc<OnceLock<Ask>>);

/// A figure of the writer, as a series shows it.
pub(crate) type ReadHistory = fn(&HistoryFigures) -> u64;

/// All of them.
pub(crate) const HISTORY_SERIES: [(&Metric, ReadHistory); 4] = [
    (find("history_rows_written_total"), |figures| figures.written),
    (find("history_rows_lost_total"), |figures| figures.lost),
    (find("history_rows_waiting"), |figures| figures.waiting),
    (find("history_bytes"), |figures| figures.bytes),
];

impl HistoryBoard {
    /// Asks here from now on; who came first stays.
    pub fn watch(&self, ask: impl Fn() -> HistoryFigures + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(ask));
    }

    pub(crate) fn figure(&self, read: ReadHistory) -> Option<f64> {
        self.0.get().map(|ask| read(&ask()) as f64)
    }
}

impl std::fmt::Debug for HistoryBoard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistoryBoard").field("is_watched", &self.0.get().is_some()).finish()
    }
}
