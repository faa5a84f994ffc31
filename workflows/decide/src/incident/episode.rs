//! The beginning and the end of the trouble: what is recorded, how far it was escalated, and when the incident may close.

use super::{Action, Clock, Incident, skills::Skill};
use dixmgr_contract::incident::IncidentRecord;
use dixmgr_contract::{Severity, Span, Time};

/// How long an incident without members waits for the first: before it closes, and before it says that what is held because of
/// it need not be.
const HEARING: Span = Span::from_secs(30);

impl Incident {
    /// Whether something is wrong, since when, and how bad it is.
    pub(super) fn judge_episode(&mut self, clock: &mut Clock<'_>, actions: &mut Vec<Action>) -> bool {
        let was = (self.over, self.calm, self.began, self.counted, self.worst);
        let live = self.members.values().filter(|member| member.is_live());
        let worst = live.clone().map(|member| member.severity).max();
        let since = live.map(|member| member.since).min();
        match worst.zip(since) {
            Some((severity, since)) => {
                self.over = None;
                self.begin(severity, since, clock, actions);
            }
            None => {
                self.over.get_or_insert(clock.now);
                self.finish(clock.now, actions);
            }
        }
        if self.members.values().any(|member| member.firing) {
            self.calm = None;
        } else {
            self.calm.get_or_insert(clock.now);
        }
        self.release_those_behind(clock, actions);
        was != (self.over, self.calm, self.began, self.counted, self.worst)
    }

    fn begin(&mut self, severity: Severity, since: Time, at: &Clock<'_>, actions: &mut Vec<Action>) {
        // It was quiet for long before that was heard of.
        let is_another = |ended: Time| since.since(ended) > at.policy.dedupe_window;
        let is_new = self.passed.take().is_some_and(is_another) || self.began.is_none();
        if is_new {
            (self.began, self.worst) = (Some(since), severity);
        }
        if !std::mem::replace(&mut self.counted, true) {
            actions.push(Action::Record(IncidentRecord::Began { severity }));
            // Whoever took care of it has heard its end, and so has whoever was about to be woken.
            if self.has(Skill::EndsAcks) && self.lines.values().all(|line| line.open.is_none()) {
                self.ack = None;
                self.stage_at = self.stage_at.map(|_| at.now);
            }
        }
        if severity > self.worst {
            actions.push(Action::Record(IncidentRecord::Worse { from: self.worst, to: severity }));
            self.worst = severity;
            // Whoever took care of it did not know how bad it would get.
            if self.ack.take().is_some() {
                self.stage_at = Some(at.now);
            }
        }
    }

    /// Whether it makes a difference that an acknowledgement ends with the end that everybody was told, now or later.
    pub const fn has_steps_to_end(&self) -> bool {
        self.ack.is_some() || self.stage_at.is_some()
    }

    fn finish(&mut self, now: Time, actions: &mut Vec<Action>) {
        if std::mem::take(&mut self.counted) {
            let lasted = now.since(self.began.unwrap_or(now));
            let acked_by = self.ack.as_ref().map(|ack| ack.by.clone());
            actions.push(Action::Record(IncidentRecord::Ended { severity: self.worst, lasted, acked_by }));
        }
    }

    /// What is behind this one is not held by it any more when nothing is wrong here; nor what nobody was told of, when nobody is to
    /// be told of this one.
    fn release_those_behind(&mut self, clock: &mut Clock<'_>, actions: &mut Vec<Action>) {
        if self.has(Skill::HeedsReachAndPeace) && !self.affected.is_empty() && self.is_muted() {
            let incidents = self.untold_behind(clock.policy);
            self.affected.retain(|incident, _| !incidents.contains(incident));
            if !incidents.is_empty() {
                actions.push(Action::Release { incidents, is_muted: true });
            }
        }
        let Some(calm) = self.calm.filter(|_| !self.affected.is_empty()) else { return };
        let hearing = if self.members.is_empty() { HEARING } else { Span::ZERO };
        if clock.due(calm.after(hearing)) {
            let incidents = std::mem::take(&mut self.affected).into_keys().collect();
            actions.push(Action::Release { incidents, is_muted: false });
        }
    }

    /// Reaches the next steps of the escalation, unless somebody takes care of it.
    pub(super) fn escalate(&mut self, clock: &mut Clock<'_>) -> bool {
        let first =
            self.members.values().filter(|member| member.is_audible()).filter_map(|member| member.audible).min();
        if first.is_none() {
            if self.has(Skill::HeedsReachAndPeace) && self.stage_at.is_some() && self.over.is_none() {
                self.peace_since.get_or_insert(clock.now);
            }
        } else if let Some(since) = self.peace_since.take() {
            self.stage_at = self.stage_at.map(|at| at.after(clock.now.since(since.max(at))));
        }
        let Some(first) = first.filter(|_| self.ack.is_none() && self.stage < clock.policy.escalation.len()) else {
            return false;
        };
        let mut changed = false;
        if self.stage_at.is_none() {
            if !clock.due(first.after(clock.policy.group_wait)) {
                return false;
            }
            self.stage_at = Some(clock.now);
            changed = true;
        }
        while let (Some(step), Some(at)) = (clock.policy.escalation.get(self.stage), self.stage_at) {
            if !clock.due(at.after(step.wait)) {
                break;
            }
            self.stage += 1;
            self.stage_at = Some(clock.now);
            changed = true;
        }
        changed
    }

    /// When nothing has come back for the dedupe window, the episode is forgotten; when all is told, the incident closes.
    pub(super) fn end_episode(&mut self, clock: &mut Clock<'_>, actions: &mut Vec<Action>) -> bool {
        let Some(over) = self.over else { return false };
        if self.began.is_none() && self.calm.is_none() {
            return false;
        }
        let quiet = self.calm.filter(|_| self.began.is_none()).unwrap_or(over).max(over);
        // What an incident was started for may come a moment after its start.
        let hearing = if self.members.is_empty() { HEARING } else { Span::ZERO };
        if !clock.due(quiet.after(clock.policy.dedupe_window.max(hearing))) {
            return false;
        }
        let silences = self.own_silences.len();
        self.own_silences.retain(|silence| silence.until.is_some_and(|until| until > clock.now));
        self.cycles.clear();
        let mut changed = silences != self.own_silences.len();
        if self.began.take().is_some() {
            self.passed = None;
            (self.ack, self.stage, self.stage_at, self.peace_since) = (None, 0, None, None);
            self.members.values_mut().for_each(|member| member.heard = false);
            changed = true;
        }
        // Whoever wanted two hours of peace does not want another incident in them.
        let silence = self.own_silences.iter().filter_map(|silence| silence.until).max();
        if silence.is_some_and(|until| !clock.due(until)) {
            return changed;
        }
        if self.calm.is_some() && self.affected.is_empty() && self.lines.values().all(super::Line::is_idle) {
            self.closed = true;
            actions.push(Action::Close);
            changed = true;
        }
        changed
    }
}
