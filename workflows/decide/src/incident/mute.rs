//! Why nobody is told of a member that is in trouble: a silence, a window, a pause, or its being a consequence.
//!
//! This suppresses beginnings and nothing else. What was told before stays owed its end.

use super::{Clock, Incident, Member, maintenance, skills::Skill, stamp};
use dixmgr_contract::alert::{SERVICE_PAUSED, Silence};
use dixmgr_contract::{AlertPolicy, MaintenanceWindow, Time};
use serde::{Deserialize, Serialize};

/// The most silences that are looked at, windows of the fleet among them: all that the registry takes.
const MAX_SILENCES: usize = crate::fleet::SILENCES + crate::fleet::WINDOWS;

/// Why people are not told of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mute {
    /// It is a consequence of that incident.
    Held(String),
    /// Its cause is over, and it may come back by itself until then.
    Grace(Time),
    /// Somebody has paused it.
    Paused(String),
    /// Somebody has silenced it; with the silence's end, if it has one.
    Silenced(String, Option<Time>),
    /// That window is open until then.
    Maintenance(String, Time),
}

impl Mute {
    /// People have asked for it.
    pub(super) const fn is_peace(&self) -> bool {
        matches!(self, Self::Paused(_) | Self::Silenced(..) | Self::Maintenance(..))
    }

    /// It for people.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Held(cause) => format!("it is a consequence of {cause}"),
            Self::Grace(until) => format!("its cause is over; it may come back by itself until {}", stamp(*until)),
            Self::Paused(by) => format!("it is paused by {by}"),
            Self::Silenced(by, None) => format!("it is silenced by {by}"),
            Self::Silenced(by, Some(until)) => format!("it is silenced by {by} until {}", stamp(*until)),
            Self::Maintenance(window, until) => {
                format!("the maintenance window {window} is open until {}", stamp(*until))
            }
        }
    }
}

/// As many as are looked at.
pub(super) fn bounded(mut silences: Vec<Silence>) -> Vec<Silence> {
    silences.truncate(MAX_SILENCES);
    silences
}

/// The maintenance windows of the fleet, where they are heeded.
fn windows_of(silences: &[Silence], heeds: bool) -> impl Iterator<Item = &MaintenanceWindow> {
    silences.iter().filter(move |_| heeds).filter_map(|silence| silence.window.as_ref())
}

/// The windows that are open, those of the configuration and, where they are heeded, those of the fleet, and until when.
pub(super) fn open_windows<'a>(
    silences: &'a [Silence],
    heeds: bool,
    policy: &'a AlertPolicy,
    now: Time,
) -> Vec<(&'a MaintenanceWindow, Time)> {
    let fleets = windows_of(silences, heeds);
    let open = |window| Some((window, maintenance::open_until(window, now)?));
    policy.maintenance.iter().chain(fleets).filter_map(open).collect()
}

impl Incident {
    /// Who may be told of, and who not.
    pub(super) fn judge_members(&mut self, clock: &mut Clock<'_>) -> bool {
        if self.members.values().all(|member| !member.firing) {
            return false;
        }
        let windows = open_windows(&self.silences, self.has(Skill::HeedsReachAndPeace), clock.policy, clock.now);
        self.look_when_it_opens(clock);
        let mut members = std::mem::take(&mut self.members);
        let mut changed = false;
        let returns = self.returns + 1;
        for member in members.values_mut().filter(|member| member.firing) {
            if member.grace.is_some_and(|until| until <= clock.now) {
                member.grace = None;
            }
            let muted = self.mute_of(member, &windows, clock);
            if muted.is_some() && member.audible.take().is_some() {
                changed = true;
            }
            member.in_peace |=
                self.has(Skill::HeedsReachAndPeace) && member.heard && muted.as_ref().is_some_and(Mute::is_peace);
            if muted.is_none() && std::mem::take(&mut member.in_peace) {
                (member.returned, self.returns) = (Some(returns), returns);
            }
            if muted.is_none() && member.audible.is_none() {
                (member.audible, member.heard) = (Some(clock.now), true);
                changed = true;
            }
            member.hushed = self.has(Skill::HeedsReachAndPeace)
                && member.cause.is_some()
                && self.peace_of(member, &windows, clock).is_some();
            member.muted = muted;
        }
        self.members = members;
        changed
    }

    /// Looks again when a window opens: what is in trouble then is not told of, and whoever asks is to hear so.
    fn look_when_it_opens(&self, clock: &mut Clock<'_>) {
        let firing = || self.members.values().filter(|member| member.firing);
        let covers = |window: &&MaintenanceWindow| firing().any(|member| window.covers(member.service.as_ref()));
        let of_the_file = clock.policy.maintenance.iter().filter(|_| self.has(Skill::ForeseesWindows));
        let fleets = windows_of(&self.silences, self.has(Skill::HeedsReachAndPeace));
        for window in of_the_file.chain(fleets).filter(covers) {
            if let Some(begins) = maintenance::next_begin(window, clock.now) {
                clock.due(begins);
            }
        }
    }

    fn mute_of(&self, member: &Member, windows: &[(&MaintenanceWindow, Time)], clock: &mut Clock<'_>) -> Option<Mute> {
        if let Some(cause) = &member.cause {
            return Some(Mute::Held(cause.clone()));
        }
        if let Some(until) = member.grace
            && !clock.due(until)
        {
            return Some(Mute::Grace(until));
        }
        self.peace_of(member, windows, clock)
    }

    /// What people have asked for.
    pub(super) fn peace_of(
        &self,
        member: &Member,
        windows: &[(&MaintenanceWindow, Time)],
        clock: &mut Clock<'_>,
    ) -> Option<Mute> {
        // That a pause was forgotten is to be told while it lasts.
        if let Some(by) = member.paused_by.as_ref().filter(|_| self.spec.alert != SERVICE_PAUSED) {
            return Some(Mute::Paused(by.clone()));
        }
        let fits = |silence: &&Silence| silence.matchers.iter().all(|matcher| matcher.fits(&member.labels));
        // One of the fleet must say what it is about.
        let fleets = self.silences.iter().filter(|silence| !silence.matchers.is_empty() && silence.window.is_none());
        for silence in self.own_silences.iter().chain(fleets).filter(fits) {
            if silence.until.is_none_or(|until| !clock.due(until)) {
                return Some(Mute::Silenced(super::somebody(&silence.by), silence.until));
            }
        }
        for (window, until) in windows {
            if window.covers(member.service.as_ref()) && !clock.due(*until) {
                return Some(Mute::Maintenance(super::words(&window.name), *until));
            }
        }
        None
    }
}
