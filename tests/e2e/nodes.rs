//! Blockchain nodes: in sync or not, moving or not, alone or among the others of their chain.

use super::{SLEEP, file, set};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Dixmgr, Host, Launch, Sandbox, Temporal, TemporalServer, in_sandbox, wait_until};

/// The workflows of the two nodes.
const BOTH: [&str; 2] = ["wf.svc.one", "wf.svc.two"];

/// Two nodes of one chain that are well.
fn two_nodes(host: &Host, server: &TemporalServer) -> (Dixmgr, Temporal) {
    let nodes = install(host, &[("one", 9944), ("two", 9945)]);
    let (dixmgr, temporal) = (Launch::exec(host, &nodes).start(), server.connect());
    for node in BOTH {
        temporal.wait_phase(node, PhaseName::Healthy);
    }
    (dixmgr, temporal)
}

/// Stand-ins for nodes of one chain, each behind a switch of its name.
pub(super) fn install(host: &Host, nodes: &[(&str, u16)]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/node.py");
    let mut config = String::new();
    for (name, port) in nodes {
        let unit = format!("ExecStart=python3 {script} {port} {}", file(name).display());
        host.install([(format!("{name}.service").as_str(), unit.as_str())]);
        let probe = format!(
            "rpc = \"http://127.0.0.1:{port}\", interval = \"1s\", stall_warning = \"3s\", stall_critical = \"6s\""
        );
        config += &format!(
            "[services.{name}]\nunit = \"{name}.service\"\nchain = \"test\"\n\
             restart = {{ restart_on = [\"exit\", \"probe\"] }}\nprobes.rpc = {{ {probe}, start_grace = \"5s\" }}\n"
        );
    }
    config
}

#[test]
fn a_node_that_stands_while_others_move_is_told_and_restarted_where_its_owner_says_so() {
    in_sandbox(Sandbox::UserManager, |host| {
        let server = TemporalServer::start();
        let (dixmgr, temporal) = two_nodes(host, &server);
        let shown = |name: &str| dixmgr.metric(name, &[("node", "one"), ("chain", "test")]);
        assert!(shown("dixmgr_node_best_block_height") > shown("dixmgr_node_finalized_block_height"));
        let run = host.invocation("one");
        set("one.stalled", true);
        wait_until("it stands", || shown("dixmgr_node_last_block_age_seconds").is_some_and(|seconds| seconds >= 2.0));
        dixmgr.wait_logged(&["probe has failed", "service=one", "no new block for"]);
        wait_until("it falls behind", || shown("dixmgr_node_lag_blocks").is_some_and(|blocks| blocks > 20.0));
        // Critical, and its own fault: a restart may help.
        host.runs_anew("one", &run);
        set("one.stalled", false);
        temporal.wait_phase("wf.svc.one", PhaseName::Healthy);
        let status = temporal.status("wf.svc.one").unwrap();
        assert!(status.last_failure.is_some_and(|failure| failure.reason.contains("probe rpc has failed")));
        assert_eq!(temporal.status("wf.svc.two").unwrap().restarts.total, 0);
    });
}

#[test]
fn a_node_that_opens_its_port_a_while_after_its_start_is_no_failure() {
    in_sandbox(Sandbox::UserManager, |host| {
        let config = install(host, &[("one", 9944)]).replace(", start_grace = \"5s\"", "");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/node.py");
        let late = format!("ExecStart=/bin/sh -c 'sleep 3; exec python3 {script} 9944 {}'", file("one").display());
        host.install([("one.service", late.as_str())]);
        let server = TemporalServer::start();
        let (dixmgr, temporal) = (Launch::exec(host, &config).start(), server.connect());
        dixmgr.wait_logged(&["not ready yet", "service=one"]);
        temporal.wait_phase("wf.svc.one", PhaseName::Healthy);
        assert_eq!(dixmgr.logged(&["probe has failed"]), 0);
        let fired = dixmgr.metric("dixmgr_alerts_fired_total", &[("alert_type", "health_check_failed")]);
        assert!(fired.is_none_or(|fired| fired == 0.0), "{fired:?}");
        assert_eq!(temporal.status("wf.svc.one").unwrap().restarts.total, 0);
    });
}

/// The name is that of dixmgr's own rule, which says whether a node is in sync.
#[test]
fn a_node_that_refuses_is_told_though_its_probe_is_called_sync() {
    in_sandbox(Sandbox::UserManager, |host| {
        let config = install(host, &[("one", 9944)]).replace("probes.rpc", "probes.sync").replace(", \"probe\"", "");
        let server = TemporalServer::start();
        let (dixmgr, temporal) = (Launch::exec(host, &config).start(), server.connect());
        temporal.wait_phase("wf.svc.one", PhaseName::Healthy);
        let run = host.invocation("one");
        host.install([("one.service", SLEEP)]);
        host.systemctl(&["restart", "one.service"]);
        host.runs_anew("one", &run);
        let fires = || dixmgr.metric("dixmgr_alerts_active", &[("alert_type", "health_check_failed")]) == Some(1.0);
        wait_until("it fires", fires);
        let status = temporal.wait_phase("wf.svc.one", PhaseName::Degraded);
        assert_eq!(status.restarts.total, 0, "its owner has not asked for it");
    });
}

#[test]
fn a_chain_that_stands_still_is_told_once_and_nobody_is_restarted() {
    in_sandbox(Sandbox::UserManager, |host| {
        let server = TemporalServer::start();
        let (dixmgr, _temporal) = two_nodes(host, &server);
        let runs = ["one", "two"].map(|node| host.invocation(node));
        // Both stop at the same height, as the nodes of a chain do that halts.
        let height = dixmgr.metric("dixmgr_node_best_block_height", &[("node", "two"), ("chain", "test")]);
        let height = height.map(|height| (height as u64 + 1_000).to_string()).unwrap_or_default();
        for node in ["one", "two"] {
            std::fs::write(file(&format!("{node}.stalled")), &height).unwrap();
        }
        let stalled = |which| {
            dixmgr.metric("dixmgr_chain_stalled", &[("chain", "test"), ("protocol", "substrate"), ("height", which)])
        };
        wait_until("the chain stands", || stalled("best") == Some(1.0));
        // Long past critical.
        wait_until("it has stood for long", || {
            let age = dixmgr.metric("dixmgr_node_last_block_age_seconds", &[("node", "one"), ("chain", "test")]);
            age.is_some_and(|seconds| seconds >= 12.0)
        });
        assert_eq!(["one", "two"].map(|node| host.invocation(node)), runs, "no restart helps");
        assert_eq!(dixmgr.logged(&["chain stalled"]), 1);
        for node in ["one", "two"] {
            std::fs::write(file(&format!("{node}.stalled")), (height.parse::<u64>().unwrap() + 5).to_string()).unwrap();
        }
        dixmgr.wait_logged(&["chain moves again"]);
        wait_until("it moves", || stalled("best") == Some(0.0));
    });
}

/// The next dixmgr has not seen it stand yet; that is no news of its moving.
#[test]
fn that_a_node_stands_is_not_over_with_a_restart_of_dixmgr() {
    in_sandbox(Sandbox::UserManager, |host| {
        let config = install(host, &[("one", 9944)]).replace(", \"probe\"", "");
        let (server, launch) = (TemporalServer::start(), Launch::exec(host, &config));
        let (first, temporal) = (launch.start(), server.connect());
        temporal.wait_phase("wf.svc.one", PhaseName::Healthy);
        let stands = |dixmgr: &Dixmgr| {
            let of = |severity| {
                dixmgr.metric("dixmgr_alerts_active", &[("alert_type", "sync_stalled"), ("severity", severity)])
            };
            [of("warning"), of("critical")].iter().flatten().sum::<f64>() > 0.0
        };
        set("one.stalled", true);
        wait_until("it stands", || stands(&first));
        assert_eq!(first.terminate().code(), Some(0));
        let second = launch.start();
        let peers = || second.metric("dixmgr_node_peer_count", &[("node", "one"), ("chain", "test")]);
        wait_until("it is asked again", || peers().is_some());
        assert!(stands(&second));
        wait_until("it is known to stand again", || {
            let age = second.metric("dixmgr_node_last_block_age_seconds", &[("node", "one"), ("chain", "test")]);
            age.is_some_and(|seconds| seconds >= 3.0)
        });
        assert_eq!(second.logged(&["alert is over", "SyncStalled"]), 0);
        set("one.stalled", false);
        wait_until("it moves", || !stands(&second));
    });
}

#[test]
fn a_node_that_does_not_answer_any_more_is_restarted_where_its_owner_says_so() {
    in_sandbox(Sandbox::UserManager, |host| {
        let server = TemporalServer::start();
        let (dixmgr, temporal) = two_nodes(host, &server);
        let run = host.invocation("one");
        // It is there and does nothing: connections are taken by the kernel, and nobody answers.
        host.systemctl(&["kill", "--signal=STOP", "one.service"]);
        host.runs_anew("one", &run);
        temporal.wait_phase("wf.svc.one", PhaseName::Healthy);
        let status = temporal.status("wf.svc.one").unwrap();
        let reason = status.last_failure.map(|failure| failure.reason).unwrap_or_default();
        assert!(reason.contains("probe rpc has failed") && reason.contains("did not answer"), "{reason}");
        assert_eq!(temporal.status("wf.svc.two").unwrap().restarts.total, 0);
        dixmgr.wait_metric("dixmgr_service_restarts_total", "one", 1.0);
    });
}
