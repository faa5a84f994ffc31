//! `IncidentWorkflow`: one trouble, from its first alert until everybody who heard of it has heard its end.

// The macros generate undocumented constants beside each handler.
#![allow(missing_docs)]

use crate::calls::{Notify, RecordIncident, TellTheCause, for_the_fleet};
use crate::desk::{Boxed, Desk, ask, at_desk, unless};
use crate::inflight::InFlight;
use crate::shell::{Shell, is_long, next, now, rest};
use crate::wait::Alarm;
use crate::wire::Wire;
use dixmgr_contract::id::ATTRIBUTE_SEVERITY;
use dixmgr_contract::incident::{AckArgs, Affected, Released, ResolveArgs, SilenceArgs, UnsilenceArgs, incident_id};
use dixmgr_contract::{
    AlertPolicy, Delivery, IncidentNews, IncidentRecord, IncidentStart, IncidentStatus, MemberReport, NotifyArgs,
    Severity, Silence, TellCause, Time,
};
use dixmgr_decide::incident::{Action, Event, Incident, Skill};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use temporalio_workflow::common::error::ApplicationFailure;
use temporalio_workflow::common::search_attributes::SearchAttributeKey;
use temporalio_workflow::{
    ActivityExecutionError, ContinueAsNewOptions, SignalWorkflowOptions, SyncWorkflowContext,
    WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowResult, WorkflowTermination, workflow,
    workflow_methods,
};

/// How long one delivery may take, whatever the channel.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);
const TELL_TIMEOUT: Duration = Duration::from_secs(30);
/// The patch marks of what runs have learned; each is made when it matters for the first time.
const fn mark(skill: Skill) -> &'static str {
    match skill {
        Skill::HeedsReachAndPeace => "heeds-all",
        Skill::ForeseesWindows => "foresees-windows",
        Skill::EndsAcks => "ends-acks",
        Skill::OutlivesFailures => "outlives-failures",
        Skill::MakesRoom => "makes-room",
        Skill::WaitsOnce => "waits-once",
    }
}

/// The patch mark of runs that know what was over before it was heard of; made when there is such a thing.
const PASSED: &str = "passed";
/// The patch mark of runs that know of silences until a moment; made with the first one.
const SILENCES_UNTIL: &str = "silences-until";
const SEVERITY: SearchAttributeKey<String> = SearchAttributeKey::keyword(ATTRIBUTE_SEVERITY);

type Context = WorkflowContext<IncidentWorkflow>;
type Operation<'a> = LocalBoxFuture<'a, Option<Event>>;

/// The input of the workflow. Minimal: `{"fingerprint":"service_down.api","type":"service_down"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentInput {
    /// Which incident it is, and who is told.
    #[serde(flatten)]
    pub start: IncidentStart,
    /// The state that the last run handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<Incident>>,
}

/// The workflow of one incident.
#[workflow]
pub struct IncidentWorkflow {
    start: Result<IncidentStart, String>,
    incident: Option<Incident>,
    desk: Desk<Event>,
}

#[workflow_methods]
impl IncidentWorkflow {
    #[init]
    fn new(_view: &WorkflowContextView, input: Wire<IncidentInput>) -> Self {
        let (start, incident) = match input.0 {
            Ok(input) => (Ok(input.start), input.state.map(|state| *state)),
            Err(error) => (Err(error), None),
        };
        // The silences are known before the first member is heard of: signals come before `run` begins.
        let silences = start.iter().map(|start| Event::Silences(start.silences.clone()));
        let desk = Desk::new(silences.filter(|_| incident.is_none()));
        Self { start, incident, desk }
    }

    /// Tells people, until all is told and nothing comes back.
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let ctx = &*ctx;
        let start = ctx.state(|flow| flow.start.clone()).map_err(|error| unreadable(&error))?;
        begin(ctx, &start);
        let mut operations = InFlight::new();
        let mut alarm = Alarm::none();
        loop {
            let moment = now(ctx);
            heed_passed(ctx);
            learn(ctx, &Skill::ALL);
            while let Some(actions) = next(ctx, moment) {
                operations.extend(actions.into_iter().flat_map(|action| perform(ctx, action)));
            }
            let is_over = ctx.state(|flow| flow.incident.as_ref().is_some_and(Incident::is_closed));
            if is_over && operations.is_empty() && ctx.all_handlers_finished() {
                return Ok(());
            }
            ctx.set_current_details(ctx.state(IncidentWorkflow::details));
            if is_long(ctx) && operations.is_empty() && ctx.all_handlers_finished() {
                let (start, state) = ctx.state(|flow| (flow.start.clone(), flow.incident.clone()));
                let start = start.map_err(ApplicationFailure::non_retryable)?;
                let next = IncidentInput { start, state: state.map(Box::new) };
                ctx.continue_as_new(next.into(), ContinueAsNewOptions::default())?;
            }
            rest(ctx, &mut operations, &mut alarm, moment).await?;
        }
    }

    /// How one of those in trouble stands.
    #[signal]
    pub fn member(&mut self, _ctx: &mut SyncWorkflowContext<Self>, report: Wire<MemberReport>) {
        self.desk.take("member", report, |report| Event::Member(Box::new(report)));
    }

    /// Somebody says that it is over, for one member or for all.
    #[signal]
    pub fn resolve(&mut self, _ctx: &mut SyncWorkflowContext<Self>, args: Wire<ResolveArgs>) {
        self.desk.take("resolve", args, Event::Resolve);
    }

    /// Another incident is a consequence of this one.
    #[signal]
    pub fn affected(&mut self, _ctx: &mut SyncWorkflowContext<Self>, affected: Wire<Affected>) {
        self.desk.take("affected", affected, Event::Affected);
    }

    /// The cause of this one is over.
    #[signal]
    pub fn released(&mut self, _ctx: &mut SyncWorkflowContext<Self>, released: Wire<Released>) {
        self.desk.take("released", released, |released: Released| Event::Released {
            cause: released.cause,
            is_muted: released.is_muted,
        });
    }

    /// What is silenced in the fleet.
    #[signal]
    pub fn silences(&mut self, _ctx: &mut SyncWorkflowContext<Self>, silences: Wire<Vec<Silence>>) {
        self.desk.take("silences", silences, Event::Silences);
    }

    /// Who is told what has been configured anew.
    #[signal]
    pub fn configure(&mut self, _ctx: &mut SyncWorkflowContext<Self>, policy: Wire<AlertPolicy>) {
        match (policy.0, &mut self.start) {
            (Ok(policy), Ok(start)) => start.policy = policy,
            (Err(error), _) => self.desk.input_error = Some(format!("configure: {error}")),
            (Ok(_), Err(_)) => {}
        }
        self.desk.inbox.push_back(Event::Tick);
    }

    /// Where the incident stands, and what it waits for.
    #[query]
    pub fn status(&self, _ctx: &WorkflowContextView) -> Result<IncidentStatus, Boxed> {
        let start = self.start.as_ref().map_err(Clone::clone)?;
        let incident = self.incident.as_ref().ok_or("it has not begun yet; try again")?;
        Ok(IncidentStatus { input_error: self.desk.input_error.clone(), ..incident.status(&start.policy) })
    }

    /// Whether a service is in trouble here. The status does not name all of them.
    #[query]
    pub fn has_member(&self, _ctx: &WorkflowContextView, service: Wire<String>) -> Result<bool, Boxed> {
        let service = service.0?;
        Ok(self.incident.as_ref().is_some_and(|incident| incident.has_member(&service)))
    }

    /// Somebody takes care of it.
    #[update]
    pub async fn ack(ctx: &mut WorkflowContext<Self>, args: Wire<AckArgs>) -> Result<String, Boxed> {
        let (id, args) = (ctx.uuid4(), args.0?);
        Ok(ask(ctx, &id, Event::Ack { id: id.clone(), args }).await??)
    }

    /// Nobody is to be told of it.
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

    #[update_validator(ack)]
    fn may_ack(&self, _ctx: &WorkflowContextView, args: &Wire<AckArgs>) -> Result<(), Boxed> {
        self.desk.admits("ack", args, "{\"by\":…,\"comment\":…}")
    }

    #[update_validator(silence)]
    fn may_silence(&self, _ctx: &WorkflowContextView, args: &Wire<SilenceArgs>) -> Result<(), Boxed> {
        self.desk.admits("silence", args, "{\"for\":\"2h\",\"by\":…,\"comment\":…} or \"until\"")?;
        unless(args.0.as_ref().ok().and_then(SilenceArgs::objection))
    }

    #[update_validator(unsilence)]
    fn may_unsilence(&self, _ctx: &WorkflowContextView, args: &Wire<UnsilenceArgs>) -> Result<(), Boxed> {
        self.desk.admits("unsilence", args, "{\"silence\":…,\"by\":…}")
    }
}

at_desk!(IncidentWorkflow, Event, Result<String, String>);

impl Shell for IncidentWorkflow {
    type Action = Action;
    const TICK: Event = Event::Tick;

    fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        let Ok(start) = &self.start else { return Vec::new() };
        self.incident.as_mut().map(|incident| incident.step(event, &start.policy, now)).unwrap_or_default()
    }

    fn wake_at(&self) -> Option<Time> {
        self.incident.as_ref().and_then(Incident::wake_at)
    }
}

impl IncidentWorkflow {
    /// What an operator reads above the history.
    fn details(&self) -> String {
        let (Some(incident), Ok(start)) = (&self.incident, &self.start) else { return String::new() };
        let status = incident.status(&start.policy);
        let waits: String = status.waiting_for.iter().map(|what| format!("\n- {what}")).collect();
        format!("**{}**, {}; waits for:{waits}", status.phase, status.severity)
    }
}

fn begin(ctx: &Context, start: &IncidentStart) {
    let (seed, moment) = (ctx.random(), now(ctx));
    ctx.state_mut(|flow| {
        flow.incident.get_or_insert_with(|| Incident::new(start.spec.clone(), seed, moment)).unlearn();
    });
    learn(ctx, &[Skill::HeedsReachAndPeace]);
}

/// A run that was worked on, when a skill mattered, by a dixmgr that did not have it goes on without until its end.
fn learn(ctx: &Context, skills: &[Skill]) {
    for skill in skills.iter().copied() {
        let matters = |flow: &IncidentWorkflow| match (&flow.incident, &flow.start) {
            (Some(incident), Ok(start)) => incident.matters(skill, &start.policy, flow.desk.inbox.iter()),
            _ => false,
        };
        if ctx.state(matters) {
            let has = ctx.patched(mark(skill));
            ctx.state_mut(|flow| flow.incident.iter_mut().for_each(|incident| incident.learn(skill, has)));
        }
    }
}

/// To a run that was worked on by a dixmgr that did not know of what is over before it is heard of, it fires until it is told to have
/// ended.
fn heed_passed(ctx: &Context) {
    let has_passed = |event: &Event| match event {
        Event::Member(report) => report.alerts.iter().any(|alert| alert.ended_ms.is_some()),
        _ => false,
    };
    if ctx.state(|flow| flow.desk.inbox.iter().any(has_passed)) && !ctx.patched(PASSED) {
        ctx.state_mut(|flow| {
            for event in &mut flow.desk.inbox {
                if let Event::Member(report) = event {
                    report.alerts.iter_mut().for_each(|alert| alert.ended_ms = None);
                }
            }
        });
    }
}

fn unreadable(error: &str) -> WorkflowTermination {
    let text = format!(
        "the input of IncidentWorkflow is {{\"fingerprint\":\"service_down.api\",\"type\":\"service_down\"}} or more: {error}"
    );
    ApplicationFailure::non_retryable(text).into()
}

fn perform(ctx: &Context, action: Action) -> Vec<Operation<'_>> {
    match action {
        Action::Deliver { channel, note, attempt, again, thread } => {
            let (name, id) = (channel.clone(), note.id.clone());
            let args = NotifyArgs { channel, note: *note, thread, attempt, again };
            let sent = ctx.execute_activity(Notify, args, for_the_fleet(DELIVERY_TIMEOUT, 1));
            let told = move |result: Result<Delivery, ActivityExecutionError>| {
                let lost = |error: ActivityExecutionError| Delivery::Retry { reason: interrupted(&error), after: None };
                Some(Event::Delivered { channel: name, note: id, outcome: result.unwrap_or_else(lost) })
            };
            vec![sent.map(told).boxed_local()]
        }
        Action::TellCause { cause, affected } => {
            let tell = TellCause { cause: cause.clone(), affected };
            let told = ctx.execute_activity(TellTheCause, tell, for_the_fleet(TELL_TIMEOUT, 3));
            vec![told.map(move |result| result.err().map(|_| Event::Released { cause, is_muted: false })).boxed_local()]
        }
        Action::Release { incidents, is_muted } => {
            incidents.into_iter().map(|incident| release(ctx, &incident, is_muted)).collect()
        }
        Action::Record(record) => write_down(ctx, record).into_iter().collect(),
        Action::Answer(answer) => {
            ctx.state_mut(|flow| flow.desk.put(answer.id, answer.result));
            Vec::new()
        }
        Action::Close => Vec::new(),
    }
}

fn interrupted(error: &ActivityExecutionError) -> String {
    match error.as_timeout() {
        Some(_) => "the dixmgr that was to send it did not answer in time".to_owned(),
        None => format!("the dixmgr that was to send it could not: {error}"),
    }
}

/// One that has ended meanwhile need not be told.
fn release<'a>(ctx: &'a Context, incident: &str, is_muted: bool) -> Operation<'a> {
    let cause = ctx.state(|flow| flow.start.as_ref().map(|start| start.spec.fingerprint.clone()).unwrap_or_default());
    let options = SignalWorkflowOptions::builder().cancellation_token(WorkflowCancellationToken::new()).build();
    let held = ctx.external_workflow(incident_id(ctx.workflow_id(), incident), None);
    held.signal(IncidentWorkflow::released, Released { cause, is_muted }.into(), options).map(|_| None).boxed_local()
}

fn write_down(ctx: &Context, record: IncidentRecord) -> Option<Operation<'_>> {
    let severity = match &record {
        IncidentRecord::Began { severity } | IncidentRecord::Worse { to: severity, .. } => Some(*severity),
        _ => None,
    };
    publish(ctx, severity);
    let (status, services) = ctx.state(|flow| {
        let (incident, start) = (flow.incident.as_ref()?, flow.start.as_ref().ok()?);
        Some((incident.status(&start.policy), incident.parts()))
    })?;
    let news = IncidentNews { record, status, at: now(ctx), services };
    Some(ctx.execute_activity(RecordIncident, news, for_the_fleet(TELL_TIMEOUT, 5)).map(|_| None).boxed_local())
}

fn publish(ctx: &Context, severity: Option<Severity>) {
    let is_known = ctx.state(|flow| flow.start.as_ref().is_ok_and(|start| start.search_attributes));
    if let Some(severity) = severity.filter(|_| is_known) {
        ctx.upsert_search_attributes([SEVERITY.value_set(severity.as_str().to_owned())]);
    }
}
