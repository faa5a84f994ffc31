//! Delivery by signal-with-start: a missing, closed or terminated workflow heals itself with the next news.

use super::connect::Endpoint;
use crate::agent::{Courier, DeliveryError, Parcel};
use dixmgr_contract::id::{
    ATTRIBUTE_CHAIN, ATTRIBUTE_HOST, ATTRIBUTE_KIND, ATTRIBUTE_PHASE, ATTRIBUTE_SERVICE, MEMO_MARK, TASK_TIMEOUT,
};
use dixmgr_contract::{PhaseName, ServiceSpec};
use dixmgr_decide::Service;
use dixmgr_flows::{ServiceWatchWorkflow, WatchInput};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::time::Duration;
use temporalio_client::errors::WorkflowStartError;
use temporalio_client::tonic::{Code, IntoRequest};
use temporalio_client::{
    Client, RetryOptions, RpcOptions, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowStartOptions,
};
use temporalio_common::MemoValues;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::workflowservice::v1::ResetStickyTaskQueueRequest;
use temporalio_common::search_attributes::{SearchAttributeKey, SearchAttributes};
use tokio::sync::watch;

const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);
const HOST: SearchAttributeKey<String> = SearchAttributeKey::keyword(ATTRIBUTE_HOST);
const SERVICE: SearchAttributeKey<String> = SearchAttributeKey::keyword(ATTRIBUTE_SERVICE);
const KIND: SearchAttributeKey<String> = SearchAttributeKey::keyword(ATTRIBUTE_KIND);
const PHASE: SearchAttributeKey<String> = SearchAttributeKey::keyword(ATTRIBUTE_PHASE);
const CHAIN: SearchAttributeKey<String> = SearchAttributeKey::keyword(ATTRIBUTE_CHAIN);

/// Delivers to the workflows of one namespace.
pub(super) struct TemporalCourier {
    client: Client,
    endpoint: Endpoint,
    /// Whether the search attributes may be used.
    search_attributes: bool,
    /// Why the cluster refused a delivery, as opposed to not taking it now.
    refusal: watch::Sender<Option<String>>,
}

impl TemporalCourier {
    pub(super) fn new(client: Client, endpoint: Endpoint, search_attributes: bool) -> Self {
        Self { client, endpoint, search_attributes, refusal: watch::Sender::new(None) }
    }

    /// Returns when the cluster refuses a delivery, with the reason: what was found out about it no longer holds.
    pub(super) async fn refused(&self) -> String {
        let mut refusal = self.refusal.subscribe();
        if refusal.wait_for(Option::is_some).await.is_err() {
            return std::future::pending().await;
        }
        let reason = refusal.borrow().clone().unwrap_or_default();
        format!("it refuses observations: {reason}")
    }

    fn options(&self, workflow_id: String, spec: &ServiceSpec, phase: Option<PhaseName>) -> WorkflowStartOptions {
        let mut memo = MemoValues::new();
        memo.insert(MEMO_MARK, env!("CARGO_PKG_VERSION").to_owned());
        // The agent retries by itself, with newer news if there is any.
        let rpc = RpcOptions::builder().timeout(DELIVERY_TIMEOUT).retry_options(RetryOptions::no_retries()).build();
        WorkflowStartOptions::new(self.endpoint.task_queue.clone(), workflow_id)
            .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicate)
            .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
            .task_timeout(TASK_TIMEOUT)
            .memo(memo)
            .maybe_search_attributes(self.search_attributes.then(|| attributes(spec, phase)))
            .static_summary(format!("{} ({})", spec.name, spec.unit))
            .rpc_options(rpc)
            .build()
    }
}

fn attributes(spec: &ServiceSpec, phase: Option<PhaseName>) -> SearchAttributes {
    let host = spec.host.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut updates =
        vec![HOST.value_set(host), SERVICE.value_set(spec.name.to_string()), KIND.value_set(spec.kind.clone())];
    if let Some(phase) = phase {
        updates.push(PHASE.value_set(phase.as_str().to_owned()));
    }
    if !spec.chain.is_empty() {
        updates.push(CHAIN.value_set(spec.chain.clone()));
    }
    SearchAttributes::new(updates)
}

/// A dixmgr that was killed is still waited for, for as long as [`super::workers`] grants a sticky queue: not with this.
pub(super) async fn reset_sticky_queue(client: &Client, workflow_id: String) {
    let execution = WorkflowExecution { workflow_id, run_id: String::new() };
    let request =
        ResetStickyTaskQueueRequest { namespace: client.options().namespace.clone(), execution: Some(execution) };
    let mut request = request.into_request();
    request.set_timeout(DELIVERY_TIMEOUT);
    if let Err(status) = client.connection().workflow_service().reset_sticky_task_queue(request).await {
        tracing::debug!("the sticky queue stays: {}", status.message());
    }
}

impl Courier for TemporalCourier {
    fn deliver(&self, parcel: Parcel) -> BoxFuture<'static, Result<(), DeliveryError>> {
        let client = self.client.clone();
        let spec = parcel.observation.spec.clone();
        let published = self.search_attributes.then(|| Service::first_phase(parcel.observation.clone())).flatten();
        let options = self.options(parcel.workflow_id.clone(), &spec, published);
        let input = WatchInput { spec, search_attributes: self.search_attributes, published, state: None };
        let workflow_id = parcel.workflow_id;
        let refusal = self.refusal.clone();
        async move {
            if parcel.inherited {
                reset_sticky_queue(&client, workflow_id).await;
            }
            let delivered = client.signal_with_start_workflow(
                ServiceWatchWorkflow::run,
                input.into(),
                ServiceWatchWorkflow::observe,
                parcel.observation.into(),
                options,
            );
            delivered.await.map(|_| ()).map_err(|error| {
                if let WorkflowStartError::Rpc(status) = &error
                    && matches!(status.code(), Code::InvalidArgument | Code::NotFound | Code::PermissionDenied)
                {
                    refusal.send_replace(Some(status.message().to_owned()));
                }
                DeliveryError(error.to_string())
            })
        }
        .boxed()
    }
}
