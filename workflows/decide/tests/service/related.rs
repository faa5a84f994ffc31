//! Which of the alerts of a service are told as consequences, and of what.

use crate::{dead, name, spec};
use dixmgr_contract::{ActiveState, Alert, Cause, Policy, Raise, ServiceName, Severity, Span, Time};
use dixmgr_decide::service::Skill;
use dixmgr_decide::{Action, Event, Service};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const TYPES: [&str; 6] =
    ["health_check_failed", "sync_stalled", "low_peer_count", "service_degraded", "high_cpu", "restart_loop"];
/// What says why, the first before the others.
const REASONS: [&str; 3] = ["health_check_failed", "sync_stalled", "low_peer_count"];

/// What its host says: which of [`TYPES`] fire, and whether a dependency is behind it.
type Look = (BTreeSet<usize>, bool);

fn looks(most: usize) -> impl Strategy<Value = Vec<Look>> {
    let look = (prop::collection::btree_set(0..TYPES.len(), 0..=most), prop::bool::weighted(0.2));
    prop::collection::vec(look, 1..12)
}

fn observed(service: &Service, revision: u64, (types, has_cause): &Look) -> Event {
    let mut event = dead(service, revision, 1);
    let alert = |at: &usize| Alert {
        rule: TYPES[*at].to_owned(),
        alert: TYPES[*at].to_owned(),
        severity: Severity::Warning,
        age_ms: 0,
        ended_ms: None,
        detail: String::new(),
        labels: BTreeMap::new(),
    };
    if let Event::Observed(seen) = &mut event {
        seen.unit.active = ActiveState::Active;
        seen.alerts = Some(types.iter().map(alert).collect());
        seen.causes = has_cause.then(|| Cause::down(name("db"))).into_iter().collect();
    }
    event
}

/// Takes in an event; what incidents are told of it is told at once.
fn told(service: &mut Service, event: Event, now: Time) -> Vec<Raise> {
    let raise = |action: Action| if let Action::Raise(raise) = action { Some(raise) } else { None };
    let raised: Vec<Raise> = service.step(event, now).into_iter().filter_map(raise).collect();
    for raise in &raised {
        service.step(Event::Raised(raise.alert.clone()), now);
    }
    raised
}

fn of_the_same(service: &ServiceName, alert: &str) -> Cause {
    Cause { alert: alert.to_owned(), service: Some(service.clone()), ..Cause::default() }
}

proptest! {
    #![proptest_config(crate::common::lives(300))]

    /// And what is its own cause need not wait whether it is mended at once.
    #[test]
    fn only_what_is_degraded_follows_from_what_says_why_unless_all_follows_from_a_dependency(looks in looks(6)) {
        let mut service = Service::new(spec(Policy::default()), 1, Time::default());
        let (mut now, mut known) = (Time::default(), BTreeMap::<String, Option<Cause>>::new());
        for (revision, look) in looks.iter().enumerate() {
            now = now.after(Span::from_secs(60));
            let event = observed(&service, revision as u64 + 1, look);
            let mut raised = told(&mut service, event, now);
            if look.1 {
                now = now.after(Span::from_secs(30));
                raised.extend(told(&mut service, Event::Tick, now));
            }
            for raise in raised {
                if raise.report.alerts.is_empty() {
                    known.remove(&raise.alert);
                } else {
                    known.insert(raise.alert, raise.cause);
                }
            }
            let fires = |alert: &str| look.0.iter().any(|at| TYPES[*at] == alert);
            let reason = REASONS.into_iter().find(|reason| fires(reason));
            let expected = look.0.iter().map(|at| {
                let own = reason.filter(|_| TYPES[*at] == "service_degraded");
                let own = own.map(|reason| of_the_same(&service.spec.name, reason));
                let dependency = look.1.then(|| Cause::down(name("db")));
                (TYPES[*at].to_owned(), dependency.or(own))
            });
            prop_assert_eq!(&known, &expected.collect::<BTreeMap<_, _>>(), "{:?}", look);
        }
    }

    /// So a run need not say whether it relates alerts before several fire.
    #[test]
    fn while_no_two_types_fire_it_is_all_one_whether_alerts_are_related(looks in looks(1), works: bool) {
        let mut service = Service::new(spec(Policy::default()), 1, Time::default());
        let mut other = service.clone();
        other.learn(Skill::RelatesAlerts, false);
        let mut now = Time::default();
        for service in [&mut service, &mut other] {
            service.step(Event::Subscribed("wf.svc.web".to_owned()), now);
        }
        for (revision, look) in looks.iter().enumerate() {
            now = now.after(Span::from_secs(60));
            let mut event = observed(&service, revision as u64 + 1, look);
            if let Event::Observed(seen) = &mut event
                && !works
            {
                seen.unit.active = ActiveState::Failed;
            }
            prop_assert!(!service.matters(Skill::RelatesAlerts, [&event].into_iter()));
            prop_assert_eq!(service.step(event.clone(), now), other.step(event, now));
            let raised: Vec<String> = TYPES.map(str::to_owned).into();
            for event in raised.into_iter().map(Event::Raised).chain([Event::Tick]) {
                prop_assert_eq!(service.step(event.clone(), now), other.step(event, now));
            }
        }
    }
}

#[test]
fn alerts_of_two_types_are_to_be_related_when_they_come_and_while_they_fire() {
    let mut service = Service::new(spec(Policy::default()), 1, Time::default());
    let both = observed(&service, 1, &(BTreeSet::from([0, 3]), false));
    let matters = |service: &Service, news: &[Event]| service.matters(Skill::RelatesAlerts, news.iter());
    let both = [both];
    assert!(matters(&service, &both) && !matters(&service, &[]));
    let [both] = both;
    service.step(both, Time::default());
    assert!(matters(&service, &[]));
    let one = observed(&service, 2, &(BTreeSet::from([3]), false));
    service.step(one, Time::default());
    assert!(!matters(&service, &[]));
}

#[test]
fn those_after_a_service_on_other_hosts_hear_what_says_that_it_is_not_ready_and_of_an_older_run_the_gravest() {
    for (relates, expected) in [(true, "service_degraded"), (false, "high_cpu")] {
        let mut service = Service::new(spec(Policy::default()), 1, Time::default());
        service.learn(Skill::RelatesAlerts, relates);
        service.step(Event::Subscribed("wf.svc.web".to_owned()), Time::default());
        let mut event = observed(&service, 1, &(BTreeSet::from([3, 4]), false));
        if let Event::Observed(seen) = &mut event {
            seen.unit.active = ActiveState::Failed;
        }
        let tell = |action| if let Action::Tell { readiness, .. } = action { readiness.trouble } else { None };
        let told: Vec<Cause> = service.step(event, Time::default()).into_iter().filter_map(tell).collect();
        assert_eq!(told, [of_the_same(&service.spec.name, expected)]);
    }
}
