//! Stories of the nodes of one chain.

use crate::world::{World, at, name};
use dixmgr_contract::{NodeSighting, Protocol, Span};
use dixmgr_decide::node::{ChainNote, Height, Level, Whose};

/// Everybody is looked at once in 30 seconds, one after the other.
fn round(world: &mut World, nodes: usize, sighting: impl Fn(usize) -> NodeSighting) {
    for node in 0..nodes {
        world.wait(30 / nodes as u64);
        world.see(node, sighting(node));
    }
}

#[test]
fn a_node_that_is_behind_the_median_of_the_others_is_not_in_sync() {
    let mut world = World::new(Protocol::Substrate);
    for n in 0..10 {
        round(&mut world, 4, |node| at(if node == 3 { 900 + n } else { 1_000 + n }));
    }
    let verdict = world.judge(3);
    assert_eq!((verdict.in_sync, verdict.lag, verdict.facts.lag), (Some(false), Level::Warning, Some(100)));
    assert!(verdict.detail.contains("100 behind"), "{}", verdict.detail);
    assert_eq!(world.judge(0).in_sync, Some(true));
    assert_eq!((world.own_stalls, world.notes.len()), (0, 0));
}

#[test]
fn a_node_that_falls_behind_is_ill_after_several_looks_until_it_has_caught_up_and_one_that_catches_up_is_not() {
    let mut world = World::new(Protocol::Substrate);
    let told = |world: &World| [0, 2].map(|node| world.judge(node).verdicts("rpc")[1].healthy);
    let behind = |world: &mut World, n: u64, late: u64| {
        round(world, 4, |node| {
            at(if node == 0 {
                1_000 + n - late
            } else if node == 2 {
                n
            } else {
                1_000 + n
            })
        });
        told(world)
    };
    assert_eq!([1, 2].map(|n| behind(&mut world, n, 0)), [[true; 2]; 2]);
    assert_eq!(
        [3, 4, 5, 6].map(|n| behind(&mut world, n, 100)),
        [[true, true], [true, true], [false, true], [false, true]]
    );
    assert_eq!(world.judge(0).in_sync, Some(false));
    assert_eq!(behind(&mut world, 7, 1), [true, true]);
    assert_eq!(behind(&mut world, 8, 100), [true, true], "a single look");
    assert_eq!((world.own_stalls, world.restarts), (0, 0));
}

#[test]
fn one_liar_among_three_others_moves_nothing() {
    for lie in [u64::MAX, (1 << 53) - 1, 5_000, 0] {
        let mut world = World::new(Protocol::Substrate);
        for n in 0..10 {
            round(&mut world, 4, |node| at(if node == 3 { lie } else { 1_000 + n }));
        }
        for node in 0..3 {
            assert_eq!(world.judge(node).in_sync, Some(true), "{lie}");
        }
        assert_eq!(world.notes, [], "{lie}");
    }
}

#[test]
fn a_node_that_stands_while_others_go_on_is_at_fault_itself() {
    let mut world = World::new(Protocol::Substrate);
    for n in 0..14 {
        round(&mut world, 3, |node| at(if node == 1 { 1_000 } else { 1_000 + n * 5 }));
    }
    let verdict = world.judge(1);
    assert_eq!((verdict.best.level, verdict.best.whose), (Level::Critical, Whose::Own));
    assert!(verdict.asks_for_restart());
    assert_eq!(world.notes, []);
}

#[test]
fn a_chain_that_stands_is_told_once_and_nobody_is_restarted() {
    let mut world = World::new(Protocol::Substrate);
    for n in 0..5 {
        round(&mut world, 5, |_| at(1_000 + n));
    }
    for _ in 0..60 {
        round(&mut world, 5, |_| at(1_004));
    }
    let told = ChainNote::Stalled { which: Height::Best, height: 1_004, nodes: 5 };
    assert_eq!(world.notes, [told]);
    assert_eq!((world.own_stalls, world.restarts), (0, 0));
    let verdict = world.judge(0);
    assert_eq!(
        (verdict.best.level, verdict.best.whose, verdict.best.own()),
        (Level::Critical, Whose::Chain, Level::Fine)
    );
    for n in 0..20 {
        round(&mut world, 5, |_| at(1_005 + n));
    }
    assert_eq!(world.notes, [told, ChainNote::Moves { which: Height::Best }]);
    assert_eq!((world.own_stalls, world.restarts), (0, 0));
}

#[test]
fn finality_that_stands_on_every_node_is_the_chains_too() {
    let mut world = World::new(Protocol::Substrate);
    for n in 0..40 {
        round(&mut world, 3, |_| NodeSighting { finalized: Some(900), ..at(1_000 + n) });
    }
    assert_eq!(world.notes, [ChainNote::Stalled { which: Height::Finalized, height: 900, nodes: 2 }]);
    assert_eq!((world.own_stalls, world.restarts), (0, 0));
}

#[test]
fn a_node_that_is_restarted_while_its_chain_stands_does_not_make_it_move() {
    let mut world = World::new(Protocol::Cosmos);
    let halted = |age| NodeSighting { tip_age: Some(Span::from_secs(age)), finalized: None, ..at(1_000) };
    for n in 0..20 {
        round(&mut world, 3, |_| halted(n * 30));
    }
    world.watches.remove(&1);
    for n in 20..60 {
        round(&mut world, 3, |_| halted(n * 30));
    }
    assert_eq!(world.notes.len(), 1);
    assert_eq!((world.own_stalls, world.restarts), (0, 0));
}

#[test]
fn a_halt_that_was_there_before_dixmgr_is_told_once() {
    let mut world = World::new(Protocol::Cosmos);
    for n in 0..40 {
        let age = Some(Span::from_secs(36_000 + n * 30));
        round(&mut world, 3, |_| NodeSighting { tip_age: age, finalized: None, ..at(1_000) });
    }
    assert_eq!(world.notes.len(), 1);
    assert_eq!((world.own_stalls, world.restarts), (0, 0));
}

#[test]
fn a_node_that_catches_up_does_not_make_a_chain_move_that_stands() {
    let mut world = World::new(Protocol::Substrate);
    for n in 0..40 {
        round(&mut world, 3, |node| match node {
            2 => NodeSighting { is_syncing: Some(true), ..at(n * 10) },
            _ => at(1_000_000),
        });
    }
    assert_eq!(world.notes.len(), 1, "{:?}", world.notes);
    assert_eq!((world.own_stalls, world.restarts), (0, 0));
}

#[test]
fn a_straggler_that_reaches_the_last_block_of_a_chain_that_stands_does_not_make_it_move() {
    let mut world = World::new(Protocol::Substrate);
    for n in 0..40 {
        round(&mut world, 3, |node| at(if node == 2 && n < 20 { 998 } else { 1_000 }));
    }
    assert_eq!(world.notes.len(), 1, "{:?}", world.notes);
    assert_eq!((world.own_stalls, world.restarts), (0, 0));
}

#[test]
fn a_chain_that_begins_anew_from_below_moves() {
    let mut world = World::new(Protocol::Substrate);
    for _ in 0..20 {
        round(&mut world, 2, |_| at(1_000));
    }
    for n in 0..20 {
        round(&mut world, 2, |_| at(n));
    }
    assert!(!world.chain.is_stalled(Height::Best));
    assert_eq!(world.notes.len(), 2, "{:?}", world.notes);
}

#[test]
fn with_one_other_that_does_not_go_beyond_it_a_stall_is_told_a_little_later_and_asks_for_no_restart() {
    let mut world = World::new(Protocol::Substrate);
    // The other one is far below and catches up: nobody can say whether the chain goes on.
    let see = |world: &mut World, n: u64| round(world, 2, |node| if node == 0 { at(1_000) } else { at(n) });
    (0..8).for_each(|n| see(&mut world, n));
    assert_eq!(world.judge(0).best.level, Level::Fine);
    (8..13).for_each(|n| see(&mut world, n));
    assert_eq!((world.judge(0).best.level, world.judge(0).best.whose), (Level::Warning, Whose::Unclear));
    (13..40).for_each(|n| see(&mut world, n));
    assert_eq!((world.judge(0).best.level, world.restarts), (Level::Critical, 0));
}

#[test]
fn the_only_node_that_can_be_asked_of_a_chain_is_told_when_it_stands_and_not_restarted_for_it() {
    let mut world = World::new(Protocol::Substrate);
    world.chain.has_unseen();
    (0..40).for_each(|n: u64| round(&mut world, 1, |_| at(1_000 + n.min(3))));
    assert_eq!((world.judge(0).best.level, world.judge(0).best.whose), (Level::Critical, Whose::Unclear));
    assert_eq!((world.restarts, world.notes.len()), (0, 0));
    // Where another one is seen to go on, that proves whose fault it is.
    (0..40).for_each(|n| round(&mut world, 2, |node| at(if node == 0 { 1_003 } else { 1_003 + n * 5 })));
    assert!(world.judge(0).asks_for_restart());
}

#[test]
fn a_node_that_stands_while_the_others_cannot_be_heard_is_not_restarted_for_it() {
    let mut world = World::new(Protocol::Substrate);
    (0..5).for_each(|n| round(&mut world, 2, |_| at(1_000 + n)));
    // The network is gone: the node here has no peers any more, and the other one, which is elsewhere, does not answer.
    (0..40).for_each(|_| round(&mut world, 1, |_| at(1_004)));
    assert_eq!((world.judge(0).best.level, world.judge(0).best.whose), (Level::Critical, Whose::Unclear));
    assert_eq!(world.restarts, 0);
    // Whoever does not run is nobody to hear.
    world.chain.forget(&name(1));
    assert_eq!(world.judge(0).best.whose, Whose::Own);
}

#[test]
fn a_chain_of_which_no_node_runs_does_not_stand_still() {
    let mut world = World::new(Protocol::Substrate);
    (0..40).for_each(|n: u64| round(&mut world, 2, |_| at(1_000 + n.min(3))));
    assert!(world.chain.is_stalled(Height::Best));
    world.chain.forget(&name(0));
    assert!(world.chain.is_stalled(Height::Best), "the other one stands");
    world.chain.forget(&name(1));
    assert!(!world.chain.is_stalled(Height::Best));
}

#[test]
fn whoever_is_silent_is_not_compared_with() {
    let mut world = World::new(Protocol::Substrate);
    world.see(0, at(5_000));
    world.wait(121);
    let verdict = world.see(1, at(1_000));
    assert_eq!((verdict.in_sync, verdict.facts.lag), (Some(true), None));
    assert_eq!(world.chain.others(&name(1), world.now).count(), 0);
    world.see(0, at(5_000));
    assert_eq!(world.judge(1).facts.lag, Some(4_000));
    world.chain.forget(&name(0));
    assert_eq!(world.judge(1).facts.lag, None);
}
