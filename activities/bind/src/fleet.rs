//! The activities of the fleet's queue: any host may do them.

// The macro generates undocumented constants beside each activity.
#![allow(missing_docs)]

use crate::call::Call;
use crate::unit::failure;
use dixmgr_contract::Subscribe;
use dixmgr_contract::activity::Subscription;
use dixmgr_contract::id::SIGNAL_SUBSCRIBE;
use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::{UntypedSignal, UntypedWorkflow, WorkflowSignalOptions};
use temporalio_common::data_converters::{PayloadConverter, RawValue};
use temporalio_macros::activities;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

/// The type of the failure that says that there is no such workflow.
const NO_WORKFLOW: &str = "NoWorkflow";

/// What any host does for the fleet.
#[derive(Clone, Copy, Debug, Default)]
pub struct FleetActivities;

#[activities]
impl FleetActivities {
    /// Subscribes a workflow to the readiness of a service. One that does not exist yet is tried again by Temporal.
    #[activity(name = "SubscribeActivity")]
    pub async fn subscribe(ctx: ActivityContext, call: Call<Subscription>) -> Result<(), ActivityError> {
        let Subscription { to, subscriber } = call.read().map_err(failure)?;
        let service = ctx.client().get_workflow_handle::<UntypedWorkflow>(to.clone());
        let argument = RawValue::from_value(&Subscribe { workflow_id: subscriber }, &PayloadConverter::default());
        let told =
            service.signal(UntypedSignal::new(SIGNAL_SUBSCRIBE), argument, WorkflowSignalOptions::default()).await;
        told.map_err(|error| {
            let kind = match &error {
                WorkflowInteractionError::NotFound(_) => NO_WORKFLOW,
                _ => "Unexpected",
            };
            let text = std::io::Error::other(format!("{to}: {error}"));
            ActivityError::application(ApplicationFailure::builder(text).type_name(kind.to_owned()).build())
        })
    }
}
