//! The service machine: the life of one supervised service.
//!
//! It is level-triggered. An event only changes what is known (an observation, the end of an attempt, a command); then
//! [`Service::settle`] looks at everything that is known and at the time, and moves the phase. A lost, repeated or late
//! event therefore costs a look, never a wrong move, and a crash anywhere resumes by looking again.
//!
//! The files: `phase` (where it stands), `reading` (what an observation means), `settle` (the decision), `pursue` (the way to a
//! start), `attempt` (what was asked of the host and came of it), `dependencies` (who has to be ready first), `subscribers` (who hears
//! whether it is ready), `hosts` (whose it is), `command` (what people ask), `alerts` (which incidents hear of it), `passed` (and of
//! what is over already), `standing` (how its time counts), `status` (what people see), `skills` (what an older run could not do yet).
//!
//! Rejected: a table of (phase, event) transitions. It grows with the product of both, and each cell would have to be
//! right about the order in which signals happen to arrive.

mod alerts;
mod attempt;
mod cause;
mod command;
mod dependencies;
mod hosts;
mod passed;
mod phase;
mod pursue;
mod reading;
mod settle;
mod skills;
mod standing;
mod status;
mod subscribers;

pub use alerts::LONG_PAUSE;
pub use phase::{Attempt, By, Cause, Pending, Phase, StoppedBy, Why};
pub(crate) use reading::is_unclear;
pub use reading::{Reading, Seen};
pub use skills::Skill;
pub use standing::{Counts, Standing};

use self::alerts::Alerts;
use self::dependencies::Waiting;
use self::skills::Skills;
use self::subscribers::Subscribers;
use crate::{budget::Budget, peers::Peers, rng::Rng};
use dixmgr_contract::activity::Report;
use dixmgr_contract::host::LossMark;
use dixmgr_contract::status::LastFailure;
use dixmgr_contract::{
    Command, Dependency, FailureKind, Guard, HostName, Observation, PhaseName, Raise, Readiness, ServiceName,
    ServiceSpec, Time, Verb, WaitResult, WaitSpec,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that is remembered of a service. Carried from run to run of its workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Who it is and how its owner wants it treated; replaced by each observation.
    pub spec: ServiceSpec,
    phase: Phase,
    since: Time,
    generation: u64,
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<Seen>,
    /// Since when it is up, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    up_since: Option<Time>,
    /// The start of dixmgr that saw it up last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    up_epoch: Option<String>,
    /// The boot in which it was seen up last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    up_boot: Option<String>,
    /// The start that is to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<Pending>,
    #[serde(default)]
    budget: Budget,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_failure: Option<LastFailure>,
    /// The order that was counted last, until its answer says whether it touched the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counted: Option<u64>,
    /// The refusal that people have been told of, until it is up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<FailureKind>,
    /// The commands seen last, so that a repeated signal is ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    commands: Vec<String>,
    /// The phase published last (search attribute).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<PhaseName>,
    /// Something has happened since the last checkpoint.
    #[serde(default)]
    eventful: bool,
    /// The wait for dependencies, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
    /// The dependencies on other hosts.
    #[serde(default, skip_serializing_if = "Peers::is_empty")]
    peers: Peers,
    /// The runs of its dependencies that this run was started on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    based_on: BTreeMap<ServiceName, String>,
    /// It was stopped for the loss of a dependency that has not come back yet.
    #[serde(default)]
    loss_heeded: bool,
    #[serde(default, skip_serializing_if = "Subscribers::is_new")]
    subscribers: Subscribers,
    /// When it was told of last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heard: Option<Time>,
    /// Nobody sees it: its host is lost.
    #[serde(default)]
    host_lost: bool,
    /// Another host that wants it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claimed_by: Option<HostName>,
    #[serde(default, skip_serializing_if = "Alerts::is_empty")]
    alerts: Alerts,
    /// What this run of its workflow can do.
    #[serde(default, skip_serializing_if = "Skills::is_empty")]
    skills: Skills,
    rng: Rng,
}

/// What can happen to a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its host has reported.
    Observed(Box<Observation>),
    /// What the host made of the order with this generation.
    Done {
        /// The order's generation.
        generation: u64,
        /// What came of it.
        outcome: Outcome,
    },
    /// Somebody asks something of it.
    Commanded(Command),
    /// A workflow wants to hear whether it is ready.
    Subscribed(String),
    /// A subscriber does not exist any more.
    Gone(String),
    /// A dependency on another host says how it stands.
    Heard(Readiness),
    /// A dependency on another host could not be asked.
    CouldNotAsk(ServiceName),
    /// Of that type of alert, the incident has been told what was said of it last.
    Raised(String),
    /// Its wait for dependencies is over.
    Waited(WaitResult),
    /// Nobody sees what its host does any more.
    HostLost(LossMark),
    /// A host does not supervise it any more.
    Retired(HostName),
    /// Time has passed.
    Tick,
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// systemd did it.
    Ok,
    /// It was not done.
    Failed {
        /// Why.
        kind: FailureKind,
        /// It in a sentence, from the host.
        message: String,
    },
}

/// What is to be done. The driver does it and decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Have the host act on the unit. The driver answers with [`Event::Done`] in any case, a time-out included.
    Act(Order),
    /// Take back an order that the host has not begun with, if that can still be done.
    Withdraw {
        /// The order's generation.
        generation: u64,
    },
    /// Have the host tell its people.
    Report(Report),
    /// Tell an incident how it stands. The driver answers with [`Event::Raised`] in any case.
    Raise(Raise),
    /// Answer a command.
    Answer(Answer),
    /// Ask a dependency to say how it stands, now and with each change. The driver answers with
    /// [`Event::CouldNotAsk`] if that cannot be done.
    Subscribe(Dependency),
    /// Tell a subscriber how it stands. The driver answers with [`Event::Gone`] if there is nobody.
    Tell {
        /// Whom.
        workflow_id: String,
        /// What.
        readiness: Readiness,
    },
    /// Let its wait be seen, and timed, in a workflow of its own.
    Wait(WaitSpec),
    /// Tell that workflow which dependencies are not ready, all of them.
    TellWait(Vec<ServiceName>),
    /// End that workflow: nobody waits any more.
    EndWait,
    /// Write the phase to the visibility store.
    Publish(PhaseName),
    /// All is quiet: a good moment to start a new run with a short history.
    Checkpoint,
    /// Nobody supervises it any more: the workflow ends, the unit stays as it is.
    End,
}

/// Something for the host to do to the unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What.
    pub verb: Verb,
    /// On what it was decided.
    pub guard: Guard,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which command.
    pub id: String,
    /// Done, or refused or failed; either way in a sentence.
    pub result: Result<String, String>,
}

impl Service {
    /// A service of which nothing is known yet. `seed` is the source of its jitter.
    pub fn new(spec: ServiceSpec, seed: u64, now: Time) -> Self {
        let mut peers = Peers::default();
        peers.listen_to(spec.after.iter().filter(|one| one.remote).map(|one| &one.name));
        Self {
            spec,
            phase: Phase::Unknown { absent: false },
            since: now,
            generation: 0,
            revision: 0,
            seen: None,
            up_since: None,
            up_epoch: None,
            up_boot: None,
            pending: None,
            budget: Budget::default(),
            last_failure: None,
            counted: None,
            refused: None,
            commands: Vec::new(),
            published: None,
            eventful: false,
            waiting: None,
            peers,
            based_on: BTreeMap::new(),
            loss_heeded: false,
            subscribers: Subscribers::default(),
            heard: None,
            host_lost: false,
            claimed_by: None,
            alerts: Alerts::default(),
            skills: Skills::all(),
            rng: Rng::new(seed),
        }
    }

    /// The settled phase of a service of which this observation is the first news; `None` if it settles in none.
    ///
    /// Whoever starts its workflow can then write the phase along with the start ([`Service::published`]): a fleet that
    /// is well costs no second write a service.
    pub fn first_phase(observation: Observation) -> Option<PhaseName> {
        let mut service = Self::new(observation.spec.clone(), 0, Time::default());
        service.step(Event::Observed(Box::new(observation)), Time::default());
        service.published
    }

    /// The same service, whose phase has been published already.
    #[must_use]
    pub fn published(self, phase: Option<PhaseName>) -> Self {
        Self { published: phase, ..self }
    }

    /// Takes in what happened and says what is to be done.
    pub fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        let mut actions = Vec::new();
        // Whoever could not be asked is not asked at once again, as long as nothing waits for it.
        let may_ask = !matches!(event, Event::CouldNotAsk(_));
        match event {
            Event::Observed(observation) => self.observe(*observation, now),
            Event::Done { generation, outcome } => self.finish(generation, outcome, now, &mut actions),
            Event::Commanded(command) => self.obey(command, now, &mut actions),
            Event::Subscribed(workflow_id) => self.subscribe(workflow_id, &mut actions),
            Event::Gone(workflow_id) => self.unsubscribe(&workflow_id),
            Event::Heard(readiness) => self.peers.hear(readiness),
            Event::CouldNotAsk(name) => self.peers.could_not_ask(&name),
            Event::Raised(alert) => self.heard_by_incident(&alert),
            Event::Waited(result) if !result.satisfied => self.time_out(&result.missing, &mut actions),
            Event::HostLost(mark) => self.lose_host(&mark, now, &mut actions),
            Event::Retired(host) => self.retire(&host, &mut actions),
            Event::Waited(_) | Event::Tick => {}
        }
        self.settle(now, &mut actions);
        self.leave_wait(&mut actions);
        self.publish(&mut actions);
        self.tell_subscribers(&mut actions);
        self.raise_passed(now, &mut actions);
        if may_ask {
            self.ask_for_causes(now, &mut actions);
        }
        self.raise(now, &mut actions);
        actions
    }

    /// When to send [`Event::Tick`], if nothing else happens before.
    pub fn wake_at(&self) -> Option<Time> {
        [self.moves_at(), self.tells_at()].into_iter().flatten().min()
    }

    fn moves_at(&self) -> Option<Time> {
        self.phase
            .deadline()
            .or_else(|| self.heals_at())
            .or_else(|| self.wait_deadline())
            .or_else(|| self.checkpoint_at())
            .or_else(|| self.pause_remembered_at())
    }

    /// Where it stands.
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// An older or repeated observation changes nothing.
    fn observe(&mut self, observation: Observation, now: Time) {
        if observation.revision <= self.revision || self.is_anothers(&observation) {
            return;
        }
        self.revision = observation.revision;
        self.heard = Some(now);
        self.host_lost = false;
        self.generation = self.generation.max(observation.generation);
        self.follow(observation.spec.clone());
        self.count_systemds_restarts(&observation, now);
        self.hear_alerts(observation.alerts.clone());
        self.hear_passed(&observation.passed, now);
        let mut seen = Seen::new(observation, now);
        let before = self.seen.as_ref().filter(|before| before.run() == seen.run());
        let same_run = before.is_some();
        let ran = before.is_some_and(|before| matches!(before.reading(), Reading::Up | Reading::Impaired));
        if let Some(before) = before {
            seen.verdicts.iter_mut().for_each(|verdict| verdict.remember(&before.verdicts));
        }
        if matches!(seen.reading(), Reading::Up | Reading::Impaired) {
            if self.up_since.is_none() || !same_run {
                self.up_since = Some(seen.at);
                // One whose probe has failed still runs on what it was started on.
                if !(ran && self.has(Skill::WaitsToBeHealed)) {
                    self.based_on.clear();
                }
            }
            self.up_epoch = Some(seen.epoch.clone());
            self.up_boot = Some(seen.boot.clone());
        }
        self.seen = Some(seen);
    }

    /// Since when what is news now is so: its host may have waited with it.
    fn news_since(&self, now: Time) -> Time {
        let held = self.seen.as_ref().filter(|_| self.heard == Some(now)).and_then(|seen| seen.held);
        held.map_or(now, |held| now.earlier(held))
    }

    /// A changed policy is asked again where the old one had said no.
    fn follow(&mut self, spec: ServiceSpec) {
        if spec.policy != self.spec.policy
            && matches!(self.phase, Phase::Exhausted { .. } | Phase::Down { why: Why::Prevented { .. } })
        {
            self.phase = Phase::Down { why: Why::Held };
            self.pending = self.pending.map(|pending| Pending::new(pending.cause));
        }
        if spec.after != self.spec.after {
            self.peers.listen_to(spec.after.iter().filter(|one| one.remote).map(|one| &one.name));
        }
        self.spec = spec;
    }

    /// `NRestarts` counts up with each restart by systemd itself; a decrease is a reset (`ResetFailedUnit`).
    fn count_systemds_restarts(&mut self, observation: &Observation, now: Time) {
        let Some(before) = self.seen.as_ref().map(|seen| seen.unit.restarts) else { return };
        let count = observation.unit.restarts;
        let new = if count >= before { count - before } else { count };
        if new > 0 {
            self.budget.spend_many(&self.spec.policy.restart, new, now);
        }
    }

    fn enter(&mut self, phase: Phase, now: Time) {
        if phase.name() != self.phase.name() {
            self.since = now;
            let quiet =
                matches!((&self.phase, &phase), (Phase::Unknown { .. }, Phase::Healthy | Phase::Unknown { .. }));
            self.eventful |= !quiet;
        }
        self.phase = phase;
    }

    fn publish(&mut self, actions: &mut Vec<Action>) {
        let name = self.phase.name();
        let lasts = name.is_settled() || self.host_lost;
        if lasts && self.published != Some(name) && !self.waits_briefly() {
            self.published = Some(name);
            actions.push(Action::Publish(name));
        }
    }
}
