//! Lives of a breaker.

use super::*;
use Event::{Abandoned, Ask, Failed, Succeeded};
use proptest::prelude::*;

const POLICY: BreakerPolicy = BreakerPolicy { failures: 5, open_for: Span::from_secs(60), probes: 3 };

fn at(seconds: i64) -> Time {
    Time::from_unix_millis(seconds * 1_000)
}

fn opened() -> Breaker {
    let mut breaker = Breaker::default();
    for _ in 0..5 {
        assert!(breaker.step(Ask, &POLICY, at(0)));
        breaker.step(Failed, &POLICY, at(0));
    }
    breaker
}

#[test]
fn it_opens_after_five_failures_in_a_row_and_the_defaults_are_these() {
    assert_eq!(BreakerPolicy::default(), POLICY);
    let mut breaker = Breaker::default();
    for event in [Failed, Failed, Failed, Failed, Succeeded, Failed, Failed, Failed, Failed] {
        breaker.step(event, &POLICY, at(0));
        assert!(breaker.step(Ask, &POLICY, at(0)));
    }
    breaker.step(Failed, &POLICY, at(1));
    assert_eq!(breaker.state(), BreakerState::Open { until: at(61) });
    assert!(!breaker.step(Ask, &POLICY, at(60)));
}

#[test]
fn half_open_it_lets_three_tries_pass_and_closes_when_all_succeed() {
    let mut breaker = opened();
    for _ in 0..3 {
        assert!(breaker.step(Ask, &POLICY, at(60)));
    }
    assert!(!breaker.step(Ask, &POLICY, at(60)));
    for _ in 0..2 {
        breaker.step(Succeeded, &POLICY, at(61));
        assert!(!breaker.step(Ask, &POLICY, at(61)));
    }
    breaker.step(Succeeded, &POLICY, at(61));
    assert_eq!(breaker.state(), BreakerState::Closed { failures: 0 });
}

#[test]
fn half_open_one_failure_opens_it_again() {
    let mut breaker = opened();
    assert!(breaker.step(Ask, &POLICY, at(60)));
    breaker.step(Succeeded, &POLICY, at(60));
    assert!(breaker.step(Ask, &POLICY, at(61)));
    breaker.step(Failed, &POLICY, at(62));
    assert_eq!(breaker.state(), BreakerState::Open { until: at(122) });
    // Late news of an earlier try changes nothing.
    breaker.step(Succeeded, &POLICY, at(63));
    breaker.step(Failed, &POLICY, at(63));
    assert_eq!(breaker.state(), BreakerState::Open { until: at(122) });
}

#[test]
fn tries_without_an_end_do_not_wedge_it() {
    let mut breaker = opened();
    for _ in 0..3 {
        assert!(breaker.step(Ask, &POLICY, at(60)));
    }
    breaker.step(Abandoned, &POLICY, at(60));
    assert!(breaker.step(Ask, &POLICY, at(60)));
    assert!(!breaker.step(Ask, &POLICY, at(119)));
    assert!(breaker.step(Ask, &POLICY, at(120)));
}

proptest! {
    #[test]
    fn it_never_refuses_for_ever_and_survives_being_kept(
        events in prop::collection::vec((prop::sample::select(vec![Ask, Succeeded, Failed, Abandoned]), 0..40_i64), 0..80),
        failures in 0..4_u32, probes in 0..4_u32,
    ) {
        let policy = BreakerPolicy { failures, probes, ..POLICY };
        let (mut breaker, mut now, mut row) = (Breaker::default(), 0, 0);
        for (event, seconds) in events {
            now += seconds;
            let was_closed = matches!(breaker.state(), BreakerState::Closed { .. });
            let passes = breaker.step(event, &policy, at(now));
            row = match event { Failed => row + 1, Succeeded => 0, _ => row };
            prop_assert!(passes || event == Ask && !was_closed);
            if was_closed && !matches!(breaker.state(), BreakerState::Closed { .. }) {
                prop_assert!(row >= failures.max(1));
            }
            if let BreakerState::HalfOpen { passed, succeeded, .. } = breaker.state() {
                prop_assert!(succeeded < probes.max(1) && passed <= succeeded + probes.max(1));
            }
            let text = serde_json::to_string(&breaker).unwrap();
            prop_assert_eq!(serde_json::from_str::<Breaker>(&text).unwrap(), breaker);
        }
        prop_assert!(breaker.step(Ask, &policy, at(now + 60)));
    }
}
