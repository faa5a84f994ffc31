//! A rolling restart: the members one by one, never below the quorum.
//!
//! The next one goes when the last one is back with another run and has stayed, and when the others are enough without
//! it. Every wait has an end, so the one who asked is always answered. A member that goes on in the same run as if it had
//! not been told is told again: an order dies with the dixmgr that had taken it. Rejected: several at a time where the quorum
//! would allow it. What is wrong with a new release shows with the first one.

use super::member::list;
use super::quorum::standing;
use super::{Action, Cluster, Member, Order, answer, somebody, words};
use dixmgr_contract::cluster::{ClusterReportKind, RollingRestartArgs};
use dixmgr_contract::{ClusterMode, CommandKind, PhaseName, ServiceName, Span, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A restart that nothing came of is told again after this long, or a quarter of what a member may take.
const AGAIN: Span = Span::from_secs(30);

/// A rolling restart that is under way, or was halted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rollout {
    id: String,
    pub(super) by: String,
    reason: String,
    pub(super) done: Vec<ServiceName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<ServiceName>,
    pub(super) remaining: Vec<ServiceName>,
    /// When the current one was told to restart; without one, since when the next one waits for its turn.
    since: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) halted: Option<String>,
}

/// What a look at a rolling restart leads to.
enum Move {
    Wait,
    /// The current one is back.
    Back(ServiceName),
    Restart(ServiceName),
    /// The current one has lost its order.
    Again(ServiceName),
    Done,
    Halt(String),
}

impl Rollout {
    /// Forgets who is not a member any more.
    pub(super) fn keep(&mut self, members: &BTreeSet<ServiceName>) {
        self.done.retain(|name| members.contains(name));
        self.remaining.retain(|name| members.contains(name));
        self.current = self.current.take().filter(|name| members.contains(name));
    }

    fn progress(&self) -> String {
        let all = self.done.len() + self.remaining.len() + usize::from(self.current.is_some());
        format!("{} of {all} done", self.done.len())
    }
}

impl Cluster {
    /// Why a rolling restart would be refused now; `None` if it would be begun.
    pub fn objection_to_rolling_restart(&self) -> Option<String> {
        let name = &self.spec.name;
        if self.spec.mode == ClusterMode::Standby {
            return Some(format!("{name} is in standby mode; restart its active member, or promote another one"));
        }
        if let Some(rollout) = self.open_rollout() {
            let progress = rollout.progress();
            return Some(format!(
                "a rolling restart of {name} by {} is under way ({progress}); wait for it",
                rollout.by
            ));
        }
        if let Some((member, _)) = self.in_order().find(|(_, member)| member.ready.is_none()) {
            return Some(format!("nothing is heard of {member} yet; is dixmgr running on its host?"));
        }
        if let Some((member, _)) = self.in_order().find(|(_, member)| member.phase == PhaseName::Paused) {
            return Some(format!("{member} is paused; resume it first"));
        }
        let (quorum, count) = (self.spec.effective_quorum(), self.members.len());
        if usize::try_from(quorum).is_ok_and(|quorum| quorum >= count) {
            return Some(format!("{name} needs {quorum} of its {count} members ready, so none may be restarted"));
        }
        (!self.is_in_quorum()).then(|| format!("{name} is below its quorum: {}", self.shortfall()))
    }

    pub(super) fn begin_rollout(&mut self, id: String, args: RollingRestartArgs, now: Time, actions: &mut Vec<Action>) {
        if self.is_repeated(&id) {
            return;
        }
        if let Some(reason) = self.objection_to_rolling_restart() {
            return actions.push(answer(id, Err(reason)));
        }
        self.members.values_mut().for_each(super::Member::ask_again);
        self.rollout = Some(Rollout {
            id,
            by: somebody(&args.by),
            reason: words(&args.reason),
            done: Vec::new(),
            current: None,
            remaining: self.spec.members.clone(),
            since: now,
            halted: None,
        });
    }

    pub(super) fn open_rollout(&self) -> Option<&Rollout> {
        self.rollout.as_ref().filter(|rollout| rollout.halted.is_none())
    }

    pub(super) fn settle_rollout(&mut self, now: Time, actions: &mut Vec<Action>) {
        while let Some(mut rollout) = self.rollout.take_if(|rollout| rollout.halted.is_none()) {
            match self.next_move(&rollout, now) {
                Move::Wait => {
                    self.rollout = Some(rollout);
                    break;
                }
                Move::Back(name) => {
                    rollout.current = None;
                    rollout.done.push(name);
                    rollout.since = now;
                    self.rollout = Some(rollout);
                }
                Move::Restart(name) => {
                    actions.push(self.restart(&mut rollout, name, now));
                    self.rollout = Some(rollout);
                }
                Move::Again(name) => {
                    actions.push(self.restart_again(&rollout, &name, now));
                    self.rollout = Some(rollout);
                }
                Move::Done => self.rollout_done(rollout, now, actions),
                Move::Halt(reason) => self.halt_rollout(rollout, reason, now, actions),
            }
        }
        let current = self.open_rollout().and_then(|rollout| rollout.current.clone());
        for (name, member) in &mut self.members {
            if current.as_ref() != Some(name) {
                member.restart.take_if(|restart| restart.until <= now);
            }
        }
    }

    fn next_move(&self, rollout: &Rollout, now: Time) -> Move {
        let overdue = rollout.since.after(self.spec.member_timeout) <= now;
        let current = rollout.current.as_ref().and_then(|name| self.members.get_key_value(name));
        if let Some((name, member)) = current
            && member.can_be_counted_on()
            && member.since.after(self.spec.healthy_for) <= now
        {
            return Move::Back(name.clone());
        }
        if current.is_none() && rollout.remaining.is_empty() {
            return Move::Done;
        }
        if self.spec.mode == ClusterMode::Standby {
            return Move::Halt("the cluster was changed to standby mode".to_owned());
        }
        if !self.is_in_quorum() {
            return Move::Halt(format!("the cluster fell below its quorum: {}", self.shortfall()));
        }
        if let Some((name, member)) = current
            && !overdue
            && self.again_at(name, member).is_some_and(|at| at <= now)
        {
            return Move::Again(name.clone());
        }
        match (current, rollout.remaining.first().and_then(|name| self.members.get_key_value(name))) {
            (Some((_, member)), _) if !overdue || member.can_be_counted_on() => Move::Wait,
            (Some((name, member)), _) => Move::Halt(format!(
                "{} was not back, ready and with another run, within {}",
                standing(name, member),
                self.spec.member_timeout
            )),
            (None, Some((name, member))) if member.phase == PhaseName::Paused => {
                Move::Halt(format!("{name} is paused; resume it first"))
            }
            (None, Some((name, member))) if member.ready.is_some() && self.can_spare(name) => {
                Move::Restart(name.clone())
            }
            (None, Some((name, _))) if overdue => Move::Halt(format!(
                "without {name} the cluster would have been below its quorum for {}: {}",
                self.spec.member_timeout,
                self.shortfall()
            )),
            (None, _) => Move::Wait,
        }
    }

    /// The others are enough without it.
    fn can_spare(&self, name: &ServiceName) -> bool {
        let others = self.members.iter().filter(|(other, member)| *other != name && member.can_be_counted_on());
        usize::try_from(self.spec.effective_quorum()).is_ok_and(|quorum| others.count() >= quorum)
    }

    /// When the current one is to be told again, if the others are enough without it.
    fn again_at(&self, name: &ServiceName, member: &Member) -> Option<Time> {
        let patience = AGAIN.min(Span::from_millis(self.spec.member_timeout.as_millis() / 4));
        member.restart_again_at(patience).filter(|_| self.can_spare(name))
    }

    fn restart(&mut self, rollout: &mut Rollout, name: ServiceName, now: Time) -> Action {
        if let Some(member) = self.members.get_mut(&name) {
            member.restarts(now, now.after(self.spec.member_timeout));
        }
        let action = self.restart_order(rollout, &name, "");
        rollout.remaining.retain(|other| *other != name);
        rollout.current = Some(name);
        rollout.since = now;
        action
    }

    fn restart_again(&mut self, rollout: &Rollout, name: &ServiceName, now: Time) -> Action {
        let times = self.members.get_mut(name).map_or(0, |member| member.restarts_again(now));
        self.restart_order(rollout, name, &format!("/{times}"))
    }

    fn restart_order(&self, rollout: &Rollout, name: &ServiceName, again: &str) -> Action {
        let order = Order {
            id: format!("{}/{name}{again}", rollout.id),
            command: CommandKind::Restart,
            by: rollout.by.clone(),
            reason: format!("rolling restart {}", rollout.reason).trim_end().to_owned(),
        };
        self.command(name, order)
    }

    fn rollout_done(&mut self, rollout: Rollout, now: Time, actions: &mut Vec<Action>) {
        self.eventful = Some(now);
        let text =
            format!("{}: {} restarted one by one: {}", self.spec.name, rollout.done.len(), list(rollout.done.iter()));
        actions.push(self.report(ClusterReportKind::RolloutDone, format!("{text}; asked for by {}", rollout.by)));
        actions.push(answer(rollout.id, Ok(text)));
    }

    fn halt_rollout(&mut self, mut rollout: Rollout, reason: String, now: Time, actions: &mut Vec<Action>) {
        self.eventful = Some(now);
        let text = format!(
            "the rolling restart of {} was halted ({}): {reason}; restarted: {}; left alone: {}",
            self.spec.name,
            rollout.progress(),
            list(rollout.done.iter()),
            list(rollout.remaining.iter())
        );
        actions.push(self.report(ClusterReportKind::RolloutHalted, text.clone()));
        actions.push(answer(rollout.id.clone(), Err(text)));
        rollout.halted = Some(reason);
        self.rollout = Some(rollout);
    }

    /// When time alone moves a rolling restart.
    pub(super) fn rollout_wake(&self) -> Option<Time> {
        let doubted = self.members.iter().filter_map(|(name, member)| Some((name, member.restart.as_ref()?.until)));
        let rollout = self.open_rollout()?;
        let deadline = rollout.since.after(self.spec.member_timeout);
        match rollout.current.as_ref().and_then(|name| self.members.get_key_value(name)) {
            Some((_, member)) if member.can_be_counted_on() => Some(member.since.after(self.spec.healthy_for)),
            Some((name, member)) => self.again_at(name, member).into_iter().chain([deadline]).min(),
            None => doubted.map(|(_, until)| until).chain([deadline]).min(),
        }
    }
}
