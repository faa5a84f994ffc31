//! `InfrastructureWorkflow`: the registry of the fleet.

// The macros generate undocumented constants beside each handler.
#![allow(missing_docs)]

use crate::calls::{ReportHost, RetireServices, SendToMany, SpreadSilences, for_the_fleet};
use crate::desk::{Boxed, Desk, ask, at_desk, unless};
use crate::inflight::InFlight;
use crate::shell::{Shell, is_long, next, now, rest};
use crate::wait::Alarm;
use crate::wire::Wire;
use dixmgr_contract::command::CommandArgs;
use dixmgr_contract::incident::{SilenceArgs, UnsilenceArgs};
use dixmgr_contract::plan::{FannedOut, FleetPlan, FleetStatus, ForgetHost, PlanPart, PlanQuery};
use dixmgr_contract::{CommandKind, Maintenance, RemoveMaintenance, Silence, Time};
use dixmgr_decide::fleet::{Action, Event, Fleet, objection_to_silencing};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use temporalio_workflow::{
    ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow,
    workflow_methods,
};

/// Hundreds of signals, or one line in a log.
const ACTIVITY_TIMEOUT: Duration = Duration::from_secs(300);
/// Parts of plans that may wait for the machine; those beyond it are sent again with the next start of their host.
const PARTS_WAITING: usize = 4_096;
/// What `pause_all` and `resume_all` take.
const COMMANDED: &str = "{\"by\":…,\"reason\":…} or nothing";
/// What `set_maintenance` takes.
const WINDOW: &str = "{\"name\":\"disks\",\"start\":\"02:00\",\"length\":\"2h\",\"weekdays\":[\"sunday\"],\"zone\":\"Europe/Zurich\",\"services\":[\"api-*\"],\"by\":…,\"comment\":…}, the first three at least";

/// What `silence` takes.
const SILENCE: &str = "{\"matchers\":[\"service=api-*\"],\"for\":\"2h\",\"by\":…,\"comment\":…} (or \"until\")";
/// The patch mark of runs that know of silences until a moment; made with the first one.
const SILENCES_UNTIL: &str = "silences-until";

type Context = WorkflowContext<InfrastructureWorkflow>;

/// The input of the workflow. Minimal: `{}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfrastructureInput {
    /// The state that the last run handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<Fleet>>,
}

/// The workflow of the registry.
#[workflow]
pub struct InfrastructureWorkflow {
    fleet: Fleet,
    desk: Desk<Event>,
}

#[workflow_methods]
impl InfrastructureWorkflow {
    #[init]
    fn new(_view: &WorkflowContextView, input: Wire<InfrastructureInput>) -> Self {
        let fleet = input.0.ok().and_then(|input| input.state).map(|state| *state).unwrap_or_default();
        Self { fleet, desk: Desk::new([]) }
    }

    /// Keeps the registry until it is cancelled.
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let ctx = &*ctx;
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
                let next = InfrastructureInput { state: Some(Box::new(ctx.state(|flow| flow.fleet.clone()))) };
                ctx.continue_as_new(next.into(), ContinueAsNewOptions::default())?;
            }
            rest(ctx, &mut operations, &mut alarm, moment).await?;
        }
    }

    /// A part of what a host supervises.
    #[signal]
    pub fn apply_plan(&mut self, _ctx: &mut SyncWorkflowContext<Self>, part: Wire<PlanPart>) {
        if self.desk.inbox.len() < PARTS_WAITING {
            self.desk.inbox.push_back(match part.0 {
                Ok(part) => Event::Part(Box::new(part)),
                Err(message) => Event::Unreadable { message },
            });
        }
    }

    /// The fleet in numbers.
    #[query]
    pub fn status(&self, _ctx: &WorkflowContextView) -> FleetStatus {
        self.fleet.status()
    }

    /// The fleet's services, a page at a time.
    #[query]
    pub fn plan(&self, _ctx: &WorkflowContextView, query: Wire<PlanQuery>) -> Result<FleetPlan, Boxed> {
        Ok(self.fleet.plan(&query.0?))
    }

    /// What nobody is told of, maintenance windows last.
    #[query]
    pub fn silences(&self, _ctx: &WorkflowContextView) -> Vec<Silence> {
        self.fleet.silences()
    }

    /// When nobody is told of some things.
    #[query]
    pub fn maintenance(&self, _ctx: &WorkflowContextView) -> Vec<Maintenance> {
        self.fleet.maintenance().cloned().collect()
    }

    /// Takes no action on any service until resumed.
    #[update]
    pub async fn pause_all(ctx: &mut WorkflowContext<Self>, args: Wire<CommandArgs>) -> Result<String, Boxed> {
        let (id, CommandArgs { by, reason }) = (ctx.uuid4(), args.0.unwrap_or_default());
        Ok(ask(ctx, &id, Event::PauseAll { id: id.clone(), by, reason }).await??)
    }

    /// Supervises every service again.
    #[update]
    pub async fn resume_all(ctx: &mut WorkflowContext<Self>, args: Wire<CommandArgs>) -> Result<String, Boxed> {
        let (id, CommandArgs { by, reason }) = (ctx.uuid4(), args.0.unwrap_or_default());
        Ok(ask(ctx, &id, Event::ResumeAll { id: id.clone(), by, reason }).await??)
    }

    /// A host is gone for good: nothing of it stays.
    #[update]
    pub async fn forget_host(ctx: &mut WorkflowContext<Self>, args: Wire<ForgetHost>) -> Result<String, Boxed> {
        let (id, ForgetHost { host }) = (ctx.uuid4(), args.0?);
        Ok(ask(ctx, &id, Event::ForgetHost { id: id.clone(), host }).await??)
    }

    /// Nobody is to be told of what fits.
    #[update]
    pub async fn silence(ctx: &mut WorkflowContext<Self>, args: Wire<SilenceArgs>) -> Result<String, Boxed> {
        let (id, mut args) = (ctx.uuid4(), args.0?);
        // An older dixmgr took it for a silence without an end.
        args.until = args.until.filter(|_| ctx.patched(SILENCES_UNTIL));
        Ok(ask(ctx, &id, Event::Silence { id: id.clone(), args }).await??)
    }

    /// People are to be told again.
    #[update]
    pub async fn unsilence(ctx: &mut WorkflowContext<Self>, args: Wire<UnsilenceArgs>) -> Result<String, Boxed> {
        let (id, args) = (ctx.uuid4(), args.0?);
        Ok(ask(ctx, &id, Event::Unsilence { id: id.clone(), args }).await??)
    }

    /// Nobody is to be told of some services whenever it is that time.
    #[update]
    pub async fn set_maintenance(ctx: &mut WorkflowContext<Self>, set: Wire<Maintenance>) -> Result<String, Boxed> {
        let (id, set) = (ctx.uuid4(), set.0?);
        Ok(ask(ctx, &id, Event::SetMaintenance { id: id.clone(), set }).await??)
    }

    /// People are to be told again at that time.
    #[update]
    pub async fn remove_maintenance(
        ctx: &mut WorkflowContext<Self>,
        args: Wire<RemoveMaintenance>,
    ) -> Result<String, Boxed> {
        let (id, args) = (ctx.uuid4(), args.0?);
        Ok(ask(ctx, &id, Event::RemoveMaintenance { id: id.clone(), args }).await??)
    }

    #[update_validator(set_maintenance)]
    fn may_set_maintenance(&self, _ctx: &WorkflowContextView, set: &Wire<Maintenance>) -> Result<(), Boxed> {
        self.desk.admits("set_maintenance", set, WINDOW)?;
        unless(set.0.as_ref().ok().and_then(|set| self.fleet.objection_to_setting(set)))
    }

    #[update_validator(remove_maintenance)]
    fn may_remove_maintenance(&self, _ctx: &WorkflowContextView, args: &Wire<RemoveMaintenance>) -> Result<(), Boxed> {
        self.desk.admits("remove_maintenance", args, "{\"name\":\"disks\",\"by\":…}")?;
        unless(args.0.as_ref().ok().and_then(|args| self.fleet.objection_to_removing(args)))
    }

    #[update_validator(silence)]
    fn may_silence(&self, _ctx: &WorkflowContextView, args: &Wire<SilenceArgs>) -> Result<(), Boxed> {
        self.desk.admits("silence", args, SILENCE)?;
        unless(args.0.as_ref().ok().and_then(objection_to_silencing))
    }

    #[update_validator(unsilence)]
    fn may_unsilence(&self, _ctx: &WorkflowContextView, args: &Wire<UnsilenceArgs>) -> Result<(), Boxed> {
        self.desk.admits("unsilence", args, "{\"silence\":…,\"by\":…}")
    }

    #[update_validator(pause_all)]
    fn may_pause(&self, _ctx: &WorkflowContextView, args: &Wire<CommandArgs>) -> Result<(), Boxed> {
        self.desk.admits("pause_all", args, COMMANDED)?;
        unless(self.fleet.objection(CommandKind::Pause))
    }

    #[update_validator(resume_all)]
    fn may_resume(&self, _ctx: &WorkflowContextView, args: &Wire<CommandArgs>) -> Result<(), Boxed> {
        self.desk.admits("resume_all", args, COMMANDED)?;
        unless(self.fleet.objection(CommandKind::Resume))
    }

    #[update_validator(forget_host)]
    fn may_forget(&self, _ctx: &WorkflowContextView, args: &Wire<ForgetHost>) -> Result<(), Boxed> {
        self.desk.admits("forget_host", args, "{\"host\":\"alpha\"}")
    }
}

at_desk!(InfrastructureWorkflow, Event, Result<String, String>);

impl Shell for InfrastructureWorkflow {
    type Action = Action;
    const TICK: Event = Event::Tick;

    fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        self.fleet.step(event, now)
    }

    fn wake_at(&self) -> Option<Time> {
        self.fleet.wake_at()
    }
}

fn perform(ctx: &Context, action: Action) -> Option<LocalBoxFuture<'_, Option<Event>>> {
    let options = || for_the_fleet(ACTIVITY_TIMEOUT, 5);
    match action {
        Action::Retire(retire) => {
            Some(ctx.execute_activity(RetireServices, retire, options()).map(|_| None).boxed_local())
        }
        Action::Report(report) => Some(ctx.execute_activity(ReportHost, report, options()).map(|_| None).boxed_local()),
        Action::FanOut(order) => {
            let (id, chunk) = (order.id.clone(), order.chunk);
            let failed = FannedOut { done: 0, failed: u32::try_from(order.workflow_ids.len()).unwrap_or(u32::MAX) };
            let sent = ctx.execute_activity(SendToMany, order, options());
            let told = move |result: Result<FannedOut, _>| {
                Some(Event::FannedOut { id, chunk, result: result.unwrap_or(failed) })
            };
            Some(sent.map(told).boxed_local())
        }
        Action::Spread(silences) => {
            Some(ctx.execute_activity(SpreadSilences, silences, options()).map(|_| None).boxed_local())
        }
        Action::Answer(answer) => {
            ctx.state_mut(|flow| flow.desk.put(answer.id, answer.result));
            None
        }
        Action::Checkpoint => None,
    }
}
