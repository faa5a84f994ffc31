//! The registry machine: which host has which services, and what is said to all of them.
//!
//! Each host tells its own slice of the plan and only that one. The machine collects the parts of a slice, swaps it for the
//! old one in one step, and names what is not planned any more. A service belongs to one host: who has it keeps it, whoever
//! else names it waits as a claimant and gets it when it is given up. What the fleet is told as a whole (pause, resume)
//! goes out in chunks and is answered when all of them have been.
//!
//! The files: `collect` (parts), `slices` (who has what), `apply` (a slice replaced), `rows` (services in few bytes),
//! `pause` (orders to all), `silences` (what nobody is told of), `maintenance` (and when it comes back), `status` (what people see).
//!
//! Rejected: a registry that starts the services' workflows. Each host starts its own with its first observation, so
//! supervision does not depend on the registry, and the registry may be late, or be lost and told anew.

mod apply;
mod collect;
mod maintenance;
mod pause;
mod rows;
mod silences;
mod slices;
mod status;

use crate::Answer;
use collect::Collection;
use dixmgr_contract::alert::Silence;
use dixmgr_contract::host::HostReport;
use dixmgr_contract::incident::{SilenceArgs, UnsilenceArgs};
use dixmgr_contract::plan::{FanOut, FannedOut, FleetPaused, PlanNote, PlanPart, Retire};
use dixmgr_contract::{CommandKind, HostName, Maintenance, RemoveMaintenance, Span, Time};
use pause::{Late, Order};
use serde::{Deserialize, Serialize};
use silences::Silences;
use slices::Slices;
use std::collections::BTreeMap;

pub use maintenance::{WINDOWS, objection as objection_to_maintenance};
pub use silences::{SILENCES, objection_to_silencing};

/// Hosts, at most.
pub const HOSTS: usize = 1_000;
/// Services in all slices together, at most.
pub const SERVICES: usize = 20_000;
/// Bytes of all slices and collections when they are stored, at most. The server takes 2 MB.
pub const STORED_BYTES: usize = 1_700_000;
/// A collection that has got no part for this long is given up.
pub const GIVE_UP: Span = Span::from_secs(3_600);
/// A registry that has been told nothing for this long is quiet.
pub const QUIET: Span = Span::from_secs(60);
/// Notes that are kept.
const NOTES: usize = 16;
/// Characters of a note.
const NOTE: usize = 300;

/// Everything that is remembered of the fleet. Carried from run to run of its workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fleet {
    slices: Slices,
    /// The slices of which some parts have come.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    collecting: BTreeMap<HostName, Collection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<FleetPaused>,
    /// Hosts with services that came while the fleet was paused.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    late: BTreeMap<HostName, Late>,
    /// What people do not want to be told of.
    #[serde(skip_serializing_if = "Silences::is_empty")]
    silences: Silences,
    /// When they do not want to, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    maintenance: BTreeMap<String, Maintenance>,
    /// Orders to many services that are under way, by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    orders: BTreeMap<String, Order>,
    /// Numbers the orders of our own.
    serial: u64,
    /// The last answers, by id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    answers: Vec<(String, Result<String, String>)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<PlanNote>,
    /// When something was told last, since the last checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    told_at: Option<Time>,
}

/// What can happen to the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A host tells a part of its slice.
    Part(Box<PlanPart>),
    /// A part came that cannot be read.
    Unreadable {
        /// What is wrong with it.
        message: String,
    },
    /// Every service is to be left alone.
    PauseAll {
        /// Names this request; one that was answered gets the same answer.
        id: String,
        /// Who asks.
        by: String,
        /// Why.
        reason: String,
    },
    /// Every service is to be supervised again.
    ResumeAll {
        /// Names this request.
        id: String,
        /// Who asks.
        by: String,
        /// Why.
        reason: String,
    },
    /// A host is gone for good.
    ForgetHost {
        /// Names this request.
        id: String,
        /// Which host.
        host: HostName,
    },
    /// Nobody is to be told of some things.
    Silence {
        /// Names this request, and the silence.
        id: String,
        /// What, who and why.
        args: SilenceArgs,
    },
    /// People are to be told again.
    Unsilence {
        /// Names this request.
        id: String,
        /// Which silence, and who.
        args: UnsilenceArgs,
    },
    /// Nobody is to be told of some things whenever it is that time.
    SetMaintenance {
        /// Names this request.
        id: String,
        /// The window; one of that name is replaced.
        set: Maintenance,
    },
    /// People are to be told again at that time.
    RemoveMaintenance {
        /// Names this request.
        id: String,
        /// Which window, and who.
        args: RemoveMaintenance,
    },
    /// What came of one chunk of an order.
    FannedOut {
        /// The order.
        id: String,
        /// The chunk of it.
        chunk: u32,
        /// How many services were reached.
        result: FannedOut,
    },
    /// Time has passed.
    Tick,
}

/// What is to be done. The driver does it and decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// End the watching of these services. Their units stay as they are.
    Retire(Retire),
    /// Send one command to many services. The driver answers with [`Event::FannedOut`] in any case; a chunk that could not
    /// be sent at all has failed for each of its services.
    FanOut(FanOut),
    /// Tell every open incident what is silenced, all of it, maintenance windows too.
    Spread(Vec<Silence>),
    /// Answer a request.
    Answer(Answer),
    /// Tell people.
    Report(HostReport),
    /// All is quiet: a good moment to start a new run.
    Checkpoint,
}

impl Fleet {
    /// Takes in what happened and says what is to be done.
    pub fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Part(part) => self.collect(*part, now, &mut actions),
            Event::Unreadable { message } => self.note(&format!("what a host told cannot be read: {message}"), now),
            Event::PauseAll { id, by, reason } => {
                self.command_all(CommandKind::Pause, id, FleetPaused { by, reason, since: now }, &mut actions);
            }
            Event::ResumeAll { id, by, reason } => {
                self.command_all(CommandKind::Resume, id, FleetPaused { by, reason, since: now }, &mut actions);
            }
            Event::ForgetHost { id, host } => self.forget(id, &host, now, &mut actions),
            Event::Silence { id, args } => self.silence(id, args, now, &mut actions),
            Event::Unsilence { id, args } => self.unsilence(id, &args, now, &mut actions),
            Event::SetMaintenance { id, set } => self.set_maintenance(id, set, now, &mut actions),
            Event::RemoveMaintenance { id, args } => self.remove_maintenance(id, &args, now, &mut actions),
            Event::FannedOut { id, chunk, result } => self.fanned_out(&id, chunk, result, now, &mut actions),
            Event::Tick => {}
        }
        self.settle(now, &mut actions);
        actions
    }

    /// When to send [`Event::Tick`], if nothing else happens before.
    pub fn wake_at(&self) -> Option<Time> {
        let give_up = self.collecting.values().map(|collection| collection.last.after(GIVE_UP)).min();
        [give_up, self.late_at(), self.silences_at(), self.quiet_at()].into_iter().flatten().min()
    }

    fn settle(&mut self, now: Time, actions: &mut Vec<Action>) {
        self.give_up(now);
        self.pause_late(now, actions);
        self.spread_again(now, actions);
        if self.quiet_at().is_some_and(|at| at <= now) {
            self.told_at = None;
            actions.push(Action::Checkpoint);
        }
    }

    fn quiet_at(&self) -> Option<Time> {
        self.told_at.filter(|_| self.orders.is_empty()).map(|at| at.after(QUIET))
    }

    /// Keeps something for people to see in the status. Said again, it is kept once.
    fn note(&mut self, text: &str, now: Time) {
        let text: String = text.chars().take(NOTE).collect();
        self.notes.retain(|note| note.text != text);
        self.notes.push(PlanNote { at: now, text });
        let surplus = self.notes.len().saturating_sub(NOTES);
        self.notes.drain(..surplus);
    }
}
