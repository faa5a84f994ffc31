//! Two builds of dixmgr on one task queue: a fleet is upgraded host by host, and back.
//!
//! `DIXMGR_OTHER` names another build (`scripts/upgrade.sh REVISION` makes one, and runs this); without it both are the
//! same, and what is left of the test is a fleet whose dixmgrs are replaced one after the other.

use super::{SLEEP, commands};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Host, Launch, Sandbox, Temporal, TemporalServer, binary, in_sandbox, wait_until};
use std::path::PathBuf;

const FLEET: &str = "
[services.db]
unit = \"db.service\"
host = \"alpha\"
[services.api]
unit = \"api.service\"
host = \"beta\"
after = [\"db\"]
[services.web]
unit = \"web.service\"
host = \"beta\"
after = [\"api\"]
[clusters.all]
members = [\"db\", \"api\", \"web\"]
quorum = 1
";

fn other() -> PathBuf {
    std::env::var_os("DIXMGR_OTHER").map_or_else(binary, PathBuf::from)
}

/// Each service dies and is restarted, is told to and does, whoever works on its workflow.
fn all_goes_well(host: &Host, temporal: &Temporal) {
    for service in ["db", "api", "web"] {
        let before = host.kill(service);
        host.runs_anew(service, &before);
        temporal.wait_phase(&format!("wf.svc.{service}"), PhaseName::Healthy);
    }
    let before = host.invocation("db");
    commands::text(&["restart", "db"]);
    assert_ne!(host.invocation("db"), before);
    wait_until("the cluster has heard of it", || {
        temporal.try_query("wf.cluster.all", "status").is_some_and(|status| status["ready"] == 3)
    });
}

#[test]
fn a_fleet_is_upgraded_host_by_host_and_back() {
    in_sandbox(Sandbox::UserManager, |host| {
        host.install([("db.service", SLEEP), ("api.service", SLEEP), ("web.service", SLEEP)]);
        let server = TemporalServer::start();
        let launch = |name, build: PathBuf| Launch::exec(host, FLEET).on_host(name).built_as(build);
        let (alpha, beta) = (launch("alpha", other()).start(), launch("beta", other()).start());
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        all_goes_well(host, &temporal);
        let run = host.invocation("db");
        alpha.terminate();
        let alpha = launch("alpha", binary()).start();
        assert_eq!(host.invocation("db"), run, "an upgrade touches no unit");
        all_goes_well(host, &temporal);
        beta.terminate();
        let _beta = launch("beta", binary()).start();
        all_goes_well(host, &temporal);
        // And the way back, should the new one be no good.
        alpha.terminate();
        let _alpha = launch("alpha", other()).start();
        all_goes_well(host, &temporal);
        for service in ["db", "api", "web"] {
            let runs = temporal.workflows().into_iter().filter(|one| one.id == format!("wf.svc.{service}"));
            assert!(
                runs.clone().all(|one| one.status != "Failed" && one.status != "Terminated"),
                "{:?}",
                runs.collect::<Vec<_>>()
            );
        }
    });
}
