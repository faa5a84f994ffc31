//! What other people do to the units.

use super::{API, SLEEP, WF_API, api_runs, counts_starts, set, starts, waits_for};
use dixmgr_contract::PhaseName;
use dixmgr_contract::activity::{RESTART_SYSTEMD_SERVICE, START_SYSTEMD_SERVICE};
use dixmgr_tests::{Launch, Sandbox, Temporal, TemporalServer, in_sandbox, wait_until};

fn orders(temporal: &Temporal) -> usize {
    temporal.scheduled(WF_API, START_SYSTEMD_SERVICE) + temporal.scheduled(WF_API, RESTART_SYSTEMD_SERVICE)
}

#[test]
fn a_stop_by_the_operator_is_respected_also_by_the_next_dixmgr() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let launch = Launch::exec(host, API);
        let first = launch.start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        host.systemctl(&["stop", "api"]);
        let status = temporal.wait_phase(WF_API, PhaseName::Stopped);
        assert_eq!(first.terminate().code(), Some(0));
        let second = launch.start();
        let heard = temporal.wait_status(WF_API, "has heard of the new one", |s| s.revision > status.revision);
        assert_eq!(heard.phase, PhaseName::Stopped);
        assert_eq!((host.is_running("api"), orders(&temporal)), (false, 0));
        second.kill();
        // Started by hand, it is supervised again, by whichever dixmgr comes next.
        host.start(&["api"]);
        let _third = launch.start();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let before = host.kill("api");
        host.runs_anew("api", &before);
    });
}

#[test]
fn a_stop_by_the_operator_is_fought_where_that_is_asked_for() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, &format!("{API}\nrestart.on_operator_stop = \"restart\"")).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let before = host.invocation("api");
        host.systemctl(&["stop", "api"]);
        host.runs_anew("api", &before);
        temporal.wait_status(WF_API, "is healthy again", |status| {
            status.phase == PhaseName::Healthy && status.restarts.total == 1
        });
    });
}

#[test]
fn a_restart_by_the_operator_is_not_fought() {
    in_sandbox(Sandbox::UserManager, |host| {
        let service = [counts_starts("starts"), waits_for("ExecStartPre", "gate"), SLEEP.to_owned()].join("\n");
        set("gate", true);
        host.install([("api.service", service.as_str())]);
        host.start(&["api"]);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, API).start();
        let temporal = server.connect();
        let before = temporal.wait_phase(WF_API, PhaseName::Healthy);
        set("gate", false);
        host.systemctl(&["--no-block", "restart", "api"]);
        // On its way up for so long that the workflow hears of it.
        temporal.wait_status(WF_API, "has heard of the restart", |status| status.revision > before.revision);
        wait_until("the restart is under way", || host.state("api") == "activating/start-pre");
        set("gate", true);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        wait_until("api runs", || host.is_running("api"));
        assert_eq!((starts("starts"), orders(&temporal)), (2, 0));
    });
}

#[test]
fn a_failed_unit_with_somebody_elses_job_is_left_to_that_job() {
    in_sandbox(Sandbox::UserManager, |host| {
        let service = [counts_starts("starts"), SLEEP.to_owned(), waits_for("ExecStopPost", "gate")].join("\n");
        set("gate", true);
        host.install([("api.service", service.as_str())]);
        host.start(&["api"]);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, API).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        set("gate", false);
        // It tidies up after its death; meanwhile the operator asks for a restart, which waits for the end of that.
        host.kill("api");
        wait_until("api is ending", || host.state("api") == "deactivating/stop-post");
        host.systemctl(&["--no-block", "restart", "api"]);
        temporal.wait_phase(WF_API, PhaseName::Down);
        set("gate", true);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        wait_until("api runs", || host.is_running("api"));
        assert_eq!((starts("starts"), orders(&temporal)), (2, 0));
        assert_eq!(dixmgr.metric("dixmgr_service_restarts_total", &[("service", "api")]), Some(0.0));
    });
}
