//! Questions to the history: what happened to a service, how long it was up, which incidents there were, and all of it.
//!
//! Each question opens its own connection, which can change nothing, and answers at most so many rows: what asks may be a
//! person at a terminal beside a running dixmgr, or dixmgr's own page. Rejected: asking the writer. A question must not
//! wait behind it, and must be answered where no dixmgr runs.

use crate::answer::{Entry, Line, ServiceUptime};
use crate::db::{Db, Value};
use crate::error::Error;
use crate::keep::{FIVE_MINUTES, HOUR};
use crate::question::{MOST, Question};
use crate::read::{ACTIONS, INCIDENTS, INTERVALS, NOTES, PROBES, RESTARTS, TRANSITIONS, Table, USAGE};
use crate::record::Incident;
use crate::uptime::Meter;
use crate::write::ALIVE;
use crate::{State, Target, schema};
use dixmgr_contract::{Span, Time};
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;

/// A mark that is older says that its dixmgr does not run: three times as old as it gets.
const SILENT: Span = Span::from_secs(180);

/// The history, to be read.
#[derive(Clone, Debug)]
pub struct Store {
    target: Target,
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Store {
    /// Nothing is opened yet.
    pub const fn new(target: Target) -> Self {
        Self { target }
    }

    pub(crate) const fn target(&self) -> &Target {
        &self.target
    }

    /// The store, and the version of its schema: what a newer dixmgr will bring up may be asked before that.
    pub(crate) async fn open(&self) -> Result<(Db, i64)> {
        if let Some(path) = self.target.path().filter(|path| !path.exists()) {
            return Err(Error::Nothing(path.to_owned()));
        }
        let mut db = Db::to_read(&self.target).await.map_err(|error| self.problem(&error))?;
        match schema::check(&mut db).await {
            Ok(version) if version > 0 => Ok((db, version)),
            Ok(_) => Err(Error::Question(format!("there is no history in {} yet", self.target))),
            Err(error) => Err(self.problem(&error)),
        }
    }

    pub(crate) fn problem(&self, error: &sqlx::Error) -> Error {
        Error::new(&self.target, error)
    }

    /// What happened: transitions, restarts, incidents, notes and actions, the newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn timeline(&self, question: &Question) -> Result<Vec<Line>> {
        let (mut db, version) = self.open().await?;
        let mut lines = Vec::new();
        for table in [&TRANSITIONS, &RESTARTS, &INCIDENTS, &NOTES, &ACTIONS] {
            let found = newest((&mut db, version), table, question, "").await;
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
        let (mut db, version) = self.open().await?;
        let (and, values) = question.condition(&INCIDENTS, version);
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

    /// Samples of a window, the oldest first: usage, then probes. `step` is rounded up to what is kept: as they came (zero),
    /// five minutes, an hour. Of each as many as the limit, the newest.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn samples(&self, question: &Question, step: Span) -> Result<Vec<Line>> {
        let step = match i64::try_from(step.as_millis()).unwrap_or(HOUR) {
            0 => 0,
            millis if millis < HOUR => FIVE_MINUTES,
            _ => HOUR,
        };
        let (mut db, version) = self.open().await?;
        let mut lines = Vec::new();
        for table in [&USAGE, &PROBES] {
            let found = newest((&mut db, version), table, question, &format!("u.step = {step} AND ")).await;
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
        let (mut db, version) = self.open().await?;
        let found = uptime((&mut db, version), question, now).await.map_err(|error| self.problem(&error))?;
        db.close().await;
        Ok(found)
    }
}

async fn newest(
    (db, version): (&mut Db, i64),
    table: &Table,
    question: &Question,
    before: &str,
) -> std::result::Result<Vec<Line>, sqlx::Error> {
    let (and, values) = question.condition(table, version);
    let (at, limit) = (table.at, question.limit.clamp(1, MOST));
    let sql = format!("{} WHERE {before}{at} >= $1 AND {at} < $2{and} ORDER BY {at} DESC LIMIT {limit}", table.select);
    all(db, table, sql, values).await
}

pub(crate) async fn all(
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

async fn uptime(
    (db, version): (&mut Db, i64),
    question: &Question,
    now: Time,
) -> std::result::Result<Vec<ServiceUptime>, sqlx::Error> {
    let mut alive = BTreeMap::new();
    db.each("SELECT host, at FROM marks WHERE name = $1", vec![ALIVE.into()], |row| {
        alive.insert(row.text(0)?, row.time(1)?);
        Ok(())
    })
    .await?;
    let (and, values) = question.condition(&INTERVALS, version);
    // With the last of each service before the window of which anything is known.
    let sql = format!(
        "SELECT host, service, began, ended, state FROM intervals \
         WHERE began < $2 AND (ended IS NULL OR ended > $1 OR began = (SELECT MAX(last.began) FROM intervals AS last \
         WHERE last.host = intervals.host AND last.service = intervals.service AND last.began < $1 \
         AND last.ended <= $1 AND last.state <> 'unknown')){and} ORDER BY host, service, began"
    );
    let (to, mut found) = (question.to.min(now), Vec::new());
    let mut meter: Option<(String, String, Meter)> = None;
    db.each(AssertSqlSafe(sql), values, |row| {
        let (host, service) = (row.text(0)?, row.text(1)?);
        if let Some((host, service, done)) = meter.take_if(|(of, name, _)| *of != host || *name != service) {
            found.extend(done.is_watched().then(|| answer(host, service, done)));
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
    let last = meter.filter(|(_, _, meter)| meter.is_watched());
    found.extend(last.map(|(host, service, meter)| answer(host, service, meter)));
    Ok(found)
}

fn answer(host: String, service: String, meter: Meter) -> ServiceUptime {
    let uptime = meter.done();
    let (percent, mtbf, mttr) = (uptime.percent(), uptime.mtbf(), uptime.mttr());
    ServiceUptime { host, service, uptime, percent, mtbf, mttr }
}
