//! The lease of a host's name that gets lost on its way.

use super::{SLEEP, hosts::status};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Launch, NAMESPACE, Sandbox, Temporal, TemporalServer, in_sandbox, wait_until};
use temporalio_client::tonic::IntoRequest;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    PollActivityTaskQueueRequest, RecordActivityTaskHeartbeatRequest,
};
use tokio::task::JoinHandle;
use tokio::time::{Duration, interval};

/// Somebody who takes one task of a queue and beats for it for ever, but does not do it.
fn thief(temporal: &Temporal, queue: &str) -> JoinHandle<()> {
    let mut service = temporal.client().connection().workflow_service();
    let task_queue = Some(TaskQueue { name: queue.to_owned(), ..TaskQueue::default() });
    let poll = PollActivityTaskQueueRequest {
        namespace: NAMESPACE.to_owned(),
        task_queue,
        identity: "a thief".to_owned(),
        ..PollActivityTaskQueueRequest::default()
    };
    temporal.spawn(async move {
        let task_token = service.poll_activity_task_queue(poll.into_request()).await.unwrap().into_inner().task_token;
        let mut beats = interval(Duration::from_millis(500));
        loop {
            beats.tick().await;
            let beat = RecordActivityTaskHeartbeatRequest {
                namespace: NAMESPACE.to_owned(),
                task_token: task_token.clone(),
                ..RecordActivityTaskHeartbeatRequest::default()
            };
            let _ = service.record_activity_task_heartbeat(beat.into_request()).await;
        }
    })
}

#[test]
fn a_lease_that_went_to_nobody_is_asked_for_again() {
    in_sandbox(Sandbox::UserManager, |host| {
        host.install([("api.service", SLEEP)]);
        host.start(&["api"]);
        let server = TemporalServer::start();
        let temporal = server.connect();
        let thief = thief(&temporal, "dotidx-watcher@alpha/lease");
        temporal.wait_poller("dotidx-watcher@alpha/lease", "a thief");
        let services = "[hosts]\nlease_timeout = \"2s\"\n[services.api]\nunit = \"api.service\"\n";
        let dixmgr = Launch::exec(host, services).start();
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        dixmgr.wait_logged(&["the host's lease has not come", "alpha"]);
        assert!(!thief.is_finished(), "it still has the first one");
        wait_until("it is held", || status(&temporal, "alpha")["phase"] == "held");
        assert_eq!(status(&temporal, "alpha")["lost_count"], 0);
        assert_eq!(dixmgr.logged(&["cannot be reached"]), 0, "the session goes on");
    });
}
