//! Events of telling people: notes on their way, and what happens to incidents.

use super::Event;
use crate::metrics::Metrics;
use dixmgr_contract::{Delivery, IncidentNews, IncidentRecord, Note};
use std::time::Duration;
use tracing::{debug, info, warn};

/// A channel was asked to take a note.
#[derive(Debug)]
pub struct NoteDelivered<'a> {
    /// The channel's name.
    pub channel: &'a str,
    /// The note.
    pub note: &'a Note,
    /// What became of it.
    pub delivery: &'a Delivery,
    /// How long that took.
    pub took: Duration,
    /// It accepted the note before: no news.
    pub again: bool,
}

impl Event for NoteDelivered<'_> {
    fn emit(self, metrics: &Metrics) {
        let Self { channel, note, delivery, took, again } = self;
        let incident = note.incident.as_str();
        if again {
            if let Delivery::Retry { reason, .. } | Delivery::Refused { reason } = delivery {
                debug!(channel, incident, note = note.id, reason, "not told again");
            }
            return;
        }
        match delivery {
            Delivery::Sent { .. } => info!(channel, incident, note = note.id, "told"),
            Delivery::Retry { reason, .. } => warn!(channel, incident, note = note.id, reason, "not told yet"),
            Delivery::Later { after } => debug!(channel, incident, note = note.id, %after, "no room for it now"),
            Delivery::Refused { reason } => warn!(channel, incident, note = note.id, reason, "the channel refuses"),
        }
        metrics.note(channel, delivery, took);
    }
}

/// An incident began, got worse, ended; or somebody did something about it.
#[derive(Debug)]
pub struct IncidentHappened<'a>(pub &'a IncidentNews);

impl Event for IncidentHappened<'_> {
    fn emit(self, _: &Metrics) {
        let IncidentNews { record, status, .. } = self.0;
        let incident = status.fingerprint.as_str();
        match record {
            IncidentRecord::Began { severity } => warn!(incident, %severity, "incident began"),
            IncidentRecord::Worse { from, to } => warn!(incident, %from, %to, "incident got worse"),
            IncidentRecord::Ended { lasted, .. } => info!(incident, %lasted, "incident is over"),
            IncidentRecord::GaveUp { channel, reason, .. } => {
                warn!(incident, channel, reason, "a note was given up");
            }
            IncidentRecord::FellBack { channel, to } => {
                warn!(incident, channel, to, "another channel is told in its place");
            }
            IncidentRecord::Operator { by, text } => info!(incident, by, "{text}"),
        }
    }
}
