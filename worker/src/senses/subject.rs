//! What a probe asks, and what is believed of the answers: an endpoint by itself, or a node among those of its chain.

use super::chains::{ChainKey, Chains};
use dixmgr_contract::observation::RULE_SYNC;
use dixmgr_contract::{CheckResult, CheckState, NodeSighting, Protocol, ServiceName, Span, Time, Verdict};
use dixmgr_decide::breaker::Event;
use dixmgr_decide::check::{CheckMachine, Thresholds};
use dixmgr_decide::node::{NodePolicy, NodeVerdict, NodeWatch};
use dixmgr_probe::{Check, Endpoint, NodeChecker, NodeError};
use std::time::Duration;

/// What a probe asks.
pub(super) enum Subject {
    Endpoint(Box<EndpointSubject>),
    Node(Box<NodeSubject>),
}

/// An endpoint that answers or does not.
pub(super) struct EndpointSubject {
    /// Absent while it runs.
    pub(super) check: Option<Check>,
    pub(super) machine: CheckMachine,
    pub(super) thresholds: Thresholds,
    pub(super) last: CheckResult,
    /// It was not unhealthy when it was last known how it is, in this run.
    pub(super) ready: bool,
}

/// A blockchain node.
pub(super) struct NodeSubject {
    pub(super) service: ServiceName,
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

/// What a look has seen.
pub(super) enum Seen {
    Endpoint(Check, CheckResult),
    Node(Result<NodeSighting, NodeError>),
}

impl Look {
    pub(super) async fn run(self, now: Time) -> Seen {
        match self {
            Self::Endpoint(mut check) => {
                let result = check.run().await;
                Seen::Endpoint(check, result)
            }
            Self::Node(look) => Seen::Node(look.nodes.look(look.protocol, &look.endpoint, now, look.timeout).await),
        }
    }
}

impl Seen {
    /// What it means for the breaker: whoever answers is not dead, whatever the answer.
    pub(super) fn event(&self) -> Event {
        match self {
            Self::Endpoint(_, result) => match result.state {
                CheckState::Unknown => Event::Abandoned,
                CheckState::Unhealthy if result.status.is_none() => Event::Failed,
                _ => Event::Succeeded,
            },
            Self::Node(Err(NodeError::Http(_))) => Event::Failed,
            Self::Node(_) => Event::Succeeded,
        }
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
            Self::Endpoint(endpoint) => {
                endpoint.machine.started(now);
                endpoint.last = CheckResult::default();
                endpoint.ready = false;
            }
            Self::Node(node) => {
                node.watch = NodeWatch::default();
                node.verdict = NodeVerdict::default();
            }
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
                endpoint.machine.step(result.state, &endpoint.thresholds, now);
                endpoint.last = result;
                if endpoint.machine.state() != CheckState::Unknown {
                    endpoint.ready = endpoint.machine.state() != CheckState::Unhealthy;
                }
            }
            (Self::Node(node), Seen::Node(look)) => chains.hear(node, look.map_err(|error| error.to_string()), now),
            // A look comes back to the probe that made it.
            (Self::Endpoint(_), Seen::Node(_)) | (Self::Node(_), Seen::Endpoint(..)) => {}
        }
    }

    /// It has not been good since its start: others may wait for it.
    pub(super) fn is_awaited(&self) -> bool {
        match self {
            Self::Endpoint(endpoint) => endpoint.machine.state() == CheckState::Unknown,
            Self::Node(node) => node.verdict.in_sync != Some(true),
        }
    }

    /// Absent while it is not known.
    pub(super) fn is_healthy(&self) -> Option<bool> {
        match self {
            Self::Endpoint(endpoint) => match endpoint.machine.state() {
                CheckState::Unknown => None,
                state => Some(state != CheckState::Unhealthy),
            },
            Self::Node(node) => node.verdict.reachable.map(|reachable| reachable && !is_bad(&node.verdict)),
        }
    }

    pub(super) fn certificate_expires_in(&self) -> Option<Duration> {
        match self {
            Self::Endpoint(endpoint) => endpoint.last.certificate_expires_in.map(Span::duration),
            Self::Node(_) => None,
        }
    }

    /// What its service's workflow is told.
    pub(super) fn verdicts(&self, probe: &str) -> Vec<Verdict> {
        match self {
            Self::Endpoint(endpoint) => {
                let state = endpoint.machine.state();
                let is_well = matches!(state, CheckState::Healthy | CheckState::Unknown);
                let detail = if state == CheckState::Healthy { String::new() } else { endpoint.last.reason.clone() };
                vec![Verdict {
                    // That we cannot look says nothing of it.
                    unready: !endpoint.ready,
                    failed: state == CheckState::Unhealthy,
                    ..Verdict::new(probe, is_well, detail)
                }]
            }
            Self::Node(node) => {
                let verdict = &node.verdict;
                let sync = Verdict::new(RULE_SYNC, verdict.in_sync == Some(true), verdict.detail.clone());
                let is_well = verdict.reachable != Some(false) && !is_bad(verdict);
                let progress = Verdict {
                    failed: verdict.asks_for_restart(),
                    ..Verdict::new(probe, is_well, verdict.detail.clone())
                };
                vec![sync, progress]
            }
        }
    }

    /// Other words alone are no news.
    pub(super) fn mean_the_same(these: &[Verdict], those: &[Verdict]) -> bool {
        let meaning = |verdict: &Verdict| (verdict.healthy, verdict.unready, verdict.failed);
        these.len() == those.len() && these.iter().zip(those).all(|(this, that)| meaning(this) == meaning(that))
    }
}

/// Something is wrong with the node itself. That it synchronises is said apart; until it was in sync once, being behind is
/// no news.
fn is_bad(verdict: &NodeVerdict) -> bool {
    let was_in_sync = verdict.in_sync == Some(true);
    let levels = [verdict.best.own(), verdict.finalized.own(), verdict.peers];
    levels.iter().any(|level| level.is_bad()) || (was_in_sync && verdict.lag.is_bad())
}

#[cfg(test)]
#[path = "subject_tests.rs"]
mod tests;
