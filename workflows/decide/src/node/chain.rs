//! The nodes of one chain, compared: who is behind, and is it the chain that stands still?
//!
//! Of one chain are the nodes with the same `chain` label **and** the same protocol: an execution client counts blocks and
//! its consensus client slots. They may be on this host or told of by others; a standing is news for as long as it says.
//!
//! The reference is the median of the *others* (the lower one of two), so that one liar among three moves nothing. The
//! chain stands still when at least two nodes stand and none is seen to move where they stand or beyond; a node that
//! catches up from below proves nothing. This is told once, and is over when one is seen to move beyond: a node that has
//! just been restarted has not been seen to move, so restarting one does not make the chain move.
//!
//! A node stands by its own fault if another one is seen to move more than `max_lag` beyond it. Less proves nothing: a
//! chain that halts leaves its nodes at slightly different heights, and they are found to stand at different moments.
//!
//! Rejected: a public endpoint as the reference. It may be behind, and it may be down when all is well here.

use super::NodePolicy;
use super::motion::sane;
use super::verdict::Whose;
use dixmgr_contract::{Motion, NodeStanding, ServiceName, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// At most this many nodes are compared; more are not taken in.
const MAX_NODES: usize = 1_000;

/// What is known of the nodes of one chain and protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    #[serde(default)]
    nodes: BTreeMap<ServiceName, Told>,
    /// The height at which it stands still, while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    best: Option<u64>,
    /// The same of its finality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finalized: Option<u64>,
    /// Some of its nodes cannot be asked from here.
    #[serde(default)]
    has_unseen: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    standing: NodeStanding,
    at: Time,
}

/// Which height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Height {
    /// That of the best block.
    Best,
    /// That of the last final block.
    Finalized,
}

/// Something to tell people of a chain, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainNote {
    /// It stands still.
    Stalled {
        /// Which height of it.
        which: Height,
        /// Where.
        height: u64,
        /// How many nodes stand there.
        nodes: usize,
    },
    /// It moves again.
    Moves {
        /// Which height of it.
        which: Height,
    },
}

impl Chain {
    /// Takes in how a node stands.
    pub fn tell(&mut self, name: &ServiceName, standing: NodeStanding, now: Time) {
        if self.nodes.len() < MAX_NODES || self.nodes.contains_key(name) {
            self.nodes.insert(name.clone(), Told { standing, at: now });
        }
    }

    /// There are nodes of it that cannot be asked from here: one that stands still is not known to be alone in that.
    pub const fn has_unseen(&mut self) {
        self.has_unseen = true;
    }

    /// A node does not run, or is not in the configuration any more. Of a chain without any nothing is known.
    pub fn forget(&mut self, name: &ServiceName) {
        self.nodes.remove(name);
        if self.nodes.is_empty() {
            (self.best, self.finalized) = (None, None);
        }
    }

    /// How the others stand, of whom there is news.
    pub fn others(&self, name: &ServiceName, now: Time) -> Others {
        let others = self.news(now).filter(|(other, _)| *other != name);
        let told = self.nodes.iter().filter(|(other, _)| *other != name).map(|(_, told)| told);
        let afar = || told.clone().filter_map(|told| Some((told.standing.answers?, told.at)));
        Others {
            standings: others.map(|(_, standing)| standing.clone()).collect(),
            have_unseen: self.has_unseen || told.clone().next().is_some(),
            are_afar: afar().next().is_some(),
            heard: afar().filter(|(answers, _)| *answers).map(|(_, at)| at).max(),
            best_stalled: self.best.is_some(),
            finalized_stalled: self.finalized.is_some(),
        }
    }

    /// Whether that height of the chain stands still.
    pub const fn is_stalled(&self, which: Height) -> bool {
        match which {
            Height::Best => self.best.is_some(),
            Height::Finalized => self.finalized.is_some(),
        }
    }

    /// Looks at the nodes as they stand now. To be called after each [`Chain::tell`], or from time to time.
    ///
    /// A stall of the best block is the cause of one of finality, which is then not told beside it.
    pub fn step(&mut self, policy: &NodePolicy, now: Time) -> Vec<ChainNote> {
        let mut notes = Vec::new();
        for which in [Height::Best, Height::Finalized] {
            let rows: Vec<_> = self.news(now).filter_map(|(_, standing)| height_of(standing, which)).collect();
            let before = if which == Height::Best { self.best } else { self.finalized };
            let after = match before {
                Some(height) if goes_on(&rows, height) => None,
                Some(height) => Some(height),
                None if which == Height::Finalized && self.best.is_some() => None,
                None => stands_at(&rows, policy.max_lag),
            };
            match (before, after) {
                (Some(_), None) => notes.push(ChainNote::Moves { which }),
                (None, Some(height)) => {
                    let nodes = rows.iter().filter(|(_, motion)| *motion == Motion::Stands).count();
                    notes.push(ChainNote::Stalled { which, height, nodes });
                }
                _ => {}
            }
            *(if which == Height::Best { &mut self.best } else { &mut self.finalized }) = after;
        }
        notes
    }

    fn news(&self, now: Time) -> impl Iterator<Item = (&ServiceName, &NodeStanding)> {
        let fresh = self.nodes.iter().filter(move |(_, told)| now.since(told.at) <= told.standing.valid_for);
        let standings = fresh.map(|(name, told)| (name, &told.standing));
        standings.filter(|(_, standing)| standing.best.is_some() || standing.finalized.is_some())
    }
}

fn height_of(standing: &NodeStanding, which: Height) -> Option<(u64, Motion)> {
    let (height, motion) = match which {
        Height::Best => (standing.best, standing.best_motion),
        Height::Finalized => (standing.finalized, standing.finalized_motion),
    };
    Some((sane(height)?, motion))
}

/// The height at which the chain stands still, if it does: the highest one of the nodes that stand, but for those that are
/// on their own far above the rest.
fn stands_at(rows: &[(u64, Motion)], max_lag: u64) -> Option<u64> {
    let of = |wanted| rows.iter().filter(move |(_, motion)| *motion == wanted).map(|(height, _)| *height);
    let middle = median(of(Motion::Stands).collect())?;
    let height = of(Motion::Stands).filter(|height| *height <= middle.saturating_add(max_lag)).max()?;
    let stands = of(Motion::Stands).count() >= 2 && of(Motion::Moves).all(|moving| moving < height);
    stands.then_some(height)
}

/// True if a chain that stood at `height` moves: a node does beyond, or all that have news do, which begin anew.
fn goes_on(rows: &[(u64, Motion)], height: u64) -> bool {
    let movers = || rows.iter().filter(|(_, motion)| *motion == Motion::Moves);
    let all = !rows.is_empty() && movers().count() == rows.len();
    all || movers().any(|(moving, _)| *moving > height)
}

/// The lower one of the two in the middle.
fn median(mut heights: Vec<u64>) -> Option<u64> {
    heights.sort_unstable();
    heights.get(heights.len().checked_sub(1)? / 2).copied()
}

/// How the other nodes of a node's chain stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Others {
    standings: Vec<NodeStanding>,
    /// There are more, which cannot be asked from here; or some of whom there may be no news.
    have_unseen: bool,
    /// Some of them are asked over a network.
    are_afar: bool,
    /// When one of these was last looked at, of those that answered that look.
    heard: Option<Time>,
    best_stalled: bool,
    finalized_stalled: bool,
}

impl Others {
    /// How many there are of whom there is news.
    pub fn count(&self) -> usize {
        self.standings.len()
    }

    /// The median of their best heights.
    pub fn reference(&self) -> Option<u64> {
        median(self.standings.iter().filter_map(|standing| sane(standing.best)).collect())
    }

    /// Whether it may be the network that has been silent since then: others are asked over it, and none has answered since.
    pub(super) fn may_be_cut_off(&self, since: Time) -> bool {
        self.are_afar && self.heard.is_none_or(|heard| heard < since)
    }

    /// Whose fault it is that a node stands still at `height`.
    pub(super) fn whose(&self, which: Height, height: u64, max_lag: u64) -> Whose {
        let stalled = match which {
            Height::Best => self.best_stalled,
            Height::Finalized => self.finalized_stalled || self.best_stalled,
        };
        let rows = || self.standings.iter().filter_map(|standing| height_of(standing, which));
        let is_alone = !self.have_unseen && rows().next().is_none();
        let beyond = height.saturating_add(max_lag);
        if stalled {
            Whose::Chain
        } else if is_alone || rows().any(|(other, motion)| motion == Motion::Moves && other > beyond) {
            Whose::Own
        } else {
            Whose::Unclear
        }
    }
}
