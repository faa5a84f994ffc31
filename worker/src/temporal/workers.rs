//! The SDK's workers: one for the fleet's workflows, one for the orders to this host.
//!
//! Each has a thread and a current-thread runtime of its own: `Worker::run` cannot move between threads, and a slow
//! workflow task must not hold up an order. Rejected: one worker for both queues, which the SDK does not offer.

use super::connect::{Endpoint, connect, telemetry};
use anyhow::Context;
use dixmgr_bind::{ActivityMeter, FleetActivities, HostActivities, LeaseActivities, TellingActivities, WorkflowMeter};
use dixmgr_contract::HostName;
use dixmgr_contract::host::lease_queue;
use dixmgr_contract::id::host_queue;
use dixmgr_flows::{
    ClusterWorkflow, DependencyWaitWorkflow, HostWorkflow, IncidentWorkflow, InfrastructureWorkflow,
    ServiceWatchWorkflow,
};
use dixmgr_telemetry::Metrics;
use std::time::Duration;
use temporalio_sdk::runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder};
use temporalio_sdk::runtime::{PollerBehavior, RuntimeOptions};
use temporalio_sdk::workflow_interceptors::WorkflowInterceptorConstructor;
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::sync::{oneshot, watch};

/// How long running activities may go on after SIGTERM.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// A workflow that another dixmgr had cached waits this long after its death; the SDK's default is 10 s.
const STICKY_TIMEOUT: Duration = Duration::from_secs(2);
/// More than any host has open; an evicted instance leaks in the SDK.
const CACHED_WORKFLOWS: usize = 20_000;
/// How rarely a lease's heartbeat is sent, at most: four fifths of the 15 s that a lease lasts if nobody says otherwise. Each
/// beat costs the server two writes, one for the beat and one for the next time-out.
const BEAT: Duration = Duration::from_secs(12);
const ORDERS_AT_A_TIME: usize = 500;

/// What a worker serves.
pub(super) enum Role {
    /// The workflows of the fleet, and what any host does for them.
    Fleet(TellingActivities),
    /// The orders to this host.
    Host(HostName, HostActivities),
    /// The lease of this host, on a queue of its own: it must not wait behind orders.
    Lease(HostName, LeaseActivities),
}

impl Role {
    const fn name(&self) -> &'static str {
        match self {
            Self::Fleet(_) => "fleet",
            Self::Host(..) => "host",
            Self::Lease(..) => "lease",
        }
    }

    /// How many activities run at a time. Who holds the lease does not ask for another one.
    const fn activities(&self) -> usize {
        if matches!(self, Self::Lease(..)) { 1 } else { ORDERS_AT_A_TIME }
    }

    fn options(&self, endpoint: &Endpoint, metrics: &Metrics) -> anyhow::Result<WorkerOptions> {
        let queue = match self {
            Self::Fleet(_) => endpoint.task_queue.clone(),
            Self::Host(host, _) => host_queue(&endpoint.task_queue, host),
            Self::Lease(host, _) => lease_queue(&endpoint.task_queue, host),
        };
        let slots = FixedSizeSlotSupplier::new;
        let tuner = TunerHolder::builder()
            .workflow_task_slot_supplier(slots(100))
            .activity_task_slot_supplier(slots(self.activities()))
            .local_activity_task_slot_supplier(slots(10))
            .nexus_task_slot_supplier(slots(1))
            .build();
        let options = WorkerOptions::new(queue)
            .tuner(tuner)
            .max_cached_workflows(CACHED_WORKFLOWS)
            .graceful_shutdown_period(GRACE)
            .sticky_queue_schedule_to_start_timeout(STICKY_TIMEOUT)
            .max_heartbeat_throttle_interval(BEAT);
        let mut options = match self {
            Self::Fleet(telling) => options
                .register_workflow::<ServiceWatchWorkflow>()?
                .register_workflow::<DependencyWaitWorkflow>()?
                .register_workflow::<ClusterWorkflow>()?
                .register_workflow::<HostWorkflow>()?
                .register_workflow::<IncidentWorkflow>()?
                .register_workflow::<InfrastructureWorkflow>()?
                .register_activities(FleetActivities { metrics: metrics.clone(), telling: telling.clone() })
                .register_activities(telling.clone())
                .build(),
            Self::Lease(_, activities) => options.register_activities(activities.clone()).build(),
            Self::Host(_, activities) => options.register_activities(activities.clone()).build(),
        };
        (options.workflow_task_poller_behavior, options.activity_task_poller_behavior) = match self {
            Self::Fleet(_) => (polls(2), polls(1)),
            Self::Host(..) | Self::Lease(..) => (None, polls(1)),
        };
        let metrics = metrics.clone();
        options.activity_inbound_interceptor(ActivityMeter(metrics.clone()));
        options.workflow_interceptor(WorkflowInterceptorConstructor::new(move |view| {
            WorkflowMeter::new(metrics.clone(), view)
        }));
        Ok(options)
    }
}

/// So many polls are open at a time. Each costs the server a little, and a fleet has many hosts; one alone takes a task each few
/// milliseconds. Rejected: as many as there is work for. The SDK's scaler of polls wakes ten times a second, each.
fn polls(at_a_time: usize) -> Option<PollerBehavior> {
    Some(PollerBehavior::SimpleMaximum(at_a_time))
}

/// Runs a worker until `stop` turns true or it fails. The answer comes when it has ended.
pub(super) fn spawn(
    role: Role,
    endpoint: Endpoint,
    metrics: Metrics,
    stop: watch::Receiver<bool>,
) -> oneshot::Receiver<anyhow::Result<()>> {
    let (sender, receiver) = oneshot::channel();
    let name = format!("worker-{}", role.name());
    let started = std::thread::Builder::new().name(name).spawn(move || {
        let result = run(role, &endpoint, &metrics, stop);
        let _ = sender.send(result);
    });
    if let Err(error) = started {
        tracing::error!("cannot start a thread for a worker: {error}");
    }
    receiver
}

fn run(role: Role, endpoint: &Endpoint, metrics: &Metrics, mut stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio.block_on(async move {
        // Without the SDK's reports on its workers: each worker of each host would send one a minute, and poll for commands.
        let options = RuntimeOptions::builder().heartbeat_interval(None);
        let options = options.telemetry_options(telemetry(endpoint, metrics)).build().map_err(anyhow::Error::msg)?;
        let runtime = Runtime::from_current_tokio(options)?;
        let client = connect(endpoint, Some(metrics)).await?;
        let name = role.name();
        let mut worker = Worker::new(&runtime, client, role.options(endpoint, metrics)?)?;
        let shutdown = worker.shutdown_handle();
        let watcher = async {
            let _ = stop.wait_for(|stop| *stop).await;
            shutdown();
            std::future::pending::<()>().await
        };
        tokio::select! {
            result = worker.run() => result.with_context(|| format!("the {name} worker has ended")),
            () = watcher => Ok(()),
        }
    })
}
