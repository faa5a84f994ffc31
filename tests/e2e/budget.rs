//! What is not restarted for ever, and what is not restarted by us.

use super::{SLEEP, WF_API, counts_starts, set, starts};
use dixmgr_contract::PhaseName;
use dixmgr_contract::activity::START_SYSTEMD_SERVICE;
use dixmgr_tests::{FOLDER, Launch, Sandbox, TemporalServer, in_sandbox};

#[test]
fn a_crash_loop_spends_exactly_its_budget() {
    in_sandbox(Sandbox::UserManager, |host| {
        let run = format!("ExecStart=/bin/sh -c '[ ! -e {FOLDER}/broken ] && exec sleep 1000'");
        let service = [counts_starts("starts"), run].join("\n");
        host.install([("api.service", service.as_str())]);
        host.start(&["api"]);
        let server = TemporalServer::start();
        let policy = "restart = { max = 3, window = \"1h\", backoff = \"10ms\", backoff_max = \"20ms\" }";
        let dixmgr = Launch::exec(host, &format!("{}\n{policy}", super::API)).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        set("broken", true);
        host.kill("api");
        let status = temporal.wait_phase(WF_API, PhaseName::Exhausted);
        assert_eq!((status.restarts.in_window, status.restarts.total), (3, 3));
        assert!(status.restarts.next_at.is_some());
        dixmgr.wait_logged(&["budget of 3", "spent"]);
        dixmgr.wait_metric("dixmgr_service_restarts_total", "api", 3.0);
        dixmgr.wait_metric("dixmgr_service_health", "api", 0.0);
        assert_eq!(starts("starts"), 1 + 3);

        set("broken", false);
        host.start(&["api"]);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        dixmgr.wait_metric("dixmgr_service_health", "api", 1.0);
        // It is still spent: another death is observed, and no start follows.
        host.kill("api");
        temporal.wait_phase(WF_API, PhaseName::Exhausted);
        assert_eq!(starts("starts"), 1 + 3 + 1);
        assert_eq!(temporal.scheduled(WF_API, START_SYSTEMD_SERVICE), 3);
        assert_eq!(dixmgr.logged(&["budget of 3", "spent"]), 1, "said once");
    });
}

#[test]
fn when_the_window_allows_it_a_spent_service_is_tried_again() {
    in_sandbox(Sandbox::UserManager, |host| {
        let run = format!("ExecStart=/bin/sh -c '[ ! -e {FOLDER}/broken ] && exec sleep 1000'");
        host.install([("api.service", run.as_str())]);
        host.start(&["api"]);
        let server = TemporalServer::start();
        let policy = "restart = { max = 1, window = \"3s\", backoff = \"10ms\", backoff_max = \"20ms\" }";
        let _dixmgr = Launch::exec(host, &format!("{}\n{policy}", super::API)).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        set("broken", true);
        let before = host.kill("api");
        temporal.wait_phase(WF_API, PhaseName::Exhausted);
        set("broken", false);
        host.runs_anew("api", &before);
        let status = temporal.wait_phase(WF_API, PhaseName::Healthy);
        assert!(status.restarts.total >= 2, "{status:?}");
    });
}

#[test]
fn an_exit_code_that_forbids_a_restart_is_obeyed() {
    in_sandbox(Sandbox::UserManager, |host| {
        let run = format!("ExecStart=/bin/sh -c 'until [ -e {FOLDER}/end ]; do sleep 0.02; done; exit 42'");
        let service = [counts_starts("starts"), run].join("\n");
        host.install([("api.service", service.as_str())]);
        host.start(&["api"]);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, &format!("{}\nrestart.prevent_exit_codes = [42]", super::API)).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        set("end", true);
        let status = temporal.wait_phase(WF_API, PhaseName::Down);
        assert!(status.detail.contains("exit code 42"), "{}", status.detail);
        dixmgr.wait_logged(&["42", "service=api", "ERROR"]);
        assert_eq!((starts("starts"), temporal.scheduled(WF_API, START_SYSTEMD_SERVICE)), (1, 0));
        // Killed, it has no exit code.
        set("end", false);
        host.start(&["api"]);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let before = host.kill("api");
        host.runs_anew("api", &before);
        temporal.wait_status(WF_API, "was restarted once", |status| status.restarts.total == 1);
    });
}

#[test]
fn systemds_own_restart_is_left_to_systemd() {
    in_sandbox(Sandbox::UserManager, |host| {
        host.install([("api.service", &*format!("Restart=always\nRestartSec=1s\n{SLEEP}"))]);
        host.start(&["api"]);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, super::API).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let before = host.kill("api");
        host.runs_anew("api", &before);
        assert_eq!(host.show("api", "NRestarts"), "1");
        temporal.wait_status(WF_API, "counts systemd's restart", |status| {
            status.phase == PhaseName::Healthy && status.restarts.total == 1
        });
        assert_eq!(temporal.scheduled(WF_API, START_SYSTEMD_SERVICE), 0);
        dixmgr.wait_metric("dixmgr_service_restarts_total", "api", 1.0);
    });
}
