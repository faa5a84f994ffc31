//! systemd and its bus go away and come back.

use super::{API, WF_API, api_runs};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Host, Launch, Sandbox, TemporalServer, in_sandbox, wait_until};

/// Supervises `api`, does something to systemd, and sees whether a death is still noticed. `loses`: whether that
/// something ends dixmgr's connection.
fn survives(host: &Host, loses: bool, rounds: usize, what: impl Fn(&Host)) {
    api_runs(host);
    let server = TemporalServer::start();
    let dixmgr = Launch::exec(host, API).start();
    let temporal = server.connect();
    temporal.wait_phase(WF_API, PhaseName::Healthy);
    for round in 1..=rounds {
        what(host);
        if loses {
            wait_until("the connection was lost and found", || {
                dixmgr.logged(&["lost the connection to systemd"]) >= round
                    && dixmgr.metric("dixmgr_systemd_connected", &[]) == Some(1.0)
            });
        }
        let before = host.kill("api");
        host.runs_anew("api", &before);
        temporal.wait_status(WF_API, "is healthy again", |status| {
            status.phase == PhaseName::Healthy && status.restarts.total == round as u64
        });
        dixmgr.wait_metric("dixmgr_service_health", "api", 1.0);
    }
}

#[test]
fn systemd_reads_its_files_anew() {
    in_sandbox(Sandbox::UserManager, |host| {
        survives(host, false, 2, |host| {
            host.systemctl(&["daemon-reload"]);
        });
    });
}

#[test]
fn systemd_executes_itself_anew() {
    in_sandbox(Sandbox::UserManager, |host| {
        survives(host, true, 3, |host| {
            host.systemctl(&["daemon-reexec"]);
        });
    });
}

#[test]
fn the_bus_is_killed() {
    in_sandbox(Sandbox::UserManager, |host| {
        survives(host, true, 1, |host| {
            // It comes back by itself: whoever connects to its socket starts it.
            host.kill("dbus.service");
        });
    });
}
