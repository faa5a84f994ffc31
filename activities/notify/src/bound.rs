//! A note made small: what comes over a wire may be of any length and hold anything, and no channel shall have to care.

use crate::text::{line, lines};
use dixmgr_contract::{Identity, Note, NoteMember};
use ring::digest::{SHA256, digest};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Members and affected services that are kept.
const MAX_LISTED: usize = 100;
const MAX_LABELS: usize = 50;
/// How many severities there are.
const SEVERITIES: usize = 3;
/// The longest idempotency key, and the longest id of an incident, in bytes.
const MAX_KEY: usize = 255;

/// The note with its texts clean and short, and its lists of a length that the rest may rely on.
pub(crate) fn bounded(note: &Note) -> Note {
    let mut title = line(&note.title, 400);
    let alert = line(&note.alert, 64);
    if title.is_empty() {
        title = if alert.is_empty() { "something is wrong".to_owned() } else { alert.clone() };
    }
    Note {
        id: key(&note.id),
        incident: key(&note.incident),
        sequence: note.sequence,
        kind: note.kind,
        alert,
        severity: note.severity,
        title,
        text: lines(&note.text, 4_000),
        service: line(&note.service, 200),
        members: note.members.iter().take(MAX_LISTED).map(member).collect(),
        more_members: note.more_members.saturating_add(beyond(note.members.len())),
        affected: note.affected.iter().take(MAX_LISTED).cloned().collect(),
        more_affected: note.more_affected.saturating_add(beyond(note.affected.len())),
        labels: labels(&note.labels),
        identity: note.identity.as_ref().map(|identity| Identity {
            labels: labels(&identity.labels),
            severity: identity.severity,
            former: identity.former.iter().copied().take(SEVERITIES).collect(),
        }),
        began: note.began,
        // Clocks of two hosts: nothing ends before it begins.
        ended: note.ended.map(|ended| ended.max(note.began)),
        at: note.at,
        for_all: note.for_all,
    }
}

fn labels(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let short = labels.iter().map(|(name, value)| (line(name, 100), line(value, 300)));
    short.filter(|(name, value)| !name.is_empty() && !value.is_empty()).take(MAX_LABELS).collect()
}

fn member(member: &NoteMember) -> NoteMember {
    NoteMember { detail: line(&member.detail, 300), ..member.clone() }
}

fn beyond(length: usize) -> u64 {
    length.saturating_sub(MAX_LISTED) as u64
}

/// An id that fits into a header, a path and a protocol's field: itself if it does, else its digest.
fn key(id: &str) -> String {
    // `..` would be a step in a path.
    let is_fit = (1..=MAX_KEY).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_graphic())
        && id.bytes().any(|byte| byte.is_ascii_alphanumeric());
    if is_fit { id.to_owned() } else { sha256(id) }
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
        // Cannot fail: it writes to a text.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{any_note, note};
    use dixmgr_contract::{ServiceName, Span};
    use proptest::prelude::*;

    #[test]
    fn what_is_fine_stays_as_it_is() {
        let note = note();
        assert_eq!(bounded(&note), note);
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let mut note = note();
        note.affected = (0..130).map(|number| ServiceName::new(format!("s{number}")).unwrap()).collect();
        note.more_affected = 5;
        note.ended = Some(note.began.earlier(Span::from_secs(10)));
        let small = bounded(&note);
        assert_eq!((small.affected.len(), small.more_affected, small.ended), (100, 35, Some(note.began)));
    }

    #[test]
    fn an_id_that_fits_no_header_is_digested() {
        let mut note = note();
        for id in ["", "..", "a b", "a\r\nx: y", "ü", &"a".repeat(256)] {
            note.id = id.to_owned();
            assert_eq!(bounded(&note).id.len(), 64, "{id:?}");
        }
        assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_note_becomes_small_and_stays_so(note in any_note()) {
            let small = bounded(&note);
            prop_assert!(serde_json::to_vec(&small).unwrap().len() < 200_000);
            prop_assert!(!small.title.is_empty());
            prop_assert_eq!(bounded(&small), small);
        }
    }
}
