//! The tables, column by column, as entries: the other half of [`crate::write`].

use crate::State;
use crate::answer::{Entry, ProbePoint, UsagePoint};
use crate::db::Columns;
use crate::record::{Action, Incident, Interval, Member, Restart, Told, Transition};
use dixmgr_contract::{Severity, Span};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A kind of entries: what to select from where, and by which column it has its place in time. The first column is the host.
pub(crate) struct Table {
    pub(crate) select: &'static str,
    pub(crate) at: &'static str,
    pub(crate) service: &'static str,
    /// The version of the schema that has made it.
    pub(crate) since: i64,
    /// The column with an incident's id, of what is about all of its members.
    pub(crate) incident: Option<&'static str>,
    pub(crate) read: fn(&dyn Columns) -> Result<Entry>,
}

impl Table {
    /// The column of the host, in a condition.
    pub(crate) fn host(&self) -> &'static str {
        if self.has_steps() { "s.host" } else { "host" }
    }

    /// Whether what is in it lasts, and may have begun before a window.
    pub(crate) fn lasts(&self) -> bool {
        self.at == "began"
    }

    /// Whether it is one of samples, in several resolutions.
    pub(crate) fn has_steps(&self) -> bool {
        self.at == "u.at"
    }
}

pub(crate) const TRANSITIONS: Table = Table {
    select: "SELECT host, service, at, state, phase, reason FROM transitions",
    at: "at",
    service: "service",
    since: 1,
    incident: None,
    read: |row| {
        let state = State::from_word(&row.text(3)?);
        let (service, at) = (row.text(1)?, row.time(2)?);
        Ok(Entry::Transition(Transition { service, at, state, phase: row.text(4)?, reason: row.text(5)? }))
    },
};

pub(crate) const INTERVALS: Table = Table {
    select: "SELECT host, service, began, ended, state, cause FROM intervals",
    at: "began",
    service: "service",
    since: 1,
    incident: None,
    read: |row| {
        let (began, ended) = (row.time(2)?, row.maybe_time(3)?);
        let (state, cause) = (State::from_word(&row.text(4)?), row.text(5)?);
        Ok(Entry::Interval(Interval { service: row.text(1)?, began, ended, state, cause }))
    },
};

pub(crate) const RESTARTS: Table = Table {
    select: "SELECT host, service, at, reason, result, detail, took FROM restarts",
    at: "at",
    service: "service",
    since: 1,
    incident: None,
    read: |row| {
        let took = Span::from_millis(row.count(6)?);
        let (service, at, reason) = (row.text(1)?, row.time(2)?, row.text(3)?);
        Ok(Entry::Restart(Restart { service, at, reason, result: row.text(4)?, detail: row.text(5)?, took }))
    },
};

pub(crate) const ACTIONS: Table = Table {
    select: "SELECT host, service, at, who, action, detail, result FROM actions",
    at: "at",
    service: "service",
    since: 1,
    incident: None,
    read: |row| {
        let (service, at, who) = (row.text(1)?, row.time(2)?, row.text(3)?);
        Ok(Entry::Action(Action { service, at, who, action: row.text(4)?, detail: row.text(5)?, result: row.text(6)? }))
    },
};

pub(crate) const INCIDENTS: Table = Table {
    select: "SELECT host, id, began, updated, ended, alert, severity, service, title, members, acknowledged_by FROM incidents",
    at: "began",
    service: "service",
    since: 1,
    incident: Some("id"),
    read: |row| {
        Ok(Entry::Incident(Incident {
            id: row.text(1)?,
            began: row.time(2)?,
            updated: row.time(3)?,
            ended: row.maybe_time(4)?,
            alert: row.text(5)?,
            severity: severity(&row.text(6)?),
            service: row.text(7)?,
            title: row.text(8)?,
            members: row.count(9)?,
            acknowledged_by: row.text(10)?,
        }))
    },
};

pub(crate) const MEMBERS: Table = Table {
    select: "SELECT host, incident, service, at FROM members",
    at: "at",
    service: "service",
    since: 2,
    incident: None,
    read: |row| Ok(Entry::Member(Member { incident: row.text(1)?, service: row.text(2)?, at: row.time(3)? })),
};

pub(crate) const NOTES: Table = Table {
    select: "SELECT host, id, incident, sequence, at, channel, why, alert, severity, service, title, outcome, detail, tries \
        FROM notes",
    at: "at",
    service: "service",
    since: 1,
    incident: Some("incident"),
    read: |row| {
        Ok(Entry::Note(Told {
            id: row.text(1)?,
            incident: row.text(2)?,
            sequence: row.count(3)?,
            at: row.time(4)?,
            channel: row.text(5)?,
            why: row.text(6)?,
            alert: row.text(7)?,
            severity: severity(&row.text(8)?),
            service: row.text(9)?,
            title: row.text(10)?,
            outcome: row.text(11)?,
            detail: row.text(12)?,
            tries: row.count(13)?,
        }))
    },
};

pub(crate) const USAGE: Table = Table {
    select: "SELECT s.host, s.service, u.at, u.step, u.samples, u.cpu, COALESCE(u.cpu_max, u.cpu), u.memory, \
        COALESCE(u.memory_max, u.memory), u.disk_read, u.disk_write FROM usage u JOIN series s ON s.id = u.series",
    at: "u.at",
    service: "s.service",
    since: 1,
    incident: None,
    read: |row| {
        Ok(Entry::Usage(UsagePoint {
            service: row.text(1)?,
            at: row.time(2)?,
            step: Span::from_millis(row.count(3)?),
            samples: row.count(4)?,
            cpu_percent: row.real(5)?,
            cpu_max: row.real(6)?,
            memory: row.real(7)?,
            memory_max: row.real(8)?,
            disk_read: row.real(9)?,
            disk_write: row.real(10)?,
        }))
    },
};

pub(crate) const PROBES: Table = Table {
    select: "SELECT s.host, s.service, s.probe, u.at, u.step, u.samples, u.failed, u.took, COALESCE(u.took_max, u.took) \
        FROM probes u JOIN series s ON s.id = u.series",
    at: "u.at",
    service: "s.service",
    since: 1,
    incident: None,
    read: |row| {
        Ok(Entry::Probe(ProbePoint {
            service: row.text(1)?,
            probe: row.text(2)?,
            at: row.time(3)?,
            step: Span::from_millis(row.count(4)?),
            samples: row.count(5)?,
            failed: row.count(6)?,
            took_ms: row.real(7)?,
            took_max_ms: row.real(8)?,
        }))
    },
};

fn severity(word: &str) -> Severity {
    [Severity::Info, Severity::Critical].into_iter().find(|it| it.as_str() == word).unwrap_or_default()
}
