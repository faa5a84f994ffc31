//! Who wants to hear whether the service is ready, and what they have heard.

use super::phase::Phase;
use super::reading::{Reading, Seen};
use super::{Action, Service};
use dixmgr_contract::{Cause, PhaseName, Readiness, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// More subscribers than this are not served.
const MAX_SUBSCRIBERS: usize = 1000;

/// The subscribers of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subscribers {
    workflow_ids: BTreeSet<String>,
    /// What all of them have been told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<Told>,
    revision: u64,
}

/// Whether it is ready, in which run and phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    ready: bool,
    run: Option<String>,
    phase: PhaseName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<Cause>,
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
            self.subscribers.told = Some(self.readiness());
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
        let now = Some(self.readiness());
        if self.subscribers.workflow_ids.is_empty() || self.subscribers.told == now {
            return;
        }
        self.subscribers.told = now;
        self.subscribers.revision = self.revision.max(self.subscribers.revision + 1);
        let everybody: Vec<_> = self.subscribers.workflow_ids.iter().cloned().collect();
        actions.extend(everybody.into_iter().map(|workflow_id| self.tell(workflow_id)));
    }

    fn tell(&self, workflow_id: String) -> Action {
        let Told { ready, run, phase, trouble } = self.subscribers.told.clone().unwrap_or_else(|| self.readiness());
        let (service, revision) = (self.spec.name.clone(), self.subscribers.revision);
        Action::Tell { workflow_id, readiness: Readiness { service, ready, revision, phase, run, trouble } }
    }

    /// How it stands now. One that is still being stopped is not stopped yet: another one may wait for that.
    fn readiness(&self) -> Told {
        let ready = self.seen.as_ref().filter(|seen| is_ready(seen) && !self.host_lost);
        let phase = match &self.phase {
            Phase::Stopped { .. } if !self.is_at_rest() => PhaseName::Down,
            // It may wait for days and run all the while: nobody is to be started in its place as if it were down.
            Phase::Waiting { .. } if !self.is_at_rest() => PhaseName::Degraded,
            phase => phase.name(),
        };
        let trouble = if ready.is_some() { None } else { self.trouble() };
        Told { ready: ready.is_some(), run: ready.and_then(|seen| seen.run().clone()), phase, trouble }
    }

    fn is_at_rest(&self) -> bool {
        let reading = self.seen.as_ref().map(Seen::reading);
        !matches!(
            reading,
            Some(Reading::Up | Reading::Impaired | Reading::Coming | Reading::Going | Reading::AutoRestart)
        )
    }
}

fn is_ready(seen: &Seen) -> bool {
    matches!(seen.reading(), Reading::Up | Reading::Impaired) && !seen.verdicts.iter().any(Verdict::holds_back)
}
