//! When a probe is asked, and when it is left alone.

use super::*;
use crate::senses::subject::{NodeLook, NodeSubject};
use dixmgr_contract::{NodeSighting, Protocol};
use dixmgr_decide::node::{NodePolicy, NodeVerdict, NodeWatch};
use dixmgr_probe::{Endpoint, HttpError, NodeChecker, NodeError};
use dixmgr_telemetry::{Metrics, Room};

const INTERVAL: Span = Span::from_secs(30);

fn at(millis: u64) -> Time {
    Time::from_unix_millis(1_000_000).after(Span::from_millis(millis))
}

fn node() -> (Slot, Chains) {
    let chain = ("test".to_owned(), Protocol::Substrate);
    let subject = Subject::Node(Box::new(NodeSubject {
        service: "node".parse().unwrap(),
        chain: chain.clone(),
        ask: NodeLook {
            nodes: NodeChecker::new().unwrap(),
            protocol: Protocol::Substrate,
            endpoint: Endpoint::parse("http://127.0.0.1:1").unwrap(),
            timeout: Duration::from_secs(5),
        },
        policy: NodePolicy::of(Protocol::Substrate),
        watch: NodeWatch::default(),
        verdict: NodeVerdict::default(),
    }));
    let slot = Slot::new("node".into(), "rpc".into(), INTERVAL, subject, &mut Rng::new(1), at(0));
    (slot, Chains::new(Metrics::new("dixmgr", Room::of(1)).unwrap()))
}

fn refused() -> Seen {
    let reason = "Connection refused".to_owned();
    Seen::Node(Err(NodeError::Http(HttpError::Connect { place: "http://127.0.0.1:1".to_owned(), reason })))
}

fn in_sync() -> Seen {
    Seen::Node(Ok(NodeSighting { best: Some(7), peers: Some(9), is_syncing: Some(false), ..NodeSighting::default() }))
}

#[test]
fn a_node_whose_port_opens_late_is_asked_soon_after() {
    let (mut slot, mut chains) = node();
    slot.follow(true, at(0), at(0));
    let (mut now, mut is_first) = (at(0), true);
    while now < at(8_000) {
        assert!(slot.begin(now).is_some());
        assert_eq!(slot.end(refused(), &mut chains, now), std::mem::take(&mut is_first), "only the first is told");
        let next = slot.wake_at().unwrap();
        assert!(next > now && next.since(now) <= Span::from_millis(200));
        now = next;
    }
    assert!(slot.begin(now).is_some());
    slot.end(in_sync(), &mut chains, now);
    assert!(slot.verdicts().iter().all(|verdict| verdict.healthy), "{:?}", slot.verdicts());
    assert!(slot.wake_at() > Some(now.after(Span::from_secs(1))), "from then on at its interval");
}

#[test]
fn a_dead_node_is_left_alone_once_nobody_would_wait_any_more() {
    let (mut slot, mut chains) = node();
    slot.follow(true, at(0), at(0));
    let (mut looks, mut now) = (0, at(0));
    while now < at(3 * 3_600_000) {
        if slot.begin(now).is_some() {
            looks += 1;
            slot.end(refused(), &mut chains, now);
        }
        now = slot.wake_at().unwrap();
    }
    // Three hours at 200 ms would be 54,000; at its interval, 360.
    assert!((100..700).contains(&looks), "{looks}");
    assert!(slot.shown(Duration::ZERO).unwrap().is_open);
}

#[test]
fn a_look_of_an_earlier_run_is_not_believed() {
    let (mut slot, mut chains) = node();
    slot.follow(true, at(0), at(0));
    assert!(slot.begin(at(0)).is_some());
    slot.follow(true, at(100), at(100));
    assert!(!slot.end(in_sync(), &mut chains, at(150)));
    assert!(slot.verdicts().iter().any(|verdict| !verdict.healthy));
    assert_eq!(slot.wake_at(), Some(at(150)), "the new run is asked at once");
}
