//! What goes into a statement and what comes out of a row: numbers, figures and texts, the same for both databases.

use dixmgr_contract::Time;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

/// A parameter. What may be absent says of which type it is: PostgreSQL keeps the types with the statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Int(i64),
    MaybeInt(Option<i64>),
    Real(f64),
    MaybeReal(Option<f64>),
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<Time> for Value {
    fn from(time: Time) -> Self {
        Self::Int(time.unix_millis())
    }
}

impl From<Option<Time>> for Value {
    fn from(time: Option<Time>) -> Self {
        Self::MaybeInt(time.map(Time::unix_millis))
    }
}

impl From<f64> for Value {
    fn from(figure: f64) -> Self {
        Self::Real(figure)
    }
}

impl From<Option<f64>> for Value {
    fn from(figure: Option<f64>) -> Self {
        Self::MaybeReal(figure)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

type Result<T> = std::result::Result<T, sqlx::Error>;

/// The columns of a row, by number from 0.
pub(crate) trait Columns {
    fn int(&self, column: usize) -> Result<i64>;
    fn maybe_int(&self, column: usize) -> Result<Option<i64>>;
    fn real(&self, column: usize) -> Result<f64>;
    fn text(&self, column: usize) -> Result<String>;

    fn time(&self, column: usize) -> Result<Time> {
        self.int(column).map(Time::from_unix_millis)
    }

    fn maybe_time(&self, column: usize) -> Result<Option<Time>> {
        Ok(self.maybe_int(column)?.map(Time::from_unix_millis))
    }

    fn count(&self, column: usize) -> Result<u64> {
        Ok(u64::try_from(self.int(column)?).unwrap_or(0))
    }
}

macro_rules! columns_of {
    ($row:ty) => {
        impl Columns for $row {
            fn int(&self, column: usize) -> Result<i64> {
                self.try_get(column)
            }
            fn maybe_int(&self, column: usize) -> Result<Option<i64>> {
                self.try_get(column)
            }
            fn real(&self, column: usize) -> Result<f64> {
                self.try_get(column)
            }
            fn text(&self, column: usize) -> Result<String> {
                self.try_get(column)
            }
        }
    };
}
columns_of!(SqliteRow);
columns_of!(PgRow);
