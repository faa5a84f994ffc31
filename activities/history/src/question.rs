//! What a question is about: a window, and perhaps a service or a host.

use crate::db::Value;
use dixmgr_contract::Time;

/// At most so many rows are an answer.
pub const MOST: usize = 10_000;

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
    pub(crate) fn condition(&self, service: &str, host: &str) -> (String, Vec<Value>) {
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
