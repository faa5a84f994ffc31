//! What is kept of that which came and went untold, and for how long.

use super::*;
use dixmgr_contract::Severity;
use std::collections::BTreeMap;

const WAITS: Waits = Waits { group_wait: Span::from_secs(10), consequence_grace: Span::from_secs(60) };

fn at(seconds: i64) -> Time {
    Time::from_unix_millis(1_000_000 + seconds * 1_000)
}

fn alert(rule: &str) -> Alert {
    let (rule, alert, detail) = (rule.to_owned(), "service_down".to_owned(), "api is down".to_owned());
    Alert { rule, alert, severity: Severity::Critical, age_ms: 0, ended_ms: None, detail, labels: BTreeMap::new() }
}

/// The rules that have passed, in order.
fn rules(episodes: &Episodes, now: Time) -> Vec<String> {
    let passed = episodes.passed(now);
    assert_eq!(episodes.has_passed(), !passed.is_empty());
    passed.into_iter().map(|one| one.alert.rule).collect()
}

/// It fires from the one time to the other; at its beginning nobody can be told.
fn lived(episodes: &mut Episodes, rule: &str, from: i64, to: i64) {
    episodes.begin(alert(rule), true, at(from));
    episodes.end(rule, false, WAITS, at(to));
}

#[test]
fn what_came_and_went_while_nobody_could_be_told_is_told_until_that_is_accepted() {
    let mut episodes = Episodes::default();
    episodes.begin(Alert { age_ms: 5_000, ..alert("Down") }, true, at(0));
    assert!(rules(&episodes, at(20)).is_empty(), "it fires");
    episodes.end("Down", false, WAITS, at(30));
    let [told] = episodes.passed(at(90)).try_into().unwrap();
    assert_eq!((told.alert.age_ms, told.alert.ended_ms), (95_000, Some(60_000)));
    assert_eq!(told.alert.detail, "api is down");
    let text = serde_json::to_string(&episodes).unwrap();
    let mut episodes: Episodes = serde_json::from_str(&text).unwrap();
    assert_eq!(episodes.passed(at(90)), std::slice::from_ref(&told), "also by the next dixmgr");
    let carried = episodes.carried();
    episodes.keep_back();
    assert_eq!(episodes.passed(at(91))[0].number, told.number, "it was not accepted");
    episodes.accepted(&carried);
    assert_eq!(episodes, Episodes { number: told.number, ..Episodes::default() });
}

#[test]
fn what_was_accepted_while_it_fired_has_its_end_told_by_the_next_observation() {
    let mut episodes = Episodes::default();
    episodes.begin(alert("Down"), false, at(0));
    episodes.accepted(&episodes.carried());
    episodes.keep_back();
    episodes.end("Down", false, WAITS, at(60));
    assert!(rules(&episodes, at(60)).is_empty());
}

#[test]
fn what_came_and_went_faster_than_it_was_delivered_stays_untold_while_temporal_is_well() {
    let mut episodes = Episodes::default();
    episodes.begin(alert("Down"), false, at(0));
    episodes.end("Down", false, WAITS, at(60));
    assert_eq!(episodes, Episodes::default());
    let carried = episodes.carried();
    episodes.begin(alert("Down"), false, at(100));
    episodes.end("Down", true, WAITS, at(160));
    assert!(rules(&episodes, at(160)).is_empty(), "nobody knows yet");
    episodes.accepted(&carried);
    assert!(episodes.all.is_empty());
}

#[test]
fn a_delivery_that_fails_has_kept_back_what_came_and_went_meanwhile() {
    for is_carried in [true, false] {
        let mut episodes = Episodes::default();
        let before = episodes.carried();
        episodes.begin(alert("Down"), false, at(0));
        let carried = if is_carried { episodes.carried() } else { before };
        episodes.end("Down", true, WAITS, at(60));
        let mut other = episodes.clone();
        episodes.keep_back();
        assert_eq!(rules(&episodes, at(60)), ["Down"]);
        other.accepted(&carried);
        other.keep_back();
        assert!(rules(&other, at(60)).is_empty(), "it was told, or only too fast");
    }
}

#[test]
fn a_failure_while_it_fires_keeps_it_back_though_temporal_is_back_before_its_end() {
    let mut episodes = Episodes::default();
    episodes.begin(alert("Down"), false, at(0));
    episodes.keep_back();
    episodes.end("Down", false, WAITS, at(60));
    assert_eq!(rules(&episodes, at(60)), ["Down"]);
}

#[test]
fn what_nobody_would_have_been_told_of_is_dropped() {
    let mut episodes = Episodes::default();
    lived(&mut episodes, "Down", 0, 9);
    assert!(rules(&episodes, at(9)).is_empty(), "shorter than group_wait");
    lived(&mut episodes, "Down", 20, 30);
    assert_eq!(rules(&episodes, at(30)), ["Down"]);
}

#[test]
fn a_consequence_is_told_on_its_own_only_if_it_outlived_its_cause() {
    let behind = |freed: Option<i64>, ended: i64| {
        let mut episodes = Episodes::default();
        episodes.begin(alert("Down"), true, at(0));
        episodes.relate(false, at(1));
        episodes.relate(true, at(2));
        freed.into_iter().for_each(|freed| episodes.relate(false, at(freed)));
        episodes.end("Down", false, WAITS, at(ended));
        episodes.has_passed()
    };
    assert!(!behind(None, 1_000));
    assert!(!behind(Some(100), 100));
    assert!(!behind(Some(100), 169));
    assert!(behind(Some(100), 170));
}

#[test]
fn of_a_rule_the_newest_is_told_and_how_often_it_was_so() {
    let mut episodes = Episodes::default();
    (0..3).for_each(|time| lived(&mut episodes, "Down", time * 100, time * 100 + 20));
    let [told] = episodes.passed(at(300)).try_into().unwrap();
    assert_eq!((told.alert.age_ms, told.alert.ended_ms), (100_000, Some(80_000)));
    assert_eq!(told.alert.detail, "api is down (3 times)");
    let carried = episodes.carried();
    lived(&mut episodes, "Down", 400, 420);
    episodes.accepted(&carried);
    assert_eq!(rules(&episodes, at(420)), ["Down"], "another one has passed since");
}

#[test]
fn not_more_is_kept_than_can_be_told_and_what_fires_is_kept_beside_it() {
    let mut episodes = Episodes::default();
    episodes.begin(alert("Fires"), true, at(0));
    (0..20).for_each(|rule| lived(&mut episodes, &format!("{rule:02}"), rule * 100, rule * 100 + 20));
    let all = rules(&episodes, at(2_000));
    assert_eq!((all.len(), all[0].as_str()), (MAX_PASSED, "12"));
    let numbers: Vec<u64> = episodes.passed(at(2_000)).iter().map(|one| one.number).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    episodes.end("Fires", false, WAITS, at(2_000));
    assert_eq!(rules(&episodes, at(2_000)).last().map(String::as_str), Some("Fires"));
}
