//! A whole dotidx deployment comes up in order: relays, parachains, sidecars, nginx, apps.

use super::{SLEEP, file, set};
use dixmgr_contract::PhaseName;
use dixmgr_contract::activity::START_SYSTEMD_SERVICE;
use dixmgr_tests::{Host, Launch, Sandbox, Temporal, TemporalServer, in_sandbox, wait_for, wait_until};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

const DOTIDX: &str = "
[dotidx_db]
host = \"db.example\"
[parachains.polkadot.polkadot]
name = \"Polkadot\"
port_rpc = 9944
sidecar_count = 1
[parachains.polkadot.assethub]
name = \"Asset Hub\"
port_rpc = 9945
sidecar_count = 2
[parachains.polkadot.people]
name = \"People\"
port_rpc = 9946
sidecar_count = 1
[parachains.kusama.kusama]
name = \"Kusama\"
port_rpc = 9947
sidecar_count = 1
[parachains.kusama.assethub]
name = \"Asset Hub\"
port_rpc = 9948
sidecar_count = 2
";

/// Unit, port and switch of each node.
const NODES: [(&str, u16, &str); 5] = [
    ("relay-node-archive@polkadot", 9944, "polkadot"),
    ("chain-node-archive@polkadot-assethub", 9945, "polkadot-assethub"),
    ("chain-node-archive@polkadot-people", 9946, "polkadot-people"),
    ("relay-node-archive@kusama", 9947, "kusama"),
    ("chain-node-archive@kusama-assethub", 9948, "kusama-assethub"),
];

/// Each unit and what it comes after.
const ORDER: [(&str, &[&str]); 12] = [
    ("chain-node-archive@polkadot-assethub", &["relay-node-archive@polkadot"]),
    ("chain-node-archive@polkadot-people", &["relay-node-archive@polkadot"]),
    ("chain-node-archive@kusama-assethub", &["relay-node-archive@kusama"]),
    ("sidecar@polkadot-polkadot-0", &["relay-node-archive@polkadot"]),
    ("sidecar@polkadot-assethub-0", &["chain-node-archive@polkadot-assethub"]),
    ("sidecar@polkadot-assethub-1", &["chain-node-archive@polkadot-assethub"]),
    ("sidecar@polkadot-people-0", &["chain-node-archive@polkadot-people"]),
    ("sidecar@kusama-kusama-0", &["relay-node-archive@kusama"]),
    ("sidecar@kusama-assethub-0", &["chain-node-archive@kusama-assethub"]),
    ("sidecar@kusama-assethub-1", &["chain-node-archive@kusama-assethub"]),
    (
        "dix-nginx",
        &[
            "sidecar@polkadot-polkadot-0",
            "sidecar@polkadot-assethub-0",
            "sidecar@polkadot-assethub-1",
            "sidecar@polkadot-people-0",
            "sidecar@kusama-kusama-0",
            "sidecar@kusama-assethub-0",
            "sidecar@kusama-assethub-1",
        ],
    ),
    ("dixlive", &["dix-nginx"]),
];
const APPS: [&str; 4] = ["dixlive", "dixfe", "dixbatch", "dixcron"];

/// Installs stand-ins for all units; nodes answer for themselves.
fn install(host: &Host) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/node.py");
    for (index, (unit, port, switch)) in NODES.into_iter().enumerate() {
        // Each is a chain of its own, also where two have one name.
        let node = format!("ExecStart=python3 {script} {port} {} {index}000000", file(switch).display());
        host.install([(format!("{unit}.service").as_str(), node.as_str())]);
    }
    let others = ["sidecar@.service", "dix-nginx.service", "dixlive.service", "dixfe.service", "dixbatch.service"];
    host.install(others.map(|unit| (unit, SLEEP)));
    host.install([("dixcron.service", SLEEP)]);
}

/// When the node said for the first time that it is in sync, in microseconds of the monotonic clock.
fn synced_at(switch: &str) -> u64 {
    wait_for(&format!("{switch} in sync"), || {
        std::fs::read_to_string(file(&format!("{switch}.synced"))).ok()?.parse().ok()
    })
}

/// True if what made the workflow start its unit was a signal; a timer would mean that it looked again now and then.
fn is_started_by_news(temporal: &Temporal, id: &str) -> bool {
    let history = temporal.history(id);
    let is_start = |event: &HistoryEvent| match &event.attributes {
        Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => {
            scheduled.activity_type.as_ref().is_some_and(|kind| kind.name == START_SYSTEMD_SERVICE)
        }
        _ => false,
    };
    let before = history.iter().take_while(|event| !is_start(event));
    let causes = before.filter_map(|event| match event.event_type() {
        EventType::WorkflowExecutionSignaled => Some(true),
        EventType::TimerFired => Some(false),
        _ => None,
    });
    history.iter().any(is_start) && causes.last() == Some(true)
}

#[test]
fn a_fleet_comes_up_in_the_order_of_its_dependencies() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        set("polkadot", true);
        set("kusama-assethub", true);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, DOTIDX).start();
        let temporal = server.connect();
        // Its relay is active and not in sync: the chain waits, visibly.
        temporal.wait_phase("wf.node.relay.polkadot", PhaseName::Degraded);
        let waiting = temporal.wait_phase("wf.node.para.polkadot.assethub", PhaseName::Waiting);
        assert_eq!(waiting.waiting_for.iter().map(ToString::to_string).collect::<Vec<_>>(), ["relay-node-polkadot"]);
        temporal.wait_open("wf.wait.para-node-polkadot-assethub");
        let asked = temporal.query("wf.wait.para-node-polkadot-assethub", "waiting_for");
        assert_eq!(asked, serde_json::json!(["relay-node-polkadot"]));
        temporal.wait_phase("wf.sidecar.kusama.kusama.0", PhaseName::Healthy);
        let labels = [("node", "relay-node-polkadot"), ("chain", "polkadot")];
        assert_eq!(dixmgr.metric("dixmgr_node_sync_status", &labels), Some(0.0));
        assert_eq!(dixmgr.metric("dixmgr_node_peer_count", &labels), Some(5.0));
        assert_eq!(host.state("dix-nginx"), "inactive/dead");
        set("polkadot", false);
        temporal.wait_phase("wf.sidecar.polkadot.people.0", PhaseName::Healthy);
        assert_eq!(host.state("dix-nginx"), "inactive/dead", "one chain is not in sync yet");
        set("kusama-assethub", false);
        for app in APPS {
            temporal.wait_phase(&format!("wf.svc.{app}"), PhaseName::Healthy);
        }
        for (unit, after) in ORDER {
            let begins = host.stamps(unit).0;
            for before in after {
                assert!(host.stamps(before).1 < begins, "{unit} began before {before} was active");
                if let Some((.., switch)) = NODES.iter().find(|(node, ..)| node == before) {
                    assert!(synced_at(switch) < begins, "{unit} began before {before} was in sync");
                }
            }
        }
        // From the last readiness on, nobody waits for a clock: news starts each of them. How long that takes is `make bench`'s.
        for id in ["wf.sidecar.kusama.assethub.0", "wf.sidecar.kusama.assethub.1", "wf.svc.dix-nginx", "wf.svc.dixlive"]
        {
            assert!(is_started_by_news(&temporal, id), "{id} was started by a timer:\n{:#?}", temporal.history(id));
        }
        for id in ["wf.node.para.polkadot.assethub", "wf.svc.dix-nginx", "wf.svc.dixfe"] {
            assert_eq!(temporal.scheduled(id, START_SYSTEMD_SERVICE), 1, "{id} was started once");
        }
        wait_until("the wait has ended", || {
            let waits = temporal.workflows();
            waits.iter().any(|one| one.id == "wf.wait.para-node-polkadot-assethub" && one.status == "Completed")
        });
        let labels = [("service", "para-node-polkadot-assethub"), ("dependency", "relay-node-polkadot")];
        assert_eq!(dixmgr.metric("dixmgr_dependency_wait_time_seconds_count", &labels), Some(1.0));
        let labels = [("service", "para-node-polkadot-assethub"), ("type", "parachain"), ("chain", "assethub")];
        wait_until("it is measured", || dixmgr.metric("dixmgr_service_health", &labels) == Some(1.0));
        let before = host.kill("chain-node-archive@polkadot-assethub");
        host.runs_anew("chain-node-archive@polkadot-assethub", &before);
    });
}

#[test]
fn what_is_not_on_the_host_is_said_once_and_is_not_down() {
    in_sandbox(Sandbox::UserManager, |host| {
        let _server = TemporalServer::start();
        let dixmgr = Launch::exec(host, "[parachains.polkadot.polkadot]\nport_rpc = 9944\n").start();
        for unit in ["relay-node-archive@polkadot", "dixlive", "dixfe", "dixbatch", "dixcron"] {
            dixmgr.wait_logged(&["no such unit", unit]);
            assert_eq!(dixmgr.logged(&["no such unit", unit]), 1, "{unit}");
        }
        assert_eq!(dixmgr.logged(&["down"]), 0);
    });
}
