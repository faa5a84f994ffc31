//! Clusters: a quorum lost and regained, members restarted one by one, exactly one active.

use super::{SLEEP, commands, set, waits_for};
use dixmgr_contract::PhaseName;
use dixmgr_contract::activity::RESTART_SYSTEMD_SERVICE;
use dixmgr_tests::{Host, Launch, Sandbox, Temporal, TemporalServer, in_sandbox, wait_until};
use serde_json::Value;

/// Begins a rolling restart and does not wait for its end.
const ROLL: [&str; 9] = [
    "workflow",
    "update",
    "start",
    "--workflow-id",
    "wf.cluster.rpc",
    "--name",
    "rolling_restart",
    "--wait-for-stage",
    "accepted",
];

/// Three services in one cluster.
fn three(cluster: &str) -> String {
    let service = |number| format!("[services.rpc-{number}]\nunit = \"rpc-{number}.service\"\nhost = \"alpha\"\n");
    let members = "members = [\"rpc-1\", \"rpc-2\", \"rpc-3\"]";
    format!("{}{}{}[clusters.rpc]\n{members}\n{cluster}\n", service(1), service(2), service(3))
}

fn install(host: &Host, service: &str) {
    host.install(["rpc-1.service", "rpc-2.service", "rpc-3.service"].map(|unit| (unit, service)));
}

/// Null while there is no such workflow.
fn status(temporal: &Temporal) -> Value {
    temporal.try_query("wf.cluster.rpc", "status").unwrap_or_default()
}

fn is_active(host: &Host) -> Vec<usize> {
    (1..=3).filter(|number| host.is_running(&format!("rpc-{number}"))).collect()
}

#[test]
fn a_quorum_is_lost_and_regained_and_each_is_said_once() {
    in_sandbox(Sandbox::UserManager, |host| {
        // They come up again only when the gate is open.
        install(host, &[waits_for("ExecStartPre", "gate"), SLEEP.to_owned()].join("\n"));
        set("gate", true);
        host.start(&["rpc-1", "rpc-2", "rpc-3"]);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, &three("quorum = 2")).start();
        let temporal = server.connect();
        wait_until("all are ready", || status(&temporal)["ready"] == 3 && status(&temporal)["quorum_ok"] == true);
        set("gate", false);
        host.kill("rpc-1");
        wait_until("one is missing", || status(&temporal)["ready"] == 2);
        assert_eq!(status(&temporal)["quorum_ok"], true);
        host.kill("rpc-3");
        dixmgr.wait_logged(&["cluster=rpc", "rpc-1", "rpc-3"]);
        assert_eq!(status(&temporal)["quorum_ok"], false);
        let text = commands::text(&["clusters"]);
        assert!(text.contains("quorum lost") && text.contains("rpc-1, rpc-3"), "{text}");
        set("gate", true);
        wait_until("all are back", || status(&temporal)["ready"] == 3 && status(&temporal)["quorum_ok"] == true);
        wait_until("it is said", || dixmgr.logged(&["INFO", "cluster=rpc"]) == 1);
        assert_eq!(dixmgr.logged(&["ERROR", "cluster=rpc"]), 1);
    });
}

#[test]
fn members_are_restarted_one_by_one_and_a_failing_one_halts_it() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host, &[waits_for("ExecStartPre", "gate"), SLEEP.to_owned()].join("\n"));
        set("gate", true);
        host.start(&["rpc-1", "rpc-2", "rpc-3"]);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, &three("quorum = 2\nhealthy_for = \"1s\"\nmember_timeout = \"5s\"")).start();
        let temporal = server.connect();
        wait_until("all are ready", || status(&temporal)["ready"] == 3 && status(&temporal)["quorum_ok"] == true);
        let before: Vec<_> = (1..=3).map(|number| host.invocation(&format!("rpc-{number}"))).collect();
        commands::text(&["rolling-restart", "rpc"]);
        let stamps: Vec<_> = (1..=3).map(|number| host.stamps(&format!("rpc-{number}"))).collect();
        assert!(stamps[0].1 < stamps[1].0 && stamps[1].1 < stamps[2].0, "one after the other: {stamps:?}");
        for number in 1..=3 {
            assert_ne!(host.invocation(&format!("rpc-{number}")), before[number - 1]);
        }
        // The first one does not come back: the others are left alone.
        let second = host.invocation("rpc-2");
        set("gate", false);
        let refusal = commands::refusal(&["rolling-restart", "rpc"]);
        assert!(refusal.contains("rpc-1"), "{refusal}");
        assert_eq!(host.invocation("rpc-2"), second);
        assert!(status(&temporal)["rollout"]["halted"].is_string());
        set("gate", true);
        wait_until("all are back", || status(&temporal)["ready"] == 3);
    });
}

#[test]
fn a_rolling_restart_goes_on_after_a_crash_of_its_host_at_any_point() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host, SLEEP);
        host.start(&["rpc-1", "rpc-2", "rpc-3"]);
        let server = TemporalServer::start();
        let cluster = three("quorum = 2\nhealthy_for = \"1s\"\nmember_timeout = \"40s\"");
        let web = "[services.web]\nunit = \"web.service\"\nhost = \"beta\"\nstart = false\n";
        let launch = |name| Launch::exec(host, &format!("{web}{cluster}")).on_host(name);
        let (alpha, _beta) = (launch("alpha"), launch("beta").start());
        let first = alpha.start();
        let temporal = server.connect();
        let all_are_ready = || status(&temporal)["ready"] == 3 && status(&temporal)["quorum_ok"] == true;
        wait_until("all are ready", all_are_ready);
        // Whoever has taken an order waits for the next one.
        commands::text(&["restart", "rpc-3"]);
        wait_until("all are ready again", all_are_ready);
        let runs = || (1..=3).map(|number| host.invocation(&format!("rpc-{number}"))).collect::<Vec<_>>();
        let before = runs();
        // The order dies with the dixmgr that has taken it, and nothing came of it.
        first.freeze();
        temporal.cli(&ROLL);
        wait_until("the order is taken", || temporal.is_taken("wf.svc.rpc-1", RESTART_SYSTEMD_SERVICE));
        first.kill();
        let second = alpha.start();
        wait_until("it goes on", || status(&temporal)["rollout"]["done"][0] == "rpc-1");
        assert_ne!(runs()[0], before[0]);
        second.kill();
        let _third = alpha.start();
        wait_until("all are restarted", || (0..3).all(|index| runs()[index] != before[index]));
        wait_until("it is over", || status(&temporal)["rollout"].is_null());
        assert_eq!(status(&temporal)["ready"], 3);
    });
}

#[test]
fn exactly_one_member_of_a_standby_cluster_is_active() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host, SLEEP);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, &three("mode = \"standby\"")).start();
        let temporal = server.connect();
        wait_until("the first one is active", || status(&temporal)["active"] == "rpc-1" && is_active(host) == [1]);
        temporal.wait_phase("wf.svc.rpc-2", PhaseName::Stopped);
        // Its own supervisor restarts it; nobody else takes over.
        let before = host.kill("rpc-1");
        host.runs_anew("rpc-1", &before);
        wait_until("it is ready again", || status(&temporal)["ready"] == 1);
        commands::text(&["promote", "rpc", "rpc-3"]);
        assert_eq!(is_active(host), [3]);
        assert!(host.stamps("rpc-3").0 > 0);
        assert_eq!(status(&temporal)["active"], "rpc-3");
        let refusal = commands::refusal(&["promote", "rpc", "nobody"]);
        assert!(refusal.contains("nobody"), "{refusal}");
        // Somebody starts another one: it is stopped again.
        host.systemctl(&["start", "rpc-2.service"]);
        wait_until("only one runs", || is_active(host) == [3]);
    });
}
