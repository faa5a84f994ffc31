//! Who wants to hear whether the service is ready, and what they have heard.

use super::{Action, Service};
use crate::service::reading::{Reading, Seen};
use dixmgr_contract::{Readiness, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// More subscribers than this are not served.
const MAX_SUBSCRIBERS: usize = 1000;

/// The subscribers of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subscribers {
    workflow_ids: BTreeSet<String>,
    /// What all of them have been told: whether it is ready, in which run.
    told: (bool, Option<String>),
    revision: u64,
}

impl Subscribers {
    /// True if there is nothing to be remembered of them.
    pub(super) fn is_new(&self) -> bool {
        *self == Self::default()
    }
}

impl Service {
    /// Somebody wants to hear of it, from now on and at once. One that asks again has missed something.
    pub(super) fn subscribe(&mut self, workflow_id: String, actions: &mut Vec<Action>) {
        if self.subscribers.workflow_ids.is_empty() {
            self.subscribers.told = self.readiness();
            self.subscribers.revision = self.subscribers.revision.max(self.revision).max(1);
        }
        let known = self.subscribers.workflow_ids.len();
        if known < MAX_SUBSCRIBERS || self.subscribers.workflow_ids.contains(&workflow_id) {
            self.eventful = true;
            self.subscribers.workflow_ids.insert(workflow_id.clone());
            actions.push(self.tell(workflow_id));
        }
    }

    /// A subscriber does not exist any more.
    pub(super) fn unsubscribe(&mut self, workflow_id: &str) {
        self.subscribers.workflow_ids.remove(workflow_id);
    }

    /// Tells everybody, if there is something new to tell.
    pub(super) fn tell_subscribers(&mut self, actions: &mut Vec<Action>) {
        let now = self.readiness();
        if self.subscribers.workflow_ids.is_empty() || self.subscribers.told == now {
            return;
        }
        self.subscribers.told = now;
        self.subscribers.revision = self.revision.max(self.subscribers.revision + 1);
        let everybody: Vec<_> = self.subscribers.workflow_ids.iter().cloned().collect();
        actions.extend(everybody.into_iter().map(|workflow_id| self.tell(workflow_id)));
    }

    fn tell(&self, workflow_id: String) -> Action {
        let Subscribers { told: (ready, run), revision, .. } = &self.subscribers;
        let service = self.spec.name.clone();
        let readiness =
            Readiness { service, ready: *ready, revision: *revision, phase: self.phase.name(), run: run.clone() };
        Action::Tell { workflow_id, readiness }
    }

    /// Whether it is ready, and in which run.
    fn readiness(&self) -> (bool, Option<String>) {
        match self.seen.as_ref().filter(|seen| is_ready(seen)) {
            Some(seen) => (true, seen.run().clone()),
            None => (false, None),
        }
    }
}

fn is_ready(seen: &Seen) -> bool {
    matches!(seen.reading(), Reading::Up | Reading::Impaired) && !seen.verdicts.iter().any(Verdict::holds_back)
}
