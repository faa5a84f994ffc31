//! When a probe is asked, and when it is left alone.

use super::*;

const INTERVAL: Span = Span::from_secs(30);

fn at(millis: u64) -> Time {
    Time::from_unix_millis(1_000_000).after(Span::from_millis(millis))
}

/// Of a service that has run from the beginning.
fn asking() -> Asking {
    let mut asking = Asking::new(INTERVAL, 3, &mut Rng::new(1), at(0));
    asking.follow(true, at(0), at(0));
    asking
}

fn is_left_alone(asking: &Asking) -> bool {
    !matches!(asking.breaker(), BreakerState::Closed { .. })
}

/// Asks until `end`, whenever it is due; every look takes no time and ends so. How many looks there were, and until when.
fn ask_until(asking: &mut Asking, end: Time, means: Event, is_awaited: bool) -> (u32, Time) {
    let (mut looks, mut now) = (0, asking.wake_at().unwrap());
    while now < end {
        if asking.begin(now) {
            looks += 1;
            assert!(asking.returned(now));
            asking.heard(means, is_awaited, now);
        }
        now = asking.wake_at().unwrap();
    }
    (looks, now)
}

#[test]
fn a_port_that_opens_late_is_asked_soon_after() {
    let mut asking = asking();
    let (looks, now) = ask_until(&mut asking, at(8_000), Event::Failed, true);
    // One more where the series has a place between two of them.
    assert!((40..=41).contains(&looks), "every 200 ms, and never left alone: {looks}");
    assert!(now.since(at(8_000)) <= Span::from_millis(200));
    assert!(asking.begin(now) && asking.returned(now));
    asking.heard(Event::Succeeded, false, now);
    assert!(asking.wake_at() > Some(now.after(Span::from_secs(1))), "from then on at its interval");
}

#[test]
fn the_first_look_of_each_run_is_told() {
    let mut asking = asking();
    for is_first in [true, false] {
        let now = asking.wake_at().unwrap();
        assert!(asking.begin(now) && asking.returned(now));
        assert_eq!(asking.heard(Event::Succeeded, true, now), is_first);
    }
    asking.follow(true, at(60_000), at(60_000));
    assert!(asking.begin(at(60_000)) && asking.returned(at(60_000)));
    assert!(asking.heard(Event::Succeeded, true, at(60_000)));
}

#[test]
fn what_is_dead_is_left_alone_once_nobody_would_wait_any_more() {
    let mut asking = asking();
    let (looks, _) = ask_until(&mut asking, at(3 * 3_600_000), Event::Failed, true);
    // Three hours at 200 ms would be 54,000; at its interval, 360.
    assert!((100..700).contains(&looks), "{looks}");
    assert!(is_left_alone(&asking));
}

#[test]
fn what_was_well_and_dies_is_left_alone_for_a_while() {
    let mut asking = asking();
    ask_until(&mut asking, at(60_000), Event::Succeeded, false);
    let (looks, _) = ask_until(&mut asking, at(60_000 + 3_600_000), Event::Failed, false);
    // At its interval, 120; after five failures one try a minute, which is every second one of its places.
    assert!((30..70).contains(&looks) && is_left_alone(&asking), "{looks}");
    asking.follow(true, at(4_000_000), at(4_000_000));
    assert!(!is_left_alone(&asking) && asking.begin(at(4_000_000)), "a new run is asked at once");
}

#[test]
fn one_that_is_asked_often_is_left_alone_for_six_intervals() {
    let mut asking = Asking::new(Span::from_secs(1), 3, &mut Rng::new(1), at(0));
    asking.follow(true, at(0), at(0));
    let (looks, _) = ask_until(&mut asking, at(65_000), Event::Failed, false);
    assert!((13..=16).contains(&looks), "five, then one every six or seven seconds: {looks}");
}

#[test]
fn a_look_of_an_earlier_run_is_not_believed_and_the_new_run_is_asked_at_once() {
    let mut asking = asking();
    assert!(asking.begin(at(0)));
    asking.follow(true, at(100), at(100));
    assert_eq!(asking.wake_at(), None, "never twice at a time");
    assert!(!asking.returned(at(150)));
    assert_eq!(asking.wake_at(), Some(at(150)));
}

#[test]
fn what_does_not_run_is_not_asked() {
    let mut asking = asking();
    asking.follow(false, at(10), at(10));
    assert!(!asking.is_active() && asking.wake_at().is_none() && !asking.begin(at(3_600_000)));
}

#[test]
fn whoever_hung_waits_in_the_line_of_those_that_hung_until_it_answers() {
    use Event::{Abandoned, Failed, Succeeded};
    let mut asking = asking();
    let mut line_after = |means, took: u64| {
        let began = asking.wake_at().unwrap();
        let ended = began.after(Span::from_millis(took));
        assert!(asking.begin(began) && asking.returned(ended));
        asking.heard(means, false, ended);
        asking.line()
    };
    assert_eq!(line_after(Failed, 999), Line::Prompt, "refused");
    assert_eq!(line_after(Failed, 1_000), Line::Hung);
    assert_eq!(line_after(Succeeded, 5_000), Line::Prompt, "slow is not silent");
    assert_eq!(line_after(Abandoned, 5_000), Line::Hung, "whose fault it is, it held a place");
    assert_eq!(line_after(Succeeded, 3), Line::Prompt);
    assert_eq!(line_after(Failed, 300_000), Line::Hung);
    asking.follow(true, at(4_000_000), at(4_000_000));
    assert_eq!(asking.line(), Line::Prompt, "a new run is asked at once");
}

#[test]
fn whoever_answers_is_not_dead() {
    let means = |state, answered| sign_of_life(&CheckResult { state, answered, ..CheckResult::default() });
    assert_eq!(means(CheckState::Healthy, true), Event::Succeeded);
    assert_eq!(means(CheckState::Unhealthy, true), Event::Succeeded);
    assert_eq!(means(CheckState::Unhealthy, false), Event::Failed);
    assert_eq!(means(CheckState::Unknown, false), Event::Abandoned);
}

#[test]
fn whoever_hardly_waited_says_nothing_against_an_endpoint() {
    for (means, millis, then) in [
        (Event::Failed, 999, Event::Abandoned),
        (Event::Failed, 1_000, Event::Failed),
        (Event::Succeeded, 1, Event::Succeeded),
        (Event::Abandoned, 5_000, Event::Abandoned),
    ] {
        assert_eq!(if_patient(means, Span::from_millis(millis)), then, "{means:?} {millis}");
    }
}

/// Its owner has said how many failures in a row make it unhealthy: these are looked for before it is left alone.
#[test]
fn whoever_may_fail_often_is_asked_as_often() {
    for (failures, looks) in [(1, 5), (5, 5), (10, 10)] {
        let mut asking = Asking::new(INTERVAL, failures, &mut Rng::new(1), at(0));
        asking.follow(true, at(0), at(0));
        let mut made = 0;
        while asking.breaker() == (BreakerState::Closed { failures: made }) {
            let now = asking.wake_at().unwrap();
            assert!(asking.begin(now) && asking.returned(now));
            asking.heard(Event::Failed, false, now);
            made += 1;
        }
        assert_eq!(made, looks, "{failures}");
    }
}

/// An endpoint that is always bad, from the start of its service on, which is asked far more often than each interval.
#[test]
fn bad_looks_that_come_fast_count_once_in_an_interval_and_the_first_at_once() {
    let mut asking = asking();
    let (mut counted, mut looks) = (Vec::new(), 0);
    while let Some(now) = asking.wake_at().filter(|now| *now < at(300_000)) {
        assert!(asking.begin(now) && asking.returned(now));
        looks += 1;
        if asking.counts(true, true) {
            counted.push(now);
        }
        asking.heard(Event::Abandoned, true, now);
    }
    assert!(looks > 50 && (9..=13).contains(&counted.len()), "{looks}, {counted:?}");
    assert!(counted[0].since(at(0)) < Span::from_secs(1), "{counted:?}");
    let gaps = counted.windows(2).map(|pair| pair[1].since(pair[0]));
    assert!(gaps.into_iter().all(|gap| gap >= Span::from_millis(22_500)), "{counted:?}");
    // What is good counts at once, what is not awaited always, and a new run begins anew.
    assert!(asking.counts(false, true) && asking.counts(true, false) && !asking.counts(true, true));
    asking.follow(true, at(300_000), at(300_000));
    assert!(asking.counts(true, true));
}
