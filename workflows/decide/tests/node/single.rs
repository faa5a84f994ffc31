//! Stories of one node.

use crate::world::{World, at};
use dixmgr_contract::{NodeProblem, NodeSighting, Protocol, Span};
use dixmgr_decide::node::{Level, NodeVerdict, NodeWatch, Whose};

fn first(sighting: NodeSighting) -> NodeVerdict {
    World::new(Protocol::Substrate).see(0, sighting)
}

#[test]
fn a_node_is_in_sync_if_it_says_so_and_is_not_alone() {
    for (is_syncing, peers, wants_peers, in_sync) in [
        (false, 12, true, true),
        (true, 12, true, false),
        (false, 0, true, false),
        (true, 0, true, false),
        (false, 0, false, true),
    ] {
        let sighting =
            NodeSighting { is_syncing: Some(is_syncing), peers: Some(peers), wants_peers: Some(wants_peers), ..at(5) };
        assert_eq!(first(sighting).in_sync, Some(in_sync), "{is_syncing} {peers} {wants_peers}");
    }
}

#[test]
fn a_node_that_wants_no_peers_has_enough() {
    let alone = NodeSighting { peers: Some(0), wants_peers: Some(false), ..at(5) };
    let verdict = first(alone.clone());
    assert_eq!((verdict.in_sync, verdict.peers), (Some(true), Level::Fine));
    // Other protocols do not tell: there the configuration does.
    let untold = NodeSighting { wants_peers: None, ..alone };
    assert_eq!(first(untold.clone()).in_sync, Some(false));
    let mut world = World::new(Protocol::Ethereum);
    world.policy.min_peers = 0;
    let verdict = world.see(0, untold);
    assert_eq!((verdict.in_sync, verdict.peers), (Some(true), Level::Fine));
}

#[test]
fn low_peers_begin_below_the_minimum_and_end_at_it() {
    let mut world = World::new(Protocol::Substrate);
    for (peers, level) in
        [(20, Level::Fine), (5, Level::Fine), (4, Level::Warning), (1, Level::Warning), (5, Level::Fine)]
    {
        let verdict = world.see(0, NodeSighting { peers: Some(peers), ..at(5) });
        assert_eq!(
            (verdict.peers, verdict.is_healthy()),
            (level, Some(true)),
            "{peers}: shown at once, and not believed"
        );
    }
    assert_eq!(world.see(0, NodeSighting { peers: None, ..at(5) }).peers, Level::Unknown);
}

/// What so many peers, at one look each half a minute of a run, let be said of a node that moves: is it healthy?
fn believed<const LOOKS: usize>(peers: [Option<u64>; LOOKS]) -> [bool; LOOKS] {
    let mut world = World::new(Protocol::Substrate);
    world.watches.insert(0, NodeWatch::started(world.now));
    let mut height = 0;
    peers.map(|peers| {
        height += 1;
        let [_, progress] = world.see(0, NodeSighting { peers, ..at(height) }).verdicts("rpc");
        world.wait(30);
        assert!(!progress.failed && !progress.unknown);
        progress.healthy
    })
}

#[test]
fn few_peers_say_nothing_in_the_first_minute_and_then_only_several_looks_in_a_row() {
    assert_eq!(believed([2, 2, 2, 2, 2, 2, 5].map(Some)), [true, true, true, true, false, false, true]);
    // Whoever hovers at the minimum is not told again and again, and one bad look between good ones is nothing.
    assert_eq!(believed([5, 5, 4, 5, 4, 4, 5, 4].map(Some)), [true; 8]);
    // A look that does not tell neither counts nor ends the row.
    let untold = [Some(5), Some(5), Some(4), None, Some(4), None, Some(4), None];
    assert_eq!(believed(untold), [true, true, true, true, true, true, false, false]);
}

#[test]
fn what_a_node_knows_to_be_wrong_makes_it_unfit_and_a_warning_does_not() {
    for (problem, in_sync) in [
        (NodeProblem::ExecutionOffline, false),
        (NodeProblem::Optimistic, false),
        (NodeProblem::Unhealthy, false),
        (NodeProblem::WarmingUp, false),
        (NodeProblem::Other, false),
        (NodeProblem::Warning, true),
    ] {
        let verdict = first(NodeSighting { problems: [problem].into(), ..at(5) });
        assert_eq!(verdict.in_sync, Some(in_sync), "{problem:?}");
        assert!(verdict.detail.contains(problem.words()), "{}", verdict.detail);
    }
}

#[test]
fn a_single_failure_is_unknown_and_several_are_unreachable() {
    let mut world = World::new(Protocol::Substrate);
    let fresh = world.look(0, Err("no answer".into()));
    assert_eq!((fresh.reachable, fresh.in_sync, fresh.best.level), (None, None, Level::Unknown));
    assert_eq!(fresh.detail, "no answer");
    assert_eq!(world.see(0, at(5)).reachable, Some(true));
    for (reachable, in_sync) in [(None, Some(true)), (None, Some(true)), (Some(false), None), (Some(false), None)] {
        world.wait(30);
        let verdict = world.look(0, Err("no answer".into()));
        assert_eq!((verdict.reachable, verdict.in_sync), (reachable, in_sync));
        assert_eq!((verdict.asks_for_restart(), verdict.peers.is_bad()), (reachable.is_some(), false));
    }
    assert_eq!(world.judge(0).facts, Default::default());
    assert_eq!(world.see(0, at(6)).in_sync, Some(true));
}

#[test]
fn a_node_whose_port_opens_late_is_not_unreachable_before_its_grace_is_over() {
    let mut world = World::new(Protocol::Substrate);
    world.watches.insert(0, NodeWatch::started(world.now));
    let refused = |world: &mut World| world.look(0, Err("refused".into()));
    for _ in 0..59 {
        world.wait(1);
        let verdict = refused(&mut world);
        assert_eq!((verdict.reachable, verdict.detail.as_str()), (None, "refused"));
        assert!(verdict.verdicts("rpc").iter().all(|verdict| verdict.unknown));
    }
    world.wait(1);
    assert_eq!([(); 3].map(|()| refused(&mut world).reachable), [None, None, Some(false)]);
    world.watches.insert(0, NodeWatch::started(world.now));
    world.see(0, at(5));
    let verdicts = [(); 5].map(|()| refused(&mut world));
    assert!(verdicts.iter().all(|verdict| verdict.in_sync == Some(true) && verdict.reachable == Some(true)));
}

#[test]
fn a_look_that_we_could_not_make_says_nothing_however_many_there_are() {
    let mut world = World::new(Protocol::Substrate);
    let cannot = |world: &mut World| world.watches.entry(0).or_default().could_not_look("too many open files");
    (0..10).for_each(|_| cannot(&mut world));
    assert_eq!((world.judge(0).reachable, world.judge(0).detail.as_str()), (None, "too many open files"));
    world.see(0, at(5));
    (0..10).for_each(|_| cannot(&mut world));
    let verdict = world.judge(0);
    assert_eq!((verdict.reachable, verdict.in_sync), (Some(true), Some(true)));
    assert!(verdict.detail.contains("too many open files, block 5"), "{}", verdict.detail);
    world.wait(121);
    let verdict = world.judge(0);
    assert_eq!((verdict.reachable, verdict.in_sync), (None, Some(true)), "what was seen is no news any more");
    let told = verdict.verdicts("rpc").map(|verdict| (verdict.healthy, verdict.unknown));
    assert_eq!(told, [(true, false), (true, true)]);
    assert_eq!(world.look(0, Err("refused".into())).reachable, None, "the first that counts");
}

#[test]
fn what_was_ill_is_well_after_as_many_good_looks_as_its_owner_wants() {
    let mut world = World::new(Protocol::Substrate);
    world.policy.successes = 2;
    assert_eq!(world.see(0, at(5)).is_healthy(), Some(true), "of what nothing is known, one is enough");
    let few = || NodeSighting { peers: Some(1), ..at(5) };
    let [begins, goes_on, ill] = [(few(), true), (few(), true), (few(), false)];
    let back = [(at(5), false), (few(), false), (at(5), false), (at(5), true)];
    for (sighting, healthy) in [begins, goes_on, ill].into_iter().chain(back) {
        let verdict = world.see(0, sighting);
        assert_eq!((verdict.is_healthy(), verdict.verdicts("rpc")[1].healthy), (Some(healthy), healthy));
    }
    (0..3).for_each(|_| drop(world.look(0, Err("refused".into()))));
    assert_eq!(world.judge(0).is_healthy(), Some(false));
    assert_eq!([5, 6].map(|best| world.see(0, at(best)).is_healthy()), [Some(false), Some(true)]);
    let syncing = || NodeSighting { is_syncing: Some(true), ..at(5) };
    (0..3).for_each(|_| drop(world.see(0, syncing())));
    assert_eq!([5, 6].map(|best| world.see(0, at(best)).in_sync), [Some(false), Some(true)]);
}

#[test]
fn one_look_that_is_not_in_sync_does_not_make_a_node_fall_out_of_it() {
    let mut world = World::new(Protocol::Substrate);
    let syncing = || NodeSighting { is_syncing: Some(true), ..at(5) };
    assert_eq!(world.see(0, syncing()).in_sync, Some(false));
    assert_eq!(world.see(0, at(5)).in_sync, Some(true));
    assert_eq!(world.see(0, syncing()).in_sync, Some(true));
    assert_eq!(world.look(0, Err(String::new())).in_sync, Some(true));
    assert_eq!(world.see(0, syncing()).in_sync, Some(false));
}

#[test]
fn a_node_that_stands_is_a_warning_and_then_critical() {
    let mut world = World::new(Protocol::Substrate);
    world.see(0, at(99));
    world.wait(30);
    assert_eq!(world.stands_until(&at(100), Level::Warning), Some(180));
    let verdict = world.judge(0);
    assert!(verdict.detail.contains("no new block for 3m"), "{}", verdict.detail);
    assert!(!verdict.asks_for_restart());
    assert_eq!(world.stands_until(&at(100), Level::Critical), Some(90));
    let verdict = world.see(0, at(100));
    assert_eq!((verdict.best.whose, verdict.asks_for_restart()), (Whose::Own, true));
    let verdict = world.see(0, at(101));
    assert_eq!((verdict.best.level, verdict.asks_for_restart()), (Level::Fine, false));
    assert_eq!(verdict.facts.since_best, Some(Span::ZERO));
}

#[test]
fn finality_that_stands_is_told_apart_from_blocks_that_come() {
    let mut world = World::new(Protocol::Substrate);
    let verdict = world.rounds(20, |round| NodeSighting { finalized: Some(50), ..at(100 + round) });
    assert_eq!((verdict.best.level, verdict.finalized.level), (Level::Fine, Level::Critical));
    assert!(verdict.detail.contains("none final for 9m30s"), "{}", verdict.detail);
    assert!(verdict.asks_for_restart());
}

#[test]
fn finality_of_ethereum_moves_in_steps() {
    let mut world = World::new(Protocol::Ethereum);
    let step = |round: u64| NodeSighting { finalized: Some(round / 26 * 64), ..at(1_000 + round) };
    world.rounds(130, step);
    assert_eq!(world.own_stalls, 0);
    assert_eq!(
        world.rounds(40, |round| NodeSighting { finalized: Some(0), ..at(2_000 + round) }).finalized.level,
        Level::Critical
    );
}

#[test]
fn a_block_of_bitcoin_may_take_an_hour() {
    let mut world = World::new(Protocol::Bitcoin);
    world.policy.max_lag = 3;
    assert_eq!(world.rounds(120, |_| at(800_000)).best.level, Level::Fine);
    assert_eq!(world.rounds(61, |_| at(800_000)).best.level, Level::Warning);
}

#[test]
fn a_node_that_syncs_from_scratch_makes_progress() {
    let mut world = World::new(Protocol::Substrate);
    let verdict = world.rounds(40, |round| NodeSighting {
        best: Some(round * 500),
        finalized: Some(0),
        highest: Some(20_000_000),
        is_syncing: Some(true),
        tip_age: Some(Span::from_secs(100_000_000)),
        ..at(0)
    });
    assert_eq!((verdict.best.level, verdict.finalized.level), (Level::Fine, Level::Fine));
    assert_eq!((verdict.in_sync, verdict.facts.lag, verdict.lag), (Some(false), Some(19_980_500), Level::Warning));
}

#[test]
fn work_that_shows_in_no_height_counts_while_it_syncs() {
    let stages = |round: u64| NodeSighting {
        best: Some(0),
        finalized: None,
        is_syncing: Some(true),
        work: Some(round * 7),
        ..at(0)
    };
    assert_eq!(World::new(Protocol::Ethereum).rounds(100, stages).best.level, Level::Fine);
    let idle = |_| NodeSighting { work: Some(7), ..stages(1) };
    let verdict = World::new(Protocol::Ethereum).rounds(100, idle);
    // A synchronisation is never interrupted, whether it has shown anything yet or not.
    assert_eq!((verdict.best.level, verdict.asks_for_restart()), (Level::Warning, false));
    let once = |round: u64| NodeSighting { best: Some(1 + round.min(1)), is_syncing: Some(true), ..at(0) };
    let mut world = World::new(Protocol::Ethereum);
    let verdict = world.rounds(100, once);
    assert_eq!((verdict.best.level, verdict.asks_for_restart(), world.restarts), (Level::Warning, false, 0));
    assert_eq!(verdict.is_healthy(), Some(false), "people are told");
    let stands = |_| NodeSighting { best: Some(2), is_syncing: Some(false), ..at(0) };
    assert!(world.rounds(100, stands).asks_for_restart(), "once it does not say so any more");
}

#[test]
fn an_old_tip_on_a_node_that_says_it_is_in_sync_is_a_warning_soon_and_critical_in_its_time() {
    let mut world = World::new(Protocol::Cosmos);
    let halted = NodeSighting { tip_age: Some(Span::from_secs(36_000)), ..at(100) };
    assert_eq!(world.stands_until(&halted, Level::Warning), Some(60));
    assert_eq!(world.judge(0).facts.since_best, None.or(Some(Span::from_secs(36_000))));
    assert_eq!(world.stands_until(&halted, Level::Critical), Some(210));
    // One that was down for ten hours and goes on is nothing.
    let mut world = World::new(Protocol::Cosmos);
    let late = |round: u64| NodeSighting { best: Some(100 + round), ..halted.clone() };
    assert_eq!(world.rounds(20, late).best.level, Level::Fine);
}

#[test]
fn a_node_that_is_wiped_and_begins_anew_moves() {
    let mut world = World::new(Protocol::Substrate);
    world.rounds(5, |round| at(1_000_000 + round));
    assert_eq!(world.rounds(50, at).best.level, Level::Fine);
    assert_eq!((world.own_stalls, world.restarts), (0, 0));
}

#[test]
fn a_reorganisation_is_no_stall() {
    let mut world = World::new(Protocol::Ethereum);
    world.rounds(30, |round| at(1_000 + round - if round % 5 == 4 { 3 } else { 0 }));
    assert_eq!((world.own_stalls, world.restarts), (0, 0));
}

#[test]
fn a_height_that_is_not_told_is_unknown() {
    let mut world = World::new(Protocol::Substrate);
    let verdict = world.rounds(30, |_| NodeSighting { best: None, finalized: None, ..at(0) });
    assert_eq!((verdict.best.level, verdict.finalized.level), (Level::Unknown, Level::Unknown));
    assert_eq!((verdict.in_sync, verdict.facts.best, verdict.lag), (Some(true), None, Level::Unknown));
}

#[test]
fn old_news_is_none() {
    let mut world = World::new(Protocol::Substrate);
    world.see(0, at(5));
    world.wait(121);
    let verdict = world.judge(0);
    assert_eq!((verdict.best.level, verdict.facts.best), (Level::Unknown, None));
}

/// What its alert was told before a restart of dixmgr is not over because nobody has seen it stand yet.
#[test]
fn of_a_node_that_ran_before_it_was_watched_it_is_not_known_whether_it_moves_until_it_does_or_has_stood_for_long() {
    let unknown = |verdict: &NodeVerdict| verdict.verdicts("rpc")[1].unknown;
    for moves in [true, false] {
        let mut world = World::new(Protocol::Substrate);
        let mut watch = NodeWatch::default();
        watch.join_late();
        world.watches.insert(0, watch);
        let first = world.rounds(2, |_| at(100));
        assert!(unknown(&first) && first.is_healthy().is_none() && first.in_sync == Some(true), "{first:?}");
        assert_eq!((first.facts.since_best, first.best.level), (None, Level::Unknown));
        let then = if moves { world.rounds(1, |_| at(101)) } else { world.rounds(6, |_| at(100)) };
        assert!(!unknown(&then));
        assert_eq!((then.is_healthy(), then.best.level.is_bad()), (Some(moves), !moves), "{then:?}");
    }
    // A fault that shows at once is known at once.
    let mut world = World::new(Protocol::Substrate);
    let mut watch = NodeWatch::default();
    watch.join_late();
    world.watches.insert(0, watch);
    let lonely = world.rounds(5, |_| NodeSighting { peers: Some(1), ..at(100) });
    assert!(lonely.falls_short && lonely.is_healthy() == Some(false) && !unknown(&lonely), "{lonely:?}");
}

#[test]
fn a_watch_survives_a_restart_of_dixmgr() {
    let mut world = World::new(Protocol::Substrate);
    world.rounds(9, |_| at(5));
    let watch = &world.watches[&0];
    let text = serde_json::to_string(watch).unwrap();
    assert_eq!(&serde_json::from_str::<NodeWatch>(&text).unwrap(), watch);
    let chain = serde_json::to_string(&world.chain).unwrap();
    assert_eq!(serde_json::from_str::<dixmgr_decide::node::Chain>(&chain).unwrap(), world.chain);
    let empty: NodeWatch = serde_json::from_str("{}").unwrap();
    assert_eq!(empty, Default::default());
}
