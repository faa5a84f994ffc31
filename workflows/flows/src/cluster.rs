//! `ClusterWorkflow`: services that stand in for each other.

// The macros generate undocumented constants beside each handler.
#![allow(missing_docs)]

use crate::calls::{ReportCluster, SubscribeTo, for_the_fleet};
use crate::desk::{Boxed, Desk, ask, at_desk, unless};
use crate::inflight::InFlight;
use crate::service_watch::ServiceWatchWorkflow;
use crate::shell::{Shell, is_long, next, now, rest};
use crate::wait::Alarm;
use crate::wire::Wire;
use dixmgr_contract::activity::Subscription;
use dixmgr_contract::cluster::{ClusterSpec, ClusterStatus, PromoteArgs, RollingRestartArgs};
use dixmgr_contract::{Readiness, Time};
use dixmgr_decide::cluster::{Action, Cluster, Event};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use temporalio_workflow::common::error::ApplicationFailure;
use temporalio_workflow::{
    ContinueAsNewOptions, SignalWorkflowOptions, SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext,
    WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};

const REPORT_TIMEOUT: Duration = Duration::from_secs(30);

type Context = WorkflowContext<ClusterWorkflow>;

/// The input of the workflow. Minimal: `{"name":"rpc","members":["rpc-1","rpc-2"],"quorum":2,"mode":"active"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterInput {
    /// The cluster.
    #[serde(flatten)]
    pub spec: ClusterSpec,
    /// The state that the last run handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<Cluster>>,
}

/// The workflow of one cluster.
#[workflow]
pub struct ClusterWorkflow {
    cluster: Result<Cluster, String>,
    desk: Desk<Event>,
}

#[workflow_methods]
impl ClusterWorkflow {
    #[init]
    fn new(view: &WorkflowContextView, input: Wire<ClusterInput>) -> Self {
        let begin = view.start_time().map(Time::from).unwrap_or_default();
        let cluster = input.0.and_then(|input| match input.state {
            Some(state) => Ok(*state),
            None => input.spec.check().map(|()| Cluster::new(input.spec, begin)).map_err(|error| error.to_string()),
        });
        // The first look needs no mail.
        Self { cluster, desk: Desk::new([Event::Tick]) }
    }

    /// Looks after the cluster until it is cancelled.
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let ctx = &*ctx;
        if let Err(error) = ctx.state(|flow| flow.cluster.clone()) {
            let text = format!(
                "the input of ClusterWorkflow is {{\"name\":\"rpc\",\"members\":[\"rpc-1\"],\"quorum\":1,\"mode\":\"active\"}} or more: {error}"
            );
            return Err(ApplicationFailure::non_retryable(text).into());
        }
        let mut operations = InFlight::new();
        let mut alarm = Alarm::none();
        let mut quiet = false;
        loop {
            let moment = now(ctx);
            while let Some(actions) = next(ctx, moment) {
                quiet |= actions.contains(&Action::Checkpoint);
                operations.extend(actions.into_iter().filter_map(|action| perform(ctx, action)));
            }
            if (quiet || is_long(ctx)) && operations.is_empty() && ctx.all_handlers_finished() {
                let cluster = ctx.state(|flow| flow.cluster.clone()).map_err(ApplicationFailure::non_retryable)?;
                let next = ClusterInput { spec: cluster.spec().clone(), state: Some(Box::new(cluster)) };
                ctx.continue_as_new(next.into(), ContinueAsNewOptions::default())?;
            }
            rest(ctx, &mut operations, &mut alarm, moment).await?;
        }
    }

    /// The cluster as a host's configuration has it.
    #[signal]
    pub fn configure(&mut self, _ctx: &mut SyncWorkflowContext<Self>, spec: Wire<ClusterSpec>) {
        let checked = spec.0.and_then(|spec| spec.check().map(|()| spec).map_err(|error| error.to_string()));
        self.desk.take("configure", Wire(checked), |spec| Event::Configured(Box::new(spec)));
    }

    /// A member says how it stands.
    #[signal]
    pub fn readiness(&mut self, _ctx: &mut SyncWorkflowContext<Self>, readiness: Wire<Readiness>) {
        self.desk.take("readiness", readiness, Event::Readiness);
    }

    /// Where the cluster stands.
    #[query]
    pub fn status(&self, _ctx: &WorkflowContextView) -> Result<ClusterStatus, Boxed> {
        let status = self.cluster.as_ref().map(Cluster::status).map_err(Clone::clone)?;
        Ok(ClusterStatus { input_error: self.desk.input_error.clone(), ..status })
    }

    /// Restarts the members one by one, never below the quorum.
    #[update]
    pub async fn rolling_restart(
        ctx: &mut WorkflowContext<Self>,
        args: Wire<RollingRestartArgs>,
    ) -> Result<String, Boxed> {
        let id = ctx.uuid4();
        let args = args.0.unwrap_or_default();
        Ok(ask(ctx, &id, Event::RollingRestart { id: id.clone(), args }).await??)
    }

    /// Makes another member of a standby cluster the active one.
    #[update]
    pub async fn promote(ctx: &mut WorkflowContext<Self>, args: Wire<PromoteArgs>) -> Result<String, Boxed> {
        let id = ctx.uuid4();
        let args = args.0?;
        Ok(ask(ctx, &id, Event::Promote { id: id.clone(), args }).await??)
    }

    #[update_validator(rolling_restart)]
    fn may_restart(&self, _ctx: &WorkflowContextView, args: &Wire<RollingRestartArgs>) -> Result<(), Boxed> {
        self.desk.admits("rolling_restart", args, "{\"by\":…,\"reason\":…} or nothing")?;
        unless(self.cluster.as_ref().ok().and_then(Cluster::objection_to_rolling_restart))
    }

    #[update_validator(promote)]
    fn may_promote(&self, _ctx: &WorkflowContextView, args: &Wire<PromoteArgs>) -> Result<(), Boxed> {
        self.desk.admits("promote", args, "{\"member\":\"rpc-2\"} or more")?;
        let asked = self.cluster.as_ref().ok().zip(args.0.as_ref().ok());
        unless(asked.and_then(|(cluster, args)| cluster.objection_to_promotion(&args.member)))
    }
}

at_desk!(ClusterWorkflow, Event, Result<String, String>);

impl Shell for ClusterWorkflow {
    type Action = Action;
    const TICK: Event = Event::Tick;

    fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        self.cluster.as_mut().map(|cluster| cluster.step(event, now)).unwrap_or_default()
    }

    fn wake_at(&self) -> Option<Time> {
        self.cluster.as_ref().ok().and_then(Cluster::wake_at)
    }
}

fn perform(ctx: &Context, action: Action) -> Option<LocalBoxFuture<'_, Option<Event>>> {
    match action {
        Action::Subscribe { member, workflow_id } => {
            let subscription = Subscription { to: workflow_id, subscriber: ctx.workflow_id().to_owned() };
            let asked = ctx.execute_activity(SubscribeTo, subscription, for_the_fleet(REPORT_TIMEOUT, 3));
            let failed = move |_| Event::SubscriptionFailed { member };
            Some(asked.map(|result| result.err().map(failed)).boxed_local())
        }
        Action::Command { workflow_id, command, .. } => {
            let token = WorkflowCancellationToken::new();
            let options = SignalWorkflowOptions::builder().cancellation_token(token).build();
            let member = ctx.external_workflow(workflow_id, None);
            Some(member.signal(ServiceWatchWorkflow::command, command.into(), options).map(|_| None).boxed_local())
        }
        Action::Report(report) => {
            let told = ctx.execute_activity(ReportCluster, report, for_the_fleet(REPORT_TIMEOUT, 5));
            Some(told.map(|_| None).boxed_local())
        }
        Action::Answer(answer) => {
            ctx.state_mut(|flow| flow.desk.put(answer.id, answer.result));
            None
        }
        Action::Checkpoint => None,
    }
}
