//! What the writer does to the store, without knowing when: open it, write what waits, step through the upkeep, and put up
//! with what goes wrong.

use crate::aside::set_aside;
use crate::db::Db;
use crate::error::{Error, Trouble, is_row, trouble};
use crate::notice::{Notice, add};
use crate::record::Record;
use crate::recorder::{Numbered, Shared};
use crate::ring::{Ring, Row};
use crate::tracker::Tracker;
use crate::upkeep::{self, Step};
use crate::write::{ALIVE, Series, bridge, mark, marked, write};
use crate::writer::{BATCH, Options, set_waiting};
use crate::{Keep, schema};
use dixmgr_contract::{Span, Time};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Events that are kept in memory while the store cannot be written: a few MiB, if each is as long as most are.
const MOST_EVENTS: usize = 20_000;
/// Samples that are.
const MOST_SAMPLES: usize = 20_000;
/// How often the mark is moved at most, unless events move it.
const MARK_EVERY: Span = Span::from_secs(60);
/// A new file that is damaged this soon after the last one is no matter of the file.
const AGAIN: Span = Span::from_secs(60);
const NOT_RUNNING: &str = "dixmgr did not run";
const NOT_WRITTEN: &str = "the history could not be written";
/// SQLite's own default.
const PAGE: u64 = 4096;

type Result<T> = std::result::Result<T, sqlx::Error>;

pub(crate) struct Desk {
    options: Options,
    keep: Keep,
    started: Time,
    shared: Arc<Shared>,
    ring: Ring,
    tracker: Tracker,
    db: Option<Db>,
    series: Series,
    /// The time before this start has been accounted for.
    bridged: bool,
    /// The states of all services are to be written into a new file.
    anew: bool,
    marked: Option<Time>,
    mark_due: bool,
    set_aside: Option<Time>,
    /// There was no space: what can be given up is, before the next try.
    cramped: bool,
    /// What was told last, and how much was lost by then.
    trouble: Option<(Trouble, u64)>,
}

impl Desk {
    pub(crate) fn new(options: Options, started: Time, shared: Arc<Shared>) -> Self {
        Self {
            keep: options.keep.bounded(),
            options,
            started,
            shared,
            ring: Ring::new(MOST_EVENTS, MOST_SAMPLES),
            tracker: Tracker::default(),
            db: None,
            series: Series::default(),
            bridged: false,
            anew: false,
            marked: None,
            mark_due: true,
            set_aside: None,
            cramped: false,
            trouble: None,
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.ring.len()
    }

    pub(crate) fn has_events(&self) -> bool {
        self.ring.has_events()
    }

    pub(crate) const fn mark_due(&mut self) {
        self.mark_due = true;
    }

    /// Takes records in, and then what did not fit the queue before.
    pub(crate) fn take(&mut self, records: impl Iterator<Item = Numbered>) {
        for (seq, record) in records {
            self.push(seq, record);
        }
        for (seq, record) in self.shared.take_slots() {
            self.push(seq, record);
        }
        set_waiting(&self.shared.counts, self.ring.len());
    }

    fn push(&mut self, seq: i64, record: Record) {
        let moved = match &record {
            Record::Transition(it) => self.tracker.take(seq, it),
            _ => None,
        };
        for row in [Some(Row::Record(seq, record)), moved.map(Row::Move)].into_iter().flatten() {
            add(&self.shared.counts.lost, usize::from(self.ring.push(row)));
        }
    }

    /// Writes at most so many batches. True if nothing is left; an error has been told already.
    pub(crate) async fn write(&mut self, batches: usize) -> std::result::Result<bool, ()> {
        for _ in 0..batches {
            if self.ring.len() == 0 && !self.mark_due && self.db.is_some() {
                break;
            }
            if let Err(error) = self.batch().await
                && !self.failed(&error).await
            {
                return Err(());
            }
        }
        if let Some((_, lost)) = self.trouble.take() {
            self.shared.counts.set_trouble(None);
            let lost = self.shared.counts.lost.load(Ordering::Relaxed) - lost;
            (self.options.tell)(&Notice::Recovered { lost });
        }
        Ok(self.ring.len() == 0)
    }

    async fn batch(&mut self) -> Result<()> {
        let now = (self.options.clock)();
        self.ready(now).await?;
        let Some(db) = self.db.as_mut() else { return Ok(()) };
        let (rows, taken) = self.ring.front(BATCH);
        let moves_mark = self.mark_due
            || taken.has_events()
            || self.marked.is_none_or(|last| now < last || now.since(last) >= MARK_EVERY);
        let host = self.options.host.as_str();
        db.begin().await?;
        let outcome = async {
            write(db, host, &mut self.series, &rows).await?;
            if moves_mark { mark(db, host, ALIVE, now).await } else { Ok(()) }
        }
        .await;
        match db.end(outcome).await {
            Err(error) if is_row(&error) => self.one_by_one(taken.len()).await?,
            Err(error) => return Err(error),
            Ok(()) => {
                add(&self.shared.counts.written, taken.len());
                add(&self.shared.counts.batches, usize::from(taken.len() > 0));
                self.ring.pop(taken);
            }
        }
        if moves_mark {
            (self.marked, self.mark_due) = (Some(now), false);
        }
        set_waiting(&self.shared.counts, self.ring.len());
        Ok(())
    }

    /// One of these rows cannot be written, ever: the others can.
    async fn one_by_one(&mut self, rows: usize) -> Result<()> {
        self.series = Series::default();
        let host = self.options.host.as_str();
        for _ in 0..rows {
            let (row, taken) = self.ring.front(1);
            let Some(db) = self.db.as_mut() else { return Ok(()) };
            db.begin().await?;
            let outcome = write(db, host, &mut self.series, &row).await;
            match db.end(outcome).await {
                Ok(()) => add(&self.shared.counts.written, 1),
                Err(error) if is_row(&error) => {
                    self.series = Series::default();
                    add(&self.shared.counts.rejected, 1);
                }
                Err(error) => return Err(error),
            }
            self.ring.pop(taken);
        }
        Ok(())
    }

    /// Opens the store if it is not, and accounts for time of which nothing is known.
    async fn ready(&mut self, now: Time) -> Result<()> {
        let host = self.options.host.as_str();
        if self.db.is_none() {
            let db = Db::to_write(&self.options.target, self.keep.bytes / PAGE * 5 / 4).await?;
            let db = self.db.insert(db);
            schema::migrate(db, now).await?;
            self.series = Series::load(db, host).await?;
            let mut step = std::mem::take(&mut self.cramped).then_some(Step::SHRINK);
            while let Some(next) = step {
                step = upkeep::take(next, db, host, &self.keep, now).await?;
            }
        }
        let gap = self.ring.gap();
        let Some(db) = self.db.as_mut().filter(|_| !self.bridged || self.anew || gap.is_some()) else {
            return Ok(());
        };
        let known = marked(db, host, ALIVE).await?;
        let from = if self.bridged { gap } else { known };
        let (to, cause) = if gap.is_some() { (now, NOT_WRITTEN) } else { (self.started, NOT_RUNNING) };
        let again = if gap.is_some() || self.anew { self.tracker.again(gap.map(|_| now)) } else { Vec::new() };
        let again: Vec<_> = again.into_iter().map(Row::Move).collect();
        db.begin().await?;
        let outcome = async {
            if let Some(from) = from {
                bridge(db, host, from.min(to), to, cause).await?;
            }
            write(db, host, &mut self.series, &again.iter().collect::<Vec<_>>()).await
        }
        .await;
        db.end(outcome).await?;
        if gap.is_some() || self.anew {
            self.ring.drop_moves();
        }
        (self.bridged, self.anew) = (true, false);
        Ok(())
    }

    /// One step of the upkeep; what is left of it. An error has been told already.
    pub(crate) async fn upkeep(&mut self, step: Step) -> std::result::Result<Option<Step>, ()> {
        let Some(db) = self.db.as_mut() else { return Ok(None) };
        let now = (self.options.clock)();
        let mut outcome = upkeep::take(step, db, self.options.host.as_str(), &self.keep, now).await;
        if matches!((step, &outcome), (Step::Vacuum(_), Ok(_))) && db.is_file() {
            match upkeep::used(db).await {
                Ok(bytes) => self.shared.counts.bytes.store(bytes, Ordering::Relaxed),
                Err(error) => outcome = Err(error),
            }
        }
        match outcome {
            Ok(left) => Ok(left),
            Err(error) => {
                self.failed(&error).await;
                Err(())
            }
        }
    }

    /// Tells what is wrong, once, and gives the connection up: the next try opens another. True if that is worth trying at
    /// once, because a damaged file is out of the way.
    async fn failed(&mut self, error: &sqlx::Error) -> bool {
        // Before the file is moved: SQLite deletes the log of a file that it closes, by its name.
        self.close().await;
        self.series = Series::default();
        let found = Error::new(&self.options.target, error);
        let now = (self.options.clock)();
        let kind = trouble(error);
        if kind == Trouble::Corrupt && self.move_aside(&found, now) {
            return true;
        }
        self.cramped |= kind == Trouble::Full;
        let lost = self.shared.counts.lost.load(Ordering::Relaxed);
        let before = self.trouble.map_or(lost, |(_, lost)| lost);
        if self.trouble.is_none_or(|(known, _)| known != kind) {
            let waiting = u64::try_from(self.ring.len()).unwrap_or(u64::MAX);
            (self.options.tell)(&Notice::Degraded { error: found, waiting });
        }
        self.trouble = Some((kind, before));
        self.shared.counts.set_trouble(Some(kind));
        false
    }

    fn move_aside(&mut self, error: &Error, now: Time) -> bool {
        let Some(path) = self.options.target.path() else { return false };
        if self.set_aside.is_some_and(|last| now.since(last) < AGAIN) {
            return false;
        }
        let Ok(aside) = set_aside(path, now) else { return false };
        self.set_aside = Some(now);
        self.anew = true;
        let detail = match error {
            Error::Store { detail, .. } => detail.clone(),
            other => other.to_string(),
        };
        (self.options.tell)(&Notice::SetAside { aside, detail });
        true
    }

    /// Closes the connection in good order.
    pub(crate) async fn close(&mut self) {
        if let Some(db) = self.db.take() {
            db.close().await;
        }
    }
}
