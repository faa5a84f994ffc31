//! `HostLeaseActivity`: holds the host's name while dixmgr lives, by beating.
//!
//! It beats each second; the SDK sends less often, and always the newest beat. A clean stop hands the name over, so that
//! nobody takes it for a loss.

// The macro generates undocumented constants beside each activity.
#![allow(missing_docs)]

use crate::call::Call;
use crate::post::Post;
use crate::unit::failure;
use dixmgr_contract::host::{Beat, Handover, Holder, Lease, LeaseBegan, SIGNAL_LEASE_BEGAN};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use temporalio_macros::activities;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::sync::watch;

const BEAT: Duration = Duration::from_secs(1);

/// Holds the lease of this host. Cheap to clone.
#[derive(Clone)]
pub struct LeaseActivities {
    /// This start of dixmgr.
    pub holder: Holder,
    /// Turns true when dixmgr stops on purpose.
    pub stop: watch::Receiver<bool>,
    /// Called when nobody could hear this host for a while: all of its services are to be told of again.
    pub heard_again: Arc<dyn Fn() + Send + Sync>,
    /// Counts the leases that somebody ended: the name has to be asked for again.
    pub ended: watch::Sender<u64>,
}

#[activities]
impl LeaseActivities {
    /// Holds the host's name until dixmgr stops or somebody ends the lease.
    #[activity(name = "HostLeaseActivity")]
    pub async fn hold(self: Arc<Self>, ctx: ActivityContext, call: Call<Lease>) -> Result<Handover, ActivityError> {
        let lease = call.read().map_err(failure)?;
        let workflow = ctx.info().workflow_id.clone().unwrap_or_default();
        let began = LeaseBegan { lease: lease.lease, holder: self.holder.clone(), at_ms: now_ms() };
        let told = Post::new(ctx.client()).signal(&workflow, SIGNAL_LEASE_BEGAN, &began).await;
        told.map_err(|error| ActivityError::application(ApplicationFailure::new(error)))?;
        if lease.was_lost {
            (self.heard_again)();
        }
        let mut stop = self.stop.clone();
        loop {
            ctx.record_heartbeat(Beat { at_ms: now_ms() }).await?;
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(Handover {}),
                _ = ctx.cancelled() => break,
                () = tokio::time::sleep(BEAT) => {}
            }
        }
        if *self.stop.borrow() {
            return Ok(Handover {});
        }
        self.ended.send_modify(|count| *count += 1);
        Err(ActivityError::cancelled())
    }
}

/// The host's wall clock.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
