//! The senses: asks the services' probes, and tells the agent what is to be believed.
//!
//! On a thread of its own: a thousand checks, and their hostile answers, must not hold up the news of a failure. It is told which
//! services run, in which run, and tells the state of all probes of a service whenever one of them has changed. Both ways carry
//! whole states, so losing or repeating one harms nothing. Whether, when and what to believe is decided in `decide`
//! (`check`, `breaker`); here is who waits for whom.
//!
//! Rejected: one task a check. Ten thousand timers wake the host ten thousand times; schedules share their moments.

mod slot;
mod spec;

use crate::agent::{Handle, Message};
use dixmgr_contract::{CheckResult, Span, Time};
use dixmgr_decide::rng::Rng;
use dixmgr_model::Service;
use dixmgr_probe::{Check, Prober};
use dixmgr_telemetry::Metrics;
use slot::Slot;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Checks that run at a time; those beyond wait for their turn.
const AT_A_TIME: usize = 256;

/// What the agent knows of a service's run: `None` while it does not run, its `InvocationID` otherwise.
type Run = Option<Option<String>>;

/// What runs, as the agent says it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    runs: Mutex<Vec<Run>>,
    changed: Notify,
}

impl Runs {
    /// That many services, none of which runs.
    pub(crate) fn of(services: usize) -> Self {
        Self(Arc::new(Shared { runs: Mutex::new(vec![None; services]), changed: Notify::new() }))
    }

    /// A service runs, or does not.
    pub(crate) fn set(&self, index: usize, run: Run) {
        if let Some(slot) = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            *slot = run;
        }
        self.0.changed.notify_one();
    }

    fn all(&self) -> Vec<Run> {
        self.0.runs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A run of a check that has ended.
struct Ended {
    index: usize,
    check: Check,
    result: CheckResult,
}

/// All checks of this host.
struct Senses {
    slots: Vec<Slot>,
    /// The checks of each service.
    of: Vec<Vec<usize>>,
    runs: Runs,
    known: Vec<Run>,
    due: BTreeSet<(Time, usize)>,
    running: JoinSet<Ended>,
    agent: Handle,
    metrics: Metrics,
}

/// Starts the thread, if there is anything to check. It ends with the program.
pub(crate) fn start(services: &[Service], runs: Runs, agent: Handle, metrics: Metrics) {
    let prober = Prober::new();
    let (now, mut rng) = (now(), Rng::new(seed()));
    let mut slots = Vec::new();
    let mut of = vec![Vec::new(); services.len()];
    for (service, own) in services.iter().zip(&mut of) {
        for (name, probe) in &service.probes {
            if let Some(spec) = spec::check_spec(probe) {
                own.push(slots.len());
                let service = service.spec.name.to_string();
                slots.push(Slot::new(service, name.clone(), probe, prober.check(spec), &mut rng, now));
            }
        }
    }
    if slots.is_empty() {
        return;
    }
    let known = vec![None; services.len()];
    let senses =
        Senses { slots, of, runs, known, due: BTreeSet::new(), running: JoinSet::new(), agent, metrics };
    let started = std::thread::Builder::new().name("senses".to_owned()).spawn(move || {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(tokio) => tokio.block_on(senses.run()),
            Err(error) => tracing::error!("probes are not asked: {error}"),
        }
    });
    if let Err(error) = started {
        tracing::error!("probes are not asked: {error}");
    }
}

impl Senses {
    async fn run(mut self) {
        loop {
            self.begin_due(now());
            let wake = self.due.first().map(|(at, _)| at.since(now()).duration());
            let wake = wake.filter(|_| self.running.len() < AT_A_TIME);
            tokio::select! {
                () = self.runs.0.changed.notified() => self.follow().await,
                Some(ended) = self.running.join_next() => if let Ok(ended) = ended { self.ended(ended).await },
                () = tokio::time::sleep(wake.unwrap_or(Duration::MAX)), if wake.is_some() => {}
            }
        }
    }

    /// Another run, or none: what was seen of the last one is no longer its own.
    async fn follow(&mut self) {
        for (service, run) in self.runs.all().into_iter().enumerate() {
            if self.known[service] == run {
                continue;
            }
            self.known[service].clone_from(&run);
            if let Some(index) = self.of[service].first() {
                self.metrics.probes().forget(self.slots[*index].service());
            }
            for &index in &self.of[service] {
                self.slots[index].follow(run.is_some(), now());
                if let Some(at) = self.slots[index].wake_at() {
                    self.due.insert((at, index));
                }
            }
            self.tell(service).await;
        }
    }

    fn begin_due(&mut self, now: Time) {
        while self.running.len() < AT_A_TIME {
            let Some((at, index)) = self.due.first().copied().filter(|(at, _)| *at <= now) else { return };
            self.due.remove(&(at, index));
            let slot = &mut self.slots[index];
            match slot.begin(now) {
                Some(mut check) => {
                    self.running.spawn(async move {
                        let result = check.run().await;
                        Ended { index, check, result }
                    });
                }
                None => self.due.extend(slot.wake_at().map(|at| (at, index))),
            }
        }
    }

    async fn ended(&mut self, ended: Ended) {
        let Ended { index, check, result } = ended;
        let slot = &mut self.slots[index];
        let changed = slot.end(check, &result, now());
        self.metrics.probes().set(slot.shown(&result));
        self.due.extend(slot.wake_at().map(|at| (at, index)));
        if changed {
            let service = self.of.iter().position(|own| own.contains(&index));
            if let Some(service) = service {
                self.tell(service).await;
            }
        }
    }

    async fn tell(&self, service: usize) {
        let Some(run) = &self.known[service] else { return };
        let verdicts = self.of[service].iter().map(|index| self.slots[*index].verdict()).collect::<Vec<_>>();
        if !verdicts.is_empty() {
            self.agent.say(Message::Sensed { index: service, run: run.clone(), verdicts }).await;
        }
    }
}

/// The clock of the checks goes on evenly, whatever is done to that of the host.
fn now() -> Time {
    static BEGAN: OnceLock<(Time, Instant)> = OnceLock::new();
    let (at, began) = BEGAN.get_or_init(|| (Time::from(SystemTime::now()), Instant::now()));
    at.after(Span::from(began.elapsed()))
}

/// Where the first checks fall within their intervals need not be a secret, only different from host to host.
fn seed() -> u64 {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(|since| since.subsec_nanos());
    u64::from(nanos.unwrap_or_default()) ^ (u64::from(std::process::id()) << 32)
}
