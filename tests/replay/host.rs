//! A simulated host: the activities under their real names, with answers that the flow decides.

use dixmgr_contract::activity::Report;
use dixmgr_contract::host::{Handover, Lease};
use dixmgr_contract::plan::{FanOut, FannedOut};
use dixmgr_contract::{FailureKind, Guard};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use temporalio_client::{UntypedSignal, UntypedWorkflow};
use temporalio_common::data_converters::RawValue;
use temporalio_macros::activities;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::sync::{Semaphore, watch};

/// What was asked of the host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// `start`, `stop` or `restart`, with its guard.
    pub(crate) orders: Vec<(&'static str, Guard)>,
    pub(crate) reports: Vec<Report>,
    /// What any host was asked to do for the fleet, by the activity's type.
    pub(crate) calls: Vec<&'static str>,
    /// The arguments of `NotifyActivity`.
    pub(crate) notes: Vec<Value>,
}

impl Asked {
    pub(crate) fn calls(&self, activity: &str) -> usize {
        self.calls.iter().filter(|call| **call == activity).count()
    }
}

/// How the next orders end; all others end well.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Fails(FailureKind),
    /// Fails with a type that no dixmgr knows.
    FailsStrangely,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct MockHost {
    asked: Arc<Mutex<Asked>>,
    endings: Arc<Mutex<VecDeque<Ending>>>,
    /// What channels say; after that they accept.
    deliveries: Arc<Mutex<VecDeque<Value>>>,
    /// How many leases may end.
    released: Arc<Semaphore>,
    /// Nobody begins a lease or beats.
    silent: Arc<AtomicBool>,
    /// How many observations the agent has begun to tell, and how many the workflow has taken.
    told: Arc<watch::Sender<(u64, u64)>>,
}

impl Default for MockHost {
    fn default() -> Self {
        Self {
            asked: Arc::default(),
            endings: Arc::default(),
            deliveries: Arc::default(),
            released: Arc::new(Semaphore::new(0)),
            silent: Arc::default(),
            told: Arc::new(watch::Sender::new((0, 0))),
        }
    }
}

impl MockHost {
    /// Lets one lease end well.
    pub(crate) fn release(&self) {
        self.released.add_permits(1);
    }

    /// Whether the lease is not heard of.
    pub(crate) fn be_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    pub(crate) fn next_notes(&self, deliveries: &[Value]) {
        self.deliveries.lock().unwrap().extend(deliveries.iter().cloned());
    }

    /// Holds a lease until somebody is to hear of it again; the server has ended it by then.
    async fn unheard(&self) -> Result<Handover, ActivityError> {
        while self.is_silent() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        Err(ActivityError::cancelled())
    }

    /// The agent tells an observation, until the answer is dropped.
    pub(crate) fn tells(&self) -> impl Drop {
        struct Told(Arc<watch::Sender<(u64, u64)>>);
        impl Drop for Told {
            fn drop(&mut self) {
                self.0.send_modify(|(_, taken)| *taken += 1);
            }
        }
        self.told.send_modify(|(begun, _)| *begun += 1);
        Told(Arc::clone(&self.told))
    }

    fn called(&self, activity: &'static str) {
        self.asked.lock().unwrap().calls.push(activity);
    }

    pub(crate) fn asked(&self) -> Asked {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn next(&self, endings: &[Ending]) {
        self.endings.lock().unwrap().extend(endings);
    }

    /// Obeys, and says so once the workflow knows what came of it: on a busy machine it would else wait in vain for that, and decide
    /// anew.
    async fn act(&self, verb: &'static str, call: &RawValue) -> Result<(), ActivityError> {
        let mut told = self.told.subscribe();
        let (begun, _) = *told.borrow();
        let unit: String = serde_json::from_slice(&call.payloads[0].data).unwrap();
        assert_eq!(unit, "api.service");
        let guard = serde_json::from_slice(&call.payloads[1].data).unwrap();
        self.asked.lock().unwrap().orders.push((verb, guard));
        let ending = self.endings.lock().unwrap().pop_front();
        let (kind, text) = match ending {
            None => {
                told.wait_for(|(_, taken)| *taken > begun).await.unwrap();
                return Ok(());
            }
            Some(Ending::Fails(kind)) => (kind.as_str(), "the host says no"),
            Some(Ending::FailsStrangely) => ("SomethingNew", "the host says something new"),
        };
        let failure = ApplicationFailure::builder(std::io::Error::other(text)).type_name(kind.to_owned());
        Err(ActivityError::application(failure.non_retryable(true).build()))
    }
}

#[activities]
impl MockHost {
    #[activity(name = "StartSystemdServiceActivity")]
    pub(crate) async fn start(self: Arc<Self>, _ctx: ActivityContext, call: RawValue) -> Result<(), ActivityError> {
        self.act("start", &call).await
    }

    #[activity(name = "StopSystemdServiceActivity")]
    pub(crate) async fn stop(self: Arc<Self>, _ctx: ActivityContext, call: RawValue) -> Result<(), ActivityError> {
        self.act("stop", &call).await
    }

    #[activity(name = "RestartSystemdServiceActivity")]
    pub(crate) async fn restart(self: Arc<Self>, _ctx: ActivityContext, call: RawValue) -> Result<(), ActivityError> {
        self.act("restart", &call).await
    }

    #[activity(name = "ReportServiceActivity")]
    pub(crate) async fn report(self: Arc<Self>, _ctx: ActivityContext, report: Report) -> Result<(), ActivityError> {
        self.asked.lock().unwrap().reports.push(report);
        Ok(())
    }
}

/// Any host's part for the fleet, and the lease. Cheap to clone.
#[derive(Clone)]
pub(crate) struct MockFleet(pub(crate) MockHost);

#[activities]
impl MockFleet {
    #[activity(name = "SubscribeActivity")]
    pub(crate) async fn subscribe(self: Arc<Self>, _ctx: ActivityContext, _: RawValue) -> Result<(), ActivityError> {
        self.0.called("SubscribeActivity");
        Ok(())
    }

    #[activity(name = "ReportClusterActivity")]
    pub(crate) async fn cluster(self: Arc<Self>, _ctx: ActivityContext, _: RawValue) -> Result<(), ActivityError> {
        self.0.called("ReportClusterActivity");
        Ok(())
    }

    #[activity(name = "ReportHostActivity")]
    pub(crate) async fn report(self: Arc<Self>, _ctx: ActivityContext, _: RawValue) -> Result<(), ActivityError> {
        self.0.called("ReportHostActivity");
        Ok(())
    }

    #[activity(name = "MarkHostLostActivity")]
    pub(crate) async fn mark(self: Arc<Self>, _ctx: ActivityContext, _: RawValue) -> Result<(), ActivityError> {
        self.0.called("MarkHostLostActivity");
        Ok(())
    }

    #[activity(name = "RetireServicesActivity")]
    pub(crate) async fn retire(self: Arc<Self>, _ctx: ActivityContext, _: RawValue) -> Result<(), ActivityError> {
        self.0.called("RetireServicesActivity");
        Ok(())
    }

    #[activity(name = "FanOutActivity")]
    pub(crate) async fn fan_out(
        self: Arc<Self>,
        _ctx: ActivityContext,
        order: FanOut,
    ) -> Result<FannedOut, ActivityError> {
        self.0.called("FanOutActivity");
        Ok(FannedOut { done: u32::try_from(order.workflow_ids.len()).unwrap(), failed: 0 })
    }

    #[activity(name = "RaiseIncidentActivity")]
    pub(crate) async fn raise(self: Arc<Self>, _ctx: ActivityContext, _: RawValue) -> Result<(), ActivityError> {
        self.0.called("RaiseIncidentActivity");
        Ok(())
    }

    #[activity(name = "TellCauseActivity")]
    pub(crate) async fn tell_cause(self: Arc<Self>, _ctx: ActivityContext, _: RawValue) -> Result<(), ActivityError> {
        self.0.called("TellCauseActivity");
        Ok(())
    }

    #[activity(name = "RecordIncidentActivity")]
    pub(crate) async fn record(self: Arc<Self>, _ctx: ActivityContext, _: RawValue) -> Result<(), ActivityError> {
        self.0.called("RecordIncidentActivity");
        Ok(())
    }

    #[activity(name = "SpreadSilencesActivity")]
    pub(crate) async fn spread(self: Arc<Self>, _ctx: ActivityContext, _: RawValue) -> Result<(), ActivityError> {
        self.0.called("SpreadSilencesActivity");
        Ok(())
    }

    #[activity(name = "NotifyActivity")]
    pub(crate) async fn notify(self: Arc<Self>, _ctx: ActivityContext, args: Value) -> Result<Value, ActivityError> {
        self.0.called("NotifyActivity");
        self.0.asked.lock().unwrap().notes.push(args);
        let said = self.0.deliveries.lock().unwrap().pop_front();
        Ok(said.unwrap_or_else(|| json!({"outcome": "sent", "thread": "t1"})))
    }

    #[activity(name = "HostLeaseActivity")]
    pub(crate) async fn hold(self: Arc<Self>, ctx: ActivityContext, lease: Lease) -> Result<Handover, ActivityError> {
        self.0.called("HostLeaseActivity");
        if self.0.is_silent() {
            return self.0.unheard().await;
        }
        let holder = json!({"machine": "m1", "epoch": "m1-1"});
        let began = crate::flows::raw(&json!({"lease": lease.lease, "holder": holder, "at_ms": 0}));
        let workflow = ctx.client().get_workflow_handle::<UntypedWorkflow>(ctx.info().workflow_id.clone().unwrap());
        workflow.signal(UntypedSignal::new("lease_began"), began, Default::default()).await.unwrap();
        while !self.0.is_silent() {
            ctx.record_heartbeat(json!({"at_ms": 0})).await?;
            tokio::select! {
                permit = self.0.released.acquire() => {
                    permit.unwrap().forget();
                    return Ok(Handover {});
                }
                _ = ctx.cancelled() => return Err(ActivityError::cancelled()),
                () = tokio::time::sleep(std::time::Duration::from_millis(250)) => {}
            }
        }
        self.0.unheard().await
    }
}
