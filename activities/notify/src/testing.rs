//! Notes for tests: one as it ought to be, and any.

use dixmgr_contract::{HostName, Identity, Note, NoteKind, NoteMember, ServiceName, Severity, Span, Time};
use proptest::{collection, option, prelude::*, sample::select};
use std::collections::BTreeMap;

pub(crate) const KINDS: [NoteKind; 8] = [
    NoteKind::Firing,
    NoteKind::Update,
    NoteKind::Reminder,
    NoteKind::Escalation,
    NoteKind::Acknowledged,
    NoteKind::Resolved,
    NoteKind::Late,
    NoteKind::Test,
];

/// Texts that a careless renderer trips over.
const HOSTILE: [&str; 14] = [
    "<!channel> <@U123> @everyone <#C1>",
    "&amp; <b>bold</b> </pre><script>alert(1)</script>",
    "a\r\nBcc: everybody@example.org\r\n\r\nbody",
    "=?utf-8?q?=0d=0aX:_y?=",
    "*_~`|>#[click](http://evil.example)\\",
    "\u{202e}txet desrever\u{200b}",
    "\u{0}\u{1b}[31m\u{7f}",
    ".\r\n.\r\nQUIT\r\n",
    "\"'{}[]\\\\n\\u0000",
    "😀😀😀😀 ünïcödé 漢字",
    "${HOME} $(id) `id`; rm -rf /",
    "<a href=\"x\" onclick='y'>",
    "--=_dixmgr",
    "",
];

pub(crate) fn note() -> Note {
    let began = Time::from_unix_millis(1_700_000_000_000);
    let name = |name: &str| ServiceName::new(name).unwrap();
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
        members: vec![
            NoteMember {
                service: Some(name("api")),
                host: Some(HostName::new("alpha").unwrap()),
                detail: "killed by signal 9".into(),
                over: false,
            },
            NoteMember { service: Some(name("db")), host: None, detail: "waits for api".into(), over: true },
        ],
        more_members: 0,
        affected: vec![name("web"), name("proxy")],
        more_affected: 0,
        labels: BTreeMap::from([("chain".into(), "polkadot".into()), ("team".into(), "ops".into())]),
        identity: None,
        began,
        ended: None,
        at: began.after(Span::from_secs(100)),
        for_all: false,
    }
}

fn text() -> impl Strategy<Value = String> {
    text_of(20_000)
}

/// Any text, some of them `max` bytes long.
fn text_of(max: usize) -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        select(&HOSTILE[..]).prop_map(str::to_owned),
        select(&HOSTILE[..]).prop_map(move |text| text.repeat(max / (text.len() + 1))),
    ]
}

fn member() -> impl Strategy<Value = NoteMember> {
    let service = option::of("[a-z0-9._@:-]{1,200}".prop_map(|name| ServiceName::new(name).unwrap()));
    let host = option::of("[a-z0-9._-]{1,50}".prop_map(|name| HostName::new(name).unwrap()));
    (service, host, text_of(600), any::<bool>()).prop_map(|(service, host, detail, over)| NoteMember {
        service,
        host,
        detail,
        over,
    })
}

/// Up to 150 of a few different ones: to draw each anew takes longer than all that is tested with them.
fn many<T: Clone + std::fmt::Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    (collection::vec(one, 0..4), 1..50_usize).prop_map(|(some, times)| {
        let length = some.len() * times;
        some.into_iter().cycle().take(length).collect()
    })
}

fn time() -> impl Strategy<Value = Time> {
    any::<i64>().prop_map(Time::from_unix_millis)
}

fn severity() -> impl Strategy<Value = Severity> {
    select(vec![Severity::Info, Severity::Warning, Severity::Critical])
}

fn identity() -> impl Strategy<Value = Identity> {
    (collection::btree_map(text(), text(), 0..4), severity(), collection::vec(severity(), 0..5))
        .prop_map(|(labels, severity, former)| Identity { labels, severity, former })
}

/// Any note that can be read from a wire.
pub(crate) fn any_note() -> impl Strategy<Value = Note> {
    let names = (text(), text(), text(), text(), text(), text());
    let lists = (
        many(member()),
        many("[a-z0-9._@:-]{1,200}".prop_map(|name| ServiceName::new(name).unwrap())),
        (collection::btree_map(text(), text(), 0..8), option::of(identity())),
    );
    let rest = (
        select(&KINDS[..]),
        severity(),
        (any::<u64>(), any::<u64>(), any::<u64>()),
        (time(), option::of(time()), time()),
    );
    (names, lists, rest).prop_map(
        |((id, incident, alert, title, body, service), (members, affected, (labels, identity)), rest)| {
            let (kind, severity, (sequence, more_members, more_affected), (began, ended, at)) = rest;
            Note {
                id,
                incident,
                sequence,
                kind,
                alert,
                severity,
                title,
                text: body,
                service,
                members,
                more_members,
                affected,
                more_affected,
                labels,
                identity,
                began,
                ended,
                at,
                for_all: sequence % 2 == 0,
            }
        },
    )
}
