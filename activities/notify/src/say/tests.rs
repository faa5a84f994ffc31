//! What notes say: each kind's title, the body, and nothing that is too long.

use super::*;
use crate::testing::{KINDS, any_note, note};
use proptest::prelude::*;

#[test]
fn each_kind_has_its_title() {
    let titles = [
        "[CRITICAL] api is down",
        "[CRITICAL] Changed: api is down",
        "[CRITICAL] Still, after 1m40s: api is down",
        "[CRITICAL] Not acknowledged for 1m40s: api is down",
        "[ACKNOWLEDGED] api is down",
        "[RESOLVED] After 1m30s: api is down",
        "[RESOLVED] Told late, lasted 1m30s: api is down",
        "[TEST] api is down",
    ];
    for (kind, title) in KINDS.into_iter().zip(titles) {
        let mut note = note();
        note.kind = kind;
        if status(kind) == "resolved" {
            note.ended = Some(note.began.after(Span::from_secs(90)));
        }
        assert_eq!(Said::of(&note).title, title);
    }
}

#[test]
fn the_body_says_what_a_reader_asks() {
    let body = Said::of(&note()).body(10).join("\n");
    assert_eq!(
        body,
        "It was killed by signal 9.\n\
         2 services behind it are affected: web, proxy\n\
         \n\
         • api on alpha: killed by signal 9\n\
         • db: waits for api (well again)\n\
         \n\
         Service: api\n\
         Severity: critical\n\
         Began: 2023-11-14 22:13:20 UTC\n\
         Incident: service_down.api"
    );
}

#[test]
fn whoever_is_not_listed_is_counted_named_in_the_note_or_not() {
    let mut note = note();
    let one = note.members[0].clone();
    note.members = vec![one; 100];
    for (more, unlisted) in [(0, 90), (900, 990)] {
        note.more_members = more;
        let body = Said::of(&note).body(10);
        let members: Vec<_> = body.iter().filter(|line| line.starts_with("• ")).collect();
        assert_eq!((members.len(), members[10].as_str()), (11, format!("• and {unlisted} more").as_str()));
    }
    let body = Said::of(&note).body(200);
    assert!(
        body.contains(&"• and 900 more".to_owned()) && body.iter().filter(|line| line.starts_with("• ")).count() == 101
    );
}

#[test]
fn a_note_with_nothing_in_it_still_says_something() {
    let mut note = note();
    (note.title, note.text, note.service, note.alert) = Default::default();
    (note.members, note.affected) = Default::default();
    let said = Said::of(&note);
    assert_eq!(said.title, "[CRITICAL] something is wrong");
    assert!(said.affected.is_none() && said.members.is_empty());
}

#[test]
fn one_affected_service_is_said_in_the_singular() {
    let mut note = note();
    note.affected.truncate(1);
    assert_eq!(Said::of(&note).affected.as_deref(), Some("1 service behind it is affected: web"));
    note.affected.clear();
    note.more_affected = 7;
    assert_eq!(Said::of(&note).affected.as_deref(), Some("7 services behind it are affected"));
}

#[test]
fn colours_follow_severity_until_it_is_over() {
    for (kind, severity, hex) in [
        (NoteKind::Firing, Severity::Info, "#439fe0"),
        (NoteKind::Reminder, Severity::Warning, "#ff9900"),
        (NoteKind::Firing, Severity::Critical, "#ff0000"),
        (NoteKind::Acknowledged, Severity::Critical, "#ff0000"),
        (NoteKind::Resolved, Severity::Critical, "#36a64f"),
        (NoteKind::Late, Severity::Warning, "#36a64f"),
        (NoteKind::Test, Severity::Critical, "#439fe0"),
    ] {
        let mut note = note();
        (note.kind, note.severity) = (kind, severity);
        assert_eq!(Said::of(&note).tone.hex(), hex);
    }
}

#[test]
fn what_is_cut_is_cut_before_it_is_escaped() {
    let mut note = note();
    note.title = "&".repeat(300);
    let title = Said::of(&note).short_title(100, crate::text::html);
    // The length is found in steps of a quarter: 100, 75, 56, 42, 31, 23.
    assert_eq!(title, format!("[CRITICAL] {}…", "&amp;".repeat(11)));
    note.members = vec![note.members[0].clone(); 12];
    let body = Said::of(&note).short_body(2_000, crate::text::html);
    assert!(body.contains("• and 2 more\n"), "{body}");
}

proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_title_is_one_short_line(note in any_note()) {
        let said = Said::of(&note);
        prop_assert!(units(&said.title) <= 500 && !said.title.contains(['\n', '\r']));
        prop_assert!(said.affected.is_none_or(|text| units(&text) <= 1_000));
        prop_assert!(said.members.len() <= 101);
    }
}
