//! What a probe asks, and whose belief the answers go into: an endpoint by itself, or a node among those of its chain.

use super::chains::{ChainKey, Chains};
use dixmgr_contract::{CheckResult, CheckState, NodeSighting, Protocol, ServiceName, Span, Time, Verdict};
use dixmgr_decide::breaker::Event;
use dixmgr_decide::check::{Belief, Thresholds, sign_of_life};
use dixmgr_decide::node::{Missed, NodePolicy, NodeVerdict, NodeWatch};
use dixmgr_probe::{Check, Endpoint, NodeChecker, NodeError};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// What is seen by a look that ended by a fault of ours.
pub(super) const BROKE_OFF: &str = "the look broke off";

/// What a probe asks.
pub(super) enum Subject {
    Endpoint(Box<EndpointSubject>),
    Node(Box<NodeSubject>),
}

/// An endpoint that answers or does not.
pub(super) struct EndpointSubject {
    /// Absent while it runs.
    pub(super) check: Option<Check>,
    pub(super) thresholds: Thresholds,
    pub(super) belief: Belief,
}

/// A blockchain node.
pub(super) struct NodeSubject {
    pub(super) service: ServiceName,
    pub(super) probe: String,
    pub(super) chain: ChainKey,
    pub(super) ask: NodeLook,
    pub(super) policy: NodePolicy,
    pub(super) watch: NodeWatch,
    pub(super) verdict: NodeVerdict,
}

/// How a node is asked.
#[derive(Clone)]
pub(super) struct NodeLook {
    pub(super) nodes: NodeChecker,
    pub(super) protocol: Protocol,
    pub(super) endpoint: Endpoint,
    pub(super) timeout: Duration,
}

/// One look, to be made now.
pub(super) enum Look {
    Endpoint(Check),
    Node(NodeLook),
}

/// What a look has seen: nothing if it broke off.
pub(super) enum Seen {
    Endpoint(Check, Option<CheckResult>),
    Node(Option<Result<NodeSighting, NodeError>>),
}

impl Look {
    /// `now` is that of the host's clock, which the age of a block is counted to.
    pub(super) async fn run(self, now: Time) -> Seen {
        match self {
            Self::Endpoint(mut check) => {
                let result = unless_it_breaks(check.run()).await;
                Seen::Endpoint(check, result)
            }
            Self::Node(look) => {
                let seen = look.nodes.look(look.protocol, &look.endpoint, now, look.timeout);
                Seen::Node(unless_it_breaks(seen).await)
            }
        }
    }
}

/// A fault of ours in one look must neither end the senses nor leave its probe unasked for ever: a panic is nothing seen.
/// What it leaves behind is a kept connection, which the next look does not trust anyway.
pub(super) async fn unless_it_breaks<T>(look: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(look).catch_unwind().await.ok()
}

/// What a look at a node that saw nothing says of it.
pub(super) fn missed(error: NodeError) -> Missed {
    let why = error.to_string();
    if error.is_silence() { Missed::Silent(why) } else { Missed::Unclear(why) }
}

impl Seen {
    /// Somebody looked, and it was not good.
    pub(super) fn is_bad(&self) -> bool {
        match self {
            Self::Endpoint(_, Some(result)) => matches!(result.state, CheckState::Degraded | CheckState::Unhealthy),
            Self::Node(Some(look)) => look.is_err(),
            Self::Endpoint(_, None) | Self::Node(None) => false,
        }
    }

    /// What it means for the breaker.
    pub(super) fn event(&self) -> Event {
        match self {
            Self::Endpoint(_, None) | Self::Node(None) => Event::Abandoned,
            Self::Endpoint(_, Some(result)) => sign_of_life(result),
            Self::Node(Some(Err(error))) => error.sign_of_life(),
            Self::Node(Some(Ok(_))) => Event::Succeeded,
        }
    }

    /// It broke off by a fault of ours, and says nothing.
    pub(super) const fn broke_off(&self) -> bool {
        matches!(self, Self::Endpoint(_, None) | Self::Node(None))
    }
}

impl Subject {
    pub(super) fn chain(&self) -> Option<ChainKey> {
        match self {
            Self::Endpoint(_) => None,
            Self::Node(node) => Some(node.chain.clone()),
        }
    }

    /// A new run begins, or none.
    pub(super) fn start(&mut self, now: Time) {
        match self {
            Self::Endpoint(endpoint) => endpoint.belief.started(now),
            Self::Node(node) => {
                node.watch = NodeWatch::started(now);
                node.verdict = NodeVerdict::default();
            }
        }
    }

    /// It ran before this dixmgr looked.
    pub(super) const fn join_late(&mut self) {
        if let Self::Node(node) = self {
            node.watch.join_late();
        }
    }

    /// It said last that it catches up, in this run, to an earlier dixmgr.
    pub(super) const fn recall_that_it_syncs(&mut self) {
        if let Self::Node(node) = self {
            node.watch.recall_that_it_syncs();
        }
    }

    /// Whether its last word was that it catches up; absent for what is no node.
    pub(super) fn catches_up(&self) -> Option<bool> {
        match self {
            Self::Endpoint(_) => None,
            Self::Node(node) => Some(node.watch.catches_up(&node.policy)),
        }
    }

    /// The look to make; nothing while one is being made.
    pub(super) fn look(&mut self) -> Option<Look> {
        match self {
            Self::Endpoint(endpoint) => endpoint.check.take().map(Look::Endpoint),
            Self::Node(node) => Some(Look::Node(node.ask.clone())),
        }
    }

    /// What was seen is of no interest any more.
    pub(super) fn put_back(&mut self, seen: Seen) {
        if let (Self::Endpoint(endpoint), Seen::Endpoint(check, _)) = (self, seen) {
            endpoint.check = Some(check);
        }
    }

    pub(super) fn hear(&mut self, seen: Seen, chains: &mut Chains, now: Time) {
        match (self, seen) {
            (Self::Endpoint(endpoint), Seen::Endpoint(check, result)) => {
                endpoint.check = Some(check);
                let unknown = || CheckResult { reason: BROKE_OFF.to_owned(), ..CheckResult::default() };
                endpoint.belief.hear(result.unwrap_or_else(unknown), &endpoint.thresholds, now);
            }
            (Self::Node(node), Seen::Node(look)) => {
                chains.hear(node, look, now);
            }
            // A look comes back to the probe that made it.
            (Self::Endpoint(_), Seen::Node(_)) | (Self::Node(_), Seen::Endpoint(..)) => {}
        }
    }

    /// It has not been good since its start: others may wait for it.
    pub(super) fn is_awaited(&self) -> bool {
        match self {
            Self::Endpoint(endpoint) => endpoint.belief.is_awaited(),
            Self::Node(node) => node.verdict.is_awaited(),
        }
    }

    /// Absent while it is not known.
    pub(super) fn is_healthy(&self) -> Option<bool> {
        match self {
            Self::Endpoint(endpoint) => endpoint.belief.is_healthy(),
            Self::Node(node) => node.verdict.is_healthy(),
        }
    }

    pub(super) fn certificate_expires_in(&self) -> Option<Duration> {
        match self {
            Self::Endpoint(endpoint) => endpoint.belief.last().certificate_expires_in.map(Span::duration),
            Self::Node(_) => None,
        }
    }

    /// What its service's workflow is told.
    pub(super) fn verdicts(&self, probe: &str) -> Vec<Verdict> {
        match self {
            Self::Endpoint(endpoint) => vec![endpoint.belief.verdict(probe)],
            Self::Node(node) => node.verdict.verdicts(probe).into(),
        }
    }
}
