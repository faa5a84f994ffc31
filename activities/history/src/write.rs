//! Rows into statements: many rows of one kind are one statement, and all rows of a batch one transaction.
//!
//! Writing a batch twice does no harm, because nobody can know whether a COMMIT that was not answered was carried out: events
//! have numbers, intervals their beginnings, samples their times.

use crate::db::{Db, Value};
use crate::record::{Incident, Record, Told};
use crate::ring::Row;
use crate::tracker::Move;
use dixmgr_contract::Time;
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// How many rows go into a statement; the fewer texts, the more often a prepared one is used again.
const SIZES: [usize; 3] = [64, 8, 1];
/// More series than a host has: beyond it the numbers are looked up anew.
const MOST_SERIES: usize = 100_000;

/// A table and its columns, to insert many rows.
struct Table {
    into: &'static str,
    columns: usize,
}

const TRANSITIONS: Table = Table { into: "transitions (host, seq, at, service, state, phase, reason)", columns: 7 };
const RESTARTS: Table = Table { into: "restarts (host, seq, at, service, reason, result, detail, took)", columns: 8 };
const ACTIONS: Table = Table { into: "actions (host, seq, at, service, who, action, detail, result)", columns: 8 };
const MEMBERS: Table = Table { into: "members (incident, service, at, host)", columns: 4 };
const USAGE: Table =
    Table { into: "usage (step, at, series, samples, cpu, memory, disk_read, disk_write)", columns: 8 };
const PROBES: Table = Table { into: "probes (step, at, series, samples, failed, took)", columns: 6 };

const INCIDENT: &str = "INSERT INTO incidents \
    (id, began, updated, ended, host, alert, severity, service, title, members, acknowledged_by) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id, began) DO UPDATE SET \
    updated = excluded.updated, ended = excluded.ended, host = excluded.host, alert = excluded.alert, \
    severity = excluded.severity, service = excluded.service, title = excluded.title, members = excluded.members, \
    acknowledged_by = excluded.acknowledged_by WHERE excluded.updated >= incidents.updated";
const NOTE: &str = "INSERT INTO notes \
    (id, incident, sequence, at, host, channel, why, alert, severity, service, title, outcome, detail, tries) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (id) DO UPDATE SET \
    at = excluded.at, host = excluded.host, channel = excluded.channel, outcome = excluded.outcome, \
    detail = excluded.detail, tries = excluded.tries WHERE excluded.at >= notes.at";
const CLOSE: &str = "UPDATE intervals SET ended = $1 WHERE host = $2 AND service = $3 AND ended IS NULL AND began < $1";
const OPEN: &str = "INSERT INTO intervals (host, service, began, state, cause) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (host, service, began) DO UPDATE SET ended = NULL, state = excluded.state, cause = excluded.cause";
const MARK: &str = "INSERT INTO marks (host, name, at) VALUES ($1, $2, $3) \
    ON CONFLICT (host, name) DO UPDATE SET at = excluded.at";

/// The mark of the last moment at which the writer is known to have lived.
pub(crate) const ALIVE: &str = "alive";

/// The numbers of series, as far as they are known.
#[derive(Default)]
pub(crate) struct Series {
    /// By service and probe.
    known: BTreeMap<String, BTreeMap<String, i64>>,
    count: usize,
}

impl Series {
    /// Those of the host, all at once.
    pub(crate) async fn load(db: &mut Db, host: &str) -> Result<Self> {
        let mut series = Self::default();
        let sql = "SELECT id, service, probe FROM series WHERE host = $1 LIMIT 100000";
        db.each(sql, vec![host.into()], |row| {
            series.insert(row.text(1)?, row.text(2)?, row.int(0)?);
            Ok(())
        })
        .await?;
        Ok(series)
    }

    fn insert(&mut self, service: String, probe: String, id: i64) {
        self.count += 1;
        self.known.entry(service).or_default().insert(probe, id);
    }

    async fn number(&mut self, db: &mut Db, host: &str, service: &str, probe: &str) -> Result<i64> {
        if let Some(id) = self.known.get(service).and_then(|probes| probes.get(probe)) {
            return Ok(*id);
        }
        let values = || vec![host.into(), service.into(), probe.into()];
        let sql = "INSERT INTO series (host, service, probe) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        db.run(sql, values()).await?;
        let sql = "SELECT id FROM series WHERE host = $1 AND service = $2 AND probe = $3";
        let id = db.number(sql, values()).await?.ok_or(sqlx::Error::RowNotFound)?;
        if self.count >= MOST_SERIES {
            *self = Self::default();
        }
        self.insert(service.to_owned(), probe.to_owned(), id);
        Ok(id)
    }
}

/// Writes a batch; the caller has begun a transaction.
pub(crate) async fn write(db: &mut Db, host: &str, series: &mut Series, rows: &[&Row]) -> Result<()> {
    let mut many: [Vec<Vec<Value>>; 6] = Default::default();
    for row in rows {
        match row {
            Row::Move(it) => go_over(db, host, it).await?,
            Row::Record(seq, Record::Transition(it)) => {
                let texts = [&it.service, it.state.as_str(), &it.phase, &it.reason];
                many[0].push(event(host, *seq, it.at, &texts));
            }
            Row::Record(seq, Record::Restart(it)) => {
                let mut values = event(host, *seq, it.at, &[&it.service, &it.reason, &it.result, &it.detail]);
                values.push(it.took.as_millis().into());
                many[1].push(values);
            }
            Row::Record(seq, Record::Action(it)) => {
                let texts = [&it.service, &it.who, &it.action, &it.detail, &it.result].map(String::as_str);
                many[2].push(event(host, *seq, it.at, &texts));
            }
            Row::Record(_, Record::Usage { service, at, usage, samples }) => {
                let id = series.number(db, host, service, "").await?;
                let cpu = (usage.cpu_percent * 100.0).round() / 100.0;
                let whole = [usage.memory, usage.disk_read, usage.disk_write].map(f64::round);
                many[3].push(sample(*at, id, *samples, [cpu].into_iter().chain(whole).map(Value::Real)));
            }
            Row::Record(_, Record::Probe { service, probe, at, ok, took }) => {
                let id = series.number(db, host, service, probe).await?;
                let millis = (took.duration().as_secs_f64() * 1e6).round() / 1e3;
                many[4].push(sample(*at, id, 1, [Value::Int(i64::from(!*ok)), Value::Real(millis)].into_iter()));
            }
            Row::Record(_, Record::Incident(it)) => {
                db.run(INCIDENT, incident(host, it)).await?;
            }
            Row::Record(_, Record::Member(it)) => {
                many[5].push(vec![(&it.incident).into(), (&it.service).into(), it.at.into(), host.into()]);
            }
            Row::Record(_, Record::Told(it)) => {
                db.run(NOTE, note(host, it)).await?;
            }
        }
    }
    for (table, rows) in [&TRANSITIONS, &RESTARTS, &ACTIONS, &USAGE, &PROBES, &MEMBERS].into_iter().zip(many) {
        insert(db, table, rows).await?;
    }
    Ok(())
}

fn event(host: &str, seq: i64, at: Time, texts: &[&str]) -> Vec<Value> {
    [host.into(), seq.into(), at.into()].into_iter().chain(texts.iter().map(|text| Value::from(*text))).collect()
}

/// As it came: step 0.
fn sample(at: Time, series: i64, samples: u32, figures: impl Iterator<Item = Value>) -> Vec<Value> {
    [Value::Int(0), at.into(), series.into(), Value::Int(samples.into())].into_iter().chain(figures).collect()
}

fn incident(host: &str, it: &Incident) -> Vec<Value> {
    let mut values = vec![(&it.id).into(), it.began.into(), it.updated.into(), it.ended.into()];
    values.extend([host, &it.alert, it.severity.as_str(), &it.service, &it.title].map(Value::from));
    values.extend([it.members.into(), (&it.acknowledged_by).into()]);
    values
}

fn note(host: &str, it: &Told) -> Vec<Value> {
    let mut values = vec![(&it.id).into(), (&it.incident).into(), it.sequence.into(), it.at.into()];
    values.extend([host, &it.channel, &it.why, &it.alert, it.severity.as_str()].map(Value::from));
    values.extend([&it.service, &it.title, &it.outcome, &it.detail].map(Value::from));
    values.push(it.tries.into());
    values
}

async fn go_over(db: &mut Db, host: &str, it: &Move) -> Result<()> {
    db.run(CLOSE, vec![it.at.into(), host.into(), (&it.service).into()]).await?;
    let state = it.state.as_str().into();
    db.run(OPEN, vec![host.into(), (&it.service).into(), it.at.into(), state, (&it.cause).into()]).await.map(drop)
}

async fn insert(db: &mut Db, table: &Table, rows: Vec<Vec<Value>>) -> Result<()> {
    let mut left = rows.len();
    let mut values = rows.into_iter().flatten();
    for size in SIZES {
        while left >= size {
            let chunk: Vec<_> = values.by_ref().take(size * table.columns).collect();
            let text = insert_text(table, size, |number| db.parameter(number));
            db.run(AssertSqlSafe(text), chunk).await?;
            left -= size;
        }
    }
    Ok(())
}

fn insert_text(table: &Table, rows: usize, parameter: impl Fn(usize) -> String) -> String {
    let row = |number: usize| {
        let first = number * table.columns + 1;
        let columns: Vec<_> = (first..first + table.columns).map(&parameter).collect();
        format!("({})", columns.join(", "))
    };
    let rows: Vec<_> = (0..rows).map(row).collect();
    format!("INSERT INTO {} VALUES {} ON CONFLICT DO NOTHING", table.into, rows.join(", "))
}

/// Writes where the host stands.
pub(crate) async fn mark(db: &mut Db, host: &str, name: &str, at: Time) -> Result<()> {
    db.run(MARK, vec![host.into(), name.into(), at.into()]).await.map(drop)
}

/// What [`mark`] has written.
pub(crate) async fn marked(db: &mut Db, host: &str, name: &str) -> Result<Option<Time>> {
    let sql = "SELECT at FROM marks WHERE host = $1 AND name = $2";
    Ok(db.number(sql, vec![host.into(), name.into()]).await?.map(Time::from_unix_millis))
}

/// Nobody knows what was from `from` to `to`: what was open then ends there, and an unknown time follows.
pub(crate) async fn bridge(db: &mut Db, host: &str, from: Time, to: Time, cause: &str) -> Result<()> {
    // What began only then is known to have been for that moment, at least.
    let insert = "INSERT INTO intervals (host, service, began, ended, state, cause) \
        SELECT host, service, CASE WHEN began < $2 THEN $2 ELSE began + 1 END, \
        CASE WHEN began >= $3 THEN began + 1 ELSE $3 END, 'unknown', $4 \
        FROM intervals WHERE host = $1 AND ended IS NULL ON CONFLICT DO NOTHING";
    let values = vec![host.into(), from.into(), to.max(from).into(), cause.into()];
    db.run(insert, values).await?;
    let close = "UPDATE intervals SET ended = CASE WHEN began < $2 THEN $2 ELSE began + 1 END \
        WHERE host = $1 AND ended IS NULL";
    db.run(close, vec![host.into(), from.into()]).await.map(drop)
}
