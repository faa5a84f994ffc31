//! One connection to either database, with the little that the history needs of it.
//!
//! Both take `$1`, upserts and the same types, so one text of SQL serves both. Rejected: sqlx's `Any`, which sends an absent
//! `f64` as a float of four bytes and keeps the statement for the next, present one; and which connects by a URL alone,
//! without the settings of [`crate::target`]. Rejected: a pool. One writer needs one connection, and a question is asked
//! rarely enough to open its own.

mod value;

pub(crate) use value::{Columns, Value};

use crate::error::timed_out;
use crate::target::{Kind, Target, file, server, settings};
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection};
use std::time::Duration;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a statement may take, whatever the database was told about that.
const STATEMENT: Duration = Duration::from_secs(60);

/// One connection.
pub(crate) enum Db {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

type Result<T> = std::result::Result<T, sqlx::Error>;

macro_rules! bound {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match value {
                Value::Int(number) => query.bind(number),
                Value::MaybeInt(number) => query.bind(number),
                Value::Real(number) => query.bind(number),
                Value::MaybeReal(number) => query.bind(number),
                Value::Text(text) => query.bind(text),
            };
        }
        query
    }};
}

impl Db {
    /// To write. A file is made if there is none; it never has more than `pages`.
    pub(crate) async fn to_write(target: &Target, pages: u64) -> Result<Self> {
        match &target.0 {
            Kind::Sqlite(path) => {
                let mut db = Self::Sqlite(within(CONNECT, file(path, true).connect()).await?);
                match db.script(AssertSqlSafe(settings(pages))).await {
                    Ok(()) => Ok(db),
                    Err(error) => {
                        db.close().await;
                        Err(error)
                    }
                }
            }
            Kind::Postgres(options) => Ok(Self::Postgres(within(CONNECT, server(options, true).connect()).await?)),
        }
    }

    /// To read.
    pub(crate) async fn to_read(target: &Target) -> Result<Self> {
        match &target.0 {
            Kind::Sqlite(path) => Ok(Self::Sqlite(within(CONNECT, file(path, false).connect()).await?)),
            Kind::Postgres(options) => Ok(Self::Postgres(within(CONNECT, server(options, false).connect()).await?)),
        }
    }

    pub(crate) const fn is_file(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// One statement; how many rows it has changed.
    pub(crate) async fn run(&mut self, sql: impl SqlSafeStr, values: Vec<Value>) -> Result<u64> {
        match self {
            Self::Sqlite(db) => Ok(within(STATEMENT, bound!(sql, values).execute(db)).await?.rows_affected()),
            Self::Postgres(db) => Ok(within(STATEMENT, bound!(sql, values).execute(db)).await?.rows_affected()),
        }
    }

    /// The next parameter of a statement whose parameters stand in order. SQLite looks names up one after the other, for each that is
    /// bound: a statement of 512 named ones took as long as all the rest of writing it.
    pub(crate) fn parameter(&self, number: usize) -> String {
        match self {
            Self::Sqlite(_) => "?".to_owned(),
            Self::Postgres(_) => format!("${number}"),
        }
    }

    /// Any number of statements without parameters.
    pub(crate) async fn script(&mut self, sql: impl SqlSafeStr) -> Result<()> {
        match self {
            Self::Sqlite(db) => within(STATEMENT, db.execute(sqlx::raw_sql(sql))).await.map(drop),
            Self::Postgres(db) => within(STATEMENT, db.execute(sqlx::raw_sql(sql))).await.map(drop),
        }
    }

    /// Each row of an answer, as it comes.
    pub(crate) async fn each(
        &mut self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
        mut take: impl FnMut(&dyn Columns) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Sqlite(db) => {
                let mut rows = bound!(sql, values).fetch(db);
                while let Some(row) = within(STATEMENT, rows.try_next()).await? {
                    take(&row)?;
                }
            }
            Self::Postgres(db) => {
                let mut rows = bound!(sql, values).fetch(db);
                while let Some(row) = within(STATEMENT, rows.try_next()).await? {
                    take(&row)?;
                }
            }
        }
        Ok(())
    }

    /// The first column of the first row, a number; absent if it is NULL or there is no row.
    pub(crate) async fn number(&mut self, sql: impl SqlSafeStr, values: Vec<Value>) -> Result<Option<i64>> {
        let mut found = None;
        let take = |row: &dyn Columns| {
            found = row.maybe_int(0)?;
            Ok(())
        };
        self.each(sql, values, take).await?;
        Ok(found)
    }

    /// Begins a transaction that will write: SQLite takes the lock now, not in the middle.
    pub(crate) async fn begin(&mut self) -> Result<()> {
        let sql = if self.is_file() { "BEGIN IMMEDIATE" } else { "BEGIN" };
        self.script(sql).await
    }

    /// Ends it: keeps what it did if all went well, otherwise forgets it.
    pub(crate) async fn end<T>(&mut self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Ok(value) => self.script("COMMIT").await.map(|()| value),
            Err(error) => {
                // The first error is the one to tell; a connection that cannot even roll back is given up by its owner.
                let _ = self.script("ROLLBACK").await;
                Err(error)
            }
        }
    }

    pub(crate) async fn close(self) {
        // What was committed is committed, whatever the other side says to a good-bye.
        let _ = match self {
            Self::Sqlite(db) => within(CONNECT, db.close()).await,
            Self::Postgres(db) => within(CONNECT, db.close()).await,
        };
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(timed_out()))
}
