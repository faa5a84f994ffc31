//! Lives of a check.

use super::*;
use CheckState::{Degraded, Healthy, Unhealthy, Unknown};
use proptest::prelude::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_millis(seconds * 1_000)
}

fn thresholds(failures: u32, successes: u32) -> Thresholds {
    Thresholds { failures, successes, start_grace: Span::from_secs(60) }
}

/// What is believed after each result, one a second.
fn life(thresholds: &Thresholds, results: &[CheckState]) -> Vec<CheckState> {
    let mut machine = CheckMachine::new(at(0));
    let step = |(second, result): (usize, &CheckState)| {
        machine.step(*result, thresholds, at(i64::try_from(second).unwrap()));
        machine.state()
    };
    results.iter().enumerate().map(step).collect()
}

#[test]
fn it_takes_failures_in_a_row_and_successes_in_a_row() {
    let results =
        [Healthy, Unhealthy, Unhealthy, Healthy, Unhealthy, Unhealthy, Unhealthy, Healthy, Unhealthy, Healthy, Healthy];
    let states =
        [Healthy, Healthy, Healthy, Healthy, Healthy, Healthy, Unhealthy, Unhealthy, Unhealthy, Unhealthy, Healthy];
    assert_eq!(life(&thresholds(3, 2), &results), states);
}

#[test]
fn slow_answers_are_degraded_and_wrong_ones_among_them_do_not_hide_it() {
    let results = [Healthy, Degraded, Unhealthy, Degraded, Healthy, Degraded, Degraded, Healthy, Healthy];
    let states = [Healthy, Healthy, Healthy, Degraded, Degraded, Degraded, Degraded, Degraded, Healthy];
    assert_eq!(life(&thresholds(3, 2), &results), states);
    let results = [Unhealthy, Unhealthy, Degraded, Healthy, Unhealthy, Unhealthy];
    assert_eq!(life(&thresholds(2, 2), &results), [Unknown, Unhealthy, Unhealthy, Degraded, Degraded, Unhealthy]);
}

#[test]
fn what_we_could_not_see_neither_counts_nor_breaks_a_row_and_is_never_down() {
    let results = [Healthy, Unhealthy, Unknown, Unhealthy, Unknown, Unknown, Unknown, Unhealthy];
    let states = [Healthy, Healthy, Healthy, Healthy, Healthy, Healthy, Unknown, Unknown];
    assert_eq!(life(&thresholds(3, 1), &results), states);
    assert_eq!(life(&thresholds(2, 1), &[Unhealthy, Unknown, Unhealthy]), [Unknown, Unknown, Unhealthy]);
}

#[test]
fn failures_within_the_grace_of_a_start_do_not_count() {
    let (mut machine, thresholds) = (CheckMachine::new(at(0)), thresholds(1, 1));
    assert_eq!(machine.step(Healthy, &thresholds, at(0)), Some(Change { from: Unknown, to: Healthy }));
    assert_eq!(machine.started(at(10)), Some(Change { from: Healthy, to: Unknown }));
    assert_eq!(machine.step(Unhealthy, &thresholds, at(20)), None);
    assert_eq!(machine.step(Healthy, &thresholds, at(30)), Some(Change { from: Unknown, to: Healthy }));
    assert_eq!(machine.step(Unhealthy, &thresholds, at(69)), None);
    assert_eq!(machine.step(Unhealthy, &thresholds, at(70)), Some(Change { from: Healthy, to: Unhealthy }));
    assert_eq!(machine.since(), at(70));
}

fn any_state() -> impl Strategy<Value = CheckState> {
    prop::sample::select(vec![Healthy, Degraded, Unhealthy, Unknown])
}

proptest! {
    #[test]
    fn unhealthy_is_believed_after_failures_in_a_row_alone(
        failures in 1..5_u32, successes in 1..5_u32, results in prop::collection::vec(any_state(), 1..60),
    ) {
        let thresholds = thresholds(failures, successes);
        let states = life(&thresholds, &results);
        let mut before = Unknown;
        for (end, state) in states.iter().enumerate() {
            let seen: Vec<_> = results[..=end].iter().rev().filter(|result| **result != Unknown).collect();
            let in_a_row = |wanted: fn(CheckState) -> bool, count: u32| {
                seen.iter().take_while(|result| wanted(***result)).count() >= count as usize
            };
            if *state != before {
                match state {
                    Unhealthy => prop_assert!(in_a_row(|result| result == Unhealthy, failures)),
                    Healthy if before != Unknown => prop_assert!(in_a_row(|result| result == Healthy, successes)),
                    Healthy => prop_assert_eq!(results[end], Healthy),
                    Degraded if before == Unhealthy => prop_assert!(in_a_row(|result| result != Unhealthy, successes)),
                    Degraded => prop_assert!(in_a_row(|result| result != Healthy, failures)),
                    Unknown => prop_assert_eq!(results[end], Unknown),
                }
            }
            before = *state;
        }
    }

    #[test]
    fn its_memory_survives_and_goes_on_alike(results in prop::collection::vec(any_state(), 1..30), cut in 0..30_usize) {
        let thresholds = thresholds(2, 2);
        let mut machine = CheckMachine::new(at(0));
        for (second, result) in results.iter().enumerate() {
            if second == cut {
                let text = serde_json::to_string(&machine).unwrap();
                machine = serde_json::from_str(&text).unwrap();
            }
            machine.step(*result, &thresholds, at(i64::try_from(second).unwrap()));
        }
        prop_assert_eq!(machine.state(), *life(&thresholds, &results).last().unwrap());
    }
}
