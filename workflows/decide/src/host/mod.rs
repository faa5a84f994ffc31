//! The lease machine: who has the name of one host, and when nobody does any more.
//!
//! One endless activity, the lease, waits on a queue of the host or runs there and beats. The machine keeps exactly one of
//! them open, grants the name to one machine at a time, and tells a stop from a loss and a loss from an outage of the
//! server. It is level-triggered like the service machine: an event changes what is known, then [`HostLease::settle`]
//! looks at all of it. Leases are numbered, and whatever speaks of another number than the open one is from the past.
//!
//! The files: `claim` (who may have the name), `lease` (the open lease and its end), `settle` (the windows, the loss, the
//! marks), `owed` (what people have to hear of it), `status` (what people see).
//!
//! **A loss or an outage.** While the server is away no heartbeat reaches it, so when it returns all heartbeats time out at
//! once, and none of the hosts is lost. The server fires a time-out `lease_timeout` after the last beat that it *received*;
//! that beat carries the host's clock, and the signal at the lease's beginning gave the difference of the clocks. A
//! time-out that comes more than [`AWAY`] after `lease_timeout` therefore says that the server itself was away, and the
//! holder gets a long window to come back instead of a short one. The window's own alarm tells the same: if it rings more
//! than [`AWAY`] late, nobody could have been heard meanwhile, and the window begins again. An outage that ends within
//! the last moments of `lease_timeout` cannot be told from a loss; the short window has to be enough for it, so whoever
//! beats must try again at least once a second. Rejected: asking the server how long it has been up (it does not say), and
//! a long window for all (a real loss would be known half a minute late).

mod claim;
mod lease;
mod owed;
mod settle;
mod status;

use dixmgr_contract::host::{
    Claim, ClaimAnswer, Holder, HostPhase, HostReport, LEASE_TIMEOUT, Lease, LeaseBegan, LossMark, Refused,
};
use dixmgr_contract::{HostName, Span, Time};
use lease::Open;
use owed::Owed;
use serde::{Deserialize, Serialize};
use settle::Marking;

/// A time-out, or an alarm, that comes this much later than it should says that the server was away.
pub const AWAY: Span = Span::from_secs(3);
/// How long the holder may take to come back while the server is there.
pub const GRACE: Span = Span::from_millis(1_500);
/// How long at least it may take after an outage of the server.
pub const GRACE_AFTER_OUTAGE: Span = Span::from_secs(15);
/// A host that has been held this long after a loss is quiet.
pub const QUIET: Span = Span::from_secs(60);

/// Everything that is remembered of a host. Carried from run to run of its workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLease {
    host: HostName,
    /// The heartbeat time-out of the next lease.
    timeout: Span,
    phase: Phase,
    since: Time,
    /// The number of the last lease.
    lease: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<Open>,
    /// Who has the name, or had it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holder: Option<Holder>,
    /// Who may take the name that nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grant: Option<Grant>,
    /// Starts of dixmgr that a later one on the same machine has replaced, oldest first; they are dead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replaced: Vec<String>,
    /// The last answers to claims, by the claim's id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    answers: Vec<(String, ClaimAnswer)>,
    /// Leases in a row that ended as soon as they began.
    #[serde(default)]
    churn: u32,
    #[serde(default)]
    lost_count: u64,
    /// The services have been told of the loss, and it is not certain that they have been told better since.
    #[serde(default)]
    untold: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    marking: Option<Marking>,
    /// What people have to hear of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owed: Option<Owed>,
    /// Somebody said that it is gone for good, and it has not come back since.
    #[serde(default)]
    forgotten: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
    /// The machines of whose refusal people have been told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refusals_told: Vec<String>,
}

/// Where a host stands, with what it needs to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nobody has had the name. Anybody may take it.
    Unknown,
    /// The holder runs the open lease. Only the lease's end, or a claim of the same machine, ends it.
    Held {
        /// When the lease began.
        began: Time,
        /// The workflow's clock less the host's, in milliseconds.
        skew_ms: i64,
    },
    /// The holder does not run a lease and may take the open one; nobody else may.
    Vacant {
        /// When the host is lost.
        until: Time,
        /// The last sign of life.
        seen: Time,
        /// Why, if the host said it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// Stopped on purpose. Anybody may take the name.
    Stopped,
    /// Nobody came back. Anybody may take the name.
    Lost {
        /// The last sign of life.
        seen: Time,
    },
}

impl Phase {
    /// Its name on the wire.
    pub const fn name(&self) -> HostPhase {
        match self {
            Self::Unknown => HostPhase::Unknown,
            Self::Held { .. } => HostPhase::Held,
            Self::Vacant { .. } => HostPhase::Vacant,
            Self::Stopped => HostPhase::Stopped,
            Self::Lost { .. } => HostPhase::Lost,
        }
    }
}

/// Somebody may take a free name, and nobody else meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Grant {
    holder: Holder,
    until: Time,
}

/// What can happen to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A dixmgr that starts asks for the name.
    Claimed {
        /// The update's id; one that was answered gets the same answer.
        id: String,
        /// Who asks.
        claim: Claim,
    },
    /// The lease runs on a host.
    LeaseBegan(LeaseBegan),
    /// The lease does not run any more, or never did.
    LeaseEnded {
        /// Which.
        lease: u64,
        /// In which way.
        how: Ended,
    },
    /// The workflow's run that had scheduled the lease is over (continue-as-new), and the lease with it. The first event of
    /// each run that begins with a state. The holder notices with its next heartbeat and takes the new lease.
    NewRun,
    /// The services have been told of this loss.
    ServicesMarked {
        /// The loss's number.
        loss: u64,
    },
    /// The services have not, or not all, been told of this loss.
    MarkFailed {
        /// The loss's number.
        loss: u64,
    },
    /// Somebody has taken the report that was under way.
    Reported,
    /// Nobody has.
    ReportFailed,
    /// The host is gone for good.
    Forgotten,
    /// Time has passed.
    Tick,
}

/// How a lease ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// dixmgr stopped on purpose.
    HandedOver,
    /// The server missed the heartbeat.
    TimedOut {
        /// The host's clock in the last heartbeat that the server received, Unix milliseconds; `None` if there was none.
        last_beat_ms: Option<i64>,
    },
    /// The activity failed.
    Failed {
        /// With what words.
        message: String,
    },
    /// Somebody cancelled it.
    Cancelled,
}

/// What is to be done. The driver does it and decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Schedule the lease activity. It counts as open from now on, also while `delay` runs.
    Schedule {
        /// Its argument.
        lease: Lease,
        /// Wait this long before: not zero only after leases that ended as soon as they began.
        delay: Span,
    },
    /// Cancel this lease (cancellation type `TRY_CANCEL`: the machine does not wait for it), or its delay.
    CancelLease {
        /// Which.
        lease: u64,
    },
    /// Answer a claim.
    Answer {
        /// The claim's id.
        id: String,
        /// The answer.
        answer: ClaimAnswer,
    },
    /// Tell each service of the host that nobody sees it. The driver answers with [`Event::ServicesMarked`] or
    /// [`Event::MarkFailed`] in any case.
    MarkLost(LossMark),
    /// Tell people of a loss or its end, from whichever host is there. The driver answers with [`Event::Reported`] or
    /// [`Event::ReportFailed`] in any case; there is no other one before that.
    Tell(HostReport),
    /// Tell people of something else. Whether they hear it is not waited for.
    Report(HostReport),
    /// All is quiet: a good moment to start a new run. Only the lease may be open then.
    Checkpoint,
}

impl HostLease {
    /// A host of which nothing is known. Its first lease comes with its first step.
    pub fn new(host: HostName, now: Time) -> Self {
        Self {
            host,
            timeout: LEASE_TIMEOUT,
            phase: Phase::Unknown,
            since: now,
            lease: 0,
            open: None,
            holder: None,
            grant: None,
            replaced: Vec::new(),
            answers: Vec::new(),
            churn: 0,
            lost_count: 0,
            untold: false,
            marking: None,
            owed: None,
            forgotten: false,
            refused: None,
            refusals_told: Vec::new(),
        }
    }

    /// Takes in what happened and says what is to be done.
    pub fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Claimed { id, claim } => self.claim(id, claim, now, &mut actions),
            Event::LeaseBegan(began) => self.begin(began, now, &mut actions),
            Event::LeaseEnded { lease, how } => self.end(lease, how, now),
            Event::NewRun => self.new_run(now),
            Event::ServicesMarked { loss } => self.marked(loss, true, now),
            Event::MarkFailed { loss } => self.marked(loss, false, now),
            Event::Reported => self.told(true, now),
            Event::ReportFailed => self.told(false, now),
            Event::Forgotten => self.forget(now),
            Event::Tick => {}
        }
        self.settle(now, &mut actions);
        actions
    }

    /// Where it stands.
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    fn enter(&mut self, phase: Phase, now: Time) {
        if phase.name() != self.phase.name() {
            self.since = now;
        }
        self.phase = phase;
    }
}
