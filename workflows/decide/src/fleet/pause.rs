//! What is said to every service: pause and resume, in chunks, answered when all of them have been.
//!
//! A pause is of the fleet, not of the services that it had at the time: a service that comes later is paused as well. Its
//! host may tell the plan before the service's workflow exists, so that is tried a few times.

use super::{Action, Fleet};
use crate::Answer;
use dixmgr_contract::plan::{FanOut, FannedOut, FleetPaused, PART_SERVICES};
use dixmgr_contract::{CommandKind, HostName, Span, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Answers that are remembered.
const REMEMBERED: usize = 16;
/// An id longer than this is not remembered, in bytes.
const ID_BYTES: usize = 256;
/// Characters of a name and a reason that are kept.
const WORDS: usize = 300;
/// How soon a service that came during a pause is paused; the wait doubles with each failure.
const SOON: Span = Span::from_secs(5);
/// How often that is tried.
const TRIES: u32 = 7;

/// A command for many services that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    command: CommandKind,
    /// The one host that it is for; all, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<HostName>,
    /// Chunks without an answer.
    open: BTreeSet<u32>,
    done: u32,
    failed: u32,
}

impl Order {
    const fn new(command: CommandKind, host: Option<HostName>) -> Self {
        Self { command, host, open: BTreeSet::new(), done: 0, failed: 0 }
    }
}

/// A host whose services have to be paused, because some of them came during a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Late {
    tries: u32,
    /// When; absent while it is under way.
    at: Option<Time>,
}

impl Fleet {
    /// Why pausing or resuming the fleet would be refused now; `None` if it would be taken.
    pub fn objection(&self, command: CommandKind) -> Option<String> {
        match self.orders.values().next() {
            Some(order) => Some(format!("a {} of many services is under way; wait for it", order.command)),
            None if command == CommandKind::Resume && self.paused.is_none() => {
                Some("the fleet is not paused".to_owned())
            }
            None => None,
        }
    }

    /// A pause of a paused fleet is sent again, to reach those that the first one did not.
    pub(super) fn command_all(
        &mut self,
        command: CommandKind,
        id: String,
        who: FleetPaused,
        actions: &mut Vec<Action>,
    ) {
        if self.orders.contains_key(&id) || self.is_answered(&id, actions) {
            return;
        }
        if let Some(objection) = self.objection(command) {
            return self.answer(Answer { id, result: Err(objection) }, actions);
        }
        let cut = |text: &str| text.chars().take(WORDS).collect::<String>();
        let who = FleetPaused { by: cut(&who.by), reason: cut(&who.reason), since: who.since };
        self.late.clear();
        self.paused = (command == CommandKind::Pause).then(|| FleetPaused {
            since: self.paused.as_ref().map_or(who.since, |before| before.since),
            ..who.clone()
        });
        let now = who.since;
        self.send(id, Order::new(command, None), &who, now, actions);
    }

    /// Sends an order to the services that are held now.
    fn send(&mut self, id: String, mut order: Order, who: &FleetPaused, now: Time, actions: &mut Vec<Action>) {
        let slices =
            self.slices.hosts().iter().filter(|(host, _)| order.host.as_ref().is_none_or(|only| only == *host));
        let ids: Vec<_> =
            slices.flat_map(|(_, slice)| slice.held.0.values()).map(|service| service.workflow_id.clone()).collect();
        for (chunk, ids) in (0_u32..).zip(ids.chunks(PART_SERVICES)) {
            order.open.insert(chunk);
            actions.push(Action::FanOut(FanOut {
                id: id.clone(),
                chunk,
                command: order.command,
                by: who.by.clone(),
                reason: who.reason.clone(),
                workflow_ids: ids.to_vec(),
            }));
        }
        if order.open.is_empty() {
            self.finish(id, order, now, actions);
        } else {
            self.orders.insert(id, order);
        }
    }

    /// A chunk's answer. One that was given already, or of no open order, is from the past.
    pub(super) fn fanned_out(&mut self, id: &str, chunk: u32, result: FannedOut, now: Time, actions: &mut Vec<Action>) {
        let Some(order) = self.orders.get_mut(id) else { return };
        if order.open.remove(&chunk) {
            order.done = order.done.saturating_add(result.done);
            order.failed = order.failed.saturating_add(result.failed);
        }
        if order.open.is_empty()
            && let Some((id, order)) = self.orders.remove_entry(id)
        {
            self.finish(id, order, now, actions);
        }
    }

    fn finish(&mut self, id: String, order: Order, now: Time, actions: &mut Vec<Action>) {
        let Order { command, host, done, failed, .. } = order;
        if let Some(host) = host {
            return self.late_done(&host, failed, now);
        }
        let state = if command == CommandKind::Pause { "paused" } else { "supervised again" };
        let result = match failed {
            0 => Ok(format!("the fleet is {state}: {done} services")),
            _ => Err(format!("{failed} services could not be reached, {done} are {state}; ask again for the rest")),
        };
        self.answer(Answer { id, result }, actions);
    }

    /// The host has services that the pause has not reached.
    pub(super) fn came_late(&mut self, host: HostName, now: Time) {
        if self.paused.is_some() {
            self.late.insert(host, Late { tries: 0, at: Some(now.after(SOON)) });
        }
    }

    pub(super) fn late_at(&self) -> Option<Time> {
        let is_free = self.orders.is_empty();
        self.late.values().filter_map(|late| late.at).min().filter(|_| is_free)
    }

    /// One order at a time: the next host is paused when the order before is done.
    pub(super) fn pause_late(&mut self, now: Time, actions: &mut Vec<Action>) {
        let Some(who) = self.paused.clone() else { return };
        while self.late_at().is_some_and(|at| at <= now) {
            let due = self.late.iter_mut().find(|(_, late)| late.at.is_some_and(|at| at <= now));
            let Some((host, late)) = due.map(|(host, late)| (host.clone(), late)) else { return };
            late.at = None;
            self.serial += 1;
            let id = format!("late-{}-{}", who.since.unix_millis(), self.serial);
            self.send(id, Order::new(CommandKind::Pause, Some(host)), &who, now, actions);
        }
    }

    fn late_done(&mut self, host: &HostName, failed: u32, now: Time) {
        // A time says that more services came meanwhile.
        let Some(late) = self.late.get_mut(host).filter(|late| late.at.is_none()) else { return };
        late.tries += 1;
        if failed > 0 && late.tries < TRIES {
            late.at = Some(now.after(Span::from_millis(SOON.as_millis() << late.tries)));
            return;
        }
        self.late.remove(host);
        if failed > 0 {
            let text = format!("{failed} services of host {host} came during the pause and could not be paused");
            self.note(&text, now);
        }
    }

    /// Answers a request that was answered before, in the same words.
    pub(super) fn is_answered(&self, id: &str, actions: &mut Vec<Action>) -> bool {
        let known = self.answers.iter().find(|(known, _)| known == id);
        if let Some((id, result)) = known.cloned() {
            actions.push(Action::Answer(Answer { id, result }));
        }
        known.is_some()
    }

    pub(super) fn answer(&mut self, answer: Answer, actions: &mut Vec<Action>) {
        if answer.id.len() <= ID_BYTES {
            self.answers.push((answer.id.clone(), answer.result.clone()));
        }
        let surplus = self.answers.len().saturating_sub(REMEMBERED);
        self.answers.drain(..surplus);
        actions.push(Action::Answer(answer));
    }
}
