//! `dixmgr test-alert`: one note through one channel, to see on a quiet day whether it arrives.

use super::Channels;
use crate::exit::Failure;
use anyhow::anyhow;
use dixmgr_contract::{Delivery, Note, NoteKind, Severity, Time};
use dixmgr_notify::DELIVERY;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Delivers a test note.
///
/// # Errors
/// There is no such channel.
pub(crate) async fn test(channels: &Channels, name: &str, by: &str) -> Result<Delivery, Failure> {
    let Some(channel) = channels.get(name) else {
        let known: Vec<_> = channels.keys().map(String::as_str).collect();
        return Err(Failure::Failed(anyhow!(
            "there is no channel {name:?} that is enabled; there are {}",
            known.join(", ")
        )));
    };
    Ok(channel.deliver(&note(by, Time::from(SystemTime::now())), "", DELIVERY).await)
}

fn note(by: &str, now: Time) -> Note {
    let id = format!("test-{:x}", now.unix_millis());
    Note {
        incident: id.clone(),
        id,
        sequence: 1,
        kind: NoteKind::Test,
        alert: "test".to_owned(),
        severity: Severity::Info,
        title: "this is a test".to_owned(),
        text: format!("{by} tries this channel. Nothing is wrong."),
        service: String::new(),
        members: Vec::new(),
        more_members: 0,
        affected: Vec::new(),
        more_affected: 0,
        labels: BTreeMap::new(),
        identity: None,
        began: now,
        ended: None,
        at: now,
        for_all: false,
    }
}

/// What came of it, for people.
///
/// # Errors
/// It was not accepted, and why.
pub(crate) fn said(name: &str, delivery: &Delivery) -> Result<String, Failure> {
    match delivery {
        Delivery::Sent { .. } => Ok(format!("{name} has accepted it; look whether it is there\n")),
        Delivery::Retry { reason, .. } => Err(Failure::Failed(anyhow!("{name} did not accept it this time: {reason}"))),
        Delivery::Later { after } => Err(Failure::Failed(anyhow!("the rate of {name} leaves no room for {after}"))),
        Delivery::Refused { reason } => Err(Failure::Failed(anyhow!("{name} refuses it: {reason}"))),
    }
}
