//! The series that live and die with a service.
//!
//! OpenTelemetry keeps a series of a synchronous instrument for ever, but asks an observable one anew at each scrape.
//! So the values per service live here, and the callbacks read them: a service that leaves the configuration takes
//! its series with it. Downtime is computed at the scrape, so that it grows while a service is down without a timer.

use crate::alerts::{AlertKind, ServiceAlerts, labels};
use crate::figures::{Figures, NodeFigures, Read, ReadNode};
use crate::label::bounded;
use dixmgr_contract::Severity;
use opentelemetry::KeyValue;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How a service is labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceLabels {
    /// Its name; never a URL.
    pub service: String,
    /// Its kind, label `type`.
    pub kind: String,
    /// Its chain; empty if it has none.
    pub chain: String,
}

/// A cheap handle on the values per service.
#[derive(Clone, Debug, Default)]
pub struct ServiceBoard {
    rows: Arc<Mutex<BTreeMap<String, Row>>>,
    /// Alerts that there may be: shown as 0 while none fires.
    alerts: Arc<Mutex<BTreeMap<AlertKind, u64>>>,
}

#[derive(Debug)]
struct Row {
    /// Sorted by key, as the SDK stores them: another order would cost it a second entry.
    health_labels: [KeyValue; 3],
    labels: [KeyValue; 2],
    node_labels: [KeyValue; 2],
    figures: Figures,
    node: NodeFigures,
    alerts: ServiceAlerts,
    up: Option<bool>,
    restarts: u64,
    downtime: Duration,
    down_since: Option<Instant>,
}

impl Row {
    fn downtime(&self, now: Instant) -> Duration {
        self.downtime + self.down_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

fn label_sets(labels: &ServiceLabels) -> ([KeyValue; 3], [KeyValue; 2], [KeyValue; 2]) {
    let service = KeyValue::new("service", bounded(&labels.service));
    let kind = KeyValue::new("type", bounded(&labels.kind));
    let chain = KeyValue::new("chain", bounded(&labels.chain));
    let node = [chain.clone(), KeyValue::new("node", bounded(&labels.service))];
    ([chain, service.clone(), kind.clone()], [service, kind], node)
}

impl ServiceBoard {
    /// Adds a service, with no data yet; for a known one the labels are replaced and the values kept.
    pub fn put(&self, labels: ServiceLabels) {
        let (health_labels, labels_of_counters, node_labels) = label_sets(&labels);
        let mut rows = self.rows();
        match rows.get_mut(&labels.service) {
            Some(row) => {
                row.health_labels = health_labels;
                row.labels = labels_of_counters;
                row.node_labels = node_labels;
            }
            None => {
                let row = Row {
                    health_labels,
                    labels: labels_of_counters,
                    node_labels,
                    figures: Figures::default(),
                    node: NodeFigures::default(),
                    alerts: ServiceAlerts::default(),
                    up: None,
                    restarts: 0,
                    downtime: Duration::ZERO,
                    down_since: None,
                };
                rows.insert(labels.service, row);
            }
        }
    }

    /// Removes a service and all its series.
    pub fn remove(&self, service: &str) {
        self.rows().remove(service);
    }

    /// Whether the service is up. `None`: no data, so no health series, and downtime stands still. Nothing for an
    /// unknown service.
    pub fn set_health(&self, service: &str, up: Option<bool>) {
        self.set_health_at(service, up, Instant::now());
    }

    /// How the service stands as a blockchain node. Nothing for an unknown service.
    pub fn set_node(&self, service: &str, node: NodeFigures) {
        if let Some(row) = self.rows().get_mut(service) {
            row.node = node;
        }
    }

    /// What a service uses. Nothing for an unknown service.
    pub fn set_figures(&self, service: &str, figures: Figures) {
        if let Some(row) = self.rows().get_mut(service) {
            row.figures = figures;
        }
    }

    /// Whether a service is known to be up.
    pub fn is_up(&self, service: &str) -> bool {
        self.rows().get(service).is_some_and(|row| row.up == Some(true))
    }

    /// Counts restarts. Nothing for an unknown service.
    pub fn add_restarts(&self, service: &str, n: u64) {
        if let Some(row) = self.rows().get_mut(service) {
            row.restarts = row.restarts.saturating_add(n);
        }
    }

    /// There may be alerts of this type and severity.
    pub fn expect_alerts(&self, alert: &str, severity: Severity) {
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        alerts.insert((bounded(alert), severity), 0);
    }

    /// An alert of a service fired before this dixmgr began, and still does. Nothing for an unknown service.
    pub fn still_fires(&self, service: &str, alert: &str, severity: Severity) {
        self.with_alerts(service, |alerts| alerts.active(alert, severity));
    }

    pub(crate) fn alert_fired(&self, service: &str, alert: &str, severity: Severity) {
        self.with_alerts(service, |alerts| alerts.fired(alert, severity));
    }

    pub(crate) fn alert_cleared(&self, service: &str, alert: &str, severity: Severity) {
        self.with_alerts(service, |alerts| alerts.cleared(alert, severity));
    }

    fn with_alerts(&self, service: &str, change: impl FnOnce(&mut ServiceAlerts)) {
        if let Some(row) = self.rows().get_mut(service) {
            change(&mut row.alerts);
        }
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.rows().len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.rows().is_empty()
    }

    fn set_health_at(&self, service: &str, up: Option<bool>, now: Instant) {
        let mut rows = self.rows();
        let Some(row) = rows.get_mut(service) else { return };
        row.up = up;
        if up == Some(false) {
            row.down_since.get_or_insert(now);
        } else {
            row.downtime = row.downtime(now);
            row.down_since = None;
        }
    }

    pub(crate) fn each_health(&self, mut see: impl FnMut(f64, &[KeyValue])) {
        for row in self.rows().values() {
            if let Some(up) = row.up {
                see(f64::from(up), &row.health_labels);
            }
        }
    }

    pub(crate) fn each_node(&self, read: ReadNode, mut see: impl FnMut(f64, &[KeyValue])) {
        for row in self.rows().values() {
            if let Some(figure) = read(&row.node) {
                see(figure, &row.node_labels);
            }
        }
    }

    pub(crate) fn each_figure(&self, read: Read, mut see: impl FnMut(f64, &[KeyValue])) {
        for row in self.rows().values() {
            if let Some(figure) = read(&row.figures) {
                see(figure, &row.labels);
            }
        }
    }

    pub(crate) fn each_disk(&self, mut see: impl FnMut(f64, &[KeyValue])) {
        for row in self.rows().values() {
            let [service, kind] = &row.labels;
            for (direction, figure) in [("read", row.figures.disk_read_bps), ("write", row.figures.disk_write_bps)] {
                if let Some(figure) = figure {
                    see(figure, &[KeyValue::new("direction", direction), service.clone(), kind.clone()]);
                }
            }
        }
    }

    pub(crate) fn each_pressure(&self, mut see: impl FnMut(f64, &[KeyValue])) {
        for row in self.rows().values() {
            let [service, kind] = &row.labels;
            for (resource, share) in row.figures.pressure.each() {
                see(share, &[KeyValue::new("resource", resource), service.clone(), kind.clone()]);
            }
        }
    }

    pub(crate) fn each_restarts(&self, mut see: impl FnMut(f64, &[KeyValue])) {
        self.rows().values().for_each(|row| see(row.restarts as f64, &row.labels));
    }

    pub(crate) fn each_downtime(&self, now: Instant, mut see: impl FnMut(f64, &[KeyValue])) {
        self.rows().values().for_each(|row| see(row.downtime(now).as_secs_f64(), &row.labels));
    }

    pub(crate) fn each_fired(&self, mut see: impl FnMut(f64, &[KeyValue])) {
        for row in self.rows().values() {
            row.alerts.each_fired(&row.labels[0], &mut see);
        }
    }

    pub(crate) fn each_active(&self, mut see: impl FnMut(f64, &[KeyValue])) {
        let mut sums = self.alerts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.rows().values().for_each(|row| row.alerts.add_active(&mut sums));
        sums.iter().for_each(|(kind, sum)| see(*sum as f64, &labels(kind)));
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<String, Row>> {
        // Each change is complete before anything can panic, so a poisoned board is still a true one.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> ServiceBoard {
        let board = ServiceBoard::default();
        board.put(ServiceLabels { service: "api".into(), kind: "app".into(), chain: String::new() });
        board
    }

    fn downtime(board: &ServiceBoard, now: Instant) -> f64 {
        let mut seen = vec![];
        board.each_downtime(now, |v, _| seen.push(v));
        assert_eq!(seen.len(), 1);
        seen[0]
    }

    #[test]
    fn downtime_grows_while_down_and_stands_still_otherwise() {
        let (board, t) = (board(), Instant::now());
        let at = |s| t + Duration::from_secs(s);
        assert_eq!(downtime(&board, at(5)), 0.0);
        board.set_health_at("api", Some(false), at(10));
        board.set_health_at("api", Some(false), at(12));
        assert_eq!(downtime(&board, at(13)), 3.0);
        board.set_health_at("api", Some(true), at(14));
        assert_eq!(downtime(&board, at(100)), 4.0);
        board.set_health_at("api", Some(false), at(100));
        board.set_health_at("api", None, at(101));
        assert_eq!(downtime(&board, at(200)), 5.0);
    }

    #[test]
    fn no_data_is_no_series() {
        let board = board();
        let health = || {
            let mut seen = vec![];
            board.each_health(|v, _| seen.push(v));
            seen
        };
        assert_eq!(health(), Vec::<f64>::new());
        board.set_health("api", Some(false));
        assert_eq!(health(), [0.0]);
        board.set_health("api", None);
        assert_eq!(health(), Vec::<f64>::new());
    }

    #[test]
    fn new_labels_keep_the_values_and_a_removed_service_stays_away() {
        let board = board();
        board.add_restarts("api", 2);
        board.put(ServiceLabels { service: "api".into(), kind: "nginx".into(), chain: String::new() });
        let mut seen = vec![];
        board.each_restarts(|n, labels| seen.push((n, labels[1].value.to_string())));
        assert_eq!(seen, [(2.0, "nginx".to_owned())]);

        board.remove("api");
        board.add_restarts("api", 1);
        board.set_health("api", Some(true));
        assert!(board.is_empty());
    }
}
