//! Workflows of the Go version under our ids: never touched unasked.

use super::{API, WF_API, api_runs};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Launch, Sandbox, TemporalServer, in_sandbox};

#[test]
fn running_workflows_of_the_go_version_are_refused_and_taken_over_on_demand() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let temporal = server.connect();
        let words = ["workflow", "start", "--type", "ServiceWatchWorkflow", "--task-queue", "dotidx-watcher"];
        let theirs = r#"{"Name":"x","SystemdUnit":"x.service"}"#;
        temporal.cli(&[&words[..], &["--workflow-id", WF_API, "--input", theirs]].concat());
        temporal.wait_open(WF_API);
        let refused = Launch::exec(host, API).run();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(69), "{said}");
        assert!(said.contains(WF_API) && said.contains("-take-over"), "{said}");
        temporal.wait_open(WF_API);

        let _dixmgr = Launch::exec(host, API).argument("-take-over").start();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let runs = temporal.workflows();
        assert!(runs.iter().any(|run| run.id == WF_API && run.status == "Terminated"), "{runs:?}");
        let before = host.kill("api");
        host.runs_anew("api", &before);
    });
}

#[test]
fn a_workflow_that_a_person_started_by_hand_is_ours() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let temporal = server.connect();
        let words = ["workflow", "start", "--type", "ServiceWatchWorkflow", "--task-queue", "dotidx-watcher"];
        let ours = r#"{"name":"api","unit":"api.service"}"#;
        temporal.cli(&[&words[..], &["--workflow-id", WF_API, "--input", ours]].concat());
        temporal.wait_open(WF_API);
        let _dixmgr = Launch::exec(host, API).start();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        assert_eq!(temporal.workflows().len(), 1, "the same run goes on");
        let before = host.kill("api");
        host.runs_anew("api", &before);
    });
}
