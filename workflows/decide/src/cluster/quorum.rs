//! How many members are ready, and what people hear of it: the loss once, with who is missing, and the return once.
//!
//! Rejected: saying it at the first look. A cluster that has just been started knows of nobody, and "lost" would be the
//! first thing that it ever said.

use super::member::Member;
use super::{Action, Cluster};
use dixmgr_contract::cluster::ClusterReportKind;
use dixmgr_contract::{ClusterMode, ServiceName, Time};

/// Missing members that are named; the others are counted.
const NAMED: usize = 10;

impl Cluster {
    /// The members with their names, in the order of the configuration.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (&ServiceName, &Member)> {
        self.spec.members.iter().filter_map(|name| self.members.get_key_value(name))
    }

    /// How many members say that they are ready.
    pub(super) fn ready(&self) -> u32 {
        u32::try_from(self.members.values().filter(|member| member.is_ready()).count()).unwrap_or(u32::MAX)
    }

    pub(super) fn is_in_quorum(&self) -> bool {
        self.ready() >= self.spec.effective_quorum()
    }

    pub(super) fn all_heard(&self) -> bool {
        self.members.values().all(|member| member.ready.is_some())
    }

    /// Looks at the quorum, as soon as everybody was heard of or had time to be.
    pub(super) fn assess(&mut self, now: Time) {
        if self.all_heard() || self.hear_by.is_some_and(|by| by <= now) {
            self.hear_by = None;
        }
        if self.hear_by.is_some() {
            return;
        }
        let ok = Some(self.is_in_quorum());
        if self.quorum_ok != ok {
            if self.quorum_ok.is_some() || ok == Some(false) {
                self.eventful = Some(now);
            }
            self.quorum_ok = ok;
            self.since = now;
        }
    }

    /// Says it when it differs from what was said. What we do ourselves is told by its end.
    pub(super) fn say_quorum(&mut self, actions: &mut Vec<Action>) {
        if self.promotion.is_some() || self.starting_until.is_some() || self.hear_by.is_some() {
            return;
        }
        let name = &self.spec.name;
        match self.quorum_ok {
            Some(false) if !self.lost_said => {
                let text = match self.spec.mode {
                    ClusterMode::Active => format!("{name} is below its quorum: {}", self.shortfall()),
                    ClusterMode::Standby => self.nobody_ready(),
                };
                actions.push(self.report(ClusterReportKind::QuorumLost, text));
                self.lost_said = true;
            }
            Some(true) if self.lost_said => {
                let text = format!(
                    "{name} has its quorum again: {} of {} ready, {} needed",
                    self.ready(),
                    self.members.len(),
                    self.spec.effective_quorum()
                );
                actions.push(self.report(ClusterReportKind::QuorumRegained, text));
                self.lost_said = false;
            }
            _ => {}
        }
    }

    /// Who is missing, in words.
    pub(super) fn shortfall(&self) -> String {
        let missing: Vec<_> = self.in_order().filter(|(_, member)| !member.is_ready()).collect();
        let named: Vec<_> = missing.iter().take(NAMED).map(|(name, member)| standing(name, member)).collect();
        let rest = missing.len().saturating_sub(NAMED);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        format!(
            "{} of {} ready, {} needed; not ready: {}{more}",
            self.ready(),
            self.members.len(),
            self.spec.effective_quorum(),
            named.join(", ")
        )
    }
}

/// A member and how it stands, such as `rpc-2 (exhausted)`.
pub(super) fn standing(name: &ServiceName, member: &Member) -> String {
    match member.ready {
        None => format!("{name} (never heard of)"),
        Some(_) => format!("{name} ({})", member.phase),
    }
}
