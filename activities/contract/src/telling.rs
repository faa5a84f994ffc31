//! The activities by which workflows tell people, and the input with which an incident begins.
//!
//! Inputs name a channel, never its URL; any dixmgr that has the channel delivers. `[alerts]` is therefore the same on all
//! hosts of a fleet.

use crate::alert::{MemberReport, Silence};
use crate::incident::{Affected, IncidentRecord, IncidentSpec, IncidentStatus};
use crate::{Alert, AlertPolicy, Cause, HostName, Note};
use serde::{Deserialize, Serialize};

/// `RaiseIncidentActivity(raise)` → null: tells an incident how one of its members stands, and begins it if need be.
pub const RAISE_INCIDENT: &str = "RaiseIncidentActivity";
/// `TellCauseActivity(tell)` → null: tells an incident what is behind it, and begins it if need be.
pub const TELL_CAUSE: &str = "TellCauseActivity";
/// `NotifyActivity(args)` → [`crate::Delivery`]: delivers one note through one channel, once.
pub const NOTIFY: &str = "NotifyActivity";
/// `RecordIncidentActivity(news)` → null: writes down what happened to an incident.
pub const RECORD_INCIDENT: &str = "RecordIncidentActivity";
/// `SpreadSilencesActivity(silences)` → null: tells every open incident what is silenced.
pub const SPREAD_SILENCES: &str = "SpreadSilencesActivity";

/// The argument of [`RAISE_INCIDENT`]. Which incident it is follows from the type and from what is one incident there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raise {
    /// The type of the alerts.
    #[serde(rename = "type")]
    pub alert: String,
    /// How the member stands.
    pub report: MemberReport,
    /// What is behind it, if something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

impl Raise {
    /// Of a host itself; no alerts: it is well again. `revision` is when it is told, Unix milliseconds.
    pub fn of_host(host: HostName, alert: &str, alerts: Vec<Alert>, revision: u64) -> Self {
        let report = MemberReport { host: Some(host), revision, alerts, ..MemberReport::default() };
        Self { alert: alert.to_owned(), report, cause: None }
    }
}

/// The argument of [`TELL_CAUSE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TellCause {
    /// The fingerprint of the cause.
    pub cause: String,
    /// What is behind it.
    pub affected: Affected,
}

/// The argument of [`NOTIFY`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyArgs {
    /// The channel's name.
    pub channel: String,
    /// What is told.
    pub note: Note,
    /// What the channel gave back when it accepted the note before.
    #[serde(default)]
    pub thread: String,
    /// Which try it is, from 1.
    #[serde(default = "one")]
    pub attempt: u32,
    /// It was accepted before, by a channel that forgets what it is not told again: no news, and not counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

const fn one() -> u32 {
    1
}

/// The argument of [`RECORD_INCIDENT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentNews {
    /// What happened.
    pub record: IncidentRecord,
    /// How the incident stands after it.
    pub status: IncidentStatus,
    /// When it happened, by the workflow's clock.
    pub at: crate::Time,
    /// The services that are part of it, or were. The status does not name all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<crate::ServiceName>,
}

/// The input of `IncidentWorkflow`, as whoever begins it writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentStart {
    /// Which incident it is.
    #[serde(flatten)]
    pub spec: IncidentSpec,
    /// Who is told what, and when.
    #[serde(default)]
    pub policy: AlertPolicy,
    /// What is silenced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silences: Vec<Silence>,
    /// Whether the search attributes are registered.
    #[serde(default)]
    pub search_attributes: bool,
}
