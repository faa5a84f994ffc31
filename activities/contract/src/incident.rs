//! An incident on the wire: its input, what people ask of it, and how it stands.
//!
//! Its machine is `dixmgr_decide::incident`; the workflow around it is `wf.incident.<fingerprint>`.

use crate::{NoteMember, ServiceName, Severity, Span, Time, glob::Matcher, id::prefix_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The workflow type of an incident.
pub const INCIDENT_WORKFLOW: &str = "IncidentWorkflow";
/// The signal that carries a [`crate::alert::MemberReport`].
pub const SIGNAL_MEMBER: &str = "member";
/// The signal that carries a [`ResolveArgs`].
pub const SIGNAL_RESOLVE: &str = "resolve";
/// The signal that carries an [`crate::AlertPolicy`].
pub const SIGNAL_CONFIGURE: &str = "configure";
/// The signal that carries an [`Affected`].
pub const SIGNAL_AFFECTED: &str = "affected";
/// The signal that carries a [`Released`].
pub const SIGNAL_RELEASED: &str = "released";
/// The signal that carries the silences of the fleet, all of them and its maintenance windows: a list of [`crate::alert::Silence`].
pub const SIGNAL_SILENCES: &str = "silences";
/// The update that takes [`AckArgs`].
pub const UPDATE_ACK: &str = "ack";
/// The update that takes [`SilenceArgs`].
pub const UPDATE_SILENCE: &str = "silence";
/// The update that takes [`UnsilenceArgs`].
pub const UPDATE_UNSILENCE: &str = "unsilence";
/// The most services that are named as affected by one incident.
pub const MAX_AFFECTED: usize = 5_000;
/// The most channels that are named in a [`Reach`]: as many as there can be.
pub const MAX_REACH: usize = 100;

/// Whose business something is, by the names of channels, and how bad the worst of it is for each; null: of that nobody is told for now.
pub type Reach = BTreeMap<String, Option<Severity>>;

/// The id of an incident's workflow, in the family of `relative` (live or dry run).
pub fn incident_id(relative: &str, fingerprint: &str) -> String {
    format!("{}wf.incident.{fingerprint}", prefix_of(relative))
}

/// Which incident it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentSpec {
    /// Its type and what it is of, such as `service_down.api`.
    pub fingerprint: String,
    /// The type of its alerts.
    #[serde(rename = "type")]
    pub alert: String,
}

impl IncidentSpec {
    /// The incident of a fingerprint that [`crate::GroupBy::fingerprint`] has made. No type has a dot: that is an error of the
    /// configuration.
    pub fn from_fingerprint(fingerprint: String) -> Self {
        let alert = fingerprint.split_once('.').map_or(fingerprint.as_str(), |(alert, _)| alert).to_owned();
        Self { fingerprint, alert }
    }
}

/// What is in trouble because of this incident: of one other incident, all of it, never a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// The fingerprint of the incident that is held because of this one.
    pub incident: String,
    /// Its services, and those behind it; empty: it is not held any more. At most [`MAX_AFFECTED`].
    #[serde(default)]
    pub services: Vec<ServiceName>,
    /// The fingerprints of the incidents behind it: two that wait for each other are found by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<String>,
    /// Whose business all of that is: each by its own severity and its own labels. An older dixmgr says nothing. At most [`MAX_REACH`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reach: Reach,
}

/// The cause is over, there is none, or nobody is told of it: what is held because of it may be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// The fingerprint of the cause.
    pub cause: String,
    /// It lasts, and nobody is told of it for now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_muted: bool,
}

/// Somebody takes care of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckArgs {
    /// Who.
    #[serde(default)]
    pub by: String,
    /// What they have to say.
    #[serde(default)]
    pub comment: String,
}

/// Somebody does not want to be told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceArgs {
    /// Of the members that fit all of these; empty: of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matchers: Vec<Matcher>,
    /// Who.
    #[serde(default)]
    pub by: String,
    /// Why.
    #[serde(default)]
    pub comment: String,
    /// For so long; absent, like `until`: until it is over.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// Until then, instead of `for`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

impl SilenceArgs {
    /// When it ends, at most `longest` from `now`; absent: it has no end of its own.
    ///
    /// # Errors
    /// That moment is over.
    pub fn end(&self, now: Time, longest: Span) -> Result<Option<Time>, String> {
        let latest = now.after(longest);
        match (self.span, self.until) {
            (Some(span), _) => Ok(Some(now.after(span).min(latest))),
            (None, Some(until)) if until <= now => Err(format!("{until} is over: nothing would be silenced")),
            (None, until) => Ok(until.map(|until| until.min(latest))),
        }
    }

    /// What keeps it from being understood, whenever it is asked; `None` if nothing does.
    pub fn objection(&self) -> Option<String> {
        let both = self.span.is_some() && self.until.is_some();
        both.then(|| "say for how long (\"for\") or until when (\"until\"), not both".to_owned())
    }
}

/// Somebody wants to be told again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsilenceArgs {
    /// The silence; empty: all of this incident's own.
    #[serde(default)]
    pub silence: String,
    /// Who.
    #[serde(default)]
    pub by: String,
}

/// Somebody says that it is over (signal `resolve`). What is found wrong after that is a new beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolveArgs {
    /// The member, as [`crate::MemberReport::member`] names it; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Who.
    #[serde(default)]
    pub by: String,
}

/// Where an incident stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentPhase {
    /// It waits a moment for what belongs to it.
    Gathering,
    /// It lasts, and people are told.
    Firing,
    /// It lasts, and somebody takes care of it.
    Acknowledged,
    /// It is a consequence of another one, and told there.
    Held,
    /// Nobody is to be told of it for now.
    Silenced,
    /// It is over; what comes back now is the same incident.
    Over,
}

impl IncidentPhase {
    /// The word on the wire and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gathering => "gathering",
            Self::Firing => "firing",
            Self::Acknowledged => "acknowledged",
            Self::Held => "held",
            Self::Silenced => "silenced",
            Self::Over => "over",
        }
    }
}

impl std::fmt::Display for IncidentPhase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer of the query `status` of `IncidentWorkflow`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentStatus {
    /// The incident's id, as in its notes.
    pub id: String,
    /// Its type and what it is of.
    pub fingerprint: String,
    /// The type of its alerts.
    #[serde(rename = "type")]
    pub alert: String,
    /// Where it stands.
    pub phase: IncidentPhase,
    /// How bad it is; of one that is over: how bad it was.
    pub severity: Severity,
    /// When it began; null before anything has.
    pub began: Option<Time>,
    /// When it was over, if it is.
    pub ended: Option<Time>,
    /// What it waits for, in sentences.
    pub waiting_for: Vec<String>,
    /// When it looks again by itself.
    pub next_at: Option<Time>,
    /// How many members are in trouble.
    pub firing: u64,
    /// The members, at most 100.
    pub members: Vec<NoteMember>,
    /// How many services are affected by it and not told of on their own.
    pub affected: u64,
    /// Who takes care of it.
    pub acked_by: Option<String>,
    /// How each channel stands.
    pub channels: Vec<ChannelStatus>,
    /// Notes made so far.
    pub notes: u64,
    /// Members that were not taken in, because there are too many.
    #[serde(default)]
    pub refused_members: u64,
    /// Why the last signal that could not be read was ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_error: Option<String>,
}

/// How a channel stands with an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelStatus {
    /// Its name.
    pub name: String,
    /// It was told, and is owed the end.
    pub told: bool,
    /// The note that is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sending: Option<String>,
    /// How often that was tried.
    #[serde(default)]
    pub attempts: u32,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Time>,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_error: String,
    /// Notes that it accepted.
    pub sent: u64,
}

/// Something about an incident that is worth a metric, a line in the log and a row in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum IncidentRecord {
    /// It has begun.
    Began {
        /// How bad it is.
        severity: Severity,
    },
    /// It got worse.
    Worse {
        /// How bad it was.
        from: Severity,
        /// How bad it is.
        to: Severity,
    },
    /// It is over.
    Ended {
        /// How bad it was at worst.
        severity: Severity,
        /// How long it lasted.
        lasted: Span,
        /// Who took care of it. Without a dedupe window that is not in the status any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        acked_by: Option<String>,
    },
    /// A note was given up.
    GaveUp {
        /// The channel.
        channel: String,
        /// The note's id.
        note: String,
        /// Why, in a line that holds no secret.
        reason: String,
    },
    /// Another channel is told in its place.
    FellBack {
        /// The channel that fails.
        channel: String,
        /// The one in its place.
        to: String,
    },
    /// A person has done something.
    Operator {
        /// Who.
        by: String,
        /// What, in a sentence.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GroupBy, HostName};

    #[test]
    fn a_fingerprint_knows_its_type_whatever_it_is_of() {
        let (service, host) = (ServiceName::new("api.example").ok(), HostName::new("alpha.example").ok());
        assert!(service.is_some() && host.is_some(), "names may have dots");
        for (service, host) in [(service.as_ref(), host.as_ref()), (None, host.as_ref()), (None, None)] {
            for group_by in [GroupBy::Service, GroupBy::Host, GroupBy::Chain, GroupBy::Fleet] {
                for chain in ["", "polkadot"] {
                    let fingerprint = group_by.fingerprint("service_down", service, host, chain);
                    let spec = IncidentSpec::from_fingerprint(fingerprint.clone());
                    assert_eq!(spec, IncidentSpec { fingerprint, alert: "service_down".to_owned() });
                }
            }
        }
    }

    #[test]
    fn a_dry_run_has_incidents_of_its_own() {
        assert_eq!(incident_id("wf.svc.api", "service_down.api"), "wf.incident.service_down.api");
        assert_eq!(incident_id("dry.wf.svc.api", "service_down.api"), "dry.wf.incident.service_down.api");
    }

    #[test]
    fn a_silence_without_a_time_lasts_until_the_end() {
        let args: SilenceArgs = serde_json::from_str(r#"{"by":"eve","for":"2h"}"#).unwrap();
        assert_eq!(args.span, Some(Span::from_secs(7200)));
        assert_eq!(serde_json::from_str::<SilenceArgs>("{}").unwrap().span, None);
    }

    #[test]
    fn a_silence_ends_after_a_time_or_at_one_and_no_later_than_allowed() {
        let (now, longest) = (Time::from_unix_millis(1_000_000), Span::from_secs(3_600));
        let at = |seconds| now.after(Span::from_secs(seconds));
        let of =
            |span: Option<u64>, until| SilenceArgs { span: span.map(Span::from_secs), until, ..Default::default() };
        assert_eq!(of(None, None).end(now, longest), Ok(None));
        assert_eq!(of(Some(60), None).end(now, longest), Ok(Some(at(60))));
        assert_eq!(of(None, Some(at(60))).end(now, longest), Ok(Some(at(60))));
        for long in [of(Some(7_200), None), of(None, Some(at(7_200)))] {
            assert_eq!(long.end(now, longest), Ok(Some(at(3_600))));
        }
        assert!(of(None, Some(now)).end(now, longest).unwrap_err().contains("is over"));
        assert!(of(Some(60), Some(at(60))).objection().is_some() && of(None, Some(at(60))).objection().is_none());
        let read: SilenceArgs = serde_json::from_str(r#"{"until":"2026-11-24T06:00:00Z"}"#).unwrap();
        assert_eq!(read.until.unwrap().to_string(), "2026-11-24T06:00:00.000Z");
    }
}
