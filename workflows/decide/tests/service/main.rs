//! The service machine: invariants over random lives, and proof that every (phase, event) pair was lived through.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod crash_loop;
mod invariants;
mod life;
mod passed;
mod related;

use crash_loop::CrashLoop;
use dixmgr_contract::policy::RestartOn;
use dixmgr_contract::{
    ActiveState, Dependency, DependencyMode, DependencyPolicy, Exit, ExitCode, LoadState, Observation,
    OnDependencyLoss, OnOperatorStop, OnTimeout, PhaseName, Policy, Readiness, ServiceName, ServiceSpec, Span,
    UnitName, UnitState,
};
use dixmgr_decide::rng::Rng;
use dixmgr_decide::{Action, Event, Service};
use life::{KINDS, Life};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

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
        held_ms: 0,
        unit,
        waiting_for: vec![],
        runs: BTreeMap::new(),
        verdicts: vec![],
        alerts: None,
        passed: Vec::new(),
        causes: Vec::new(),
        generation: 0,
    }))
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
        life.end()?;
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
        Event::Heard(Readiness {
            service: name("far"),
            ready: true,
            revision,
            phase: PhaseName::Healthy,
            run,
            trouble: None,
        })
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
                "host-lost" if rng.between(0, 3) > 0 => "dead",
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
