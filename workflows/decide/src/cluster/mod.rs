//! The cluster machine: services that stand in for each other, on one host or on many.
//!
//! It is level-triggered like the service machine. An event only changes what is known (a specification, a member's
//! readiness, a request); then [`Cluster::settle`] looks at everything that is known and at the time. It never touches
//! a unit: it sends commands to the workflows of its members, each with an id by which a repeated one is obeyed once,
//! and believes only what their readiness says.
//!
//! The files: `member` (what is known of one), `config` (a changed specification), `quorum` (how many are ready, and
//! what is said of it), `rollout` (one by one), `standby` (exactly one), `promote` (another one), `status` (what people
//! see).
//!
//! Rejected: waiting for the answer of each command. An answer can be lost with its sender, and "done" is less than
//! "ready with another run", which is what the next step depends on. Rejected: failover by itself in standby mode. From
//! here a member that is down and one that cannot be seen look alike, and two that run at a time may do more harm than
//! none; a person promotes.

mod config;
mod member;
mod promote;
mod quorum;
mod rollout;
mod standby;
mod status;

use crate::service::Answer;
use dixmgr_contract::cluster::{ClusterReport, ClusterReportKind, ClusterSpec, PromoteArgs, RollingRestartArgs};
use dixmgr_contract::{Command, CommandKind, Readiness, ServiceName, Span, Time};
use member::Member;
use promote::Promotion;
use rollout::Rollout;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long members may take to be heard of before something is said without them.
const HEARING: Span = Span::from_secs(30);
/// When nothing has changed for this long after something did, all is quiet.
const QUIET: Span = Span::from_secs(60);
/// Ids of requests remembered, so that one that is sent twice is obeyed once.
const REMEMBERED: usize = 16;
/// Characters kept of who asks and why.
const WORDS: usize = 200;

/// Everything that is remembered of a cluster. Carried from run to run of its workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    spec: ClusterSpec,
    members: BTreeMap<ServiceName, Member>,
    /// Until when nothing is said about the quorum, because somebody has not been heard of yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hear_by: Option<Time>,
    /// Enough members are ready; `None` until that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quorum_ok: Option<bool>,
    /// Since when `quorum_ok` is what it is.
    since: Time,
    /// The last that was said of the quorum is that it is lost.
    #[serde(default)]
    lost_said: bool,
    /// The rolling restart that is under way, or the last one if it was halted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollout: Option<Rollout>,
    /// Standby mode: the active member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active: Option<ServiceName>,
    /// Standby mode: there has been an active member, so none is started without being asked for.
    #[serde(default)]
    had_active: bool,
    /// Standby mode: the active member was started by the machine and has until then to be ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starting_until: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    promotion: Option<Promotion>,
    /// The requests seen last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requests: Vec<String>,
    /// When something happened last, if there was no checkpoint since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    eventful: Option<Time>,
}

/// What can happen to a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The whole specification, as its host's configuration has it now. Its name is not looked at.
    Configured(Box<ClusterSpec>),
    /// A member has told how it stands.
    Readiness(Readiness),
    /// Somebody wants the members restarted one by one.
    RollingRestart {
        /// Names the request; the answer carries it, and a repeated one is ignored.
        id: String,
        /// Who and why.
        args: RollingRestartArgs,
    },
    /// Somebody wants another member to be the active one.
    Promote {
        /// Names the request; the answer carries it, and a repeated one is ignored.
        id: String,
        /// Which, who and why.
        args: PromoteArgs,
    },
    /// A [`Action::Subscribe`] did not reach the member's workflow: there is none.
    SubscriptionFailed {
        /// The member.
        member: ServiceName,
    },
    /// Time has passed.
    Tick,
}

/// What is to be done. The driver does it and decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask a member to tell its readiness. A failure comes back as [`Event::SubscriptionFailed`].
    Subscribe {
        /// The member.
        member: ServiceName,
        /// Its workflow.
        workflow_id: String,
    },
    /// Send a member a command. A failure need not come back: what does not happen is noticed by its deadline.
    Command {
        /// The member.
        member: ServiceName,
        /// Its workflow.
        workflow_id: String,
        /// What it is to do.
        command: Command,
    },
    /// Tell people.
    Report(ClusterReport),
    /// Answer a request.
    Answer(Answer),
    /// All is quiet: a good moment to start a new run with a short history.
    Checkpoint,
}

impl Cluster {
    /// A cluster of which nothing is known yet. What [`ClusterSpec::check`] would refuse is cut off.
    pub fn new(spec: ClusterSpec, now: Time) -> Self {
        let spec = spec.bounded();
        Self {
            members: spec.members.iter().map(|name| (name.clone(), Member::new(now))).collect(),
            spec,
            hear_by: Some(now.after(HEARING)),
            quorum_ok: None,
            since: now,
            lost_said: false,
            rollout: None,
            active: None,
            had_active: false,
            starting_until: None,
            promotion: None,
            requests: Vec::new(),
            eventful: None,
        }
    }

    /// The cluster as it was configured last.
    pub const fn spec(&self) -> &ClusterSpec {
        &self.spec
    }

    /// Takes in what happened and says what is to be done.
    pub fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Configured(spec) => self.configure(*spec, now, &mut actions),
            Event::Readiness(readiness) => self.hear(&readiness, now),
            Event::RollingRestart { id, args } => self.begin_rollout(id, args, now, &mut actions),
            Event::Promote { id, args } => self.begin_promotion(id, args, now, &mut actions),
            Event::SubscriptionFailed { member } => {
                if let Some(member) = self.members.get_mut(&member) {
                    member.unreachable(now);
                }
            }
            Event::Tick => {}
        }
        self.settle(now, &mut actions);
        actions
    }

    /// When to send [`Event::Tick`], if nothing else happens before. A time in the past means now, as at the very
    /// beginning; after a step it is later than that step.
    pub fn wake_at(&self) -> Option<Time> {
        let asks = self.spec.members.iter().filter_map(|name| self.members.get(name)?.ask_at(self.is_watched(name)));
        [self.hear_by, self.rollout_wake(), self.standby_wake(), self.promotion_wake(), self.checkpoint_at()]
            .into_iter()
            .flatten()
            .chain(asks)
            .min()
    }

    /// Looks at everything that is known and moves.
    fn settle(&mut self, now: Time, actions: &mut Vec<Action>) {
        self.assess(now);
        self.settle_rollout(now, actions);
        self.settle_standby(now, actions);
        self.say_quorum(actions);
        self.ask(now, actions);
        if self.checkpoint_at().is_some_and(|at| at <= now) {
            self.eventful = None;
            actions.push(Action::Checkpoint);
        }
    }

    fn hear(&mut self, readiness: &Readiness, now: Time) {
        let Some(member) = self.members.get_mut(&readiness.service) else { return };
        let ready = member.ready;
        if member.hear(readiness, now) && ready.is_some() {
            self.eventful = Some(now);
        }
    }

    /// Asks members that have not been heard of, or that something waits for, to tell how they stand.
    fn ask(&mut self, now: Time, actions: &mut Vec<Action>) {
        for name in self.spec.members.clone() {
            let watched = self.is_watched(&name);
            let Some(member) = self.members.get_mut(&name) else { continue };
            if member.ask_at(watched).is_some_and(|at| at <= now) {
                member.asked(now);
                actions.push(Action::Subscribe { workflow_id: self.spec.workflow_id(&name), member: name });
            }
        }
    }

    /// Something waits for this member now.
    fn is_watched(&self, name: &ServiceName) -> bool {
        let rolled = self.open_rollout().is_some_and(|rollout| rollout.current.as_ref() == Some(name));
        rolled || self.promotion.as_ref().is_some_and(|promotion| promotion.involves(name))
    }

    /// A request that was seen already is to be ignored.
    fn is_repeated(&mut self, id: &str) -> bool {
        if self.requests.iter().any(|known| known == id) {
            return true;
        }
        self.requests.push(id.to_owned());
        let surplus = self.requests.len().saturating_sub(REMEMBERED);
        self.requests.drain(..surplus);
        false
    }

    fn checkpoint_at(&self) -> Option<Time> {
        let busy = self.open_rollout().is_some() || self.promotion.is_some() || self.starting_until.is_some();
        self.eventful.filter(|_| !busy).map(|at| at.after(QUIET))
    }

    fn command(&self, member: &ServiceName, order: Order) -> Action {
        let Order { id, command, by, reason } = order;
        let by = format!("{by} (cluster {})", self.spec.name);
        let command = Command { id, command, by, reason, to_all: false };
        Action::Command { member: member.clone(), workflow_id: self.spec.workflow_id(member), command }
    }

    fn report(&self, kind: ClusterReportKind, text: String) -> Action {
        Action::Report(ClusterReport { cluster: self.spec.name.clone(), kind, text })
    }
}

/// What a command to a member is made of.
struct Order {
    id: String,
    command: CommandKind,
    by: String,
    reason: String,
}

fn answer(id: String, result: Result<String, String>) -> Action {
    Action::Answer(Answer { id, result })
}

/// Who asks, never empty, and never longer than is good for the state.
fn somebody(by: &str) -> String {
    if by.is_empty() { "somebody".to_owned() } else { words(by) }
}

fn words(text: &str) -> String {
    text.chars().take(WORDS).collect()
}
