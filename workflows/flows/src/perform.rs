//! Performing the machine's actions with Temporal's means.

use crate::calls::{ActOnUnit, RaiseIncident, ReportService, SubscribeTo, for_the_fleet};
use crate::dependency_wait::{DependencyWaitWorkflow, WaitInput};
use crate::service_watch::ServiceWatchWorkflow;
use crate::wire::Wire;
use dixmgr_contract::activity::Subscription;
use dixmgr_contract::id::{ATTRIBUTE_PHASE, host_queue, wait_id};
use dixmgr_contract::{Dependency, FailureKind, HostName, Raise, Readiness, WaitSpec};
use dixmgr_decide::{Action, Event, Order, Outcome};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::time::Duration;
use temporalio_workflow::common::error::{IncomingError, TimeoutType};
use temporalio_workflow::common::search_attributes::SearchAttributeKey;
use temporalio_workflow::{
    ActivityExecutionError, ActivityOptions, ChildWorkflowOptions, ExternalWorkflowHandle, ParentClosePolicy,
    RetryPolicy, SignalWorkflowOptions, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext,
    WorkflowSignalError,
};

/// How long a host may leave an order lying before it counts as silent.
const SCHEDULE_TO_START: Duration = Duration::from_secs(30);
/// What the activity may take beyond systemd's own time for the job.
const ACTIVITY_MARGIN: Duration = Duration::from_secs(10);
/// How long a host that has taken an order may be silent. It beats while a job takes long.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(15);
const REPORT_TIMEOUT: Duration = Duration::from_secs(10);
const RAISE_TIMEOUT: Duration = Duration::from_secs(30);
const PHASE: SearchAttributeKey<String> = SearchAttributeKey::keyword(ATTRIBUTE_PHASE);

/// What does not change during a run.
pub(crate) struct Settings {
    pub(crate) queue: String,
    pub(crate) workflow_id: String,
    pub(crate) search_attributes: bool,
}

type Context = WorkflowContext<ServiceWatchWorkflow>;

/// Begins an action. What takes time is handed back, to be polled; it ends in an event or in nothing.
pub(crate) fn action<'a>(
    ctx: &'a Context,
    settings: &Settings,
    action: Action,
) -> Option<LocalBoxFuture<'a, Option<Event>>> {
    match action {
        Action::Act(order) => Some(act(ctx, settings, order)),
        Action::Withdraw { generation } => {
            if let Some(order) = ctx.state_mut(|flow| flow.orders.remove(&generation)) {
                order.cancel();
            }
            None
        }
        Action::Report(report) => {
            let options = options(ctx, settings, REPORT_TIMEOUT, 3)?;
            Some(ctx.execute_activity(ReportService, report, options).map(|_| None).boxed_local())
        }
        Action::Raise(news) => Some(raise(ctx, news)),
        Action::Publish(phase) => {
            if settings.search_attributes {
                ctx.upsert_search_attributes([PHASE.value_set(phase.as_str().to_owned())]);
            }
            None
        }
        Action::Subscribe(dependency) => Some(subscribe(ctx, settings, dependency)),
        Action::Tell { workflow_id, readiness } => Some(tell(ctx, workflow_id, readiness)),
        Action::Wait(spec) => Some(open_wait(ctx, settings, spec)),
        Action::TellWait(missing) => {
            let wait = the_wait(ctx, settings)?;
            Some(Box::pin(async move {
                let token = WorkflowCancellationToken::new();
                let options = SignalWorkflowOptions::builder().cancellation_token(token).build();
                // One that has ended meanwhile need not be told.
                let _ = wait.await.signal(DependencyWaitWorkflow::missing, missing.into(), options).await;
                None
            }))
        }
        Action::EndWait => {
            let wait = the_wait(ctx, settings)?;
            Some(Box::pin(async move {
                // Nor be ended.
                let _ = wait.await.cancel(Some("nobody waits any more".to_owned())).await;
                None
            }))
        }
        Action::Answer(_) | Action::Checkpoint | Action::End => None,
    }
}

fn raise(ctx: &Context, raise: Raise) -> LocalBoxFuture<'_, Option<Event>> {
    let alert = raise.alert.clone();
    let told = ctx.execute_activity(RaiseIncident, raise, for_the_fleet(RAISE_TIMEOUT, 0));
    told.map(|_| Some(Event::Raised(alert))).boxed_local()
}

fn subscribe<'a>(ctx: &'a Context, settings: &Settings, to: Dependency) -> LocalBoxFuture<'a, Option<Event>> {
    let subscription = Subscription { to: to.workflow_id, subscriber: settings.workflow_id.clone() };
    let asked = ctx.execute_activity(SubscribeTo, subscription, SubscribeTo::options());
    asked.map(|result| result.err().map(|_| Event::CouldNotAsk(to.name))).boxed_local()
}

/// Any subscriber has the signal, of whatever type it is.
fn tell(ctx: &Context, workflow_id: String, readiness: Readiness) -> LocalBoxFuture<'_, Option<Event>> {
    let options = SignalWorkflowOptions::builder().cancellation_token(WorkflowCancellationToken::new()).build();
    let subscriber = ctx.external_workflow(workflow_id.clone(), None);
    let told = subscriber.signal(ServiceWatchWorkflow::readiness, readiness.into(), options);
    told.map(|result| match result {
        Err(WorkflowSignalError::NotFound(_)) => Some(Event::Gone(workflow_id)),
        _ => None,
    })
    .boxed_local()
}

/// The workflow of its wait, once it is there.
fn the_wait<'a>(ctx: &'a Context, settings: &Settings) -> Option<impl Future<Output = ExternalWorkflowHandle> + 'a> {
    let id = wait_id(&settings.workflow_id, &ctx.state(|flow| flow.spec_name())?);
    let options = WaitConditionOptions::builder().cancellation_token(WorkflowCancellationToken::new()).build();
    Some(async move {
        let _ = ctx.wait_condition_with_options(|flow| !flow.wait_begins, options).await;
        ctx.external_workflow(id, None)
    })
}

/// A wait of the same name that is still open is as good as a new one.
fn open_wait<'a>(ctx: &'a Context, settings: &Settings, spec: WaitSpec) -> LocalBoxFuture<'a, Option<Event>> {
    let id = wait_id(&settings.workflow_id, &spec.service);
    let options = ChildWorkflowOptions::builder()
        .workflow_id(id)
        .static_summary(format!("{} waits for its dependencies", spec.service))
        .parent_close_policy(ParentClosePolicy::Abandon)
        .cancellation_token(WorkflowCancellationToken::new())
        .build();
    let input: Wire<WaitInput> = Wire::from(WaitSpec { notify: Some(settings.workflow_id.clone()), ..spec });
    ctx.state_mut(|flow| flow.wait_begins = true);
    let begun = ctx.start_child_workflow(DependencyWaitWorkflow::run, input, options);
    begun
        .map(|_| {
            ctx.state_mut(|flow| flow.wait_begins = false);
            None
        })
        .boxed_local()
}

fn act<'a>(ctx: &'a Context, settings: &Settings, order: Order) -> LocalBoxFuture<'a, Option<Event>> {
    let generation = order.guard.generation;
    let done = move |outcome| Some(Event::Done { generation, outcome });
    let job_time = Duration::from_millis(order.guard.timeout_ms);
    let Some(mut options) = options(ctx, settings, job_time + ACTIVITY_MARGIN, 1) else {
        let message = "no host is known for it".to_owned();
        return std::future::ready(done(Outcome::Failed { kind: FailureKind::HostSilent, message })).boxed_local();
    };
    options.heartbeat_timeout = Some(HEARTBEAT_TIMEOUT);
    let unit = ctx.state(|flow| flow.unit_name());
    let withdrawal = options.cancellation_token.clone();
    ctx.state_mut(|flow| flow.orders.extend(withdrawal.map(|token| (generation, token))));
    ctx.execute_activity(ActOnUnit(order.verb), (unit, order.guard), options)
        .map(move |result| {
            ctx.state_mut(|flow| flow.orders.remove(&generation));
            done(result.map_or_else(|error| failed(&error), |()| Outcome::Ok))
        })
        .boxed_local()
}

/// Options for an activity on the service's host; `None` while no host is known.
fn options(ctx: &Context, settings: &Settings, time: Duration, attempts: u32) -> Option<ActivityOptions> {
    let host: HostName = ctx.state(ServiceWatchWorkflow::host)?;
    Some(
        ActivityOptions::with_start_to_close_timeout(time)
            .task_queue(host_queue(&settings.queue, &host))
            .schedule_to_start_timeout(SCHEDULE_TO_START)
            .retry_policy(RetryPolicy::builder().maximum_attempts(attempts).build())
            .cancellation_token(WorkflowCancellationToken::new())
            .build(),
    )
}

/// Reads an activity's failure back into what the machine decides by.
fn failed(error: &ActivityExecutionError) -> Outcome {
    let (kind, message) = match (error.as_timeout().map(|timeout| timeout.timeout_type()), error.cause()) {
        (Some(TimeoutType::ScheduleToStart), _) => {
            (FailureKind::HostSilent, "no dixmgr of its host took the order in time".to_owned())
        }
        (Some(_), _) => (FailureKind::JobTimeout, "its host took the order and did not answer in time".to_owned()),
        (None, Some(IncomingError::Application(failure))) => {
            let kind = failure.type_name().and_then(FailureKind::from_wire).unwrap_or(FailureKind::Unexpected);
            (kind, failure.to_string())
        }
        (None, _) if error.as_cancelled().is_some() => {
            (FailureKind::HostSilent, "dixmgr on its host was stopped".to_owned())
        }
        (None, _) => (FailureKind::Unexpected, error.to_string()),
    };
    Outcome::Failed { kind, message }
}
