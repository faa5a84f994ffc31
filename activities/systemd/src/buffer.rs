//! Between the bus and the consumer: the latest state per unit, never a queue.
//!
//! The bus drops a client that does not read, and a unit may flap faster than anybody consumes; so the writer never
//! waits, and what has not been read yet is replaced. Memory is one state per unit, however much happens.
//!
//! Rejected: a bounded channel of changes. When it is full it must either block the reader of the bus or lose the last
//! state, which is the one that counts.

use dixmgr_contract::{UnitName, UnitState};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::{sync::Notify, task::AbortHandle};

/// Something the consumer should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// These units are in another state than was told before.
    Changed(Vec<UnitChange>),
    /// After a connect: every unit's state has been told.
    Synced,
    /// systemd cannot be seen; states may be out of date until `Synced`. A new connection is being tried.
    Disconnected {
        /// Why, for people.
        reason: String,
    },
    /// True: systemd or the machine is shutting down. False: it is not, after all.
    Stopping(bool),
}

/// A unit and its present state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitChange {
    /// The unit, by the name it was asked for.
    pub unit: UnitName,
    /// Its state.
    pub state: UnitState,
    /// When the message that made it so arrived.
    pub at: Instant,
}

/// The consumer's end: at most one state per unit is waiting at any time.
pub struct UnitFeed {
    buffer: Arc<Buffer>,
    _alive: Arc<Alive>,
}

impl UnitFeed {
    pub(crate) fn new(buffer: Arc<Buffer>, alive: Arc<Alive>) -> Self {
        Self { buffer, _alive: alive }
    }

    /// Waits for news. Cancel-safe: nothing is taken before it is returned.
    pub async fn next(&mut self) -> FeedEvent {
        loop {
            if let Some(event) = self.buffer.take() {
                return event;
            }
            self.buffer.news.notified().await;
        }
    }
}

/// Ends the background task when nobody is left to use it.
#[derive(Debug, Default)]
pub(crate) struct Alive(pub(crate) Option<AbortHandle>);

impl Drop for Alive {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// The states that wait for the consumer.
#[derive(Debug)]
pub(crate) struct Buffer {
    inner: Mutex<Inner>,
    news: Notify,
}

#[derive(Debug)]
struct Inner {
    slots: Vec<Slot>,
    waiting: BTreeMap<usize, (UnitState, Instant)>,
    disconnected: Option<String>,
    synced: bool,
    stopping: bool,
    told_stopping: bool,
}

#[derive(Debug)]
struct Slot {
    unit: UnitName,
    told: Option<UnitState>,
}

impl Buffer {
    pub(crate) fn new(units: &[UnitName]) -> Self {
        let slots = units.iter().map(|unit| Slot { unit: unit.clone(), told: None }).collect();
        let inner = Inner {
            slots,
            waiting: BTreeMap::new(),
            disconnected: None,
            synced: false,
            stopping: false,
            told_stopping: false,
        };
        Self { inner: Mutex::new(inner), news: Notify::new() }
    }

    /// The state of the unit at `index` is now this one.
    pub(crate) fn put(&self, index: usize, state: UnitState, at: Instant) {
        let mut inner = self.lock();
        let Some(slot) = inner.slots.get(index) else { return };
        if slot.told.as_ref() == Some(&state) {
            inner.waiting.remove(&index);
            return;
        }
        inner.waiting.insert(index, (state, at));
        drop(inner);
        self.news.notify_one();
    }

    pub(crate) fn synced(&self) {
        self.lock().synced = true;
        self.news.notify_one();
    }

    pub(crate) fn disconnected(&self, reason: String) {
        let mut inner = self.lock();
        inner.synced = false;
        inner.disconnected = Some(reason);
        drop(inner);
        self.news.notify_one();
    }

    pub(crate) fn stopping(&self, stopping: bool) {
        self.lock().stopping = stopping;
        self.news.notify_one();
    }

    /// What the consumer should hear next: a shutdown first, because it explains what follows.
    fn take(&self) -> Option<FeedEvent> {
        let mut inner = self.lock();
        if inner.stopping != inner.told_stopping {
            inner.told_stopping = inner.stopping;
            return Some(FeedEvent::Stopping(inner.stopping));
        }
        if let Some(reason) = inner.disconnected.take() {
            return Some(FeedEvent::Disconnected { reason });
        }
        let waiting = std::mem::take(&mut inner.waiting);
        if !waiting.is_empty() {
            let changes = waiting.into_iter().filter_map(|(index, (state, at))| {
                let slot = inner.slots.get_mut(index)?;
                slot.told = Some(state.clone());
                Some(UnitChange { unit: slot.unit.clone(), state, at })
            });
            return Some(FeedEvent::Changed(changes.collect()));
        }
        std::mem::take(&mut inner.synced).then_some(FeedEvent::Synced)
    }

    /// Nothing here panics while it holds the lock, so a poisoned one is still good.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_contract::{ActiveState, LoadState};

    fn state(active: ActiveState) -> UnitState {
        UnitState::new(LoadState::Loaded, active)
    }

    fn buffer() -> Buffer {
        Buffer::new(&[UnitName::new("a.service").unwrap(), UnitName::new("b.service").unwrap()])
    }

    #[test]
    fn only_the_latest_state_waits() {
        let (buffer, now) = (buffer(), Instant::now());
        for _ in 0..1000 {
            buffer.put(0, state(ActiveState::Active), now);
            buffer.put(0, state(ActiveState::Failed), now);
        }
        let Some(FeedEvent::Changed(changes)) = buffer.take() else { panic!("no change") };
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].state, state(ActiveState::Failed));
        assert_eq!(buffer.take(), None);
    }

    #[test]
    fn back_to_what_was_told_is_no_news() {
        let (buffer, now) = (buffer(), Instant::now());
        buffer.put(1, state(ActiveState::Active), now);
        assert!(matches!(buffer.take(), Some(FeedEvent::Changed(_))));
        buffer.put(1, state(ActiveState::Failed), now);
        buffer.put(1, state(ActiveState::Active), now);
        assert_eq!(buffer.take(), None);
    }

    #[test]
    fn synced_comes_after_its_states_and_not_after_a_loss() {
        let (buffer, now) = (buffer(), Instant::now());
        buffer.synced();
        buffer.disconnected("gone".to_owned());
        assert_eq!(buffer.take(), Some(FeedEvent::Disconnected { reason: "gone".to_owned() }));
        assert_eq!(buffer.take(), None);
        buffer.synced();
        buffer.put(0, state(ActiveState::Active), now);
        buffer.stopping(true);
        assert_eq!(buffer.take(), Some(FeedEvent::Stopping(true)));
        assert!(matches!(buffer.take(), Some(FeedEvent::Changed(_))));
        assert_eq!(buffer.take(), Some(FeedEvent::Synced));
    }
}
