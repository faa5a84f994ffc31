//! Who is told next: one slot per service, what is not well before what is, and then in the order in which it is due.
//!
//! A failure never waits behind a thousand news of health, as there are after a reconnect, nor behind a thousand services that fell with
//! another one: these go at the pace of the workflows (`decide/pace.rs`).

use dixmgr_contract::{Span, Time};
use dixmgr_decide::pace::Pace;
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
    /// It is not, and nobody can act before what is behind it is mended.
    Behind,
}

/// Services that wait to be told of, by when they are due.
pub(super) struct Outbox {
    ill: BTreeSet<(Instant, usize)>,
    well: BTreeSet<(Instant, usize)>,
    behind: BTreeSet<(Instant, usize)>,
    /// Of those behind.
    pace: Pace,
    begun: Instant,
    slots: Vec<Option<(News, Instant)>>,
    failures: u32,
    /// After a failure nobody is tried before this.
    pause_until: Option<Instant>,
}

impl Outbox {
    pub(super) fn new(services: usize) -> Self {
        Self {
            ill: BTreeSet::new(),
            well: BTreeSet::new(),
            behind: BTreeSet::new(),
            pace: Pace::new(Time::default()),
            begun: Instant::now(),
            slots: vec![None; services],
            failures: 0,
            pause_until: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ill.len() + self.well.len() + self.behind.len()
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
            News::Behind => &mut self.behind,
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
        let is_due = |(due, _): &&(Instant, usize)| *due <= now;
        let first = [&self.ill, &self.well].into_iter().filter_map(BTreeSet::first).find(is_due).copied();
        let behind = self.behind.first().filter(is_due).copied();
        let may_follow = first.is_none() && behind.is_some() && self.pace.take(self.time(now));
        let (_, index) = first.or(behind.filter(|_| may_follow))?;
        self.remove(index);
        Some(index)
    }

    /// When to look again, if anybody waits.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let first = [&self.ill, &self.well].into_iter().filter_map(BTreeSet::first).map(|(due, _)| *due);
        let next = self.begun + self.pace.next_at().since(Time::default()).duration();
        let due = first.chain(self.behind.first().map(|(due, _)| next.max(*due))).min()?;
        Some(self.pause_until.map_or(due, |until| due.max(until)))
    }

    /// Workflow tasks lie for so long before somebody takes them.
    pub(super) fn tasks_waited(&mut self, waited: Span, now: Instant) {
        self.pace.waited(waited, self.time(now));
    }

    /// On a clock that begins with this and does not jump.
    fn time(&self, now: Instant) -> Time {
        let passed = now.saturating_duration_since(self.begun);
        Time::default().after(Span::from_millis(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)))
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
    fn what_is_behind_another_goes_last_and_at_the_pace_of_the_workflows() {
        let (mut outbox, now) = (Outbox::new(102), Instant::now());
        (0..100).for_each(|index| outbox.put(index, News::Behind, now));
        outbox.put(100, News::Well, now);
        outbox.put(101, News::Ill, now);
        assert_eq!([outbox.take(now), outbox.take(now), outbox.take(now)], [Some(101), Some(100), Some(0)]);
        let burst = std::iter::from_fn(|| outbox.take(now)).count();
        assert!(burst < 50, "{burst}");
        let next = outbox.wake_at().unwrap();
        assert!(next > now && next < now + Duration::from_secs(1));
        assert!(outbox.take(next).is_some());
        outbox.put(101, News::Ill, next);
        assert_eq!((outbox.wake_at(), outbox.take(next)), (Some(next), Some(101)));
        outbox.tasks_waited(Span::from_secs(2), next);
        let slower = outbox.wake_at().unwrap();
        assert!(slower - next > next - now, "a line slows it down");
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
