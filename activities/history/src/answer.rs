//! What questions are answered with, ready for JSON and for tables.

use crate::record::{Action, Incident, Interval, Member, Restart, Told, Transition};
use crate::uptime::Uptime;
use dixmgr_contract::{Span, Time};
use serde::Serialize;

/// What a service used over a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UsagePoint {
    /// The service.
    pub service: String,
    /// From here on; of samples as they came, when the last of them was taken.
    pub at: Time,
    /// For so long; zero for samples as they came.
    pub step: Span,
    /// Samples that it sums up, or that were the same.
    pub samples: u64,
    /// Mean; 100 is one CPU.
    pub cpu_percent: f64,
    /// Highest.
    pub cpu_max: f64,
    /// Mean, in bytes.
    pub memory: f64,
    /// Highest.
    pub memory_max: f64,
    /// Mean, in bytes a second.
    pub disk_read: f64,
    /// Mean, in bytes a second.
    pub disk_write: f64,
}

/// What a probe said over a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbePoint {
    /// The service.
    pub service: String,
    /// The probe.
    pub probe: String,
    /// From here on.
    pub at: Time,
    /// For so long; zero for a sample as it came.
    pub step: Span,
    /// Looks that it sums up.
    pub samples: u64,
    /// Those that were not content.
    pub failed: u64,
    /// Mean, in milliseconds.
    pub took_ms: f64,
    /// Longest, in milliseconds.
    pub took_max_ms: f64,
}

/// Anything that is kept; in JSON `kind` says what.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A change of health.
    Transition(Transition),
    /// A time in one state.
    Interval(Interval),
    /// A restart.
    Restart(Restart),
    /// An incident.
    Incident(Incident),
    /// A service that is part of an incident.
    Member(Member),
    /// A note to a channel.
    Note(Told),
    /// What somebody did.
    Action(Action),
    /// What a service used.
    Usage(UsagePoint),
    /// What a probe said.
    Probe(ProbePoint),
}

impl Entry {
    /// When it was, or began.
    pub const fn at(&self) -> Time {
        match self {
            Self::Transition(it) => it.at,
            Self::Interval(it) => it.began,
            Self::Restart(it) => it.at,
            Self::Incident(it) => it.began,
            Self::Member(it) => it.at,
            Self::Note(it) => it.at,
            Self::Action(it) => it.at,
            Self::Usage(it) => it.at,
            Self::Probe(it) => it.at,
        }
    }
}

/// An entry and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The host that has recorded it.
    pub host: String,
    /// What it is.
    #[serde(flatten)]
    pub entry: Entry,
}

/// The uptime of a service on a host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceUptime {
    /// The host.
    pub host: String,
    /// The service.
    pub service: String,
    /// Its time in parts.
    #[serde(flatten)]
    pub uptime: Uptime,
    /// Up, of the known time; 0 to 100. Null if nothing is known.
    pub percent: Option<f64>,
    /// Mean operating time between failures; null without one.
    pub mtbf: Option<Span>,
    /// Mean time to restoration; null if nothing was restored.
    pub mttr: Option<Span>,
}
