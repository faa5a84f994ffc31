//! Which note a channel is due: decided when it can be sent, from what it was told and what is so now.

use super::{
    Action, Clock, Incident, Member,
    line::{Line, View},
    skills::Skill,
};
use dixmgr_contract::{AlertPolicy, NoteKind, Route, Severity};

/// It is this channel's business, by its labels and how bad it got.
pub(super) fn is_of(route: &Route, member: &Member) -> bool {
    member.peak >= route.min_severity && route.fits(&member.labels)
}

/// Or that of one that it stands in for.
pub(super) fn is_its_own(route: &Route, line: &Line, policy: &AlertPolicy, member: &Member) -> bool {
    let mut stands_in = line.stands_in_for.iter().filter_map(|name| policy.route(name));
    is_of(route, member) || stands_in.any(|other| is_of(other, member))
}

/// It is told at once, or its step of the escalation is among the first `stage`, or it stands in for another one.
pub(super) fn is_reached(route: &Route, line: &Line, policy: &AlertPolicy, stage: usize) -> bool {
    let mut steps = policy.escalation.iter();
    let step = steps.position(|step| step.channels.contains(&route.name));
    step.is_none_or(|step| step < stage || !line.stands_in_for.is_empty())
}

impl Incident {
    /// Each channel by itself: none waits for another.
    pub(super) fn settle_lines(&mut self, clock: &mut Clock<'_>, actions: &mut Vec<Action>) -> bool {
        let mut changed = false;
        // A channel that is not there any more cannot be told anything.
        self.lines.retain(|name, line| {
            line.current.as_ref().is_some_and(|current| current.flying) || clock.policy.route(name).is_some()
        });
        let policy = clock.policy;
        for route in &policy.channels {
            let seed = self.seed;
            let mut line = self.lines.remove(&route.name).unwrap_or_else(|| Line::new(seed, &route.name));
            changed |= self.settle_line(route, &mut line, clock, actions);
            self.lines.insert(route.name.clone(), line);
        }
        changed
    }

    fn settle_line(
        &mut self,
        route: &Route,
        line: &mut Line,
        clock: &mut Clock<'_>,
        actions: &mut Vec<Action>,
    ) -> bool {
        let view = self.view(route, line, clock.policy);
        let mut changed = line.watch(view.concerned, clock.policy.dedupe_window, clock.now);
        line.wait_for_the_group(view, self.has(Skill::WaitsOnce));
        changed |= self.retract(route, line, view, clock);
        if line.current.is_none()
            && let Some(kind) = self.need(route, line, view, clock)
        {
            line.current = Some(self.compose(route, line, view, kind, clock));
            changed = true;
        }
        changed |= self.send(route, line, clock, actions);
        changed | line.repeat(route, clock, actions)
    }

    /// Those of the members that are this channel's business, by themselves or by what is behind them.
    pub(super) fn business<'a>(
        &'a self,
        route: &'a Route,
        line: &'a Line,
        policy: &'a AlertPolicy,
    ) -> impl Iterator<Item = (&'a String, &'a Member)> {
        let is_reached = self.reached(route, line).is_some();
        self.members.iter().filter(move |(_, member)| is_reached || is_its_own(route, line, policy, member))
    }

    fn view(&self, route: &Route, line: &Line, policy: &AlertPolicy) -> View {
        let mut view = View::default();
        let floor = line.stands_in_for.iter().filter_map(|name| policy.route(name)).map(|other| other.min_severity);
        let floor = floor.chain([route.min_severity]).min().unwrap_or(Severity::Info);
        for (name, member) in self.business(route, line, policy).filter(|(_, member)| member.firing) {
            let knows = line.knows(name);
            view.concerned |= knows || member.audible.is_some();
            let Some(audible) = member.audible else { continue };
            view.wanted |= member.severity >= floor && is_its_own(route, line, policy, member);
            view.severity = view.severity.max(Some(member.severity));
            view.first = Some(view.first.map_or(audible, |first| first.min(audible)));
            view.news |= !knows;
            view.returned |= knows && member.returned > Some(line.told.returns);
        }
        Self::view_behind(self.reached(route, line), floor, &mut view);
        view.wanted &= self.is_target(route, line, policy);
        view
    }

    /// It is told at once, or its step of the escalation was reached, or it stands in for another one.
    pub(super) fn is_target(&self, route: &Route, line: &Line, policy: &AlertPolicy) -> bool {
        is_reached(route, line, policy, self.stage)
    }

    /// A beginning is due.
    pub(super) fn may_open(line: &Line, view: View, clock: &mut Clock<'_>) -> bool {
        let Some(first) = line.first.or(view.first).filter(|_| view.wanted) else { return false };
        clock.due(first.after(clock.policy.group_wait)) && line.shut_until.is_none_or(|until| clock.due(until))
    }

    /// An end is due. After it came back once, that has to wait until nothing comes back any more.
    pub(super) fn may_close(line: &Line, view: View, clock: &mut Clock<'_>) -> bool {
        let Some(over) = line.over.filter(|_| !view.concerned) else { return false };
        line.comebacks == 0 || clock.due(over.after(clock.policy.dedupe_window))
    }

    fn need(&self, route: &Route, line: &Line, view: View, clock: &mut Clock<'_>) -> Option<NoteKind> {
        let Some(opened) = line.open else {
            if line.unsure && Self::may_close(line, view, clock) {
                return Some(NoteKind::Late);
            }
            if Self::may_open(line, view, clock) {
                return Some(Self::opening(route, clock.policy));
            }
            return Self::may_sum_up(line, clock).then_some(NoteKind::Late);
        };
        if !view.concerned {
            return Self::may_close(line, view, clock).then_some(NoteKind::Resolved);
        }
        let severity = view.severity?;
        let last = line.last.unwrap_or(opened);
        if line.misled && self.has(Skill::OutlivesFailures) {
            return Some(NoteKind::Update);
        }
        if self.ack.is_some() && self.acks > line.told.acks {
            return Some(NoteKind::Acknowledged);
        }
        if severity > line.told.severity {
            return Some(NoteKind::Update);
        }
        let steps = clock.policy.escalation.get(line.told.stage..self.stage).unwrap_or_default();
        if steps.iter().any(|step| step.channels.contains(&route.name)) {
            return Some(NoteKind::Escalation);
        }
        let is_news = view.news || self.affected_joins > line.told.affected;
        let returned = view.returned && self.ack.is_none();
        if (is_news || returned) && clock.due(last.after(clock.policy.group_interval)) {
            return Some(if is_news { NoteKind::Update } else { NoteKind::Reminder });
        }
        let repeats = self.ack.is_none() && !clock.policy.repeat_interval.is_zero();
        (repeats && clock.due(last.after(clock.policy.repeat_interval))).then_some(NoteKind::Reminder)
    }

    /// The first that are told get a beginning; those who are told because nobody answered, an escalation.
    fn opening(route: &Route, policy: &AlertPolicy) -> NoteKind {
        let step = policy.escalation.iter().position(|step| step.channels.contains(&route.name));
        let is_late = |step: usize| step > 0 || policy.escalation.first().is_some_and(|first| !first.wait.is_zero());
        if step.is_some_and(is_late) { NoteKind::Escalation } else { NoteKind::Firing }
    }
}
