//! What is told of what was seen.

use super::*;
use dixmgr_decide::node::{Level, Stall, Whose};
use dixmgr_probe::{CheckSpec, Prober, check::Ask};
use dixmgr_telemetry::{Metrics, Room};

fn endpoint() -> Subject {
    let ask = Ask::Dns { name: "localhost".into(), expect: Vec::new(), budget: Default::default() };
    Subject::Endpoint(Box::new(EndpointSubject {
        check: Some(Prober::new().check(CheckSpec { ask, timeout: Duration::from_secs(1) })),
        machine: CheckMachine::new(Time::default()),
        thresholds: Thresholds { failures: 2, successes: 1, start_grace: Span::ZERO },
        last: CheckResult::default(),
        ready: false,
    }))
}

/// What is told after these results.
fn after(states: &[CheckState]) -> Verdict {
    let (mut subject, mut chains) = (endpoint(), Chains::new(Metrics::new("dixmgr", Room::of(1)).unwrap()));
    for state in states {
        let Some(Look::Endpoint(check)) = subject.look() else { panic!("it runs") };
        assert!(subject.look().is_none(), "never twice at a time");
        let result = CheckResult { state: *state, reason: "why".into(), ..CheckResult::default() };
        subject.hear(Seen::Endpoint(check, result), &mut chains, Time::default());
    }
    subject.verdicts("http").remove(0)
}

#[test]
fn what_we_cannot_see_is_neither_ill_nor_newly_unready() {
    use CheckState::{Degraded, Healthy, Unhealthy, Unknown};
    let of = |states: &[CheckState]| {
        let verdict = after(states);
        (verdict.healthy, verdict.unready, verdict.failed)
    };
    assert_eq!(of(&[]), (true, true, false), "nobody relies on what was never seen");
    assert_eq!(of(&[Healthy]), (true, false, false));
    assert_eq!(of(&[Healthy, Unhealthy]), (true, false, false), "once is not enough");
    assert_eq!(of(&[Healthy, Unhealthy, Unhealthy]), (false, true, true));
    assert_eq!(of(&[Healthy, Degraded, Degraded]), (false, false, false));
    assert_eq!(of(&[Healthy, Unknown, Unknown]), (true, false, false), "our own fault");
    assert_eq!(of(&[Unhealthy, Unhealthy, Unknown, Unknown]), (true, true, false));
    assert_eq!(after(&[Unhealthy, Unhealthy]).detail, "why");
}

#[test]
fn whoever_answers_is_not_dead() {
    let event = |state, status| {
        let Some(Look::Endpoint(check)) = endpoint().look() else { panic!("it runs") };
        Seen::Endpoint(check, CheckResult { state, status, ..CheckResult::default() }).event()
    };
    assert_eq!(event(CheckState::Unhealthy, Some(503)), Event::Succeeded);
    assert_eq!(event(CheckState::Unhealthy, None), Event::Failed);
    assert_eq!(event(CheckState::Unknown, None), Event::Abandoned);
}

#[test]
fn a_node_that_catches_up_is_not_ready_and_not_ill() {
    let own = |level| Stall { level, whose: Whose::Own };
    let behind = NodeVerdict { in_sync: Some(false), lag: Level::Warning, ..NodeVerdict::default() };
    assert!(!is_bad(&behind));
    assert!(is_bad(&NodeVerdict { in_sync: Some(true), ..behind.clone() }), "it was in sync and fell behind");
    assert!(is_bad(&NodeVerdict { best: own(Level::Warning), ..behind.clone() }));
    let chain = Stall { level: Level::Critical, whose: Whose::Chain };
    assert!(!is_bad(&NodeVerdict { best: chain, ..behind }), "the chain's fault is not the node's");
}
