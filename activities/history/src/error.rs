//! What can go wrong with a store, sorted by what is to be done about it.
//!
//! A row that the database will never take is told from a database that takes none now: the first is dropped and counted,
//! the second is waited for. Anything that is not surely the first counts as the second, so that nothing is lost by a
//! code that nobody has met yet.

use crate::target::Target;
use std::fmt;
use std::path::PathBuf;

/// What keeps the store from being written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Another process holds it.
    Locked,
    /// No space: on the disk, or below the bound.
    Full,
    /// It may not be written there, or not even be made.
    ReadOnly,
    /// It is damaged.
    Corrupt,
    /// The server does not answer.
    Unreachable,
    /// The server does not let us in, or is not the one it should be.
    Refused,
    /// It was made by a newer dixmgr.
    Newer,
    /// The disk fails, or something nobody has thought of.
    Broken,
}

impl Trouble {
    /// All of them, for a metric with one series each.
    pub const ALL: [Self; 8] = [
        Self::Locked,
        Self::Full,
        Self::ReadOnly,
        Self::Corrupt,
        Self::Unreachable,
        Self::Refused,
        Self::Newer,
        Self::Broken,
    ];

    /// The word for a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Corrupt => "corrupt",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Newer => "newer",
            Self::Broken => "broken",
        }
    }

    const fn way_out(self) -> &'static str {
        match self {
            Self::Locked => "another process holds it: end that process, or copy the file before looking into it",
            Self::Full => "there is no space: free some, or raise the bound of the history",
            Self::ReadOnly => "it cannot be written: let dixmgr's user write that folder",
            Self::Corrupt => "it is damaged",
            Self::Unreachable => "the server does not answer: look whether it runs, and at the network",
            Self::Refused => {
                "no agreement with the server: look at user, password, database and certificate of [history] url"
            }
            Self::Newer => "a newer dixmgr has made it: run that one, or move it away",
            Self::Broken => "it cannot be used",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.way_out())
    }
}

/// Something is wrong with the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It cannot be used now.
    #[error("history in {place}: {trouble} ({detail})")]
    Store {
        /// Where it is, without a password.
        place: String,
        /// What kind of trouble.
        trouble: Trouble,
        /// What the database says.
        detail: String,
    },
    /// Nothing has been recorded yet.
    #[error("there is no history at {}: dixmgr makes it when it runs", .0.display())]
    Nothing(PathBuf),
    /// A question that makes no sense.
    #[error("{0}")]
    Question(String),
}

impl Error {
    pub(crate) fn new(target: &Target, error: &sqlx::Error) -> Self {
        Self::Store { place: target.to_string(), trouble: trouble(error), detail: detail(error) }
    }

    /// The kind of trouble with the store, if that is what it is.
    pub const fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Store { trouble, .. } => Some(*trouble),
            Self::Nothing(_) | Self::Question(_) => None,
        }
    }
}

/// What is raised where a limit of our own is hit.
pub(crate) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"))
}

/// What is raised for a schema that is newer than this program.
#[derive(Debug, thiserror::Error)]
#[error("it has schema version {found}, and this dixmgr knows up to {known}")]
pub(crate) struct NewerSchema {
    pub(crate) found: i64,
    pub(crate) known: i64,
}

fn detail(error: &sqlx::Error) -> String {
    // A message of a database, and never the statement or what was bound to it.
    let text = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        // The text of a URL may be in it.
        sqlx::Error::Configuration(_) => "its configuration cannot be used".to_owned(),
        other => other.to_string(),
    };
    crate::text::bounded(&text, crate::text::LINE)
}

/// The result code of SQLite without what extends it (<https://www.sqlite.org/rescode.html>), or PostgreSQL's SQLSTATE.
enum Code<'a> {
    Sqlite(i64),
    Postgres(&'a str),
}

fn code<'a>(error: &'a dyn sqlx::error::DatabaseError, text: &'a str) -> Code<'a> {
    if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        return Code::Postgres(text);
    }
    Code::Sqlite(text.parse::<i64>().map_or(1, |code| code & 0xff))
}

pub(crate) fn trouble(error: &sqlx::Error) -> Trouble {
    match error {
        sqlx::Error::Database(error) => {
            let text = error.code().unwrap_or_default();
            match code(error.as_ref(), &text) {
                Code::Sqlite(code) => of_sqlite(code),
                Code::Postgres(state) => of_postgres(state),
            }
        }
        // As a handshake of TLS that fails comes.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => Trouble::Refused,
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Trouble::Unreachable,
        sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => Trouble::Refused,
        sqlx::Error::Decode(inner) if inner.is::<NewerSchema>() => Trouble::Newer,
        _ => Trouble::Broken,
    }
}

const fn of_sqlite(code: i64) -> Trouble {
    match code {
        5 | 6 => Trouble::Locked,
        13 => Trouble::Full,
        3 | 8 | 14 | 23 => Trouble::ReadOnly,
        11 | 26 => Trouble::Corrupt,
        _ => Trouble::Broken,
    }
}

/// Appendix A of PostgreSQL's manual: the first two characters are the class.
fn of_postgres(state: &str) -> Trouble {
    match (state.get(..2).unwrap_or_default(), state) {
        (_, "53100") => Trouble::Full,
        (_, "25006") => Trouble::ReadOnly,
        (_, "42501" | "3D000") | ("28", _) => Trouble::Refused,
        (_, "55P03" | "57014") | ("40", _) => Trouble::Locked,
        ("08" | "53" | "57", _) => Trouble::Unreachable,
        ("XX", _) => Trouble::Corrupt,
        _ => Trouble::Broken,
    }
}

/// True if it is the row that is wrong, and will be for ever.
pub(crate) fn is_row(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return matches!(error, sqlx::Error::Encode(_));
    };
    let text = error.code().unwrap_or_default();
    match code(error.as_ref(), &text) {
        Code::Sqlite(code) => matches!(code, 18..=20),
        Code::Postgres(state) => matches!(state.get(..2), Some("22" | "23")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_by_the_databases_own_codes() {
        assert_eq!([5, 13, 14, 26, 10].map(of_sqlite), {
            [Trouble::Locked, Trouble::Full, Trouble::ReadOnly, Trouble::Corrupt, Trouble::Broken]
        });
        assert_eq!(["53100", "28P01", "57P01", "55P03", "42P01"].map(of_postgres), {
            [Trouble::Full, Trouble::Refused, Trouble::Unreachable, Trouble::Locked, Trouble::Broken]
        });
    }

    #[test]
    fn each_kind_has_a_word_and_a_way_out_of_its_own() {
        let words: std::collections::BTreeSet<_> = Trouble::ALL.iter().map(|it| (it.as_str(), it.way_out())).collect();
        assert_eq!(words.len(), Trouble::ALL.len());
    }
}
