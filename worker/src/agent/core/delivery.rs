//! The way of news from the agent to Temporal: what is due is sent, and what became of it is taken in.

use super::Agent;
use crate::agent::alerts::Alerts;
use crate::agent::courier::{Courier, DeliveryError, Parcel};
use crate::agent::memory::Accepted;
use crate::agent::outbox::PARALLEL;
use crate::agent::sketch::Digest;
use dixmgr_decide::rules::Carried;
use dixmgr_telemetry::DeliveryOutcome;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// How a delivery ended.
pub(super) struct Delivered {
    index: usize,
    digest: Digest,
    revision: u64,
    changed_at: Instant,
    carried: Carried,
    result: Result<(), DeliveryError>,
}

impl Agent {
    fn may_send(&self) -> bool {
        self.courier.is_some() && self.synced && !self.stopping && self.deliveries.len() < PARALLEL
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        if self.may_send() { self.outbox.wake_at() } else { None }
    }

    /// Sends whatever is due, as far as there is room.
    pub(super) fn dispatch(&mut self) {
        let now = Instant::now();
        if let Some(waited) = self.options.backlog.take() {
            self.outbox.tasks_waited(waited, now);
        }
        while self.may_send() {
            let Some(index) = self.outbox.take(now) else { break };
            let one = &mut self.tracked[index];
            let (Some(courier), Some(digest)) = (&self.courier, one.digest()) else { break };
            let Some(mut observation) = one.observation(&self.options) else { continue };
            let carried = self.alerts.as_ref().map(|alerts| alerts.carry(index, &mut observation));
            one.in_flight = Some(digest);
            one.urgent = false;
            let inherited = std::mem::take(&mut one.inherited);
            let (revision, changed_at) = (one.revision, one.at);
            let delivery = courier.deliver(Parcel { workflow_id: one.workflow_id.clone(), observation, inherited });
            let carried = carried.unwrap_or_default();
            self.deliveries.spawn(async move {
                Delivered { index, digest, revision, changed_at, carried, result: delivery.await }
            });
        }
        self.metrics.outbox_depth(self.outbox.len() + self.deliveries.len());
    }

    pub(super) fn delivered(&mut self, delivered: Delivered) {
        let one = &mut self.tracked[delivered.index];
        one.in_flight = None;
        match delivered.result {
            Ok(()) => {
                one.accepted = Some(delivered.digest);
                if let Some(alerts) = &mut self.alerts {
                    alerts.accepted(delivered.index, &delivered.carried, one, &self.memory);
                }
                self.memory.put(one.name(), Accepted { revision: delivered.revision, digest: delivered.digest });
                self.metrics.delivery(DeliveryOutcome::Accepted);
                self.metrics.agent_lag(delivered.changed_at.elapsed());
                self.outbox.succeeded();
            }
            Err(error) => {
                tracing::debug!(service = %one.name(), "{error}; it is sent again");
                one.urgent = true;
                if let Some(alerts) = &mut self.alerts {
                    alerts.not_accepted(delivered.index, &mut self.tracked, &self.memory);
                }
                self.metrics.delivery(DeliveryOutcome::Failed);
                self.outbox.failed(Instant::now());
            }
        }
        self.schedule(delivered.index);
    }

    /// A workflow that waits for this host hears that it is back.
    pub(super) fn linked(&mut self, courier: Arc<dyn Courier>, open: &BTreeSet<String>) {
        self.courier = Some(courier);
        self.outbox.succeeded();
        self.alerts.iter_mut().for_each(Alerts::reach);
        for one in &mut self.tracked {
            // What has not been seen yet is judged when it has: `sync`.
            one.urgent |= one.unit.is_some() && !one.is_up();
            one.inherited = open.contains(&one.workflow_id);
        }
        self.census(open);
    }

    /// A workflow that is missing is started by telling it.
    pub(super) fn census(&mut self, open: &BTreeSet<String>) {
        for index in 0..self.tracked.len() {
            let one = &mut self.tracked[index];
            one.urgent |= !open.contains(&one.workflow_id);
            self.schedule(index);
        }
    }

    /// Nobody can be told anything.
    pub(super) fn unlinked(&mut self) {
        self.courier = None;
        self.alerts.iter_mut().for_each(|alerts| alerts.cut_off(&mut self.tracked, &self.memory));
    }
}
