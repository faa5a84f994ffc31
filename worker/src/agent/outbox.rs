//! Who is told next: one slot per service, what is not well before what is, and then in the order in which it is due.
//!
//! A failure never waits behind a thousand news of health, as there are after a reconnect.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Deliveries under way at a time. A Temporal server takes more from one host no faster.
pub(super) const PARALLEL: usize = 32;
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// How soon a service's news matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    /// It is not well: somebody has to act.
    Ill,
    /// It is well.
    Well,
}

/// Services that wait to be told of, by when they are due.
#[derive(Default)]
pub(super) struct Outbox {
    ill: BTreeSet<(Instant, usize)>,
    well: BTreeSet<(Instant, usize)>,
    slots: Vec<Option<(News, Instant)>>,
    failures: u32,
    /// After a failure nobody is tried before this.
    pause_until: Option<Instant>,
}

impl Outbox {
    pub(super) fn new(services: usize) -> Self {
        Self { slots: vec![None; services], ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.ill.len() + self.well.len()
    }

    /// Puts a service into its slot, or moves it there.
    pub(super) fn put(&mut self, index: usize, news: News, due: Instant) {
        self.remove(index);
        self.slots[index] = Some((news, due));
        self.queue(news).insert((due, index));
    }

    const fn queue(&mut self, news: News) -> &mut BTreeSet<(Instant, usize)> {
        match news {
            News::Ill => &mut self.ill,
            News::Well => &mut self.well,
        }
    }

    /// Empties a service's slot.
    pub(super) fn remove(&mut self, index: usize) {
        if let Some((news, due)) = self.slots[index].take() {
            self.queue(news).remove(&(due, index));
        }
    }

    /// Takes the next service that is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<usize> {
        if self.pause_until.is_some_and(|until| until > now) {
            return None;
        }
        let first = [&self.ill, &self.well].into_iter().filter_map(BTreeSet::first).find(|(due, _)| *due <= now);
        let (_, index) = *first?;
        self.remove(index);
        Some(index)
    }

    /// When to look again, if anybody waits.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let (due, _) = *[&self.ill, &self.well].into_iter().filter_map(BTreeSet::first).min()?;
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
        outbox.put(2, News::Well, now);
        outbox.put(1, News::Well, now + Duration::from_secs(1));
        outbox.put(1, News::Well, now);
        assert_eq!(outbox.len(), 2);
        assert_eq!([outbox.take(now), outbox.take(now), outbox.take(now)], [Some(1), Some(2), None]);
    }

    #[test]
    fn what_is_not_well_goes_first_once_it_is_due() {
        let (mut outbox, now) = (Outbox::new(3), Instant::now());
        let later = now + Duration::from_secs(1);
        outbox.put(0, News::Well, now);
        outbox.put(1, News::Ill, later);
        assert_eq!(outbox.wake_at(), Some(now));
        assert_eq!(outbox.take(now), Some(0));
        outbox.put(2, News::Well, now);
        assert_eq!([outbox.take(later), outbox.take(later)], [Some(1), Some(2)]);
    }

    #[test]
    fn after_a_failure_everybody_waits_and_longer_each_time() {
        let (mut outbox, now) = (Outbox::new(1), Instant::now());
        outbox.put(0, News::Well, now);
        outbox.failed(now);
        assert_eq!(outbox.take(now), None);
        assert_eq!(outbox.wake_at(), Some(now + RETRY_FIRST));
        (0..20).for_each(|_| outbox.failed(now));
        assert_eq!(outbox.wake_at(), Some(now + RETRY_MAX));
        outbox.succeeded();
        assert_eq!(outbox.take(now), Some(0));
    }
}
