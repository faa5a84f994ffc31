//! Who may have the name.
//!
//! A machine that has the name keeps it until it stops on purpose or is lost. The same machine takes over from itself at
//! once: a lock file lets one process of dixmgr live there, so an older start is dead, and stays dead (`replaced`): its
//! late claim must not push out the start that lives. That also ends the quarrel of two machines that were cloned with one
//! machine id, which would take the name from each other without end.

use super::{Action, GRACE, Grant, HostLease, Phase};
use dixmgr_contract::host::{Claim, ClaimAnswer, Holder, HostReport, HostReportKind, Refused};
use dixmgr_contract::{Span, Time};

/// Answers, and replaced starts, that are remembered.
const REMEMBERED: usize = 16;
/// An id longer than this is not remembered, in bytes.
const ID_BYTES: usize = 256;
/// Machines of whose refusal people are told, until the name changes hands.
const TOLD: usize = 8;
/// Heartbeat time-outs that are taken.
const TIMEOUTS: (Span, Span) = (Span::from_secs(1), Span::from_secs(600));
/// How long claims alone can keep a host from being lost: a dixmgr that starts again and again is not there.
const CLAIMS_ALONE: Span = Span::from_secs(60);

impl HostLease {
    pub(super) fn claim(&mut self, id: String, claim: Claim, now: Time, actions: &mut Vec<Action>) {
        let refusal = self.refusal(&claim.holder, now);
        let known = self.answers.iter().find(|(known, _)| *known == id).map(|(_, answer)| answer.clone());
        // What was granted and is somebody else's by now is not granted again.
        if let Some(answer) = known.filter(|answer| !answer.granted || refusal.is_none()) {
            return actions.push(Action::Answer { id, answer });
        }
        let answer = match refusal {
            Some(reason) => {
                self.refuse(claim.holder, &reason, now, actions);
                ClaimAnswer { granted: false, reason, was_lost: false }
            }
            None => {
                self.grant(claim, now, actions);
                ClaimAnswer { granted: true, reason: String::new(), was_lost: self.untold }
            }
        };
        self.answers.retain(|(known, _)| *known != id);
        if id.len() <= ID_BYTES {
            self.answers.push((id.clone(), answer.clone()));
        }
        let surplus = self.answers.len().saturating_sub(REMEMBERED);
        self.answers.drain(..surplus);
        actions.push(Action::Answer { id, answer });
    }

    /// Why it may not have the name now; `None` if it may.
    pub(super) fn refusal(&self, holder: &Holder, now: Time) -> Option<String> {
        let host = &self.host;
        if let Some(objection) = holder.objection() {
            return Some(format!("the holder cannot be taken: {objection}"));
        }
        if self.replaced.contains(&holder.epoch) {
            return Some(format!(
                "a later start of dixmgr on this machine has taken the name {host} over; if there is none, \
                 another machine was cloned from this one and has its /etc/machine-id"
            ));
        }
        let (owner, wait) = self.owner(now).filter(|(owner, _)| !owner.same_machine(holder))?;
        let state = match wait {
            None => format!("has it since {}", self.since),
            Some(until) => {
                let seconds = until.since(now).as_millis().div_ceil(1_000);
                format!("had it and may still take it; try again in {}", Span::from_secs(seconds.max(1)))
            }
        };
        Some(format!(
            "the name {host} belongs to another machine ({owner}), which {state}; \
             stop dixmgr there, or give this host another name with `-host`"
        ))
    }

    /// Whose the name is, and until when if it does not hold it.
    fn owner(&self, now: Time) -> Option<(&Holder, Option<Time>)> {
        match &self.phase {
            Phase::Held { .. } => self.holder.as_ref().map(|holder| (holder, None)),
            Phase::Vacant { until, .. } => self.holder.as_ref().map(|holder| (holder, Some(*until))),
            Phase::Unknown | Phase::Stopped | Phase::Lost { .. } => {
                self.grant.as_ref().filter(|grant| grant.until > now).map(|grant| (&grant.holder, Some(grant.until)))
            }
        }
    }

    /// A claim is a sign of life, worth as much as a heartbeat. That of a new start gets a new lease: an older start may
    /// have taken the open one and died before it could say so.
    fn grant(&mut self, claim: Claim, now: Time, actions: &mut Vec<Action>) {
        let Claim { holder, lease_timeout } = claim;
        self.timeout = lease_timeout.clamp(TIMEOUTS.0, TIMEOUTS.1);
        (self.churn, self.forgotten) = (0, false);
        let until = now.after(self.timeout).after(GRACE);
        let is_known = self.owner(now).is_some_and(|(owner, _)| owner.epoch == holder.epoch);
        if !is_known {
            self.cancel_lease(actions);
        }
        match self.phase.clone() {
            Phase::Held { .. } if is_known => {}
            Phase::Held { .. } => {
                self.hand_to(holder);
                self.enter(Phase::Vacant { until, seen: now, why: String::new() }, now);
            }
            Phase::Vacant { until: before, why, .. } => {
                self.hand_to(holder);
                let until = before.max(until.min(self.since.after(CLAIMS_ALONE)));
                self.enter(Phase::Vacant { until, seen: now, why }, now);
            }
            Phase::Unknown | Phase::Stopped | Phase::Lost { .. } => {
                let before = self.grant.take().map(|grant| grant.holder);
                self.replace(before, &holder);
                self.grant = Some(Grant { holder, until });
            }
        }
    }

    /// From now on the name is this one's.
    pub(super) fn hand_to(&mut self, holder: Holder) {
        let granted = self.grant.take().map(|grant| grant.holder);
        self.replace(granted, &holder);
        let before = self.holder.take();
        if !before.as_ref().is_some_and(|before| before.same_machine(&holder)) {
            self.refusals_told.clear();
        }
        self.replace(before, &holder);
        self.holder = Some(holder);
    }

    /// An older start on the same machine is dead.
    fn replace(&mut self, old: Option<Holder>, new: &Holder) {
        let Some(old) = old.filter(|old| old.same_machine(new) && old.epoch != new.epoch) else { return };
        self.replaced.retain(|epoch| *epoch != old.epoch);
        self.replaced.push(old.epoch);
        let surplus = self.replaced.len().saturating_sub(REMEMBERED);
        self.replaced.drain(..surplus);
    }

    /// Keeps who was refused, and tells people the first time.
    pub(super) fn refuse(&mut self, holder: Holder, reason: &str, now: Time, actions: &mut Vec<Action>) {
        if holder.objection().is_some() {
            return;
        }
        if !self.refusals_told.contains(&holder.machine) && self.refusals_told.len() < TOLD {
            self.refusals_told.push(holder.machine.clone());
            let text = format!("a dixmgr ({holder}) asked for the name {} and was refused: {reason}", self.host);
            actions.push(Action::Report(HostReport::new(self.host.clone(), HostReportKind::HostRefused, text)));
        }
        self.refused = Some(Refused { holder, at: now });
    }
}
