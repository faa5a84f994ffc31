//! The way of a note to its channel: tries, waits, giving up, and another channel in its place.
//!
//! Each try carries the same note with the same id, so a receiver that honours it hears it once, however often an answer is
//! lost. The waits are decorrelated jitter like those of restarts, from [`FIRST_WAIT`] to [`LONGEST_WAIT`], so a channel that was away
//! is tried again within minutes of its return; what the channel itself asks for (`Retry-After`) is honoured up to [`LONGEST_ASKED`].
//! A note for which our own limits had no room was not tried: nothing has failed, and it comes when there is room.
//! A refusal (the key was revoked, nothing is at that URL) has its fallback told at once, and is tried again all the same: people mend
//! keys, other hosts have others, and what answers in the place of a channel while that is started anew refuses everything.
//!
//! Rejected: leaving retries to the activity that sends. An outage of an hour would be forgotten by a restart, and a note that is
//! no longer true would be sent after it.

use super::{
    Action, Clock, Incident,
    line::{Current, Line, Told},
    skills::Skill,
    words,
};
use dixmgr_contract::incident::IncidentRecord;
use dixmgr_contract::{Delivery, NoteKind, Route, Span, Time};
use std::collections::BTreeSet;

/// The wait after the first failure.
pub(super) const FIRST_WAIT: Span = Span::from_secs(5);
/// No wait of ours is longer.
pub(super) const LONGEST_WAIT: Span = Span::from_secs(300);
/// No channel can ask for more.
pub(super) const LONGEST_ASKED: Span = Span::from_secs(3_600);
/// Not tried again before: who has no room now has none a moment later.
const SHORTEST_TURN: Span = Span::from_millis(100);
/// The most bytes that a channel may say of itself.
const MAX_THREAD: usize = 1_024;

impl Incident {
    /// Sends the note that waits, if its time has come.
    pub(super) fn send(
        &mut self,
        route: &Route,
        line: &mut Line,
        clock: &mut Clock<'_>,
        actions: &mut Vec<Action>,
    ) -> bool {
        let Some(current) = line.waiting().filter(|_| !line.is_repeating()) else { return false };
        let (made, next, is_first) = (current.note.at, current.next, current.attempts == 0);
        if !is_first && clock.due(made.after(clock.policy.give_up)) {
            let reason = format!("not accepted for {}: {}", clock.policy.give_up, line.last_error);
            self.drop_note(route, line, reason, clock, actions);
            return true;
        }
        let mut changed = false;
        if let Some(failing) = line.failing
            && clock.due(failing.after(route.fallback_after))
            && !std::mem::replace(&mut line.failed, true)
        {
            changed = true;
        }
        if line.failed {
            changed |= self.fall_back(route, line, clock, actions);
        }
        let limit = route.rate_limit.filter(|_| is_first);
        let allowed = limit.map_or(clock.now, |limit| line.allowed_at(limit, clock.now));
        if !clock.due(next.max(allowed)) {
            return changed;
        }
        if let Some(limit) = limit {
            line.count(limit, clock.now);
        }
        line.may_know();
        if let Some(current) = &mut line.current {
            current.flying = true;
            current.attempts = current.attempts.saturating_add(1);
            actions.push(Action::Deliver {
                channel: route.name.clone(),
                note: Box::new(current.note.clone()),
                attempt: current.attempts,
                again: false,
                thread: line.thread.clone(),
            });
        }
        true
    }

    /// How a try ended. What is not the answer to the open try is from the past.
    pub(super) fn delivered(
        &mut self,
        channel: &str,
        note: &str,
        outcome: Delivery,
        at: &Clock<'_>,
        actions: &mut Vec<Action>,
    ) {
        let Some(mut line) = self.lines.remove(channel) else { return };
        if let Some(current) = line.current.as_mut().filter(|current| current.flying && current.note.id == note) {
            current.flying = false;
            match outcome {
                Delivery::Sent { thread } => line.accepted(thread, at.policy.route(channel), at.now),
                Delivery::Retry { reason, after } => line.put_off(&reason, after, at.now),
                Delivery::Later { after } => line.come_later(after, at.policy.route(channel), at.now),
                Delivery::Refused { reason } if self.has(Skill::OutlivesFailures) && current.is_vital() => {
                    line.refuse(&reason, at.policy.route(channel), at.now)
                }
                Delivery::Refused { reason } => {
                    line.last_error = words(&reason);
                    let gone = Route::new(channel);
                    let route = at.policy.route(channel).unwrap_or(&gone);
                    self.drop_note(route, &mut line, words(&reason), at, actions);
                }
            }
        } else {
            line.repeated(note, &outcome, at.policy.route(channel), at.now);
        }
        self.lines.insert(channel.to_owned(), line);
    }

    /// The answers to all open tries are lost; each is tried again, with the same id.
    pub(super) fn interrupted(&mut self, now: Time) {
        self.lines.values_mut().for_each(|line| line.repeat_interrupted(now));
        for line in self.lines.values_mut() {
            if let Some(current) = line.current.as_mut().filter(|current| current.flying) {
                (current.flying, current.next) = (false, now);
                line.doubt();
            }
        }
    }

    /// Gives a note up.
    fn drop_note(&mut self, route: &Route, line: &mut Line, reason: String, at: &Clock<'_>, actions: &mut Vec<Action>) {
        line.failed = true;
        self.fall_back(route, line, at, actions);
        let Some(current) = line.current.take() else { return };
        let channel = route.name.clone();
        let closes = current.closes();
        let id = current.note.id.clone();
        actions.push(Action::Record(IncidentRecord::GaveUp { channel, note: id, reason }));
        if closes {
            line.close(&current.passed, at.now);
            line.repeat_from_now(Some(route), current.note, true, at.now);
        } else if current.opens {
            line.shut_until = Some(at.now.after(at.policy.repeat_interval.max(Span::from_secs(60))));
            if line.unsure {
                line.began.get_or_insert(current.note.began);
                line.heard.extend(current.names);
            }
        } else {
            (line.told, line.last) = (current.told, Some(at.now));
            line.heard.extend(current.names);
        }
    }

    /// Has another channel told in the place of this one. One that would hear of an end without a beginning hears both at once.
    fn fall_back(&mut self, route: &Route, line: &Line, at: &Clock<'_>, actions: &mut Vec<Action>) -> bool {
        let name = route.fallback.as_deref().filter(|name| *name != route.name && at.policy.route(name).is_some());
        let (Some(name), Some(current)) = (name, &line.current) else { return false };
        let seed = self.seed;
        let other = self.lines.entry(name.to_owned()).or_insert_with(|| Line::new(seed, name));
        let fell_back =
            || Action::Record(IncidentRecord::FellBack { channel: route.name.clone(), to: name.to_owned() });
        if !current.closes() {
            let is_new = other.stands_in_for.insert(route.name.clone());
            if is_new {
                actions.push(fell_back());
            }
            return is_new;
        }
        let has_heard = other.closed.is_some_and(|closed| closed >= current.note.began);
        if !other.is_idle() || has_heard {
            return false;
        }
        let mut note = current.note.clone();
        self.sequence += 1;
        note.kind = NoteKind::Late;
        note.text = format!("{} {} could not be told.", note.text, route.name).trim().to_owned();
        (note.sequence, note.at) = (self.sequence, at.now);
        note.identity.iter_mut().for_each(|identity| identity.former.clear());
        note.id = self.note_id(name);
        if let Some(other) = self.lines.get_mut(name) {
            other.put(note, false, Told::default(), at.now);
        }
        actions.push(fell_back());
        true
    }
}

impl Line {
    pub(super) fn put(&mut self, note: dixmgr_contract::Note, opens: bool, told: Told, now: Time) {
        let (names, passed) = (Vec::new(), BTreeSet::new());
        self.current =
            Some(Current { note, opens, told, names, passed, attempts: 0, flying: false, doubted: false, next: now });
    }

    fn accepted(&mut self, thread: String, route: Option<&Route>, now: Time) {
        let Some(current) = self.current.take() else { return };
        self.repeat_from_now(route, current.note.clone(), current.closes(), now);
        self.knows_only(current.note.identity.as_ref());
        if !thread.is_empty() && thread.len() <= MAX_THREAD {
            self.thread = thread;
        }
        (self.failing, self.failed, self.wait, self.shut_until) = (None, false, None, None);
        self.misled = false;
        self.last_error.clear();
        self.sent += 1;
        self.last = Some(now);
        if current.closes() {
            self.close(&current.passed, now);
            return;
        }
        if current.opens {
            self.unsure = false;
            (self.open, self.began) = (Some(now), Some(current.note.began));
        }
        self.told = current.told;
        self.heard.extend(current.names);
    }

    fn close(&mut self, passed: &BTreeSet<String>, now: Time) {
        (self.open, self.began, self.closed, self.told) = (None, None, Some(now), Told::default());
        (self.known, self.unsure) = (None, false);
        self.stands_in_for.clear();
        self.heard.clear();
        self.passed.retain(|name| !passed.contains(name));
    }

    /// It was not tried: as before, but for the time of the next try.
    fn come_later(&mut self, after: Span, route: Option<&Route>, now: Time) {
        let Some(current) = &mut self.current else { return };
        current.next = now.after(turn(after));
        current.attempts = current.attempts.saturating_sub(1);
        if let Some(limit) = route.and_then(|route| route.rate_limit).filter(|_| current.attempts == 0) {
            self.uncount(limit);
        }
    }

    /// It has not arrived, and will not unless somebody does something about it.
    fn refuse(&mut self, reason: &str, route: Option<&Route>, now: Time) {
        self.failing.get_or_insert(now);
        self.failed = true;
        self.last_error = words(reason);
        let wait = route.and_then(|route| route.resend).map_or(LONGEST_WAIT, |every| every.min(LONGEST_WAIT));
        let Some(current) = &mut self.current else { return };
        current.next = now.after(wait);
        if current.closes() {
            // What is repeated is not so any more.
            self.repeat = None;
        }
    }

    fn put_off(&mut self, reason: &str, after: Option<Span>, now: Time) {
        self.failing.get_or_insert(now);
        self.doubt();
        self.last_error = words(reason);
        let (first, longest) = (FIRST_WAIT.as_millis(), LONGEST_WAIT.as_millis());
        let wait = match self.wait {
            None => first,
            Some(last) => self.rng.between(first, last.as_millis().saturating_mul(3).min(longest)),
        };
        self.wait = Some(Span::from_millis(wait));
        let wait = Span::from_millis(wait).max(after.unwrap_or_default().min(LONGEST_ASKED));
        if let Some(current) = &mut self.current {
            current.next = now.after(wait);
        }
    }
}

/// How long it takes until there may be room, within bounds.
pub(super) fn turn(after: Span) -> Span {
    after.max(SHORTEST_TURN).min(LONGEST_ASKED)
}
