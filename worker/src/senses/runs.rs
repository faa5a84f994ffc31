//! What runs, as the agent tells the senses: the last word on each service, and no queue that could grow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// What the agent knows of a service's run: `None` while it does not run, its `InvocationID` otherwise.
pub(crate) type Run = Option<Option<String>>;

/// What runs. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// What has not been heard yet.
    news: Mutex<BTreeMap<usize, Run>>,
    changed: Notify,
}

impl Runs {
    /// A service runs, or does not.
    pub(crate) fn set(&self, service: usize, run: Run) {
        self.0.news.lock().unwrap_or_else(PoisonError::into_inner).insert(service, run);
        self.0.changed.notify_one();
    }

    /// Waits for news. What is dropped while it waits loses none.
    pub(crate) async fn changed(&self) -> Vec<(usize, Run)> {
        loop {
            let news = std::mem::take(&mut *self.0.news.lock().unwrap_or_else(PoisonError::into_inner));
            if !news.is_empty() {
                return news.into_iter().collect();
            }
            self.0.changed.notified().await;
        }
    }
}
