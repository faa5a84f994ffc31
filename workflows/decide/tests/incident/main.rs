//! The incident machine: scenarios with golden notes, random lives with invariants, and a thousand failures at a time.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "the scenarios and what came of them are files")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../../../../tests/sim/golden.rs"]
mod golden;
mod properties;
mod script;
mod stories;
mod world;

use dixmgr_contract::{Alert, MemberReport, ServiceName, Severity, Time};
use std::collections::BTreeMap;

/// A Monday.
fn begin() -> Time {
    Time::try_from("2026-01-05T00:00:00Z".to_owned()).unwrap()
}

/// A service with this alert; none: it is well.
fn report(service: &str, alert: &str, severity: Option<Severity>, revision: u64) -> MemberReport {
    let alert = severity.map(|severity| Alert {
        rule: "Rule".into(),
        alert: alert.into(),
        severity,
        age_ms: 0,
        ended_ms: None,
        detail: format!("{service}: {}", alert.replace('_', " ")),
        labels: BTreeMap::new(),
    });
    MemberReport {
        service: ServiceName::new(service).ok(),
        host: "alpha".parse().ok(),
        kind: "relay".into(),
        revision,
        alerts: alert.into_iter().collect(),
        ..MemberReport::default()
    }
}
