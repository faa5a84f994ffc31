//! The handle with which anything is recorded: it never waits, and never fails.
//!
//! Events and samples have a queue each, so that a flood of samples takes no room from events. A change of health that does
//! not fit goes into a slot of its service, where the latest one waits: the state in which a service is left is right even
//! if changes on the way are missing, and those are counted. Rejected: one queue, or an unbounded one.

use crate::notice::{Counts, Figures, add};
use crate::record::{Record, Transition};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Events that wait for the writer to look; a batch is 500.
const EVENTS: usize = 4_096;
/// Samples that do: eight rounds over a thousand services.
const SAMPLES: usize = 8_192;

/// A record with its number.
pub(crate) type Numbered = (i64, Record);

/// A cheap handle; clones share everything.
#[derive(Clone)]
pub struct Recorder {
    events: Sender<Numbered>,
    samples: Sender<Numbered>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorder({:?})", self.figures())
    }
}

pub(crate) struct Shared {
    next: AtomicI64,
    slots: Mutex<BTreeMap<String, (i64, Transition)>>,
    pub(crate) counts: Counts,
}

impl Shared {
    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, (i64, Transition)>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What did not fit the queue.
    pub(crate) fn take_slots(&self) -> Vec<Numbered> {
        let taken = std::mem::take(&mut *self.slots());
        taken.into_values().map(|(seq, it)| (seq, Record::Transition(it))).collect()
    }
}

/// The writer's ends.
pub(crate) struct Ends {
    pub(crate) events: Receiver<Numbered>,
    pub(crate) samples: Receiver<Numbered>,
    pub(crate) shared: Arc<Shared>,
}

impl Recorder {
    /// `first` is the first number; later starts must begin with higher ones.
    pub(crate) fn new(first: i64) -> (Self, Ends) {
        let (events, events_end) = channel(EVENTS);
        let (samples, samples_end) = channel(SAMPLES);
        let next = AtomicI64::new(first);
        let shared = Arc::new(Shared { next, slots: Mutex::default(), counts: Counts::default() });
        let ends = Ends { events: events_end, samples: samples_end, shared: Arc::clone(&shared) };
        (Self { events, samples, shared }, ends)
    }

    /// Records it. What cannot be taken now is counted, see [`Figures`].
    pub fn record(&self, record: Record) {
        let Some(record) = record.bounded() else {
            add(&self.shared.counts.rejected, 1);
            return;
        };
        let queue = if record.is_sample() { &self.samples } else { &self.events };
        match queue.try_reserve() {
            // The number is taken with the place, so that the queue's order is nearly that of the numbers.
            Ok(place) => place.send((self.number(), record)),
            Err(_) => self.overflow(record),
        }
    }

    fn number(&self) -> i64 {
        self.shared.next.fetch_add(1, Ordering::Relaxed)
    }

    fn overflow(&self, record: Record) {
        let lost = match record {
            Record::Transition(it) => {
                let mut slots = self.shared.slots();
                let number = self.number();
                slots.insert(it.service.clone(), (number, it)).is_some()
            }
            _ => true,
        };
        add(&self.shared.counts.dropped, usize::from(lost));
    }

    /// How the writer is doing.
    pub fn figures(&self) -> Figures {
        self.shared.counts.figures()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{State, Usage};
    use dixmgr_contract::Time;

    fn change(number: i64, state: State) -> Record {
        let at = Time::from_unix_millis(number);
        Record::Transition(Transition { service: "api".into(), at, state, phase: String::new(), reason: String::new() })
    }

    #[test]
    fn a_full_queue_drops_samples_and_keeps_the_last_state_of_each_service() {
        let (recorder, mut ends) = Recorder::new(1);
        let sample = Record::Usage { service: "api".into(), at: Time::default(), usage: Usage::default(), samples: 1 };
        for number in 0..10_000 {
            recorder.record(sample.clone());
            recorder.record(change(number, State::Down));
        }
        recorder.record(change(10_000, State::Up));
        assert_eq!(recorder.figures().dropped, (10_000 - 8_192) + (10_001 - 4_096) - 1);
        let slots = ends.shared.take_slots();
        assert!(matches!(&slots[..], [(_, Record::Transition(it))] if it.state == State::Up));
        assert!(ends.events.try_recv().unwrap().0 < slots[0].0);
    }

    #[test]
    fn a_figure_that_is_none_is_rejected() {
        let (recorder, _ends) = Recorder::new(1);
        let usage = Usage { cpu_percent: f64::NAN, ..Usage::default() };
        recorder.record(Record::Usage { service: "api".into(), at: Time::default(), usage, samples: 1 });
        assert_eq!(recorder.figures().rejected, 1);
    }
}
