//! Counts and times workflows and activities where the SDK runs them, so that no flow and no activity does.

use dixmgr_telemetry::{ActivityOutcome, Metrics, WorkflowOutcome};
use futures::FutureExt;
use std::time::{Duration, Instant, SystemTime};
use temporalio_sdk::activities::ActivityError;
use temporalio_sdk::interceptors::{ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next};
use temporalio_sdk::workflow_interceptors::{
    ExecuteWorkflowInput, ExecuteWorkflowResult, WorkflowInterceptor, WorkflowInterceptorContext,
    WorkflowInterceptorFuture, WorkflowNext,
};
use temporalio_sdk::{WorkflowContextView, WorkflowTermination};

/// Feeds `activity_*`.
#[derive(Clone)]
pub struct ActivityMeter(pub Metrics);

impl ActivityInboundInterceptor for ActivityMeter {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        async move {
            let activity = input.activity_info().activity_type.clone();
            let began = Instant::now();
            let result = next.run(input).await;
            let (outcome, error_type) = match &result {
                Ok(_) => (ActivityOutcome::Success, None),
                Err(ActivityError::Application(failure)) => {
                    (ActivityOutcome::Error, Some(failure.type_name().unwrap_or("Unexpected").to_owned()))
                }
                Err(_) => (ActivityOutcome::Cancelled, None),
            };
            self.0.activity_done(&activity, outcome, began.elapsed(), error_type.as_deref());
            result
        }
        .boxed()
    }
}

/// Feeds `workflow_*`. One for each cached run; silent on replay.
pub struct WorkflowMeter {
    metrics: Metrics,
    workflow: String,
    started: Option<SystemTime>,
}

impl WorkflowMeter {
    /// For the run in `view`.
    pub fn new(metrics: Metrics, view: &WorkflowContextView) -> Self {
        Self { metrics, workflow: view.workflow_type().to_owned(), started: view.start_time() }
    }
}

impl WorkflowInterceptor for WorkflowMeter {
    fn execute<'a>(
        &'a self,
        ctx: WorkflowInterceptorContext,
        input: ExecuteWorkflowInput,
        next: WorkflowNext<'a, ExecuteWorkflowInput, WorkflowInterceptorFuture<'a, ExecuteWorkflowResult>>,
    ) -> WorkflowInterceptorFuture<'a, ExecuteWorkflowResult> {
        WorkflowInterceptorFuture::new(async move {
            if !ctx.is_replaying() {
                self.metrics.workflow_started(&self.workflow);
            }
            let result = next.run(input).await;
            if !ctx.is_replaying() {
                let outcome = match &result {
                    Ok(_) => WorkflowOutcome::Completed,
                    Err(WorkflowTermination::ContinueAsNew(_)) => WorkflowOutcome::Continued,
                    Err(WorkflowTermination::Cancelled { .. }) => WorkflowOutcome::Cancelled,
                    Err(_) => WorkflowOutcome::Failed,
                };
                let lived = ctx.workflow_time().zip(self.started).and_then(|(now, then)| now.duration_since(then).ok());
                self.metrics.workflow_closed(&self.workflow, outcome, lived.unwrap_or(Duration::ZERO));
            }
            result
        })
    }
}
