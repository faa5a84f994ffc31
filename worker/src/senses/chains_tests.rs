//! Several nodes behind one service: what its gauges show, and what its chain makes of them.

use super::*;
use crate::senses::slot::tests::node_of;
use crate::senses::subject::Seen;
use dixmgr_contract::{Span, Verdict};
use dixmgr_telemetry::{Room, ServiceLabels};

struct World {
    slots: [Slot; 2],
    chains: Chains,
    metrics: Metrics,
    now: Time,
}

impl World {
    /// Of one service with these two nodes, of one chain.
    fn of(probes: [(&str, Protocol); 2]) -> Self {
        let metrics = Metrics::new("dixmgr", Room::of(1)).unwrap();
        metrics.services().put(ServiceLabels { service: "api".into(), kind: "node".into(), chain: "test".into() });
        let slots = probes.map(|(probe, protocol)| node_of("api", probe, protocol));
        Self { slots, chains: Chains::new(metrics.clone()), metrics, now: Time::default() }
    }

    /// The next look that is due: what each of the two would see.
    fn look(&mut self, sees: impl Fn(usize) -> NodeSighting) -> usize {
        let index = usize::from(self.slots[1].wake_at() < self.slots[0].wake_at());
        let slot = &mut self.slots[index];
        self.now = slot.wake_at().unwrap();
        assert!(slot.begin(self.now).is_some());
        slot.end(Seen::Node(Some(Ok(sees(index)))), &mut self.chains, self.now);
        self.chains.show(self.slots.iter());
        index
    }

    /// What the service's gauges show: in sync, peers, height, lag.
    fn shown(&self) -> [Option<u64>; 4] {
        let text = self.metrics.render().unwrap();
        ["sync_status", "peer_count", "best_block_height", "lag_blocks"].map(|name| {
            let line = text.lines().find(|line| line.starts_with(&format!("dixmgr_node_{name}{{")))?;
            line.rsplit(' ').next().unwrap().parse().ok()
        })
    }
}

#[test]
fn the_gauges_of_a_service_show_the_node_that_stands_worst_whichever_was_looked_at_last() {
    for ill in [0, 1] {
        let mut world = World::of([("cl", Protocol::EthereumConsensus), ("el", Protocol::Ethereum)]);
        let (mut looks, mut height) = ([0, 0], 0);
        for best in 5_000..6_000 {
            let index = world.look(|index| NodeSighting {
                best: Some(if index == ill { best } else { best - 4_000 }),
                highest: (index == ill).then_some(9_000),
                peers: Some(if index == ill { 3 } else { 9 }),
                is_syncing: Some(index == ill),
                ..NodeSighting::default()
            });
            looks[index] += 1;
            height = if index == ill { best } else { height };
            if looks.iter().all(|looks| *looks > 0) {
                let expected = [Some(0), Some(3), Some(height), Some(9_000 - height)];
                assert_eq!(world.shown(), expected, "{ill} {looks:?}");
            }
        }
        assert!(looks.iter().all(|looks| *looks > 5), "each was the last one now and then: {looks:?}");
        world.chains.forget(&world.slots[ill]);
        assert_eq!(world.shown(), [None; 4]);
    }
}

#[test]
fn a_process_that_two_probes_ask_is_no_chain_that_stands_still() {
    let mut world = World::of([("http", Protocol::Substrate), ("rpc", Protocol::Substrate)]);
    let sees = |best| NodeSighting {
        best: Some(best),
        finalized: Some(best),
        peers: Some(9),
        is_syncing: Some(false),
        ..NodeSighting::default()
    };
    for best in 100..120 {
        world.look(|_| sees(best));
    }
    let stood = world.now;
    while world.now.since(stood) < Span::from_secs(3_600) {
        world.look(|_| sees(119));
    }
    for slot in &world.slots {
        let [_, progress] = <[Verdict; 2]>::try_from(slot.verdicts()).unwrap();
        assert!(progress.failed, "a restart may help: {progress:?}");
    }
    let text = world.metrics.render().unwrap();
    let stalled: Vec<_> = text.lines().filter(|line| line.starts_with("dixmgr_chain_stalled{")).collect();
    assert!(!stalled.is_empty() && stalled.iter().all(|line| line.ends_with(" 0")), "{stalled:?}");
}
