//! What is to be thought of a node: the verdicts, the facts behind them, and both in words.

use dixmgr_contract::observation::RULE_SYNC;
use dixmgr_contract::{Span, Verdict};
use serde::{Deserialize, Serialize};

/// How bad something is, from good to bad. Without news it is unknown, which is no kind of bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nobody can say.
    #[default]
    Unknown,
    /// As it should be.
    Fine,
    /// Somebody should know.
    Warning,
    /// Somebody should act.
    Critical,
}

impl Level {
    /// True if people have to be told.
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Warning | Self::Critical)
    }
}

/// Why a height stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// Another one is seen to move far beyond it, or there is none to compare it with.
    #[default]
    Own,
    /// The whole chain stands still. That is told once, for the chain.
    Chain,
    /// There are others, and none of them is seen to move far beyond it: also where they cannot be asked from here.
    Unclear,
}

/// A height that does not move, or does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// How bad it is.
    pub level: Level,
    /// Whose fault it is, where it is bad.
    pub whose: Whose,
}

impl Stall {
    /// How bad it is of the node itself: what is the chain's is not the node's to tell.
    pub const fn own(self) -> Level {
        match (self.whose, self.level) {
            (Whose::Chain, Level::Warning | Level::Critical) => Level::Fine,
            (_, level) => level,
        }
    }

    const fn is_own_and_critical(self) -> bool {
        matches!(self, Self { level: Level::Critical, whose: Whose::Own })
    }
}

/// What is to be thought of a node at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeVerdict {
    /// Whether those that need a node in sync can have it. `None`: not known.
    pub in_sync: Option<bool>,
    /// Whether it answers. `None`: it was not asked, or not often enough to say that it does not.
    pub reachable: Option<bool>,
    /// It answers, and whether it moves is not known yet.
    pub unproven: bool,
    /// It has not answered for too many looks in a row, by its own fault as far as can be told.
    pub gone: bool,
    /// Something was wrong with it, and has not been right often enough since.
    pub was_ill: bool,
    /// No new best block for too long.
    pub best: Stall,
    /// No new final block for too long.
    pub finalized: Stall,
    /// Too few peers, at the last look.
    pub peers: Level,
    /// Too far behind, at the last look.
    pub lag: Level,
    /// Too few peers, or too far behind once it was in sync, for as many looks in a row as its owner allows.
    pub falls_short: bool,
    /// What it is based on.
    pub facts: NodeFacts,
    /// It for people, in a line.
    pub detail: String,
}

impl NodeVerdict {
    /// True if a restart may help: it does not answer, or a stall is critical, and that is its own fault.
    pub const fn asks_for_restart(&self) -> bool {
        self.gone || self.best.is_own_and_critical() || self.finalized.is_own_and_critical()
    }

    /// Whether it answers and nothing is wrong with it; absent while that is not known.
    pub fn is_healthy(&self) -> Option<bool> {
        self.has_no_fault().map(|is_well| is_well && !self.was_ill)
    }

    /// The same of this look alone.
    pub(super) fn has_no_fault(&self) -> Option<bool> {
        let is_well = self.reachable.map(|reachable| reachable && !self.is_bad());
        is_well.filter(|is_well| !(*is_well && self.unproven))
    }

    /// It is not in sync yet: others may wait for it.
    pub fn is_awaited(&self) -> bool {
        self.in_sync != Some(true)
    }

    /// What its service's workflow is told: whether it is in sync, and, as the opinion of `probe`, whether it works.
    pub fn verdicts(&self, probe: &str) -> [Verdict; 2] {
        let is_silent = self.reachable.is_none();
        let sync = Verdict {
            unknown: is_silent && self.in_sync.is_none(),
            ..Verdict::new(RULE_SYNC, !self.is_awaited(), self.detail.clone())
        };
        let is_well = self.reachable != Some(false) && !self.is_bad() && !self.was_ill;
        let progress = Verdict {
            failed: self.asks_for_restart(),
            unknown: (is_silent || self.unproven) && !self.is_bad(),
            ..Verdict::of_probe(probe, is_well, self.detail.clone())
        };
        [sync, progress]
    }

    /// How bad what the last look alone found is: few peers, or lag. Until it `followed` its chain, being behind is no news.
    pub(super) fn shortfall(&self, followed: bool) -> Level {
        if followed { self.peers.max(self.lag) } else { self.peers }
    }

    /// Something is wrong with the node itself. That it synchronises is said apart.
    fn is_bad(&self) -> bool {
        self.falls_short || self.best.own().is_bad() || self.finalized.own().is_bad()
    }
}

/// What is known of a node, for metrics. What is not known, or no longer, is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Whether it is in sync.
    pub in_sync: Option<bool>,
    /// How many peers it has.
    pub peers: Option<u64>,
    /// The height of its best block, in blocks or slots; at most 2^53.
    pub best: Option<u64>,
    /// The height of its last final block, in blocks or slots; at most 2^53.
    pub finalized: Option<u64>,
    /// How far it is behind, in blocks or slots: the others, or what it says itself that it is to reach.
    pub lag: Option<u64>,
    /// How long there was no new best block.
    pub since_best: Option<Span>,
    /// How long there was no new final block, although there were new blocks.
    pub since_finalized: Option<Span>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_catches_up_is_not_ready_and_not_ill() {
        let stall = |level, whose| Stall { level, whose };
        let told = |verdict: &NodeVerdict| verdict.verdicts("rpc").map(|verdict| (verdict.healthy, verdict.failed));
        let behind = NodeVerdict { in_sync: Some(false), lag: Level::Warning, ..NodeVerdict::default() };
        assert_eq!(told(&behind), [(false, false), (true, false)]);
        let fell_back = NodeVerdict { falls_short: true, ..behind.clone() };
        assert_eq!(told(&fell_back), [(false, false), (false, false)], "it was in sync and fell behind");
        let own = NodeVerdict { best: stall(Level::Warning, Whose::Own), ..behind.clone() };
        assert_eq!(told(&own), [(false, false), (false, false)]);
        let stands = NodeVerdict { best: stall(Level::Critical, Whose::Own), ..behind.clone() };
        assert_eq!(told(&stands), [(false, false), (false, true)]);
        let chain = NodeVerdict { best: stall(Level::Critical, Whose::Chain), ..behind };
        assert_eq!(told(&chain), [(false, false), (true, false)], "the chain's fault is not the node's");
    }

    #[test]
    fn a_node_of_which_nothing_is_known_is_neither_well_nor_ill() {
        let of = |reachable| NodeVerdict { reachable, ..NodeVerdict::default() };
        assert_eq!([None, Some(false), Some(true)].map(|is| of(is).is_healthy()), [None, Some(false), Some(true)]);
        let told = |is| of(is).verdicts("rpc").map(|verdict| (verdict.healthy, verdict.unknown));
        assert_eq!(told(None), [(false, true), (true, true)]);
        assert_eq!(told(Some(false)), [(false, false), (false, false)]);
        assert_eq!(
            told(Some(true)),
            [(false, false), (true, false)],
            "it answers, and does not say whether it is in sync"
        );
    }
}
