//! What a question is about: a window, and perhaps a service or a host.

use crate::db::Value;
use crate::read::{MEMBERS, Table};
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

    /// A condition on a table, and the values in it; the first two are the window. What is about an incident is about all that are
    /// part of it, where the `version` of the schema knows them.
    pub(crate) fn condition(&self, table: &Table, version: i64) -> (String, Vec<Value>) {
        let (mut sql, mut values) = (String::new(), vec![self.from.into(), self.to.into()]);
        if let Some(service) = &self.service {
            values.push(service.into());
            let (column, number) = (table.service, values.len());
            sql += &table.incident.filter(|_| version >= MEMBERS.since).map_or_else(
                || format!(" AND {column} = ${number}"),
                |id| {
                    let as_member = format!("{id} IN (SELECT incident FROM members WHERE service = ${number})");
                    format!(" AND ({column} = ${number} OR {as_member})")
                },
            );
        }
        if let Some(host) = &self.host {
            values.push(host.into());
            sql += &format!(" AND {} = ${}", table.host(), values.len());
        }
        (sql, values)
    }
}
