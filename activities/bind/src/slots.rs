//! How many notes may be on their way to one channel at a time.
//!
//! All activities of this dixmgr share a bound (`ORDERS_AT_A_TIME` of the worker). A channel that takes the time that it has and does not
//! answer would hold all of them in a storm, and services would wait for it. What finds no slot is not kept waiting here: it comes
//! later, and whoever sent it remembers that durably.

use dixmgr_contract::{Delivery, Span};
use std::collections::BTreeMap;
use tokio::sync::Semaphore;

/// On their way to a channel at a time. One that answers within a tenth of a second takes 320 notes in a second.
const AT_A_TIME: usize = 32;
/// When to come again: a channel that does not answer frees its slots after [`dixmgr_notify::DELIVERY`].
const LATER: Span = Span::from_secs(10);

/// The slots of each channel.
pub(crate) struct Slots(BTreeMap<String, Semaphore>);

impl Slots {
    /// For these channels.
    pub(crate) fn new<'a>(channels: impl Iterator<Item = &'a String>) -> Self {
        Self(channels.map(|name| (name.clone(), Semaphore::new(AT_A_TIME))).collect())
    }

    /// Delivers to a channel, if it has a slot.
    pub(crate) async fn within(&self, channel: &str, delivery: impl Future<Output = Delivery>) -> Delivery {
        let Some(slot) = self.0.get(channel).map(Semaphore::try_acquire) else { return delivery.await };
        match slot {
            Ok(_slot) => delivery.await,
            Err(_) => Delivery::Later { after: LATER },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::future::{pending, ready};

    #[test]
    fn a_channel_that_hangs_holds_its_own_slots_and_no_more() {
        let names = ["hangs".to_owned(), "ops".to_owned()];
        let slots = Slots::new(names.iter());
        let sent = || ready(Delivery::Sent { thread: String::new() });
        let told = |channel: &str| slots.within(channel, sent()).now_or_never();
        let mut held: Vec<_> = (0..AT_A_TIME).map(|_| Box::pin(slots.within("hangs", pending()))).collect();
        for one in &mut held {
            assert_eq!(one.as_mut().now_or_never(), None);
        }
        assert_eq!(told("hangs"), Some(Delivery::Later { after: LATER }));
        for channel in ["ops", "unknown"] {
            assert_eq!(told(channel), sent().now_or_never(), "{channel}");
        }
        held.pop();
        assert_eq!(told("hangs"), sent().now_or_never());
    }
}
