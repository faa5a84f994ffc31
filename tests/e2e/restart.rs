//! A service dies and runs again.

use super::{API, SLEEP, WF_API, api_runs, set};
use dixmgr_contract::PhaseName;
use dixmgr_contract::activity::START_SYSTEMD_SERVICE;
use dixmgr_tests::{FOLDER, Host, Launch, Sandbox, TemporalServer, in_sandbox, wait_until};

fn a_killed_service_runs_again(host: &Host) {
    api_runs(host);
    let server = TemporalServer::start();
    let dixmgr = Launch::exec(host, API).start();
    let temporal = server.connect();
    temporal.wait_phase(WF_API, PhaseName::Healthy);
    let before = host.kill("api");
    host.runs_anew("api", &before);
    let status = temporal.wait_status(WF_API, "is healthy again", |status| {
        status.phase == PhaseName::Healthy && status.restarts.total == 1
    });
    assert!(status.last_failure.is_some_and(|failure| failure.recovered_after.is_some()));
    assert_eq!(temporal.scheduled(WF_API, START_SYSTEMD_SERVICE), 1);
    dixmgr.wait_metric("dixmgr_service_restarts_total", "api", 1.0);
    dixmgr.wait_metric("dixmgr_service_health", "api", 1.0);
    let started = [("activity", "StartSystemdService"), ("status", "success")];
    assert_eq!(dixmgr.metric("dixmgr_activity_executions_total", &started), Some(1.0));
}

#[test]
fn a_killed_service_runs_again_through_its_workflow() {
    in_sandbox(Sandbox::UserManager, |host| {
        a_killed_service_runs_again(host);
    });
}

#[test]
fn a_killed_service_of_the_system_runs_again() {
    in_sandbox(Sandbox::SystemManager, |host| {
        a_killed_service_runs_again(host);
    });
}

#[test]
fn a_process_that_ends_by_itself_is_a_failure_even_when_it_ends_well() {
    in_sandbox(Sandbox::UserManager, |host| {
        let until = format!("ExecStart=/bin/sh -c 'until [ -e {FOLDER}/end ]; do sleep 0.02; done; rm {FOLDER}/end'");
        host.install([("api.service", until.as_str())]);
        host.start(&["api"]);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, API).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let before = host.invocation("api");
        set("end", true);
        host.runs_anew("api", &before);
        temporal.wait_status(WF_API, "was restarted", |status| {
            status.phase == PhaseName::Healthy && status.restarts.total == 1
        });
    });
}

#[test]
fn a_service_that_is_not_to_be_started_is_restarted_all_the_same() {
    in_sandbox(Sandbox::UserManager, |host| {
        host.install([("api.service", SLEEP)]);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, &format!("{API}\nstart = false")).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Stopped);
        assert!(!host.is_running("api"));
        host.start(&["api"]);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let before = host.kill("api");
        host.runs_anew("api", &before);
    });
}

#[test]
fn a_changed_configuration_holds_from_the_next_start_on() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let first = Launch::exec(host, API).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        assert_eq!(first.terminate().code(), Some(0));
        let _second = Launch::exec(host, &format!("{API}\nrestart.max = 0")).start();
        host.kill("api");
        temporal.wait_phase(WF_API, PhaseName::Exhausted);
        assert!(!host.is_running("api"));
        assert_eq!(temporal.scheduled(WF_API, START_SYSTEMD_SERVICE), 0);
    });
}

#[test]
fn a_hundred_that_die_at_once_all_run_again() {
    in_sandbox(Sandbox::UserManager, |host| {
        host.install([("node@.service", SLEEP)]);
        let units: Vec<_> = (0..100).map(|index| format!("node@{index}.service")).collect();
        let names: Vec<_> = units.iter().map(String::as_str).collect();
        host.start(&names);
        let services: String =
            units.iter().enumerate().map(|(index, unit)| format!("[services.n{index}]\nunit = \"{unit}\"\n")).collect();
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, &services).start();
        let temporal = server.connect();
        wait_until("all have a workflow", || temporal.workflows().iter().filter(|one| one.is_running).count() == 100);
        host.systemctl(&["kill", "--signal=KILL", "node@*.service"]);
        let restarts = || dixmgr.metric("dixmgr_service_restarts_total", &[]);
        wait_until("all were restarted", || restarts() >= Some(100.0));
        let running = || host.show("node@*.service", "ActiveState").lines().filter(|line| *line == "active").count();
        wait_until("all run", || running() == 100);
        assert_eq!(restarts(), Some(100.0), "each once");
        let health = || dixmgr.metric("dixmgr_service_health", &[]);
        wait_until("all are healthy", || health() == Some(100.0));
        for index in [0, 50, 99] {
            temporal.wait_status(&format!("wf.svc.n{index}"), "was restarted once", |status| {
                status.phase == PhaseName::Healthy && status.restarts.total == 1
            });
        }
    });
}
