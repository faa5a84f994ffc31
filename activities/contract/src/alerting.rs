//! How people are to be told: what an incident's machine needs to know of channels, waits and maintenance.
//!
//! It travels with an incident's input, so it names channels and holds no URL, no address and no secret. Defaults are
//! those of the configuration file.

use crate::{Cause, GroupBy, Severity, Span, glob::Matcher, maintenance::MaintenanceWindow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that decides who is told what, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertPolicy {
    /// From the first alert to the first note: what comes together is told together.
    pub group_wait: Span,
    /// New members and consequences are told at most this often.
    pub group_interval: Span,
    /// What lasts is told again after this long; 0: never.
    pub repeat_interval: Span,
    /// What comes back within this time is the same incident.
    pub dedupe_window: Span,
    /// A consequence that outlives its cause for this long is told on its own.
    pub consequence_grace: Span,
    /// A note that was refused, or not accepted for this long, is given up.
    pub give_up: Span,
    /// What alerts of a type are one incident; types that are not named here: [`GroupBy::usual`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub group_by: BTreeMap<String, GroupBy>,
    /// The channels that there are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Route>,
    /// Who is told next, step by step, until somebody takes care of it. A channel that no step names is told at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub escalation: Vec<EscalationStep>,
    /// Recurring times in which nobody is told of some services.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maintenance: Vec<MaintenanceWindow>,
}

impl Default for AlertPolicy {
    fn default() -> Self {
        Self {
            group_wait: Span::from_secs(10),
            group_interval: Span::from_secs(5 * 60),
            repeat_interval: Span::from_secs(4 * 3600),
            dedupe_window: Span::from_secs(5 * 60),
            consequence_grace: Span::from_secs(60),
            give_up: Span::from_secs(24 * 3600),
            group_by: BTreeMap::new(),
            channels: Vec::new(),
            escalation: Vec::new(),
            maintenance: Vec::new(),
        }
    }
}

impl AlertPolicy {
    /// The channel of that name.
    pub fn route(&self, channel: &str) -> Option<&Route> {
        self.channels.iter().find(|route| route.name == channel)
    }

    /// The incident that a cause is a part of.
    pub fn cause(&self, cause: &Cause) -> String {
        let Cause { alert, service, host, chain } = cause;
        self.grouping(alert).fingerprint(alert, service.as_ref(), host.as_ref(), chain)
    }

    /// What alerts of this type are one incident.
    pub fn grouping(&self, alert: &str) -> GroupBy {
        self.group_by.get(alert).copied().unwrap_or_else(|| GroupBy::usual(alert))
    }
}

/// A channel, as far as it matters for who is told what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// It is told of nothing less.
    #[serde(default = "info")]
    pub min_severity: Severity,
    /// It is told of alerts whose labels fit all of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matchers: Vec<Matcher>,
    /// An incident sends it no more than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// It forgets what it is not told again so often: it is told the same note again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resend: Option<Span>,
    /// Told in its place when it has failed for [`Route::fallback_after`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// How long it may fail before.
    #[serde(default = "five_minutes")]
    pub fallback_after: Span,
}

impl Route {
    /// A channel that is told of everything.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            min_severity: Severity::Info,
            matchers: Vec::new(),
            rate_limit: None,
            resend: None,
            fallback: None,
            fallback_after: five_minutes(),
        }
    }

    /// Whether alerts with these labels are any of its business.
    pub fn fits(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matchers.iter().all(|matcher| matcher.fits(labels))
    }
}

const fn info() -> Severity {
    Severity::Info
}

const fn five_minutes() -> Span {
    Span::from_secs(300)
}

/// So many notes in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// How many, 1 or more.
    pub notes: u32,
    /// In what time.
    pub per: Span,
}

/// A step of the escalation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscalationStep {
    /// How long after the step before, or after the first note.
    #[serde(default)]
    pub wait: Span,
    /// Who is told then.
    pub channels: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_given_is_the_configurations_defaults() {
        let policy: AlertPolicy = serde_json::from_str("{}").unwrap();
        assert_eq!(policy, AlertPolicy::default());
        let route: Route = serde_json::from_str(r#"{"name":"slack","matchers":["chain=polkadot"]}"#).unwrap();
        assert_eq!((route.min_severity, route.fallback_after), (Severity::Info, Span::from_secs(300)));
        assert!(route.fits(&BTreeMap::from([("chain".to_owned(), "polkadot".to_owned())])));
        assert!(!route.fits(&BTreeMap::new()));
    }

    #[test]
    fn a_chain_and_forgotten_pauses_are_one_incident_each_unless_somebody_has_said_otherwise() {
        let mut policy = AlertPolicy::default();
        let grouping =
            |policy: &AlertPolicy| ["sync_stalled", "service_paused", "high_cpu"].map(|of| policy.grouping(of));
        assert_eq!(grouping(&policy), [GroupBy::Chain, GroupBy::Fleet, GroupBy::Service]);
        policy.group_by = serde_json::from_str(r#"{"service_paused":"host","high_cpu":"fleet"}"#).unwrap();
        assert_eq!(grouping(&policy), [GroupBy::Chain, GroupBy::Host, GroupBy::Fleet]);
    }
}
