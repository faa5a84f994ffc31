//! A note as a message of mail (RFC 5322, MIME): text and HTML, one thread for each incident.
//!
//! It is a pure function of the note, byte for byte the same on each try, and so is its `Message-ID`: a mail store that
//! gets it twice shows it once. All notes of an incident refer to one root that is never sent (as Alertmanager does it),
//! so that the thread holds together even if the first note got lost. `Auto-Submitted` (RFC 3834) keeps away the answers
//! of those on holiday.
//!
//! Rejected: the crate `lettre`. Its builder draws a new boundary each time; its client reads a line of any length, gives
//! up on all recipients for the sake of one, and comes with a dozen crates.

use super::address::Address;
use crate::bound::sha256;
use crate::say::{Said, time};
use crate::text::html;
use base64::{Engine, engine::general_purpose::STANDARD};
use dixmgr_contract::Time;
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use std::fmt::Write;

/// The longest line of quoted-printable, and the longest encoded word, in bytes (RFC 2045, RFC 2047).
const MAX_QUOTED: usize = 76;
/// The bytes of a text that fit into an encoded word: `=?utf-8?B?…?=` in 75.
const MAX_WORD: usize = 45;

/// The message, with CRLF line ends, all of it ASCII.
pub(crate) fn message(said: &Said, from: &Address, to: &[Address]) -> String {
    let domain = &from.domain;
    let root = format!("<{}.incident@{domain}>", &sha256(&said.note.incident)[..40]);
    let boundary = format!("=_{}", &sha256(&said.note.id)[..40]);
    let mut mail = String::new();
    header(&mut mail, "Date", &date(said.note.at));
    header(&mut mail, "From", &mailbox(from));
    header(&mut mail, "To", &to.iter().map(mailbox).collect::<Vec<_>>().join(",\r\n "));
    header(&mut mail, "Subject", &words(&said.title));
    header(&mut mail, "Message-ID", &format!("<{}.note@{domain}>", &sha256(&said.note.id)[..40]));
    header(&mut mail, "In-Reply-To", &root);
    header(&mut mail, "References", &root);
    header(&mut mail, "Auto-Submitted", "auto-generated");
    header(&mut mail, "X-Auto-Response-Suppress", "All");
    header(&mut mail, "X-Dixmgr-Status", said.status);
    header(&mut mail, "MIME-Version", "1.0");
    header(&mut mail, "Content-Type", &format!("multipart/alternative;\r\n boundary=\"{boundary}\""));
    for (kind, body) in [("plain", plain(said)), ("html", page(said))] {
        let _ = write!(mail, "\r\n--{boundary}\r\n");
        header(&mut mail, "Content-Type", &format!("text/{kind}; charset=utf-8"));
        header(&mut mail, "Content-Transfer-Encoding", "quoted-printable");
        let _ = write!(mail, "\r\n{}", quoted(&body));
    }
    let _ = write!(mail, "\r\n--{boundary}--\r\n");
    mail
}

/// The value is ours, or went through [`words`].
fn header(mail: &mut String, name: &str, value: &str) {
    // Cannot fail, here and above: it writes to a text.
    let _ = write!(mail, "{name}: {value}\r\n");
}

fn date(at: Time) -> String {
    let stamp = Timestamp::from_millisecond(at.unix_millis()).unwrap_or_default();
    DateTimePrinter::new().timestamp_to_string(&stamp).unwrap_or_default().replace("-0000", "+0000")
}

fn mailbox(address: &Address) -> String {
    if address.name.is_empty() { format!("<{address}>") } else { format!("{} <{address}>", words(&address.name)) }
}

/// A text as the value of a header: as it is if that is safe, else in encoded words of RFC 2047, each on a line.
fn words(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " [](),.:;@/_-+#%'".contains(c);
    // In a name, only these may stand without quotes.
    let is_bare = |c: char| c.is_ascii_alphanumeric() || " -+'".contains(c);
    let is_subject = text.starts_with('[');
    let is_safe = if is_subject { text.chars().all(is_plain) } else { text.chars().all(is_bare) };
    if is_safe && text.len() <= 200 {
        return text.to_owned();
    }
    let mut parts: Vec<String> = vec![String::new()];
    for c in text.chars() {
        match parts.last_mut() {
            Some(part) if part.len() + c.len_utf8() <= MAX_WORD => part.push(c),
            _ => parts.push(c.to_string()),
        }
    }
    let encoded: Vec<String> = parts.iter().map(|part| format!("=?utf-8?B?{}?=", STANDARD.encode(part))).collect();
    encoded.join("\r\n ")
}

/// RFC 2045, section 6.7. Each line of the text stays a line.
fn quoted(text: &str) -> String {
    let mut all = String::new();
    for line in text.lines() {
        let (mut length, mut bytes) = (0, line.bytes().peekable());
        while let Some(byte) = bytes.next() {
            let is_last = bytes.peek().is_none();
            let is_plain = (byte.is_ascii_graphic() && byte != b'=') || (byte == b' ' && !is_last);
            let needed = if is_plain { 1 } else { 3 };
            // One is left for the mark that the line goes on.
            if length + needed > MAX_QUOTED - 1 {
                all.push_str("=\r\n");
                length = 0;
            }
            length += needed;
            if is_plain {
                all.push(char::from(byte));
            } else {
                let _ = write!(all, "={byte:02X}");
            }
        }
        all.push_str("\r\n");
    }
    all
}

fn plain(said: &Said) -> String {
    format!("{}\n\n{}\n", said.title, said.body(usize::MAX).join("\n"))
}

/// Styles within: mail programs drop those of a head.
fn page(said: &Said) -> String {
    let mut page = format!(
        "<div style=\"border-left:4px solid {};padding-left:12px;font-family:sans-serif\">\n<h3>{}</h3>\n",
        said.tone.hex(),
        html(&said.title)
    );
    for line in said.note.text.lines().chain(said.affected.as_deref()) {
        let _ = writeln!(page, "<p>{}</p>", html(line));
    }
    if !said.members.is_empty() {
        page.push_str("<ul>\n");
        for member in &said.members {
            let _ = writeln!(page, "<li>{}</li>", html(member));
        }
        page.push_str("</ul>\n");
    }
    page.push_str("<table>\n");
    for (name, value) in &said.facts {
        let _ = writeln!(page, "<tr><td>{name}</td><td>{}</td></tr>", html(value));
    }
    let _ = writeln!(page, "</table>\n<p><small>dixmgr, {}</small></p>\n</div>", time(said.note.at));
    page
}

#[cfg(test)]
mod tests;
