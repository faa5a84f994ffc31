//! What is kept, as it is handed in and as it comes out again.
//!
//! The same types go both ways: what `dixmgr export` prints is what was recorded. Names are texts here, because what a
//! database holds may come from an older or a newer dixmgr; each is cut to its bound when it is handed in.

use dixmgr_contract::{Note, PhaseName, Severity, Span, Time};
use serde::{Deserialize, Serialize};

/// How a service counts in its uptime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It runs, content or not.
    Up,
    /// It should run and does not.
    Down,
    /// Nobody knows.
    Unknown,
    /// It does not run because a person wants it so.
    Off,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Up, Self::Down, Self::Unknown, Self::Off];

    /// The word in the database and in exports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Unknown => "unknown",
            Self::Off => "off",
        }
    }

    /// The state of that word; a word of a newer version is not known.
    pub fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or(Self::Unknown)
    }
}

impl From<PhaseName> for State {
    fn from(phase: PhaseName) -> Self {
        match phase {
            PhaseName::Healthy | PhaseName::Degraded => Self::Up,
            PhaseName::Waiting
            | PhaseName::Starting
            | PhaseName::Down
            | PhaseName::BackingOff
            | PhaseName::Restarting
            | PhaseName::Exhausted => Self::Down,
            PhaseName::Unknown => Self::Unknown,
            PhaseName::Paused | PhaseName::Stopped => Self::Off,
        }
    }
}

/// A service has changed its health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// The service.
    pub service: String,
    /// When.
    pub at: Time,
    /// How it counts from now on.
    pub state: State,
    /// Where it stands, in one word, such as `degraded`.
    pub phase: String,
    /// Why, in a line.
    pub reason: String,
}

/// A restart, or a start of what was down, has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// The service.
    pub service: String,
    /// When it was ordered.
    pub at: Time,
    /// Why, such as `signal 9`.
    pub reason: String,
    /// How it ended, in one word: `done`, or the kind of failure.
    pub result: String,
    /// More about the result; may be empty.
    pub detail: String,
    /// How long it took.
    pub took: Span,
}

/// An incident as it stands. A later record of the same one replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id; with `began` it tells one occurrence from the next.
    pub id: String,
    /// When it began.
    pub began: Time,
    /// When this was true; an older record than the one that is kept is ignored.
    pub updated: Time,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Time>,
    /// The type of the alert, such as `service_down`.
    pub alert: String,
    /// How bad it is, or was at its worst.
    pub severity: Severity,
    /// The service that stands for it; empty if it is about a host or a chain.
    pub service: String,
    /// What is the matter, in a line.
    pub title: String,
    /// How many services are or were part of it.
    pub members: u64,
    /// Who takes care of it; empty if nobody has said so.
    pub acknowledged_by: String,
}

/// A service is or was part of an incident. The first record of the two counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The incident's id.
    pub incident: String,
    /// The service.
    pub service: String,
    /// When that was known.
    pub at: Time,
}

/// A note to one channel. A later record of the same one replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The note's id: its idempotency key.
    pub id: String,
    /// The incident that it is about.
    pub incident: String,
    /// The number of the note within the incident.
    pub sequence: u64,
    /// When its delivery ended, or was tried last.
    pub at: Time,
    /// The channel's name.
    pub channel: String,
    /// Why it was told, such as `firing`.
    pub why: String,
    /// The type of the alert.
    pub alert: String,
    /// How bad it was.
    pub severity: Severity,
    /// The service that stands for the incident; may be empty.
    pub service: String,
    /// What it said, in a line.
    pub title: String,
    /// `sent`, `retry`, `later` or `refused`.
    pub outcome: String,
    /// Why it was not sent; no secret is in it.
    pub detail: String,
    /// How often it was tried.
    pub tries: u64,
}

impl Told {
    /// The record of a note whose delivery to `channel` has come to `delivery` at its try number `tries`.
    pub fn new(note: &Note, channel: &str, delivery: &dixmgr_contract::Delivery, tries: u64, at: Time) -> Self {
        use dixmgr_contract::Delivery;
        let (outcome, detail) = match delivery {
            Delivery::Sent { .. } => ("sent", ""),
            Delivery::Retry { reason, .. } => ("retry", reason.as_str()),
            Delivery::Later { .. } => ("later", "its rate is used up"),
            Delivery::Refused { reason } => ("refused", reason.as_str()),
        };
        let why = serde_json::to_value(note.kind).ok().and_then(|word| word.as_str().map(str::to_owned));
        Self {
            id: note.id.clone(),
            incident: note.incident.clone(),
            sequence: note.sequence,
            at,
            channel: channel.to_owned(),
            why: why.unwrap_or_default(),
            alert: note.alert.clone(),
            severity: note.severity,
            service: note.service.clone(),
            title: note.title.clone(),
            outcome: outcome.to_owned(),
            detail: detail.to_owned(),
            tries,
        }
    }
}

/// Somebody has done something: pause, restart, ack, silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The service; empty if it is about something else.
    pub service: String,
    /// When.
    pub at: Time,
    /// Who.
    pub who: String,
    /// What, in a word, such as `pause`.
    pub action: String,
    /// The comment, the matchers, the way it was asked for; may be empty.
    pub detail: String,
    /// How it ended: `done`, or why not.
    pub result: String,
}

/// A time during which a service was in one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// The service.
    pub service: String,
    /// From here.
    pub began: Time,
    /// To here; absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Time>,
    /// The state.
    pub state: State,
    /// Why, in a line.
    pub cause: String,
}

/// What a service used at one moment, or on average over a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// 100 is one CPU.
    pub cpu_percent: f64,
    /// Bytes.
    pub memory: f64,
    /// Bytes a second.
    pub disk_read: f64,
    /// Bytes a second.
    pub disk_write: f64,
}

impl Usage {
    pub(crate) fn is_finite(&self) -> bool {
        [self.cpu_percent, self.memory, self.disk_read, self.disk_write].iter().all(|figure| figure.is_finite())
    }
}

/// What is handed in.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A change of health.
    Transition(Transition),
    /// A restart that has ended.
    Restart(Restart),
    /// An incident as it stands.
    Incident(Incident),
    /// A part of an incident.
    Member(Member),
    /// A note's delivery.
    Told(Told),
    /// What somebody did.
    Action(Action),
    /// What a service used just now, and for how many samples until now.
    Usage {
        /// The service.
        service: String,
        /// When.
        at: Time,
        /// How much.
        usage: Usage,
        /// So many samples were the same; at least 1.
        samples: u32,
    },
    /// What a probe of a service said.
    Probe {
        /// The service.
        service: String,
        /// The probe's name.
        probe: String,
        /// When.
        at: Time,
        /// Whether it was content.
        ok: bool,
        /// How long it took.
        took: Span,
    },
}
