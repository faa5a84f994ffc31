//! A few nodes of one chain that are looked at in turns.

use dixmgr_contract::{NodeSighting, Protocol, ServiceName, Span, Time};
use dixmgr_decide::node::{Chain, ChainNote, Level, Missed, NodePolicy, NodeVerdict, NodeWatch};
use std::collections::BTreeMap;

pub(crate) const EPOCH: i64 = 1_700_000_000_000;

/// A node that follows its chain.
pub(crate) fn at(best: u64) -> NodeSighting {
    NodeSighting {
        best: Some(best),
        finalized: Some(best.saturating_sub(3)),
        peers: Some(20),
        wants_peers: Some(true),
        is_syncing: Some(false),
        ..NodeSighting::default()
    }
}

pub(crate) fn name(node: usize) -> ServiceName {
    ServiceName::new(format!("node-{node}")).unwrap()
}

pub(crate) struct World {
    pub(crate) policy: NodePolicy,
    pub(crate) now: Time,
    pub(crate) chain: Chain,
    pub(crate) watches: BTreeMap<usize, NodeWatch>,
    /// Everything that was told of the chain.
    pub(crate) notes: Vec<ChainNote>,
    /// How often a node's own stall was bad.
    pub(crate) own_stalls: usize,
    /// How often a restart was asked for.
    pub(crate) restarts: usize,
}

impl World {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self {
            policy: NodePolicy::of(protocol),
            now: Time::from_unix_millis(EPOCH),
            chain: Chain::default(),
            watches: BTreeMap::new(),
            notes: Vec::new(),
            own_stalls: 0,
            restarts: 0,
        }
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(Span::from_secs(seconds));
    }

    /// Looks at a node, as an agent does: it answers, or is silent.
    pub(crate) fn look(&mut self, node: usize, look: Result<NodeSighting, String>) -> NodeVerdict {
        self.take(node, look.map_err(Missed::Silent))
    }

    /// The same, where the look may have failed in any way.
    pub(crate) fn take(&mut self, node: usize, look: Result<NodeSighting, Missed>) -> NodeVerdict {
        let others = self.chain.others(&name(node), self.now);
        let watch = self.watches.entry(node).or_default();
        watch.hear(look, &self.policy, &others, self.now);
        self.chain.tell(&name(node), watch.standing(&self.policy, self.now), self.now);
        self.notes.extend(self.chain.step(&self.policy, self.now));
        let verdict = self.judge(node);
        self.own_stalls += [verdict.best, verdict.finalized].iter().filter(|stall| stall.own().is_bad()).count();
        self.restarts += usize::from(verdict.asks_for_restart());
        verdict
    }

    pub(crate) fn see(&mut self, node: usize, sighting: NodeSighting) -> NodeVerdict {
        self.look(node, Ok(sighting))
    }

    pub(crate) fn judge(&self, node: usize) -> NodeVerdict {
        let others = self.chain.others(&name(node), self.now);
        self.watches[&node].judge(&self.policy, &others, self.now)
    }

    /// Looks at one node every 30 seconds, that many times; the last verdict.
    pub(crate) fn rounds(&mut self, rounds: u64, sighting: impl Fn(u64) -> NodeSighting) -> NodeVerdict {
        let mut verdict = NodeVerdict::default();
        for round in 0..rounds {
            self.wait(30);
            verdict = self.see(0, sighting(round));
        }
        verdict
    }

    /// The seconds from now on at which the node's best height was first that bad, if it stands as seen; at most an hour.
    pub(crate) fn stands_until(&mut self, sighting: &NodeSighting, level: Level) -> Option<u64> {
        (0..120).find_map(|round| {
            let verdict = self.see(0, sighting.clone());
            let is_bad = verdict.best.level >= level;
            self.wait(30);
            is_bad.then_some(round * 30)
        })
    }
}
