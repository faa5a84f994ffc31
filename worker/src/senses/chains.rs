//! The nodes of this host's chains, compared: a node that hears of the others can tell its own fault from the chain's.

use super::slot::Slot;
use super::subject::{BROKE_OFF, NodeSubject, Subject, missed};
use dixmgr_contract::{NodeSighting, Protocol, ServiceName, Time};
use dixmgr_decide::node::{Chain, ChainNote, Height, Siblings};
use dixmgr_decide::rules::NodeStands;
use dixmgr_probe::NodeError;
use dixmgr_telemetry::events::{ChainMoves, ChainStalled};
use dixmgr_telemetry::{Event, Metrics, NodeFigures};
use std::collections::BTreeMap;

/// Which nodes are compared: those with one chain and one protocol.
pub(crate) type ChainKey = (String, Protocol);

pub(super) struct Chains {
    chains: BTreeMap<ChainKey, Chain>,
    /// The nodes behind each service, of which several may be of one chain.
    nodes: BTreeMap<(ServiceName, ChainKey), Siblings>,
    metrics: Metrics,
}

impl Chains {
    pub(super) const fn new(metrics: Metrics) -> Self {
        Self { chains: BTreeMap::new(), nodes: BTreeMap::new(), metrics }
    }

    /// Nodes of that chain cannot be asked from here.
    pub(super) fn has_unseen(&mut self, chain: ChainKey) {
        self.chains.entry(chain).or_default().has_unseen();
    }

    /// Takes in a look at a node, if it saw anything, judges it among the others, and says what is to be said of the chain.
    pub(super) fn hear(&mut self, node: &mut NodeSubject, look: Option<Result<NodeSighting, NodeError>>, now: Time) {
        let chain = self.chains.entry(node.chain.clone()).or_default();
        let others = chain.others(&node.service, now);
        match look {
            None => node.watch.could_not_look(BROKE_OFF),
            Some(Err(error)) if error.is_ours() => node.watch.could_not_look(&error.to_string()),
            Some(look) => node.watch.hear(look.map_err(missed), &node.policy, &others, now),
        }
        let siblings = self.nodes.entry((node.service.clone(), node.chain.clone())).or_default();
        siblings.tell(&node.probe, node.watch.standing(&node.policy, now), now);
        chain.tell(&node.service, siblings.standing(now), now);
        let notes = chain.step(&node.policy, now);
        node.verdict = node.watch.judge(&node.policy, &chain.others(&node.service, now), now);
        show(&self.metrics, &node.chain, chain);
        for note in notes {
            self.say(&node.chain.0, note);
        }
    }

    /// How a service with these probes stands as a node, which its gauges show: as its node that stands worst. Nothing of it is
    /// another's.
    pub(super) fn show<'a>(&self, probes: impl Iterator<Item = &'a Slot>) -> Option<NodeStands> {
        let nodes = probes.filter_map(|slot| match slot.subject() {
            Subject::Node(node) => Some((NodeStands::new(&node.policy, &node.verdict), node)),
            Subject::Endpoint(_) => None,
        });
        let (stands, node) = nodes.reduce(|worst, one| if one.0.is_worse_than(&worst.0) { one } else { worst })?;
        self.metrics.services().set_node(node.service.as_str(), figures(node));
        Some(stands)
    }

    /// A node does not run, or runs anew.
    pub(super) fn forget(&mut self, slot: &Slot) {
        let Subject::Node(node) = slot.subject() else { return };
        if let Some(chain) = self.chains.get_mut(&node.chain) {
            chain.forget(&node.service);
            show(&self.metrics, &node.chain, chain);
        }
        self.nodes.remove(&(node.service.clone(), node.chain.clone()));
        self.metrics.services().set_node(node.service.as_str(), NodeFigures::default());
    }

    fn say(&self, chain: &str, note: ChainNote) {
        match note {
            ChainNote::Stalled { which, height: at, nodes } => {
                ChainStalled { chain, which: height(which), at, nodes }.emit(&self.metrics);
            }
            ChainNote::Moves { which } => ChainMoves { chain, which: height(which) }.emit(&self.metrics),
        }
    }
}

fn show(metrics: &Metrics, (name, protocol): &ChainKey, chain: &Chain) {
    for which in [Height::Best, Height::Finalized] {
        metrics.chain_stalled(name, *protocol, height(which), chain.is_stalled(which));
    }
}

const fn height(which: Height) -> &'static str {
    match which {
        Height::Best => "best",
        Height::Finalized => "finalized",
    }
}

fn figures(node: &NodeSubject) -> NodeFigures {
    let facts = &node.verdict.facts;
    NodeFigures {
        in_sync: facts.in_sync,
        peers: facts.peers,
        best: facts.best,
        finalized: facts.finalized,
        lag: facts.lag,
        since_best: facts.since_best.map(|span| span.duration()),
    }
}

#[cfg(test)]
#[path = "chains_tests.rs"]
mod tests;
