//! What is remembered over a restart, on disk: what Temporal has accepted last of each service, so that only what differs is
//! told; how its alert rules stand, so that none is lost or fires anew; which rules were switched on or off.
//!
//! SQLite in WAL mode without waiting for the disk: losing the last rows to a power cut costs a repeated observation.
//! One thread owns the database; the agent never waits for it.

use super::sketch::Digest;
use anyhow::Context;
use dixmgr_contract::ServiceName;
use rusqlite::{Connection, params};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;

/// What was accepted for one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) revision: u64,
    pub(crate) digest: Digest,
}

/// Everything that is remembered.
#[derive(Default)]
struct Known {
    accepted: BTreeMap<String, Accepted>,
    alerts: BTreeMap<String, String>,
    switches: BTreeMap<String, bool>,
}

/// A row to be written: its key, and what is to be in it.
enum Row {
    Accepted(String, Accepted),
    Alerts(String, String),
    Switch(String, bool),
}

/// The store. Dropping it writes what is left.
pub(crate) struct Memory {
    known: Known,
    writer: Option<mpsc::Sender<Row>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Memory {
    /// Opens or makes the database. One that is damaged is put aside and made anew: it holds nothing that cannot be told
    /// again.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let (connection, known) = match prepare(path) {
            Ok(ready) => ready,
            Err(error) => {
                let aside = path.with_extension("damaged");
                tracing::warn!(path = %path.display(), aside = %aside.display(), "the agent's memory is damaged: {error:#}; starting a new one");
                std::fs::rename(path, &aside).with_context(|| format!("cannot put {} aside", path.display()))?;
                prepare(path)?
            }
        };
        let (writer, inbox) = mpsc::channel();
        let thread = std::thread::Builder::new().name("memory".into()).spawn(move || write(connection, &inbox))?;
        Ok(Self { known, writer: Some(writer), thread: Some(thread) })
    }

    pub(crate) fn get(&self, service: &ServiceName) -> Option<Accepted> {
        self.known.accepted.get(service.as_str()).copied()
    }

    pub(crate) fn put(&self, service: &ServiceName, accepted: Accepted) {
        self.write(Row::Accepted(service.to_string(), accepted));
    }

    /// How the rules stood with a service; handed out once. What cannot be read is forgotten.
    pub(super) fn take_alerts<T: DeserializeOwned>(&mut self, service: &ServiceName) -> Option<T> {
        serde_json::from_str(&self.known.alerts.remove(service.as_str())?).ok()
    }

    pub(super) fn put_alerts(&self, service: &ServiceName, alerts: &impl Serialize) {
        if let Ok(text) = serde_json::to_string(alerts) {
            self.write(Row::Alerts(service.to_string(), text));
        }
    }

    /// The rules that somebody has switched, and how.
    pub(super) const fn switches(&self) -> &BTreeMap<String, bool> {
        &self.known.switches
    }

    pub(super) fn put_switch(&self, rule: &str, is_on: bool) {
        self.write(Row::Switch(rule.to_owned(), is_on));
    }

    fn write(&self, row: Row) {
        if let Some(writer) = &self.writer {
            let _ = writer.send(row);
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.writer = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn prepare(path: &Path) -> anyhow::Result<(Connection, Known)> {
    let connection = Connection::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
         CREATE TABLE IF NOT EXISTS accepted (service TEXT PRIMARY KEY, revision INTEGER NOT NULL, digest INTEGER NOT NULL) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS alerts (service TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS switches (rule TEXT PRIMARY KEY, is_on INTEGER NOT NULL) WITHOUT ROWID;",
    )?;
    let accepted = read(&connection, "SELECT service, revision, digest FROM accepted", |row| {
        Ok(Accepted { revision: row.get::<_, i64>(1)?.cast_unsigned(), digest: row.get::<_, i64>(2)?.cast_unsigned() })
    })?;
    let alerts = read(&connection, "SELECT service, state FROM alerts", |row| row.get(1))?;
    let switches = read(&connection, "SELECT rule, is_on FROM switches", |row| row.get(1))?;
    Ok((connection, Known { accepted, alerts, switches }))
}

/// Reads a table of which the first column is the key.
fn read<T>(
    connection: &Connection,
    query: &str,
    value: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<BTreeMap<String, T>> {
    let mut statement = connection.prepare(query)?;
    statement.query_map([], |row| Ok((row.get(0)?, value(row)?)))?.collect()
}

/// Writes in groups: whatever has gathered while the last group was written is one transaction.
fn write(mut connection: Connection, inbox: &mpsc::Receiver<Row>) {
    while let Ok(first) = inbox.recv() {
        let mut group = Known::default();
        for row in std::iter::once(first).chain(inbox.try_iter()) {
            match row {
                Row::Accepted(service, accepted) => drop(group.accepted.insert(service, accepted)),
                Row::Alerts(service, alerts) => drop(group.alerts.insert(service, alerts)),
                Row::Switch(rule, is_on) => drop(group.switches.insert(rule, is_on)),
            }
        }
        if let Err(error) = write_group(&mut connection, &group) {
            tracing::warn!(
                "the agent's memory cannot be written: {error}; after a restart some states and alerts are told again"
            );
        }
    }
}

fn write_group(connection: &mut Connection, group: &Known) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for (service, accepted) in &group.accepted {
        transaction.prepare_cached("INSERT OR REPLACE INTO accepted VALUES (?1, ?2, ?3)")?.execute(params![
            service,
            accepted.revision.cast_signed(),
            accepted.digest.cast_signed()
        ])?;
    }
    for (service, alerts) in &group.alerts {
        let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO alerts VALUES (?1, ?2)")?;
        insert.execute(params![service, alerts])?;
    }
    for (rule, is_on) in &group.switches {
        let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO switches VALUES (?1, ?2)")?;
        insert.execute(params![rule, is_on])?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("dixmgr-memory-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn what_was_accepted_is_known_after_a_restart() {
        let folder = folder("kept");
        let (path, api) = (folder.join("memory.db"), "api".parse().unwrap());
        let accepted = Accepted { revision: 7, digest: u64::MAX };
        let memory = Memory::open(&path).unwrap();
        memory.put(&api, Accepted { revision: 6, digest: 1 });
        memory.put(&api, accepted);
        drop(memory);
        assert_eq!(Memory::open(&path).unwrap().get(&api), Some(accepted));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_damaged_database_is_put_aside() {
        let folder = folder("damaged");
        let path = folder.join("memory.db");
        std::fs::write(&path, "this is not a database, and long enough to be taken for a damaged one".repeat(20))
            .unwrap();
        assert_eq!(Memory::open(&path).unwrap().get(&"api".parse().unwrap()), None);
        assert!(folder.join("memory.damaged").exists());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
