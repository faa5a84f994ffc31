//! The series of endpoints that workflows ask by name: one a service and probe, as [`crate::ProbeBoard`] has them.
//!
//! Rejected: a column of the probes' board. What a probe sees is forgotten when its service stops; whether callers are kept
//! from an endpoint is true all the same.

use crate::label::bounded;
use crate::outcome::BreakerPosition;
use opentelemetry::KeyValue;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A cheap handle on where the breakers of endpoints stand.
#[derive(Clone, Debug, Default)]
pub struct EndpointBoard(Arc<Mutex<BTreeMap<(String, String), Row>>>);

#[derive(Debug)]
struct Row {
    /// Sorted by key.
    labels: [KeyValue; 2],
    breaker: BreakerPosition,
    /// Then the next one to ask is let through, should it be open.
    until: Option<Instant>,
}

impl EndpointBoard {
    /// Where the breaker of a probe's endpoint stands, and for how long nobody is let through, should it be open.
    pub fn set(&self, service: &str, probe: &str, breaker: BreakerPosition, open_for: Duration) {
        let labels = [KeyValue::new("probe", bounded(probe)), KeyValue::new("service", bounded(service))];
        let row = Row { labels, breaker, until: Instant::now().checked_add(open_for) };
        self.rows().insert((service.to_owned(), probe.to_owned()), row);
    }

    pub(crate) fn each(&self, now: Instant, mut see: impl FnMut(f64, &[KeyValue])) {
        for row in self.rows().values() {
            let is_over = row.breaker == BreakerPosition::Open && row.until.is_some_and(|until| until <= now);
            let breaker = if is_over { BreakerPosition::HalfOpen } else { row.breaker };
            see(f64::from(breaker as u8), &row.labels);
        }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<(String, String), Row>> {
        // Each change is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_one_that_nobody_asks_again_is_not_shown_as_open_for_ever() {
        let board = EndpointBoard::default();
        let shown = |at| {
            let mut shown = Vec::new();
            board.each(at, |position, _| shown.push(position));
            shown
        };
        let now = Instant::now();
        board.set("api", "http", BreakerPosition::Open, Duration::from_secs(60));
        board.set("web", "http", BreakerPosition::Closed, Duration::ZERO);
        assert_eq!(shown(now + Duration::from_secs(59)), [2.0, 0.0]);
        assert_eq!(shown(now + Duration::from_secs(120)), [1.0, 0.0]);
    }
}
