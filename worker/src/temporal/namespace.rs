//! The namespace and its search attributes: checked at start, made where that is asked for.

use super::SessionError;
use super::connect::Endpoint;
use dixmgr_contract::id::SEARCH_ATTRIBUTES;
use std::time::{Duration, Instant};
use temporalio_client::tonic::{Code, IntoRequest};
use temporalio_client::{Client, RegisterNamespaceOptions, WorkflowCountOptions};
use temporalio_common::protos::temporal::api::enums::v1::IndexedValueType;
use temporalio_common::protos::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, ListSearchAttributesRequest,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, RegisterNamespaceRequest,
};

/// How long closed runs of a namespace that we make can be looked at.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);
/// A new namespace is usable when all frontends have heard of it.
const USABLE_WITHIN: Duration = Duration::from_secs(30);

/// Makes sure that the namespace is there.
pub(super) async fn ensure(client: &Client, endpoint: &Endpoint) -> Result<(), SessionError> {
    let mut service = client.connection().workflow_service();
    let describe = DescribeNamespaceRequest { namespace: endpoint.namespace.clone(), ..Default::default() };
    match service.describe_namespace(describe.into_request()).await {
        Ok(_) => return Ok(()),
        Err(status) if status.code() == Code::NotFound && endpoint.create_namespace => {}
        Err(status) if status.code() == Code::NotFound => {
            return Err(SessionError::Refused(format!(
                "Temporal at {address} has no namespace {name:?}; make it with `temporal operator namespace create --address {address} {name}`, \
                 or let dixmgr do so with -create-namespace, or name another with -temporal-namespace",
                address = endpoint.address,
                name = endpoint.namespace
            )));
        }
        Err(status) => return Err(status.into()),
    }
    let register: RegisterNamespaceRequest = RegisterNamespaceOptions::builder()
        .namespace(&endpoint.namespace)
        .description("made by dixmgr")
        .workflow_execution_retention_period(RETENTION)
        .build()
        .into();
    match service.register_namespace(register.into_request()).await {
        Ok(_) => tracing::info!(namespace = endpoint.namespace, "namespace created"),
        Err(status) if status.code() == Code::AlreadyExists => {}
        Err(status) => return Err(status.into()),
    }
    usable(client).await
}

async fn usable(client: &Client) -> Result<(), SessionError> {
    let deadline = Instant::now() + USABLE_WITHIN;
    loop {
        match client.count_workflows("", WorkflowCountOptions::default()).await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(SessionError::Unreachable(error.to_string())),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Registers the search attributes where that is permitted; says whether all may be used.
pub(super) async fn search_attributes(client: &Client, endpoint: &Endpoint) -> bool {
    let mut operator = client.connection().operator_service();
    let attributes =
        SEARCH_ATTRIBUTES.iter().map(|name| ((*name).to_owned(), IndexedValueType::Keyword as i32)).collect();
    let add = AddSearchAttributesRequest { namespace: endpoint.namespace.clone(), search_attributes: attributes };
    let added = operator.add_search_attributes(add.into_request()).await;
    let list = ListSearchAttributesRequest { namespace: endpoint.namespace.clone() };
    let usable = match operator.list_search_attributes(list.into_request()).await {
        Ok(listed) => {
            let known = listed.into_inner().custom_attributes;
            SEARCH_ATTRIBUTES.iter().all(|name| known.contains_key(*name))
        }
        Err(_) => false,
    };
    if !usable {
        let reason = added.err().map(|status| status.message().to_owned()).unwrap_or_default();
        tracing::warn!(
            reason,
            "search attributes are not used; an administrator can add DixHost, DixService, DixKind, DixChain, DixPhase, DixSeverity as Keyword"
        );
    }
    usable
}
