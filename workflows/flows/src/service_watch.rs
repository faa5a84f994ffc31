//! `ServiceWatchWorkflow`: the durable life of one service.
//!
//! The handlers put events into an inbox; the main loop feeds them to the machine, performs what comes out and waits for
//! the next event, the end of an operation, or the machine's own alarm.

// The macros generate undocumented constants beside each handler.
#![allow(missing_docs)]

use crate::desk::{Boxed, Desk, ask, at_desk, unless};
use crate::inflight::InFlight;
use crate::perform::{self, Settings};
use crate::shell::{Shell, is_long, next, now, rest};
use crate::wait::Alarm;
use crate::wire::Wire;
use dixmgr_contract::command::CommandArgs;
use dixmgr_contract::host::LossMark;
use dixmgr_contract::plan::ForgetHost;
use dixmgr_contract::{
    Command, CommandKind, HostName, Observation, PhaseName, Readiness, ServiceName, ServiceSpec, ServiceStatus,
    Subscribe, Time, WaitResult,
};
use dixmgr_decide::service::Skill;
use dixmgr_decide::{Action, Event, Service};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use temporalio_workflow::common::error::ApplicationFailure;
use temporalio_workflow::{
    ContinueAsNewOptions, SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext, WorkflowContextView,
    WorkflowResult, WorkflowTermination, workflow, workflow_methods,
};

/// The patch marks of what runs have learned; each is made when it matters for the first time.
const fn mark(skill: Skill) -> &'static str {
    match skill {
        Skill::RelatesAlerts => "relates-alerts",
        Skill::AsksForCauses => "asks-for-causes",
        Skill::OrdersStopsAtRest => "orders-stops-at-rest",
        Skill::WaitsToBeHealed => "waits-to-be-healed",
    }
}

/// The patch mark of runs that tell what began and ended while Temporal was away; made when there is such a thing.
const PASSED: &str = "passed";

type Context = WorkflowContext<ServiceWatchWorkflow>;

/// The input of the workflow. Minimal: `{"name":"api","unit":"api.service"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchInput {
    /// The service.
    #[serde(flatten)]
    pub spec: ServiceSpec,
    /// Whether the search attributes are registered. Decided once, outside: an unknown one would fail every task.
    #[serde(default)]
    pub search_attributes: bool,
    /// The phase that was written with the start, where search attributes are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<PhaseName>,
    /// The state that the last run handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<Service>>,
}

/// The workflow of one service.
#[workflow]
pub struct ServiceWatchWorkflow {
    input: Result<WatchInput, String>,
    service: Option<Service>,
    desk: Desk<Event>,
    now: Time,
    /// The orders that are out, by their generation, and how to take each back.
    pub(crate) orders: BTreeMap<u64, WorkflowCancellationToken>,
    /// The workflow of its wait has been asked for and is not there yet: it cannot be told anything.
    pub(crate) wait_begins: bool,
}

#[workflow_methods]
impl ServiceWatchWorkflow {
    #[init]
    fn new(view: &WorkflowContextView, input: Wire<WatchInput>) -> Self {
        let Wire(mut input) = input;
        let service = input.as_mut().ok().and_then(|input| input.state.take()).map(|state| *state);
        let now = view.start_time().map(Time::from).unwrap_or_default();
        Self { input, service, desk: Desk::new([]), now, orders: BTreeMap::new(), wait_begins: false }
    }

    /// Supervises until it is cancelled.
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let ctx = &*ctx;
        // What was handed over is kept once: a host may have thousands of these open.
        let input = match ctx.state_mut(|flow| std::mem::replace(&mut flow.input, Err("it has begun".to_owned()))) {
            Ok(input) => input,
            Err(error) => return Err(unreadable(&error)),
        };
        let settings = Settings {
            queue: ctx.task_queue().to_owned(),
            workflow_id: ctx.workflow_id().to_owned(),
            search_attributes: input.search_attributes,
        };
        let seed = ctx.random();
        let begin = now(ctx);
        ctx.state_mut(|flow| {
            let service = || Service::new(input.spec, seed, begin).published(input.published);
            flow.service.get_or_insert_with(service).unlearn();
        });
        let mut operations = InFlight::new();
        let mut alarm = Alarm::none();
        let (mut quiet, mut over) = (false, false);
        loop {
            let moment = now(ctx);
            learn(ctx);
            heed_passed(ctx);
            while let Some(actions) = next(ctx, moment) {
                quiet |= actions.contains(&Action::Checkpoint);
                over |= actions.contains(&Action::End);
                for action in actions {
                    if let Action::Answer(answer) = action {
                        ctx.state_mut(|flow| flow.desk.put(answer.id, answer.result));
                    } else if let Some(operation) = perform::action(ctx, &settings, action) {
                        operations.push(operation);
                    }
                }
            }
            if over && operations.is_empty() && ctx.all_handlers_finished() {
                return Ok(());
            }
            if (quiet || is_long(ctx))
                && operations.is_empty()
                && ctx.all_handlers_finished()
                && let Some(state) = ctx.state(|flow| flow.service.clone())
            {
                let (spec, search_attributes) = (state.spec.clone(), settings.search_attributes);
                let next = WatchInput { spec, search_attributes, published: None, state: Some(Box::new(state)) };
                ctx.continue_as_new(next.into(), ContinueAsNewOptions::default())?;
            }
            rest(ctx, &mut operations, &mut alarm, moment).await?;
        }
    }

    /// The whole present state of the service, from its host.
    #[signal]
    pub fn observe(&mut self, _ctx: &mut SyncWorkflowContext<Self>, observation: Wire<Observation>) {
        self.desk.take("observe", observation, |observation| Event::Observed(Box::new(observation)));
    }

    /// A command without an answer, from another workflow.
    #[signal]
    pub fn command(&mut self, _ctx: &mut SyncWorkflowContext<Self>, command: Wire<Command>) {
        self.desk.take("command", command, Event::Commanded);
    }

    /// Somebody wants to hear whether the service is ready.
    #[signal]
    pub fn subscribe(&mut self, _ctx: &mut SyncWorkflowContext<Self>, subscribe: Wire<Subscribe>) {
        self.desk.take("subscribe", subscribe, |subscribe| Event::Subscribed(subscribe.workflow_id));
    }

    /// A dependency on another host says whether it is ready.
    #[signal]
    pub fn readiness(&mut self, _ctx: &mut SyncWorkflowContext<Self>, readiness: Wire<Readiness>) {
        self.desk.take("readiness", readiness, Event::Heard);
    }

    /// Nobody sees what the service's host does.
    #[signal]
    pub fn host_lost(&mut self, _ctx: &mut SyncWorkflowContext<Self>, mark: Wire<LossMark>) {
        self.desk.take("host_lost", mark, Event::HostLost);
    }

    /// A host does not supervise the service any more.
    #[signal]
    pub fn retire(&mut self, _ctx: &mut SyncWorkflowContext<Self>, from: Wire<ForgetHost>) {
        self.desk.take("retire", from, |from| Event::Retired(from.host));
    }

    /// The wait for the service's dependencies is over.
    #[signal]
    pub fn waited(&mut self, _ctx: &mut SyncWorkflowContext<Self>, result: Wire<WaitResult>) {
        self.desk.take("waited", result, Event::Waited);
    }

    /// Where the service stands.
    #[query]
    pub fn status(&self, _ctx: &WorkflowContextView) -> Result<ServiceStatus, Boxed> {
        let service = match (&self.service, &self.input) {
            (Some(service), _) => service.clone(),
            (None, Ok(input)) => Service::new(input.spec.clone(), 0, self.now),
            (None, Err(error)) => return Err(error.clone().into()),
        };
        Ok(ServiceStatus { input_error: self.desk.input_error.clone(), ..service.status(self.now) })
    }

    /// Stops the unit if it runs and starts it.
    #[update]
    pub async fn restart(ctx: &mut WorkflowContext<Self>, args: Wire<CommandArgs>) -> Result<String, Boxed> {
        obey(ctx, CommandKind::Restart, args).await
    }

    /// Stops the unit and leaves it stopped.
    #[update]
    pub async fn stop(ctx: &mut WorkflowContext<Self>, args: Wire<CommandArgs>) -> Result<String, Boxed> {
        obey(ctx, CommandKind::Stop, args).await
    }

    /// Starts the unit.
    #[update]
    pub async fn start(ctx: &mut WorkflowContext<Self>, args: Wire<CommandArgs>) -> Result<String, Boxed> {
        obey(ctx, CommandKind::Start, args).await
    }

    /// Takes no action until resumed.
    #[update]
    pub async fn pause(ctx: &mut WorkflowContext<Self>, args: Wire<CommandArgs>) -> Result<String, Boxed> {
        obey(ctx, CommandKind::Pause, args).await
    }

    /// Supervises again.
    #[update]
    pub async fn resume(ctx: &mut WorkflowContext<Self>, args: Wire<CommandArgs>) -> Result<String, Boxed> {
        obey(ctx, CommandKind::Resume, args).await
    }

    #[update_validator(restart)]
    fn may_restart(&self, _ctx: &WorkflowContextView, args: &Wire<CommandArgs>) -> Result<(), Boxed> {
        self.may(CommandKind::Restart, args)
    }

    #[update_validator(stop)]
    fn may_stop(&self, _ctx: &WorkflowContextView, args: &Wire<CommandArgs>) -> Result<(), Boxed> {
        self.may(CommandKind::Stop, args)
    }

    #[update_validator(start)]
    fn may_start(&self, _ctx: &WorkflowContextView, args: &Wire<CommandArgs>) -> Result<(), Boxed> {
        self.may(CommandKind::Start, args)
    }

    #[update_validator(pause)]
    fn may_pause(&self, _ctx: &WorkflowContextView, args: &Wire<CommandArgs>) -> Result<(), Boxed> {
        self.may(CommandKind::Pause, args)
    }

    #[update_validator(resume)]
    fn may_resume(&self, _ctx: &WorkflowContextView, args: &Wire<CommandArgs>) -> Result<(), Boxed> {
        self.may(CommandKind::Resume, args)
    }
}

at_desk!(ServiceWatchWorkflow, Event, Result<String, String>);

impl Shell for ServiceWatchWorkflow {
    type Action = Action;
    const TICK: Event = Event::Tick;

    fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        self.now = now;
        self.service.as_mut().map(|service| service.step(event, now)).unwrap_or_default()
    }

    fn wake_at(&self) -> Option<Time> {
        self.service.as_ref().and_then(Service::wake_at)
    }
}

impl ServiceWatchWorkflow {
    pub(crate) fn unit_name(&self) -> String {
        self.service.as_ref().map(|service| service.spec.unit.to_string()).unwrap_or_default()
    }

    pub(crate) fn spec_name(&self) -> Option<ServiceName> {
        self.service.as_ref().map(|service| service.spec.name.clone())
    }

    pub(crate) fn host(&self) -> Option<HostName> {
        self.service.as_ref()?.spec.host.clone()
    }

    fn may(&self, kind: CommandKind, args: &Wire<CommandArgs>) -> Result<(), Boxed> {
        self.desk.admits(kind.as_str(), args, "{\"by\":…,\"reason\":…} or nothing")?;
        // In a run's first activation the validator comes before `run`: then the machine itself refuses, with its reason.
        unless(self.service.as_ref().and_then(|service| service.objection(kind)))
    }
}

/// A run that was worked on, when a skill mattered, by a dixmgr that did not have it goes on without until its end.
fn learn(ctx: &Context) {
    for skill in Skill::ALL {
        let matters = |flow: &ServiceWatchWorkflow| {
            flow.service.as_ref().is_some_and(|service| service.matters(skill, flow.desk.inbox.iter()))
        };
        if ctx.state(matters) {
            let has = ctx.patched(mark(skill));
            ctx.state_mut(|flow| flow.service.iter_mut().for_each(|service| service.learn(skill, has)));
        }
    }
}

/// A run that was worked on by a dixmgr that did not know of what has passed took it for nothing, and goes on so until its end.
fn heed_passed(ctx: &Context) {
    let brings_passed = |event: &Event| matches!(event, Event::Observed(observation) if !observation.passed.is_empty());
    if ctx.state(|flow| flow.desk.inbox.iter().any(brings_passed)) && !ctx.patched(PASSED) {
        ctx.state_mut(|flow| {
            for event in &mut flow.desk.inbox {
                if let Event::Observed(observation) = event {
                    observation.passed.clear();
                }
            }
        });
    }
}

fn unreadable(error: &str) -> WorkflowTermination {
    let text =
        format!("the input of ServiceWatchWorkflow is {{\"name\":\"api\",\"unit\":\"api.service\"}} or more: {error}");
    ApplicationFailure::non_retryable(text).into()
}

/// Puts a command to the machine and waits for its answer.
async fn obey(
    ctx: &mut WorkflowContext<ServiceWatchWorkflow>,
    kind: CommandKind,
    args: Wire<CommandArgs>,
) -> Result<String, Boxed> {
    let id = ctx.uuid4();
    let CommandArgs { by, reason } = args.0.unwrap_or_default();
    let command = Command { id: id.clone(), command: kind, by, reason, to_all: false };
    Ok(ask(ctx, &id, Event::Commanded(command)).await??)
}
