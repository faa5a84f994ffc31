//! Signals and questions to workflows by their ids, from inside activities; and which workflows are open.

use dixmgr_contract::alert::Silence;
use dixmgr_contract::id::QUERY_SILENCES;
use dixmgr_contract::incident::INCIDENT_WORKFLOW;
use dixmgr_contract::plan::{FannedOut, FleetPlan, INFRASTRUCTURE_ID, PAGE, PlanQuery, QUERY_PLAN};
use dixmgr_contract::{HostName, IncidentStart};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use temporalio_client::errors::{ClientError, WorkflowInteractionError, WorkflowQueryError};
use temporalio_client::{
    Client, UntypedQuery, UntypedSignal, UntypedWorkflow, WorkflowListOptions, WorkflowQueryOptions,
    WorkflowSignalOptions, WorkflowStartOptions,
};
use temporalio_common::data_converters::{PayloadConverter, RawValue};

/// Signals sent at a time.
const PARALLEL: usize = 16;

/// Why something could not be said or asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostError {
    /// There is no such workflow, or it has ended.
    #[error("there is no workflow {0}")]
    NoWorkflow(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// What came of many signals.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    sent: u32,
    /// There is no such workflow.
    nobody: u32,
    failed: u32,
}

impl Tally {
    /// How many could not be told; a workflow that does not exist needs no telling.
    pub(crate) const fn missed(self) -> u32 {
        self.failed
    }
}

impl From<Tally> for FannedOut {
    fn from(tally: Tally) -> Self {
        Self { done: tally.sent, failed: tally.nobody + tally.failed }
    }
}

/// The ids of the open workflows of a type, sorted, as the visibility store knows them: one of the last second may be missing.
/// `prefix` is that of a dry run, or nothing: those of the other family are left out.
///
/// # Errors
/// They cannot be listed.
pub async fn open_workflows(client: &Client, kind: &str, prefix: &str) -> Result<Vec<String>, ClientError> {
    let query = format!("ExecutionStatus = 'Running' AND WorkflowType = '{kind}'");
    let found = client.list_workflows(query, WorkflowListOptions::default());
    let mut ids: Vec<_> = found.map_ok(|workflow| workflow.id().to_owned()).try_collect().await?;
    ids.retain(|id| id.starts_with(&format!("{prefix}wf.")));
    ids.sort();
    Ok(ids)
}

/// Speaks to workflows.
pub(crate) struct Post(Client);

impl Post {
    pub(crate) const fn new(client: Client) -> Self {
        Self(client)
    }

    pub(crate) async fn signal(
        &self,
        workflow_id: &str,
        signal: &str,
        argument: &(impl Serialize + Sync + 'static),
    ) -> Result<(), PostError> {
        let handle = self.0.get_workflow_handle::<UntypedWorkflow>(workflow_id.to_owned());
        let argument = RawValue::from_value(argument, &PayloadConverter::default());
        let sent = handle.signal(UntypedSignal::new(signal), argument, WorkflowSignalOptions::default()).await;
        sent.map_err(|error| match error {
            WorkflowInteractionError::NotFound(_) => PostError::NoWorkflow(workflow_id.to_owned()),
            error => PostError::Failed(format!("{workflow_id}: {error}")),
        })
    }

    /// The same signal to many.
    pub(crate) async fn signal_each(
        &self,
        workflow_ids: &[String],
        signal: &str,
        argument: &(impl Serialize + Sync + 'static),
    ) -> Tally {
        let signals: Vec<_> = workflow_ids.iter().map(|id| self.signal(id, signal, argument).boxed()).collect();
        let results = stream::iter(signals).buffer_unordered(PARALLEL);
        let count = |mut tally: Tally, result: Result<(), PostError>| {
            match result {
                Ok(()) => tally.sent += 1,
                Err(PostError::NoWorkflow(_)) => tally.nobody += 1,
                Err(PostError::Failed(_)) => tally.failed += 1,
            }
            std::future::ready(tally)
        };
        results.fold(Tally::default(), count).await
    }

    /// Signals an incident, which begins with that if it is not open.
    pub(crate) async fn begin(
        &self,
        start: &IncidentStart,
        signal: &str,
        argument: &(impl Serialize + Sync + 'static),
        options: WorkflowStartOptions,
    ) -> Result<(), PostError> {
        let converter = PayloadConverter::default();
        let (input, argument) = (RawValue::from_value(start, &converter), RawValue::from_value(argument, &converter));
        let workflow = UntypedWorkflow::new(INCIDENT_WORKFLOW);
        let begun = self.0.signal_with_start_workflow(workflow, input, UntypedSignal::new(signal), argument, options);
        begun.await.map(|_| ()).map_err(|error| PostError::Failed(format!("{}: {error}", start.spec.fingerprint)))
    }

    /// What is silenced in the fleet.
    pub(crate) async fn silences(&self, prefix: &str) -> Result<Vec<Silence>, PostError> {
        self.query(&format!("{prefix}{INFRASTRUCTURE_ID}"), QUERY_SILENCES, &()).await
    }

    /// The incidents that are open.
    pub(crate) async fn open_incidents(&self, prefix: &str) -> Result<Vec<String>, PostError> {
        let open = open_workflows(&self.0, INCIDENT_WORKFLOW, prefix).await;
        open.map_err(|error| PostError::Failed(error.to_string()))
    }

    /// The workflows of a host's services, as the registry knows them. `prefix` is that of a dry run, or nothing.
    pub(crate) async fn services_of(&self, prefix: &str, host: &HostName) -> Result<Vec<String>, PostError> {
        let (mut ids, mut offset) = (Vec::new(), 0);
        loop {
            let query = PlanQuery { host: Some(host.clone()), offset, limit: PAGE };
            let page = match self.query::<FleetPlan>(&format!("{prefix}{INFRASTRUCTURE_ID}"), QUERY_PLAN, &query).await
            {
                // Without a registry nobody has told it of services.
                Err(PostError::NoWorkflow(_)) => return Ok(ids),
                page => page?,
            };
            ids.extend(page.services.into_iter().map(|one| one.service.workflow_id));
            match page.next {
                Some(next) if next > offset => offset = next,
                _ => return Ok(ids),
            }
        }
    }

    async fn query<T: DeserializeOwned>(
        &self,
        workflow_id: &str,
        query: &str,
        argument: &(impl Serialize + Sync + 'static),
    ) -> Result<T, PostError> {
        let handle = self.0.get_workflow_handle::<UntypedWorkflow>(workflow_id.to_owned());
        let argument = RawValue::from_value(argument, &PayloadConverter::default());
        let answer = handle.query(UntypedQuery::new(query), argument, WorkflowQueryOptions::default()).await;
        let answer = answer.map_err(|error| match error {
            WorkflowQueryError::NotFound(_) => PostError::NoWorkflow(workflow_id.to_owned()),
            error => PostError::Failed(format!("{workflow_id}: {error}")),
        })?;
        let data = answer.payloads.first().map(|payload| payload.data.as_slice()).unwrap_or_default();
        serde_json::from_slice(data).map_err(|error| PostError::Failed(format!("{workflow_id}: {error}")))
    }
}
