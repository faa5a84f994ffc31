//! Work that says that it goes on: an activity whose host has died, or has lost its network with the task in hand, is
//! known by the beats that are missed, long before its own time-out.

use std::time::Duration;
use temporalio_sdk::activities::ActivityContext;
use tokio::time::Instant;

/// How often. The SDK sends a beat only when the activity's heartbeat time-out asks for one.
const BEAT: Duration = Duration::from_secs(2);

/// Does the work, and beats while it takes long.
pub(crate) async fn beating<T>(ctx: &ActivityContext, work: impl Future<Output = T>) -> T {
    let mut beat = tokio::time::interval_at(Instant::now() + BEAT, BEAT);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => return result,
            _ = beat.tick() => {
                // One that is not sent is one that is missed.
                let _ = ctx.record_heartbeat(()).await;
            }
        }
    }
}

/// The same, until dixmgr stops: whoever waits for something that this dixmgr would have to do itself would wait in vain.
pub(crate) async fn beating_until_stopped<T>(ctx: &ActivityContext, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        result = beating(ctx, work) => Some(result),
        _ = ctx.cancelled() => None,
    }
}
