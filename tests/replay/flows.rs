//! What is played: each flow drives `ServiceWatchWorkflow` as agents, people and other programs do, and checks what
//! comes out. What it decides is tested elsewhere (`tests/sim`); this is about the shell and its history.

use crate::host::{Asked, Ending, MockHost};
use crate::stage::wait_for;
use dixmgr_contract::activity::ReportKind;
use dixmgr_contract::{
    ActiveState, Alert, Exit, ExitCode, FailureKind, LoadState, Observation, PhaseName, ServiceSpec, ServiceStatus,
    Span, UnitState,
};
use dixmgr_flows::{ServiceWatchWorkflow, WatchInput};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use temporalio_client::{
    Client, UntypedQuery, UntypedSignal, UntypedUpdate, UntypedWorkflow, WorkflowHandle, WorkflowIdConflictPolicy,
    WorkflowStartOptions,
};
use temporalio_common::data_converters::{PayloadConverter, RawValue};

/// A flow that is played, and recorded.
#[derive(Clone, Copy)]
pub(crate) struct Flow {
    pub(crate) name: &'static str,
    /// The workflow's type.
    pub(crate) kind: &'static str,
    /// How many runs of its workflow are recorded.
    pub(crate) runs: usize,
    /// Whether the host takes its orders.
    pub(crate) host_works: bool,
    /// Answers the ids of the runs.
    pub(crate) play: fn(Actor) -> LocalBoxFuture<'static, Vec<String>>,
}

impl Flow {
    /// The names of its recorded histories.
    pub(crate) fn files(&self) -> Vec<String> {
        (1..=self.runs)
            .map(|run| if run == 1 { self.name.to_owned() } else { format!("{}_{run}", self.name) })
            .collect()
    }

    pub(crate) fn id(&self) -> String {
        format!("wf.svc.{}", self.name)
    }
}

macro_rules! flows {
    ($kind:literal: $($name:ident $runs:literal $host_works:literal),+ $(,)?) => {
        &[$(Flow {
            name: stringify!($name),
            kind: $kind,
            runs: $runs,
            host_works: $host_works,
            play: |actor| $name(actor).boxed_local(),
        }),+]
    };
}
pub(crate) use flows;

/// Those of services: name, runs that are recorded, whether the host takes its orders.
pub(crate) const SERVICES: &[Flow] = flows![
    "ServiceWatchWorkflow":
    kill_and_restart 1 true,
    crash_loop 1 true,
    paused 1 true,
    continued_as_new 2 true,
    commands 1 true,
    host_says_no 1 true,
    host_silent 1 false,
    by_hand 1 true,
    bad_input 1 true,
    cancelled 1 true,
    raising 1 true,
    raising_unrelated 1 true,
    raising_related 1 true,
];

/// Plays the agent of host `alpha` and the people around it.
pub(crate) struct Actor {
    pub(crate) client: Client,
    kind: &'static str,
    id: String,
    queue: String,
    host: MockHost,
    revision: Cell<u64>,
    spec: ServiceSpec,
}

impl Actor {
    pub(crate) fn new(client: Client, flow: &Flow, queue: String, host: MockHost) -> Self {
        let mut spec = ServiceSpec::new("api".parse().unwrap(), "api.service".parse().unwrap());
        spec.host = Some("alpha".parse().unwrap());
        Self { client, kind: flow.kind, id: flow.id(), queue, host, revision: Cell::new(0), spec }
    }

    fn options(&self) -> WorkflowStartOptions {
        WorkflowStartOptions::new(self.queue.clone(), self.id.clone())
            .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
            .build()
    }

    pub(crate) fn untyped(&self) -> WorkflowHandle<Client, UntypedWorkflow> {
        self.client.get_workflow_handle(self.id.clone())
    }

    /// Starts the workflow as `temporal workflow start --input …` does.
    pub(crate) async fn start(&self, input: &Value) {
        let workflow = UntypedWorkflow::new(self.kind);
        self.client.start_workflow(workflow, raw(input), self.options()).await.unwrap();
    }

    /// Tells the state of the unit, as the agent does.
    async fn observe(&self, unit: UnitState) {
        self.observe_with(unit, None).await;
    }

    /// The same, with what its rules say.
    async fn observe_with(&self, unit: UnitState, alerts: Option<Vec<Alert>>) {
        self.revision.set(self.revision.get() + 1);
        let observation = Observation {
            spec: self.spec.clone(),
            revision: self.revision.get(),
            epoch: "e1".to_owned(),
            boot: "b1".to_owned(),
            age_ms: 0,
            held_ms: 0,
            unit,
            waiting_for: Vec::new(),
            runs: BTreeMap::new(),
            verdicts: Vec::new(),
            alerts,
            passed: Vec::new(),
            causes: Vec::new(),
            generation: 0,
        };
        let input = WatchInput { spec: self.spec.clone(), search_attributes: false, published: None, state: None };
        let signal = ServiceWatchWorkflow::observe;
        let told = self.client.signal_with_start_workflow(
            ServiceWatchWorkflow::run,
            input.into(),
            signal,
            observation.into(),
            self.options(),
        );
        let _telling = self.host.tells();
        told.await.unwrap();
    }

    async fn up(&self, run: &str) {
        self.observe(unit(ActiveState::Active, run)).await;
    }

    /// It was killed by signal 9.
    async fn killed(&self, run: &str) {
        let exit = Some(Exit { code: ExitCode::Killed, status: 9 });
        self.observe(UnitState { exit, result: "signal".into(), ..unit(ActiveState::Failed, run) }).await;
    }

    /// Sends a signal of any shape.
    pub(crate) async fn signal(&self, name: &str, argument: &Value) {
        self.untyped().signal(UntypedSignal::new(name), raw(argument), Default::default()).await.unwrap();
    }

    /// Sends an update, with an argument or none at all.
    pub(crate) async fn update(&self, name: &str, argument: Option<Value>) -> Result<String, String> {
        let argument = argument.as_ref().map_or_else(|| RawValue::new(Vec::new()), raw);
        match self.untyped().execute_update(UntypedUpdate::new(name), argument, Default::default()).await {
            Ok(answer) => Ok(match serde_json::from_slice(&answer.payloads[0].data).unwrap() {
                Value::String(text) => text,
                other => other.to_string(),
            }),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    /// Asks a query of any workflow and waits for the answer that is wanted.
    pub(crate) async fn wait_query(&self, query: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        wait_for(&format!("{}: {what}", self.id), async || {
            let handle = self.untyped();
            let argument = RawValue::new(Vec::new());
            let answer = handle.query(UntypedQuery::new(query), argument, Default::default()).await.ok()?;
            serde_json::from_slice(&answer.payloads[0].data).ok().filter(&is)
        })
        .await
    }

    /// The result of the workflow.
    pub(crate) async fn result(&self) -> Value {
        let result = self.untyped().get_result(Default::default()).await.unwrap();
        // One that ends without an answer has an empty one.
        let data = result.payloads.first().map_or(&[][..], |payload| &payload.data);
        if data.is_empty() { Value::Null } else { serde_json::from_slice(data).unwrap() }
    }

    pub(crate) fn host(&self) -> &MockHost {
        &self.host
    }

    async fn query(&self) -> Option<ServiceStatus> {
        let handle = self.client.get_workflow_handle::<ServiceWatchWorkflow>(self.id.clone());
        handle.query(ServiceWatchWorkflow::status, (), Default::default()).await.ok()
    }

    async fn status(&self, what: &str, is: impl Fn(&ServiceStatus) -> bool) -> ServiceStatus {
        wait_for(&format!("{}: {what}", self.id), async || self.query().await.filter(&is)).await
    }

    async fn phase(&self, phase: PhaseName) -> ServiceStatus {
        self.status(phase.as_str(), |status| status.phase == phase).await
    }

    /// Waits until the host was asked to act so many times.
    async fn orders(&self, count: usize) -> Asked {
        let asked = async || Some(self.host.asked()).filter(|asked| asked.orders.len() >= count);
        wait_for(&format!("{}: {count} orders", self.id), asked).await
    }

    pub(crate) async fn run_id(&self) -> String {
        self.untyped().describe(Default::default()).await.unwrap().run_id().to_owned()
    }
}

pub(crate) fn raw(value: &Value) -> RawValue {
    RawValue::from_value(value, &PayloadConverter::serde_json())
}

fn unit(active: ActiveState, run: &str) -> UnitState {
    UnitState { invocation: Some(run.to_owned()), ..UnitState::new(LoadState::Loaded, active) }
}

async fn kill_and_restart(actor: Actor) -> Vec<String> {
    actor.up("a").await;
    actor.phase(PhaseName::Healthy).await;
    actor.killed("a").await;
    let asked = actor.orders(1).await;
    let (verb, guard) = &asked.orders[0];
    assert_eq!((*verb, guard.generation, guard.invocation.as_deref()), ("start", 1, Some("a")));
    assert!(guard.restarts_failure);
    actor.up("b").await;
    let status = actor.status("recovered", |status| status.phase == PhaseName::Healthy && status.revision == 3).await;
    assert_eq!((status.generation, status.restarts.total), (1, 1));
    vec![actor.run_id().await]
}

async fn crash_loop(mut actor: Actor) -> Vec<String> {
    actor.spec.policy.restart.max = 2;
    actor.spec.policy.restart.window = Span::from_secs(20);
    actor.spec.policy.restart.backoff = Span::from_millis(100);
    actor.up("r0").await;
    for run in 0..=2 {
        actor.orders(run).await;
        actor.killed(&format!("r{run}")).await;
    }
    let status = actor.phase(PhaseName::Exhausted).await;
    assert_eq!(status.restarts.in_window, 2);
    // The window moves on.
    actor.orders(3).await;
    actor.up("r3").await;
    actor.phase(PhaseName::Healthy).await;
    let asked = actor.host.asked();
    assert_eq!(asked.orders.len(), 3);
    assert_eq!(
        asked.reports.iter().map(|report| report.kind).collect::<Vec<_>>(),
        [ReportKind::Exhausted],
        "told once"
    );
    vec![actor.run_id().await]
}

async fn paused(actor: Actor) -> Vec<String> {
    actor.up("a").await;
    actor.phase(PhaseName::Healthy).await;
    actor.signal("observe", &json!({"nonsense": 1})).await;
    actor.signal("command", &json!("restart")).await;
    let status = actor.status("an input error", |status| status.input_error.is_some()).await;
    assert!(status.input_error.unwrap().starts_with("command: "), "the last one is shown");
    let answer = actor.update("pause", Some(json!({"by": "ops", "reason": "disk swap"}))).await;
    assert_eq!(answer.as_deref(), Ok("api is paused"));
    actor.killed("a").await;
    let status = actor.status("the failure is known", |status| status.revision == 2).await;
    assert_eq!((status.phase, status.paused_by.as_deref()), (PhaseName::Paused, Some("ops")));
    assert!(actor.host.asked().orders.is_empty(), "hands off");
    assert_eq!(actor.update("resume", None).await.as_deref(), Ok("api is supervised again"));
    actor.orders(1).await;
    actor.up("b").await;
    actor.phase(PhaseName::Healthy).await;
    vec![actor.run_id().await]
}

/// What its rules say is told to the incident of each type, and that it is paused.
async fn raising(actor: Actor) -> Vec<String> {
    let alert = |alert: &str| {
        serde_json::from_value::<Alert>(json!({"rule": alert, "type": alert, "severity": "critical"})).unwrap()
    };
    let raised = |count: usize| {
        let actor = &actor;
        async move {
            wait_for("raised", async || (actor.host().asked().calls("RaiseIncidentActivity") == count).then_some(()))
                .await
        }
    };
    actor.observe_with(unit(ActiveState::Active, "a"), Some(vec![alert("high_cpu")])).await;
    raised(1).await;
    actor.observe_with(unit(ActiveState::Active, "a"), Some(vec![alert("high_cpu"), alert("high_memory")])).await;
    raised(2).await;
    let answer = actor.update("pause", Some(json!({"by": "ops"}))).await;
    assert!(answer.is_ok(), "{answer:?}");
    raised(4).await;
    actor.observe_with(unit(ActiveState::Active, "a"), Some(vec![])).await;
    raised(6).await;
    vec![actor.run_id().await]
}

/// Recorded by a version that did not know which of several alerts says why.
async fn raising_unrelated(actor: Actor) -> Vec<String> {
    one_says_why(&actor).await;
    vec![actor.run_id().await]
}

async fn raising_related(actor: Actor) -> Vec<String> {
    one_says_why(&actor).await;
    vec![actor.run_id().await]
}

/// A probe fails, and the service is degraded for that, then for something else, which its incident is told; and all is well again.
async fn one_says_why(actor: &Actor) {
    let fires = |types: &[&str]| {
        let alert = |alert: &&str| json!({"rule": alert, "type": alert, "severity": "warning"});
        serde_json::from_value::<Vec<Alert>>(types.iter().map(alert).collect()).unwrap()
    };
    let (checks, degraded) = ("health_check_failed", "service_degraded");
    let steps: [(&[&str], usize); 4] = [(&[checks], 1), (&[checks, degraded], 2), (&[degraded], 4), (&[], 5)];
    for (types, told) in steps {
        actor.observe_with(unit(ActiveState::Active, "a"), Some(fires(types))).await;
        wait_for("told", async || (actor.host().asked().calls("RaiseIncidentActivity") == told).then_some(())).await;
    }
}

async fn continued_as_new(mut actor: Actor) -> Vec<String> {
    actor.spec.policy.restart.reset_after = Span::from_secs(1);
    actor.up("a").await;
    let first = actor.run_id().await;
    actor.killed("a").await;
    actor.orders(1).await;
    actor.up("b").await;
    let next = async || Some(actor.run_id().await).filter(|run| *run != first);
    let second = wait_for("a new run", next).await;
    let status = actor.phase(PhaseName::Healthy).await;
    assert_eq!((status.generation, status.revision, status.restarts.total), (1, 3, 1), "the state goes on");
    // From here on it is not quiet soon again.
    actor.spec.policy.restart.reset_after = Span::from_secs(600);
    actor.killed("b").await;
    let asked = actor.orders(2).await;
    assert_eq!(asked.orders[1].1.generation, 2);
    actor.up("c").await;
    actor.status("recovered", |status| status.phase == PhaseName::Healthy && status.revision == 5).await;
    vec![first, second]
}

async fn commands(actor: Actor) -> Vec<String> {
    actor.up("a").await;
    actor.phase(PhaseName::Healthy).await;
    let refused = actor.update("resume", None).await.unwrap_err();
    assert!(refused.contains("api is not paused"), "{refused}");
    let refused = actor.update("stop", Some(json!(7))).await.unwrap_err();
    assert!(refused.contains("the argument of stop is"), "{refused}");
    let host = async |orders, active, run| {
        actor.orders(orders).await;
        actor.observe(unit(active, run)).await;
    };
    let (answer, ()) = tokio::join!(actor.update("restart", None), host(1, ActiveState::Active, "b"));
    assert_eq!(answer.as_deref(), Ok("api is running"));
    let by = Some(json!({"by": "ops"}));
    let (answer, ()) = tokio::join!(actor.update("stop", by), host(2, ActiveState::Inactive, "b"));
    assert_eq!(answer.as_deref(), Ok("api is stopped"));
    actor.signal("command", &json!({"id": "c1", "command": "start"})).await;
    host(3, ActiveState::Active, "c").await;
    actor.phase(PhaseName::Healthy).await;
    // The same command twice is obeyed once; one more update sees that nothing came of it.
    actor.signal("command", &json!({"id": "c1", "command": "start"})).await;
    assert_eq!(actor.update("start", None).await.as_deref(), Ok("api is running already"));
    let verbs: Vec<_> = actor.host.asked().orders.into_iter().map(|(verb, _)| verb).collect();
    assert_eq!(verbs, ["restart", "stop", "start"]);
    vec![actor.run_id().await]
}

async fn host_says_no(mut actor: Actor) -> Vec<String> {
    actor.spec.policy.restart.max = 10;
    actor.spec.policy.restart.backoff = Span::from_millis(50);
    actor.spec.policy.restart.backoff_max = Span::from_millis(100);
    let fails = Ending::Fails;
    actor.host.next(&[fails(FailureKind::Denied), Ending::FailsStrangely, fails(FailureKind::Stale)]);
    actor.up("a").await;
    actor.killed("a").await;
    let asked = actor.orders(3).await;
    assert!(asked.reports.iter().any(|report| report.kind == ReportKind::Refused), "told: {:?}", asked.reports);
    let status = actor.status("stale", |status| status.phase == PhaseName::Down).await;
    assert_eq!(status.restarts.in_window, 2, "what was stale does not count");
    actor.killed("b").await;
    let asked = actor.orders(4).await;
    assert_eq!(asked.orders[3].1.invocation.as_deref(), Some("b"));
    actor.up("c").await;
    actor.phase(PhaseName::Healthy).await;
    vec![actor.run_id().await]
}

async fn host_silent(actor: Actor) -> Vec<String> {
    actor.up("a").await;
    actor.killed("a").await;
    let status = actor.status("given up", |status| status.phase == PhaseName::Down).await;
    assert_eq!((status.generation, status.restarts.in_window), (1, 0), "what nobody took does not count");
    actor.up("b").await;
    actor.phase(PhaseName::Healthy).await;
    vec![actor.run_id().await]
}

async fn by_hand(actor: Actor) -> Vec<String> {
    actor.start(&json!({"name": "api", "unit": "api.service"})).await;
    let status = actor.phase(PhaseName::Unknown).await;
    assert_eq!((status.host, status.generation), (None, 0));
    let refused = actor.update("restart", None).await.unwrap_err();
    assert!(refused.contains("no host has reported on api yet"), "{refused}");
    actor.up("a").await;
    let status = actor.phase(PhaseName::Healthy).await;
    assert_eq!(status.host.map(String::from).as_deref(), Some("alpha"));
    vec![actor.run_id().await]
}

async fn bad_input(actor: Actor) -> Vec<String> {
    actor.start(&json!({"name": "a/b", "unit": "api.service"})).await;
    let error = actor.untyped().get_result(Default::default()).await.err().map(|error| format!("{error:?}"));
    let error = error.expect("it fails");
    assert!(error.contains("the input of ServiceWatchWorkflow is"), "{error}");
    assert!(error.contains("holds '/'"), "{error}");
    vec![actor.run_id().await]
}

async fn cancelled(actor: Actor) -> Vec<String> {
    actor.up("a").await;
    actor.phase(PhaseName::Healthy).await;
    actor.untyped().cancel(Default::default()).await.unwrap();
    let error = actor.untyped().get_result(Default::default()).await.err().map(|error| format!("{error:?}"));
    assert!(error.as_deref().is_some_and(|error| error.contains("ancel")), "{error:?}");
    vec![actor.run_id().await]
}
