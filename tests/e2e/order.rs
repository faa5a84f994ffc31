//! Dependencies: who starts when.

use super::{SLEEP, set, waits_for};
use dixmgr_contract::PhaseName;
use dixmgr_contract::activity::START_SYSTEMD_SERVICE;
use dixmgr_tests::{Launch, Sandbox, TemporalServer, in_sandbox, wait_until};

fn service(name: &str, after: &str) -> String {
    format!("[services.{name}]\nunit = \"{name}.service\"\nafter = [{after}]\n")
}

#[test]
fn services_are_brought_up_in_the_order_of_their_dependencies() {
    in_sandbox(Sandbox::UserManager, |host| {
        // Each is ready only a while after its start: who does not wait is seen.
        let slow = "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 0.2";
        host.install([("db.service", slow), ("cache.service", slow), ("api.service", slow), ("web.service", SLEEP)]);
        let server = TemporalServer::start();
        let service =
            |name: &str, after: &str| format!("[services.{name}]\nunit = \"{name}.service\"\nafter = [{after}]\n");
        let services =
            [service("web", "\"api\""), service("api", "\"db\", \"cache\""), service("db", ""), service("cache", "")];
        let _dixmgr = Launch::exec(host, &services.concat()).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        let stamp = |unit: &str, property: &str| host.show(unit, property).parse::<u64>().unwrap();
        let begins = |unit: &str| stamp(unit, "InactiveExitTimestampMonotonic");
        let is_up = |unit: &str| stamp(unit, "ActiveEnterTimestampMonotonic");
        assert!(begins("api") > is_up("db") && begins("api") > is_up("cache"));
        assert!(begins("web") > is_up("api"));
        for name in ["db", "cache", "api", "web"] {
            let id = format!("wf.svc.{name}");
            temporal.wait_phase(&id, PhaseName::Healthy);
            assert_eq!(temporal.scheduled(&id, START_SYSTEMD_SERVICE), 1, "{name}");
        }
    });
}

#[test]
fn a_dead_service_waits_for_a_dead_dependency() {
    in_sandbox(Sandbox::UserManager, |host| {
        let slow = [waits_for("ExecStartPre", "gate"), SLEEP.to_owned()].join("\n");
        set("gate", true);
        host.install([("db.service", slow.as_str()), ("api.service", SLEEP)]);
        host.start(&["db", "api"]);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, &(service("db", "") + &service("api", "\"db\""))).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.db", PhaseName::Healthy);
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        set("gate", false);
        host.kill("db");
        wait_until("db is on its way", || host.state("db") == "activating/start-pre");
        // The loss of its dependency alone harms it not; its own death does.
        assert!(host.is_running("api"));
        let before = host.kill("api");
        let status = temporal.wait_phase("wf.svc.api", PhaseName::Waiting);
        assert_eq!(status.waiting_for.iter().map(ToString::to_string).collect::<Vec<_>>(), ["db"]);
        assert_eq!(temporal.scheduled("wf.svc.api", START_SYSTEMD_SERVICE), 0);
        set("gate", true);
        host.runs_anew("api", &before);
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        let stamp = |unit: &str, property: &str| host.show(unit, property).parse::<u64>().unwrap();
        assert!(stamp("api", "InactiveExitTimestampMonotonic") > stamp("db", "ActiveEnterTimestampMonotonic"));
    });
}
