//! A note as a line of our own log: the channel that is always there, and the last one that fails.

use crate::answer::sent;
use crate::say::{Said, Tone};
use dixmgr_contract::Delivery;
use tracing::{error, info, warn};

/// Writes the line, at the level of how bad it is.
pub(crate) fn send(said: &Said) -> Delivery {
    let note = &said.note;
    let text = crate::text::line(&note.text, 1_000);
    let affected = (note.affected.len() as u64).saturating_add(note.more_affected);
    let members = (note.members.len() as u64).saturating_add(note.more_members);
    macro_rules! told {
        ($level:ident) => {
            $level!(
                incident = note.incident,
                status = said.status,
                alert = note.alert,
                severity = %note.severity,
                service = note.service,
                members,
                affected,
                text,
                "{}",
                said.title
            )
        };
    }
    match said.tone {
        Tone::Critical => told!(error),
        Tone::Warning => told!(warn),
        Tone::Info | Tone::Good => told!(info),
    }
    sent("")
}
