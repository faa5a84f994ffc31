//! Questions to the history: what happened to a service, how long it was up, which incidents there were, and all of it.
//!
//! Each question opens its own connection, which can change nothing, and answers at most so many rows: what asks may be a
//! person at a terminal beside a running dixmgr, or dixmgr's own page. Rejected: asking the writer. A question must not
//! wait behind it, and must be answered where no dixmgr runs.

use crate::answer::{Entry, Line, ServiceUptime};
use crate::db::{Db, Value};
use crate::error::Error;
use crate::keep::{FIVE_MINUTES, HOUR};
use crate::read::{ACTIONS, INCIDENTS, INTERVALS, NOTES, PROBES, RESTARTS, TRANSITIONS, Table, USAGE};
use crate::record::Incident;
use crate::uptime::Meter;
use crate::write::ALIVE;
use crate::{State, Target, schema};
use dixmgr_contract::{Span, Time};
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;

/// At most so many rows are an answer.
pub const MOST: usize = 10_000;
/// A mark that is older says that its dixmgr does not run: three times as old as it gets.
const SILENT: Span = Span::from_secs(180);
/// What is read in one go of an export.
const PIECE: i64 = HOUR;

/// What is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// This service; all if absent.
    pub service: Option<String>,
    /// This host; all if absent.
    pub host: Option<String>,
    /// From here.
    pub from: Time,
    /// To before here.
    pub to: Time,
    /// At most so many rows, the newest; 1 to [`MOST`].
    pub limit: usize,
}

impl Question {
    /// Everything from `from` to before `to`.
    pub fn between(from: Time, to: Time) -> Self {
        Self { from, to, limit: MOST, ..Self::default() }
    }

    /// The same about one service.
    pub fn of(mut self, service: &str) -> Self {
        self.service = Some(service.to_owned());
        self
    }

    /// A condition on a table, and the values in it; the first two are the window.
    fn condition(&self, service: &str, host: &str) -> (String, Vec<Value>) {
        let (mut sql, mut values) = (String::new(), vec![self.from.into(), self.to.into()]);
        for (column, wanted) in [(service, &self.service), (host, &self.host)] {
            if let Some(wanted) = wanted {
                values.push(wanted.into());
                sql += &format!(" AND {column} = ${}", values.len());
            }
        }
        (sql, values)
    }
}

/// The history, to be read.
#[derive(Clone, Debug)]
pub struct Store {
    target: Target,
}

type Result<T> = std::result::Result<T, Error>;

impl Store {
    /// Nothing is opened yet.
    pub const fn new(target: Target) -> Self {
        Self { target }
    }

    async fn open(&self) -> Result<Db> {
        if let Some(path) = self.target.path().filter(|path| !path.exists()) {
            return Err(Error::Nothing(path.to_owned()));
        }
        let mut db = Db::to_read(&self.target).await.map_err(|error| self.problem(&error))?;
        match schema::check(&mut db).await {
            Ok(version) if version > 0 => Ok(db),
            Ok(_) => Err(Error::Question(format!("there is no history in {} yet", self.target))),
            Err(error) => Err(self.problem(&error)),
        }
    }

    fn problem(&self, error: &sqlx::Error) -> Error {
        Error::new(&self.target, error)
    }

    /// What happened: transitions, restarts, incidents, notes and actions, the newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn timeline(&self, question: &Question) -> Result<Vec<Line>> {
        let mut db = self.open().await?;
        let mut lines = Vec::new();
        for table in [&TRANSITIONS, &RESTARTS, &INCIDENTS, &NOTES, &ACTIONS] {
            let found = newest(&mut db, table, question, "").await;
            lines.extend(found.map_err(|error| self.problem(&error))?);
        }
        db.close().await;
        lines.sort_by_key(|line| std::cmp::Reverse(line.entry.at()));
        lines.truncate(question.limit.clamp(1, MOST));
        Ok(lines)
    }

    /// Incidents that lasted at some time in the window, the newest first, each with the host that recorded it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn incidents(&self, question: &Question) -> Result<Vec<(String, Incident)>> {
        let mut db = self.open().await?;
        let (and, values) = question.condition("service", "host");
        let limit = question.limit.clamp(1, MOST);
        let sql = format!(
            "{} WHERE began < $2 AND (ended IS NULL OR ended >= $1){and} ORDER BY began DESC LIMIT {limit}",
            INCIDENTS.select
        );
        let lines = all(&mut db, &INCIDENTS, sql, values).await.map_err(|error| self.problem(&error))?;
        db.close().await;
        let incident = |line: Line| match line.entry {
            Entry::Incident(it) => Some((line.host, it)),
            _ => None,
        };
        Ok(lines.into_iter().filter_map(incident).collect())
    }

    /// Samples of a window, the oldest first, at the resolution that is kept for all of it and answers at most
    /// [`MOST`] rows a service: usage, then probes.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn samples(&self, question: &Question, step: Span) -> Result<Vec<Line>> {
        let step = match i64::try_from(step.as_millis()).unwrap_or(HOUR) {
            0 => 0,
            millis if millis < HOUR => FIVE_MINUTES,
            _ => HOUR,
        };
        let mut db = self.open().await?;
        let mut lines = Vec::new();
        for table in [&USAGE, &PROBES] {
            let found = newest(&mut db, table, question, &format!("u.step = {step} AND ")).await;
            lines.extend(found.map_err(|error| self.problem(&error))?.into_iter().rev());
        }
        db.close().await;
        Ok(lines)
    }

    /// The uptime of each service, by host and name. `now` tells a host whose dixmgr runs from one whose does not.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn uptime(&self, question: &Question, now: Time) -> Result<Vec<ServiceUptime>> {
        let mut db = self.open().await?;
        let found = uptime(&mut db, question, now).await.map_err(|error| self.problem(&error))?;
        db.close().await;
        Ok(found)
    }

    /// Everything of a window as JSON, a line each: `take` gets one line after the other, in the order of the tables and then of
    /// time. Samples come in all their resolutions. How many lines it were.
    ///
    /// # Errors
    /// The store cannot be read; or what `take` says, which ends it.
    pub async fn export(&self, question: &Question, mut take: impl FnMut(&str) -> std::io::Result<()>) -> Result<u64> {
        let mut lines = 0;
        let tables = [&TRANSITIONS, &INTERVALS, &RESTARTS, &INCIDENTS, &NOTES, &ACTIONS, &USAGE, &PROBES];
        let mut db = self.open().await?;
        for table in tables {
            let step = if table.at == "u.at" { "u.step IN (0, 300000, 3600000) AND " } else { "" };
            let mut next = question.from;
            while let Some((from, to)) = piece(&mut db, table, next, question.to).await.map_err(|e| self.problem(&e))? {
                let part = Question { from, to, ..question.clone() };
                let (and, values) = part.condition(table.service, host_of(table));
                let at = table.at;
                let sql = format!("{} WHERE {step}{at} >= $1 AND {at} < $2{and} ORDER BY {at}", table.select);
                for line in all(&mut db, table, sql, values).await.map_err(|error| self.problem(&error))? {
                    let text = serde_json::to_string(&line).map_err(|error| Error::Question(error.to_string()))?;
                    take(&text).map_err(|error| Error::Question(format!("the export cannot be written: {error}")))?;
                    lines += 1;
                }
                next = to;
            }
        }
        db.close().await;
        Ok(lines)
    }
}

fn host_of(table: &Table) -> &'static str {
    if table.at == "u.at" { "s.host" } else { "host" }
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
        if table.at == "u.at" { &["u.step = 0 AND ", "u.step = 300000 AND ", "u.step = 3600000 AND "] } else { &[""] };
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

async fn newest(
    db: &mut Db,
    table: &Table,
    question: &Question,
    before: &str,
) -> std::result::Result<Vec<Line>, sqlx::Error> {
    let (and, values) = question.condition(table.service, host_of(table));
    let (at, limit) = (table.at, question.limit.clamp(1, MOST));
    let sql = format!("{} WHERE {before}{at} >= $1 AND {at} < $2{and} ORDER BY {at} DESC LIMIT {limit}", table.select);
    all(db, table, sql, values).await
}

async fn all(
    db: &mut Db,
    table: &Table,
    sql: String,
    values: Vec<Value>,
) -> std::result::Result<Vec<Line>, sqlx::Error> {
    let mut lines = Vec::new();
    db.each(AssertSqlSafe(sql), values, |row| {
        lines.push(Line { host: row.text(0)?, entry: (table.read)(row)? });
        Ok(())
    })
    .await?;
    Ok(lines)
}

async fn uptime(db: &mut Db, question: &Question, now: Time) -> std::result::Result<Vec<ServiceUptime>, sqlx::Error> {
    let mut alive = BTreeMap::new();
    db.each("SELECT host, at FROM marks WHERE name = $1", vec![ALIVE.into()], |row| {
        alive.insert(row.text(0)?, row.time(1)?);
        Ok(())
    })
    .await?;
    let (and, values) = question.condition("service", "host");
    let sql = format!(
        "SELECT host, service, began, ended, state FROM intervals \
         WHERE began < $2 AND (ended IS NULL OR ended > $1){and} ORDER BY host, service, began"
    );
    let (to, mut found) = (question.to.min(now), Vec::new());
    let mut meter: Option<(String, String, Meter)> = None;
    db.each(AssertSqlSafe(sql), values, |row| {
        let (host, service) = (row.text(0)?, row.text(1)?);
        if let Some((host, service, done)) = meter.take_if(|(of, name, _)| *of != host || *name != service) {
            found.push(answer(host, service, done));
        }
        let silent = alive.get(&host).filter(|mark| now.since(**mark) > SILENT);
        let (_, _, meter) = meter.get_or_insert_with(|| (host, service, Meter::new(question.from, to)));
        let (began, state) = (row.time(2)?, State::from_word(&row.text(4)?));
        match (row.maybe_time(3)?, silent) {
            // Nobody has said how it went on.
            (None, Some(mark)) => {
                meter.add(state, began, Some(began.max(*mark)));
                meter.add(State::Unknown, began.max(*mark), None);
            }
            (ended, _) => meter.add(state, began, ended),
        }
        Ok(())
    })
    .await?;
    found.extend(meter.map(|(host, service, meter)| answer(host, service, meter)));
    Ok(found)
}

fn answer(host: String, service: String, meter: Meter) -> ServiceUptime {
    let uptime = meter.done();
    let (percent, mtbf, mttr) = (uptime.percent(), uptime.mtbf(), uptime.mttr());
    ServiceUptime { host, service, uptime, percent, mtbf, mttr }
}
