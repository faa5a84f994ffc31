//! What goes wrong between us and systemd, in sentences that say the way out.

use crate::BusKind;
use dixmgr_contract::{FailureKind, UnitName, Verb};

/// Why a unit was not looked at or not acted on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ActError {
    /// What kind of failure; decides whether and when it is tried again.
    pub kind: FailureKind,
    /// It in a sentence, with the way out.
    pub message: String,
}

impl ActError {
    /// An error of that kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn unavailable(what: impl std::fmt::Display) -> Self {
        Self::new(FailureKind::BusUnavailable, format!("systemd cannot be asked at the moment: {what}"))
    }
}

/// Why there is no connection to systemd.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The bus itself.
    #[error("cannot connect to the {bus} bus; is dbus running, and may this user use it?")]
    Bus {
        /// Which one.
        bus: BusKind,
        /// What zbus says.
        source: zbus::Error,
    },
    /// The bus is there, systemd is not on it.
    #[error("systemd is not on the {0} bus; {hint}", hint = no_systemd_hint(*.0))]
    NoSystemd(BusKind),
    /// systemd or the bus said no.
    #[error("{call} was refused on the {bus} bus ({name}): {text}")]
    Refused {
        /// Which bus.
        bus: BusKind,
        /// What we asked for.
        call: &'static str,
        /// The D-Bus name of the error.
        name: String,
        /// What it said.
        text: String,
    },
    /// No answer.
    #[error("no answer on the {0} bus within 5 s")]
    Silent(BusKind),
}

const fn no_systemd_hint(bus: BusKind) -> &'static str {
    match bus {
        BusKind::System => "was this host booted with systemd? `systemctl` tells",
        BusKind::Session => "start the user's manager (`systemctl --user status`), or set `[systemd] bus = \"system\"`",
    }
}

/// Turns a D-Bus error that answered a call about a unit into ours.
/// The names are those of systemd's `src/libsystemd/sd-bus/bus-common-errors.h` and of the D-Bus specification.
pub(crate) fn from_dbus(unit: &UnitName, verb: Option<Verb>, name: &str, text: &str) -> ActError {
    let doing = verb.map_or("look at", Verb::as_str);
    let short = name.strip_prefix("org.freedesktop.").unwrap_or(name);
    let (kind, message) = match short {
        "systemd1.NoSuchUnit" => (FailureKind::NoSuchUnit, no_such_unit(unit)),
        "systemd1.LoadFailed" | "systemd1.BadUnitSetting" => (FailureKind::NoSuchUnit, cannot_load(unit, text)),
        "systemd1.UnitMasked" => (FailureKind::Masked, masked(unit)),
        "systemd1.ShuttingDown" => (FailureKind::HostStopping, format!("cannot {doing} {unit}: {text}")),
        "systemd1.TransactionIsDestructive" | "systemd1.TransactionJobsConflicting" => {
            (FailureKind::ForeignJob, format!("cannot {doing} {unit} while another job needs the opposite: {text}"))
        }
        "DBus.Error.AccessDenied" | "DBus.Error.AuthFailed" | "DBus.Error.InteractiveAuthorizationRequired" => {
            (FailureKind::Denied, denied(unit, doing, text))
        }
        "DBus.Error.ServiceUnknown"
        | "DBus.Error.NameHasNoOwner"
        | "DBus.Error.NoReply"
        | "DBus.Error.Disconnected" => {
            return ActError::unavailable(text);
        }
        _ => (FailureKind::Unexpected, format!("systemd refused to {doing} {unit} ({name}): {text}")),
    };
    ActError { kind, message }
}

pub(crate) fn no_such_unit(unit: &UnitName) -> String {
    format!(
        "systemd has no unit {unit}; install its unit file and run `systemctl daemon-reload`, or correct its name in the configuration"
    )
}

pub(crate) fn cannot_load(unit: &UnitName, why: &str) -> String {
    format!(
        "systemd cannot load {unit} ({why}); `systemctl status {unit}` and `systemd-analyze verify {unit}` say where"
    )
}

pub(crate) fn masked(unit: &UnitName) -> String {
    format!("{unit} is masked; `systemctl unmask {unit}` makes it startable again")
}

fn denied(unit: &UnitName, doing: &str, text: &str) -> String {
    format!(
        "systemd does not let this user {doing} {unit} ({text}); install the package polkitd and put conf/polkit/50-dixmgr.rules into \
         /etc/polkit-1/rules.d (see README), or run dixmgr as root"
    )
}
