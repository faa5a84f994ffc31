//! What waits to be written, bounded: when the store is away for long the oldest is given up, samples before anything else
//! is touched.

use crate::record::Record;
use crate::tracker::Move;
use dixmgr_contract::Time;
use std::collections::VecDeque;

/// One thing to write.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    /// With its number.
    Record(i64, Record),
    Move(Move),
}

/// What waits.
pub(crate) struct Ring {
    events: VecDeque<Row>,
    samples: VecDeque<Row>,
    most_events: usize,
    most_samples: usize,
    /// Since when changes of state are missing because they had to be given up.
    gap: Option<Time>,
}

/// How much of each was taken from the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    events: usize,
    samples: usize,
}

impl Taken {
    pub(crate) const fn len(self) -> usize {
        self.events + self.samples
    }

    pub(crate) const fn has_events(self) -> bool {
        self.events > 0
    }
}

impl Ring {
    pub(crate) fn new(most_events: usize, most_samples: usize) -> Self {
        let (events, samples) = (VecDeque::new(), VecDeque::new());
        Self { events, samples, most_events, most_samples, gap: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len() + self.samples.len()
    }

    /// True if anything but samples waits.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Adds a row; true if a record had to be given up for it.
    pub(crate) fn push(&mut self, row: Row) -> bool {
        let is_sample = matches!(&row, Row::Record(_, record) if record.is_sample());
        let (rows, most) =
            if is_sample { (&mut self.samples, self.most_samples) } else { (&mut self.events, self.most_events) };
        rows.push_back(row);
        if rows.len() <= most {
            return false;
        }
        match rows.pop_front() {
            Some(Row::Move(lost)) => {
                self.gap = Some(self.gap.map_or(lost.at, |gap| gap.min(lost.at)));
                false
            }
            oldest => oldest.is_some(),
        }
    }

    /// The next at most `most` rows: events in their order, then samples in theirs.
    pub(crate) fn front(&self, most: usize) -> (Vec<&Row>, Taken) {
        let events = self.events.len().min(most);
        let samples = self.samples.len().min(most - events);
        let rows = self.events.iter().take(events).chain(self.samples.iter().take(samples)).collect();
        (rows, Taken { events, samples })
    }

    /// Forgets what was written.
    pub(crate) fn pop(&mut self, taken: Taken) {
        self.events.drain(..taken.events.min(self.events.len()));
        self.samples.drain(..taken.samples.min(self.samples.len()));
    }

    /// Since when changes of state are missing.
    pub(crate) const fn gap(&self) -> Option<Time> {
        self.gap
    }

    /// The changes of state that wait are known otherwise.
    pub(crate) fn drop_moves(&mut self) {
        self.events.retain(|row| !matches!(row, Row::Move(_)));
        self.gap = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::record::{Transition, Usage};

    fn row(at: i64) -> Row {
        let at = Time::from_unix_millis(at);
        Row::Move(Move { service: "api".into(), at, state: State::Up, cause: String::new() })
    }

    fn event(at: i64) -> Row {
        let (at, empty) = (Time::from_unix_millis(at), String::new);
        let record = Transition { service: "api".into(), at, state: State::Up, phase: empty(), reason: empty() };
        Row::Record(0, Record::Transition(record))
    }

    fn sample() -> Row {
        let record = Record::Usage { service: "api".into(), at: Time::default(), usage: Usage::default(), samples: 1 };
        Row::Record(0, record)
    }

    #[test]
    fn the_oldest_is_given_up_and_samples_never_push_events_out() {
        let mut ring = Ring::new(2, 3);
        assert_eq!([row(7), row(8)].map(|row| ring.push(row)), [false, false]);
        let given_up = (0..10).filter(|_| ring.push(sample())).count();
        assert_eq!((given_up, ring.len(), ring.gap()), (7, 5, None));
        assert!(!ring.push(row(9)), "a change that was derived is no record");
        assert_eq!((ring.len(), ring.gap()), (5, Some(Time::from_unix_millis(7))));
    }

    #[test]
    fn what_was_taken_is_forgotten_once_it_is_written() {
        let mut ring = Ring::new(9, 9);
        assert_eq!([event(1), row(2), sample(), sample()].map(|row| ring.push(row)), [false; 4]);
        let (rows, taken) = ring.front(3);
        assert_eq!((rows.len(), taken.len(), taken.has_events()), (3, 3, true));
        assert_eq!(ring.len(), 4);
        ring.pop(taken);
        assert_eq!(ring.len(), 1);
    }
}
