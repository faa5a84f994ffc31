//! Messages of mail: one in full, its thread, and none that a text can break out of.

use super::*;
use crate::testing::{any_note, note};
use dixmgr_contract::{Note, NoteKind};
use proptest::prelude::*;

fn mail(note: &Note) -> String {
    let from = Address::parse("dixmgr <dixmgr@example.org>").unwrap();
    let to = ["ops@example.org", "Ünal <u@example.org>"].map(|to| Address::parse(to).unwrap());
    message(&Said::of(note), &from, &to)
}

fn value<'a>(mail: &'a str, name: &str) -> &'a str {
    let head = mail.split_once("\r\n\r\n").unwrap().0;
    let start = head.find(&format!("{name}: ")).unwrap() + name.len() + 2;
    head[start..].split("\r\n").next().unwrap()
}

/// What a reader of encoded words makes of a header that may be folded.
fn decoded(value: &str) -> String {
    let whole: Vec<u8> = value
        .split("\r\n ")
        .flat_map(|word| match word.strip_prefix("=?utf-8?B?").and_then(|rest| rest.strip_suffix("?=")) {
            Some(base64) => STANDARD.decode(base64).unwrap(),
            None => word.as_bytes().to_vec(),
        })
        .collect();
    String::from_utf8(whole).unwrap()
}

/// What a reader of quoted-printable makes of it.
fn unquoted(body: &str) -> String {
    let body = body.replace("=\r\n", "");
    let (mut bytes, mut rest) = (Vec::new(), body.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'=' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

#[test]
fn a_message_has_its_headers_and_two_bodies() {
    let mail = mail(&note());
    assert_eq!(value(&mail, "Date"), "Tue, 14 Nov 2023 22:15:00 +0000");
    assert_eq!(value(&mail, "From"), "dixmgr <dixmgr@example.org>");
    assert!(mail.contains("To: <ops@example.org>,\r\n =?utf-8?B?w5xuYWw=?= <u@example.org>\r\n"));
    assert_eq!(value(&mail, "Subject"), "[CRITICAL] api is down");
    assert_eq!(value(&mail, "Auto-Submitted"), "auto-generated");
    let parts: Vec<&str> = mail.split("\r\n--=_").collect();
    assert_eq!(parts.len(), 4, "{mail}");
    assert!(parts[1].contains("Content-Type: text/plain; charset=utf-8\r\n"));
    assert!(parts[1].contains("\r\nIt was killed by signal 9.\r\n"));
    assert!(parts[2].contains("Content-Type: text/html; charset=utf-8\r\n"));
    assert!(parts[2].contains("<h3>[CRITICAL] api is down</h3>"));
    assert!(parts[3].ends_with("--\r\n"));
}

#[test]
fn notes_of_an_incident_are_one_thread_and_a_try_again_is_the_same_message() {
    let first = note();
    let mut last = note();
    (last.id, last.kind, last.ended) = ("other".into(), NoteKind::Resolved, Some(last.at));
    assert_eq!(value(&mail(&first), "References"), value(&mail(&last), "References"));
    assert_eq!(value(&mail(&first), "In-Reply-To"), value(&mail(&first), "References"));
    assert_ne!(value(&mail(&first), "Message-ID"), value(&mail(&last), "Message-ID"));
    assert_eq!(mail(&first), mail(&first));
}

#[test]
fn a_hostile_title_stays_in_its_header() {
    let mut note = note();
    note.title = "x\r\nBcc: everybody@example.org\r\n\r\nbody =?utf-8?q?=0d=0aX:_y?=".into();
    let mail = mail(&note);
    let head = mail.split_once("\r\n\r\n").unwrap().0;
    assert!(!head.to_lowercase().contains("\r\nbcc"), "{head}");
    let start = head.find("Subject: ").unwrap() + 9;
    let end = head.find("\r\nMessage-ID").unwrap();
    assert_eq!(decoded(&head[start..end]), "[CRITICAL] x Bcc: everybody@example.org body =?utf-8?q?=0d=0aX:_y?=");
}

#[test]
fn quoted_printable_is_read_back() {
    for text in ["", "a = b", "trailing ", "tab\t", "ünïcödé 😀", &"ü".repeat(200), &"x".repeat(77), ".", "a\nb\n\nc"]
    {
        let body = quoted(text);
        let expected = if text.is_empty() { String::new() } else { format!("{text}\n") };
        assert_eq!(unquoted(&body), expected);
        assert!(body.lines().all(|line| line.len() <= 76 && !line.ends_with(' ')), "{body}");
    }
}

proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_note_is_a_message_that_mail_can_carry(note in any_note()) {
        let mail = mail(&note);
        prop_assert!(mail.is_ascii() && mail.len() < 1 << 20);
        // RFC 5322, section 2.1.1; no bare CR or LF.
        prop_assert!(mail.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0'])));
        let head = mail.split_once("\r\n\r\n").unwrap().0;
        let names: Vec<&str> = head.split("\r\n").filter(|line| !line.starts_with(' ')).map(|line| line.split(':').next().unwrap()).collect();
        prop_assert_eq!(names, [
            "Date", "From", "To", "Subject", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
            "X-Auto-Response-Suppress", "X-Dixmgr-Status", "MIME-Version", "Content-Type",
        ]);
        let boundary = head.rsplit_once("boundary=\"").unwrap().1.trim_end_matches('"');
        prop_assert_eq!(mail.matches(boundary).count(), 4);
        let html = mail.rsplit_once("quoted-printable\r\n\r\n").unwrap().1.split("\r\n--=_").next().unwrap();
        let html = unquoted(html);
        for tag in ["<script", "<b>", "<a ", "<img"] {
            prop_assert!(!html.contains(tag), "{}", html);
        }
    }

    #[test]
    fn any_line_is_read_back(text in "\\PC{0,300}") {
        prop_assert_eq!(decoded(&words(&text)), text.clone());
        let line = text.replace(['\u{85}', '\u{2028}'], "");
        if !line.is_empty() {
            prop_assert_eq!(unquoted(&quoted(&line)), format!("{line}\n"));
        }
    }
}
