//! systemd over D-Bus: seeing units change within a millisecond, and acting on them.
//!
//! [`start`] opens one connection and gives back two things: an [`Observer`], which can look and never act, and a
//! [`UnitFeed`] of changes. Only [`Control`], made from an observer on purpose, can start and stop units; a dry run
//! gets an [`ObserveOnly`] instead and so holds nothing through which it could act.
//!
//! How a change travels: `session` reads the bus without ever waiting for anybody, `table` merges each message into the
//! state of its unit, `buffer` keeps the latest state per unit until the consumer asks. Every answer to a call of ours
//! comes through the same ordered stream as the signals, so "the job that we asked for" and "the signal that the job
//! caused" cannot overtake each other.
//!
//! Rejected: zbus' generated proxies. They add one match rule per object (the bus allows 512 per connection), cache
//! properties per proxy, and hand replies and signals to different tasks, which loses their order.

mod act;
mod answer;
mod buffer;
mod control;
mod error;
mod fake;
mod handshake;
mod link;
mod observe_only;
mod observer;
mod properties;
mod row;
mod session;
mod table;
mod wire;

use dixmgr_contract::{Guard, UnitName, UnitState, Verb};
use futures_util::future::BoxFuture;
use std::time::Duration;

pub use buffer::{FeedEvent, UnitChange, UnitFeed};
pub use control::Control;
pub use error::{ActError, ConnectError};
pub use fake::{Call, FakeSystemd};
pub use observe_only::ObserveOnly;
pub use observer::{Connection, Observer, start};

/// No look may take longer, and no connection may be silent for longer while something was asked.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// No step of an action may take longer: a systemd that forks hundreds of services answers late (the value is the
/// default of D-Bus' own libraries).
pub(crate) const ACT_TIMEOUT: Duration = Duration::from_secs(25);

/// Which systemd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusKind {
    /// The host's, PID 1, on the system bus.
    System,
    /// The user's own manager, on the session bus.
    Session,
}

impl std::fmt::Display for BusKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::System => "system",
            Self::Session => "session",
        })
    }
}

/// What to watch.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which systemd.
    pub bus: BusKind,
    /// The units. Everything else on the bus is ignored, and cannot be acted on.
    pub units: Vec<UnitName>,
    /// How often the states are compared with systemd's list, in case a signal was lost; at least 1 s.
    pub resync: Duration,
}

/// May look at a unit, and nothing else.
pub trait UnitReader: Send + Sync {
    /// Asks systemd for the unit's state as it is now.
    ///
    /// # Errors
    /// `BusUnavailable` when systemd cannot be asked, `Denied` when it does not answer us.
    fn look<'a>(&'a self, unit: &'a UnitName) -> BoxFuture<'a, Result<UnitState, ActError>>;

    /// Asks systemd where the unit's processes are: its `ControlGroup`, such as `/system.slice/api.service`. Empty while it does
    /// not run, and for units without processes.
    ///
    /// # Errors
    /// `BusUnavailable` when systemd cannot be asked.
    fn control_group<'a>(&'a self, unit: &'a UnitName) -> BoxFuture<'a, Result<String, ActError>>;
}

/// May start and stop units.
pub trait UnitControl: Send + Sync {
    /// Does `verb` to `unit` and waits until systemd says how it went, for at most `timeout`.
    ///
    /// With a `guard`, it is refused as `Stale` if the unit is another run than the one it was decided on.
    ///
    /// # Errors
    /// [`ActError`]; its kind says whether the unit was touched.
    fn act<'a>(
        &'a self,
        unit: &'a UnitName,
        verb: Verb,
        guard: Option<&'a Guard>,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<(), ActError>>;
}
