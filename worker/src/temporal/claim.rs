//! Asking for the host's name: before anything else is done under it, and again when somebody has ended the lease.

use super::SessionError;
use super::connect::Endpoint;
use super::courier::reset_sticky_queue;
use dixmgr_contract::HostName;
use dixmgr_contract::host::{Claim, ClaimAnswer, host_workflow_id};
use dixmgr_contract::id::MEMO_MARK;
use dixmgr_flows::{HostInput, HostWorkflow};
use std::time::Duration;
use temporalio_client::{Client, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowUpdateWithStartOptions};
use temporalio_common::MemoValues;

/// How long the answer may take, with this host's own worker there to give it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks for the name of this host.
///
/// # Errors
/// Refused, with the reason, or no answer.
pub(super) async fn claim(
    client: &Client,
    endpoint: &Endpoint,
    host: &HostName,
    claim: &Claim,
) -> Result<ClaimAnswer, SessionError> {
    let id = format!("{}{}", endpoint.prefix, host_workflow_id(host));
    // Whoever ran it last may be dead, and would be waited for.
    reset_sticky_queue(client, id.clone()).await;
    let mut memo = MemoValues::new();
    memo.insert(MEMO_MARK, env!("CARGO_PKG_VERSION").to_owned());
    let options =
        WorkflowUpdateWithStartOptions::new(endpoint.task_queue.clone(), id, WorkflowIdConflictPolicy::UseExisting)
            .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicate)
            .memo(memo)
            .static_summary(format!("host {host}"))
            .build();
    let input = HostInput { host: host.clone(), state: None };
    let asked = client.execute_update_with_start_workflow(
        HostWorkflow::run,
        input.into(),
        HostWorkflow::claim,
        claim.clone().into(),
        options,
    );
    let answer = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(SessionError::Unreachable(format!("the host's name cannot be had: {error}"))),
        Err(_) => {
            return Err(SessionError::Unreachable(format!("no answer about the host's name within {PATIENCE:?}")));
        }
    };
    if answer.granted { Ok(answer) } else { Err(SessionError::Refused(answer.reason)) }
}
