//! Where the history is kept: a file of SQLite's, or a PostgreSQL server.
//!
//! The URL of a server holds a password. It is taken apart once, here, and what is shown of it has none.

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// The file's name in the state directory.
pub const FILE_NAME: &str = "history.db";
/// How long SQLite waits for another process that holds the file.
const BUSY: Duration = Duration::from_secs(2);
/// Memory for pages, in KiB.
const CACHE: u32 = 2_048;
/// What is left of the write-ahead log after it was taken into the file, in bytes.
const LOG_LEFT: u32 = 4 << 20;

/// Where the history is kept.
#[derive(Clone)]
pub struct Target(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

/// Why a `[history] url` is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither of the two.
    #[error("is neither \"sqlite\" nor \"sqlite:FILE\" nor \"postgres://USER:PASSWORD@HOST/DATABASE\"")]
    Scheme,
    /// A URL that cannot be read.
    #[error("is not a URL of a PostgreSQL server; write postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Url,
}

impl Target {
    /// A file of SQLite's.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::Sqlite(path.into()))
    }

    /// Reads `[history] url`: `sqlite` is [`FILE_NAME`] in `folder`, `sqlite:FILE` that file, and `postgres://…` a server.
    ///
    /// # Errors
    /// What should be written instead; the URL itself is never repeated.
    pub fn parse(url: &str, folder: &Path) -> Result<Self, TargetError> {
        match url.split_once(':') {
            None if url == "sqlite" || url.is_empty() => Ok(Self::file(folder.join(FILE_NAME))),
            Some(("sqlite", "")) | None => Err(TargetError::Scheme),
            Some(("sqlite", path)) => Ok(Self::file(folder.join(path.strip_prefix("//").unwrap_or(path)))),
            Some(("postgres" | "postgresql", _)) => {
                let options = PgConnectOptions::from_str(url).map_err(|_| TargetError::Url)?;
                Ok(Self(Kind::Postgres(Box::new(options))))
            }
            Some(_) => Err(TargetError::Scheme),
        }
    }

    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Sqlite(path) => Some(path),
            Kind::Postgres(_) => None,
        }
    }
}

/// How a file is opened. Settings that touch it come later, as [`settings`]: the driver does not wait for the end of a
/// connection that fails at them, and the end of a connection deletes files by their names.
pub(crate) fn file(path: &Path, writes: bool) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(writes)
        .read_only(!writes)
        .busy_timeout(BUSY)
        .statement_cache_capacity(40)
        .thread_name(|_| "history".to_owned())
        .disable_statement_logging()
}

/// The settings of a writer. `pages` is the most that the file may ever have. With `synchronous = NORMAL` a power cut may
/// cost the last transactions, and never the file.
pub(crate) fn settings(pages: u64) -> String {
    format!(
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
         PRAGMA journal_size_limit = {LOG_LEFT}; PRAGMA cache_size = -{CACHE}; PRAGMA max_page_count = {pages};"
    )
}

/// How a server is asked: nothing on it may hang for ever, and who only reads can do nothing else.
pub(crate) fn server(options: &PgConnectOptions, writes: bool) -> PgConnectOptions {
    options
        .clone()
        .application_name("dixmgr")
        .options([("statement_timeout", "20000"), ("lock_timeout", "5000"), ("client_min_messages", "warning")])
        .options([("default_transaction_read_only", if writes { "off" } else { "on" })])
        .statement_cache_capacity(40)
        .disable_statement_logging()
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Sqlite(path) => write!(f, "{}", path.display()),
            Kind::Postgres(options) => {
                let database = options.get_database().unwrap_or_default();
                match options.get_socket() {
                    Some(folder) => write!(f, "postgres:{}/{database}", folder.display()),
                    None => write!(f, "postgres://{}:{}/{database}", options.get_host(), options.get_port()),
                }
            }
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_in_the_state_directory_unless_it_is_elsewhere() {
        let parse = |url: &str| Target::parse(url, Path::new("/state")).unwrap().to_string();
        assert_eq!(parse("sqlite"), "/state/history.db");
        assert_eq!(parse("sqlite:other.db"), "/state/other.db");
        assert_eq!(parse("sqlite:///srv/history.db"), "/srv/history.db");
    }

    #[test]
    fn a_password_is_never_shown() {
        let target = Target::parse("postgres://dix:hush@db.example:5433/history", Path::new("/")).unwrap();
        assert_eq!(format!("{target} {target:?}"), {
            let shown = "postgres://db.example:5433/history";
            format!("{shown} Target({shown})")
        });
        for bad in ["mysql://dix:hush@db/x", "postgres://dix:hush@db:port/x", "hush", "sqlite:"] {
            let error = Target::parse(bad, Path::new("/")).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
        }
    }
}
