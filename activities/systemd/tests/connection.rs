//! Losing and finding systemd again, and units that come and go.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
use common::{Host, Sandbox, in_sandbox, line};
use dixmgr_contract::{FailureKind, LoadState, UnitName, Verb};
use dixmgr_systemd::{Connection, Control, FeedEvent, UnitControl};
use std::{
    process::{Command, Stdio},
    time::Duration,
};

const SLEEP: &str = "ExecStart=/bin/sleep 1000";

fn is_lost(event: &FeedEvent) -> bool {
    matches!(event, FeedEvent::Disconnected { .. })
}

/// The process with that command line, in the sandbox's own process namespace.
fn pid_of(command: &str) -> String {
    let output = Command::new("pgrep").args(["-o", "-f", &format!("^{command}")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args(["-s", signal, pid]).status().unwrap().success());
}

#[test]
fn the_bus_goes_away_and_comes_back() {
    in_sandbox(Sandbox::UserManager, "the_bus_goes_away_and_comes_back", |host| async move {
        host.write("a.service", SLEEP);
        host.reload();
        host.systemctl(&["start", "a"]);
        let (observer, mut told) = host.watch(&["a.service"]).await;
        let mut connection = observer.connection();
        assert_eq!(*connection.borrow(), Connection::Standing);
        // Not a kill: systemd may then connect to the socket of a bus that it has yet to start, and block for 90 s.
        host.systemctl(&["stop", "dbus.service"]); // over systemd's private socket, like all that follows
        told.until_event(is_lost).await;
        let opens = connection.wait_for(|stands| *stands != Connection::Standing);
        tokio::time::timeout(Duration::from_secs(10), opens).await.expect("the breaker opens").unwrap();
        host.systemctl(&["kill", "-s", "KILL", "a"]);
        host.systemctl(&["start", "dbus.service"]);
        told.until_event(|event| *event == FeedEvent::Synced).await;
        assert_eq!(*connection.borrow(), Connection::Standing);
        let a = UnitName::new("a.service").unwrap();
        told.reach("a.service", |state| line(state) == "failed/failed signal killed:9").await;
        Control::new(&observer).act(&a, Verb::Start, None, Duration::from_secs(5)).await.unwrap();
    });
}

#[test]
fn systemd_executes_itself_anew() {
    in_sandbox(Sandbox::UserManager, "systemd_executes_itself_anew", |host| async move {
        host.write("a.service", SLEEP);
        host.reload();
        host.systemctl(&["start", "a"]);
        let (_observer, mut told) = host.watch(&["a.service"]).await;
        for _ in 0..3 {
            host.systemctl(&["daemon-reexec"]);
            told.until_event(is_lost).await;
            told.until_event(|event| *event == FeedEvent::Synced).await;
            host.systemctl(&["kill", "-s", "KILL", "a"]);
            told.until("a.service", |state| line(state) == "failed/failed signal killed:9").await;
            host.systemctl(&["start", "a"]);
            told.until("a.service", |state| line(state) == "active/running success").await;
        }
    });
}

#[test]
fn systemd_dies_and_is_started_again() {
    in_sandbox(Sandbox::UserManager, "systemd_dies_and_is_started_again", |host| async move {
        host.write("a.service", SLEEP);
        host.reload();
        host.systemctl(&["start", "a"]);
        let (observer, mut told) = host.watch(&["a.service"]).await;
        kill("KILL", &pid_of("/lib/systemd/systemd --user"));
        told.until_event(is_lost).await;
        let a = UnitName::new("a.service").unwrap();
        let error = Control::new(&observer).act(&a, Verb::Stop, None, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::BusUnavailable);
        let mut systemd = Command::new("/lib/systemd/systemd");
        systemd.args(["--user", "--log-target=null"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut systemd = systemd.spawn().unwrap();
        told.until_event(|event| *event == FeedEvent::Synced).await;
        assert_eq!(told.last("a.service").load, LoadState::Loaded);
        host.systemctl(&["start", "a"]);
        told.until("a.service", |state| line(state) == "active/running success").await;
        systemd.kill().unwrap();
        systemd.wait().unwrap();
    });
}

#[test]
fn a_unit_that_is_installed_later_is_found() {
    in_sandbox(Sandbox::UserManager, "a_unit_that_is_installed_later_is_found", |host: Host| async move {
        let (_observer, mut told) = host.watch(&["late.service", "quick.service", "t@x-1.service"]).await;
        assert_eq!(told.last("late.service").load, LoadState::NotFound);
        host.write("late.service", SLEEP);
        host.write("t@.service", SLEEP);
        host.reload();
        told.until("late.service", |state| state.load == LoadState::Loaded).await;
        told.reach("t@x-1.service", |state| state.load == LoadState::Loaded).await;
        host.systemctl(&["start", "t@x-1"]);
        told.until("t@x-1.service", |state| line(state) == "active/running success").await;
        host.systemctl(&["mask", "--runtime", "--now", "t@x-1"]);
        told.until("t@x-1.service", |state| state.load == LoadState::Masked && !state.is_up()).await;
        // systemd reads a new file at a start, without a reload, and tells of no load state.
        host.write("quick.service", SLEEP);
        host.systemctl(&["start", "quick"]);
        told.until("quick.service", |state| state.load == LoadState::Loaded && state.is_up() && state.job.is_none())
            .await;
        std::fs::remove_file(host.unit_folder().join("late.service")).unwrap();
        host.reload();
        told.until("late.service", |state| state.load == LoadState::NotFound).await;
    });
}

#[test]
fn a_changed_type_is_read_at_a_reload() {
    in_sandbox(Sandbox::UserManager, "a_changed_type_is_read_at_a_reload", |host: Host| async move {
        host.write("a.service", SLEEP);
        host.reload();
        let (_observer, mut told) = host.watch(&["a.service"]).await;
        assert!(!told.last("a.service").oneshot);
        host.write("a.service", "Type=oneshot\nExecStart=/bin/true");
        host.reload();
        told.until("a.service", |state| state.oneshot).await;
    });
}

#[test]
fn an_alias_is_followed() {
    in_sandbox(Sandbox::UserManager, "an_alias_is_followed", |host: Host| async move {
        host.write("real.service", SLEEP);
        std::os::unix::fs::symlink("real.service", host.unit_folder().join("alias.service")).unwrap();
        host.reload();
        let (_observer, mut told) = host.watch(&["alias.service", "real.service"]).await;
        host.systemctl(&["start", "real"]);
        told.until("alias.service", |state| line(state) == "active/running success").await;
    });
}
