//! All of it, as JSON, a line each: for another program, or for a day on which this one is gone.

use crate::answer::Line;
use crate::db::Db;
use crate::error::Error;
use crate::keep::HOUR;
use crate::question::Question;
use crate::read::{ACTIONS, INCIDENTS, INTERVALS, MEMBERS, NOTES, PROBES, RESTARTS, TRANSITIONS, Table, USAGE};
use crate::store::{Result, Store, all};
use dixmgr_contract::Time;
use sqlx::AssertSqlSafe;

/// What is read in one go, in milliseconds.
const PIECE: i64 = HOUR;

impl Store {
    /// Everything of a window as JSON, a line each, with what had begun before it and lasts into it: `take` gets one line after the
    /// other, in the order of the tables and then of time. Samples come in all their resolutions. How many lines it were.
    ///
    /// # Errors
    /// The store cannot be read; or what `take` says, which ends it.
    pub async fn export(&self, question: &Question, mut take: impl FnMut(&str) -> std::io::Result<()>) -> Result<u64> {
        let mut lines = 0;
        let tables = [&TRANSITIONS, &INTERVALS, &RESTARTS, &INCIDENTS, &MEMBERS, &NOTES, &ACTIONS, &USAGE, &PROBES];
        let (mut db, version) = self.open().await?;
        for table in tables.into_iter().filter(|table| table.since <= version) {
            let step = if table.has_steps() { "u.step IN (0, 300000, 3600000) AND " } else { "" };
            for line in lasting((&mut db, version), table, question).await.map_err(|error| self.problem(&error))? {
                give(&line, &mut take)?;
                lines += 1;
            }
            let mut next = question.from;
            while let Some((from, to)) =
                piece(&mut db, table, next, question.to).await.map_err(|error| self.problem(&error))?
            {
                let part = Question { from, to, ..question.clone() };
                let (and, values) = part.condition(table, version);
                let at = table.at;
                let sql = format!("{} WHERE {step}{at} >= $1 AND {at} < $2{and} ORDER BY {at}", table.select);
                for line in all(&mut db, table, sql, values).await.map_err(|error| self.problem(&error))? {
                    give(&line, &mut take)?;
                    lines += 1;
                }
                next = to;
            }
        }
        db.close().await;
        Ok(lines)
    }
}

/// What of a table had begun before the window and lasts into it.
async fn lasting(
    (db, version): (&mut Db, i64),
    table: &Table,
    question: &Question,
) -> std::result::Result<Vec<Line>, sqlx::Error> {
    if !table.lasts() {
        return Ok(Vec::new());
    }
    let (and, values) = question.condition(table, version);
    // The window's end is a value that this does not need, and a server wants to know its type.
    let which = "began < $1 AND (ended IS NULL OR ended >= $1) AND $2 >= $1";
    all(db, table, format!("{} WHERE {which}{and} ORDER BY began", table.select), values).await
}

fn give(line: &Line, take: &mut impl FnMut(&str) -> std::io::Result<()>) -> Result<()> {
    let text = serde_json::to_string(line).map_err(|error| Error::Question(error.to_string()))?;
    take(&text).map_err(|error| Error::Question(format!("the export cannot be written: {error}")))
}

/// The next piece of a table that has anything in it. In pieces, because a transaction that lasts as long as somebody reads
/// keeps the write-ahead log from being taken into the file.
async fn piece(
    db: &mut Db,
    table: &Table,
    from: Time,
    to: Time,
) -> std::result::Result<Option<(Time, Time)>, sqlx::Error> {
    let (_, tables) = table.select.split_once(" FROM ").unwrap_or_default();
    let mut first: Option<i64> = None;
    let steps: &[&str] =
        if table.has_steps() { &["u.step = 0 AND ", "u.step = 300000 AND ", "u.step = 3600000 AND "] } else { &[""] };
    for step in steps {
        let at = table.at;
        let sql = format!("SELECT {at} FROM {tables} WHERE {step}{at} >= $1 AND {at} < $2 ORDER BY {at} LIMIT 1");
        let found = db.number(AssertSqlSafe(sql), vec![from.into(), to.into()]).await?;
        first = first.into_iter().chain(found).min();
    }
    Ok(first.map(Time::from_unix_millis).map(|first| {
        let end = Time::from_unix_millis(first.unix_millis() + PIECE);
        (first, end.min(to))
    }))
}
