//! Several nodes behind one service, such as an execution client and its consensus client in one process: to others they are one.
//!
//! A service waits, is waited for and is restarted as a whole, so of several nodes the one that stands worst is told, with nothing
//! of another's. To the chain they are one node, whichever is foremost: two probes may well ask the same process, and a process
//! that stands still is neither a second witness that its chain does, nor anything to compare itself with.

use super::motion;
use dixmgr_contract::observation::RULE_SYNC;
use dixmgr_contract::{Motion, NodeStanding, Time, Verdict};
use std::collections::BTreeMap;

/// How the nodes of one chain and protocol stand that are behind one service, by their probes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Siblings(BTreeMap<String, (NodeStanding, Time)>);

impl Siblings {
    /// Takes in how the node behind a probe stands.
    pub fn tell(&mut self, probe: &str, standing: NodeStanding, now: Time) {
        self.0.insert(probe.to_owned(), (standing, now));
    }

    /// How they stand, as one, for the other nodes of the chain: as the one that moves and is highest. News for as long as its
    /// own was; without news of any, nothing.
    pub fn standing(&self, now: Time) -> NodeStanding {
        let left = |(standing, at): &(NodeStanding, Time)| {
            let valid_for = motion::minus(standing.valid_for, now.since(*at));
            NodeStanding { valid_for, ..standing.clone() }
        };
        let is_news = |(standing, at): &&(NodeStanding, Time)| now.since(*at) <= standing.valid_for;
        let rank = |one: &NodeStanding| {
            let moves = |motion| motion == Motion::Moves;
            (one.best.is_some(), moves(one.best_motion), one.best, moves(one.finalized_motion), one.finalized)
        };
        self.0.values().filter(is_news).map(left).max_by_key(rank).unwrap_or_default()
    }
}

/// What all probes of a service say, with one opinion on whether its nodes are in sync: that of the one that stands worst, where
/// that of the first was.
pub fn in_sync_as_one(mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let is_sync = |verdict: &&Verdict| verdict.rule == RULE_SYNC;
    let badness = |verdict: &Verdict| (!verdict.healthy, !verdict.unknown);
    let worst = |one, other| if badness(other) > badness(one) { other } else { one };
    let Some(mut worst) = verdicts.iter().filter(is_sync).reduce(worst).cloned().map(Some) else { return verdicts };
    verdicts.retain_mut(|verdict| {
        if verdict.rule != RULE_SYNC {
            return true;
        }
        worst.take().map(|worst| *verdict = worst).is_some()
    });
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_contract::Span;

    const VALID: Span = Span::from_secs(120);

    fn at(seconds: u64) -> Time {
        Time::from_unix_millis(1_000_000).after(Span::from_secs(seconds))
    }

    fn standing(best: u64, best_motion: Motion) -> NodeStanding {
        NodeStanding { best: Some(best), best_motion, valid_for: VALID, ..NodeStanding::default() }
    }

    #[test]
    fn to_their_chain_they_are_the_one_that_is_foremost() {
        let mut siblings = Siblings::default();
        assert_eq!(siblings.standing(at(0)), NodeStanding::default());
        siblings.tell("a", standing(900, Motion::Moves), at(0));
        siblings.tell("b", standing(950, Motion::Stands), at(10));
        siblings.tell("c", NodeStanding { valid_for: VALID, ..NodeStanding::default() }, at(10));
        assert_eq!(siblings.standing(at(10)).best, Some(900), "one that moves says that the chain does");
        siblings.tell("a", standing(900, Motion::Stands), at(20));
        assert_eq!(siblings.standing(at(20)).best, Some(950));
        assert_eq!(
            siblings.standing(at(30)).valid_for,
            Span::from_secs(100),
            "telling another one makes it no younger"
        );
        assert_eq!(siblings.standing(at(131)).best, Some(900), "what is no news any more is not told");
    }

    #[test]
    fn a_service_is_in_sync_when_all_of_its_nodes_are() {
        let sync =
            |healthy, unknown, detail: &str| Verdict { unknown, ..Verdict::new(RULE_SYNC, healthy, detail.to_owned()) };
        let probe = |name: &str| Verdict::of_probe(name, true, String::new());
        let (yes, no, blank) = (sync(true, false, "yes"), sync(false, false, "no"), sync(false, true, "blank"));
        for (one, other, expected) in [
            (&yes, &no, &no),
            (&no, &yes, &no),
            (&yes, &blank, &blank),
            (&blank, &no, &no),
            (&yes, &sync(true, false, "also"), &yes),
        ] {
            let all = vec![one.clone(), probe("a"), other.clone(), probe("sync"), probe("tcp")];
            let told = vec![expected.clone(), probe("a"), probe("sync"), probe("tcp")];
            assert_eq!(in_sync_as_one(all), told, "{} {}", one.detail, other.detail);
        }
        assert_eq!(in_sync_as_one(vec![probe("tcp"), probe("sync")]), [probe("tcp"), probe("sync")]);
        assert_eq!(in_sync_as_one(vec![probe("tcp"), no.clone(), probe("z")]), [probe("tcp"), no, probe("z")]);
    }

    #[test]
    fn what_is_not_known_of_one_node_is_not_remembered_of_another() {
        let sync = |healthy, unknown| Verdict { unknown, ..Verdict::new(RULE_SYNC, healthy, String::new()) };
        let told = |one, other| in_sync_as_one(vec![one, other]);
        // The first is in sync and the second is not; then nothing is known of the second.
        let before = told(sync(true, false), sync(false, false));
        let mut now = told(sync(true, false), sync(false, true));
        now.iter_mut().for_each(|verdict| verdict.remember(&before));
        assert_eq!(now, [sync(false, true)], "others still wait for it");
    }
}
