//! A promotion: another member becomes the active one, and never do two run by our doing.
//!
//! First whoever may run is stopped, and seen stopped; only then is the other one started. Both waits have an end; at
//! the end of the first nobody is started, because two at a time are worse than none. A stop is sent again for as long
//! as it has not helped: a service refuses commands while it is being started. Rejected: "not ready" as proof that it
//! does not run. A node that is out of sync, or is just being restarted, is not ready either.
//!
//! It relies on this: two commands to the same member arrive in the order in which they were sent.

use super::quorum::standing;
use super::standby::RISING;
use super::{Action, Cluster, Member, Order, answer, somebody, words};
use dixmgr_contract::cluster::{ClusterReportKind, PromoteArgs};
use dixmgr_contract::{ClusterMode, CommandKind, PhaseName, ServiceName, Span, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long a member that did not run is watched after it was told to stop, if it does not say that it is stopped.
const SETTLE: Span = Span::from_secs(10);
/// After this long a stop that has not helped is sent again.
const AGAIN: Span = Span::from_secs(30);
/// A member in one of these does not run and has nothing under way, so it obeys.
const RESTING: [PhaseName; 5] =
    [PhaseName::Stopped, PhaseName::Exhausted, PhaseName::Down, PhaseName::BackingOff, PhaseName::Waiting];

/// A promotion that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Promotion {
    id: String,
    pub(super) by: String,
    reason: String,
    pub(super) member: ServiceName,
    /// Who was told to stop.
    #[serde(default)]
    stops: BTreeMap<ServiceName, Stop>,
    /// The others are down, and the member was told to start.
    #[serde(default)]
    pub(super) starting: bool,
    /// Since when it is in this step.
    since: Time,
}

/// The last stop that a member was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stop {
    at: Time,
    /// How many times it was told.
    times: u32,
    /// The last that had been heard of it then.
    revision: Option<u64>,
    /// It was in one of [`RESTING`] then.
    resting: bool,
}

impl Promotion {
    pub(super) fn involves(&self, name: &ServiceName) -> bool {
        self.member == *name || (!self.starting && self.stops.contains_key(name))
    }
}

impl Stop {
    /// Since when the member is known not to run and not to come back; a time in the future if it takes a while yet.
    fn down_at(&self, member: &Member) -> Option<Time> {
        let down = member.ready == Some(false);
        match member.phase {
            PhaseName::Stopped if down && member.revision.is_some() && member.revision != self.revision => {
                Some(self.at)
            }
            // Anything that was heard since may mean that it was busy when the stop came, and refused it.
            _ if down && self.resting && member.revision == self.revision => Some(self.at.after(SETTLE)),
            _ => None,
        }
    }
}

impl Cluster {
    /// Why a promotion of `member` would be refused now; `None` if it would be begun.
    pub fn objection_to_promotion(&self, member: &ServiceName) -> Option<String> {
        let name = &self.spec.name;
        if self.spec.mode != ClusterMode::Standby {
            return Some(format!("{name} is in active mode: all its members are active"));
        }
        if !self.members.contains_key(member) {
            return Some(format!("{member} is not a member of {name}"));
        }
        if let Some(promotion) = &self.promotion {
            return Some(format!("a promotion of {} by {} is under way; wait for it", promotion.member, promotion.by));
        }
        if let (Some(until), Some(active)) = (self.starting_until, &self.active) {
            return Some(format!("{active} is being started; wait for it, until {until} at most"));
        }
        if let Some((other, _)) = self.in_order().find(|(other, known)| *other != member && known.ready.is_none()) {
            return Some(format!(
                "nothing is heard of {other} yet, so it may run; is dixmgr running on its host? If it is gone for \
                 good, take it out of the members"
            ));
        }
        let paused = self.in_order().find(|(other, known)| {
            known.phase == PhaseName::Paused
                && (*other == member || known.is_ready() || self.active.as_ref() == Some(other))
        });
        paused.map(|(paused, _)| format!("{paused} is paused; resume it first"))
    }

    pub(super) fn begin_promotion(&mut self, id: String, args: PromoteArgs, now: Time, actions: &mut Vec<Action>) {
        if self.is_repeated(&id) {
            return;
        }
        if let Some(reason) = self.objection_to_promotion(&args.member) {
            return actions.push(answer(id, Err(reason)));
        }
        if self.active.as_ref() == Some(&args.member) && self.members.get(&args.member).is_some_and(Member::is_ready) {
            let text = format!("{} is the active member of {} already", args.member, self.spec.name);
            return actions.push(answer(id, Ok(text)));
        }
        self.members.values_mut().for_each(Member::ask_again);
        self.promotion = Some(Promotion {
            id,
            by: somebody(&args.by),
            reason: words(&args.reason),
            member: args.member,
            stops: BTreeMap::new(),
            starting: false,
            since: now,
        });
    }

    pub(super) fn settle_promotion(&mut self, now: Time, actions: &mut Vec<Action>) {
        let Some(mut promotion) = self.promotion.take() else { return };
        if !promotion.starting {
            self.stop_others(&mut promotion, now, actions);
            if self.still_up(&promotion, now).is_empty() {
                self.start_promoted(&mut promotion, now, actions);
            }
        }
        let (starting, member) = (promotion.starting, promotion.member.clone());
        let overdue = promotion.since.after(self.spec.member_timeout) <= now;
        let up: Vec<_> = self
            .still_up(&promotion, now)
            .into_iter()
            .filter_map(|name| self.members.get(&name).map(|known| standing(&name, known)))
            .collect();
        self.promotion = Some(promotion);
        if starting {
            self.stop_surplus(&member, now, actions);
            if self.members.get(&member).is_some_and(Member::is_ready) {
                self.promoted(now, actions);
            } else if overdue {
                let text =
                    format!("{member} was not ready within {}; it stays the active one", self.spec.member_timeout);
                self.fail_promotion(&text, now, actions);
            }
        } else if overdue {
            let timeout = self.spec.member_timeout;
            let text = format!("{} was not stopped within {timeout}, so {member} was not started", up.join(", "));
            self.fail_promotion(&text, now, actions);
        }
    }

    /// Tells whoever may run to stop, and tells it again if that has not helped.
    fn stop_others(&self, promotion: &mut Promotion, now: Time, actions: &mut Vec<Action>) {
        for (name, member) in self.in_order().filter(|(name, _)| **name != promotion.member) {
            let times = match promotion.stops.get(name) {
                None if self.may_run(name, member) => 0,
                Some(stop) if stop.down_at(member).is_none() && stop.at.after(AGAIN) <= now => stop.times,
                _ => continue,
            };
            let resting = RESTING.contains(&member.phase);
            let stop = Stop { at: now, times: times.saturating_add(1), revision: member.revision, resting };
            let again = if times == 0 { String::new() } else { format!("/{times}") };
            let order = Order {
                id: format!("{}/{name}{again}", promotion.id),
                command: CommandKind::Stop,
                by: promotion.by.clone(),
                reason: format!("{} is promoted {}", promotion.member, promotion.reason).trim_end().to_owned(),
            };
            promotion.stops.insert(name.clone(), stop);
            actions.push(self.command(name, order));
        }
    }

    /// It runs, or its supervisor will bring it up sooner or later.
    fn may_run(&self, name: &ServiceName, member: &Member) -> bool {
        let rises = RISING.contains(&member.phase) || member.phase == PhaseName::Exhausted;
        member.is_ready() || rises || self.active.as_ref() == Some(name)
    }

    /// Who was told to stop and is not known to be down.
    fn still_up(&self, promotion: &Promotion, now: Time) -> Vec<ServiceName> {
        let up = promotion.stops.iter().filter(|(name, stop)| {
            self.members.get(*name).is_some_and(|member| stop.down_at(member).is_none_or(|at| at > now))
        });
        up.map(|(name, _)| name.clone()).collect()
    }

    fn start_promoted(&mut self, promotion: &mut Promotion, now: Time, actions: &mut Vec<Action>) {
        promotion.starting = true;
        promotion.since = now;
        self.make_active(promotion.member.clone());
        if self.members.get(&promotion.member).is_some_and(Member::is_ready) {
            return;
        }
        let order = Order {
            id: format!("{}/{}", promotion.id, promotion.member),
            command: CommandKind::Start,
            by: promotion.by.clone(),
            reason: format!("it is promoted {}", promotion.reason).trim_end().to_owned(),
        };
        actions.push(self.command(&promotion.member, order));
    }

    fn promoted(&mut self, now: Time, actions: &mut Vec<Action>) {
        let Some(promotion) = self.promotion.take() else { return };
        self.eventful = Some(now);
        let text = format!("{} is the active member of {} now", promotion.member, self.spec.name);
        actions.push(self.report(ClusterReportKind::Promoted, format!("{text}, as {} asked", promotion.by)));
        actions.push(answer(promotion.id, Ok(text)));
    }

    pub(super) fn fail_promotion(&mut self, reason: &str, now: Time, actions: &mut Vec<Action>) {
        let Some(promotion) = self.promotion.take() else { return };
        self.eventful = Some(now);
        let active = match &self.active {
            Some(active) if !promotion.starting => format!("; {active} is still the active one and may be stopped"),
            _ => String::new(),
        };
        let text = format!("{} of {} was not promoted: {reason}{active}", promotion.member, self.spec.name);
        actions.push(self.report(ClusterReportKind::PromotionFailed, text.clone()));
        actions.push(answer(promotion.id, Err(text)));
    }

    /// When time alone moves a promotion.
    pub(super) fn promotion_wake(&self) -> Option<Time> {
        let promotion = self.promotion.as_ref()?;
        let deadline = promotion.since.after(self.spec.member_timeout);
        if promotion.starting {
            return Some(deadline);
        }
        let stops = promotion.stops.iter().filter_map(|(name, stop)| Some((stop, self.members.get(name)?)));
        let (down, up): (Vec<_>, Vec<_>) = stops.partition(|(stop, member)| stop.down_at(member).is_some());
        let again = up.iter().map(|(stop, _)| stop.at.after(AGAIN)).min();
        // All of them have to be down, so the last one counts.
        let all_down =
            if up.is_empty() { down.iter().filter_map(|(stop, member)| stop.down_at(member)).max() } else { None };
        again.or(all_down).into_iter().chain([deadline]).min()
    }
}
