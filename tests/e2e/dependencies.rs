//! Waits for dependencies: their workflow, their time-outs, dependencies on another host, and what a loss means.

use super::{SLEEP, set, waits_for};
use dixmgr_contract::PhaseName;
use dixmgr_contract::activity::START_SYSTEMD_SERVICE;
use dixmgr_tests::{Host, Launch, Sandbox, TemporalServer, in_sandbox, wait_until};

const WAIT: &str = r#"{"service":"api","dependencies":["db"],"timeout":"1h"}"#;

/// Two services, the second one after the first, with more keys for the second one.
fn two(keys: &str) -> String {
    format!(
        "[services.db]\nunit = \"db.service\"\nstart = false\n[services.api]\nunit = \"api.service\"\nafter = [\"db\"]\n{keys}\n"
    )
}

fn install(host: &Host) {
    host.install([("db.service", SLEEP), ("api.service", SLEEP), ("cache.service", SLEEP)]);
}

#[test]
fn a_wait_is_started_by_hand_with_one_line() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, "[services.web]\nunit = \"web.service\"").start();
        let temporal = server.connect();
        let start = |id: &str, input: &str| {
            let kind = ["--type", "DependencyWaitWorkflow", "--task-queue", "dotidx-watcher"];
            temporal.cli(&[&["workflow", "start", "--workflow-id", id, "--input", input], &kind[..]].concat());
        };
        // Nobody knows `db` yet: its host comes later.
        start("wf.wait.api", WAIT);
        assert_eq!(temporal.query("wf.wait.api", "waiting_for"), serde_json::json!(["db"]));
        start("wf.wait.soon", r#"{"service":"soon","dependencies":["db"],"timeout":"1s"}"#);
        let result = temporal.result("wf.wait.soon");
        assert_eq!((&result["satisfied"], &result["missing"]), (&false.into(), &serde_json::json!(["db"])));
        start("wf.wait.wrong", r#"{"dependencies":7}"#);
        let failed = temporal.try_cli(&["workflow", "result", "--workflow-id", "wf.wait.wrong"]);
        let text = String::from_utf8([failed.stdout, failed.stderr].concat()).unwrap();
        assert!(text.contains("the input of DependencyWaitWorkflow is"), "{text}");
        let beta = Launch::exec(host, "[services.db]\nunit = \"db.service\"").on_host("beta").start();
        let result = temporal.result("wf.wait.api");
        assert_eq!(result["satisfied"], true, "{result}");
        drop(beta);
    });
}

#[test]
fn when_the_time_is_up_a_service_stays_down_and_waits_on() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, &two("dependency.timeout = \"1s\"")).start();
        let temporal = server.connect();
        dixmgr.wait_logged(&["api has waited 1s for db", "stays down"]);
        let labels = [("service", "api"), ("dependency", "db")];
        wait_until("it is counted", || dixmgr.metric("dixmgr_dependency_timeouts_total", &labels) == Some(1.0));
        assert_eq!(temporal.wait_phase("wf.svc.api", PhaseName::Waiting).waiting_for.len(), 1);
        assert!(!host.is_running("api"));
        host.start(&["db"]);
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        assert_eq!(temporal.scheduled("wf.svc.api", START_SYSTEMD_SERVICE), 1);
    });
}

#[test]
fn when_the_time_is_up_a_service_is_started_all_the_same() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let keys = "dependency = { timeout = \"1s\", on_timeout = \"proceed\" }";
        let dixmgr = Launch::exec(host, &two(keys)).start();
        server.connect().wait_phase("wf.svc.api", PhaseName::Healthy);
        dixmgr.wait_logged(&["api has waited 1s for db", "started all the same"]);
        assert!(!host.is_running("db"));
    });
}

#[test]
fn one_of_them_is_enough_if_any_is_asked_for() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let cache = "[services.cache]\nunit = \"cache.service\"\nstart = false\n";
        let services = two("dependency.mode = \"any\"").replace("[\"db\"]", "[\"db\", \"cache\"]");
        let _dixmgr = Launch::exec(host, &(cache.to_owned() + &services)).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.api", PhaseName::Waiting);
        host.start(&["cache"]);
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        assert!(!host.is_running("db"));
    });
}

#[test]
fn a_dependency_that_dies_while_others_wait_is_waited_for_again() {
    in_sandbox(Sandbox::UserManager, |host| {
        let slow = [waits_for("ExecStartPre", "gate"), SLEEP.to_owned()].join("\n");
        host.install([("db.service", slow.as_str()), ("api.service", SLEEP)]);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, &two("").replace("start = false", "")).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.api", PhaseName::Waiting);
        wait_until("db is on its way", || host.state("db") == "activating/start-pre");
        host.systemctl(&["kill", "--signal=KILL", "db.service"]);
        wait_until("db is tried again", || {
            temporal.scheduled("wf.svc.db", START_SYSTEMD_SERVICE) > 1 && host.state("db") == "activating/start-pre"
        });
        assert!(!host.is_running("api"));
        set("gate", true);
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        assert!(host.stamps("api").0 > host.stamps("db").1);
    });
}

#[test]
fn a_loss_stops_a_service_and_the_return_starts_it() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        host.start(&["db", "api"]);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, &two("on_dependency_loss = \"stop\"")).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        host.systemctl(&["stop", "db.service"]);
        temporal.wait_phase("wf.svc.api", PhaseName::Waiting);
        assert_eq!(host.state("api"), "inactive/dead");
        host.start(&["db"]);
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
    });
}

#[test]
fn a_service_is_restarted_after_its_dependency_wherever_that_runs() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        host.start(&["db", "api", "cache"]);
        let server = TemporalServer::start();
        let services = two("on_dependency_loss = \"restart\"").replace("[\"db\"]", "[\"db\", \"cache\"]")
            + "[services.cache]\nunit = \"cache.service\"\nhost = \"beta\"\n";
        let _alpha = Launch::exec(host, &services).start();
        let _beta = Launch::exec(host, "[services.cache]\nunit = \"cache.service\"").on_host("beta").start();
        let temporal = server.connect();
        for service in ["api", "db", "cache"] {
            temporal.wait_phase(&format!("wf.svc.{service}"), PhaseName::Healthy);
        }
        let first = host.invocation("api");
        wait_until("api listens to cache", || temporal.signals("wf.svc.api", "readiness") > 0);
        host.kill("db");
        host.runs_anew("api", &first);
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        let second = host.invocation("api");
        host.kill("cache");
        host.runs_anew("api", &second);
        assert_eq!(temporal.wait_phase("wf.svc.api", PhaseName::Healthy).restarts.total, 0, "it has not failed");
    });
}

#[test]
fn a_dependency_on_another_host_is_waited_for_until_that_host_comes() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let fleet = "[services.db]\nunit = \"db.service\"\nhost = \"beta\"\n[services.api]\nunit = \"api.service\"\nhost = \"alpha\"\nafter = [\"db\"]\n";
        let alpha = Launch::exec(host, fleet).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.api", PhaseName::Waiting);
        temporal.wait_open("wf.wait.api");
        let _beta = Launch::exec(host, fleet).on_host("beta").start();
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        assert!(host.stamps("api").0 > host.stamps("db").1);
        // What is ready is not waited for.
        let before = host.kill("api");
        host.runs_anew("api", &before);
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        wait_until("the wait has ended", || {
            let waits: Vec<_> = temporal.workflows().into_iter().filter(|one| one.id == "wf.wait.api").collect();
            waits.len() == 1 && waits[0].status == "Completed"
        });
        drop(alpha);
    });
}
