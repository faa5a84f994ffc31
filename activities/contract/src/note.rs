//! What is told to people: one note to one channel, with everything in it that the channel needs.
//!
//! A note is whole: a retry, a summary of what came too late or another channel in its place needs nothing but the note. Its
//! [`Note::id`] is the idempotency key, the same on each try. It names channels, never their URLs: those are secrets of the
//! host that sends it.
//!
//! Rejected: a note that names an incident to be looked up when it is sent. By then the incident is another one.

use crate::{HostName, ServiceName, Span, Time};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// How bad it is, from bad to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody may want to know.
    Info,
    /// Somebody should look at it in daylight.
    #[default]
    Warning,
    /// Somebody has to act now.
    Critical,
}

impl Severity {
    /// The word on the wire and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a channel is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// It has begun; or it has come back after its end was told, within its dedupe window.
    Firing,
    /// More services are part of it, or it got worse, or it came back before its end was told.
    Update,
    /// It still lasts.
    Reminder,
    /// Nobody has acknowledged it: the next ones are told.
    Escalation,
    /// Somebody takes care of it.
    Acknowledged,
    /// It is over.
    Resolved,
    /// It began and ended before the channel could be told.
    Late,
    /// Somebody tries the channel.
    Test,
}

/// One member of an incident: a service that is in trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteMember {
    /// The service; absent where the host itself, or a chain, is the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// What is wrong with it, in a line.
    pub detail: String,
    /// It is well again.
    #[serde(default)]
    pub over: bool,
}

/// What is told to one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The idempotency key: the same on each try, another one for each note and channel. At most 255 characters.
    pub id: String,
    /// The incident's id, the same in all of its notes.
    pub incident: String,
    /// Counts the notes of the incident, from 1.
    pub sequence: u64,
    /// Why it is told.
    pub kind: NoteKind,
    /// The type of the alert, such as `service_down`.
    #[serde(rename = "type")]
    pub alert: String,
    /// How bad it is now.
    pub severity: Severity,
    /// What is the matter, in a line without its severity.
    pub title: String,
    /// More of it, in sentences; may be empty.
    #[serde(default)]
    pub text: String,
    /// The service that stands for the incident; empty if it is about a host or a chain.
    #[serde(default)]
    pub service: String,
    /// The members, at most 100.
    #[serde(default)]
    pub members: Vec<NoteMember>,
    /// How many members are not listed.
    #[serde(default)]
    pub more_members: u64,
    /// Services that are in trouble because of this, and are not told of on their own; at most 100.
    #[serde(default)]
    pub affected: Vec<ServiceName>,
    /// How many of those are not listed.
    #[serde(default)]
    pub more_affected: u64,
    /// Labels for routing, as they are now.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// By what a channel that keeps alerts knows the incident; absent: by the labels of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// When the incident began.
    pub began: Time,
    /// When it was over, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Time>,
    /// When the note was made.
    pub at: Time,
    /// It has become worse, or is back: not only who follows the incident is to hear of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub for_all: bool,
}

impl Note {
    /// Whoever may hear of the incident is to hear this, and not only who follows it already.
    pub const fn is_for_all(&self) -> bool {
        self.for_all || matches!(self.kind, NoteKind::Firing | NoteKind::Escalation)
    }
}

/// By what a channel that keeps alerts, as Alertmanager does, knows an incident from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The same in all notes from a beginning to its end; no severity is in them.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The worst that the channel was told. It never falls before the end.
    pub severity: Severity,
    /// Severities under which it may have been told before: what it knows under them is over with this note.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<Severity>,
}

/// How the delivery of a note ended, for the machine that decides what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Delivery {
    /// It was accepted.
    Sent {
        /// What the channel needs for its next note of this incident: an id of a message, a thread. At most 1 KiB.
        #[serde(default)]
        thread: String,
    },
    /// Not accepted, and it may be tried again.
    Retry {
        /// Why, in a line that holds no secret.
        reason: String,
        /// The channel says not before this long from now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Span>,
    },
    /// Not tried: our own limits leave no room for it now. The channel has not failed.
    Later {
        /// So long from now there may be room.
        after: Span,
    },
    /// Not accepted, and trying again is of no use.
    Refused {
        /// Why, in a line that holds no secret.
        reason: String,
    },
}
