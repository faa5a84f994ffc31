//! Runs a test beside a real systemd: the test starts itself again inside a sandbox of its own.
//!
//! Nothing has to be set up by hand, and tests run side by side. Where a sandbox cannot be had (no root, no systemd),
//! the test fails when `CI` is `true` and says `SKIPPED` loudly elsewhere.
//!
//! Rejected: one systemd for all tests (they would see each other's jobs and reloads), and a wrapper script around
//! `cargo test` (the plain command must do).

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

mod host;

pub(crate) use host::{Host, Recorder, line, until};

use std::{
    future::Future,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// Which systemd the test gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sandbox {
    /// `systemd --user` and a session bus.
    UserManager,
    /// systemd as PID 1 and a system bus.
    SystemManager,
}

const INSIDE: &str = "DIXMGR_TEST_INSIDE";
/// Nothing here takes longer unless it hangs, not even a thousand units on a busy machine.
const TEST_TIMEOUT: Duration = Duration::from_secs(120);

/// Runs `body` inside a sandbox. `name` is the calling test's own name, so that it can be started again alone.
///
/// # Panics
/// If the body panics, or takes longer than two minutes.
pub(crate) fn in_sandbox<F: Future<Output = ()>>(sandbox: Sandbox, name: &str, body: impl FnOnce(Host) -> F) {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let outcome = runtime.block_on(async { tokio::time::timeout(TEST_TIMEOUT, body(Host::new(sandbox))).await });
        assert!(outcome.is_ok(), "{name} takes longer than {TEST_TIMEOUT:?}");
        return;
    }
    if let Some(missing) = missing() {
        let ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!ci, "{name} needs {missing}");
        // Past the test harness, which would swallow it.
        let mut stderr = std::io::stderr().lock();
        writeln!(stderr, "\n*** SKIPPED {name}: it needs {missing} ***").unwrap();
        return;
    }
    let output = Command::new(script(sandbox))
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "inside the sandbox ({}):\n{text}", output.status);
    assert!(text.contains("1 passed"), "the sandbox ran no test named {name}:\n{text}");
    print!("{text}");
}

fn script(sandbox: Sandbox) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sandbox");
    folder.join(match sandbox {
        Sandbox::UserManager => "user-manager.sh",
        Sandbox::SystemManager => "system-manager.sh",
    })
}

fn missing() -> Option<&'static str> {
    let found = |program: &str| {
        std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).exists()))
    };
    if std::fs::metadata("/proc/self").map(|meta| std::os::unix::fs::MetadataExt::uid(&meta)).ok() != Some(0) {
        return Some("root");
    }
    if !Path::new("/lib/systemd/systemd").exists() || !found("systemctl") {
        return Some("systemd (apt-get install systemd)");
    }
    if !found("dbus-daemon") {
        return Some("dbus-daemon (apt-get install dbus)");
    }
    if !found("unshare") || !found("setpriv") {
        return Some("unshare and setpriv (apt-get install util-linux)");
    }
    // A container may forbid namespaces to its root.
    let unshare = Command::new("unshare").args(["--mount", "--pid", "--fork", "--mount-proc", "true"]).output();
    (!unshare.is_ok_and(|output| output.status.success())).then_some("the right to make namespaces (CAP_SYS_ADMIN)")
}
