//! Blockchain nodes: is it in sync, does it move, has it peers, and is it the node or the chain?
//!
//! A node's own "in sync" is a claim. What counts is progress: [`NodeWatch`] compares its sightings over time, [`Chain`]
//! the nodes of one chain, and a [`NodeVerdict`] says what is to be thought of it now, with the [`NodeFacts`] for metrics.
//!
//! ```text
//! look ──► NodeWatch::hear ──► NodeWatch::standing ──► Chain::tell, Chain::step ──► notes of the chain
//!               ▲                                            │
//!               └────────── Others ◄── Chain::others ◄───────┘        NodeWatch::judge ──► NodeVerdict
//! ```
//!
//! A look that fails is no news: it is neither up nor down, and only several in a row, after the grace of a start, say that the
//! node does not answer; one that we could not make says nothing. A node that is silent so has failed, and is restarted where its
//! owner says so, unless its last word was that it synchronises, or the silence may be that of the way to it: one that is asked
//! over a network, as other nodes of its chain are, is at fault itself only if one of them has answered since. Whoever answers what
//! is not understood is not silent. A node that starts anew gets a new watch: what its last run
//! did is no longer its own. Few peers, and lag, are seen at each look, and shown; they too make a node ill only several looks in a
//! row after the grace. A stall has a time of its own.
//!
//! The files: `motion` (one height over time), `chain` (the nodes of a chain), `judge` (the verdict), `verdict` (its type),
//! `service` (several nodes behind one service).
//!
//! Rejected: one machine for a chain with all of its nodes in it. Nodes are on several hosts, each of which has to judge
//! its own while the others are silent.

mod chain;
mod judge;
mod motion;
mod service;
mod verdict;

pub use chain::{Chain, ChainNote, Height, Others};
pub use judge::says_in_sync;
pub use service::{Siblings, in_sync_as_one};
pub use verdict::{Level, NodeFacts, NodeVerdict, Stall, Whose};

use dixmgr_contract::{NodeSighting, NodeStanding, Protocol, Span, Time};
use motion::Track;
use serde::{Deserialize, Serialize};

/// The longest error that is kept, in characters.
const MAX_ERROR: usize = 300;

/// Why a look at a node saw nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Nobody answered: no connection, or nothing in time. Why, for people.
    Silent(String),
    /// What there was is no answer of a node. Why, for people.
    Unclear(String),
}

/// What is expected of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePolicy {
    /// What it speaks.
    pub protocol: Protocol,
    /// Fewer peers are a warning. With 0, a node that does not say itself that it wants peers needs none.
    pub min_peers: u32,
    /// No new block for this long is a warning.
    pub stall_warning: Span,
    /// No new block for this long is critical.
    pub stall_critical: Span,
    /// More blocks (slots) behind than this is not in sync.
    pub max_lag: u64,
    /// Looks in a row that fail before it counts as unreachable, that are not in sync before it falls out of it, or that find few
    /// peers or lag before it is ill; at least 1.
    pub failures: u32,
    /// Looks in a row that are good before what was found ill counts as well again, or as in sync; at least 1.
    pub successes: u32,
    /// After a start, looks that fail, or that find few peers or lag, do not count for this long. A height stands for as long before the age of its block counts
    /// as well: after a start a tip is old.
    pub grace: Span,
    /// For how long a look is news: more than the time between two looks, of which one may fail.
    pub valid_for: Span,
    /// It is asked over a network, whose silence may be taken for its own; not over the loopback of its host.
    #[serde(default)]
    pub over_network: bool,
}

impl NodePolicy {
    /// What is expected of a node of that protocol, looked at every 30 seconds, where nobody says otherwise.
    pub const fn of(protocol: Protocol) -> Self {
        let limits = protocol.limits();
        Self {
            protocol,
            min_peers: 5,
            stall_warning: limits.stall_warning,
            stall_critical: limits.stall_critical,
            max_lag: limits.max_lag,
            failures: 3,
            successes: 1,
            grace: Span::from_secs(60),
            valid_for: Span::from_secs(120),
            over_network: false,
        }
    }
}

/// One run of one node, over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeWatch {
    /// When the run began, if somebody saw that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<Time>,
    #[serde(default)]
    best: Track,
    #[serde(default)]
    finalized: Track,
    /// The last look that was answered, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<Seen>,
    /// It said last that it catches up, in this run, before this watch began.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    synced_before: bool,
    /// It ran already when this watch began: how it moved before is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    joined_late: bool,
    /// Looks in a row that failed.
    #[serde(default)]
    failures: u32,
    /// Those of them, at the end, that nobody answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silence: Option<Silence>,
    /// Why the last one failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    error: String,
    /// Looks in a row that were not in sync.
    #[serde(default)]
    misses: u32,
    /// Looks in a row that were in sync.
    #[serde(default)]
    hits: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_sync: Option<bool>,
    /// It was in sync at some time: until then, being behind is no news.
    #[serde(default)]
    followed: bool,
    /// Looks in a row, of those that say anything of it, that found few peers or lag.
    #[serde(default)]
    shortfalls: u32,
    /// Something was wrong with it, and has not been right often enough since.
    #[serde(default)]
    ill: bool,
    /// Looks in a row that found nothing wrong with it.
    #[serde(default)]
    well: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    sighting: NodeSighting,
    at: Time,
}

/// Looks in a row that nobody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Silence {
    looks: u32,
    since: Time,
}

impl NodeWatch {
    /// Of a run that begins now.
    pub fn started(now: Time) -> Self {
        Self { started: Some(now), ..Self::default() }
    }

    /// It ran before anybody watched. That it does not stand is known once it is seen to move, or has stood for long: until then, an
    /// earlier watch may have known better.
    pub const fn join_late(&mut self) {
        self.joined_late = true;
    }

    /// It catches up, said somebody who has watched it before, in this run.
    pub const fn recall_that_it_syncs(&mut self) {
        self.synced_before = true;
    }

    /// Whether its last word was that it catches up.
    pub fn catches_up(&self, policy: &NodePolicy) -> bool {
        self.seen.as_ref().map_or(self.synced_before, |seen| judge::catches_up(&seen.sighting, policy))
    }

    /// A look could not be made, by a fault of ours: it says nothing, and does not count.
    pub fn could_not_look(&mut self, why: &str) {
        self.error = why.chars().take(MAX_ERROR).collect();
    }

    /// Takes in a look: what was seen, or why nothing was.
    ///
    /// `others` are those of before this look. Looks have to be given in their order.
    pub fn hear(&mut self, look: Result<NodeSighting, Missed>, policy: &NodePolicy, others: &Others, now: Time) {
        let in_sync = match look {
            Ok(sighting) => {
                (self.failures, self.silence) = (0, None);
                self.error.clear();
                self.follow(&sighting, policy, now);
                let lag = judge::lag(&sighting, others);
                let in_sync = judge::in_sync(&sighting, lag, policy);
                self.seen = Some(Seen { sighting, at: now });
                in_sync
            }
            Err(missed) => {
                let (Missed::Silent(why) | Missed::Unclear(why)) = &missed;
                self.could_not_look(why);
                if self.is_in_grace(policy, now) {
                    return;
                }
                self.failures = self.failures.saturating_add(1);
                let Silence { looks, since } = self.silence.unwrap_or(Silence { looks: 0, since: now });
                let is_silent = matches!(missed, Missed::Silent(_));
                self.silence = is_silent.then_some(Silence { looks: looks.saturating_add(1), since });
                None
            }
        };
        self.count(in_sync, policy);
        self.count_shortfall(policy, others, now);
        let verdict = self.judge(policy, others, now);
        match verdict.has_no_fault() {
            Some(false) => (self.ill, self.well) = (policy.successes > 1, 0),
            Some(true) if verdict.shortfall(self.followed).is_bad() => self.well = 0,
            Some(true) => self.well = self.well.saturating_add(1),
            None => {}
        }
        self.ill &= self.well < policy.successes.max(1);
    }

    /// Many looks to one belief: whether it is in sync.
    fn count(&mut self, in_sync: Option<bool>, policy: &NodePolicy) {
        let next = |count: u32, goes_on: bool| if goes_on { count.saturating_add(1) } else { 0 };
        self.hits = next(self.hits, in_sync == Some(true));
        self.misses = next(self.misses, in_sync != Some(true));
        let enough = self.misses >= policy.failures.max(1);
        self.in_sync = match (self.in_sync, in_sync) {
            // Of what nothing is known, one good look is enough.
            (Some(false), Some(true)) if self.hits < policy.successes.max(1) => Some(false),
            (_, Some(true)) => Some(true),
            (Some(true), _) if !enough => Some(true),
            (before, None) if !enough => before,
            (_, now) => now,
        };
    }

    /// A look that finds few peers or lag, in the row of those. One that failed, or that does not tell, neither counts nor ends it.
    fn count_shortfall(&mut self, policy: &NodePolicy, others: &Others, now: Time) {
        self.followed |= self.in_sync == Some(true);
        match self.judge(policy, others, now).shortfall(self.followed) {
            _ if self.failures > 0 => {}
            Level::Unknown => {}
            Level::Fine => self.shortfalls = 0,
            Level::Warning | Level::Critical if self.is_in_grace(policy, now) => {}
            Level::Warning | Level::Critical => self.shortfalls = self.shortfalls.saturating_add(1),
        }
    }

    fn is_in_grace(&self, policy: &NodePolicy, now: Time) -> bool {
        self.started.is_some_and(|started| now < started.after(policy.grace))
    }

    /// The heights of a sighting. While it synchronises, its work counts for its height, and its height for finality. The
    /// time of a stall is not finality's.
    fn follow(&mut self, sighting: &NodeSighting, policy: &NodePolicy, now: Time) {
        let syncs = sighting.is_syncing == Some(true);
        let before = self.seen.as_ref().and_then(|seen| seen.sighting.work);
        let works = syncs && before.zip(sighting.work).is_some_and(|(before, work)| work > before);
        let net = judge::since_finalized(self, policy);
        let moved = self.best.see(sighting.best, works, now, policy.valid_for);
        if moved {
            self.finalized.standing = net;
        }
        self.finalized.see(sighting.finalized, syncs && (moved || works), now, policy.valid_for);
    }

    /// How it stands, for the other nodes of its chain.
    pub fn standing(&self, policy: &NodePolicy, now: Time) -> NodeStanding {
        let motion = |track: &Track, since, stall| {
            if track.is_news(now, policy.valid_for) {
                (track.last, track.motion(since, stall))
            } else {
                Default::default()
            }
        };
        let seen = self.seen.as_ref().map(|seen| &seen.sighting);
        let since = seen.map_or(Span::ZERO, |sighting| judge::since_best(self.best.standing, sighting, policy));
        let (best, best_motion) = motion(&self.best, since, policy.stall_warning);
        let stall = motion::plus(policy.stall_warning, policy.protocol.limits().finality_step);
        let (finalized, finalized_motion) = motion(&self.finalized, judge::since_finalized(self, policy), stall);
        let age = self.seen.as_ref().map_or(Span::ZERO, |seen| now.since(seen.at));
        let valid_for = motion::minus(policy.valid_for, age);
        let answers = policy.over_network.then_some(self.error.is_empty() && seen.is_some());
        NodeStanding { best, best_motion, finalized, finalized_motion, valid_for, answers }
    }

    /// What is to be thought of it now, among `others`.
    pub fn judge(&self, policy: &NodePolicy, others: &Others, now: Time) -> NodeVerdict {
        judge::verdict(self, policy, others, now)
    }
}
