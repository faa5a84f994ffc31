//! Whose the service is: of the host that reports on it, until that gives it up or is lost.

use super::phase::Phase;
use super::{Action, Service};
use dixmgr_contract::host::LossMark;
use dixmgr_contract::{HostName, Observation, Time};

impl Service {
    /// A host that is not the service's own says something of it: two hosts have it in their files.
    pub(super) fn is_anothers(&mut self, observation: &Observation) -> bool {
        let (Some(own), Some(other)) = (&self.spec.host, &observation.spec.host) else { return false };
        let foreign = own != other && self.seen.is_some() && !self.host_lost;
        if foreign {
            self.claimed_by = Some(other.clone());
        } else if own != other {
            self.claimed_by = None;
        }
        foreign
    }

    /// Nobody sees it any more. It may well run: that is unknown, not down, and nothing is done about it. A mark that is
    /// older than the last news came late.
    pub(super) fn lose_host(&mut self, mark: &LossMark, now: Time, actions: &mut Vec<Action>) {
        let is_late = self.heard.is_some_and(|heard| heard > mark.at);
        if self.spec.host.as_ref() != Some(&mark.host) || is_late {
            return;
        }
        self.host_lost = true;
        self.up_since = None;
        self.give_up_attempt(&format!("host {} is lost", mark.host), actions);
        if !matches!(self.phase, Phase::Paused { .. }) {
            self.enter(Phase::Unknown { absent: false }, now);
        }
    }

    /// Its host does not supervise it any more.
    pub(super) fn retire(&mut self, host: &HostName, actions: &mut Vec<Action>) {
        if self.spec.host.as_ref().is_none_or(|own| own == host) {
            self.give_up_attempt(&format!("host {host} does not supervise it any more"), actions);
            if self.waiting.take().is_some() {
                actions.push(Action::EndWait);
            }
            self.drop_alerts();
            actions.push(Action::End);
        }
    }

    /// Whoever waits for what is under way is told why nobody will answer, and an order that still lies in the host's queue
    /// is taken back: the host may be back before it expires.
    fn give_up_attempt(&self, why: &str, actions: &mut Vec<Action>) {
        if let Some(attempt) = self.phase.attempt().cloned() {
            self.answer(&attempt, Err(why.to_owned()), actions);
            actions.push(Action::Withdraw { generation: attempt.generation });
        }
    }
}
