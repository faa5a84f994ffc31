//! Who is told next: one slot per service, in the order in which the slots are due.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Deliveries under way at a time. A Temporal server takes more from one host no faster.
pub(super) const PARALLEL: usize = 32;
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Services that wait to be told of, by when they are due.
#[derive(Default)]
pub(super) struct Outbox {
    queue: BTreeSet<(Instant, usize)>,
    due: Vec<Option<Instant>>,
    failures: u32,
    /// After a failure nobody is tried before this.
    pause_until: Option<Instant>,
}

impl Outbox {
    pub(super) fn new(services: usize) -> Self {
        Self { due: vec![None; services], ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Puts a service into its slot, or moves it there.
    pub(super) fn put(&mut self, index: usize, due: Instant) {
        self.remove(index);
        self.due[index] = Some(due);
        self.queue.insert((due, index));
    }

    /// Empties a service's slot.
    pub(super) fn remove(&mut self, index: usize) {
        if let Some(due) = self.due[index].take() {
            self.queue.remove(&(due, index));
        }
    }

    /// Takes the next service that is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<usize> {
        let (due, index) = *self.queue.first()?;
        if due > now || self.pause_until.is_some_and(|until| until > now) {
            return None;
        }
        self.remove(index);
        Some(index)
    }

    /// When to look again, if anybody waits.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let (due, _) = *self.queue.first()?;
        Some(self.pause_until.map_or(due, |until| due.max(until)))
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.pause_until = None;
    }

    /// Temporal did not take something: everybody waits a little, and longer each time.
    pub(super) fn failed(&mut self, now: Instant) {
        let wait = RETRY_FIRST.saturating_mul(1 << self.failures.min(10)).min(RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        self.pause_until = Some(now + wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_one_slot_and_the_earliest_is_first() {
        let (mut outbox, now) = (Outbox::new(3), Instant::now());
        outbox.put(2, now);
        outbox.put(1, now + Duration::from_secs(1));
        outbox.put(1, now);
        assert_eq!(outbox.len(), 2);
        assert_eq!([outbox.take(now), outbox.take(now), outbox.take(now)], [Some(1), Some(2), None]);
    }

    #[test]
    fn after_a_failure_everybody_waits_and_longer_each_time() {
        let (mut outbox, now) = (Outbox::new(1), Instant::now());
        outbox.put(0, now);
        outbox.failed(now);
        assert_eq!(outbox.take(now), None);
        assert_eq!(outbox.wake_at(), Some(now + RETRY_FIRST));
        (0..20).for_each(|_| outbox.failed(now));
        assert_eq!(outbox.wake_at(), Some(now + RETRY_MAX));
        outbox.succeeded();
        assert_eq!(outbox.take(now), Some(0));
    }
}
