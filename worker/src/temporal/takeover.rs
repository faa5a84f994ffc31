//! Workflows of the Go version that hold our ids.
//!
//! They run under the same type names and on the same queue, so our worker would be handed their histories and could not
//! replay them. They are recognised by what they lack: our mark in the memo, and an input that is ours.

use super::SessionError;
use super::connect::Endpoint;
use dixmgr_contract::id::MEMO_MARK;
use dixmgr_flows::WatchInput;
use std::collections::BTreeSet;
use temporalio_client::tonic::IntoRequest;
use temporalio_client::{Client, UntypedWorkflow, WorkflowTerminateOptions};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    ListWorkflowExecutionsRequest, ListWorkflowExecutionsResponse,
};

/// Workflows that are asked for at a time.
const PAGE: i32 = 100;

/// The workflows that are open under our ids, once it is sure that all of them are ours.
pub(super) async fn open_workflows(
    client: &Client,
    endpoint: &Endpoint,
    ours: &BTreeSet<String>,
) -> Result<BTreeSet<String>, SessionError> {
    let mut open = BTreeSet::new();
    let mut foreign = Vec::new();
    let query = format!("ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH '{}wf.'", endpoint.prefix);
    let mut page = Vec::new();
    loop {
        let answer = list(client, endpoint, &query, page).await?;
        for workflow in answer.executions {
            let id = workflow.execution.map(|execution| execution.workflow_id).unwrap_or_default();
            if !ours.contains(&id) {
                continue;
            }
            let marked = workflow.memo.is_some_and(|memo| memo.fields.contains_key(MEMO_MARK));
            if marked || has_our_input(client, &id).await? {
                open.insert(id);
            } else {
                foreign.push(id);
            }
        }
        page = answer.next_page_token;
        if page.is_empty() {
            break;
        }
    }
    if foreign.is_empty() {
        return Ok(open);
    }
    if !endpoint.take_over {
        return Err(SessionError::Refused(refusal(&foreign)));
    }
    for id in foreign {
        tracing::warn!(workflow = id, "terminating a workflow of the Go version");
        let options = WorkflowTerminateOptions::builder().reason("taken over by dixmgr").build();
        let handle = client.get_workflow_handle::<UntypedWorkflow>(id);
        handle.terminate(options).await.map_err(|error| SessionError::Unreachable(error.to_string()))?;
    }
    Ok(open)
}

fn refusal(foreign: &[String]) -> String {
    let shown = foreign.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let more = foreign.len().saturating_sub(5);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "workflows of another program, probably the Go version of dixmgr, run under our ids: {shown}{more}; stop that program, then start \
         dixmgr once with -take-over, which terminates them, or terminate them yourself"
    )
}

/// One page. The client's own list asks for a thousand workflows at a time, some megabytes that the heap never gives back.
async fn list(
    client: &Client,
    endpoint: &Endpoint,
    query: &str,
    page: Vec<u8>,
) -> Result<ListWorkflowExecutionsResponse, SessionError> {
    let request = ListWorkflowExecutionsRequest {
        namespace: endpoint.namespace.clone(),
        page_size: PAGE,
        next_page_token: page,
        query: query.to_owned(),
    };
    let answer = client.connection().workflow_service().list_workflow_executions(request.into_request()).await;
    Ok(answer.map_err(|status| SessionError::Unreachable(status.to_string()))?.into_inner())
}

/// A workflow that a person started by hand has no mark, but an input that we can read.
async fn has_our_input(client: &Client, id: &str) -> Result<bool, SessionError> {
    let handle = client.get_workflow_handle::<UntypedWorkflow>(id.to_owned());
    let events = handle
        .fetch_history(temporalio_client::WorkflowFetchHistoryOptions::default())
        .into_events()
        .await
        .map_err(|error| SessionError::Unreachable(error.to_string()))?;
    let input = events.into_iter().next().and_then(|event| event.attributes);
    let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = input else { return Ok(false) };
    let payload = started.input.and_then(|input| input.payloads.into_iter().next());
    Ok(payload
        .is_some_and(|payload| serde_json::from_slice::<WatchInput>(&payload.data).is_ok() || payload.data == b"{}"))
}
