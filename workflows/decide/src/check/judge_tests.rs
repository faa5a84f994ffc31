//! Answers, and what they are worth.

use super::*;
use proptest::prelude::*;

fn judge(expectation: &Expectation, status: u16, body: &[u8]) -> (CheckState, String) {
    let headers = BTreeMap::from([("server".to_owned(), "x".to_owned())]);
    expectation.judge(&Answer {
        status,
        headers: &headers,
        body,
        is_whole: true,
        duration: Duration::from_millis(20),
        certificate_expires_in: None,
    })
}

fn path(text: &str) -> Expectation {
    Expectation { json_path: Some(JsonPath::parse(text).unwrap()), ..Expectation::default() }
}

fn condition(text: &str) -> Expectation {
    let condition = Condition::compile(text, &NAMES).unwrap_or_else(|error| panic!("{text}: {error}"));
    Expectation { condition: Some(condition), ..Expectation::default() }
}

const fn good() -> (CheckState, String) {
    (CheckState::Healthy, String::new())
}

fn bad(why: &str) -> (CheckState, String) {
    (CheckState::Unhealthy, why.to_owned())
}

#[test]
fn any_2xx_or_exactly_one_status_is_healthy() {
    let any = Expectation::default();
    for status in [200, 204, 299] {
        assert_eq!(judge(&any, status, b""), good());
    }
    assert_eq!(judge(&any, 503, b""), bad("HTTP 503"));
    assert_eq!(judge(&any, 302, b""), bad("HTTP 302: it leads elsewhere, further than `redirects` allows"));
    let exact = Expectation { status: Some(418), ..Expectation::default() };
    assert_eq!(judge(&exact, 418, b""), good());
    assert_eq!(judge(&exact, 200, b""), bad("HTTP 200 instead of 418"));
}

#[test]
fn the_body_must_hold_the_text() {
    let expectation = Expectation { contains: "läuft".into(), ..Expectation::default() };
    assert_eq!(judge(&expectation, 200, "es läuft".as_bytes()), good());
    assert_eq!(judge(&expectation, 200, b"\xff\xfe l\xc3\xa4uft \xff"), good());
    assert_eq!(judge(&expectation, 200, b"no"), bad("the body does not hold the text that is expected"));
}

#[test]
fn the_value_at_the_path_must_mean_well() {
    assert_eq!(judge(&path("a.b"), 200, br#"{"a":{"b":"ok"}}"#), good());
    assert_eq!(judge(&path("a.b"), 200, br#"{"a":{"b":0}}"#), bad("the number at a.b is not above zero, but 0"));
    for body in [&b"<html>"[..], b"", b"{\"a\":\"\xff\"}", &[b'['; 100_000]] {
        assert_eq!(judge(&path("a"), 200, body), bad("the body is not JSON"));
    }
    assert_eq!(judge(&path("a"), 500, br#"{"a":true}"#), bad("HTTP 500"));
}

#[test]
fn the_condition_must_be_true() {
    let body = br#"{"sync":{"peers":4}}"#;
    let expectation = condition("status == 200 && body.sync.peers > 3 && duration < 500ms");
    assert_eq!(judge(&expectation, 200, body), good());
    assert_eq!(judge(&expectation, 500, body), bad("the condition is false"));
    let why = "the condition cannot be told: there is no `peers`";
    assert_eq!(judge(&expectation, 200, br#"{"sync":{}}"#), bad(why));
    assert_eq!(judge(&expectation, 200, b"no"), bad("the condition cannot be told: the body is not JSON"));
    assert_eq!(judge(&condition("status == 503"), 503, b""), good());
    assert_eq!(judge(&condition("headers.server == 'x'"), 500, b""), bad("HTTP 500"));
    assert_eq!(judge(&condition("headers.server == 'x'"), 200, b""), good());
    let why = "the condition cannot be told: `certificate_expires_in` is not known here";
    assert_eq!(judge(&condition("certificate_expires_in > 14d"), 200, b""), bad(why));
}

#[test]
fn what_is_slow_or_ends_soon_is_degraded() {
    let budget = |latency: Option<u64>, days: Option<u64>| Budget {
        latency: latency.map(Span::from_millis),
        certificate_min: days.map(|days| Span::from_secs(days * 86_400)),
    };
    let took = Duration::from_millis(120);
    let left = Some(Duration::from_secs(5 * 86_400 + 17));
    assert_eq!(budget(None, None).judge(took, left), good());
    assert_eq!(budget(Some(120), Some(5)).judge(took, left), good());
    let slow = (CheckState::Degraded, "it took 120ms, more than 119ms".to_owned());
    assert_eq!(budget(Some(119), Some(6)).judge(took, left), slow);
    let ends = (CheckState::Degraded, "the certificate ends in 120h, less than 144h".to_owned());
    assert_eq!(budget(None, Some(6)).judge(took, left), ends);
    assert_eq!(budget(None, Some(6)).judge(took, None), good());
    // What is not as it should be is not merely degraded.
    let expectation = Expectation { budget: budget(Some(1), None), ..Expectation::default() };
    assert_eq!(judge(&expectation, 500, b""), bad("HTTP 500"));
    assert_eq!(judge(&expectation, 200, b"").0, CheckState::Degraded);
}

#[test]
fn a_body_that_was_cut_is_judged_as_far_as_it_goes() {
    let headers = BTreeMap::new();
    let (duration, certificate_expires_in) = (Duration::ZERO, None);
    let answer =
        Answer { status: 200, headers: &headers, body: b"{\"a\":1", is_whole: false, duration, certificate_expires_in };
    assert_eq!(path("a").judge(&answer), bad("the body is not JSON (only its first 6 bytes are judged)"));
    assert_eq!(Expectation { contains: "a".into(), ..Expectation::default() }.judge(&answer), good());
}

proptest! {
    #[test]
    fn no_answer_panics_and_only_what_is_not_healthy_has_a_reason(
        status in 100..1000_u16, body in prop::collection::vec(any::<u8>(), 0..60), millis in 0..2_000_u64,
    ) {
        let headers = BTreeMap::new();
        for mut expectation in [path("a[0].b"), condition("body.a == 1 || body.contains('x')"), Expectation::default()] {
            expectation.budget.latency = Some(Span::from_secs(1));
            let duration = Duration::from_millis(millis);
            let answer =
                Answer { status, headers: &headers, body: &body, is_whole: true, duration, certificate_expires_in: None };
            let (state, reason) = expectation.judge(&answer);
            prop_assert_eq!(state == CheckState::Healthy, reason.is_empty());
            prop_assert!(state != CheckState::Unknown);
        }
    }
}
