//! What a note says, in the words that all channels share: a reader who gets it by mail and by chat reads the same.
//!
//! Rejected: templates of the operator's own for each channel. They fail on the night on which they are first used; what
//! a rule has to say is in the note's title and text.

use crate::bound::bounded;
use crate::text::{cut, fit, units};
use dixmgr_contract::{Note, NoteKind, NoteMember, Severity, Span, Time};

/// What it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It is over.
    Good,
    /// Worth knowing.
    Info,
    /// For daylight.
    Warning,
    /// Now.
    Critical,
}

impl Tone {
    /// Its colour, as 0xRRGGBB: those that Slack shows for `good` and `warning`, a red, and a blue.
    pub(crate) const fn colour(self) -> u32 {
        match self {
            Self::Good => 0x36_a6_4f,
            Self::Info => 0x43_9f_e0,
            Self::Warning => 0xff_99_00,
            Self::Critical => 0xff_00_00,
        }
    }

    /// [`Tone::colour`] as `#rrggbb`.
    pub(crate) fn hex(self) -> String {
        format!("#{:06x}", self.colour())
    }
}

/// A note and what it says. Everything in it is clean and short.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// The note, bounded.
    pub(crate) note: Note,
    /// What it looks like.
    pub(crate) tone: Tone,
    /// `firing`, `acknowledged`, `resolved` or `test`.
    pub(crate) status: &'static str,
    /// The line that stands for all of it; at most 500 UTF-16 units.
    pub(crate) title: String,
    /// Names and values: of what, how bad, since when.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// `12 services behind it are affected: …`; at most 1,000 UTF-16 units.
    pub(crate) affected: Option<String>,
    /// A line for each member, and one for those that are not listed.
    pub(crate) members: Vec<String>,
}

impl Said {
    pub(crate) fn of(note: &Note) -> Self {
        let note = bounded(note);
        Self {
            tone: tone(&note),
            status: status(note.kind),
            title: title(&note),
            facts: facts(&note),
            affected: affected(&note),
            members: members(&note),
            note,
        }
    }

    /// Everything below the title, line by line, with at most `most` members.
    pub(crate) fn body(&self, most: usize) -> Vec<String> {
        let mut lines: Vec<String> = self.note.text.lines().map(str::to_owned).collect();
        lines.extend(self.affected.clone());
        if !self.members.is_empty() {
            part(&mut lines);
            // What says how many more there are is the last of them, and no member.
            let named = self.note.members.len();
            let all = self.note.more_members.saturating_add(named as u64);
            let shown = named.min(most);
            lines.extend(self.members.iter().take(shown).map(|member| format!("• {member}")));
            if all > shown as u64 {
                lines.push(format!("• and {} more", all - shown as u64));
            }
        }
        part(&mut lines);
        lines.extend(self.facts.iter().map(|(name, value)| format!("{name}: {value}")));
        lines
    }

    /// The title, escaped, in at most `max` UTF-16 units.
    pub(crate) fn short_title(&self, max: usize, escape: impl Fn(&str) -> String) -> String {
        within(&self.title, max, &escape)
    }

    /// [`Said::body`] for a chat: escaped, in at most `max` UTF-16 units, and no line takes more than a third of them.
    pub(crate) fn short_body(&self, max: usize, escape: impl Fn(&str) -> String) -> String {
        let lines = self.body(MOST_IN_CHAT);
        let lines: Vec<String> = lines.iter().map(|line| within(line, max / 3, &escape)).collect();
        fit(&lines, max)
    }
}

/// The members that are listed in a chat.
const MOST_IN_CHAT: usize = 10;

/// `text` escaped, in at most `max` UTF-16 units: it is cut before it is escaped, never within `&amp;`.
fn within(text: &str, max: usize, escape: &impl Fn(&str) -> String) -> String {
    let mut length = max;
    loop {
        let escaped = escape(&cut(text, length));
        if length == 0 || units(&escaped) <= max {
            return escaped;
        }
        length = length * 3 / 4;
    }
}

/// An empty line before what follows, unless it is the first.
fn part(lines: &mut Vec<String>) {
    if !lines.is_empty() {
        lines.push(String::new());
    }
}

/// The word for what it is now.
pub(crate) const fn status(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Firing | NoteKind::Update | NoteKind::Reminder | NoteKind::Escalation => "firing",
        NoteKind::Acknowledged => "acknowledged",
        NoteKind::Resolved | NoteKind::Late => "resolved",
        NoteKind::Test => "test",
    }
}

/// The word of the note's kind on the wire.
pub(crate) const fn kind(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Firing => "firing",
        NoteKind::Update => "update",
        NoteKind::Reminder => "reminder",
        NoteKind::Escalation => "escalation",
        NoteKind::Acknowledged => "acknowledged",
        NoteKind::Resolved => "resolved",
        NoteKind::Late => "late",
        NoteKind::Test => "test",
    }
}

fn tone(note: &Note) -> Tone {
    match (note.kind, note.severity) {
        (NoteKind::Resolved | NoteKind::Late, _) => Tone::Good,
        (NoteKind::Test, _) | (_, Severity::Info) => Tone::Info,
        (_, Severity::Warning) => Tone::Warning,
        (_, Severity::Critical) => Tone::Critical,
    }
}

fn title(note: &Note) -> String {
    let severity = note.severity.as_str().to_uppercase();
    let title = &note.title;
    let age = span(note.at.since(note.began));
    match note.kind {
        NoteKind::Firing => format!("[{severity}] {title}"),
        NoteKind::Update => format!("[{severity}] Changed: {title}"),
        NoteKind::Reminder => format!("[{severity}] Still, after {age}: {title}"),
        NoteKind::Escalation => format!("[{severity}] Not acknowledged for {age}: {title}"),
        NoteKind::Acknowledged => format!("[ACKNOWLEDGED] {title}"),
        NoteKind::Resolved => format!("[RESOLVED] After {}: {title}", span(lasted(note))),
        NoteKind::Late => format!("[RESOLVED] Told late, lasted {}: {title}", span(lasted(note))),
        NoteKind::Test => format!("[TEST] {title}"),
    }
}

fn lasted(note: &Note) -> Span {
    note.ended.unwrap_or(note.at).since(note.began)
}

fn facts(note: &Note) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if !note.service.is_empty() {
        facts.push(("Service", note.service.clone()));
    }
    facts.push(("Severity", note.severity.as_str().to_owned()));
    facts.push(("Began", time(note.began)));
    if let Some(ended) = note.ended {
        facts.push(("Over", time(ended)));
        facts.push(("Lasted", span(lasted(note))));
    }
    facts.push(("Incident", note.incident.clone()));
    facts
}

fn affected(note: &Note) -> Option<String> {
    let count = (note.affected.len() as u64).saturating_add(note.more_affected);
    let names: Vec<&str> = note.affected.iter().map(|name| name.as_str()).collect();
    let (services, are) = if count == 1 { ("service", "is") } else { ("services", "are") };
    let said = match (count, names.is_empty()) {
        (0, _) => return None,
        (_, true) => format!("{count} {services} behind it {are} affected"),
        (_, false) => format!("{count} {services} behind it {are} affected: {}", names.join(", ")),
    };
    Some(cut(&said, 1_000))
}

fn members(note: &Note) -> Vec<String> {
    let mut lines: Vec<String> = note.members.iter().map(member).collect();
    if note.more_members > 0 {
        lines.push(format!("and {} more", note.more_members));
    }
    lines
}

fn member(member: &NoteMember) -> String {
    let name = match (&member.service, &member.host) {
        (Some(service), Some(host)) => format!("{service} on {host}"),
        (Some(service), None) => service.to_string(),
        (None, Some(host)) => host.to_string(),
        (None, None) => String::new(),
    };
    let separator = if name.is_empty() || member.detail.is_empty() { "" } else { ": " };
    let over = if member.over { " (well again)" } else { "" };
    format!("{name}{separator}{}{over}", member.detail)
}

/// `2023-11-14 22:13:20 UTC`.
pub(crate) fn time(time: Time) -> String {
    let stamp = time.to_string();
    match stamp.split_once('T') {
        Some((date, rest)) => format!("{date} {} UTC", rest.split('.').next().unwrap_or_default()),
        None => stamp,
    }
}

/// In whole seconds.
fn span(span: Span) -> String {
    Span::from_secs(span.as_millis() / 1_000).to_string()
}

#[cfg(test)]
mod tests;
