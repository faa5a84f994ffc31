//! dixmgr itself is killed: nothing is started twice, and nothing is forgotten.

use super::{API, SLEEP, WF_API, api_runs, counts_starts, set, starts, waits_for};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Dixmgr, Host, Launch, Sandbox, Temporal, TemporalServer, in_sandbox, wait_until};

/// Kills `api`, and dixmgr while systemd is at the start that dixmgr asked for. The answer: the run that begins, and
/// the newest revision that the workflow has heard of.
fn die_in_the_middle_of_a_restart(host: &Host, temporal: &Temporal, dixmgr: Dixmgr) -> (String, u64) {
    temporal.wait_phase(WF_API, PhaseName::Healthy);
    set("gate", false);
    host.kill("api");
    wait_until("the restart is under way", || host.state("api") == "activating/start-pre" && starts("starts") == 2);
    let status = temporal.wait_phase(WF_API, PhaseName::Restarting);
    dixmgr.kill();
    (host.invocation("api"), status.revision)
}

fn install_slow_api(host: &Host) {
    let service = [counts_starts("starts"), waits_for("ExecStartPre", "gate"), SLEEP.to_owned()].join("\n");
    set("gate", true);
    host.install([("api.service", service.as_str())]);
    host.start(&["api"]);
}

#[test]
fn a_restart_that_outlives_dixmgr_is_found_under_way() {
    in_sandbox(Sandbox::UserManager, |host| {
        install_slow_api(host);
        let server = TemporalServer::start();
        let launch = Launch::exec(host, API);
        let first = launch.start();
        let temporal = server.connect();
        let (run, revision) = die_in_the_middle_of_a_restart(host, &temporal, first);
        let _second = launch.start();
        let heard = temporal.wait_status(WF_API, "has heard of the new one", |status| status.revision > revision);
        assert!(matches!(heard.phase, PhaseName::Starting | PhaseName::Restarting), "{heard:?}");
        set("gate", true);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        assert_eq!(host.invocation("api"), run, "started once, and it is that run");
        assert_eq!(starts("starts"), 2);
    });
}

#[test]
fn a_restart_that_ends_while_dixmgr_is_dead_is_not_repeated() {
    in_sandbox(Sandbox::UserManager, |host| {
        install_slow_api(host);
        let server = TemporalServer::start();
        let launch = Launch::exec(host, API);
        let first = launch.start();
        let temporal = server.connect();
        let (run, _) = die_in_the_middle_of_a_restart(host, &temporal, first);
        set("gate", true);
        wait_until("api runs", || host.is_running("api"));
        let _second = launch.start();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        assert_eq!(host.invocation("api"), run);
        assert_eq!(starts("starts"), 2);
    });
}

#[test]
fn a_service_that_dies_while_dixmgr_is_dead_is_restarted() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let launch = Launch::exec(host, API);
        let first = launch.start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        first.kill();
        let before = host.kill("api");
        let second = launch.start();
        host.runs_anew("api", &before);
        temporal.wait_status(WF_API, "is healthy again", |status| {
            status.phase == PhaseName::Healthy && status.restarts.total == 1
        });
        second.wait_metric("dixmgr_service_restarts_total", "api", 1.0);
    });
}

#[test]
fn a_stop_of_dixmgr_in_the_middle_of_a_restart_loses_nothing() {
    in_sandbox(Sandbox::UserManager, |host| {
        install_slow_api(host);
        let server = TemporalServer::start();
        let launch = Launch::exec(host, API);
        let first = launch.start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        set("gate", false);
        host.kill("api");
        wait_until("the restart is under way", || starts("starts") == 2);
        let run = host.invocation("api");
        assert_eq!(first.terminate().code(), Some(0));
        assert_eq!(host.state("api"), "activating/start-pre", "systemd goes on with it");
        let _second = launch.start();
        set("gate", true);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        assert_eq!((host.invocation("api"), starts("starts")), (run, 2));
    });
}
