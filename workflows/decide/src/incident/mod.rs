//! The incident machine: who is told what about one trouble, and when, until everybody who heard of it has heard the end.
//!
//! An incident is all alerts of one type that belong together (by default: of one service). Members join and leave; each
//! channel has a ledger of its own (`line`) that says what it was told and what it is owed. The machine is level-triggered: an
//! event changes what is known, then [`Incident::settle`] looks at all of it until nothing changes, and collects on the way
//! when to look again.
//!
//! **What always holds**: a channel that accepted the beginning gets exactly one end for it, whatever is silenced, held back,
//! acknowledged or restarted in between; one that may have got the beginning, though its answer was lost, gets an end too.
//! Only beginnings are suppressed.
//!
//! The files: `member` (one of those in trouble), `mute` (why nobody is told of it), `maintenance` (windows), `episode` (beginning and
//! end), `line` (a channel's ledger), `need` (which note is due on it), `retract` (which is not any more), `delivery` (tries, waits, fallback), `repeat` (what has to be
//! told again and again), `passed` (what was over before it was heard of), `compose` (the words), `identity` (by which labels a
//! channel knows it), `consequence` (causes and what is behind them), `reach` (whose business that is), `request` (what people ask),
//! `status` (what people see), `room` (for how many there is), `skills` (what older runs could not do).
//!
//! Rejected: a queue of notes for each channel. When a channel comes back after an hour nobody wants to read the hour; what is
//! due is decided when it can be sent. Rejected: the end held back for the dedupe window, so that flapping is never told: good news
//! would always be five minutes late. Only an incident that has come back once waits with its next end.

mod compose;
mod consequence;
mod delivery;
mod episode;
mod identity;
mod line;
pub mod maintenance;
mod member;
mod mute;
mod need;
mod passed;
mod reach;
mod repeat;
mod request;
mod retract;
mod room;
mod skills;
mod status;

use crate::service::Answer;
use consequence::{Behind, Consequence};
use dixmgr_contract::alert::{MemberReport, Silence};
use dixmgr_contract::incident::{
    AckArgs, Affected, IncidentRecord, IncidentSpec, Reach, ResolveArgs, SilenceArgs, UnsilenceArgs,
};
use dixmgr_contract::{AlertPolicy, Delivery, Note, ServiceName, Severity, Span, Time};
use line::Line;
use member::Member;
use request::Ack;
pub use room::{MAX_BYTES, MAX_MEMBERS};
use serde::{Deserialize, Serialize};
pub use skills::Skill;
use skills::Skills;
use std::collections::{BTreeMap, BTreeSet};

/// Looks at everything within one step; more than a few mean a mistake in here.
const PASSES: usize = 16;

/// Everything that is remembered of an incident. Carried from run to run of its workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    spec: IncidentSpec,
    /// When the machine was made: tells this incident from the one of yesterday.
    born: Time,
    seed: u64,
    /// Notes made so far.
    #[serde(default)]
    sequence: u64,
    members: BTreeMap<String, Member>,
    #[serde(default)]
    refused_members: u64,
    /// What is behind this one, by incident.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    affected: BTreeMap<String, Consequence>,
    /// The different reaches of those, by the numbers that they name them by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    reaches: BTreeMap<u16, Reach>,
    /// Counts services that were not affected before.
    #[serde(default)]
    affected_joins: u64,
    /// What the causes of this one were told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    told_causes: BTreeMap<String, Behind>,
    /// When they are told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tell_again: Option<Time>,
    /// Causes that are consequences of this one: not to be waited for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    cycles: BTreeSet<String>,
    /// The fleet's, and its maintenance windows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    silences: Vec<Silence>,
    /// Those of this incident alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    own_silences: Vec<Silence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ack: Option<Ack>,
    /// Counts acknowledgements.
    #[serde(default)]
    acks: u64,
    /// Counts members of which people may be told again after a silence, a pause or a window.
    #[serde(default)]
    returns: u64,
    /// Since when the escalation waits, for nobody is to be told of anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peace_since: Option<Time>,
    /// Steps of the escalation that were reached.
    #[serde(default)]
    stage: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stage_at: Option<Time>,
    /// When the present trouble began; absent when there is none and nothing of it is left to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<Time>,
    /// It has begun, and its end was not recorded.
    #[serde(default)]
    counted: bool,
    /// Since when nothing is wrong that people were or may be told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over: Option<Time>,
    /// When what it began with ended, which was before it was heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passed: Option<Time>,
    /// Since when nothing is wrong at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calm: Option<Time>,
    /// How bad it was at worst.
    #[serde(default)]
    worst: Severity,
    lines: BTreeMap<String, Line>,
    /// The requests seen last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requests: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wake: Option<Time>,
    #[serde(default)]
    closed: bool,
    #[serde(default = "Skills::none")]
    skills: Skills,
}

/// What can happen to an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// How a member stands.
    Member(Box<MemberReport>),
    /// Somebody says that it is over.
    Resolve(ResolveArgs),
    /// A member is a consequence of another incident; all of them, if none is named.
    Held {
        /// The fingerprint of the cause.
        cause: String,
        /// The member, as [`MemberReport::member`] names it.
        member: Option<String>,
    },
    /// A cause is over, there is none, or nobody is told of it.
    Released {
        /// The fingerprint of the cause.
        cause: String,
        /// It lasts, and nobody is told of it for now.
        is_muted: bool,
    },
    /// Another incident is a consequence of this one, or is not any more.
    Affected(Affected),
    /// How the delivery of a note ended: the answer to one [`Action::Deliver`].
    Delivered {
        /// The channel.
        channel: String,
        /// [`Note::id`].
        note: String,
        /// How it ended.
        outcome: Delivery,
    },
    /// Whoever was to deliver was interrupted: answers that have not come will not.
    Interrupted,
    /// The silences of the fleet, all of them, and its maintenance windows. One without an end lasts as long as it is in the list.
    Silences(Vec<Silence>),
    /// Somebody takes care of it.
    Ack {
        /// Names the request; the answer carries it, and a repeated one is ignored.
        id: String,
        /// Who and why.
        args: AckArgs,
    },
    /// Somebody does not want to be told of it.
    Silence {
        /// Names the request and the silence.
        id: String,
        /// What, who and why.
        args: SilenceArgs,
    },
    /// Somebody wants to be told again.
    Unsilence {
        /// Names the request.
        id: String,
        /// Which, and who.
        args: UnsilenceArgs,
    },
    /// Time has passed, or the policy has changed.
    Tick,
}

impl Event {
    /// A note has not arrived, or nobody knows.
    const fn is_failure(&self) -> bool {
        let Self::Delivered { outcome, .. } = self else { return matches!(self, Self::Interrupted) };
        matches!(outcome, Delivery::Retry { .. } | Delivery::Refused { .. })
    }

    /// Something that an incident may begin with; the rest are echoes of what it did, and orders to it.
    const fn is_news(&self) -> bool {
        matches!(
            self,
            Self::Member(_) | Self::Affected(_) | Self::Ack { .. } | Self::Silence { .. } | Self::Unsilence { .. }
        )
    }
}

/// What is to be done. The driver does it and decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Deliver a note, once; how it ended comes back as [`Event::Delivered`], whatever it is.
    Deliver {
        /// The channel.
        channel: String,
        /// What is told.
        note: Box<Note>,
        /// Which try it is, from 1. The note is the same in each.
        attempt: u32,
        /// The channel accepted it before, and forgets what it is not told again: no news.
        again: bool,
        /// What the channel said of itself when it accepted the note before.
        thread: String,
    },
    /// Tell the incident that is the cause of this one what is behind it ([`Event::Affected`]), whole. If that incident cannot be
    /// told, [`Event::Released`] comes back.
    TellCause {
        /// The fingerprint of the cause.
        cause: String,
        /// What to tell it.
        affected: Affected,
    },
    /// Tell these incidents that they are not held by this one any more ([`Event::Released`]).
    Release {
        /// Their fingerprints.
        incidents: Vec<String>,
        /// This one lasts, and nobody is told of it for now.
        is_muted: bool,
    },
    /// Write it down.
    Record(IncidentRecord),
    /// Answer a request.
    Answer(Answer),
    /// All is told, and nothing has come back for the dedupe window: the end.
    Close,
}

/// A look at everything: when, under which policy; and when to look again.
struct Clock<'p> {
    policy: &'p AlertPolicy,
    now: Time,
    wake: Option<Time>,
}

impl Clock<'_> {
    /// True if it is time; else it is time to look then.
    fn due(&mut self, at: Time) -> bool {
        if at <= self.now {
            return true;
        }
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
        false
    }
}

impl Incident {
    /// An incident without members. `seed` is the source of its jitter.
    pub const fn new(spec: IncidentSpec, seed: u64, now: Time) -> Self {
        Self {
            spec,
            born: now,
            seed,
            sequence: 0,
            members: BTreeMap::new(),
            refused_members: 0,
            affected: BTreeMap::new(),
            reaches: BTreeMap::new(),
            affected_joins: 0,
            told_causes: BTreeMap::new(),
            tell_again: None,
            cycles: BTreeSet::new(),
            silences: Vec::new(),
            own_silences: Vec::new(),
            ack: None,
            acks: 0,
            returns: 0,
            peace_since: None,
            stage: 0,
            stage_at: None,
            began: None,
            counted: false,
            over: Some(now),
            passed: None,
            calm: Some(now),
            worst: Severity::Info,
            lines: BTreeMap::new(),
            requests: Vec::new(),
            wake: None,
            closed: false,
            skills: Skills::ALL,
        }
    }

    /// Which incident it is.
    pub const fn spec(&self) -> &IncidentSpec {
        &self.spec
    }

    /// It as its notes name it: the fingerprint, and when it was made.
    pub fn id(&self) -> String {
        format!("{}-{:x}", self.spec.fingerprint, self.born.unix_millis())
    }

    /// True after [`Action::Close`]. News that come then begin the next incident of the same fingerprint, in the same place.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes in what happened and says what is to be done.
    pub fn step(&mut self, event: Event, policy: &AlertPolicy, now: Time) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.closed && event.is_news() {
            self.begin_anew(now);
        }
        match event {
            Event::Member(report) => self.hear(&report, policy, now),
            Event::Resolve(args) => self.resolve(&args, now, &mut actions),
            Event::Held { cause, member } => self.hold(&cause, member.as_deref()),
            Event::Released { cause, is_muted } => {
                self.release(&cause, is_muted && self.has(Skill::HeedsReachAndPeace), policy, now)
            }
            Event::Affected(affected) => self.affect(affected, policy, now),
            Event::Delivered { channel, note, outcome } => {
                self.delivered(&channel, &note, outcome, &Clock { policy, now, wake: None }, &mut actions);
            }
            Event::Interrupted => self.interrupted(now),
            Event::Silences(silences) => self.silences = mute::bounded(silences),
            Event::Ack { id, args } => self.acknowledge(id, &args, now, &mut actions),
            Event::Silence { id, args } => self.silence(id, args, now, &mut actions),
            Event::Unsilence { id, args } => self.unsilence(id, &args, &mut actions),
            Event::Tick => {}
        }
        self.settle(policy, now, &mut actions);
        actions
    }

    /// The next incident of the same fingerprint, under the same silences of the fleet.
    fn begin_anew(&mut self, now: Time) {
        let (silences, skills) = (std::mem::take(&mut self.silences), self.skills);
        *self = Self { silences, skills, ..Self::new(self.spec.clone(), self.seed.wrapping_add(1), now) };
    }

    /// When to send [`Event::Tick`], if nothing else happens before; after a step it is later than that step.
    pub const fn wake_at(&self) -> Option<Time> {
        self.wake
    }

    /// Looks at everything that is known, until that changes nothing more.
    fn settle(&mut self, policy: &AlertPolicy, now: Time, actions: &mut Vec<Action>) {
        for _ in 0..PASSES {
            let mut clock = Clock { policy, now, wake: None };
            let changed = self.pass(&mut clock, actions);
            self.wake = clock.wake;
            if !changed {
                return;
            }
        }
        self.wake = Some(now.after(Span::from_secs(1)));
    }

    fn pass(&mut self, clock: &mut Clock<'_>, actions: &mut Vec<Action>) -> bool {
        if self.closed {
            return false;
        }
        let mut changed = self.judge_members(clock);
        changed |= self.judge_passed(clock, actions);
        changed |= self.judge_episode(clock, actions);
        changed |= self.escalate(clock);
        self.tell_causes(clock, actions);
        changed |= self.settle_lines(clock, actions);
        changed |= self.end_episode(clock, actions);
        changed
    }

    /// The services that are members.
    fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.members.values().filter(|member| member.firing).filter_map(|member| member.service.as_ref())
    }
}

/// Characters kept of who asks and why.
const WORDS: usize = 200;

fn words(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect()
}

fn somebody(by: &str) -> String {
    if by.is_empty() { "somebody".to_owned() } else { words(by) }
}

/// A moment as people read it: no fractions of a second.
fn stamp(time: Time) -> String {
    let text = time.to_string();
    text.split_once('.').map_or_else(|| text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// A length of time as people read it: no fractions of a second above one.
fn rounded(span: Span) -> Span {
    let millis = span.as_millis();
    if millis < 1_000 { Span::from_millis(millis) } else { Span::from_secs(millis / 1_000) }
}

/// FNV-1a (Fowler, Noll, Vo), 64 bits: tells texts apart that were cut off.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
