//! Open incidents hear of the configuration that this dixmgr was started with: who is told of what goes on, from now on.

use super::connect::Endpoint;
use dixmgr_bind::open_workflows;
use dixmgr_contract::AlertPolicy;
use dixmgr_contract::incident::INCIDENT_WORKFLOW;
use dixmgr_flows::IncidentWorkflow;
use temporalio_client::{Client, WorkflowSignalOptions};

/// Tells them. One that cannot be told goes on as it was begun, which is no harm: it is tried with the next start.
pub(super) async fn configure(client: &Client, endpoint: &Endpoint, policy: &AlertPolicy) {
    let open = match open_workflows(client, INCIDENT_WORKFLOW, &endpoint.prefix).await {
        Ok(open) => open,
        Err(error) => return tracing::debug!("open incidents are not configured anew: {error}"),
    };
    for id in open {
        let incident = client.get_workflow_handle::<IncidentWorkflow>(id.clone());
        let options = WorkflowSignalOptions::default();
        if let Err(error) = incident.signal(IncidentWorkflow::configure, policy.clone().into(), options).await {
            tracing::debug!(workflow = id, "not configured anew: {error}");
        }
    }
}
