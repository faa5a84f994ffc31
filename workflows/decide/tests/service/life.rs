//! A life: events drawn at random, and what has to hold after each of them.

use crate::{dead, name, with_dependencies};
use dixmgr_contract::host::LossMark;
use dixmgr_contract::{
    ActiveState, Alert, Cause, Command, CommandKind, Exit, ExitCode, FailureKind, Job, LoadState, Observation, Passed,
    PhaseName, Policy, Raise, Readiness, ServiceName, Severity, Span, Time, UnitState, Verdict, WaitResult,
};
use dixmgr_decide::rng::Rng;
use dixmgr_decide::service::Phase;
use dixmgr_decide::{Action, Event, Outcome, Service};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What kind of event it was, for the coverage of pairs.
pub(crate) const KINDS: [&str; 20] = [
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
    "raised",
    "waited",
    "host-lost",
    "claimed",
    "tick",
];

/// A life: draws events and keeps what has to hold over many steps.
pub(crate) struct Life {
    pub(crate) service: Service,
    pub(crate) now: Time,
    pub(crate) revision: u64,
    pub(crate) runs: u64,
    pub(crate) commands: u64,
    pub(crate) orders: Vec<u64>,
    pub(crate) answered: BTreeSet<String>,
    pub(crate) asked: BTreeSet<String>,
    /// What the machine knows of `db`, here, and of `far`, elsewhere.
    pub(crate) db_missing: bool,
    /// Its host is lost, and another one may have it.
    pub(crate) lost: bool,
    /// It was seen running last.
    pub(crate) up: bool,
    pub(crate) far: Option<(bool, u64)>,
    /// What the workflow of its wait was told to be missing, once there is one.
    pub(crate) wait_told: Option<Vec<ServiceName>>,
    /// What incidents were told last, by type of alert.
    pub(crate) raised: BTreeMap<String, (Time, Raise)>,
    /// And its revision.
    pub(crate) revisions: BTreeMap<String, u64>,
    /// Which incidents are being told.
    pub(crate) telling: BTreeSet<String>,
    /// What its host said last to fire.
    firing: Vec<Alert>,
}

/// What rules might say of a service of that kind.
fn alerts(kind: &str, rng: &mut Rng) -> Vec<Alert> {
    let alert = |alert: &str, severity| Alert {
        rule: alert.to_owned(),
        alert: alert.to_owned(),
        severity,
        age_ms: 0,
        ended_ms: None,
        detail: String::new(),
        labels: BTreeMap::new(),
    };
    let down = (kind == "dead").then(|| alert("service_down", Severity::Critical));
    let severity = if rng.between(0, 1) == 0 { Severity::Warning } else { Severity::Critical };
    let busy = (rng.between(0, 2) == 0).then(|| alert("high_cpu", severity));
    down.into_iter().chain(busy).collect()
}

/// What might have come and gone while Temporal was away, told for the first time or again.
fn passed(rng: &mut Rng) -> Vec<Passed> {
    let (number, of) = (rng.between(1, 60), rng.between(0, 7));
    let mut found = alerts(if of == 0 { "dead" } else { "up" }, rng);
    found.truncate(usize::from(of < 3));
    found.iter_mut().for_each(|alert| (alert.age_ms, alert.ended_ms) = (5_000, Some(1_000)));
    found.into_iter().map(|alert| Passed { number, alert }).collect()
}

impl Life {
    pub(crate) fn new(policy: Policy, seed: u64) -> Self {
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
            telling: BTreeSet::new(),
            firing: Vec::new(),
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
                Event::Heard(Readiness {
                    service: name("far"),
                    ready,
                    revision,
                    phase: PhaseName::Healthy,
                    run,
                    trouble: None,
                })
            }
            "subscribed" => Event::Subscribed(format!("wf.wait.{}", rng.between(0, 2))),
            "gone" => Event::Gone(format!("wf.wait.{}", rng.between(0, 2))),
            "raised" => {
                let alert = if rng.between(0, 1) == 0 { "service_down" } else { "high_cpu" };
                self.telling.remove(alert);
                Event::Raised(alert.to_owned())
            }
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
                let alerts = (rng.between(0, 9) > 0).then(|| alerts(kind, rng));
                if revision > self.service.status(self.now).revision {
                    self.db_missing = db_missing;
                    self.firing = alerts.clone().unwrap_or_default();
                    self.lost = false;
                    self.up = kind == "up" || kind == "impaired";
                }
                Event::Observed(Box::new(Observation {
                    spec: self.service.spec.clone(),
                    revision,
                    epoch: format!("epoch-{}", rng.between(0, 30) / 30),
                    boot: format!("boot-{}", rng.between(0, 60) / 60),
                    age_ms: rng.between(0, 1000),
                    held_ms: if db_missing { rng.between(0, 2) * 1_000 } else { 0 },
                    unit: self.unit(kind, rng),
                    waiting_for: if db_missing { vec![name("db")] } else { vec![] },
                    runs: [(name("db"), format!("run-{}", rng.between(0, 20) / 20))].into(),
                    verdicts: vec![Verdict {
                        failed: kind == "impaired" && rng.between(0, 1) == 0,
                        ..Verdict::new("http", kind != "impaired", String::new())
                    }],
                    alerts,
                    passed: passed(rng),
                    causes: if db_missing { vec![Cause::down(name("db"))] } else { vec![] },
                    generation: 0,
                }))
            }
        }
    }

    /// However things fell together: when nothing happens any more, the incidents know what fires, and nothing else.
    pub(crate) fn end(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..12 {
            self.now = self.now.after(Span::from_secs(2));
            let ended = self.telling.pop_first().map_or(Event::Tick, Event::Raised);
            let before = self.service.clone();
            for action in self.service.step(ended.clone(), self.now) {
                self.check(&action, &before, &ended)?;
            }
        }
        prop_assert!(self.telling.is_empty(), "telling never ends");
        for alert in ["service_down", "high_cpu"] {
            let firing: Vec<&Alert> = self.firing.iter().filter(|found| found.alert == alert).collect();
            let told = self.raised.get(alert).map_or(Vec::new(), |(_, raise)| raise.report.alerts.iter().collect());
            prop_assert_eq!(told, firing, "{}", alert);
        }
        Ok(())
    }

    /// One step, and everything that must hold after it.
    pub(crate) fn live(&mut self, kind: &str, rng: &mut Rng) -> Result<(PhaseName, PhaseName), TestCaseError> {
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
}
