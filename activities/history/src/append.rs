//! What somebody did, recorded by the command with which they did it, beside a writer that may run.
//!
//! It must not be another [`crate::Writer`]: that accounts for the time before its start, and would end what lasts.

use crate::db::Db;
use crate::record::{Action, Record};
use crate::ring::Row;
use crate::schema;
use crate::store::{Result, Store};
use crate::write::{Series, write};

/// As many as SQLite can count: the bound is the writer's to keep.
const PAGES: u64 = 4_294_967_294;

impl Store {
    /// Adds what somebody did on a host. A store that no writer has made yet is not made.
    ///
    /// # Errors
    /// There is no store, another dixmgr's version has made it, or it cannot be written.
    pub async fn add(&self, host: &str, action: Action) -> Result<()> {
        let number = (action.at.unix_millis() << 12) | i64::from(std::process::id() & 0xfff);
        let Some(record) = Record::Action(action).bounded() else { return Ok(()) };
        // Looks whether there is one that this program knows.
        let (db, _) = self.open().await?;
        db.close().await;
        let mut db = Db::to_write(self.target(), PAGES).await.map_err(|error| self.problem(&error))?;
        let outcome = async {
            schema::check(&mut db).await?;
            db.begin().await?;
            let outcome = write(&mut db, host, &mut Series::default(), &[&Row::Record(number, record)]).await;
            db.end(outcome).await
        }
        .await;
        db.close().await;
        outcome.map_err(|error| self.problem(&error))
    }
}
