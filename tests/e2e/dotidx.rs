//! A configuration of an existing dotidx deployment.

use super::SLEEP;
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Launch, Sandbox, TemporalServer, in_sandbox, wait_until};

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
sidecar_count = 1
";

#[test]
fn a_dotidx_file_is_supervised_under_the_ids_of_the_go_version() {
    in_sandbox(Sandbox::UserManager, |host| {
        host.install([
            ("relay-node-archive@.service", SLEEP),
            ("chain-node-archive@.service", SLEEP),
            ("sidecar@.service", SLEEP),
            ("dix-nginx.service", SLEEP),
        ]);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, DOTIDX).start();
        let temporal = server.connect();
        let there = [
            "wf.node.relay.polkadot",
            "wf.node.para.polkadot.assethub",
            "wf.sidecar.polkadot.polkadot.0",
            "wf.sidecar.polkadot.assethub.0",
            "wf.svc.dix-nginx",
        ];
        for id in there {
            temporal.wait_phase(id, PhaseName::Healthy);
        }
        let begins = |unit: &str| host.show(unit, "ActiveEnterTimestampMonotonic").parse::<u64>().unwrap();
        let relay = begins("relay-node-archive@polkadot");
        let chain = begins("chain-node-archive@polkadot-assethub");
        let sidecars = [begins("sidecar@polkadot-polkadot-0"), begins("sidecar@polkadot-assethub-0")];
        assert!(relay < chain && relay < sidecars[0] && chain < sidecars[1]);
        assert!(sidecars.into_iter().all(|sidecar| sidecar < begins("dix-nginx")));
        let labels = [("service", "para-node-polkadot-assethub"), ("type", "parachain"), ("chain", "assethub")];
        wait_until("it is measured", || dixmgr.metric("dixmgr_service_health", &labels) == Some(1.0));
        // The apps are not on this host: said once each, and not "down".
        for unit in ["dixlive.service", "dixfe.service", "dixbatch.service", "dixcron.service"] {
            assert_eq!(dixmgr.logged(&["no such unit", unit]), 1, "{unit}");
        }
        let before = host.kill("chain-node-archive@polkadot-assethub");
        host.runs_anew("chain-node-archive@polkadot-assethub", &before);
    });
}
