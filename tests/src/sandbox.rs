//! Runs a test beside a real systemd: the test starts itself again inside a sandbox of its own.
//!
//! Where a sandbox cannot be had (no root, no systemd), the test fails when `CI` is `true` and says `SKIPPED` loudly
//! elsewhere. The sandbox has its own network, of which only the loopback is switched on: every test can use the usual
//! ports, and nothing gets out.

use crate::Host;
use rustix::net::{AddressFamily, SendFlags, SocketType, netlink, sendto, socket};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Which systemd the test gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// `systemd --user` and a session bus.
    UserManager,
    /// systemd as PID 1 and a system bus.
    SystemManager,
}

/// Where a test keeps its files: the sandbox's own, gone with it.
pub const FOLDER: &str = "/run/dixmgr-test";
const INSIDE: &str = "DIXMGR_TEST_INSIDE";
/// Nothing here takes longer, in seconds, unless it hangs.
const TEST_TIMEOUT: &str = "240";

/// Runs `body`, a closure in a `#[test]` function, inside a sandbox.
///
/// # Panics
/// If the body does.
pub fn in_sandbox<F: FnOnce(&Host)>(sandbox: Sandbox, body: F) {
    in_sandbox_with(sandbox, None, body);
}

/// The same for a test that needs something of the kernel besides: what of it is `lacking`, if anything. Nobody can install that, so
/// such a test says that it is skipped, also where nothing else may be.
///
/// # Panics
/// If the body does.
pub fn in_sandbox_with<F: FnOnce(&Host)>(sandbox: Sandbox, lacking: Option<&str>, body: F) {
    let name = test_name::<F>();
    if std::env::var_os(INSIDE).is_some() {
        switch_loopback_on();
        std::fs::create_dir_all(FOLDER).unwrap();
        return body(&Host::new(sandbox));
    }
    let missing = missing();
    if let Some(missing) = &missing {
        let ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!ci, "{name} needs {missing}");
    }
    if let Some(needed) = missing.or(lacking) {
        // Past the test harness, which would swallow it.
        let _ = writeln!(std::io::stderr(), "\n*** SKIPPED {name}: it needs {needed} ***");
        return;
    }
    let test = std::env::current_exe().unwrap();
    let output = Command::new("timeout")
        .args([TEST_TIMEOUT, "unshare", "--net"])
        .arg(script(sandbox))
        .arg(&test)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .env("SANDBOX_BIND", bound(&test))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "inside the sandbox ({}):\n{text}", output.status);
    assert!(text.contains("1 passed"), "the sandbox ran no test named {name}:\n{text}");
    print!("{text}");
}

/// `restart::killed` for a closure in the test `killed` of the module `restart`.
fn test_name<F>() -> &'static str {
    let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
    name.split_once("::").map_or(name, |(_, name)| name)
}

pub(crate) fn script(sandbox: Sandbox) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sandbox");
    folder.join(match sandbox {
        Sandbox::UserManager => "user-manager.sh",
        Sandbox::SystemManager => "system-manager.sh",
    })
}

/// Folders that must be the real ones inside: that of `dixmgr`, and that of `temporal`.
fn bound(test: &Path) -> String {
    let temporal = on_path("temporal").and_then(|file| file.parent().map(Path::to_owned)).unwrap_or_default();
    format!("{}:{}", test.parent().and_then(Path::parent).unwrap_or(test).display(), temporal.display())
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn missing() -> Option<&'static str> {
    if std::fs::metadata("/proc/self").map(|meta| meta.uid()).ok() != Some(0) {
        return Some("root");
    }
    let packages = [
        ("systemctl", "systemd (apt-get install systemd)"),
        ("dbus-daemon", "dbus-daemon (apt-get install dbus)"),
        ("unshare", "unshare (apt-get install util-linux)"),
        ("setpriv", "setpriv (apt-get install util-linux)"),
        ("temporal", "temporal (go install github.com/temporalio/cli/cmd/temporal@v1.5.1)"),
    ];
    if let Some((_, missing)) = packages.iter().find(|(program, _)| on_path(program).is_none()) {
        return Some(missing);
    }
    // A container may forbid namespaces to its root.
    let unshare =
        Command::new("unshare").args(["--net", "--mount", "--pid", "--fork", "--mount-proc", "true"]).output();
    (!unshare.is_ok_and(|output| output.status.success())).then_some("the right to make namespaces (CAP_SYS_ADMIN)")
}

/// `ip link set lo up` in one message of rtnetlink(7).
fn switch_loopback_on() {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST: u16 = 1;
    const IFF_UP: u32 = 1;
    let mut message = Vec::new();
    message.extend(32_u32.to_ne_bytes());
    message.extend([RTM_NEWLINK.to_ne_bytes(), NLM_F_REQUEST.to_ne_bytes()].concat());
    message.extend([0; 8]); // sequence number, port
    message.extend([0; 4]); // family, type
    message.extend([1, IFF_UP, IFF_UP].map(u32::to_ne_bytes).concat()); // index, flags, which flags to change
    // No protocol is NETLINK_ROUTE.
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None).unwrap();
    sendto(&netlink, &message, SendFlags::empty(), &netlink::SocketAddrNetlink::new(0, 0)).unwrap();
}
