//! Units that are not there, or not to be used.

use super::{API, SLEEP, WF_API};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Launch, Sandbox, TemporalServer, in_sandbox};

#[test]
fn a_unit_that_does_not_exist_is_said_once_and_supervised_when_it_appears() {
    in_sandbox(Sandbox::UserManager, |host| {
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, API).start();
        let temporal = server.connect();
        let status = temporal.wait_status(WF_API, "is absent", |status| status.detail.contains("does not exist"));
        assert_eq!(status.phase, PhaseName::Unknown);
        assert_eq!(dixmgr.metric("dixmgr_service_health", &[("service", "api")]), None, "no data is not down");
        host.systemctl(&["daemon-reload"]);
        host.install([("api.service", SLEEP)]);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        assert_eq!(dixmgr.logged(&["no such unit", "service=api"]), 1);
        let before = host.kill("api");
        host.runs_anew("api", &before);
        dixmgr.wait_metric("dixmgr_service_health", "api", 1.0);
    });
}

#[test]
fn a_masked_unit_is_left_alone_until_it_is_unmasked() {
    in_sandbox(Sandbox::UserManager, |host| {
        let mask = host.unit_folder().join("api.service");
        std::os::unix::fs::symlink("/dev/null", &mask).unwrap();
        host.systemctl(&["daemon-reload"]);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, API).start();
        let temporal = server.connect();
        let status = temporal.wait_phase(WF_API, PhaseName::Stopped);
        assert!(status.detail.contains("masked"), "{}", status.detail);
        assert!(!host.is_running("api"));
        std::fs::remove_file(mask).unwrap();
        host.install([("api.service", SLEEP)]);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        dixmgr.wait_metric("dixmgr_service_health", "api", 1.0);
    });
}

#[test]
fn an_instance_of_a_template_is_a_unit_like_any_other() {
    in_sandbox(Sandbox::UserManager, |host| {
        host.install([("node@.service", SLEEP)]);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, "[services.node]\nunit = \"node@polkadot-assethub.service\"").start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.node", PhaseName::Healthy);
        let before = host.kill("node@polkadot-assethub");
        host.runs_anew("node@polkadot-assethub", &before);
    });
}

#[test]
fn the_start_limit_of_systemd_is_reset_before_each_start_of_ours() {
    in_sandbox(Sandbox::UserManager, |host| {
        let limited = format!("{SLEEP}\n[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=2");
        host.install([("api.service", limited.as_str())]);
        host.start(&["api"]);
        let server = TemporalServer::start();
        let policy = "restart = { backoff = \"10ms\", backoff_max = \"20ms\" }";
        let _dixmgr = Launch::exec(host, &format!("{API}\n{policy}")).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        for total in 1..=4 {
            let before = host.kill("api");
            host.runs_anew("api", &before);
            temporal.wait_status(WF_API, "was restarted", |status| {
                status.phase == PhaseName::Healthy && status.restarts.total == total
            });
        }
    });
}
