//! Facts about this machine.

use anyhow::Context;
use dixmgr_contract::HostName;

/// The machine's host name, unless another is given.
pub(crate) fn name(given: Option<HostName>) -> anyhow::Result<HostName> {
    if let Some(name) = given {
        return Ok(name);
    }
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    HostName::new(&name).with_context(|| format!("this machine calls itself {name:?}; give a name with -host"))
}

/// The machine's id (machine-id(5)); where there is none, that of the boot, which no other machine has either.
pub(crate) fn machine_id() -> String {
    let id = std::fs::read_to_string("/etc/machine-id").map(|id| id.trim().to_owned()).unwrap_or_default();
    if id.is_empty() { boot_id() } else { id }
}

/// The kernel's id of this boot; empty where there is none.
pub(crate) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// Names this start of dixmgr: no other one on this machine has the same boot, pid and start time.
pub(crate) fn epoch() -> String {
    let boot: String = boot_id().chars().take(8).collect();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Field 22 of proc(5), counted behind the command's closing bracket: the start time in clock ticks since boot.
    let started = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)).unwrap_or("0").to_owned();
    format!("{boot}-{}-{started}", std::process::id())
}
