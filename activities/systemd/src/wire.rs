//! The D-Bus messages that we send, and the few facts of the bus that go with them.
//!
//! Sources: org.freedesktop.systemd1(5), the D-Bus specification (message bus messages), org.freedesktop.login1(5),
//! org.freedesktop.timedate1(5).

use dixmgr_contract::{UnitName, Verb};
use serde::Serialize;
use zbus::{
    Message,
    message::{Builder, Flags},
    zvariant::DynamicType,
};

pub(crate) const SYSTEMD: &str = "org.freedesktop.systemd1";
pub(crate) const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(crate) const UNIT: &str = "org.freedesktop.systemd1.Unit";
pub(crate) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
pub(crate) const BUS: &str = "org.freedesktop.DBus";
pub(crate) const LOGIND: &str = "org.freedesktop.login1";
pub(crate) const LOGIND_MANAGER: &str = "org.freedesktop.login1.Manager";
const TIMEDATED: &str = "org.freedesktop.timedate1";
/// Its start job *is* the shutdown, in every manager (systemd.special(7)).
pub(crate) const SHUTDOWN_TARGET: &str = "shutdown.target";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const LOGIND_PATH: &str = "/org/freedesktop/login1";
const JOB_PREFIX: &str = "/org/freedesktop/systemd1/job/";
const UNIT_PREFIX: &str = "/org/freedesktop/systemd1/unit/";

/// One rule for all units: a bus allows few rules per connection. Not `UnitNew` and `UnitRemoved`: asking about a unit
/// that is not loaded causes both.
pub(crate) const RULES: [&str; 6] = [
    "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',path_namespace='/org/freedesktop/systemd1/unit'",
    "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',member='JobNew'",
    "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'",
    "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',member='Reloading'",
    "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.freedesktop.systemd1'",
    "type='signal',sender='org.freedesktop.login1',interface='org.freedesktop.login1.Manager',member='PrepareForShutdown'",
];

type Built = zbus::Result<Message>;

fn call<B>(to: &str, path: &str, interface: &str, method: &str, body: &B) -> Built
where
    B: Serialize + DynamicType,
{
    let builder: Builder<'_> = Message::method_call(path, method)?;
    builder.destination(to)?.interface(interface)?.with_flags(Flags::NoAutoStart)?.build(body)
}

/// `AddMatch(rule)` of the bus.
pub(crate) fn add_match(rule: &str) -> Built {
    call(BUS, "/org/freedesktop/DBus", BUS, "AddMatch", &rule)
}

/// `GetNameOwner(systemd)` of the bus.
pub(crate) fn owner_of_systemd() -> Built {
    call(BUS, "/org/freedesktop/DBus", BUS, "GetNameOwner", &SYSTEMD)
}

/// `Subscribe()`: without it systemd sends no signals.
pub(crate) fn subscribe() -> Built {
    call(SYSTEMD, MANAGER_PATH, MANAGER, "Subscribe", &())
}

/// `ListUnitsByNames(names)`: also lists units that are not loaded or do not exist.
pub(crate) fn list(units: &[UnitName]) -> Built {
    let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
    call(SYSTEMD, MANAGER_PATH, MANAGER, "ListUnitsByNames", &names)
}

/// `GetAll` of the part that belongs to the unit's type; none for types whose part says nothing about a run.
///
/// Never `GetAll` of the `Unit` part: it makes systemd look up `UnitFileState` on disk, 1 to 2 ms for each unit.
pub(crate) fn type_part(unit: &UnitName) -> Option<Built> {
    Some(call(SYSTEMD, &unit_path(unit), PROPERTIES, "GetAll", &type_of(unit)?))
}

/// `Get(ControlGroup)`: where the unit's processes are; none for types that have none.
pub(crate) fn control_group(unit: &UnitName) -> Option<Built> {
    let interface = type_of(unit).filter(|interface| !interface.ends_with("Timer") && !interface.ends_with("Path"))?;
    Some(call(SYSTEMD, &unit_path(unit), PROPERTIES, "Get", &(interface, "ControlGroup")))
}

/// The interface of the unit's type.
fn type_of(unit: &UnitName) -> Option<&'static str> {
    Some(match unit.as_str().rsplit_once('.')?.1 {
        "service" => "org.freedesktop.systemd1.Service",
        "socket" => "org.freedesktop.systemd1.Socket",
        "mount" => "org.freedesktop.systemd1.Mount",
        "timer" => "org.freedesktop.systemd1.Timer",
        "path" => "org.freedesktop.systemd1.Path",
        _ => return None,
    })
}

/// `Get(InvocationID)`: what neither the list nor the type's part tells.
pub(crate) fn invocation(unit: &UnitName) -> Built {
    call(SYSTEMD, &unit_path(unit), PROPERTIES, "Get", &(UNIT, "InvocationID"))
}

/// The manager's state: `running`, `degraded`, `stopping` …
pub(crate) fn system_state() -> Built {
    call(SYSTEMD, MANAGER_PATH, PROPERTIES, "Get", &(MANAGER, "SystemState"))
}

/// True between `PrepareForShutdown(true)` and the end.
pub(crate) fn preparing_for_shutdown() -> Built {
    call(LOGIND, LOGIND_PATH, PROPERTIES, "Get", &(LOGIND_MANAGER, "PreparingForShutdown"))
}

/// `Get(NTPSynchronized)`: whether the kernel takes its clock for synchronised. timedated runs only while it is asked, so unlike
/// all the others it may be started for this.
pub(crate) fn clock_synchronized() -> Built {
    let builder: Builder<'_> = Message::method_call("/org/freedesktop/timedate1", "Get")?;
    builder.destination(TIMEDATED)?.interface(PROPERTIES)?.build(&(TIMEDATED, "NTPSynchronized"))
}

/// `ResetFailedUnit(name)`: a unit that hit its start limit starts again only after it.
pub(crate) fn reset_failed(unit: &UnitName) -> Built {
    call(SYSTEMD, MANAGER_PATH, MANAGER, "ResetFailedUnit", &unit.as_str())
}

/// `StartUnit`, `StopUnit` or `RestartUnit`, mode `replace` as `systemctl` has it.
pub(crate) fn queue_job(unit: &UnitName, verb: Verb) -> Built {
    let method = match verb {
        Verb::Start => "StartUnit",
        Verb::Stop => "StopUnit",
        Verb::Restart => "RestartUnit",
    };
    call(SYSTEMD, MANAGER_PATH, MANAGER, method, &(unit.as_str(), "replace"))
}

/// The object path of a unit: every byte but ASCII letters and digits becomes `_xx`, and so does a digit in front
/// (`bus_label_escape`, systemd 252).
pub(crate) fn unit_path(unit: &UnitName) -> String {
    path_of(unit.as_str())
}

/// The same for a name that systemd told us.
pub(crate) fn path_of(unit: &str) -> String {
    let mut path = String::with_capacity(UNIT_PREFIX.len() + unit.len() * 2);
    path.push_str(UNIT_PREFIX);
    for (position, byte) in unit.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (position > 0 && byte.is_ascii_digit()) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("_{byte:02x}"));
        }
    }
    path
}

/// The job's number from its object path.
pub(crate) fn job_id(path: &str) -> Option<u32> {
    path.strip_prefix(JOB_PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_escaped_as_systemd_does() {
        let path = |name: &str| unit_path(&UnitName::new(name).unwrap());
        assert_eq!(path("api.service"), "/org/freedesktop/systemd1/unit/api_2eservice");
        assert_eq!(path("0a-1_b@x.service"), "/org/freedesktop/systemd1/unit/_30a_2d1_5fb_40x_2eservice");
    }

    #[test]
    fn a_job_has_a_number() {
        assert_eq!(job_id("/org/freedesktop/systemd1/job/42"), Some(42));
        assert_eq!(job_id("/org/freedesktop/systemd1/job/-1"), None);
        assert_eq!(job_id("/"), None);
    }
}
