//! `HostWorkflow`: who runs dixmgr under a host's name, by one endless activity that beats.

// The macros generate undocumented constants beside each handler.
#![allow(missing_docs)]

use crate::calls::{MarkHostLost, ReportHost, TakeLease, for_the_fleet};
use crate::desk::{Boxed, Desk, ask, at_desk};
use crate::inflight::InFlight;
use crate::shell::{Shell, is_long, next, now, rest};
use crate::wait::Alarm;
use crate::wire::Wire;
use dixmgr_contract::host::{
    Beat, Claim, ClaimAnswer, HostReport, HostReportKind, HostStatus, Lease, LeaseBegan, LossMark, lease_queue,
};
use dixmgr_contract::plan::ForgetHost;
use dixmgr_contract::{HostName, Span, Time};
use dixmgr_decide::host::{Action, Ended, Event, HostLease};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use temporalio_workflow::common::error::{ApplicationFailure, TimeoutType};
use temporalio_workflow::{
    ActivityExecutionError, ActivityOptions, ContinueAsNewOptions, RetryPolicy, SyncWorkflowContext, TimerOptions,
    WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};

const REPORT_TIMEOUT: Duration = Duration::from_secs(30);
/// Each service of the host is told.
const MARK_TIMEOUT: Duration = Duration::from_secs(300);
/// An activity needs an end; a lease has none that anybody will see.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The patch mark of runs that owe people the report of a loss, and of its end, until it is taken; made with the first.
const REPORTS_OWED: &str = "reports-owed";

type Context = WorkflowContext<HostWorkflow>;
type Operation<'a> = LocalBoxFuture<'a, Option<Event>>;

/// The input of the workflow. Minimal: `{"host":"alpha"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInput {
    /// The host.
    pub host: HostName,
    /// The state that the last run handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<HostLease>>,
}

/// The workflow of one host.
#[workflow]
pub struct HostWorkflow {
    lease: Result<HostLease, String>,
    host: Option<HostName>,
    desk: Desk<Event, ClaimAnswer>,
}

#[workflow_methods]
impl HostWorkflow {
    #[init]
    fn new(view: &WorkflowContextView, input: Wire<HostInput>) -> Self {
        let begin = view.start_time().map(Time::from).unwrap_or_default();
        let host = input.0.as_ref().ok().map(|input| input.host.clone());
        let (lease, first) = match input.0 {
            Ok(HostInput { state: Some(state), .. }) => (Ok(*state), Event::NewRun),
            Ok(HostInput { host, state: None }) => (Ok(HostLease::new(host, begin)), Event::Tick),
            Err(error) => (Err(error), Event::Tick),
        };
        Self { lease, host, desk: Desk::new([first]) }
    }

    /// Keeps the lease scheduled until it is cancelled.
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let ctx = &*ctx;
        if let Err(error) = ctx.state(|flow| flow.lease.clone()) {
            let text = format!("the input of HostWorkflow is {{\"host\":\"alpha\"}}: {error}");
            return Err(ApplicationFailure::non_retryable(text).into());
        }
        let mut operations = InFlight::new();
        let mut tokens = BTreeMap::new();
        let mut alarm = Alarm::none();
        let mut quiet = false;
        if ctx.state(|flow| flow.lease.as_ref().is_ok_and(HostLease::owes)) {
            owes(ctx);
        }
        loop {
            let moment = now(ctx);
            while let Some(actions) = next(ctx, moment) {
                quiet |= actions.contains(&Action::Checkpoint);
                operations.extend(actions.into_iter().filter_map(|action| perform(ctx, action, &mut tokens)));
            }
            // A lease that nobody runs ends with this.
            if ctx.state(|flow| flow.lease.as_ref().is_ok_and(HostLease::is_over)) && ctx.all_handlers_finished() {
                return Ok(());
            }
            // The open lease never ends by itself; its holder takes that of the next run.
            if (quiet || is_long(ctx)) && operations.len() <= 1 && ctx.all_handlers_finished() {
                let state = ctx.state(|flow| flow.lease.clone()).map_err(ApplicationFailure::non_retryable)?;
                let host = state.status().host;
                let next = HostInput { host, state: Some(Box::new(state)) };
                ctx.continue_as_new(next.into(), ContinueAsNewOptions::default())?;
            }
            rest(ctx, &mut operations, &mut alarm, moment).await?;
        }
    }

    /// The lease runs on a host.
    #[signal]
    pub fn lease_began(&mut self, _ctx: &mut SyncWorkflowContext<Self>, began: Wire<LeaseBegan>) {
        self.desk.take("lease_began", began, Event::LeaseBegan);
    }

    /// The host is gone for good: the workflow tells the end of its loss, and ends. Without effect while the host is up.
    #[signal]
    pub fn forget(&mut self, _ctx: &mut SyncWorkflowContext<Self>, args: Wire<ForgetHost>) {
        self.desk.take("forget", args, |_| Event::Forgotten);
    }

    /// Where the host stands.
    #[query]
    pub fn status(&self, _ctx: &WorkflowContextView) -> Result<HostStatus, Boxed> {
        let status = self.lease.as_ref().map(HostLease::status).map_err(Clone::clone)?;
        Ok(HostStatus { input_error: self.desk.input_error.clone(), ..status })
    }

    /// A dixmgr that starts asks for the host's name.
    #[update]
    pub async fn claim(ctx: &mut WorkflowContext<Self>, claim: Wire<Claim>) -> Result<ClaimAnswer, Boxed> {
        let claim = claim.0?;
        let id = ctx.uuid4();
        ask(ctx, &id, Event::Claimed { id: id.clone(), claim }).await
    }

    #[update_validator(claim)]
    fn may_claim(&self, _ctx: &WorkflowContextView, claim: &Wire<Claim>) -> Result<(), Boxed> {
        self.desk.admits("claim", claim, "{\"holder\":{\"machine\":…,\"epoch\":…}} or more")
    }
}

at_desk!(HostWorkflow, Event, ClaimAnswer);

impl Shell for HostWorkflow {
    type Action = Action;
    const TICK: Event = Event::Tick;

    fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        self.lease.as_mut().map(|lease| lease.step(event, now)).unwrap_or_default()
    }

    fn wake_at(&self) -> Option<Time> {
        self.lease.as_ref().ok().and_then(HostLease::wake_at)
    }
}

fn perform<'a>(
    ctx: &'a Context,
    action: Action,
    tokens: &mut BTreeMap<u64, WorkflowCancellationToken>,
) -> Option<Operation<'a>> {
    match action {
        Action::Schedule { lease, delay } => {
            let token = WorkflowCancellationToken::new();
            tokens.insert(lease.lease, token.clone());
            Some(take_lease(ctx, lease, delay, token))
        }
        Action::CancelLease { lease } => {
            if let Some(token) = tokens.remove(&lease) {
                token.cancel();
            }
            None
        }
        Action::MarkLost(mark) => Some(mark_lost(ctx, mark)),
        Action::Tell(report) => Some(tell(ctx, report)),
        Action::Report(report) => {
            let told = ctx.execute_activity(ReportHost, report, for_the_fleet(REPORT_TIMEOUT, 10));
            Some(told.map(|_| None).boxed_local())
        }
        Action::Answer { id, answer } => {
            ctx.state_mut(|flow| flow.desk.put(id, answer));
            None
        }
        Action::Checkpoint => None,
    }
}

/// Whether this run owes people anything. One that was worked on by a dixmgr that knew of no debts goes on so until its end.
fn owes(ctx: &Context) -> bool {
    let owes = ctx.patched(REPORTS_OWED);
    if !owes {
        ctx.state_mut(|flow| flow.lease.as_mut().map(HostLease::forgive).unwrap_or_default());
    }
    owes
}

fn tell(ctx: &Context, report: HostReport) -> Operation<'_> {
    // No older version knows the signal that is behind this.
    let owes = report.kind == HostReportKind::HostForgotten || owes(ctx);
    let told = ctx.execute_activity(ReportHost, report, for_the_fleet(REPORT_TIMEOUT, 10));
    told.map(move |result| owes.then_some(if result.is_ok() { Event::Reported } else { Event::ReportFailed }))
        .boxed_local()
}

fn take_lease(ctx: &Context, lease: Lease, delay: Span, token: WorkflowCancellationToken) -> Operation<'_> {
    let number = lease.lease;
    let queue = ctx.state(|flow| flow.host.as_ref().map(|host| lease_queue(ctx.task_queue(), host)));
    let options = ActivityOptions::with_start_to_close_timeout(FOR_EVER)
        .task_queue(queue.unwrap_or_default())
        .heartbeat_timeout(lease.lease_timeout.duration())
        .retry_policy(RetryPolicy::builder().maximum_attempts(1).build())
        .cancellation_token(token.clone())
        .build();
    Box::pin(async move {
        if delay > Span::ZERO {
            let timer = TimerOptions::builder(delay.duration()).cancellation_token(token).build();
            let _ = ctx.timer(timer).await;
        }
        let how = match ctx.execute_activity(TakeLease, lease, options).await {
            Ok(_) => Ended::HandedOver,
            Err(error) => ending(&error),
        };
        Some(Event::LeaseEnded { lease: number, how })
    })
}

fn ending(error: &ActivityExecutionError) -> Ended {
    match error.as_timeout() {
        Some(timeout) if timeout.timeout_type() == TimeoutType::Heartbeat => {
            let last: Option<Wire<Beat>> = timeout.last_heartbeat_details().ok().flatten();
            Ended::TimedOut { last_beat_ms: last.and_then(|beat| beat.0.ok()).map(|beat| beat.at_ms) }
        }
        Some(_) => Ended::TimedOut { last_beat_ms: None },
        None if error.as_cancelled().is_some() => Ended::Cancelled,
        None => Ended::Failed { message: error.to_string() },
    }
}

fn mark_lost(ctx: &Context, mark: LossMark) -> Operation<'_> {
    let loss = mark.loss;
    let marked = ctx.execute_activity(MarkHostLost, mark, for_the_fleet(MARK_TIMEOUT, 10));
    marked
        .map(move |result| {
            Some(if result.is_ok() { Event::ServicesMarked { loss } } else { Event::MarkFailed { loss } })
        })
        .boxed_local()
}
