//! Why an action on a host did not happen, as data that survives the trip through Temporal.
//!
//! An activity fails with `ApplicationFailure` whose *type* is [`FailureKind::as_str`]; the workflow reads it back and
//! the machine decides by it. This is the one table that says what may be tried again.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        /// The ways in which acting on a unit can fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FailureKind { $($(#[$doc])* $variant,)+ }

        impl FailureKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The failure's type on the wire, and the metrics label `error_type`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The kind with that name on the wire.
            pub fn from_wire(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

kinds! {
    /// The world moved on since the decision: another generation or another run of the unit.
    Stale = "Stale",
    /// The unit is not in the host's own configuration.
    NotAllowed = "NotAllowed",
    /// A job of somebody else's is on the unit.
    ForeignJob = "ForeignJob",
    /// systemd or the machine is shutting down.
    HostStopping = "HostStopping",
    /// dixmgr runs with `-watch`: it says what it would do and does nothing.
    ObserveOnly = "ObserveOnly",
    /// systemd has no such unit.
    NoSuchUnit = "NoSuchUnit",
    /// The unit is masked.
    Masked = "Masked",
    /// Polkit or the bus refused us.
    Denied = "Denied",
    /// systemd did the job and it failed.
    JobFailed = "JobFailed",
    /// systemd did not finish the job in time.
    JobTimeout = "JobTimeout",
    /// Somebody cancelled or replaced the job.
    JobCanceled = "JobCanceled",
    /// The bus or systemd is not there at the moment.
    BusUnavailable = "BusUnavailable",
    /// No dixmgr of the host took the task in time.
    HostSilent = "HostSilent",
    /// The endpoint has not answered several times in a row, and is left alone for a while. Temporal may try again by itself
    /// then, as it may where nothing was learnt of what was asked ([`Self::Unexpected`]).
    CircuitOpen = "CircuitOpen",
    /// The arguments cannot be read.
    BadInput = "BadInput",
    /// Anything else; the message says what.
    Unexpected = "Unexpected",
}

impl FailureKind {
    /// True if an attempt that ended so has not touched the unit, and so does not count against the restart budget.
    pub const fn is_free(self) -> bool {
        match self {
            Self::Stale
            | Self::NotAllowed
            | Self::ForeignJob
            | Self::HostStopping
            | Self::ObserveOnly
            | Self::NoSuchUnit
            | Self::Masked
            | Self::HostSilent
            | Self::CircuitOpen
            | Self::BadInput => true,
            Self::Denied
            | Self::JobFailed
            | Self::JobTimeout
            | Self::JobCanceled
            | Self::BusUnavailable
            | Self::Unexpected => false,
        }
    }
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_wire() {
        for kind in FailureKind::ALL {
            assert_eq!(FailureKind::from_wire(kind.as_str()), Some(*kind));
        }
        assert_eq!(FailureKind::from_wire("TimeoutError"), None);
    }
}
