//! The alerts of each service, as metrics show them.
//!
//! They live in the service's row of the board: a service that leaves takes its series with it.

use dixmgr_contract::Severity;
use opentelemetry::KeyValue;
use std::collections::BTreeMap;

use crate::label::bounded;

/// Type and severity.
pub(crate) type AlertKind = (String, Severity);

/// The alerts of one service.
#[derive(Debug, Default)]
pub(crate) struct ServiceAlerts(BTreeMap<AlertKind, Count>);

#[derive(Debug, Default)]
struct Count {
    fired: u64,
    active: u64,
}

impl ServiceAlerts {
    /// One fires that did not.
    pub(crate) fn fired(&mut self, alert: &str, severity: Severity) {
        self.of(alert, severity).fired += 1;
        self.active(alert, severity);
    }

    /// One fires, and that is no news.
    pub(crate) fn active(&mut self, alert: &str, severity: Severity) {
        self.of(alert, severity).active += 1;
    }

    /// One fires no more.
    pub(crate) fn cleared(&mut self, alert: &str, severity: Severity) {
        let count = self.of(alert, severity);
        count.active = count.active.saturating_sub(1);
    }

    fn of(&mut self, alert: &str, severity: Severity) -> &mut Count {
        self.0.entry((bounded(alert), severity)).or_default()
    }

    pub(crate) fn each_fired(&self, service: &KeyValue, mut see: impl FnMut(f64, &[KeyValue])) {
        for (kind, count) in self.0.iter().filter(|(_, count)| count.fired > 0) {
            let [alert, severity] = labels(kind);
            see(count.fired as f64, &[alert, service.clone(), severity]);
        }
    }

    pub(crate) fn add_active(&self, sums: &mut BTreeMap<AlertKind, u64>) {
        for (kind, count) in &self.0 {
            *sums.entry(kind.clone()).or_default() += count.active;
        }
    }
}

/// Sorted by key, as the SDK stores them, with `service` between them.
pub(crate) fn labels((alert, severity): &AlertKind) -> [KeyValue; 2] {
    [KeyValue::new("alert_type", alert.clone()), KeyValue::new("severity", severity.as_str())]
}
