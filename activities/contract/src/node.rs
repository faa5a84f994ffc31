//! What is seen of a blockchain node, in words that are the same for every chain.
//!
//! A probe turns the answers of a node into a [`NodeSighting`]; the judging (`decide::node`) compares sightings over time
//! and, by [`NodeStanding`]s, over the nodes of one chain. A standing may come from another host, so it carries no
//! stamps: what has a length is told as a length.
//!
//! Rejected: a type for each protocol with a judge of its own. What matters is the same everywhere (does it move, is it
//! behind, is it alone), and the differences are numbers: see [`Protocol::limits`].

use crate::Span;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt};

/// Which calls a node understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Polkadot and its kin: JSON-RPC `system_*`, `chain_*`. Heights are blocks.
    #[default]
    Substrate,
    /// Execution clients of Ethereum and its kin: JSON-RPC `eth_*`. Heights are blocks.
    Ethereum,
    /// Consensus clients of Ethereum: the Beacon API. Heights are slots.
    EthereumConsensus,
    /// CometBFT (Tendermint), which runs the chains of the Cosmos SDK. Heights are blocks, and each one is final.
    Cosmos,
    /// Bitcoin Core and its kin. Heights are blocks, and none is ever final.
    Bitcoin,
    /// Solana. Heights are slots.
    Solana,
}

/// What is normal for the nodes of a protocol, where the configuration does not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// No new block for this long is a warning.
    pub stall_warning: Span,
    /// No new block for this long is critical.
    pub stall_critical: Span,
    /// How much longer than blocks the finality of a healthy chain stands still: it moves in steps of an epoch.
    pub finality_step: Span,
    /// A node that is more than this many blocks (slots) behind the others is not in sync. It exceeds what a chain makes
    /// in half a minute, since nodes are not all asked at the same moment.
    pub max_lag: u64,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 6] =
        [Self::Substrate, Self::Ethereum, Self::EthereumConsensus, Self::Cosmos, Self::Bitcoin, Self::Solana];

    /// As it is written in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Substrate => "substrate",
            Self::Ethereum => "ethereum",
            Self::EthereumConsensus => "ethereum-consensus",
            Self::Cosmos => "cosmos",
            Self::Bitcoin => "bitcoin",
            Self::Solana => "solana",
        }
    }

    /// What is normal for it.
    ///
    /// Three and five minutes are what operators of Substrate nodes use. A block of Bitcoin takes ten minutes on average,
    /// and one in 400 more than an hour: 90 minutes happen about once in eight weeks, three hours once in centuries.
    /// Ethereum's finality moves once in an epoch of 6.4 minutes; one epoch that misses is nothing yet.
    pub const fn limits(self) -> Limits {
        let (warning, critical, step, max_lag) = match self {
            Self::Substrate | Self::Cosmos => (180, 300, 0, 20),
            Self::Ethereum | Self::EthereumConsensus => (180, 300, 768, 10),
            Self::Bitcoin => (90 * 60, 180 * 60, 0, 3),
            Self::Solana => (180, 300, 0, 256),
        };
        Limits {
            stall_warning: Span::from_secs(warning),
            stall_critical: Span::from_secs(critical),
            finality_step: Span::from_secs(step),
            max_lag,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One look at a node: what it said of itself. What it did not say is absent. Nothing in here is checked beyond its type:
/// heights may go backwards or be absurd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSighting {
    /// The height of its best block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<u64>,
    /// The height of its last final block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalized: Option<u64>,
    /// The height that it means to reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest: Option<u64>,
    /// How many peers it is connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<u64>,
    /// Whether it is meant to have peers; `Some(false)` for one that is meant to be alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants_peers: Option<bool>,
    /// Whether it says that it is catching up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_syncing: Option<bool>,
    /// How long ago its best block was made, by that block's own stamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tip_age: Option<Span>,
    /// A count of what it has done so far of a synchronisation whose height does not move meanwhile (stages, state).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<u64>,
    /// What it says is wrong.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub problems: BTreeSet<NodeProblem>,
}

/// Something that a node says is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeProblem {
    /// Ethereum consensus: its execution client does not answer it.
    ExecutionOffline,
    /// Ethereum consensus: its execution client has not verified the head that it follows.
    Optimistic,
    /// It calls itself unhealthy.
    Unhealthy,
    /// It has just started and answers nothing else yet.
    WarmingUp,
    /// It has a warning for its operator, who finds the text in the node's own log. Alone it does not make it unfit.
    Warning,
    /// One that a newer version knows.
    #[serde(other)]
    Other,
}

impl NodeProblem {
    /// True if a node with it is of no use to others.
    pub const fn is_serious(self) -> bool {
        !matches!(self, Self::Warning)
    }

    /// It in a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ExecutionOffline => "its execution client is offline",
            Self::Optimistic => "its head is not verified by its execution client",
            Self::Unhealthy => "calls itself unhealthy",
            Self::WarmingUp => "is warming up",
            Self::Warning => "has a warning in its log",
            Self::Other => "has a problem",
        }
    }
}

/// Whether a height moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Motion {
    /// It was seen to grow, a short while ago.
    Moves,
    /// It has not grown for longer than it should take.
    Stands,
    /// Not known, or not yet for long enough.
    #[default]
    #[serde(other)]
    Unknown,
}

/// How a node stands, for the other nodes of its chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStanding {
    /// The height of its best block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<u64>,
    /// Whether that moves.
    #[serde(default)]
    pub best_motion: Motion,
    /// The height of its last final block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalized: Option<u64>,
    /// Whether that moves.
    #[serde(default)]
    pub finalized_motion: Motion,
    /// For how long from now on this is news.
    pub valid_for: Span,
    /// Whether it answered the last look; absent for one that is not asked over a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_written_by_its_name() {
        for protocol in Protocol::ALL {
            assert_eq!(serde_json::to_value(protocol).unwrap(), protocol.to_string());
            let limits = protocol.limits();
            assert!(limits.stall_warning < limits.stall_critical && limits.max_lag > 0, "{protocol}");
        }
    }

    #[test]
    fn what_a_newer_version_says_can_be_read() {
        let text = r#"{"best":1,"problems":["warming_up","on_fire"],"new":[1]}"#;
        let sighting: NodeSighting = serde_json::from_str(text).unwrap();
        assert_eq!(sighting.problems, [NodeProblem::WarmingUp, NodeProblem::Other].into());
        let standing: NodeStanding = serde_json::from_str(r#"{"best_motion":"flies","valid_for":"2m"}"#).unwrap();
        assert_eq!(standing, NodeStanding { valid_for: Span::from_secs(120), ..NodeStanding::default() });
    }
}
