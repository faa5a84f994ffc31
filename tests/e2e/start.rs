//! How dixmgr starts and ends: exit codes, what it says, and what it tells the service manager.

use super::{API, WF_API, api_runs, file};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Launch, NAMESPACE, Sandbox, TemporalServer, in_sandbox, wait_until};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::Output;

/// It must end with this exit code and say all of this on the standard error stream.
#[track_caller]
fn ends(output: &Output, code: i32, parts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

#[test]
fn a_second_dixmgr_is_kept_out_of_the_state_folder() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let _server = TemporalServer::start();
        let launch = Launch::exec(host, API);
        let first = launch.start();
        let second = launch.run();
        ends(&second, 73, &[&format!("pid {}", first.pid()), "-state-dir"]);
        first.kill();
        // A lock dies with its owner.
        let third = launch.start();
        assert_eq!(third.terminate().code(), Some(0));
    });
}

#[test]
fn a_port_that_is_taken_is_named() {
    in_sandbox(Sandbox::UserManager, |host| {
        let taken = TcpListener::bind("127.0.0.1:9876").unwrap();
        let launch = Launch::exec(host, API).argument("-metrics-port").argument("9876");
        ends(&launch.run(), 73, &["127.0.0.1:9876", "-metrics-port"]);
        drop(taken);
    });
}

#[test]
fn a_missing_namespace_is_refused_or_made() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start_with(&[]);
        let refused = Launch::exec(host, API).run();
        ends(&refused, 69, &[NAMESPACE, "temporal operator namespace create", "-create-namespace"]);
        let _dixmgr = Launch::exec(host, API).argument("-create-namespace").start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let before = host.kill("api");
        host.runs_anew("api", &before);
    });
}

#[test]
fn without_a_bus_it_does_not_start() {
    in_sandbox(Sandbox::UserManager, |host| {
        let nowhere = "unix:path=/nonexistent/bus";
        let refused = Launch::exec(host, API).env("DBUS_SESSION_BUS_ADDRESS", nowhere).run();
        ends(&refused, 69, &["session"]);
    });
}

#[test]
fn sigterm_ends_it_well_and_leaves_the_workflows_open() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let launch = Launch::exec(host, API);
        let first = launch.start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        assert_eq!(first.terminate().code(), Some(0));
        assert!(host.is_running("api"));
        let events = temporal.history(WF_API).len();
        assert_eq!(events, 5, "a service that is well is started, told of and looked at, and its phase comes with it");
        wait_until("its phase is found", || {
            let found = temporal.cli(&["workflow", "list", "--query", "DixPhase = 'healthy'", "--limit", "9"]);
            found.contains(WF_API)
        });
        let second = launch.start();
        second.wait_logged(&["connected to Temporal"]);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let runs = temporal.workflows();
        assert!(runs.len() == 1 && runs[0].is_running, "{runs:?}");
        assert_eq!(temporal.history(WF_API).len(), events, "what is known is not told again");
        let before = host.kill("api");
        host.runs_anew("api", &before);
    });
}

#[test]
fn sigterm_ends_it_well_without_temporal_too() {
    in_sandbox(Sandbox::UserManager, |host| {
        let dixmgr = Launch::exec(host, API).start();
        dixmgr.wait_logged(&["Temporal cannot be reached"]);
        assert_eq!(dixmgr.terminate().code(), Some(0));
    });
}

#[test]
fn the_service_manager_hears_of_readiness_watchdog_and_end() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let _server = TemporalServer::start();
        let socket = UnixDatagram::bind(file("notify")).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let hear = |word: &str| {
            let mut buffer = [0; 1024];
            loop {
                let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("no {word}: {error}"));
                if String::from_utf8_lossy(&buffer[..length]).lines().any(|line| line == word) {
                    return;
                }
            }
        };
        let path = file("notify").display().to_string();
        let dixmgr = Launch::exec(host, API).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000").spawn();
        hear("READY=1");
        hear("WATCHDOG=1");
        hear("WATCHDOG=1");
        // Whoever waited for READY can look at it.
        assert_eq!(dixmgr.get("/ready").map(|(status, _)| status), Some(200));
        let end = std::thread::spawn(move || dixmgr.terminate().code());
        hear("STOPPING=1");
        assert_eq!(end.join().unwrap(), Some(0));
    });
}

#[test]
fn metrics_can_be_switched_off() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, API).argument("-metrics=false").spawn();
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
        assert_eq!(dixmgr.logged(&["metrics on"]), 0);
        dixmgr_tests::wait_until("it is announced", || dixmgr.running().is_some());
        assert!(dixmgr.running().unwrap()["admin"].is_null());
    });
}

#[test]
fn who_may_not_act_is_told_what_to_install() {
    in_sandbox(Sandbox::SystemManager, |host| {
        host.install([("api.service", super::SLEEP)]);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, API).as_nobody().start();
        dixmgr.wait_logged(&["WARN", "service=api", "50-dixmgr.rules"]);
        let temporal = server.connect();
        temporal.wait_status(WF_API, "knows why", |status| {
            status.last_failure.as_ref().is_some_and(|failure| failure.reason.contains("50-dixmgr.rules"))
        });
        assert!(!host.is_running("api"));
        dixmgr.wait_metric("dixmgr_service_health", "api", 0.0);
    });
}

#[test]
fn the_admin_server_tells_what_is_seen() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let _server = TemporalServer::start();
        let dixmgr = Launch::exec(host, API).start();
        assert_eq!(dixmgr.get("/live").map(|(status, _)| status), Some(200));
        assert_eq!(dixmgr.get("/nonsense").map(|(status, _)| status), Some(404));
        let seen = || {
            let (_, text) = dixmgr.get("/api/v1/services")?;
            serde_json::from_str::<Vec<serde_json::Value>>(&text).ok()?.pop()
        };
        dixmgr_tests::wait_until("Temporal has accepted it", || seen().is_some_and(|api| api["accepted"] == true));
        let api = seen().unwrap();
        assert_eq!((&api["name"], &api["workflow_id"]), (&"api".into(), &WF_API.into()));
        assert_eq!(api["state"]["active"], "active");
    });
}
