//! The system bus, with systemd as PID 1: what differs from a user's manager.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
use common::{Sandbox, in_sandbox, line};
use dixmgr_contract::{FailureKind, UnitName, Verb};
use dixmgr_systemd::{BusKind, Control, FeedEvent, Options, UnitControl, start};
use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn a_service_of_the_host_is_killed_and_started_again() {
    in_sandbox(Sandbox::SystemManager, "a_service_of_the_host_is_killed_and_started_again", |host| async move {
        host.write("a.service", "ExecStart=/bin/sleep 1000");
        host.reload();
        let (observer, mut told) = host.watch(&["a.service", "none.service"]).await;
        let (control, a) = (Control::new(&observer), UnitName::new("a.service").unwrap());
        control.act(&a, Verb::Start, None, TIMEOUT).await.unwrap();
        told.until("a.service", |state| line(state) == "active/running success").await;
        host.systemctl(&["kill", "-s", "KILL", "a"]);
        told.until("a.service", |state| line(state) == "failed/failed signal killed:9").await;
        control.act(&a, Verb::Start, None, TIMEOUT).await.unwrap();
        told.until("a.service", |state| line(state) == "active/running success").await;
        host.systemctl(&["stop", "a"]);
        told.until("a.service", |state| line(state) == "inactive/dead success killed:15 stopped").await;
        host.systemctl(&["daemon-reexec"]);
        told.until_event(|event| matches!(event, FeedEvent::Disconnected { .. })).await;
        told.until_event(|event| *event == FeedEvent::Synced).await;
        control.act(&a, Verb::Start, None, TIMEOUT).await.unwrap();
    });
}

#[test]
fn whether_the_clock_is_synchronized_is_what_timedated_says() {
    in_sandbox(Sandbox::SystemManager, "whether_the_clock_is_synchronized_is_what_timedated_says", |host| async move {
        let (observer, _told) = host.watch(&["a.service"]).await;
        let said = observer.clock_synchronized().await;
        let shown =
            Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output().unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).trim().to_owned();
        assert_eq!(said, Some(shown == "yes"), "timedatectl says {shown}");
    });
}

#[test]
fn nobody_on_a_users_bus_knows_of_the_clock() {
    in_sandbox(Sandbox::UserManager, "nobody_on_a_users_bus_knows_of_the_clock", |host| async move {
        let (observer, _told) = host.watch(&["a.service"]).await;
        assert_eq!(observer.clock_synchronized().await, None);
    });
}

const AS_NOBODY: &str = "DIXMGR_TEST_AS_NOBODY";

#[test]
fn a_user_without_the_right_is_told_what_to_install() {
    in_sandbox(Sandbox::SystemManager, "a_user_without_the_right_is_told_what_to_install", |host| async move {
        if std::env::var_os(AS_NOBODY).is_some() {
            let a = UnitName::new("a.service").unwrap();
            let options = Options { bus: BusKind::System, units: vec![a.clone()], resync: TIMEOUT };
            let (observer, _feed) = start(options).await.unwrap();
            let error = Control::new(&observer).act(&a, Verb::Start, None, TIMEOUT).await.unwrap_err();
            assert_eq!(error.kind, FailureKind::Denied, "{error}");
            assert!(error.message.contains("50-dixmgr.rules"), "{error}");
            return;
        }
        host.write("a.service", "ExecStart=/bin/sleep 1000");
        host.reload();
        // The build folder may be closed to others.
        std::fs::copy(std::env::current_exe().unwrap(), "/run/as-nobody").unwrap();
        let mut again = Command::new("setpriv");
        again.args(["--reuid=65534", "--regid=65534", "--clear-groups", "/run/as-nobody"]);
        again.args(["a_user_without_the_right_is_told_what_to_install", "--exact", "--nocapture"]);
        let output = again.current_dir("/").env(AS_NOBODY, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
}

/// As much of logind as matters.
struct Logind(Arc<AtomicBool>);

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    #[zbus(property(emits_changed_signal = "false"))]
    fn preparing_for_shutdown(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn a_shutdown_announced_by_logind_is_respected() {
    in_sandbox(Sandbox::SystemManager, "a_shutdown_announced_by_logind_is_respected", |host| async move {
        host.write("a.service", "ExecStart=/bin/sleep 1000");
        host.reload();
        let (observer, mut told) = host.watch(&["a.service"]).await;
        let preparing = Arc::new(AtomicBool::new(false));
        let path = "/org/freedesktop/login1";
        let builder = zbus::connection::Builder::system().unwrap().name("org.freedesktop.login1").unwrap();
        let logind = builder.serve_at(path, Logind(Arc::clone(&preparing))).unwrap().build().await.unwrap();
        let (control, a) = (Control::new(&observer), UnitName::new("a.service").unwrap());
        for (begins, expected) in [(true, Some(FailureKind::HostStopping)), (false, None)] {
            preparing.store(begins, Ordering::Relaxed);
            let interface = "org.freedesktop.login1.Manager";
            logind.emit_signal(None::<()>, path, interface, "PrepareForShutdown", &begins).await.unwrap();
            told.until_event(|event| *event == FeedEvent::Stopping(begins)).await;
            let outcome = control.act(&a, Verb::Start, None, TIMEOUT).await;
            assert_eq!(outcome.err().map(|error| error.kind), expected);
        }
    });
}
