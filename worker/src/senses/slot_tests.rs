//! What a probe asks, and where the answer goes.

use super::*;
use crate::senses::subject::{EndpointSubject, NodeLook, NodeSubject, unless_it_breaks};
use dixmgr_contract::{CheckResult, CheckState, NodeSighting, Protocol};
use dixmgr_decide::breaker::Event;
use dixmgr_decide::check::{Belief, Thresholds, mean_the_same};
use dixmgr_decide::node::{NodePolicy, NodeVerdict, NodeWatch};
use dixmgr_probe::{CheckSpec, Endpoint, HttpError, NodeChecker, NodeError, Prober, check::Ask};
use dixmgr_telemetry::{BreakerPosition, Metrics, Room};

const INTERVAL: Span = Span::from_secs(30);

fn at(millis: u64) -> Time {
    Time::from_unix_millis(1_000_000).after(Span::from_millis(millis))
}

fn running(service: &str, probe: &str, subject: Subject) -> Slot {
    let mut slot = Slot::new(service.into(), probe.into(), (INTERVAL, 3), subject, &mut Rng::new(1), at(0));
    slot.follow(true, at(0), at(0));
    slot
}

fn alone(slot: Slot) -> (Slot, Chains) {
    (slot, Chains::new(Metrics::new("dixmgr", Room::of(1)).unwrap()))
}

fn node() -> (Slot, Chains) {
    alone(node_of("api", "probe", Protocol::Substrate))
}

/// A node of the chain `test`, which runs.
pub(in crate::senses) fn node_of(service: &str, probe: &str, protocol: Protocol) -> Slot {
    let node = NodeSubject {
        service: service.parse().unwrap(),
        probe: probe.to_owned(),
        chain: ("test".to_owned(), protocol),
        ask: NodeLook {
            nodes: NodeChecker::new().unwrap(),
            protocol,
            endpoint: Endpoint::parse("http://127.0.0.1:1").unwrap(),
            timeout: Duration::from_secs(5),
        },
        policy: NodePolicy::of(protocol),
        watch: NodeWatch::default(),
        verdict: NodeVerdict::default(),
    };
    running(service, probe, Subject::Node(Box::new(node)))
}

fn endpoint() -> (Slot, Chains) {
    let ask = Ask::Dns { name: "localhost".into(), expect: Vec::new(), budget: Default::default() };
    let subject = EndpointSubject {
        check: Some(Prober::new().check(CheckSpec { ask, timeout: Duration::from_secs(1) })),
        thresholds: Thresholds { failures: 1, successes: 1, start_grace: Span::ZERO },
        belief: Belief::new(at(0)),
    };
    alone(running("api", "probe", Subject::Endpoint(Box::new(subject))))
}

fn refused() -> Seen {
    let reason = "Connection refused".to_owned();
    Seen::Node(Some(Err(NodeError::Http(HttpError::Connect { place: "http://127.0.0.1:1".to_owned(), reason }))))
}

/// We could not ask.
fn shortage() -> Seen {
    let reason = "Too many open files".to_owned();
    Seen::Node(Some(Err(NodeError::Http(HttpError::Ours { place: "http://127.0.0.1:1".to_owned(), reason }))))
}

/// It answers, and not as a node does.
fn forbidden() -> Seen {
    Seen::Node(Some(Err(NodeError::Status { place: "http://127.0.0.1:1".to_owned(), status: 403 })))
}

fn in_sync() -> Seen {
    let sighting = NodeSighting { best: Some(7), peers: Some(9), is_syncing: Some(false), ..NodeSighting::default() };
    Seen::Node(Some(Ok(sighting)))
}

#[test]
fn a_node_that_comes_into_sync_is_asked_at_its_interval() {
    let (mut slot, mut chains) = node();
    assert!(slot.begin(at(0)).is_some());
    assert!(slot.end(refused(), &mut chains, at(0)), "the first is told");
    let next = slot.wake_at().unwrap();
    assert!(next > at(0) && next.since(at(0)) <= Span::from_millis(200));
    assert!(slot.begin(next).is_some());
    assert!(!slot.end(in_sync(), &mut chains, next));
    assert!(slot.verdicts().iter().all(|verdict| verdict.healthy), "{:?}", slot.verdicts());
    assert!(slot.wake_at() > Some(next.after(Span::from_secs(1))));
}

#[test]
fn a_node_that_refuses_is_dead_and_one_that_answers_is_not() {
    assert_eq!(refused().event(), Event::Failed);
    assert_eq!(shortage().event(), Event::Abandoned);
    assert_eq!(in_sync().event(), Event::Succeeded);
    let status = NodeError::Status { place: "http://127.0.0.1:1".to_owned(), status: 503 };
    assert_eq!(Seen::Node(Some(Err(status))).event(), Event::Succeeded);
}

/// It is asked again and again until its grace is over, each time with that in the end; is it ill then, has it failed, and is it
/// left alone?
fn after_its_grace(look: fn() -> Seen, seconds: u64) -> (bool, bool, bool) {
    let (mut slot, mut chains) = node();
    let grace = at(60_000);
    loop {
        let now = slot.wake_at().unwrap();
        if now > grace.after(Span::from_secs(seconds)) {
            let [_, progress] = <[Verdict; 2]>::try_from(slot.verdicts()).unwrap();
            let is_left_alone = slot.shown(Duration::ZERO).unwrap().breaker != BreakerPosition::Closed;
            return (!progress.healthy, progress.failed, is_left_alone);
        }
        if slot.begin(now).is_some() {
            slot.end(look(), &mut chains, now);
        }
        assert!(now >= grace || slot.verdicts().iter().all(|verdict| verdict.unknown), "{:?}", slot.verdicts());
    }
}

#[test]
fn a_node_is_given_the_time_to_start_and_our_faults_are_not_its_own() {
    // Three looks in a row, one each 30 seconds, of which the first may come as the grace ends.
    assert_eq!(after_its_grace(refused, 50), (false, false, false), "it may be a little late");
    assert_eq!(after_its_grace(refused, 100), (true, true, false));
    assert_eq!(after_its_grace(shortage, 100), (false, false, false));
    assert_eq!(after_its_grace(forbidden, 100), (true, false, false), "who answers is not restarted");
}

/// One of this host is awaited, and is given the time to start.
#[test]
fn a_node_of_another_host_that_refuses_is_left_alone_after_five_looks() {
    let looks_in_ten_minutes = |is_of_here: bool| {
        let (slot, mut chains) = node();
        let mut slot = if is_of_here { slot } else { slot.of_another_host() };
        let mut looks = 0;
        while let Some(now) = slot.wake_at().filter(|now| *now < at(600_000)) {
            if slot.begin(now).is_some() {
                slot.end(refused(), &mut chains, now);
                looks += 1;
            }
        }
        (looks, slot.shown(Duration::ZERO).unwrap().breaker != BreakerPosition::Closed)
    };
    let (of_here, of_another) = (looks_in_ten_minutes(true), looks_in_ten_minutes(false));
    assert!(!of_here.1 && of_another.1 && of_another.0 * 3 < of_here.0, "{of_here:?} {of_another:?}");
}

#[test]
fn a_look_of_an_earlier_run_is_not_believed() {
    let (mut slot, mut chains) = endpoint();
    let Some(Look::Endpoint(check)) = slot.begin(at(0)) else { panic!("it is due") };
    assert!(slot.begin(at(0)).is_none(), "never twice at a time");
    slot.follow(true, at(100), at(100));
    let ill = CheckResult { state: CheckState::Unhealthy, ..CheckResult::default() };
    assert!(!slot.end(Seen::Endpoint(check, Some(ill.clone())), &mut chains, at(150)));
    assert!(slot.verdicts().iter().all(|verdict| verdict.healthy));
    let Some(Look::Endpoint(check)) = slot.begin(at(150)) else { panic!("the new run is asked at once") };
    assert!(slot.end(Seen::Endpoint(check, Some(ill)), &mut chains, at(160)));
    assert!(slot.verdicts().iter().all(|verdict| verdict.failed));
}

#[test]
fn a_look_that_breaks_off_says_nothing_and_the_next_one_is_made() {
    for (mut slot, mut chains) in [node(), endpoint()] {
        let seen = |look: Look, seen: bool| match look {
            Look::Endpoint(check) => {
                let well = CheckResult { state: CheckState::Healthy, ..CheckResult::default() };
                Seen::Endpoint(check, seen.then_some(well))
            }
            Look::Node(_) if seen => in_sync(),
            Look::Node(_) => Seen::Node(None),
        };
        let look = slot.begin(at(0)).unwrap();
        slot.end(seen(look, true), &mut chains, at(1));
        let told = slot.verdicts();
        for _ in 0..2 {
            let now = slot.wake_at().unwrap();
            let look = slot.begin(now).unwrap();
            let lost = seen(look, false);
            assert_eq!(lost.event(), Event::Abandoned);
            slot.end(lost, &mut chains, now);
            let known = |verdict| Verdict { unknown: false, ..verdict };
            let verdicts: Vec<_> = slot.verdicts().into_iter().map(known).collect();
            assert!(mean_the_same(&verdicts, &told), "{verdicts:?}");
        }
        assert!(slot.wake_at().is_some());
    }
}

#[tokio::test]
async fn a_panic_in_a_look_ends_that_look_only() {
    let broken: Option<()> = unless_it_breaks(async { panic!("on purpose") }).await;
    assert_eq!(broken, None);
    assert_eq!(unless_it_breaks(async { 7 }).await, Some(7));
}
