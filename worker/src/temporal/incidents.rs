//! Open incidents hear of the configuration that this dixmgr was started with: who is told of what goes on, from now on.

use super::connect::Endpoint;
use dixmgr_bind::open_workflows;
use dixmgr_contract::AlertPolicy;
use dixmgr_contract::incident::INCIDENT_WORKFLOW;
use dixmgr_flows::IncidentWorkflow;
use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::{Client, WorkflowSignalOptions};

/// Tells them; whether all of them have heard it. One that cannot be told goes on as it was begun, which is no harm until the next try.
///
/// Each signal is some events in an incident's history, also of what it knows already: once it was heard, it need not be said again.
pub(super) async fn configure(client: &Client, endpoint: &Endpoint, policy: &AlertPolicy) -> bool {
    let open = match open_workflows(client, INCIDENT_WORKFLOW, &endpoint.prefix).await {
        Ok(open) => open,
        Err(error) => {
            tracing::debug!("open incidents are not configured anew: {error}");
            return false;
        }
    };
    let mut heard = true;
    for id in open {
        let incident = client.get_workflow_handle::<IncidentWorkflow>(id.clone());
        let options = WorkflowSignalOptions::default();
        match incident.signal(IncidentWorkflow::configure, policy.clone().into(), options).await {
            // Over by now.
            Ok(()) | Err(WorkflowInteractionError::NotFound(_)) => {}
            Err(error) => {
                heard = false;
                tracing::debug!(workflow = id, "not configured anew: {error}");
            }
        }
    }
    heard
}
