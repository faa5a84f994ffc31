//! What was over before it was heard of, for nobody could be told while it lasted: each channel that would have been told of it gets
//! one summary, which says when it began and how long it lasted.
//!
//! It is no beginning, so no end is owed. Who is to hear of it is decided once: what is over does not change any more. A channel that
//! knows of other trouble here finds it in its next note.
//!
//! Rejected: to let it fire and end at once. It would be a beginning and an end to whoever is quick to take the first of them.

use super::{
    Action, Clock, Incident, Member,
    line::Line,
    mute::open_windows,
    need::{is_its_own, is_reached},
    skills::Skill,
};
use dixmgr_contract::incident::IncidentRecord;
use dixmgr_contract::{AlertPolicy, Span, Time};

impl Incident {
    /// Which channels are to be told of what has passed.
    pub(super) fn judge_passed(&mut self, clock: &mut Clock<'_>, actions: &mut Vec<Action>) -> bool {
        if self.members.values().all(|member| !member.passed) {
            return false;
        }
        let mut members = std::mem::take(&mut self.members);
        for (name, member) in members.iter_mut().filter(|(_, member)| member.passed) {
            member.passed = false;
            if self.is_to_be_told(member, clock) {
                self.count_passed(member, clock.now, actions);
                self.owe(name, member, clock.policy);
            }
        }
        self.members = members;
        true
    }

    /// Nobody has asked for peace from it, neither now nor for as long as it lasted.
    fn is_to_be_told(&self, member: &Member, clock: &mut Clock<'_>) -> bool {
        let windows = open_windows(&self.silences, self.has(Skill::HeedsReachAndPeace), clock.policy, clock.now);
        if self.peace_of(member, &windows, clock).is_some() {
            return false;
        }
        let then = open_windows(&self.silences, self.has(Skill::HeedsReachAndPeace), clock.policy, member.since);
        let mut covers = then.iter().filter(|(window, _)| window.covers(member.service.as_ref()));
        !covers.any(|(_, until)| Some(*until) >= member.ended)
    }

    /// It is written down as an episode of its own, unless something goes on here.
    fn count_passed(&mut self, member: &Member, now: Time, actions: &mut Vec<Action>) {
        if self.counted {
            return;
        }
        let severity = member.peak;
        if self.began.is_none() {
            (self.began, self.over, self.passed) = (Some(member.since), Some(now), member.ended);
            self.worst = severity;
        }
        actions.push(Action::Record(IncidentRecord::Began { severity }));
        actions.push(Action::Record(IncidentRecord::Ended { severity, lasted: member.lasted(), acked_by: None }));
    }

    /// The channels that would have been told by then have it to be told.
    fn owe(&mut self, name: &str, member: &Member, policy: &AlertPolicy) {
        let stage = self.stage.max(steps_within(policy, member.lasted()));
        for route in &policy.channels {
            let seed = self.seed;
            let line = self.lines.entry(route.name.clone()).or_insert_with(|| Line::new(seed, &route.name));
            if is_its_own(route, line, policy, member) && is_reached(route, line, policy, stage) {
                line.passed.insert(name.to_owned());
            }
        }
    }

    /// It fires again: that is told in the place of what has passed.
    pub(super) fn forget_passed(&mut self, name: &str) {
        for line in self.lines.values_mut() {
            line.passed.remove(name);
        }
    }

    /// A summary of what has passed is due.
    pub(super) fn may_sum_up(line: &Line, clock: &mut Clock<'_>) -> bool {
        !line.passed.is_empty() && !line.unsure && line.shut_until.is_none_or(|until| clock.due(until))
    }

    /// From when to when that lasted which a channel is to be told has passed.
    pub(super) fn span_of_passed(&self, line: &Line) -> Option<(Time, Time)> {
        let members = || line.passed.iter().filter_map(|name| self.members.get(name));
        let began = members().map(|member| member.since).min()?;
        Some((began, members().filter_map(|member| member.ended).max()?))
    }
}

impl Member {
    fn lasted(&self) -> Span {
        self.ended.map_or(Span::ZERO, |ended| ended.since(self.since))
    }
}

/// So many steps of the escalation are reached by what nobody takes care of for so long.
fn steps_within(policy: &AlertPolicy, lasted: Span) -> usize {
    let mut at = Time::default();
    let is_reached = |wait: Span| {
        at = at.after(wait);
        at <= Time::default().after(lasted)
    };
    policy.escalation.iter().map(|step| step.wait).map(is_reached).take_while(|is_reached| *is_reached).count()
}
