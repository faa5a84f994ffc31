//! Stories of nodes that do not answer: whose fault it is, and whether a restart may help.

use crate::world::{World, at, name};
use dixmgr_contract::{NodeSighting, Protocol};
use dixmgr_decide::node::{Missed, NodeWatch};

fn silent() -> Result<NodeSighting, Missed> {
    Err(Missed::Silent("refused".into()))
}

/// Looks at these nodes in turn, half a minute a round; for each, whether it has failed at its last look.
fn rounds<const NODES: usize>(
    world: &mut World,
    rounds: u64,
    look: impl Fn(usize, u64) -> Result<NodeSighting, Missed>,
) -> [bool; NODES] {
    let mut failed = [false; NODES];
    for round in 0..rounds {
        for (node, failed) in failed.iter_mut().enumerate() {
            world.wait(30 / NODES as u64);
            *failed = world.take(node, look(node, round)).verdicts("rpc")[1].failed;
        }
    }
    failed
}

#[test]
fn a_node_that_is_silent_for_several_looks_after_its_grace_has_failed_and_one_that_answers_again_has_not() {
    let mut world = World::new(Protocol::Substrate);
    world.watches.insert(0, NodeWatch::started(world.now));
    assert_eq!(rounds(&mut world, 3, |_, _| silent()), [false], "the grace is over with the second look");
    assert_eq!(rounds(&mut world, 1, |_, _| silent()), [true]);
    assert_eq!(rounds(&mut world, 1, |_, _| Ok(at(5))), [false]);
    assert_eq!(rounds(&mut world, 2, |_, _| silent()), [false]);
    assert_eq!(rounds(&mut world, 1, |_, _| silent()), [true]);
    let [sync, progress] = world.judge(0).verdicts("rpc");
    assert!(!sync.failed && !progress.healthy && !progress.unknown && progress.detail == "refused");
}

#[test]
fn a_node_that_says_what_nobody_understands_has_not_failed_however_often() {
    let puzzle = || Err(Missed::Unclear("HTTP 401".into()));
    let mut world = World::new(Protocol::Substrate);
    assert_eq!(rounds(&mut world, 20, |_, _| puzzle()), [false]);
    assert_eq!(world.judge(0).reachable, Some(false), "it is told all the same");
    assert_eq!(rounds(&mut world, 20, |_, round| if round % 3 == 2 { puzzle() } else { silent() }), [false]);
}

#[test]
fn a_node_whose_last_word_was_that_it_synchronises_is_not_restarted_for_its_silence() {
    let syncing = NodeSighting { is_syncing: Some(true), ..at(5) };
    let behind = NodeSighting { highest: Some(5_000), ..at(5) };
    let alone = NodeSighting { peers: Some(0), ..at(5) };
    for (last, failed) in [(syncing, false), (behind, false), (alone, true), (at(5), true)] {
        let mut world = World::new(Protocol::Substrate);
        let look = |_, round| if round == 0 { Ok(last.clone()) } else { silent() };
        assert_eq!(rounds(&mut world, 10, look), [failed], "{last:?}");
    }
}

#[test]
fn what_it_said_to_an_earlier_watch_of_this_run_counts_until_it_says_something_else() {
    let mut world = World::new(Protocol::Substrate);
    let mut watch = NodeWatch::default();
    watch.recall_that_it_syncs();
    world.watches.insert(0, watch);
    assert_eq!(rounds(&mut world, 10, |_, _| silent()), [false]);
    assert_eq!(rounds(&mut world, 1, |_, _| Ok(at(5))), [false]);
    assert_eq!(rounds(&mut world, 10, |_, _| silent()), [true], "it had caught up");
}

/// Nodes of one chain that are asked over a network.
fn afar() -> World {
    let mut world = World::new(Protocol::Substrate);
    world.policy.over_network = true;
    world
}

#[test]
fn when_all_nodes_that_are_asked_over_a_network_fall_silent_nobody_is_restarted() {
    let mut world = afar();
    rounds::<3>(&mut world, 4, |_, round| Ok(at(1_000 + round)));
    assert_eq!(rounds(&mut world, 60, |_, _| silent()), [false; 3]);
    // One of them answers again: the way is there, and the silence of the others is their own.
    let back = |node, round| if node == 0 { Ok(at(2_000 + round)) } else { silent() };
    assert_eq!(rounds(&mut world, 1, back), [false, true, true]);
    assert_eq!(rounds(&mut world, 1, |_, round| Ok(at(2_001 + round))), [false; 3]);
}

#[test]
fn a_node_that_falls_silent_while_another_one_is_heard_over_the_network_has_failed() {
    let mut world = afar();
    let look = |node, round| if node == 1 && round > 3 { silent() } else { Ok(at(1_000 + round)) };
    assert_eq!(rounds(&mut world, 6, look), [false; 3]);
    assert_eq!(rounds(&mut world, 7, look), [false, true, false]);
}

#[test]
fn what_answered_before_the_silence_proves_nothing_of_the_network() {
    let mut world = afar();
    rounds::<2>(&mut world, 2, |_, round| Ok(at(1_000 + round)));
    for _ in 0..3 {
        world.wait(1);
        assert!(!world.take(0, silent()).asks_for_restart(), "the other one was heard just before");
    }
    world.take(1, Ok(at(1_003)));
    assert!(world.take(0, silent()).asks_for_restart());
}

#[test]
fn a_node_on_the_loopback_is_at_fault_itself_whoever_else_is_silent_and_so_is_one_without_others() {
    let mut world = afar();
    rounds::<2>(&mut world, 3, |_, round| Ok(at(1_000 + round)));
    rounds::<2>(&mut world, 10, |_, _| silent());
    world.policy.over_network = false;
    assert!(world.take(0, silent()).asks_for_restart());
    assert_eq!(rounds(&mut afar(), 3, |_, _| silent()), [true]);
    // One that is asked over the loopback and answers says nothing of the network.
    let mut world = afar();
    rounds::<2>(&mut world, 10, |_, _| silent());
    world.policy.over_network = false;
    world.take(2, Ok(at(5)));
    world.policy.over_network = true;
    assert!(!world.take(0, silent()).asks_for_restart());
    world.chain.forget(&name(1));
    assert!(world.take(0, silent()).asks_for_restart());
}
