//! Open incidents hear of the configuration that this dixmgr was started with: who is told of what goes on, from now on.

use super::connect::Endpoint;
use dixmgr_contract::AlertPolicy;
use dixmgr_contract::id::prefix_of;
use dixmgr_contract::incident::INCIDENT_WORKFLOW;
use dixmgr_flows::IncidentWorkflow;
use futures_util::StreamExt;
use temporalio_client::{Client, WorkflowListOptions, WorkflowSignalOptions};

/// Tells them. One that cannot be told goes on as it was begun, which is no harm: it is tried with the next start.
pub(super) async fn configure(client: &Client, endpoint: &Endpoint, policy: &AlertPolicy) {
    let query = format!("ExecutionStatus = 'Running' AND WorkflowType = '{INCIDENT_WORKFLOW}'");
    let mut open = client.list_workflows(query, WorkflowListOptions::default());
    while let Some(Ok(workflow)) = open.next().await {
        let id = workflow.id();
        if prefix_of(id) != endpoint.prefix {
            continue;
        }
        let incident = client.get_workflow_handle::<IncidentWorkflow>(id.to_owned());
        let options = WorkflowSignalOptions::default();
        if let Err(error) = incident.signal(IncidentWorkflow::configure, policy.clone().into(), options).await {
            tracing::debug!(workflow = id, "not configured anew: {error}");
        }
    }
}
