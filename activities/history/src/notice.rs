//! What the writer says about itself: for a metric, a line in the log, and people.
//!
//! It tells its owner and does not log or count by itself: what is worth telling has one place in this project, and that
//! is not here.

use crate::error::{Error, Trouble};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Something that the owner of the writer may want to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The store cannot be written; what comes is kept in memory. Told once for each kind of trouble.
    Degraded {
        /// What is wrong, and the way out.
        error: Error,
        /// How many records wait.
        waiting: u64,
    },
    /// It can be written again, and what waited was.
    Recovered {
        /// How many records had to be given up since it began.
        lost: u64,
    },
    /// The file was damaged. It was moved, and a new one begun.
    SetAside {
        /// Where it is now.
        aside: PathBuf,
        /// What SQLite said.
        detail: String,
    },
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Degraded { error, waiting } => {
                write!(f, "{error}; supervision goes on, {waiting} records wait in memory")
            }
            Self::Recovered { lost: 0 } => f.write_str("the history is written again, and nothing was lost"),
            Self::Recovered { lost } => write!(f, "the history is written again; {lost} records were lost"),
            Self::SetAside { aside, detail } => {
                write!(f, "the history was damaged ({detail}); it is {} now, and a new one is begun", aside.display())
            }
        }
    }
}

/// Who is told. Called on the writer's task: it must not block.
pub type Tell = Arc<dyn Fn(&Notice) + Send + Sync>;

/// Figures of the writer, for metrics. All but `waiting`, `bytes` and `trouble` only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Rows that were written.
    pub written: u64,
    /// Transactions in which they were.
    pub batches: u64,
    /// Records that were not taken because the queue was full.
    pub dropped: u64,
    /// Records that were given up while the store could not be written.
    pub lost: u64,
    /// Records that the database refuses, or whose figures are none.
    pub rejected: u64,
    /// Rows that wait in memory.
    pub waiting: u64,
    /// Bytes of the file in use, as of the last upkeep; 0 for a server.
    pub bytes: u64,
    /// Why it cannot be written now.
    pub trouble: Option<Trouble>,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) written: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) waiting: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// 0 for none, otherwise one more than the place in [`Trouble::ALL`].
    trouble: AtomicU8,
}

pub(crate) fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
}

impl Counts {
    pub(crate) fn set_trouble(&self, trouble: Option<Trouble>) {
        let place = trouble.and_then(|it| Trouble::ALL.iter().position(|other| *other == it));
        let code = place.and_then(|place| u8::try_from(place + 1).ok()).unwrap_or(0);
        self.trouble.store(code, Ordering::Relaxed);
    }

    pub(crate) fn figures(&self) -> Figures {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let place = usize::from(self.trouble.load(Ordering::Relaxed));
        Figures {
            written: load(&self.written),
            batches: load(&self.batches),
            dropped: load(&self.dropped),
            lost: load(&self.lost),
            rejected: load(&self.rejected),
            waiting: load(&self.waiting),
            bytes: load(&self.bytes),
            trouble: place.checked_sub(1).and_then(|place| Trouble::ALL.get(place).copied()),
        }
    }
}
