//! The arithmetic of uptime: cases with known answers, and what holds for any intervals.

use super::*;
use proptest::prelude::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_millis(seconds * 1000)
}

fn measure(intervals: &[(State, i64, Option<i64>)], from: i64, to: i64) -> Uptime {
    let mut meter = Meter::new(at(from), at(to));
    for (state, began, ended) in intervals {
        meter.add(*state, at(*began), ended.map(at));
    }
    meter.done()
}

#[test]
fn unknown_time_is_in_no_percentage() {
    let intervals = [
        (State::Up, 100, Some(190)),
        (State::Down, 190, Some(200)),
        (State::Unknown, 200, Some(900)),
        (State::Up, 900, None),
    ];
    let found = measure(&intervals, 0, 1000);
    let parts = [found.up, found.down, found.unknown, found.off, found.unwatched].map(|part| part.as_millis() / 1000);
    assert_eq!(parts, [190, 10, 700, 0, 100]);
    assert_eq!(found.percent(), Some(95.0));
    assert_eq!((found.mtbf(), found.mttr()), (Some(Span::from_secs(190)), Some(Span::from_secs(10))));
}

#[test]
fn an_outage_that_dixmgr_slept_through_at_the_edge_of_the_window_is_no_new_one() {
    let asleep = [(State::Down, 10, Some(20)), (State::Unknown, 20, Some(110)), (State::Down, 110, Some(120))];
    let found = measure(&[&asleep[..], &[(State::Up, 120, None)]].concat(), 100, 200);
    assert_eq!((found.outages, found.restored, found.mttr()), (0, 1, Some(Span::from_secs(110))));
    // An outage that was over before the window is none of it.
    let over = measure(&[(State::Down, 10, Some(20)), (State::Up, 20, None)], 100, 200);
    assert_eq!((over.outages, over.restored, over.mttr()), (0, 0, None));
    // It was well before that.
    let well = [(State::Up, 10, Some(20)), (State::Unknown, 20, Some(110)), (State::Down, 110, Some(120))];
    assert_eq!(measure(&well, 100, 200).outages, 1);
}

#[test]
fn an_outage_that_dixmgr_slept_through_is_one() {
    let intervals = [
        (State::Up, 0, Some(10)),
        (State::Down, 10, Some(20)),
        (State::Unknown, 20, Some(30)),
        (State::Down, 30, Some(50)),
        (State::Up, 50, Some(100)),
    ];
    let found = measure(&intervals, 0, 100);
    assert_eq!((found.outages, found.restored, found.mttr()), (1, 1, Some(Span::from_secs(40))));
}

#[test]
fn what_is_switched_off_is_neither_an_outage_nor_a_restoration() {
    let intervals =
        [(State::Up, 0, Some(10)), (State::Down, 10, Some(20)), (State::Off, 20, Some(90)), (State::Up, 90, None)];
    let found = measure(&intervals, 0, 100);
    assert_eq!((found.outages, found.restored, found.mttr()), (1, 0, None));
    assert_eq!(found.off, Span::from_secs(70));
}

#[test]
fn an_outage_of_before_the_window_is_restored_in_it_and_counts_whole() {
    let found = measure(&[(State::Down, 0, Some(120)), (State::Up, 120, None)], 100, 200);
    assert_eq!((found.outages, found.restored), (0, 1));
    assert_eq!((found.mttr(), found.down), (Some(Span::from_secs(120)), Span::from_secs(20)));
}

#[test]
fn nothing_known_has_no_percentage() {
    assert_eq!(measure(&[], 0, 10).percent(), None);
    assert_eq!(measure(&[(State::Unknown, 0, None)], 0, 10).percent(), None);
}

/// Intervals one after the other, some with a gap between them.
fn lives() -> impl Strategy<Value = Vec<(State, i64, Option<i64>)>> {
    let part = (0..4_usize, 1_i64..50, prop_oneof![3 => Just(0_i64), 1 => 1_i64..20]);
    (proptest::collection::vec(part, 0..20), any::<bool>()).prop_map(|(parts, lasts)| {
        let mut cursor = 100;
        let mut found = Vec::new();
        for (state, length, gap) in parts {
            found.push((State::ALL[state], cursor, Some(cursor + length)));
            cursor += length + gap;
        }
        if let Some((_, _, ended)) = found.last_mut().filter(|_| lasts) {
            *ended = None;
        }
        found
    })
}

fn total(found: &Uptime) -> u64 {
    [found.up, found.down, found.unknown, found.off, found.unwatched].iter().map(|part| part.as_millis()).sum()
}

proptest! {
    #[test]
    fn the_parts_are_the_window(lives in lives(), from in 0_i64..800, length in 0_i64..800) {
        let found = measure(&lives, from, from + length);
        prop_assert_eq!(total(&found), u64::try_from(length).unwrap() * 1000);
        prop_assert!(found.percent().is_none_or(|percent| (0.0..=100.0).contains(&percent)));
    }

    #[test]
    fn two_halves_are_the_whole(lives in lives(), from in 0_i64..400, first in 0_i64..400, second in 0_i64..400) {
        let (mid, to) = (from + first, from + first + second);
        let (a, b, whole) = (measure(&lives, from, mid), measure(&lives, mid, to), measure(&lives, from, to));
        prop_assert_eq!(span_sum(a.up, b.up), whole.up);
        prop_assert_eq!(span_sum(a.down, b.down), whole.down);
        prop_assert_eq!(span_sum(a.off, b.off), whole.off);
        // A half may begin in the middle of an outage that it takes for a new one only if that one began in it.
        prop_assert!(a.outages + b.outages >= whole.outages);
    }

    #[test]
    fn any_intervals_are_counted_once(
        mut wild in proptest::collection::vec((0..4_usize, 0_i64..500, proptest::option::of(0_i64..500)), 0..20),
    ) {
        wild.sort_by_key(|(_, began, _)| *began);
        let intervals: Vec<_> = wild.into_iter().map(|(state, began, ended)| (State::ALL[state], began, ended)).collect();
        prop_assert_eq!(total(&measure(&intervals, 50, 450)), 400_000);
    }
}
