//! What holds in every story.

use crate::common::lives;
use crate::world::{EPOCH, World, at, name};
use dixmgr_contract::{Motion, NodeProblem, NodeSighting, NodeStanding, Protocol, Span, Time};
use dixmgr_decide::node::{Chain, Height, Level, NodeWatch};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn height() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(u64::MAX)),
        1 => any::<u64>().prop_map(Some),
        4 => (0..50_u64).prop_map(Some),
        2 => (1_000_000..1_000_050_u64).prop_map(Some),
    ]
}

fn sighting() -> impl Strategy<Value = NodeSighting> {
    let problem =
        prop::sample::select(vec![NodeProblem::Warning, NodeProblem::Unhealthy, NodeProblem::ExecutionOffline]);
    let flags = (any::<Option<bool>>(), any::<Option<bool>>(), prop::collection::btree_set(problem, 0..2));
    let numbers = (height(), height(), height(), height(), height());
    (numbers, flags, prop::option::of(0..10_000_000_u64)).prop_map(|(numbers, flags, age)| NodeSighting {
        best: numbers.0,
        finalized: numbers.1,
        highest: numbers.2,
        peers: numbers.3,
        work: numbers.4,
        wants_peers: flags.0,
        is_syncing: flags.1,
        problems: flags.2,
        tip_age: age.map(Span::from_secs),
    })
}

/// Which node, what was seen of it, and how many seconds went by before; the clock may go back.
fn step() -> impl Strategy<Value = (usize, Option<NodeSighting>, i64)> {
    let wait = prop_oneof![8 => 0..60_i64, 1 => 0..100_000_i64, 1 => -1_000..0_i64];
    (0..4_usize, prop::option::weighted(0.8, sighting()), wait)
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop::sample::select(&Protocol::ALL[..])
}

proptest! {
    #![proptest_config(lives(256))]

    #[test]
    fn any_story_can_be_judged_and_kept(protocol in protocol(), steps in prop::collection::vec(step(), 1..60)) {
        let (mut world, mut last) = (World::new(protocol), BTreeMap::new());
        for (node, look, wait) in steps {
            world.now = Time::from_unix_millis(world.now.unix_millis() + wait * 1_000);
            let failed = look.is_none();
            last.extend(look.as_ref().map(|seen| (node, seen.is_syncing == Some(true))));
            let alone = |world: &World| {
                world.watches.get(&node).map(|watch| watch.judge(&world.policy, &Default::default(), world.now))
            };
            let before = alone(&world);
            let verdict = world.look(node, look.ok_or_else(|| "no answer ".repeat(100)));
            let facts = &verdict.facts;
            for height in [facts.best, facts.finalized, facts.lag].into_iter().flatten() {
                prop_assert!(height <= 1 << 53);
            }
            // A failing look is never "down": it makes nothing worse than it was, until it is unreachable.
            if failed {
                prop_assert_ne!(verdict.reachable, Some(true));
                if let Some((before, after)) = before.zip(alone(&world)) {
                    prop_assert!(after.best.level <= before.best.level && after.peers <= before.peers);
                    prop_assert!(after.in_sync != Some(false) || before.in_sync == Some(false));
                }
            }
            let last_syncs = last.get(&node).is_some_and(|syncs| *syncs);
            prop_assert!(!verdict.gone || (failed && verdict.reachable == Some(false) && !last_syncs));
            prop_assert_eq!(verdict.verdicts("rpc")[1].failed, verdict.asks_for_restart());
            let watch = &world.watches[&node];
            let text = serde_json::to_string(watch).unwrap();
            prop_assert_eq!(&serde_json::from_str::<NodeWatch>(&text).unwrap(), watch);
            prop_assert!(text.len() < 2_000, "{}", text);
        }
        let text = serde_json::to_string(&world.chain).unwrap();
        prop_assert_eq!(serde_json::from_str::<Chain>(&text).unwrap(), world.chain.clone());
        // Stalls and their ends alternate.
        for which in [Height::Best, Height::Finalized] {
            let told: Vec<_> = world.notes.iter().filter_map(|note| match note {
                dixmgr_decide::node::ChainNote::Stalled { which: of, .. } if *of == which => Some(true),
                dixmgr_decide::node::ChainNote::Moves { which: of } if *of == which => Some(false),
                _ => None,
            }).collect();
            prop_assert!(told.iter().enumerate().all(|(index, stalled)| *stalled == (index % 2 == 0)), "{told:?}");
            prop_assert_eq!(told.last() == Some(&true), world.chain.is_stalled(which));
        }
    }

    #[test]
    fn a_node_that_grows_is_never_stalled(
        protocol in protocol(),
        start in 0..1_000_000_u64,
        steps in prop::collection::vec((1..10_000_u64, 1..60_u64, any::<bool>()), 1..100),
        tip_age in prop::option::of(0..1_000_000_u64),
        others in prop::collection::vec(0..2_000_000_u64, 0..4),
    ) {
        let mut world = World::new(protocol);
        let mut height = start;
        for (growth, wait, syncs) in steps {
            world.wait(wait);
            height += growth;
            for (node, other) in others.iter().enumerate() {
                world.see(node + 1, at(*other));
            }
            let seen = NodeSighting { is_syncing: Some(syncs), tip_age: tip_age.map(Span::from_secs), ..at(height) };
            let verdict = world.see(0, seen);
            prop_assert_eq!((verdict.best.level, verdict.finalized.level), (Level::Fine, Level::Fine));
            prop_assert!(!verdict.asks_for_restart());
        }
    }

    /// Also after it has fallen once, however far.
    #[test]
    fn a_node_that_grows_again_is_never_stalled(
        falls in prop::collection::vec((0..1_000_000_u64, 6..40_usize), 1..5),
        wait in 1..50_u64,
    ) {
        let mut world = World::new(Protocol::Substrate);
        for (height, looks) in falls {
            for look in 0..looks as u64 {
                world.wait(wait);
                prop_assert_eq!(world.see(0, at(height + look)).best.level, Level::Fine);
            }
        }
    }

    #[test]
    fn a_chain_that_halts_is_one_note_and_no_restart(
        protocol in protocol(),
        nodes in 2..6_usize,
        ages in any::<bool>(),
        behind in prop::collection::vec(0..4_u64, 6),
        jitter in prop::collection::vec(0..10_u64, 1..20),
        lost in 13..50_usize,
    ) {
        let mut world = World::new(protocol);
        let mut turn = 0;
        let mut round = |world: &mut World, best: u64, since: u64, fails: bool| {
            for (node, behind) in behind.iter().enumerate().take(nodes) {
                turn += 1;
                world.wait(20 / nodes as u64 + jitter[turn % jitter.len()] / nodes as u64);
                let tip_age = ages.then(|| Span::from_secs(since));
                // A halted chain leaves nodes at slightly different heights.
                let seen = NodeSighting { tip_age, finalized: None, ..at(best - behind) };
                let look = if fails && turn % lost == 0 { Err("no answer".into()) } else { Ok(seen) };
                world.look(node, look);
            }
        };
        for n in 0..5 {
            round(&mut world, 1_000 + n, 0, false);
        }
        let halt = world.now;
        while world.now.since(halt) < Span::from_secs(5 * 3_600) {
            let since = world.now.since(halt).as_millis() / 1_000;
            round(&mut world, 1_004, since, true);
        }
        prop_assert_eq!(world.notes.len(), 1, "{:?}", world.notes);
        prop_assert_eq!((world.own_stalls, world.restarts), (0, 0));
    }

    #[test]
    fn more_lag_is_never_healthier(best in 0..1_000_u64, more in 0..1_000_u64, protocol in protocol(), others in 1..4_usize) {
        let judged = |reference: u64| {
            let mut world = World::new(protocol);
            for other in 0..others {
                let standing = NodeStanding {
                    best: Some(reference),
                    best_motion: Motion::Moves,
                    valid_for: Span::from_secs(60),
                    ..NodeStanding::default()
                };
                world.chain.tell(&name(other + 1), standing, Time::from_unix_millis(EPOCH));
            }
            world.see(0, at(best))
        };
        let (less, more) = (judged(500), judged(500 + more));
        prop_assert!(less.facts.lag <= more.facts.lag && less.lag <= more.lag);
        prop_assert!(less.in_sync >= more.in_sync);
    }

    #[test]
    fn fewer_peers_are_never_healthier(peers in 0..30_u64, fewer in 0..30_u64, protocol in protocol()) {
        let judged = |peers| World::new(protocol).see(0, NodeSighting { peers: Some(peers), ..at(5) });
        let (more, fewer) = (judged(peers), judged(peers.saturating_sub(fewer)));
        prop_assert!(more.peers <= fewer.peers && more.in_sync >= fewer.in_sync);
    }

    #[test]
    fn a_longer_stand_is_never_healthier(looks in 1..200_u64, protocol in protocol()) {
        let mut world = World::new(protocol);
        let mut before = Level::Unknown;
        for _ in 0..looks {
            world.wait(60);
            let now = world.see(0, at(5)).best.level;
            prop_assert!(now >= before);
            before = now;
        }
    }
}
