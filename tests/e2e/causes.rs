//! What is meant, what is behind something, and what is not known yet: none of it is a trouble of its own.

use super::alerts::{config, kinds, runs};
use super::history::phases;
use super::{commands, file, set};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Host, Launch, Receiver, Sandbox, TemporalServer, in_sandbox, wait_until};

/// `web` with a health endpoint, which is up when it listens.
fn install_web(host: &Host) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/health.py");
    let listens =
        "ExecStartPost=/bin/bash -c 'until (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null; do sleep 0.02; done'";
    let web = format!("ExecStart=python3 {script} 8080 {}\n{listens}", file("sick").display());
    host.install([("web.service", web.as_str())]);
}

fn probe(start_grace: &str) -> String {
    format!(
        "probes.http = {{ url = \"http://127.0.0.1:8080/\", interval = \"1s\", failures = 1, start_grace = \"{start_grace}\" }}\n"
    )
}

/// It was down, and people were told; that it is to stay so is news for whoever evaluates its rules and counts its time.
#[test]
fn a_command_to_stop_what_is_down_already_ends_its_alert_and_its_outage() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let launch = Launch::exec(host, &config(&["api"], ""));
        let first = launch.start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        host.kill("api");
        receiver.wait("service_down.api", "firing");
        temporal.wait_phase("wf.svc.api", PhaseName::Exhausted);
        commands::text(&["stop", "api"]);
        receiver.wait("service_down.api", "resolved");
        wait_until("it is off", || phases(&["history"]).last().is_some_and(|phase| phase == "stopped"));
        assert_eq!(first.terminate().code(), Some(0));
        // Nor does the next one take it for an outage.
        let before = phases(&["history"]).len();
        let _second = launch.start();
        wait_until("it is seen", || phases(&["history"]).len() > before);
        assert!(phases(&["history"])[before..].iter().all(|phase| phase == "stopped"), "{:?}", phases(&["history"]));
        commands::text(&["start", "api"]);
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        host.kill("api");
        wait_until("that is one again", || kinds(&receiver, "service_down.api") == ["firing", "resolved", "firing"]);
        assert!(!host.is_running("api"), "its budget is none");
    });
}

/// A service that runs has asked nobody on another host how they stand, until something fires.
#[test]
fn what_fails_in_a_service_that_runs_is_told_with_its_dependency_on_another_host() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["db"]);
        install_web(host);
        host.start(&["web"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let services = config(&[], "").replace("\"0s\"", "\"2s\"")
            + "[services.db]\nunit = \"db.service\"\nhost = \"alpha\"\n\
               [services.web]\nunit = \"web.service\"\nhost = \"beta\"\nafter = [\"db\"]\n"
            + &probe("0s");
        let launch = |name| Launch::exec(host, &services).on_host(name);
        let (_alpha, beta) = (launch("alpha").start(), launch("beta").start());
        let temporal = server.connect();
        for service in ["db", "web"] {
            temporal.wait_phase(&format!("wf.svc.{service}"), PhaseName::Healthy);
        }
        host.kill("db");
        receiver.wait("service_down.db", "firing");
        set("sick", true);
        beta.wait_logged(&["alert fires", "service=web", "HealthCheckFailed"]);
        wait_until("what is behind it is known", || {
            temporal.query("wf.incident.service_down.db", "status")["affected"] == 1
        });
        assert!(host.is_running("web"));
        set("sick", false);
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        host.systemctl(&["start", "db"]);
        receiver.wait("service_down.db", "resolved");
        assert_eq!(kinds(&receiver, "health_check_failed.web"), [""; 0], "{:?}", receiver.inbox());
    });
}

/// With a rule that fires at once: a run of which nothing is known yet is neither down nor degraded.
#[test]
fn a_run_within_its_start_grace_is_up_again_and_not_degraded() {
    in_sandbox(Sandbox::UserManager, |host| {
        install_web(host);
        host.start(&["web"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let at_once = "[[alerts.rules]]\nname = \"ServiceDegraded\"\ntype = \"service_degraded\"\nseverity = \"warning\"\n\
                       when = \"health == 'degraded'\"\n";
        let dixmgr = Launch::exec(host, &(config(&["web"], at_once) + &probe("1h"))).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        host.kill("web");
        receiver.wait("service_down.web", "firing");
        set("sick", true);
        host.systemctl(&["start", "web"]);
        receiver.wait("service_down.web", "resolved");
        temporal.wait_phase("wf.svc.web", PhaseName::Degraded);
        let healthy = || dixmgr.metric("dixmgr_probe_healthy", &[("service", "web"), ("probe", "http")]);
        assert_eq!(healthy(), None, "it is within its grace");
        set("sick", false);
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        assert_eq!(kinds(&receiver, "service_degraded.web"), [""; 0], "{:?}", receiver.inbox());
    });
}
