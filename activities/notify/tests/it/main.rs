//! Channels against what answers on loopback, well or badly: HTTP, SMTP and programs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod exec;
mod hostile;
mod http;
mod log;
mod mail;
mod real_mail;
mod server;
mod signature;
mod slack;
mod smtp;
mod tls;

use dixmgr_contract::{Delivery, HostName, Note, NoteKind, NoteMember, ServiceName, Severity, Span, Time};
use dixmgr_notify::{Channel, ChannelConfig, Net, Rate, Settings};
use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

/// Long enough for whatever does answer.
const LONG: Duration = Duration::from_secs(20);

/// It reads the authorities of this host, once.
static NET: LazyLock<Net> = LazyLock::new(|| Net::new().unwrap());

fn channel(settings: Settings) -> Channel {
    with(settings, &NET)
}

fn with(settings: Settings, net: &Net) -> Channel {
    Channel::new(&config(settings), net).unwrap()
}

/// One that takes as much as there is.
fn config(settings: Settings) -> ChannelConfig {
    let rate = Some(Rate { every: Span::from_millis(1), burst: 1_000 });
    ChannelConfig { name: "ops".into(), settings, rate, timeout: None }
}

fn note() -> Note {
    let began = Time::from_unix_millis(1_700_000_000_000);
    Note {
        id: "service_down.api/1/ops".into(),
        incident: "service_down.api".into(),
        sequence: 1,
        kind: NoteKind::Firing,
        alert: "service_down".into(),
        severity: Severity::Critical,
        title: "api is down".into(),
        text: "It was killed by signal 9.".into(),
        service: "api".into(),
        members: vec![NoteMember {
            service: Some(ServiceName::new("api").unwrap()),
            host: Some(HostName::new("alpha").unwrap()),
            detail: "killed by signal 9".into(),
            over: false,
        }],
        more_members: 0,
        affected: Vec::new(),
        more_affected: 0,
        labels: BTreeMap::new(),
        identity: None,
        began,
        ended: None,
        at: began.after(Span::from_secs(100)),
        for_all: false,
    }
}

/// The same incident's last note.
fn resolved() -> Note {
    let note = note();
    Note { id: "service_down.api/2/ops".into(), sequence: 2, kind: NoteKind::Resolved, ended: Some(note.at), ..note }
}

fn sent(thread: &str) -> Delivery {
    Delivery::Sent { thread: thread.to_owned() }
}

#[track_caller]
fn assert_retry(delivery: &Delivery, part: &str) -> Option<Span> {
    let Delivery::Retry { reason, after } = delivery else { panic!("{delivery:?}") };
    assert!(reason.contains(part), "{reason}");
    assert_hushed(delivery);
    *after
}

#[track_caller]
fn assert_refused(delivery: &Delivery, part: &str) {
    let Delivery::Refused { reason } = delivery else { panic!("{delivery:?}") };
    assert!(reason.contains(part), "{reason}");
    assert_hushed(delivery);
}

/// Secrets of these tests hold the word.
#[track_caller]
fn assert_hushed(delivery: &Delivery) {
    let text = format!("{delivery:?}").to_lowercase();
    assert!(!text.contains("hush"), "{text}");
}
