//! Invariants of the service machine over random lives, and proof that every (phase, event) pair was lived through.

#![allow(clippy::unwrap_used)]

mod common;

use dixmgr_contract::activity::ReportKind;
use dixmgr_contract::host::LossMark;
use dixmgr_contract::policy::RestartOn;
use dixmgr_contract::{
    ActiveState, Alert, Command, CommandKind, Dependency, DependencyMode, DependencyPolicy, Exit, ExitCode,
    FailureKind, Job, LoadState, Observation, OnDependencyLoss, OnOperatorStop, OnTimeout, PhaseName, Policy, Raise,
    Readiness, ServiceName, ServiceSpec, Severity, Span, Time, UnitName, UnitState, Verb, Verdict, WaitResult,
};
use dixmgr_decide::rng::Rng;
use dixmgr_decide::service::Phase;
use dixmgr_decide::{Action, Event, Outcome, Service};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What kind of event it was, for the coverage of pairs.
const KINDS: [&str; 19] = [
    "up",
    "impaired",
    "dead",
    "idle",
    "by-job",
    "coming",
    "auto",
    "going",
    "absent",
    "done-ok",
    "done-failed",
    "command",
    "heard",
    "subscribed",
    "gone",
    "waited",
    "host-lost",
    "claimed",
    "tick",
];

/// A life: draws events and keeps what has to hold over many steps.
struct Life {
    service: Service,
    now: Time,
    revision: u64,
    runs: u64,
    commands: u64,
    orders: Vec<u64>,
    answered: BTreeSet<String>,
    asked: BTreeSet<String>,
    /// What the machine knows of `db`, here, and of `far`, elsewhere.
    db_missing: bool,
    /// Its host is lost, and another one may have it.
    lost: bool,
    /// It was seen running last.
    up: bool,
    far: Option<(bool, u64)>,
    /// What the workflow of its wait was told to be missing, once there is one.
    wait_told: Option<Vec<ServiceName>>,
    /// What incidents were told last, by type of alert.
    raised: BTreeMap<String, (Time, Raise)>,
    /// And its revision.
    revisions: BTreeMap<String, u64>,
}

fn name(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

/// Two services before it, one of them on another host.
fn with_dependencies(policy: Policy) -> ServiceSpec {
    let dependency = |it: &str, remote| Dependency { name: name(it), workflow_id: format!("wf.svc.{it}"), remote };
    ServiceSpec {
        after: vec![dependency("db", false), dependency("far", true)],
        host: "alpha".parse().ok(),
        ..spec(policy)
    }
}

fn spec(policy: Policy) -> ServiceSpec {
    ServiceSpec { policy, ..ServiceSpec::new(ServiceName::new("api").unwrap(), UnitName::new("api.service").unwrap()) }
}

/// What rules might say of a service of that kind.
fn alerts(kind: &str, rng: &mut Rng) -> Vec<Alert> {
    let alert = |alert: &str, severity| Alert {
        rule: alert.to_owned(),
        alert: alert.to_owned(),
        severity,
        age_ms: 0,
        detail: String::new(),
        labels: BTreeMap::new(),
    };
    let down = (kind == "dead").then(|| alert("service_down", Severity::Critical));
    let severity = if rng.between(0, 1) == 0 { Severity::Warning } else { Severity::Critical };
    let busy = (rng.between(0, 2) == 0).then(|| alert("high_cpu", severity));
    down.into_iter().chain(busy).collect()
}

impl Life {
    fn new(policy: Policy, seed: u64) -> Self {
        let now = Time::from_unix_millis(1_000_000);
        Self {
            service: Service::new(with_dependencies(policy), seed, now),
            now,
            revision: 0,
            runs: 1,
            commands: 0,
            orders: Vec::new(),
            answered: BTreeSet::new(),
            asked: BTreeSet::new(),
            db_missing: false,
            lost: false,
            up: false,
            far: None,
            wait_told: None,
            raised: BTreeMap::new(),
            revisions: BTreeMap::new(),
        }
    }

    fn unit(&mut self, kind: &str, rng: &mut Rng) -> UnitState {
        let active = match kind {
            "up" | "impaired" => ActiveState::Active,
            "dead" => ActiveState::Failed,
            "coming" | "auto" => ActiveState::Activating,
            "going" => ActiveState::Deactivating,
            _ => ActiveState::Inactive,
        };
        let mut unit = UnitState::new(if kind == "absent" { LoadState::NotFound } else { LoadState::Loaded }, active);
        if kind == "absent" {
            unit.load =
                [LoadState::NotFound, LoadState::Masked, LoadState::BadSetting][rng.between(0, 2) as usize].clone();
        }
        self.runs += rng.between(0, 1);
        unit.invocation = (rng.between(0, 9) > 0).then(|| format!("run-{}", self.runs));
        if kind == "auto" {
            unit.sub = "auto-restart".into();
        }
        unit.restarts = u32::try_from(rng.between(0, 3)).unwrap();
        unit.stopped_by_job = kind == "by-job" || (kind == "going" && rng.between(0, 1) == 0);
        unit.job = (rng.between(0, 5) == 0).then_some(Job { id: 7, ours: false });
        unit.exit = (kind == "dead").then(|| match rng.between(0, 2) {
            0 => Exit { code: ExitCode::Exited, status: 42 },
            1 => Exit { code: ExitCode::Exited, status: 1 },
            _ => Exit { code: ExitCode::Killed, status: 9 },
        });
        unit
    }

    fn event(&mut self, kind: &str, rng: &mut Rng) -> Event {
        match kind {
            "done-ok" | "done-failed" => {
                let generation = self.orders.last().copied().unwrap_or(0).saturating_sub(rng.between(0, 4) / 4);
                let kind_of = FailureKind::ALL[rng.between(0, FailureKind::ALL.len() as u64 - 1) as usize];
                let failed = Outcome::Failed { kind: kind_of, message: "no".into() };
                Event::Done { generation, outcome: if kind == "done-ok" { Outcome::Ok } else { failed } }
            }
            "command" => {
                self.commands += 1;
                let id = format!("c{}", self.commands);
                self.asked.insert(id.clone());
                let command = CommandKind::ALL[rng.between(0, 4) as usize];
                Event::Commanded(Command {
                    id,
                    command,
                    by: "me".into(),
                    reason: String::new(),
                    to_all: rng.between(0, 3) == 0,
                })
            }
            "heard" => {
                let (ready, revision) = (rng.between(0, 2) > 0, rng.between(1, self.revision + 1));
                if self.far.is_none_or(|(_, known)| known < revision) {
                    self.far = Some((ready, revision));
                }
                let run = Some(format!("run-{}", rng.between(0, 1)));
                Event::Heard(Readiness { service: name("far"), ready, revision, phase: PhaseName::Healthy, run })
            }
            "subscribed" => Event::Subscribed(format!("wf.wait.{}", rng.between(0, 2))),
            "gone" => Event::Gone(format!("wf.wait.{}", rng.between(0, 2))),
            "waited" if rng.between(0, 1) == 0 => Event::CouldNotAsk(name("far")),
            "waited" => {
                let satisfied = rng.between(0, 1) == 0;
                Event::Waited(WaitResult { satisfied, waited_seconds: 1, missing: vec![name("far")] })
            }
            "host-lost" => {
                let at = if rng.between(0, 1) == 0 { self.now } else { Time::default() };
                Event::HostLost(LossMark { host: "alpha".parse().unwrap(), loss: 1, at })
            }
            "claimed" => {
                let mut spec = self.service.spec.clone();
                spec.host = "beta".parse().ok();
                let mut news = dead(&self.service, u64::MAX / 2, 0);
                if let Event::Observed(observation) = &mut news {
                    observation.spec = spec;
                }
                // Nobody else's news before its own host has told.
                if self.service.status(self.now).revision == 0 || self.lost { Event::Tick } else { news }
            }
            "tick" => Event::Tick,
            _ => {
                self.revision += 1;
                let stale = rng.between(0, 19) == 0;
                let revision = if stale { self.revision / 2 } else { self.revision };
                let db_missing = rng.between(0, 7) == 0;
                if revision > self.service.status(self.now).revision {
                    self.db_missing = db_missing;
                    self.lost = false;
                    self.up = kind == "up" || kind == "impaired";
                }
                Event::Observed(Box::new(Observation {
                    spec: self.service.spec.clone(),
                    revision,
                    epoch: format!("epoch-{}", rng.between(0, 30) / 30),
                    boot: format!("boot-{}", rng.between(0, 60) / 60),
                    age_ms: rng.between(0, 1000),
                    unit: self.unit(kind, rng),
                    waiting_for: if db_missing { vec![name("db")] } else { vec![] },
                    runs: [(name("db"), format!("run-{}", rng.between(0, 20) / 20))].into(),
                    verdicts: vec![Verdict {
                        failed: kind == "impaired" && rng.between(0, 1) == 0,
                        ..Verdict::new("http", kind != "impaired", String::new())
                    }],
                    alerts: (rng.between(0, 9) > 0).then(|| alerts(kind, rng)),
                    causes: if db_missing { vec![name("db")] } else { vec![] },
                    generation: 0,
                }))
            }
        }
    }

    /// One step, and everything that must hold after it.
    fn live(&mut self, kind: &str, rng: &mut Rng) -> Result<(PhaseName, PhaseName), TestCaseError> {
        let pause = if rng.between(0, 2) == 0 { 20_000 } else { 500 };
        self.now = self.now.after(Span::from_millis(rng.between(0, pause)));
        let event = self.event(kind, rng);
        let before = self.service.clone();
        let name = before.phase().name();
        let actions = self.service.step(event.clone(), self.now);
        let unheard = before.status(self.now).revision == 0;
        let lost_now = matches!(&event, Event::HostLost(mark) if unheard || mark.at == self.now);
        self.lost |= lost_now;
        let orders = actions.iter().any(|action| matches!(action, Action::Act(_)));
        prop_assert!(!orders || !lost_now, "acted on a host that is lost");
        prop_assert_eq!(&self.service.spec.host.as_ref().map(ToString::to_string), &Some("alpha".to_owned()));
        for action in &actions {
            self.check(action, &before, &event)?;
        }
        if let Phase::Paused { .. } = self.service.phase() {
            prop_assert!(!actions.iter().any(|action| matches!(action, Action::Act(_))), "acted while paused");
        }
        if let (Phase::Waiting { .. }, Some(told)) = (self.service.phase(), &self.wait_told) {
            prop_assert_eq!(told, &self.service.status(self.now).waiting_for, "the wait knows what is missing");
        }
        self.wait_told = self.wait_told.take().filter(|_| self.service.phase().name() == PhaseName::Waiting);
        let json = serde_json::to_string(&self.service).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Service>(&json).unwrap(), &self.service, "the state survives JSON");
        prop_assert!(json.len() < 20_000, "the state stays small: {} bytes", json.len());
        let answered = self.service.phase().attempt().is_some_and(|attempt| attempt.deadline.is_some());
        let open = matches!(self.service.phase(), Phase::BackingOff { .. }) || answered;
        prop_assert!(!open || self.service.wake_at().is_some(), "would wait for ever in {:?}", self.service.phase());
        self.service.status(self.now);
        Ok((name, self.service.phase().name()))
    }

    fn check(&mut self, action: &Action, before: &Service, event: &Event) -> Result<(), TestCaseError> {
        match action {
            Action::Act(order) => {
                let commanded = matches!(event, Event::Commanded(_));
                prop_assert!(self.orders.last().is_none_or(|last| *last < order.guard.generation), "generations grow");
                self.orders.push(order.guard.generation);
                let start = order.verb == Verb::Start;
                if let Phase::BackingOff { not_before } = before.phase() {
                    prop_assert!(commanded || !start || *not_before <= self.now, "started before not_before");
                }
                let policy = &self.service.spec.policy;
                let heals = policy.restart.restart_on.contains(&RestartOn::Probe);
                let heeds = (policy.on_dependency_loss != OnDependencyLoss::Ignore || heals) && self.up;
                prop_assert!(commanded || heeds || start, "only people, and losses, stop or restart what runs");
                let missing = usize::from(self.db_missing) + usize::from(self.far.is_none_or(|(ready, _)| !ready));
                let is_blocked = policy.dependency.mode.is_blocked(missing, 2);
                let proceeds = policy.dependency.on_timeout == OnTimeout::Proceed;
                let starts = order.verb == Verb::Start && !commanded;
                prop_assert!(!starts || !is_blocked || proceeds, "started before its dependencies");
                // After it, not before: what has been given back in the same step may be spent again.
                let spent = self.service.status(self.now).restarts.in_window;
                prop_assert!(!order.guard.restarts_failure || spent <= policy.restart.max, "beyond the budget");
            }
            Action::Answer(answer) => {
                prop_assert!(self.asked.contains(&answer.id), "answers what was asked");
                prop_assert!(self.answered.insert(answer.id.clone()), "answers once");
            }
            Action::Withdraw { generation } => {
                prop_assert!(self.orders.contains(generation), "takes back what it has ordered");
            }
            Action::Raise(raise) => {
                let mut news = raise.clone();
                news.report.revision = 0;
                let last = self.raised.insert(raise.alert.clone(), (self.now, news.clone()));
                let (at, before) = last.unzip();
                let revision = self.revisions.insert(raise.alert.clone(), raise.report.revision);
                prop_assert!(revision.is_none_or(|revision| revision < raise.report.revision), "revisions grow");
                let is_long_ago = at.is_some_and(|at| self.now.since(at) >= Span::from_secs(3_600));
                prop_assert!(is_long_ago || before.as_ref() != Some(&news), "an incident is told news");
                prop_assert!(before.is_some() || !news.report.alerts.is_empty(), "the end of what never began");
            }
            Action::Report(report) => prop_assert!(!report.text.is_empty()),
            Action::Tell { workflow_id, readiness } => {
                prop_assert!(readiness.revision > 0 && !workflow_id.is_empty());
            }
            Action::Subscribe(dependency) => prop_assert!(dependency.remote, "what is here need not be asked"),
            Action::Wait(spec) => {
                prop_assert_eq!(self.service.phase().name(), PhaseName::Waiting);
                prop_assert_eq!(spec.dependencies.len(), 2);
                self.wait_told.clone_from(&spec.missing);
            }
            Action::TellWait(missing) => {
                prop_assert!(self.wait_told.as_ref().is_some_and(|told| told != missing), "a wait is told news");
                self.wait_told = Some(missing.clone());
            }
            Action::End => prop_assert!(false, "nobody has retired it"),
            Action::EndWait => prop_assert_ne!(self.service.phase().name(), PhaseName::Waiting),
            Action::Publish(name) => prop_assert!(name.is_settled() || (self.lost && *name == PhaseName::Unknown)),
            Action::Checkpoint => prop_assert_eq!(self.service.phase().name(), PhaseName::Healthy),
        }
        Ok(())
    }
}

fn policies() -> impl Strategy<Value = Policy> {
    let losses = [OnDependencyLoss::Ignore, OnDependencyLoss::Stop, OnDependencyLoss::Restart];
    let dependency = (any::<bool>(), any::<bool>(), 1..60_u64, 0..3_usize);
    let drawn = (any::<bool>(), 0..4_u32, 1..100_u64, any::<bool>(), 0..3_u64, dependency);
    drawn.prop_map(move |(start, max, window, fight, settle, (any, proceed, timeout, loss))| {
        let dependency = DependencyPolicy {
            mode: if any { DependencyMode::Any } else { DependencyMode::All },
            timeout: Span::from_secs(timeout),
            on_timeout: if proceed { OnTimeout::Proceed } else { OnTimeout::Fail },
        };
        let mut policy = Policy { start, dependency, on_dependency_loss: losses[loss], ..Policy::default() };
        policy.restart.max = max;
        policy.restart.window = Span::from_secs(window);
        policy.restart.reset_after = Span::from_secs(3600);
        policy.restart.settle = Span::from_secs(settle);
        policy.restart.prevent_exit_codes = [42].into();
        if max % 2 == 0 {
            policy.restart.restart_on.insert(RestartOn::Probe);
        }
        policy.restart.on_operator_stop = if fight { OnOperatorStop::Restart } else { OnOperatorStop::Respect };
        policy
    })
}

proptest! {
    #![proptest_config(common::lives(150))]

    #[test]
    fn every_life_keeps_the_invariants(policy in policies(), seed: u64) {
        let mut rng = Rng::new(seed);
        let mut life = Life::new(policy, seed);
        for _ in 0..120 {
            let kind = KINDS[rng.between(0, KINDS.len() as u64 - 1) as usize];
            life.live(kind, &mut rng)?;
        }
    }

    /// A unit that dies whenever it is started, told by an honest host: exactly `max` restarts in any window.
    #[test]
    fn a_crash_loop_spends_exactly_its_budget(max in 1..6_u32, window in 30..600_u64, seed: u64) {
        let mut policy = Policy::default();
        policy.restart.max = max;
        policy.restart.window = Span::from_secs(window);
        policy.restart.backoff_max = Span::from_secs(2);
        let loop_of = CrashLoop::run(policy, seed, 400);
        let restarts = &loop_of.restarts;
        let window = Span::from_secs(window);
        for (index, at) in restarts.iter().enumerate() {
            let within = restarts[index..].iter().take_while(|later| later.since(*at) < window).count();
            prop_assert!(within <= max as usize, "{within} restarts in one window of {max}");
        }
        prop_assert_eq!(loop_of.exhausted, 1, "said once");
        let first_window = restarts.iter().filter(|at| at.since(restarts[0]) < window).count();
        prop_assert_eq!(first_window, max as usize, "the whole budget is used");
    }
}

/// It may end its run and begin the next one when it is quiet, and a loss that is told at that moment is no quiet.
#[test]
fn a_loss_at_the_end_of_a_quiet_minute_is_heeded_first() {
    let mut policy = Policy { on_dependency_loss: OnDependencyLoss::Restart, ..Policy::default() };
    policy.dependency.mode = DependencyMode::All;
    let mut life = Life::new(policy, 7);
    let far = |revision, run: &str| {
        let run = Some(run.to_owned());
        Event::Heard(Readiness { service: name("far"), ready: true, revision, phase: PhaseName::Healthy, run })
    };
    life.service.step(far(1, "run-1"), life.now);
    let mut up = dead(&life.service, 1, 1);
    if let Event::Observed(observation) = &mut up {
        observation.unit = UnitState::new(LoadState::Loaded, ActiveState::Active);
    }
    life.service.step(up, life.now);
    life.service.step(Event::Subscribed("wf.wait.0".to_owned()), life.now);
    assert_eq!(life.service.phase().name(), PhaseName::Healthy);
    let quiet = life.service.wake_at().expect("it waits for the quiet");
    let actions = life.service.step(far(2, "run-2"), quiet);
    assert_eq!(life.service.phase().name(), PhaseName::Restarting, "{actions:?}");
    assert!(!actions.contains(&Action::Checkpoint), "{actions:?}");
}

/// An honest host whose unit dies at once after every start, and a driver that ticks when asked to.
struct CrashLoop {
    restarts: Vec<Time>,
    exhausted: usize,
}

impl CrashLoop {
    fn run(policy: Policy, seed: u64, steps: usize) -> Self {
        let mut now = Time::from_unix_millis(1_000_000);
        let mut service = Service::new(spec(policy), seed, now);
        let mut result = Self { restarts: Vec::new(), exhausted: 0 };
        let mut run = 0;
        let mut pending = vec![dead(&service, 1, 0)];
        for _ in 0..steps {
            let event = pending.pop().unwrap_or_else(|| {
                now = service.wake_at().map_or(now, |at| now.max(at));
                Event::Tick
            });
            for action in service.step(event, now) {
                match action {
                    Action::Act(order) => {
                        result.restarts.push(now);
                        run += 1;
                        let revision = run + 1;
                        now = now.after(Span::from_millis(10));
                        pending.push(dead(&service, revision, run));
                        pending.push(Event::Done { generation: order.guard.generation, outcome: Outcome::Ok });
                    }
                    Action::Report(report) if report.kind == ReportKind::Exhausted => result.exhausted += 1,
                    _ => {}
                }
            }
        }
        result
    }
}

fn dead(service: &Service, revision: u64, run: u64) -> Event {
    let mut unit = UnitState::new(LoadState::Loaded, ActiveState::Failed);
    unit.invocation = Some(format!("run-{run}"));
    unit.exit = Some(Exit { code: ExitCode::Exited, status: 1 });
    Event::Observed(Box::new(Observation {
        spec: service.spec.clone(),
        revision,
        epoch: "e".into(),
        boot: "b".into(),
        age_ms: 0,
        unit,
        waiting_for: vec![],
        runs: BTreeMap::new(),
        verdicts: vec![],
        alerts: None,
        causes: Vec::new(),
        generation: 0,
    }))
}

#[test]
fn every_phase_meets_every_event() {
    let mut met = BTreeSet::new();
    let mut policy = Policy::default();
    policy.restart.settle = Span::from_secs(1);
    policy.restart.backoff = Span::from_secs(10);
    policy.restart.prevent_exit_codes = [42].into();
    for seed in 0..900 {
        let mut rng = Rng::new(seed);
        policy.restart.max = u32::try_from(seed % 4).unwrap() * 5;
        policy.start = seed % 3 > 0;
        let mut life = Life::new(policy.clone(), seed);
        for _ in 0..120 {
            // People command seldom; services that people leave alone get to wait.
            let kind = match KINDS[rng.between(0, KINDS.len() as u64 - 1) as usize] {
                "command" if rng.between(0, 1) > 0 => "dead",
                "host-lost" if rng.between(0, 5) > 0 => "dead",
                kind => kind,
            };
            let (before, _) = life.live(kind, &mut rng).unwrap();
            met.insert((before, kind));
        }
    }
    let missing: Vec<_> = PhaseName::ALL
        .iter()
        .flat_map(|phase| KINDS.map(|kind| (*phase, kind)))
        .filter(|pair| !met.contains(pair))
        .collect();
    assert!(missing.is_empty(), "never met: {missing:?}");
}
