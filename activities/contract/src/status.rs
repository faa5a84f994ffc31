//! The answer of the query `status`, and the words for a service's phase.

use crate::{HostName, ServiceName, Span, Time, UnitName};
use serde::{Deserialize, Serialize};

macro_rules! phases {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        /// Where a service stands, in one word (search attribute `DixPhase`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum PhaseName { $($(#[$doc])* $variant,)+ }

        impl PhaseName {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

phases! {
    /// Nothing heard yet, or the unit does not exist on the host.
    Unknown = "unknown",
    /// Would be started, but a dependency is not ready.
    Waiting = "waiting",
    /// On its way up.
    Starting = "starting",
    /// Up.
    Healthy = "healthy",
    /// Up, but a probe is not content.
    Degraded = "degraded",
    /// Not up, and nothing is scheduled for now.
    Down = "down",
    /// Not up; a restart follows after a wait.
    BackingOff = "backing_off",
    /// A restart is under way.
    Restarting = "restarting",
    /// Not up, and the restart budget is spent.
    Exhausted = "exhausted",
    /// A person said hands off.
    Paused = "paused",
    /// Stopped on purpose.
    Stopped = "stopped",
}

impl PhaseName {
    /// True for a phase that lasts, and so is worth a write to the visibility store.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Waiting | Self::Healthy | Self::Degraded | Self::Exhausted | Self::Paused | Self::Stopped)
    }
}

impl std::fmt::Display for PhaseName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The restarts of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartCount {
    /// Within the budget's window at the last event: ours and systemd's own.
    pub in_window: u32,
    /// Ever, as far as this workflow remembers.
    pub total: u64,
    /// When the next is due, if one is planned.
    pub next_at: Option<Time>,
}

/// Why and when it failed last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    /// When it was noticed.
    pub at: Time,
    /// What happened, such as `signal 9`.
    pub reason: String,
    /// From failure to healthy again; absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_after: Option<Span>,
}

/// The answer of the query `status` of `ServiceWatchWorkflow`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// The service.
    pub name: ServiceName,
    /// Its unit.
    pub unit: UnitName,
    /// Its host; null until it has reported.
    pub host: Option<HostName>,
    /// Where it stands.
    pub phase: PhaseName,
    /// More about the phase, for people.
    #[serde(default)]
    pub detail: String,
    /// Since when.
    pub since: Time,
    /// Grows with each decision to act.
    pub generation: u64,
    /// The newest observation taken in.
    pub revision: u64,
    /// Its restarts.
    pub restarts: RestartCount,
    /// Its last failure.
    pub last_failure: Option<LastFailure>,
    /// Dependencies that are not ready.
    pub waiting_for: Vec<ServiceName>,
    /// All of its dependencies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<ServiceName>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// [`crate::LOGIC_VERSION`] of the code that runs it.
    pub logic_version: u32,
    /// Why the last signal that could not be read was ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_error: Option<String>,
}
