//! The senses: asks the services' probes, and tells the agent what is to be believed.
//!
//! On a thread of its own: a thousand checks, and their hostile answers, must not hold up the news of a failure. It is told which
//! services run, in which run, and tells the state of all probes of a service whenever it means something else. Both ways carry
//! whole states, so losing or repeating one harms nothing. Whether, when, in whose turn and what to believe is decided in `decide`
//! (`check`, `node`, `breaker`).
//!
//! The files: `slot` (one probe), `subject` (what it asks, and who hears the answer), `chains` (the nodes compared), `spec`
//! (from the configuration), `runs` (what the agent says).
//!
//! Rejected: one task a check. Ten thousand timers wake the host ten thousand times; schedules share their moments.

mod chains;
mod runs;
mod slot;
mod spec;
mod subject;
mod syncing;

pub(crate) use runs::{Run, Runs};
pub(crate) use spec::{chain, http_way, unseen_chain};

use crate::agent::{Alerting, Handle, Message};
use crate::history::History;
use crate::parts::Common;
use chains::Chains;
use dixmgr_contract::{Span, Time};
use dixmgr_decide::check::{Line, Places, Turns, mean_the_same};
use dixmgr_decide::node::in_sync_as_one;
use dixmgr_decide::rng::Rng;
use dixmgr_model::Service;
use dixmgr_probe::{Breakers, Prober};
use dixmgr_telemetry::events::ProbeBroken;
use dixmgr_telemetry::{Event, Metrics, ProbeFigures};
use slot::Slot;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};
use subject::Seen;
use syncing::Syncing;
use tokio::task::JoinSet;

/// Services that are seen to run at the same moment are looked at one after the other, this far apart.
const APART: Span = Span::from_millis(2);

/// A look that has ended.
struct Ended {
    index: usize,
    line: Line,
    seen: Seen,
    took: Duration,
}

/// All probes of this host.
struct Senses {
    /// Those of this host's services first.
    slots: Vec<Slot>,
    /// The probes of each service.
    of: Vec<Vec<usize>>,
    /// Whose each of them is.
    owners: Vec<usize>,
    runs: Runs,
    known: Vec<Run>,
    /// Those of which nothing was heard yet: what they run in began before anybody looked.
    unheard: BTreeSet<usize>,
    turns: Turns,
    looks: JoinSet<Ended>,
    chains: Chains,
    agent: Handle,
    metrics: Metrics,
    history: History,
    breakers: Breakers,
    syncing: Syncing,
}

/// Starts the thread, if there is anything to ask. It ends with the program.
///
/// `here` are the services of this host in the order in which `runs` counts them; `elsewhere` are those of the other hosts:
/// nodes among them are asked for comparison, where they can be reached from here. `memory` is a file.
pub(crate) fn start<'a>(
    here: &[Service],
    elsewhere: impl Iterator<Item = &'a Service>,
    runs: Runs,
    common: Common,
    memory: &Path,
) {
    let Some(senses) = Senses::new(here, elsewhere, runs, common, Places::default(), memory) else { return };
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
    /// None if there is nothing to ask.
    fn new<'a>(
        here: &[Service],
        elsewhere: impl Iterator<Item = &'a Service>,
        runs: Runs,
        common: Common,
        places: Places,
        memory: &Path,
    ) -> Option<Self> {
        let Common { agent, metrics, history, checker: nodes, breakers } = common;
        let began = now();
        let mut maker = spec::Maker { prober: Prober::new(), nodes, rng: Rng::new(seed()), now: began };
        let mut slots = Vec::new();
        let (mut of, mut owners) = (Vec::new(), Vec::new());
        for (owner, service) in here.iter().enumerate() {
            let first = slots.len();
            slots.extend(service.probes.iter().filter_map(|(name, probe)| maker.slot(service, name, probe)));
            of.push((first..slots.len()).collect());
            owners.resize(slots.len(), owner);
        }
        let compared: BTreeSet<_> = slots.iter().filter_map(Slot::chain).collect();
        let mut chains = Chains::new(metrics.clone());
        for service in elsewhere {
            let unseen = service.probes.values().filter_map(|probe| unseen_chain(service, probe));
            unseen.filter(|chain| compared.contains(chain)).for_each(|chain| chains.has_unseen(chain));
            let probes = service.probes.iter().filter(|(_, probe)| spec::is_comparable(service, probe, &compared));
            slots
                .extend(probes.filter_map(|(name, probe)| maker.slot(service, name, probe)).map(Slot::of_another_host));
        }
        let mut senses = Self {
            known: vec![None; of.len()],
            unheard: (0..of.len()).collect(),
            slots,
            of,
            owners,
            runs,
            turns: Turns::new(places),
            looks: JoinSet::new(),
            chains,
            agent,
            metrics,
            history,
            breakers,
            syncing: Syncing::open(memory),
        };
        senses.begin_elsewhere(began);
        (!senses.slots.is_empty()).then_some(senses)
    }

    async fn run(mut self) {
        loop {
            self.begin_due(now());
            let wake = self.turns.wake_at().map(|at| at.since(now()).duration());
            tokio::select! {
                changed = self.runs.changed() => self.follow(changed),
                Some(ended) = self.looks.join_next() => if let Ok(ended) = ended { self.ended(ended).await },
                () = tokio::time::sleep(wake.unwrap_or(Duration::MAX)), if wake.is_some() => {}
            }
        }
    }

    /// Whether a node of another host runs, only its answers can tell.
    fn begin_elsewhere(&mut self, now: Time) {
        let mut first = now;
        for index in self.owners.len()..self.slots.len() {
            self.slots[index].follow(true, first, now);
            self.plan(index);
            first = first.after(APART);
        }
    }

    /// Another run, or none: what was seen of the last one is no longer its own.
    fn follow(&mut self, changed: Vec<(usize, Run)>) {
        let now = now();
        let mut first = now;
        for (service, run) in changed {
            let is_found = self.unheard.remove(&service);
            if self.known[service] == run {
                continue;
            }
            let runs = run.is_some();
            self.known[service] = run;
            let its = self.of[service].clone();
            if let Some(index) = its.first() {
                self.metrics.probes().forget(self.slots[*index].service());
                if runs {
                    self.breakers.renew(self.slots[*index].service());
                }
            }
            for index in its {
                let slot = &mut self.slots[index];
                slot.follow(runs, first, now);
                if is_found {
                    slot.subject_mut().join_late();
                }
                if let Some(Some(run)) = &self.known[service]
                    && self.syncing.is(slot.service(), slot.probe(), run)
                {
                    slot.subject_mut().recall_that_it_syncs();
                }
                self.chains.forget(slot);
                self.plan(index);
                first = first.after(APART);
            }
        }
    }

    fn plan(&mut self, index: usize) {
        let slot = &self.slots[index];
        if let Some(at) = slot.wake_at() {
            self.turns.plan(index, slot.line(), at);
        }
    }

    fn begin_due(&mut self, now: Time) {
        while let Some((index, line)) = self.turns.begin(now) {
            match self.slots[index].begin(now) {
                Some(look) => {
                    self.looks.spawn(async move {
                        let began = Instant::now();
                        // A block's own stamp is of the clocks of people, which may be set after our start.
                        let seen = look.run(Time::from(SystemTime::now())).await;
                        Ended { index, line, seen, took: began.elapsed() }
                    });
                }
                None => {
                    self.turns.end(line);
                    self.plan(index);
                }
            }
        }
    }

    async fn ended(&mut self, ended: Ended) {
        let Ended { index, line, seen, took } = ended;
        self.turns.end(line);
        let (slot, now) = (&mut self.slots[index], now());
        if seen.broke_off() {
            ProbeBroken { service: slot.service(), probe: slot.probe() }.emit(&self.metrics);
        }
        let means = slot.verdicts();
        let first = slot.end(seen, &mut self.chains, now);
        let means_otherwise = !mean_the_same(&means, &slot.verdicts());
        self.plan(index);
        let Some(&owner) = self.owners.get(index) else {
            // Whether a node of another host works is said there; whether it is left alone is known here alone.
            let figures = self.slots[index].shown(took);
            return figures.into_iter().for_each(|of| self.metrics.probes().set(ProbeFigures { healthy: None, ..of }));
        };
        let slot = &self.slots[index];
        if let (Some(Some(run)), Some(syncs)) = (&self.known[owner], slot.subject().catches_up()) {
            self.syncing.put(slot.service(), slot.probe(), run, syncs);
        }
        if let Some(figures) = self.slots[index].shown(took) {
            self.history.probe(&figures);
            self.metrics.probes().set(figures);
        }
        if first || means_otherwise {
            self.tell(owner).await;
        }
        self.tell_stands(owner).await;
    }

    /// Tells and shows how the node of a service stands: the one that stands worst, should there be several.
    async fn tell_stands(&self, service: usize) {
        let Some(run) = &self.known[service] else { return };
        if let Some(stands) = self.chains.show(self.of[service].iter().map(|index| &self.slots[*index])) {
            self.agent.say(Message::Alerting(Alerting::Node { index: service, run: run.clone(), stands })).await;
        }
    }

    /// Tells what all probes of a service say.
    async fn tell(&self, service: usize) {
        let Some(run) = &self.known[service] else { return };
        let verdicts = self.of[service].iter().flat_map(|index| self.slots[*index].verdicts()).collect();
        let verdicts = in_sync_as_one(verdicts);
        self.agent.say(Message::Sensed { index: service, run: run.clone(), verdicts }).await;
    }
}

/// The clock of the probes goes on evenly, whatever is done to that of the host.
fn now() -> Time {
    static BEGAN: OnceLock<(Time, Instant)> = OnceLock::new();
    let (at, began) = BEGAN.get_or_init(|| (Time::from(SystemTime::now()), Instant::now()));
    at.after(Span::from(began.elapsed()))
}

/// Where the first looks fall within their intervals need not be a secret, only different from host to host.
fn seed() -> u64 {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(|since| since.subsec_nanos());
    u64::from(nanos.unwrap_or_default()) ^ (u64::from(std::process::id()) << 32)
}

#[cfg(test)]
#[path = "senses_tests.rs"]
mod tests;
