//! The agent: what this host knows of its services, and the part of it that tells Temporal.
//!
//! It starts before Temporal and goes on without it: it observes, measures and remembers. One task owns all state and
//! everything reaches it as a message, so there is no lock to hold and no order to guess. What has to be told waits in
//! the [`outbox`], one slot per service: ten thousand flapping services keep ten thousand slots full, and no more.
//!
//! The files: `sketch` (what of a state matters), `tracked` (one service), `outbox` (who is told next), `backlog` (whether the
//! workflows keep up), `memory` (what is remembered, on disk), `core` (the events; `core/delivery`: what is sent), `courier` (the way
//! to Temporal), `alerts` (the rules; `alerts/told`: what was told of them), `facts` (what they look at).

mod alerts;
mod backlog;
mod core;
mod courier;
mod facts;
mod memory;
mod outbox;
mod sketch;
#[cfg(test)]
mod tests;
mod tracked;

pub(crate) use self::core::Agent;
pub(crate) use alerts::RuleView;
pub(crate) use backlog::Backlog;
pub(crate) use courier::{Courier, DeliveryError, Parcel};
pub(crate) use facts::Round;
pub(crate) use memory::Memory;

use crate::history::History;
use crate::senses::Runs;
use dixmgr_bind::OrderNews;
use dixmgr_contract::{HostName, ServiceName, UnitState, Verb, Verdict};
use dixmgr_decide::rules::{NodeStands, Rules, Waits};
use dixmgr_model::Service;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Messages that may wait for the agent; senders wait beyond it.
const MAILBOX: usize = 1024;
/// So many missing dependencies of a service are named.
const MISSING: usize = 32;

/// Who this agent is and what it watches.
pub(crate) struct Options {
    pub(crate) host: HostName,
    /// Names this start of dixmgr.
    pub(crate) epoch: String,
    /// The kernel's boot id.
    pub(crate) boot: String,
    /// The services of this host with their workflow ids.
    pub(crate) services: Vec<(Service, String)>,
    /// Where the senses see what runs.
    pub(crate) runs: Runs,
    /// The alert rules; absent: nobody evaluates any.
    pub(crate) rules: Option<Rules>,
    /// For how long something has to be wrong to be told.
    pub(crate) waits: Waits,
    /// How long workflow tasks lie before somebody takes them.
    pub(crate) backlog: Arc<Backlog>,
    /// Where changes of health are recorded.
    pub(crate) history: History,
    /// The newest generation acted on for a unit.
    pub(crate) generation: Box<dyn Fn(&dixmgr_contract::UnitName) -> u64 + Send + Sync>,
}

/// What can be said to the agent.
pub(crate) enum Message {
    /// Temporal can be reached; these workflows are open there.
    Linked(Arc<dyn Courier>, BTreeSet<String>),
    /// These workflows are open; the others have been ended by somebody.
    Census(BTreeSet<String>),
    /// Temporal cannot be reached.
    Unlinked,
    /// Somebody acted on old news of this service: tell it again.
    Recheck(ServiceName),
    /// The services have been told that nobody sees this host: tell them all again.
    TellAll,
    /// What the probes of a service say of this run of it.
    Sensed {
        /// The service's place in [`Options::services`].
        index: usize,
        /// The run that was asked.
        run: Option<String>,
        /// All of them.
        verdicts: Vec<Verdict>,
    },
    /// A service was stopped on command, down already or not; the run that it was in.
    Stopped(ServiceName, String),
    /// Something about alerts.
    Alerting(Alerting),
    /// Is anybody there?
    Ping(oneshot::Sender<()>),
    /// What is known of every service?
    Snapshot(oneshot::Sender<Vec<ServiceView>>),
}

/// What is said about alerts; whoever evaluates none hears nothing, and whoever asked is not answered.
pub(crate) enum Alerting {
    /// What the services use.
    Measured(Round),
    /// How the node of a service stands, in this run of it.
    Node {
        /// The service's place in [`Options::services`].
        index: usize,
        /// The run that was asked.
        run: Option<String>,
        /// How it stands.
        stands: NodeStands,
    },
    /// A service has waited in vain for these dependencies.
    WaitedInVain(ServiceName, Vec<ServiceName>),
    /// Switch a rule on or off.
    Switch {
        /// The rule.
        name: String,
        /// On or off.
        on: bool,
        /// Why not.
        answer: oneshot::Sender<Result<(), String>>,
    },
    /// Which rules are there?
    Show(oneshot::Sender<Vec<RuleView>>),
}

/// What the agent knows of a service, for the admin server.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ServiceView {
    pub(crate) name: ServiceName,
    pub(crate) unit: String,
    pub(crate) kind: String,
    pub(crate) chain: String,
    pub(crate) workflow_id: String,
    /// Absent until systemd has been asked.
    pub(crate) state: Option<UnitState>,
    pub(crate) revision: u64,
    /// True if Temporal knows this state.
    pub(crate) accepted: bool,
}

/// Speaks to the agent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Handle(mpsc::Sender<Message>);

impl Handle {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(MAILBOX);
        (Self(sender), receiver)
    }

    /// Says something; an agent that has ended hears nothing, and nobody minds.
    pub(crate) async fn say(&self, message: Message) {
        let _ = self.0.send(message).await;
    }

    /// Asks for a fresh observation of a service, if the agent has room for the question: if not, it is busy telling.
    pub(crate) fn recheck(&self, service: &ServiceName) {
        let _ = self.0.try_send(Message::Recheck(service.clone()));
    }

    /// Asks for fresh observations of all services.
    pub(crate) fn tell_all(&self) {
        let _ = self.0.try_send(Message::TellAll);
    }

    /// Says what services use, if the agent has room for it: what is measured next is as good.
    pub(crate) fn measured(&self, round: Round) {
        let _ = self.0.try_send(Message::Alerting(Alerting::Measured(round)));
    }

    /// Says that a service has been stopped on command: where it was down already, systemd has nothing to tell of that.
    pub(crate) fn ordered(&self, news: &OrderNews<'_>) {
        let is_done = news.verb == Verb::Stop && news.end.is_some_and(|end| end.failure.is_none());
        if let Some(run) = news.ends_on_command().filter(|_| is_done) {
            let _ = self.0.try_send(Message::Stopped(news.service.clone(), run.to_owned()));
        }
    }

    /// Says that a service has waited for its dependencies in vain.
    pub(crate) fn waited_in_vain(&self, service: &ServiceName, missing: &[ServiceName]) {
        let missing = missing.iter().take(MISSING).cloned().collect();
        let _ = self.0.try_send(Message::Alerting(Alerting::WaitedInVain(service.clone(), missing)));
    }

    /// Switches a rule on or off, also for the next start.
    ///
    /// # Errors
    /// Why it could not be switched.
    pub(crate) async fn switch_rule(&self, name: String, on: bool) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        self.say(Message::Alerting(Alerting::Switch { name, on, answer })).await;
        answered.await.unwrap_or_else(|_| Err("alerting is off".to_owned()))
    }

    /// The rules; `None`: alerting is off.
    pub(crate) async fn rules(&self) -> Option<Vec<RuleView>> {
        let (answer, answered) = oneshot::channel();
        self.say(Message::Alerting(Alerting::Show(answer))).await;
        answered.await.ok()
    }

    /// Returns when the agent has answered.
    pub(crate) async fn ping(&self) {
        let (sender, receiver) = oneshot::channel();
        self.say(Message::Ping(sender)).await;
        let _ = receiver.await;
    }

    /// What is known of every service.
    pub(crate) async fn snapshot(&self) -> Vec<ServiceView> {
        let (sender, receiver) = oneshot::channel();
        self.say(Message::Snapshot(sender)).await;
        receiver.await.unwrap_or_default()
    }
}
