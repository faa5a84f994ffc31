//! `DependencyWaitWorkflow`: a wait that people see, and that keeps its time-out through any crash.

// The macros generate undocumented constants beside each handler.
#![allow(missing_docs)]

use crate::calls::SubscribeTo;
use crate::desk::{Desk, at_desk};
use crate::inflight::InFlight;
use crate::service_watch::ServiceWatchWorkflow;
use crate::shell::{Shell, is_long, next, now, rest};
use crate::wait::Alarm;
use crate::wire::Wire;
use dixmgr_contract::activity::Subscription;
use dixmgr_contract::id::service_id;
use dixmgr_contract::{Readiness, ServiceName, Time, WaitResult, WaitSpec};
use dixmgr_decide::wait::{Action, Event, Wait};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use std::error::Error;
use temporalio_workflow::common::error::ApplicationFailure;
use temporalio_workflow::{
    ContinueAsNewOptions, SignalWorkflowOptions, SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext,
    WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};

/// The input of the workflow. Minimal: `{"service":"api","dependencies":["db"]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitInput {
    /// Who waits for whom.
    #[serde(flatten)]
    pub spec: WaitSpec,
    /// The state that the last run handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<Wait>>,
}

impl From<WaitSpec> for Wire<WaitInput> {
    fn from(spec: WaitSpec) -> Self {
        WaitInput { spec, state: None }.into()
    }
}

/// The workflow of one wait.
#[workflow]
pub struct DependencyWaitWorkflow {
    wait: Result<Wait, String>,
    desk: Desk<Event, ()>,
}

type Context = WorkflowContext<DependencyWaitWorkflow>;

#[workflow_methods]
impl DependencyWaitWorkflow {
    #[init]
    fn new(view: &WorkflowContextView, input: Wire<WaitInput>) -> Self {
        let begin = view.start_time().map(Time::from).unwrap_or_default();
        let wait = input.0.and_then(|input| match input.state {
            Some(state) => Ok(*state),
            None => Wait::new(input.spec, begin),
        });
        // The first look needs no mail.
        Self { wait, desk: Desk::new([Event::Tick]) }
    }

    /// Waits until enough dependencies are ready, or the time is up.
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<WaitResult> {
        let ctx = &*ctx;
        if let Err(error) = ctx.state(|flow| flow.wait.clone()) {
            let text = format!(
                "the input of DependencyWaitWorkflow is {{\"service\":\"api\",\"dependencies\":[\"db\"]}} or more: {error}"
            );
            return Err(ApplicationFailure::non_retryable(text).into());
        }
        let mut operations = InFlight::new();
        let mut alarm = Alarm::none();
        loop {
            let moment = now(ctx);
            while let Some(actions) = next(ctx, moment) {
                for action in actions {
                    match action {
                        Action::Subscribe(name) => operations.push(subscribe(ctx, name)),
                        Action::End(result) => return end(ctx, result).await,
                    }
                }
            }
            if is_long(ctx) && operations.is_empty() {
                let wait = ctx.state(|flow| flow.wait.clone()).map_err(ApplicationFailure::non_retryable)?;
                let next = WaitInput { spec: wait.spec().clone(), state: Some(Box::new(wait)) };
                ctx.continue_as_new(next.into(), ContinueAsNewOptions::default())?;
            }
            rest(ctx, &mut operations, &mut alarm, moment).await?;
        }
    }

    /// A dependency says how it stands.
    #[signal]
    pub fn readiness(&mut self, _ctx: &mut SyncWorkflowContext<Self>, readiness: Wire<Readiness>) {
        self.desk.take("readiness", readiness, Event::Heard);
    }

    /// The service that waits says which dependencies are not ready.
    #[signal]
    pub fn missing(&mut self, _ctx: &mut SyncWorkflowContext<Self>, missing: Wire<Vec<ServiceName>>) {
        self.desk.take("missing", missing, Event::Missing);
    }

    /// The dependencies that are not ready.
    #[query]
    pub fn waiting_for(&self, _ctx: &WorkflowContextView) -> Result<Vec<ServiceName>, Box<dyn Error + Send + Sync>> {
        self.wait.as_ref().map(Wait::missing).map_err(|error| error.clone().into())
    }
}

at_desk!(DependencyWaitWorkflow, Event, ());

impl Shell for DependencyWaitWorkflow {
    type Action = Action;
    const TICK: Event = Event::Tick;

    fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        self.wait.as_mut().map(|wait| wait.step(event, now)).unwrap_or_default()
    }

    fn wake_at(&self) -> Option<Time> {
        self.wait.as_ref().ok().map(Wait::wake_at)
    }
}

impl DependencyWaitWorkflow {
    fn id_of(&self, own: &str, name: &ServiceName) -> String {
        let given = self.wait.as_ref().ok().and_then(|wait| wait.spec().workflow_ids.get(name).cloned());
        given.unwrap_or_else(|| service_id(own, name))
    }
}

fn subscribe(ctx: &Context, name: ServiceName) -> LocalBoxFuture<'_, Option<Event>> {
    let subscriber = ctx.workflow_id().to_owned();
    let to = ctx.state(|flow| flow.id_of(&subscriber, &name));
    let asked = ctx.execute_activity(SubscribeTo, Subscription { to, subscriber }, SubscribeTo::options());
    asked.map(|result| result.err().map(|_| Event::CouldNotAsk(name))).boxed_local()
}

/// A service that has waited in vain hears of it.
async fn end(ctx: &Context, result: WaitResult) -> WorkflowResult<WaitResult> {
    let notify = ctx.state(|flow| flow.wait.as_ref().ok().and_then(|wait| wait.spec().notify.clone()));
    if let Some(service) = notify.filter(|_| !result.satisfied) {
        let options = SignalWorkflowOptions::builder().cancellation_token(WorkflowCancellationToken::new()).build();
        let told = ctx.external_workflow(service, None);
        // A service that does not exist any more waits for nothing.
        let _ = told.signal(ServiceWatchWorkflow::waited, result.clone().into(), options).await;
    }
    Ok(result)
}
