//! A channel's ledger: what it was told, what it is owed, and the one note that is on its way to it.

use super::{hash, identity::Known, repeat::Repeat};
use crate::rng::Rng;
use dixmgr_contract::{Note, NoteKind, RateLimit, Severity, Span, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What an incident knows of one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    /// Since when it knows of the trouble; so long it is owed the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) open: Option<Time>,
    /// A beginning was tried, and what became of that is not known: it may have arrived, and its end is owed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unsure: bool,
    /// When what it was told of, or may have been, began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) began: Option<Time>,
    /// When it was told the end last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) closed: Option<Time>,
    /// The note that is on its way, or waits for its next try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<Current>,
    /// Since when nothing is wrong any more that it was told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) over: Option<Time>,
    /// How often it came back within the dedupe window.
    #[serde(default)]
    pub(super) comebacks: u32,
    /// What the last note said.
    #[serde(default)]
    pub(super) told: Told,
    /// The members that it was told of.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) heard: BTreeSet<String>,
    /// The members that were in trouble before that was heard of, and that it was not told of.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) passed: BTreeSet<String>,
    /// Since when there is something that it is to be told, whoever it is by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) first: Option<Time>,
    /// It may have been told an end, and it was none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) misled: bool,
    /// When the last note went out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Time>,
    /// Since when nothing was accepted that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failing: Option<Time>,
    /// For so long that its fallback is told as well.
    #[serde(default)]
    pub(super) failed: bool,
    /// A beginning was refused; no other is tried before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shut_until: Option<Time>,
    /// It is told in the place of these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) stands_in_for: BTreeSet<String>,
    /// What is told again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) repeat: Option<Repeat>,
    /// By what it may know the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) known: Option<Known>,
    /// What the channel said of itself when it accepted the last note.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) thread: String,
    /// The last wait between two tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wait: Option<Span>,
    /// The rate limit: the theoretical arrival time of the next note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) arrival: Option<Time>,
    pub(super) rng: Rng,
    /// Notes accepted.
    #[serde(default)]
    pub(super) sent: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) last_error: String,
}

/// What a note says, as far as it decides whether there is news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) affected: u64,
    pub(super) severity: Severity,
    pub(super) acks: u64,
    /// Of returns from a silence, a pause or a window.
    #[serde(default)]
    pub(super) returns: u64,
    pub(super) stage: usize,
}

/// A note on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Current {
    pub(super) note: Note,
    /// With it the channel hears of the trouble.
    pub(super) opens: bool,
    pub(super) told: Told,
    /// The members in trouble that it tells of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) names: Vec<String>,
    /// What it says has passed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) passed: BTreeSet<String>,
    #[serde(default)]
    pub(super) attempts: u32,
    /// The answer to a try has not come.
    #[serde(default)]
    pub(super) flying: bool,
    /// A try of it has failed, and nobody can say whether it has arrived.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) doubted: bool,
    /// Not tried before.
    pub(super) next: Time,
}

impl Current {
    /// Without it the channel would not know what is wrong, or that it is over.
    pub(super) const fn is_vital(&self) -> bool {
        !matches!(self.note.kind, NoteKind::Acknowledged | NoteKind::Reminder)
    }

    /// With it the channel has heard the end.
    pub(super) const fn closes(&self) -> bool {
        matches!(self.note.kind, NoteKind::Resolved | NoteKind::Late)
    }
}

/// What an incident is to one channel now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct View {
    /// Something is wrong that it was told of, or would be.
    pub(super) concerned: bool,
    /// It is to be told, were it not told already.
    pub(super) wanted: bool,
    /// The worst of what it may be told of.
    pub(super) severity: Option<Severity>,
    /// Since when there is something that it is to be told.
    pub(super) first: Option<Time>,
    /// There is a member that it was not told of.
    pub(super) news: bool,
    /// There is one that it was told of before people asked for peace, and not since.
    pub(super) returned: bool,
}

impl Line {
    pub(super) fn new(seed: u64, name: &str) -> Self {
        Self {
            open: None,
            unsure: false,
            began: None,
            closed: None,
            current: None,
            over: None,
            comebacks: 0,
            told: Told::default(),
            heard: BTreeSet::new(),
            passed: BTreeSet::new(),
            first: None,
            misled: false,
            last: None,
            failing: None,
            failed: false,
            shut_until: None,
            stands_in_for: BTreeSet::new(),
            repeat: None,
            known: None,
            thread: String::new(),
            wait: None,
            arrival: None,
            rng: Rng::new(seed ^ hash(name)),
            sent: 0,
            last_error: String::new(),
        }
    }

    /// It has been told everything.
    pub(super) fn is_idle(&self) -> bool {
        self.current.is_none() && !self.is_owed() && self.repeat.is_none() && self.passed.is_empty()
    }

    /// It is owed the end.
    pub(super) const fn is_owed(&self) -> bool {
        self.open.is_some() || self.unsure
    }

    /// The try of the present note has failed; nobody can say whether the note has arrived.
    pub(super) fn doubt(&mut self) {
        let Some(current) = &mut self.current else { return };
        current.doubted = true;
        self.unsure |= current.opens;
    }

    /// It was told of that member, or is about to be.
    pub(super) fn knows(&self, member: &str) -> bool {
        let is_named = |current: &Current| current.names.binary_search_by(|name| name.as_str().cmp(member)).is_ok();
        self.heard.contains(member) || self.current.as_ref().is_some_and(is_named)
    }

    /// That member is not there any more.
    pub(super) fn forget(&mut self, member: &str) {
        self.heard.remove(member);
    }

    /// A note waits that is not being tried at this moment.
    pub(super) fn waiting(&self) -> Option<&Current> {
        self.current.as_ref().filter(|current| !current.flying)
    }

    /// Notes since when what it knows of is over, and counts how often it came back.
    pub(super) fn watch(&mut self, concerned: bool, window: Span, now: Time) -> bool {
        if !concerned {
            let changed = self.over.is_none();
            self.over.get_or_insert(now);
            return changed;
        }
        let Some(over) = self.over.take() else { return false };
        let knows = self.open.is_some() || self.closed.is_some_and(|closed| now.since(closed) <= window);
        self.comebacks = if knows && now.since(over) <= window { self.comebacks.saturating_add(1) } else { 0 };
        true
    }

    /// Those in trouble may take turns; the wait for more of them is from the first of them.
    pub(super) fn wait_for_the_group(&mut self, view: View, waits_once: bool) {
        if !view.concerned || !waits_once {
            self.first = None;
        } else if view.wanted {
            self.first = self.first.or(view.first);
        }
    }

    /// When the rate limit lets the next note pass: the generic cell rate algorithm (ITU-T I.371), as a leaky bucket of
    /// `notes` that leaks one each `per / notes`.
    pub(super) fn allowed_at(&self, limit: RateLimit, now: Time) -> Time {
        let Some(arrival) = self.arrival else { return now };
        arrival.earlier(Span::from_millis(limit.per.as_millis().saturating_sub(interval(limit).as_millis())))
    }

    /// Counts a note towards the rate limit.
    pub(super) fn count(&mut self, limit: RateLimit, now: Time) {
        let from = self.arrival.map_or(now, |arrival| arrival.max(now));
        self.arrival = Some(from.after(interval(limit)));
    }

    /// A note that was counted last did not go out.
    pub(super) fn uncount(&mut self, limit: RateLimit) {
        self.arrival = self.arrival.map(|arrival| arrival.earlier(interval(limit)));
    }
}

fn interval(limit: RateLimit) -> Span {
    Span::from_millis(limit.per.as_millis() / u64::from(limit.notes.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_limit_lets_a_burst_pass_and_then_one_at_a_time() {
        let limit = RateLimit { notes: 3, per: Span::from_secs(60) };
        let mut line = Line::new(1, "slack");
        let mut now = Time::from_unix_millis(1_000_000);
        let begin = now;
        let mut sent = Vec::new();
        for _ in 0..6 {
            now = now.max(line.allowed_at(limit, now));
            line.count(limit, now);
            sent.push(now.since(begin).as_millis() / 1000);
        }
        assert_eq!(sent, [0, 0, 0, 20, 40, 60]);
    }
}
