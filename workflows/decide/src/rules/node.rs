//! What rules are told of a blockchain node: the same thresholds and excuses as in its verdict.
//!
//! A node is judged with allowances (it catches up, the chain of all stands still, its age alone proves little), and a rule
//! over the bare seconds would know none of them. So the seconds stay on that side of a threshold on which the verdict is.
//! That the whole chain stands still is not the node's fault, and still it has not moved.

use super::Facts;
use crate::node::{Level, NodePolicy, NodeVerdict};
use dixmgr_contract::Span;

/// How a node stands, for rules. What is not known is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeStands {
    in_sync: Option<bool>,
    peers: Option<u64>,
    min_peers: u64,
    stalled: Option<Span>,
    level: Level,
    stall_warning: Span,
    stall_critical: Span,
    /// For how long this is news.
    pub valid_for: Span,
}

impl NodeStands {
    /// What a verdict means for rules.
    pub fn new(policy: &NodePolicy, verdict: &NodeVerdict) -> Self {
        let facts = &verdict.facts;
        let level = verdict.best.level.max(verdict.finalized.level);
        let since = facts.since_best.max(facts.since_finalized);
        let (warning, critical) = (policy.stall_warning, policy.stall_critical);
        let below = |span: Span| Span::from_millis(span.as_millis().saturating_sub(1));
        let stalled = |since: Span| match level {
            Level::Unknown => None,
            Level::Fine => Some(since.min(below(warning))),
            Level::Warning => Some(since.min(below(critical)).max(warning)),
            Level::Critical => Some(since.max(critical)),
        };
        // Few peers are enough for a node that wants none.
        let wants = verdict.peers.is_bad() || facts.peers.is_some_and(|peers| peers >= u64::from(policy.min_peers));
        Self {
            in_sync: verdict.in_sync,
            peers: facts.peers,
            min_peers: if wants { u64::from(policy.min_peers) } else { 0 },
            stalled: since.and_then(stalled),
            level,
            stall_warning: warning,
            stall_critical: critical,
            valid_for: policy.valid_for,
        }
    }

    /// True if it stands worse than another node behind the same service. What is not known is not as good as what is well.
    pub fn is_worse_than(&self, other: &Self) -> bool {
        let badness = |one: &Self| {
            let has_few = one.peers.is_some_and(|peers| peers < one.min_peers);
            let level = if one.level.is_bad() { one.level } else { Level::Fine };
            (level, one.in_sync == Some(false), one.in_sync.is_none(), has_few)
        };
        badness(self) > badness(other)
    }

    /// Adds it to what is known of the service.
    pub fn tell(&self, facts: &mut Facts) {
        facts.in_sync = self.in_sync;
        facts.peers = self.peers;
        facts.min_peers = Some(self.min_peers);
        facts.stalled = self.stalled;
        facts.stall_warning = Some(self.stall_warning);
        facts.stall_critical = Some(self.stall_critical);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{NodeFacts, Stall, Whose};
    use dixmgr_contract::Protocol;

    fn stands(level: Level, whose: Whose, since: u64, peers: (u64, Level)) -> Facts {
        let policy = NodePolicy {
            stall_warning: Span::from_secs(180),
            stall_critical: Span::from_secs(300),
            ..NodePolicy::of(Protocol::Substrate)
        };
        let facts = NodeFacts {
            peers: Some(peers.0),
            since_best: Some(Span::from_secs(since)),
            in_sync: Some(true),
            ..NodeFacts::default()
        };
        let verdict = NodeVerdict {
            best: Stall { level, whose },
            peers: peers.1,
            in_sync: Some(true),
            facts,
            ..NodeVerdict::default()
        };
        let mut facts = Facts::default();
        NodeStands::new(&policy, &verdict).tell(&mut facts);
        facts
    }

    #[test]
    fn the_seconds_are_on_the_side_of_the_threshold_on_which_the_verdict_is() {
        let stalled = |level, whose, since| stands(level, whose, since, (9, Level::Fine)).stalled.map(Span::as_millis);
        for (level, whose, since, expected) in [
            (Level::Fine, Whose::Own, 6, Some(6_000)),
            (Level::Fine, Whose::Unclear, 250, Some(179_999)), // not believed yet
            (Level::Warning, Whose::Own, 200, Some(200_000)),
            (Level::Warning, Whose::Own, 900, Some(299_999)), // it catches up
            (Level::Critical, Whose::Chain, 900, Some(900_000)), // the whole chain
            (Level::Unknown, Whose::Own, 900, None),
        ] {
            assert_eq!(stalled(level, whose, since), expected, "{level:?} {since}");
        }
    }

    #[test]
    fn of_two_nodes_that_one_stands_worse_of_which_less_good_is_known() {
        let policy = NodePolicy::of(Protocol::Substrate);
        let node = |level, in_sync, peers: Option<u64>| {
            let facts = NodeFacts { peers, ..NodeFacts::default() };
            let (best, peers) = (Stall { level, whose: Whose::Own }, peers.map_or(Level::Unknown, |_| Level::Warning));
            NodeStands::new(&policy, &NodeVerdict { best, in_sync, peers, facts, ..NodeVerdict::default() })
        };
        let from_good_to_bad = [
            node(Level::Fine, Some(true), None),
            node(Level::Fine, Some(true), Some(1)),
            node(Level::Unknown, None, None),
            node(Level::Unknown, Some(false), None),
            node(Level::Warning, Some(true), None),
            node(Level::Critical, Some(true), None),
        ];
        for (index, one) in from_good_to_bad.iter().enumerate() {
            for (other_index, other) in from_good_to_bad.iter().enumerate() {
                assert_eq!(one.is_worse_than(other), index > other_index, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_node_that_wants_no_peers_should_have_none() {
        let peers = |peers, level| {
            let facts = stands(Level::Fine, Whose::Own, 1, (peers, level));
            (facts.peers, facts.min_peers)
        };
        assert_eq!(peers(2, Level::Warning), (Some(2), Some(5)));
        assert_eq!(peers(5, Level::Fine), (Some(5), Some(5)));
        assert_eq!(peers(0, Level::Fine), (Some(0), Some(0)));
    }
}
