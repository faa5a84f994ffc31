//! Taking back a note that waits for its next try, for it says what is not so any more.
//!
//! A beginning that may have arrived is not taken back but for a graver one: its end will be owed. An end that may have arrived is, when
//! it comes back, and the channel is told at once that it is not over: else it would hear nothing of the next outage, for it is thought
//! to know of the last one. So is one that forgets what it is not told again, since an end that it did not take stopped that. Rejected: to have the end accepted first. On a channel that is away it would stand before what matters, and its
//! fallback would not be told.
//!
//! What waits gives way to what is graver: on a channel that does not take one note, for whatever reason, the next one has a chance.

use super::{
    Clock, Incident,
    line::{Line, View},
    skills::Skill,
};
use dixmgr_contract::{NoteKind, Route};

impl Incident {
    /// Takes back a note that says what is not so any more, unless it is being tried at this moment.
    pub(super) fn retract(&mut self, route: &Route, line: &mut Line, view: View, clock: &mut Clock<'_>) -> bool {
        let Some(current) = line.waiting() else { return false };
        let (untried, kind, is_doubted) = (current.attempts == 0, current.note.kind, current.doubted);
        if current.opens && !view.concerned {
            line.current = Some(self.compose(route, line, view, NoteKind::Late, clock));
            return true;
        }
        let gives_way = !untried && self.has(Skill::OutlivesFailures) && self.is_graver_now(route, line, view, clock);
        let is_stale = match kind {
            _ if current.opens => gives_way || (untried && !view.wanted),
            NoteKind::Late => (line.unsure && view.concerned) || Self::may_open(line, view, clock),
            NoteKind::Resolved => view.concerned,
            _ => gives_way || Self::may_close(line, view, clock) || (untried && view.severity.is_none()),
        };
        if is_stale {
            line.current = None;
            let forgets = route.resend.is_some() && line.repeat.is_none();
            let is_misled = kind == NoteKind::Resolved && (is_doubted || forgets);
            line.misled |= is_misled && self.has(Skill::OutlivesFailures);
        }
        is_stale
    }

    /// There is worse to tell than what waits, or nobody takes care of it any more.
    fn is_graver_now(&self, route: &Route, line: &Line, view: View, clock: &Clock<'_>) -> bool {
        let Some(current) = &line.current else { return false };
        let steps = clock.policy.escalation.get(current.told.stage..self.stage).unwrap_or_default();
        let is_escalated = !current.opens && steps.iter().any(|step| step.channels.contains(&route.name));
        let is_dropped = current.note.kind == NoteKind::Acknowledged && self.ack.is_none();
        view.severity > Some(current.told.severity) || is_escalated || is_dropped
    }
}
