//! A workflow that begins anew after an incident, with a short history and the same memory.

use super::{API, WF_API, api_runs};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Launch, Sandbox, TemporalServer, in_sandbox, wait_until};

#[test]
fn a_service_that_is_healthy_again_continues_in_a_new_run_and_forgets_nothing() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, &format!("{API}\nrestart.reset_after = \"1s\"")).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        for total in 1..=2 {
            let before = host.kill("api");
            host.runs_anew("api", &before);
            wait_until("a run has continued as new", || {
                let runs = temporal.workflows();
                let continued = runs.iter().filter(|run| run.status == "ContinuedAsNew").count();
                continued == total && runs.iter().filter(|run| run.is_running).count() == 1
            });
            let status = temporal.wait_phase(WF_API, PhaseName::Healthy);
            assert_eq!(status.restarts.total, total as u64);
            assert!(status.last_failure.is_some());
        }
        let short = temporal.history(WF_API).len();
        assert!(short <= 12, "a quiet run is a handful of events, not {short}");
        for name in ["pause", "resume", "restart"] {
            temporal.cli(&["workflow", "update", "execute", "--workflow-id", WF_API, "--name", name]);
        }
        let closed = [("workflow", "ServiceWatchWorkflow"), ("status", "continued")];
        assert_eq!(dixmgr.metric("dixmgr_workflow_executions_total", &closed), Some(2.0));
    });
}
