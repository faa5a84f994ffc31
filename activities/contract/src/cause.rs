//! What is behind a trouble: the alert of a service, or the loss of a host.
//!
//! Of all that fires for a service, one alert stands for it: the one that says why the service does not do what it is there for. That
//! a busy processor is graver than a failing probe makes it the cause of nothing: what came after it would be told as the processor's
//! doing, and wait for it.

use crate::alert::{
    Alert, DEPENDENCY_TIMEOUT, HEALTH_CHECK_FAILED, HOST_LOST, LOW_PEER_COUNT, RESTART_LOOP, SERVICE_DEGRADED,
    SERVICE_DOWN, SYNC_STALLED,
};
use crate::{HostName, ServiceName, ServiceSpec};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// What says why a service does not do what it is there for, the first of them before the others.
const REASONS: [&str; 4] = [SERVICE_DOWN, HEALTH_CHECK_FAILED, SYNC_STALLED, LOW_PEER_COUNT];
/// What says that it does not, and not why.
const SYMPTOMS: [&str; 3] = [SERVICE_DEGRADED, DEPENDENCY_TIMEOUT, RESTART_LOOP];

/// What is behind a trouble: the alert of a service, or the loss of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "CauseForm")]
pub struct Cause {
    /// The alert's type.
    #[serde(rename = "type")]
    pub alert: String,
    /// The service; absent where it is the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// The host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// The chain that the service serves, if it serves one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chain: String,
}

/// A name alone is a service that is down.
#[derive(Deserialize)]
#[serde(untagged)]
enum CauseForm {
    Name(ServiceName),
    Whole {
        #[serde(rename = "type")]
        alert: String,
        #[serde(default)]
        service: Option<ServiceName>,
        #[serde(default)]
        host: Option<HostName>,
        #[serde(default)]
        chain: String,
    },
}

impl From<CauseForm> for Cause {
    fn from(form: CauseForm) -> Self {
        match form {
            CauseForm::Name(service) => Self::down(service),
            CauseForm::Whole { alert, service, host, chain } => Self { alert, service, host, chain },
        }
    }
}

impl Cause {
    /// A service that is down, of which no more is known than its name.
    pub fn down(service: ServiceName) -> Self {
        Self { alert: SERVICE_DOWN.to_owned(), service: Some(service), ..Self::default() }
    }

    /// A host that nobody sees.
    pub fn lost(host: HostName) -> Self {
        Self { alert: HOST_LOST.to_owned(), host: Some(host), ..Self::default() }
    }

    /// What fires for a service, as the cause of something else: what says why it is not ready, else what says that it is not, else
    /// the gravest; whatever their order. None if nothing fires.
    pub fn of(firing: &[Alert], spec: &ServiceSpec) -> Option<Self> {
        let rank = |alert: &str| REASONS.iter().chain(&SYMPTOMS).position(|known| *known == alert);
        let key = |alert: &Alert| (rank(&alert.alert).unwrap_or(usize::MAX), Reverse(alert.severity));
        let first = firing.iter().min_by(|one, other| (key(one), &one.alert).cmp(&(key(other), &other.alert)))?;
        Some(Self::named(first, spec))
    }

    /// The gravest of what fires for a service, whatever it says: what older runs of workflows take for the cause.
    pub fn gravest(firing: &[Alert], spec: &ServiceSpec) -> Option<Self> {
        let gravest = firing.iter().max_by_key(|alert| (alert.severity, alert.alert == SERVICE_DOWN))?;
        Some(Self::named(gravest, spec))
    }

    /// What says why an alert of a service fires, among all that fires for the service: for [`SERVICE_DEGRADED`], which says no more
    /// than that something is wrong. None if nothing does.
    pub fn explains(alert: &str, firing: &[Alert], spec: &ServiceSpec) -> Option<Self> {
        let of_type = |alert: &str| firing.iter().find(|found| found.alert == alert);
        let _symptom = of_type(alert).filter(|_| alert == SERVICE_DEGRADED)?;
        let reason = REASONS.into_iter().find_map(of_type)?;
        Some(Self::named(reason, spec))
    }

    fn named(alert: &Alert, spec: &ServiceSpec) -> Self {
        let (service, host) = (Some(spec.name.clone()), spec.host.clone());
        Self { alert: alert.alert.clone(), service, host, chain: spec.chain.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use proptest::prelude::*;

    fn firing(alerts: &[(&str, Severity)]) -> Vec<Alert> {
        let alert = |(alert, severity): &(&str, Severity)| {
            serde_json::from_value(serde_json::json!({"rule": alert, "type": alert, "severity": severity})).unwrap()
        };
        alerts.iter().map(alert).collect()
    }

    fn spec() -> ServiceSpec {
        ServiceSpec::new("api".parse().unwrap(), "api.service".parse().unwrap())
    }

    #[test]
    fn what_says_why_explains_that_a_service_is_degraded_and_nothing_else() {
        let warning = |alert| (alert, Severity::Warning);
        let all = firing(&[warning(LOW_PEER_COUNT), warning(SERVICE_DEGRADED), warning(HEALTH_CHECK_FAILED)]);
        let cause = Cause::explains(SERVICE_DEGRADED, &all, &spec()).unwrap();
        assert_eq!((cause.alert.as_str(), cause.service), (HEALTH_CHECK_FAILED, "api".parse().ok()));
        assert_eq!(Cause::explains(HEALTH_CHECK_FAILED, &all, &spec()), None);
        assert_eq!(Cause::explains(SERVICE_DEGRADED, &firing(&[warning(HEALTH_CHECK_FAILED)]), &spec()), None);
        let untold = firing(&[warning(SERVICE_DEGRADED), ("high_cpu", Severity::Critical)]);
        assert_eq!(Cause::explains(SERVICE_DEGRADED, &untold, &spec()), None);
    }

    #[test]
    fn the_cause_of_something_else_is_what_says_why_then_that_it_is_not_ready_then_the_gravest() {
        use Severity::{Critical, Warning};
        let degraded = (SERVICE_DEGRADED, Warning);
        for (all, expected) in [
            (&[("high_cpu", Critical), degraded][..], SERVICE_DEGRADED),
            (&[degraded, (HEALTH_CHECK_FAILED, Warning), ("high_cpu", Critical)], HEALTH_CHECK_FAILED),
            (&[(SYNC_STALLED, Critical), (SERVICE_DOWN, Warning)], SERVICE_DOWN),
            (&[(RESTART_LOOP, Critical), (LOW_PEER_COUNT, Warning)], LOW_PEER_COUNT),
            (&[("high_memory", Warning), ("high_cpu", Critical)], "high_cpu"),
            (&[("own", Critical), ("high_cpu", Critical)], "high_cpu"),
        ] {
            let cause = Cause::of(&firing(all), &spec()).unwrap();
            assert_eq!(cause.alert, expected, "{all:?}");
        }
        assert_eq!(Cause::of(&[], &spec()), None);
    }

    fn some() -> impl Strategy<Value = Vec<Alert>> {
        let severities = prop::sample::select(vec![Severity::Info, Severity::Warning, Severity::Critical]);
        let alerts = prop::collection::vec((prop::sample::select(crate::alert::TYPES.to_vec()), severities), 1..8);
        alerts.prop_map(|alerts| firing(&alerts))
    }

    proptest! {
        #[test]
        fn the_order_of_alerts_changes_no_cause_and_what_says_nothing_of_readiness_takes_the_place_of_nothing_that_does(
            all in some(), more in some(),
        ) {
            let cause = Cause::of(&all, &spec()).unwrap();
            prop_assert!(all.iter().any(|one| one.alert == cause.alert));
            let reversed: Vec<Alert> = all.iter().rev().cloned().collect();
            prop_assert_eq!(&cause, &Cause::of(&reversed, &spec()).unwrap());
            let says = |one: &&Alert| REASONS.contains(&one.alert.as_str()) || SYMPTOMS.contains(&one.alert.as_str());
            let silent = more.iter().filter(|one| !says(one)).cloned();
            let with = Cause::of(&silent.chain(all.iter().cloned()).collect::<Vec<_>>(), &spec());
            prop_assert!(with == Some(cause) || !all.iter().any(|one| says(&one)));
        }

        #[test]
        fn what_explains_that_a_service_is_degraded_is_the_cause_of_what_comes_after_it(all in some()) {
            let explains = Cause::explains(SERVICE_DEGRADED, &all, &spec());
            prop_assert!(explains.is_none() || explains == Cause::of(&all, &spec()));
        }
    }
}
