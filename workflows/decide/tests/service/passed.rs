//! What began and ended while Temporal was away is told once, and its end after it.

use super::{dead, spec};
use dixmgr_contract::observation::Passed;
use dixmgr_contract::{ActiveState, Alert, LoadState, Policy, Raise, Severity, Span, Time, UnitState};
use dixmgr_decide::{Action, Event, Service};
use std::collections::BTreeMap;

fn alert(of: &str, ended_ms: Option<u64>) -> Alert {
    let (rule, alert, detail) = (of.to_owned(), of.to_owned(), String::new());
    Alert { rule, alert, severity: Severity::Critical, age_ms: 60_000, ended_ms, detail, labels: BTreeMap::new() }
}

fn passed(number: u64, of: &str) -> Passed {
    Passed { number, alert: alert(of, Some(20_000)) }
}

/// A service, and what its host says of it.
struct Bench {
    service: Service,
    now: Time,
    revision: u64,
}

impl Bench {
    fn new() -> Self {
        let now = Time::from_unix_millis(1_000_000);
        let mut bench = Self { service: Service::new(spec(Policy::default()), 1, now), now, revision: 0 };
        assert_eq!(bench.observe(&[], vec![]), []);
        bench
    }

    fn observe(&mut self, firing: &[&str], passed: Vec<Passed>) -> Vec<Raise> {
        self.revision += 1;
        let mut event = dead(&self.service, self.revision, 1);
        if let Event::Observed(observation) = &mut event {
            observation.unit = UnitState::new(LoadState::Loaded, ActiveState::Active);
            observation.alerts = Some(firing.iter().map(|of| alert(of, None)).collect());
            observation.passed = passed;
        }
        self.step(event)
    }

    fn raised(&mut self, alert: &str) -> Vec<Raise> {
        self.step(Event::Raised(alert.to_owned()))
    }

    fn step(&mut self, event: Event) -> Vec<Raise> {
        self.now = self.now.after(Span::from_secs(1));
        let actions = self.service.step(event, self.now);
        let text = serde_json::to_string(&self.service).unwrap();
        assert_eq!(serde_json::from_str::<Service>(&text).unwrap(), self.service);
        let raise = |action| if let Action::Raise(raise) = action { Some(raise) } else { None };
        actions.into_iter().filter_map(raise).collect()
    }
}

/// The type of each, and what it says: the rule of what fires, with `over` of what does not any more.
fn said(raised: &[Raise]) -> Vec<String> {
    let says = |alert: &Alert| format!("{}{}", alert.rule, if alert.ended_ms.is_some() { " over" } else { "" });
    raised.iter().map(|one| one.report.alerts.iter().map(says).collect::<Vec<_>>().join(", ")).collect()
}

#[test]
fn what_has_passed_is_told_once_and_then_its_end_however_often_it_is_sent() {
    let mut bench = Bench::new();
    let told = bench.observe(&[], vec![passed(5, "service_down")]);
    assert_eq!(said(&told), ["service_down over"]);
    assert_eq!((told[0].report.alerts[0].age_ms, told[0].report.alerts[0].ended_ms), (60_000, Some(20_000)));
    assert_eq!(bench.observe(&[], vec![passed(5, "service_down")]), []);
    assert_eq!(said(&bench.raised("service_down")), [""]);
    assert_eq!(bench.raised("service_down"), []);
    assert_eq!(bench.observe(&[], vec![passed(5, "service_down")]), [], "its answer was lost");
    assert_eq!(
        said(&bench.observe(&[], vec![passed(5, "service_down"), passed(6, "service_down")])),
        ["service_down over"]
    );
}

#[test]
fn what_fires_or_was_told_swallows_what_has_passed_of_its_type() {
    let mut bench = Bench::new();
    let told = bench.observe(&["service_down"], vec![passed(5, "service_down"), passed(6, "high_cpu")]);
    assert_eq!(said(&told), ["high_cpu over", "service_down"]);
    assert_eq!(said(&bench.raised("high_cpu")), [""]);
    assert_eq!(bench.raised("service_down"), []);
    // Its end was not told before Temporal went away.
    assert_eq!(said(&bench.observe(&[], vec![passed(7, "service_down")])), [""]);
    assert_eq!(bench.raised("service_down"), []);
}

#[test]
fn what_begins_while_it_is_told_that_it_has_passed_is_told_after_that() {
    let mut bench = Bench::new();
    assert_eq!(said(&bench.observe(&[], vec![passed(5, "service_down")])), ["service_down over"]);
    assert_eq!(bench.observe(&["service_down"], vec![]), []);
    assert_eq!(said(&bench.raised("service_down")), ["service_down"]);
    assert_eq!(bench.raised("service_down"), []);
    assert_eq!(said(&bench.observe(&[], vec![])), [""]);
}

#[test]
fn what_has_passed_waits_until_its_incident_has_heard_what_it_is_told() {
    let mut bench = Bench::new();
    assert_eq!(said(&bench.observe(&["service_down"], vec![])), ["service_down"]);
    assert_eq!(bench.observe(&[], vec![]), [], "it is being told");
    assert_eq!(said(&bench.raised("service_down")), [""]);
    assert_eq!(bench.observe(&[], vec![passed(5, "service_down")]), [], "it is being told that it is over");
    let told = bench.raised("service_down");
    assert_eq!(said(&told), ["service_down over"]);
    assert_eq!((told[0].report.alerts[0].age_ms, told[0].report.alerts[0].ended_ms), (61_000, Some(21_000)));
    assert_eq!(said(&bench.raised("service_down")), [""]);
}
