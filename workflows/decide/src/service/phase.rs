//! Where a service stands. Each variant carries what is needed to go on from it after any crash.

use dixmgr_contract::{FailureKind, PhaseName, Time, Verb};
use serde::{Deserialize, Serialize};

/// The phases of a service. The doc of each says what moves it on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Phase {
    /// Nothing heard yet, or the unit does not exist on its host. Any observation of a real unit moves it on.
    Unknown {
        /// The host has said that there is no such unit.
        #[serde(default)]
        absent: bool,
    },
    /// Would be started, or restarted since it runs and does not work, but a dependency is not ready. An observation with
    /// nothing to wait for moves it on.
    Waiting {
        /// Why it would be.
        cause: Cause,
    },
    /// On its way up for the first time. Up makes it healthy, dead is a failure.
    Starting {
        /// Who starts it.
        by: By,
    },
    /// Up. Dead is a failure; a rule that is not content makes it degraded.
    Healthy,
    /// Up, but a rule is not content.
    Degraded,
    /// Not up and nothing is under way; the reason says what is waited for.
    Down {
        /// The reason.
        why: Why,
    },
    /// Not up; restarted at `not_before`, unless it comes up by itself.
    BackingOff {
        /// No action before this.
        not_before: Time,
    },
    /// A restart is under way.
    Restarting {
        /// Who restarts it.
        by: By,
    },
    /// Not up and the budget is spent: one more restart at `until`, or none ever.
    Exhausted {
        /// When the window allows one more.
        until: Option<Time>,
    },
    /// A person said hands off. Only `resume` moves it on.
    Paused {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// Together with all services of the fleet.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        with_all: bool,
    },
    /// Stopped on purpose. Up again, a command, another run that died, or a reboot move it on.
    Stopped {
        /// Whose purpose.
        by: StoppedBy,
        /// The boot in which it was stopped.
        boot: String,
        /// The run that was stopped.
        run: Option<String>,
        /// Our own stop, while it is under way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<Attempt>,
    },
}

/// Who does something to the unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// We do.
    Us(Attempt),
    /// systemd by itself (`Restart=`), or a person.
    Others,
}

/// Why a service is to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It is inactive and its owner wants it up.
    BringUp,
    /// It failed.
    Failure,
}

/// Whose purpose it was to stop a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    /// A job in systemd that was not ours: `systemctl stop`.
    Job,
    /// Our command `stop`.
    Command,
    /// Ours, because a dependency was lost: it is started again when that is back.
    Dependency,
    /// Nobody's: it was never started, and its owner does not want it brought up.
    Nobody,
    /// The unit is masked.
    Mask,
}

/// What a service that is down waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Why {
    /// Its owner asked to wait a little before acting.
    Settling {
        /// Until then.
        until: Time,
    },
    /// Somebody else's job is on the unit.
    Held,
    /// Its process has ended and systemd tidies up after it.
    Ending,
    /// This run ended with an exit code after which it must not be restarted.
    Prevented {
        /// The run.
        run: Option<String>,
        /// The exit code.
        code: i32,
    },
    /// systemd cannot load the unit.
    Broken,
    /// The host has answered that it did not do it. A newer observation than `revision` makes us look again, and in any
    /// case the passing of `until`.
    Answered {
        /// Why, as data.
        kind: FailureKind,
        /// Why, in the host's words.
        #[serde(default)]
        message: String,
        /// What was known then.
        revision: u64,
        /// The last moment of patience.
        until: Time,
    },
    /// A dry run has said what it would do about this run.
    Observing {
        /// The run.
        run: Option<String>,
    },
}

/// A start that is to come: it outlives whatever stands in its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Why.
    pub cause: Cause,
    /// The end of the wait before it; drawn when the wait begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
}

impl Pending {
    /// For which no wait has begun.
    pub const fn new(cause: Cause) -> Self {
        Self { cause, not_before: None }
    }
}

/// Something asked of the host, until we see what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which one.
    pub generation: u64,
    /// What was asked.
    pub verb: Verb,
    /// The run it was decided on.
    pub run: Option<String>,
    /// The start of dixmgr that was asked: if another one reports, the attempt is lost.
    pub epoch: String,
    /// When.
    pub since: Time,
    /// Set when the host has answered that it is done: if nothing is seen of it by then, we look again. Before that
    /// the driver's promise holds that every order is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// The unit was down already: only the host's answer says that it is done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_rest: bool,
    /// The command it carries out, to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Phase {
    /// The phase in one word.
    pub const fn name(&self) -> PhaseName {
        match self {
            Self::Unknown { .. } => PhaseName::Unknown,
            Self::Waiting { .. } => PhaseName::Waiting,
            Self::Starting { .. } => PhaseName::Starting,
            Self::Healthy => PhaseName::Healthy,
            Self::Degraded => PhaseName::Degraded,
            Self::Down { .. } => PhaseName::Down,
            Self::BackingOff { .. } => PhaseName::BackingOff,
            Self::Restarting { .. } => PhaseName::Restarting,
            Self::Exhausted { .. } => PhaseName::Exhausted,
            Self::Paused { .. } => PhaseName::Paused,
            Self::Stopped { .. } => PhaseName::Stopped,
        }
    }

    /// What we have asked of the host, while it is open.
    pub const fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Starting { by: By::Us(attempt) }
            | Self::Restarting { by: By::Us(attempt) }
            | Self::Stopped { attempt: Some(attempt), .. } => Some(attempt),
            _ => None,
        }
    }

    /// Up, or on its way there.
    pub const fn is_upward(&self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded | Self::Starting { .. } | Self::Restarting { .. })
    }

    /// When time alone moves it on.
    pub const fn deadline(&self) -> Option<Time> {
        match self {
            Self::BackingOff { not_before } => Some(*not_before),
            Self::Exhausted { until } => *until,
            Self::Down { why: Why::Settling { until } | Why::Answered { until, .. } } => Some(*until),
            _ => match self.attempt() {
                Some(attempt) => attempt.deadline,
                None => None,
            },
        }
    }
}
