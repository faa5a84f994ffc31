//! What Temporal has accepted last, per service, on disk: so that after a restart only what differs is told.
//!
//! SQLite in WAL mode without waiting for the disk: losing the last rows to a power cut costs a repeated observation.
//! One thread owns the database; the agent never waits for it.

use super::sketch::Digest;
use anyhow::Context;
use dixmgr_contract::ServiceName;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;

/// What was accepted for one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) revision: u64,
    pub(crate) digest: Digest,
}

/// The store. Dropping it writes what is left.
pub(crate) struct Memory {
    known: BTreeMap<String, Accepted>,
    writer: Option<mpsc::Sender<(String, Accepted)>>,
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
        self.known.get(service.as_str()).copied()
    }

    pub(crate) fn put(&self, service: &ServiceName, accepted: Accepted) {
        if let Some(writer) = &self.writer {
            let _ = writer.send((service.to_string(), accepted));
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

fn prepare(path: &Path) -> anyhow::Result<(Connection, BTreeMap<String, Accepted>)> {
    let connection = Connection::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
         CREATE TABLE IF NOT EXISTS accepted (service TEXT PRIMARY KEY, revision INTEGER NOT NULL, digest INTEGER NOT NULL) WITHOUT ROWID;",
    )?;
    let mut known = BTreeMap::new();
    let mut statement = connection.prepare("SELECT service, revision, digest FROM accepted")?;
    let rows = statement.query_map([], |row| {
        let accepted =
            Accepted { revision: row.get::<_, i64>(1)?.cast_unsigned(), digest: row.get::<_, i64>(2)?.cast_unsigned() };
        Ok((row.get::<_, String>(0)?, accepted))
    })?;
    for row in rows {
        let (service, accepted) = row?;
        known.insert(service, accepted);
    }
    drop(statement);
    Ok((connection, known))
}

/// Writes in groups: whatever has gathered while the last group was written is one transaction.
fn write(mut connection: Connection, inbox: &mpsc::Receiver<(String, Accepted)>) {
    while let Ok(first) = inbox.recv() {
        let group: BTreeMap<_, _> = std::iter::once(first).chain(inbox.try_iter()).collect();
        if let Err(error) = write_group(&mut connection, &group) {
            tracing::warn!("the agent's memory cannot be written: {error}; after a restart some states are told again");
        }
    }
}

fn write_group(connection: &mut Connection, group: &BTreeMap<String, Accepted>) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for (service, accepted) in group {
        transaction.prepare_cached("INSERT OR REPLACE INTO accepted VALUES (?1, ?2, ?3)")?.execute(params![
            service,
            accepted.revision.cast_signed(),
            accepted.digest.cast_signed()
        ])?;
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
