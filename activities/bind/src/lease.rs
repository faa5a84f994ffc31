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
    /// Where the lease stands.
    pub standing: watch::Sender<LeaseStanding>,
}

/// Where the lease stands on this host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseStanding {
    /// It runs here.
    pub is_held: bool,
    /// How many of them somebody ended: the name has to be asked for again.
    pub ended: u64,
}

/// It is held for as long as this lives.
struct Held<'a>(&'a watch::Sender<LeaseStanding>);

impl<'a> Held<'a> {
    fn begin(standing: &'a watch::Sender<LeaseStanding>) -> Self {
        standing.send_modify(|standing| standing.is_held = true);
        Self(standing)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|standing| standing.is_held = false);
    }
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
        let _held = Held::begin(&self.standing);
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
        self.standing.send_modify(|standing| standing.ended += 1);
        Err(ActivityError::cancelled())
    }
}

/// The host's wall clock.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
