//! Standby mode: exactly one member runs, and it is known which.
//!
//! The active one is found, not elected: the one that is ready. If it is down it stays the active one, and its own
//! supervisor restarts it. Only if nobody runs at first is somebody started, once. Rejected: starting the first member
//! again and again; each start by command gives a service its whole restart budget back. Rejected: starting one when
//! the active one leaves the configuration; it may well go on running.

use super::quorum::standing;
use super::{Action, Cluster, Member, Order};
use dixmgr_contract::cluster::{self, ClusterReportKind};
use dixmgr_contract::{ClusterMode, CommandKind, PhaseName, ServiceName, Time};

/// A member in one of these runs, or will without being asked.
pub(super) const RISING: [PhaseName; 7] = [
    PhaseName::Healthy,
    PhaseName::Degraded,
    PhaseName::Starting,
    PhaseName::Restarting,
    PhaseName::BackingOff,
    PhaseName::Waiting,
    PhaseName::Down,
];

impl Cluster {
    pub(super) fn settle_standby(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.spec.mode != ClusterMode::Standby {
            self.active = None;
            self.had_active = false;
            self.starting_until = None;
            return;
        }
        if self.promotion.is_some() {
            self.settle_promotion(now, actions);
        }
        if self.promotion.is_none() && self.hear_by.is_none() {
            self.find_active(now, actions);
        }
    }

    /// Looks who is ready, and makes it one.
    fn find_active(&mut self, now: Time, actions: &mut Vec<Action>) {
        let active_ready =
            self.active.as_ref().and_then(|active| self.members.get(active)).is_some_and(Member::is_ready);
        if active_ready || self.starting_until.is_some_and(|until| until <= now) {
            self.starting_until = None;
        }
        if self.starting_until.is_some() {
            return;
        }
        if !active_ready {
            // One that was just told to stop will hardly stay.
            let stays = |member: &Member| member.surplus.is_none_or(|at| at.after(self.spec.member_timeout) <= now);
            let first = self.in_order().find(|(_, member)| member.is_ready() && stays(member));
            let first = first.map(|(name, _)| name.clone());
            match first {
                Some(first) => self.now_active(first, now, actions),
                None => return self.start_first(now, actions),
            }
        }
        if let Some(active) = self.active.clone() {
            self.stop_surplus(&active, now, actions);
        }
    }

    fn now_active(&mut self, member: ServiceName, now: Time, actions: &mut Vec<Action>) {
        if let Some(before) = self.active.as_ref().and_then(|active| self.members.get_key_value(active)) {
            let before = standing(before.0, before.1);
            let text =
                format!("{member} is the active member of {} now: it is ready and {before} is not", self.spec.name);
            actions.push(self.report(ClusterReportKind::ActiveChanged, text));
            self.eventful = Some(now);
        }
        self.make_active(member);
    }

    pub(super) fn make_active(&mut self, name: ServiceName) {
        if let Some(member) = self.members.get_mut(&name) {
            member.surplus = None;
        }
        self.active = Some(name);
        self.had_active = true;
    }

    /// Nobody is ready. If nobody is about to be and there has never been an active one, the first is started.
    fn start_first(&mut self, now: Time, actions: &mut Vec<Action>) {
        let Some((first, member)) = self.in_order().next() else { return };
        let idle = |member: &Member| member.ready.is_some() && !RISING.contains(&member.phase);
        let startable = idle(member) || member.phase == PhaseName::Down;
        let others_idle = self.in_order().skip(1).all(|(_, other)| idle(other));
        if self.had_active || !startable || !others_idle || member.phase == PhaseName::Paused {
            return;
        }
        let (first, name) = (first.clone(), self.spec.name.clone());
        let reason = "no member of the standby cluster runs".to_owned();
        let text = format!("no member of {name} runs: {first}, its first one, is started");
        actions.push(self.command(&first, self.own(&first, CommandKind::Start, reason, now)));
        actions.push(self.report(ClusterReportKind::FirstStarted, text));
        self.make_active(first);
        self.starting_until = Some(now.after(self.spec.member_timeout));
        self.eventful = Some(now);
    }

    /// Stops whoever is ready beside `keep`; again after a while if it does not help.
    pub(super) fn stop_surplus(&mut self, keep: &ServiceName, now: Time, actions: &mut Vec<Action>) {
        let timeout = self.spec.member_timeout;
        let surplus: Vec<_> = self
            .in_order()
            .filter(|(name, member)| *name != keep && member.is_ready())
            .map(|(name, _)| name.clone())
            .collect();
        for name in surplus {
            let Some(member) = self.members.get_mut(&name) else { continue };
            let paused = member.phase == PhaseName::Paused;
            let first = member.surplus.is_none();
            let due = member.surplus.is_none_or(|at| !paused && at.after(timeout) <= now);
            if !due {
                continue;
            }
            member.surplus = Some(now);
            if first {
                self.eventful = Some(now);
                let then = if paused { "is paused: resume it, or stop it by hand" } else { "is stopped" };
                let text =
                    format!("{name} of {} is ready beside {keep}, the active one; {name} {then}", self.spec.name);
                actions.push(self.report(ClusterReportKind::SurplusStopped, text));
            }
            if !paused {
                let reason = format!("{keep} is the active member");
                actions.push(self.command(&name, self.own(&name, CommandKind::Stop, reason, now)));
            }
        }
    }

    /// A command that nobody asked for. The time is in its id: a cluster that was begun anew has no memory, and its
    /// members have.
    fn own(&self, member: &ServiceName, command: CommandKind, reason: String, now: Time) -> Order {
        let id = format!("{}@{}/{member}", self.spec.name, now.unix_millis());
        Order { id, command, by: "dixmgr".to_owned(), reason }
    }

    /// What people should know when no member of a standby cluster is ready.
    pub(super) fn nobody_ready(&self) -> String {
        let name = &self.spec.name;
        let active = self.active.as_ref().and_then(|active| self.members.get_key_value(active));
        let stands = match active {
            Some((active, member)) => {
                let standing = standing(active, member);
                format!("{standing} stays the active one, and its own supervisor restarts it")
            }
            None => format!("none is the active one; {}", self.shortfall()),
        };
        let other = self.in_order().map(|(name, _)| name).find(|name| self.active.as_ref() != Some(name));
        let way_out = other.map_or_else(String::new, |other| {
            let id = cluster::workflow_id(name);
            format!("; to make another one active, send {id} the update promote, such as {{\"member\":\"{other}\"}}")
        });
        format!("{name} has no member that is ready: {stands}{way_out}")
    }

    /// When time alone moves a standby cluster, promotions apart.
    pub(super) fn standby_wake(&self) -> Option<Time> {
        let promoting = self.promotion.as_ref();
        let looks = promoting.map_or(self.hear_by.is_none(), |promotion| promotion.starting);
        if self.spec.mode != ClusterMode::Standby || !looks {
            return None;
        }
        if self.starting_until.is_some() {
            return self.starting_until;
        }
        let surplus = self.members.iter().filter(|(name, member)| {
            self.active.as_ref() != Some(name) && member.is_ready() && member.phase != PhaseName::Paused
        });
        surplus.filter_map(|(_, member)| member.surplus).map(|at| at.after(self.spec.member_timeout)).min()
    }
}
