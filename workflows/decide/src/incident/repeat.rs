//! Channels that forget what they are not told again, as Alertmanager does: the last note is repeated while it lasts, and for
//! a while after its end.
//!
//! The note is the same each time, with the same id, and no try of it is counted: it is no news. Rejected: repeating from the memory of the
//! host that sent it first. Another host may have told the end meanwhile, or the host may be gone.

use super::{Action, Clock, delivery::turn, line::Line};
use dixmgr_contract::{Delivery, Note, Route, Span, Time};
use serde::{Deserialize, Serialize};

/// For how long an end is repeated (`resolvedRetention` of Prometheus).
const RESOLVED_FOR: Span = Span::from_secs(15 * 60);

/// What is told again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Repeat {
    note: Note,
    /// When it is told next.
    next: Time,
    /// Not any more from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
    /// The answer has not come.
    #[serde(default)]
    flying: bool,
}

impl Line {
    /// A note was accepted, or was an end that was given up: it takes the place of the one before, which is not so any more.
    pub(super) fn repeat_from_now(&mut self, route: Option<&Route>, note: Note, is_end: bool, now: Time) {
        self.repeat = route.and_then(|route| route.resend).map(|every| Repeat {
            note,
            next: now.after(every),
            until: is_end.then(|| now.after(RESOLVED_FOR)),
            flying: false,
        });
    }

    /// The same note is on its way: another one would overtake it, or be overtaken.
    pub(super) fn is_repeating(&self) -> bool {
        self.repeat.as_ref().is_some_and(|repeat| repeat.flying)
    }

    /// Tells it again, if it is time and nothing else is on its way.
    pub(super) fn repeat(&mut self, route: &Route, clock: &mut Clock<'_>, actions: &mut Vec<Action>) -> bool {
        let Some(repeat) = self.repeat.as_mut().filter(|repeat| !repeat.flying) else { return false };
        if route.resend.is_none() || repeat.until.is_some_and(|until| clock.due(until)) {
            self.repeat = None;
            return true;
        }
        if self.current.as_ref().is_some_and(|current| current.flying) || !clock.due(repeat.next) {
            return false;
        }
        repeat.flying = true;
        actions.push(Action::Deliver {
            channel: route.name.clone(),
            note: Box::new(repeat.note.clone()),
            attempt: 1,
            again: true,
            thread: self.thread.clone(),
        });
        true
    }

    /// How that ended. Whatever it was, the note was accepted before and will be again: what answers in the place of the channel
    /// while that is started anew refuses everything.
    pub(super) fn repeated(&mut self, note: &str, outcome: &Delivery, route: Option<&Route>, now: Time) {
        let Some(repeat) = self.repeat.as_mut().filter(|repeat| repeat.flying && repeat.note.id == note) else {
            return;
        };
        repeat.flying = false;
        match (outcome, route.and_then(|route| route.resend)) {
            (Delivery::Later { after }, Some(every)) => repeat.next = now.after(turn(*after).min(every)),
            (_, Some(every)) => repeat.next = now.after(every),
            (_, None) => self.repeat = None,
        }
    }

    /// The answer will not come.
    pub(super) fn repeat_interrupted(&mut self, now: Time) {
        if let Some(repeat) = self.repeat.as_mut().filter(|repeat| repeat.flying) {
            (repeat.flying, repeat.next) = (false, now);
        }
    }
}
