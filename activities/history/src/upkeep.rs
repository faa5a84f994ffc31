//! Summing up and forgetting, in steps of one short transaction each: between two of them the writer writes what has come.

use crate::db::{Db, Value};
use crate::keep::{FIVE_MINUTES, HOUR, Keep, Part, Rolled, cut, due, shrink, slice};
use crate::write::{mark, marked};
use dixmgr_contract::Time;
use sqlx::AssertSqlSafe;

type Result<T> = std::result::Result<T, sqlx::Error>;

const ROLL_USAGE: &str = "INSERT INTO usage \
    (step, at, series, samples, cpu, cpu_max, memory, memory_max, disk_read, disk_write) \
    SELECT $1, at - at % $1, series, CAST(SUM(samples) AS BIGINT), SUM(cpu * samples) / SUM(samples), \
    MAX(COALESCE(cpu_max, cpu)), SUM(memory * samples) / SUM(samples), MAX(COALESCE(memory_max, memory)), \
    SUM(disk_read * samples) / SUM(samples), SUM(disk_write * samples) / SUM(samples) \
    FROM usage WHERE step = $2 AND at >= $3 AND at < $4 AND series IN (SELECT id FROM series WHERE host = $5) \
    GROUP BY 2, series ON CONFLICT (step, at, series) DO UPDATE SET samples = excluded.samples, cpu = excluded.cpu, \
    cpu_max = excluded.cpu_max, memory = excluded.memory, memory_max = excluded.memory_max, \
    disk_read = excluded.disk_read, disk_write = excluded.disk_write";
const ROLL_PROBES: &str = "INSERT INTO probes (step, at, series, samples, failed, took, took_max) \
    SELECT $1, at - at % $1, series, CAST(SUM(samples) AS BIGINT), CAST(SUM(failed) AS BIGINT), \
    SUM(took * samples) / SUM(samples), MAX(COALESCE(took_max, took)) \
    FROM probes WHERE step = $2 AND at >= $3 AND at < $4 AND series IN (SELECT id FROM series WHERE host = $5) \
    GROUP BY 2, series ON CONFLICT (step, at, series) DO UPDATE SET samples = excluded.samples, \
    failed = excluded.failed, took = excluded.took, took_max = excluded.took_max";
/// Tables of events and the column by which they age. What never ends is forgotten when nothing was heard of it for so long, but an
/// interval lasts until another one begins.
const EVENTS: [(&str, &str); 7] = [
    ("transitions", "at"),
    ("restarts", "at"),
    ("actions", "at"),
    ("notes", "at"),
    ("members", "at"),
    ("incidents", "COALESCE(ended, updated)"),
    ("intervals", "ended"),
];
const SAMPLES: [&str; 2] = ["usage", "probes"];
/// Pages that are given back to the disk in one transaction.
const PAGES: &str = "PRAGMA incremental_vacuum(1000)";
/// One host at a time forgets what is old of all hosts; another one leaves it at that. (Two more than "dixm" in ASCII.)
const MY_TURN: &str = "SELECT CAST(CASE WHEN pg_try_advisory_xact_lock(1684633711) THEN 1 ELSE 0 END AS BIGINT)";
/// More rounds than it takes to give up everything that can be.
const ROUNDS: u8 = 60;

/// One step of the upkeep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Sums up to so many milliseconds.
    Roll(i64),
    Cut(Part),
    /// Gives up what is too much; the rounds that are left for it.
    Shrink(u8),
    /// Gives pages back to the disk; the rounds that are left for it.
    Vacuum(u8),
}

impl Step {
    /// Gives up what is too much.
    pub(crate) const SHRINK: Self = Self::Shrink(ROUNDS);

    /// All, in their order.
    pub(crate) const fn all() -> [Self; 8] {
        [
            Self::Roll(FIVE_MINUTES),
            Self::Roll(HOUR),
            Self::Cut(Part::Raw),
            Self::Cut(Part::FiveMinutes),
            Self::Cut(Part::Hours),
            Self::Cut(Part::Events),
            Self::SHRINK,
            Self::Vacuum(ROUNDS),
        ]
    }
}

/// Takes one step; what of it is left, if anything.
pub(crate) async fn take(step: Step, db: &mut Db, host: &str, keep: &Keep, now: Time) -> Result<Option<Step>> {
    match step {
        Step::Roll(to) => Ok(roll(db, host, to, now).await?.then_some(step)),
        Step::Cut(part) => {
            let before = cut(part, keep, rolled(db, host).await?, now);
            Ok(forget(db, part, before).await?.then_some(step))
        }
        Step::Shrink(rounds) => {
            if !db.is_file() || rounds == 0 || used(db).await? <= keep.bytes {
                return Ok(None);
            }
            let mut ages = [None; 4];
            for (age, part) in ages.iter_mut().zip(Part::ALL) {
                *age = oldest(db, part).await?;
            }
            let Some((part, before)) = shrink(ages, now) else { return Ok(None) };
            while forget(db, part, before).await? {}
            Ok(Some(Step::Shrink(rounds - 1)))
        }
        Step::Vacuum(rounds) => {
            if !db.is_file() || rounds == 0 || pragma(db, "PRAGMA freelist_count").await? < 2_000 {
                return Ok(None);
            }
            db.script(PAGES).await?;
            Ok(Some(Step::Vacuum(rounds - 1)))
        }
    }
}

/// Bytes in use: the file without the pages that are free.
pub(crate) async fn used(db: &mut Db) -> Result<u64> {
    let pages = pragma(db, "PRAGMA page_count").await?.saturating_sub(pragma(db, "PRAGMA freelist_count").await?);
    Ok(pages.saturating_mul(pragma(db, "PRAGMA page_size").await?))
}

async fn pragma(db: &mut Db, sql: &'static str) -> Result<u64> {
    Ok(db.number(sql, Vec::new()).await?.and_then(|number| u64::try_from(number).ok()).unwrap_or(0))
}

const fn mark_of(step: i64) -> &'static str {
    if step == HOUR { "rolled_1h" } else { "rolled_5m" }
}

async fn rolled(db: &mut Db, host: &str) -> Result<Rolled> {
    let five_minutes = marked(db, host, mark_of(FIVE_MINUTES)).await?.map(Time::unix_millis);
    Ok(Rolled { five_minutes, hours: marked(db, host, mark_of(HOUR)).await?.map(Time::unix_millis) })
}

/// Sums up a piece; true if there was one, and so may be another.
async fn roll(db: &mut Db, host: &str, step: i64, now: Time) -> Result<bool> {
    let source = if step == HOUR { Part::FiveMinutes } else { Part::Raw };
    let Some((from, to)) = due(step, rolled(db, host).await?, oldest(db, source).await?, now) else {
        return Ok(false);
    };
    db.begin().await?;
    let outcome = async {
        for sql in [ROLL_USAGE, ROLL_PROBES] {
            let mut values: Vec<_> = [step, source.step().unwrap_or(0), from, to].map(Value::Int).into();
            values.push(host.into());
            db.run(sql, values).await?;
        }
        mark(db, host, mark_of(step), Time::from_unix_millis(to)).await
    }
    .await;
    db.end(outcome).await.map(|()| true)
}

async fn oldest(db: &mut Db, part: Part) -> Result<Option<i64>> {
    let mut found: Option<i64> = None;
    let mut queries = Vec::new();
    match part.step() {
        Some(step) => {
            for table in SAMPLES {
                let sql = format!("SELECT at FROM {table} WHERE step = $1 ORDER BY at LIMIT 1");
                queries.push((sql, vec![Value::Int(step)]));
            }
        }
        None => {
            for (table, column) in EVENTS {
                queries.push((format!("SELECT MIN({column}) FROM {table}"), Vec::new()));
            }
        }
    }
    for (sql, values) in queries {
        let oldest = db.number(AssertSqlSafe(sql), values).await?;
        found = found.into_iter().chain(oldest).min();
    }
    Ok(found)
}

/// Deletes a slice of what is older; true if there is more.
async fn forget(db: &mut Db, part: Part, before: i64) -> Result<bool> {
    let Some(oldest) = oldest(db, part).await?.filter(|oldest| *oldest < before) else { return Ok(false) };
    let until = slice(part, oldest, before);
    db.begin().await?;
    let outcome = async {
        if !db.is_file() && db.number(MY_TURN, Vec::new()).await? != Some(1) {
            return Ok(false);
        }
        match part.step() {
            Some(step) => {
                for table in SAMPLES {
                    let sql = format!("DELETE FROM {table} WHERE step = $1 AND at < $2");
                    db.run(AssertSqlSafe(sql), vec![Value::Int(step), Value::Int(until)]).await?;
                }
            }
            None => {
                for (table, column) in EVENTS {
                    let sql = format!("DELETE FROM {table} WHERE {column} < $1");
                    db.run(AssertSqlSafe(sql), vec![Value::Int(until)]).await?;
                }
            }
        }
        Ok(until < before)
    }
    .await;
    db.end(outcome).await
}
