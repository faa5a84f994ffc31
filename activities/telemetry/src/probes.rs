//! The series of probes: one a service and probe.

use crate::catalogue::{Metric, find};
use crate::label::bounded;
use crate::outcome::BreakerPosition;
use opentelemetry::KeyValue;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a probe said last.
#[derive(Clone, Copy, Debug)]
pub struct ProbeFigures<'a> {
    /// Whose it is.
    pub service: &'a str,
    /// Its name; never a URL.
    pub probe: &'a str,
    /// Whether it is content; absent while that is not known.
    pub healthy: Option<bool>,
    /// How long its last look took.
    pub duration: Duration,
    /// How long the certificate is valid that it saw, if it saw one.
    pub certificate_expires_in: Option<Duration>,
    /// Whether its endpoint is left alone for a while.
    pub breaker: BreakerPosition,
}

/// A cheap handle on what probes said.
#[derive(Clone, Debug, Default)]
pub struct ProbeBoard(Arc<Mutex<BTreeMap<(String, String), Row>>>);

#[derive(Debug)]
pub(crate) struct Row {
    /// Sorted by key.
    labels: [KeyValue; 2],
    healthy: Option<bool>,
    duration: Duration,
    certificate: Option<Duration>,
    breaker: BreakerPosition,
}

/// A figure of a probe, as a gauge shows it.
pub(crate) type ReadProbe = fn(&Row) -> Option<f64>;

/// The gauges with one series a probe.
pub(crate) const PROBE_GAUGES: [(&Metric, ReadProbe); 4] = [
    (find("probe_healthy"), |row| row.healthy.map(f64::from)),
    (find("probe_duration_seconds"), |row| Some(row.duration.as_secs_f64())),
    (find("probe_certificate_expiry_seconds"), |row| row.certificate.map(|left| left.as_secs_f64())),
    (find("probe_breaker_state"), |row| Some(f64::from(row.breaker as u8))),
];

impl ProbeBoard {
    /// What a probe says now.
    pub fn set(&self, said: ProbeFigures<'_>) {
        let labels = [KeyValue::new("probe", bounded(said.probe)), KeyValue::new("service", bounded(said.service))];
        let row = Row {
            labels,
            healthy: said.healthy,
            duration: said.duration,
            certificate: said.certificate_expires_in,
            breaker: said.breaker,
        };
        self.rows().insert((said.service.to_owned(), said.probe.to_owned()), row);
    }

    /// Nothing is known of a service's probes any more: it does not run.
    pub fn forget(&self, service: &str) {
        let mut rows = self.rows();
        let from = rows.range((service.to_owned(), String::new())..);
        let its: Vec<_> = from.map(|(key, _)| key).take_while(|(of, _)| of == service).cloned().collect();
        for key in its {
            rows.remove(&key);
        }
    }

    pub(crate) fn each(&self, read: ReadProbe, mut see: impl FnMut(f64, &[KeyValue])) {
        for row in self.rows().values() {
            if let Some(figure) = read(row) {
                see(figure, &row.labels);
            }
        }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<(String, String), Row>> {
        // Each change is complete before anything can panic, so a poisoned board is still a true one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_does_not_run_takes_all_of_its_probes_with_it_and_no_others() {
        let board = ProbeBoard::default();
        for (service, probe) in [("api", "dns"), ("api", "http"), ("ap", "http"), ("api2", "http")] {
            let (healthy, duration) = (Some(true), Duration::ZERO);
            let breaker = BreakerPosition::Closed;
            board.set(ProbeFigures { service, probe, healthy, duration, certificate_expires_in: None, breaker });
        }
        board.forget("api");
        board.forget("nobody");
        let left: Vec<_> = board.rows().keys().map(|(service, _)| service.clone()).collect();
        assert_eq!(left, ["ap", "api2"]);
    }
}
