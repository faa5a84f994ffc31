//! Whose business an incident is because of what is behind it.
//!
//! A consequence is told nowhere but in its cause's notes, so these have to come to everybody who would have been told of the
//! consequence. It names the channels whose business it is, by its own severity and labels, and how bad it is for each: a cause that
//! is no more than a warning wakes whoever is to be woken by what died of it. A cause of which nobody is told holds nothing back, but
//! for what was told before: a silence over a known storm does not let it loose.
//!
//! Rejected: the labels of all that is behind. Up to thousands of sets of them would have to fit into one payload, and the channels
//! that they are judged by are known where they come from.

use super::{
    Incident, Member,
    consequence::Consequence,
    line::{Line, View},
    need::is_of,
    skills::Skill,
};
use dixmgr_contract::incident::{MAX_REACH, Reach};
use dixmgr_contract::{AlertPolicy, Route, Severity, Time};

/// What stands for all that is behind among the members that a channel was told of. No member has such a name.
pub(super) const BEHIND: &str = "(behind)";
/// So many different reaches are told apart; what comes more is taken together, as the worst of it.
const MAX_REACHES: usize = 16;
/// The longest name of a channel that is taken in, in bytes.
const MAX_NAME: usize = 200;

/// What something behind it is to a channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached {
    /// How bad; none: nobody is to be told of it for now.
    pub(super) severity: Option<Severity>,
    /// Since when.
    since: Option<Time>,
}

/// The worst of both, of as many channels as there can be.
pub(super) fn extend(reach: &mut Reach, more: &Reach) {
    for (channel, severity) in more {
        if reach.len() >= MAX_REACH && !reach.contains_key(channel) {
            continue;
        }
        let known = reach.entry(channel.clone()).or_default();
        *known = (*known).max(*severity);
    }
}

impl Incident {
    /// Adds whose business a member is.
    pub(super) fn extend_reach(&self, reach: &mut Reach, member: &Member, policy: &AlertPolicy) {
        if !self.has(Skill::HeedsReachAndPeace) {
            return;
        }
        let severity = Some(member.severity).filter(|_| !member.hushed);
        let channels = policy.channels.iter().filter(|route| is_of(route, member));
        extend(reach, &channels.take(MAX_REACH).map(|route| (route.name.clone(), severity)).collect());
    }

    pub(super) fn reach_of(&self, consequence: &Consequence) -> &Reach {
        static NOTHING: Reach = Reach::new();
        consequence.reach.and_then(|number| self.reaches.get(&number)).unwrap_or(&NOTHING)
    }

    /// The number under which a reach is kept.
    pub(super) fn number_of(&mut self, told: Reach) -> Option<u16> {
        if told.is_empty() || !self.has(Skill::HeedsReachAndPeace) {
            return None;
        }
        let reach: Reach = told.into_iter().filter(|(name, _)| name.len() <= MAX_NAME).take(MAX_REACH).collect();
        if let Some((number, _)) = self.reaches.iter().find(|(_, known)| **known == reach) {
            return Some(*number);
        }
        let affected = &self.affected;
        self.reaches.retain(|number, _| affected.values().any(|one| one.reach == Some(*number)));
        if self.reaches.len() >= MAX_REACHES {
            let (number, last) = self.reaches.iter_mut().next_back()?;
            extend(last, &reach);
            return Some(*number);
        }
        let number = (0..u16::MAX).find(|number| !self.reaches.contains_key(number))?;
        self.reaches.insert(number, reach);
        Some(number)
    }

    /// What is behind this one to a channel, and to those that it stands in for; none: it is not its business.
    pub(super) fn reached(&self, route: &Route, line: &Line) -> Option<Reached> {
        let mut found: Option<Reached> = None;
        for consequence in self.affected.values() {
            let reach = self.reach_of(consequence);
            for severity in [&route.name].into_iter().chain(&line.stands_in_for).filter_map(|name| reach.get(name)) {
                let known = found.get_or_insert(Reached { severity: None, since: None });
                known.severity = known.severity.max(*severity);
                known.since = [known.since, consequence.since].into_iter().flatten().min();
            }
        }
        found.filter(|reached| reached.severity.is_some() || line.knows(BEHIND))
    }

    /// Whoever is to be told of what is behind is told of what goes on here.
    pub(super) fn view_behind(reached: Option<Reached>, floor: Severity, view: &mut View) {
        let (Some(reached), Some(first)) = (reached, view.first) else { return };
        if reached.severity >= Some(floor) && !view.wanted {
            view.wanted = true;
            view.first = Some(reached.since.map_or(first, |since| first.max(since)));
        }
        view.severity = view.severity.max(reached.severity);
    }

    /// People have asked for peace from all that goes on here.
    pub(super) fn is_muted(&self) -> bool {
        let mut firing = self.members.values().filter(|member| member.firing).peekable();
        firing.peek().is_some() && firing.all(|member| member.muted.as_ref().is_some_and(super::mute::Mute::is_peace))
    }

    /// Those that are behind and that not everybody was told of whose business they are.
    pub(super) fn untold_behind(&self, policy: &AlertPolicy) -> Vec<String> {
        let untold = self.affected.iter().filter(|(_, consequence)| !self.is_told(consequence, policy));
        untold.map(|(incident, _)| incident.clone()).collect()
    }

    fn is_told(&self, consequence: &Consequence, policy: &AlertPolicy) -> bool {
        let reach = self.reach_of(consequence);
        policy.channels.iter().all(|route| {
            let (Some(Some(severity)), Some(line)) = (reach.get(&route.name), self.lines.get(&route.name)) else {
                return true;
            };
            let is_told =
                line.open.is_some() && line.told.affected >= consequence.joined && line.told.severity >= *severity;
            is_told || !self.is_target(route, line, policy)
        })
    }
}
