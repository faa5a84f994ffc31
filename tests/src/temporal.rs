//! What a test sees of the workflows: through the SDK's client, and through the `temporal` CLI as people use it.

use crate::server::NAMESPACE;
use crate::{wait_for, wait_until};
use dixmgr_contract::{PhaseName, ServiceStatus};
use dixmgr_flows::ServiceWatchWorkflow;
use futures_util::StreamExt;
use serde_json::Value;
use std::process::{Command, Output};
use std::time::Duration;
use temporalio_client::tonic::IntoRequest;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, RetryOptions, RpcOptions, UntypedSignal, UntypedUpdate,
    UntypedWorkflow, Url, WorkflowExecuteUpdateOptions, WorkflowExecutionStatus, WorkflowFetchHistoryOptions,
    WorkflowListOptions, WorkflowQueryOptions, WorkflowSignalOptions,
};
use temporalio_common::data_converters::{PayloadConverter, RawValue};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::{PendingActivityState, TaskQueueType};
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeTaskQueueRequest, ResetStickyTaskQueueRequest,
};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const RPC_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to the server, with the calls that tests make.
pub struct Temporal {
    address: String,
    runtime: Runtime,
    client: Client,
}

/// A run of a workflow, as the visibility store shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// Its workflow id.
    pub id: String,
    /// Its task queue.
    pub queue: String,
    /// True while it is open.
    pub is_running: bool,
    /// How it stands, in Temporal's word.
    pub status: String,
}

impl Temporal {
    /// Connects to dixmgr's namespace of the server at `host:port`.
    #[track_caller]
    pub fn connect(address: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = Url::parse(&format!("http://{address}")).unwrap();
        let client = wait_for("a connection to Temporal", || {
            let options = ConnectionOptions::new(url.clone()).identity("a test".to_owned()).build();
            let connection = runtime.block_on(Connection::connect(options)).ok()?;
            Client::new(connection, ClientOptions::new(NAMESPACE.to_owned()).build()).ok()
        });
        Self { address: address.to_owned(), runtime, client }
    }

    /// For tests that speak to the SDK themselves.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Work that goes on beside the test, for as long as this connection lives.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.runtime.spawn(work)
    }

    /// Waits until somebody of that identity polls a queue for activities.
    #[track_caller]
    pub fn wait_poller(&self, queue: &str, identity: &str) {
        let ask = DescribeTaskQueueRequest {
            namespace: NAMESPACE.to_owned(),
            task_queue: Some(TaskQueue { name: queue.to_owned(), ..TaskQueue::default() }),
            task_queue_type: TaskQueueType::Activity.into(),
            ..DescribeTaskQueueRequest::default()
        };
        wait_until(&format!("{identity} polls {queue}"), || {
            let mut service = self.client.connection().workflow_service();
            let seen = self.runtime.block_on(service.describe_task_queue(ask.clone().into_request()));
            seen.is_ok_and(|seen| seen.into_inner().pollers.iter().any(|poller| poller.identity == identity))
        });
    }

    /// The answer of the query `status`; `None` if there is none at the moment.
    pub fn status(&self, id: &str) -> Option<ServiceStatus> {
        let rpc = RpcOptions::builder().timeout(RPC_TIMEOUT).retry_options(RetryOptions::no_retries()).build();
        let options = WorkflowQueryOptions::builder().rpc_options(rpc).build();
        let handle = self.client.get_workflow_handle::<ServiceWatchWorkflow>(id.to_owned());
        self.runtime.block_on(handle.query(ServiceWatchWorkflow::status, (), options)).ok()
    }

    /// Waits until the status is as `is` wants it; it is the answer.
    #[track_caller]
    pub fn wait_status(&self, id: &str, what: &str, mut is: impl FnMut(&ServiceStatus) -> bool) -> ServiceStatus {
        let mut last = None;
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for(&format!("{id} {what}"), || {
                last = self.status(id);
                last.clone().filter(&mut is)
            })
        }));
        found.unwrap_or_else(|panic| {
            eprintln!("the last status of {id}: {last:?}");
            std::panic::resume_unwind(panic)
        })
    }

    /// Waits until the service is in this phase; its status is the answer.
    #[track_caller]
    pub fn wait_phase(&self, id: &str, phase: PhaseName) -> ServiceStatus {
        self.wait_status(id, &format!("is {phase}"), |status| status.phase == phase)
    }

    /// A workflow's tasks go to whoever takes them, and do not wait for a worker first that is dead now.
    pub fn forget_worker(&self, id: &str) {
        let execution = Some(WorkflowExecution { workflow_id: id.to_owned(), run_id: String::new() });
        let request = ResetStickyTaskQueueRequest { namespace: NAMESPACE.to_owned(), execution };
        let mut service = self.client.connection().workflow_service();
        // There may be no such workflow yet.
        let _ = self.runtime.block_on(service.reset_sticky_task_queue(request.into_request()));
    }

    /// The events of the workflow's newest run, the first one first; empty if there is none.
    pub fn history(&self, id: &str) -> Vec<HistoryEvent> {
        let handle = self.client.get_workflow_handle::<UntypedWorkflow>(id.to_owned());
        let events = handle.fetch_history(WorkflowFetchHistoryOptions::default()).into_events();
        self.runtime.block_on(events).unwrap_or_default()
    }

    /// How many activities of this type the workflow's newest run has scheduled.
    pub fn scheduled(&self, id: &str, activity: &str) -> usize {
        let is_it = |event: &HistoryEvent| match &event.attributes {
            Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => {
                scheduled.activity_type.as_ref().is_some_and(|kind| kind.name == activity)
            }
            _ => false,
        };
        self.history(id).iter().filter(|event| is_it(event)).count()
    }

    /// True if a worker has begun an activity of this type that has not ended.
    pub fn is_taken(&self, id: &str, activity: &str) -> bool {
        let handle = self.client.get_workflow_handle::<UntypedWorkflow>(id.to_owned());
        let Ok(seen) = self.runtime.block_on(handle.describe(Default::default())) else { return false };
        seen.raw().pending_activities.iter().any(|one| {
            let kind = one.activity_type.as_ref().is_some_and(|kind| kind.name == activity);
            kind && one.state() == PendingActivityState::Started
        })
    }

    /// How many signals of this name the workflow's newest run has received.
    pub fn signals(&self, id: &str, signal: &str) -> usize {
        let is_it = |event: &HistoryEvent| match &event.attributes {
            Some(Attributes::WorkflowExecutionSignaledEventAttributes(signaled)) => signaled.signal_name == signal,
            _ => false,
        };
        self.history(id).iter().filter(|event| is_it(event)).count()
    }

    /// Sends a signal with one JSON argument.
    #[track_caller]
    pub fn signal(&self, id: &str, signal: &str, argument: &Value) {
        let handle = self.client.get_workflow_handle::<UntypedWorkflow>(id.to_owned());
        let argument = RawValue::from_value(argument, &PayloadConverter::default());
        let sent = handle.signal(UntypedSignal::new(signal), argument, WorkflowSignalOptions::default());
        self.runtime.block_on(sent).unwrap();
    }

    /// Asks for an update with one JSON argument, beside the test. Asked for again under the same `key`, it is the same one.
    pub fn update(&self, id: &str, update: &str, argument: &Value, key: &str) -> JoinHandle<()> {
        let handle = self.client.get_workflow_handle::<UntypedWorkflow>(id.to_owned());
        let argument = RawValue::from_value(argument, &PayloadConverter::default());
        let update = UntypedUpdate::new(update);
        let options = WorkflowExecuteUpdateOptions::builder().update_id(key.to_owned()).build();
        self.spawn(async move {
            // What comes of it the workflow shows.
            let _ = handle.execute_update(update, argument, options).await;
        })
    }

    /// The answer of a query, as the `temporal` CLI has it.
    #[track_caller]
    pub fn query(&self, id: &str, query: &str) -> Value {
        self.try_query(id, query).unwrap_or_else(|| panic!("{id} does not answer {query}"))
    }

    /// The same; `None` if there is no answer at the moment.
    pub fn try_query(&self, id: &str, query: &str) -> Option<Value> {
        let asked = self.try_cli(&["workflow", "query", "--workflow-id", id, "--name", query, "--output", "json"]);
        let answer: Value = serde_json::from_slice(&asked.stdout).ok()?;
        answer["queryResult"].get(0).cloned()
    }

    /// The result of a workflow, once it has ended.
    #[track_caller]
    pub fn result(&self, id: &str) -> Value {
        let text = self.cli(&["workflow", "result", "--workflow-id", id, "--output", "json"]);
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["result"].clone()
    }

    /// Every run of the workflows of services, waits and clusters. The visibility store may be a little late.
    pub fn workflows(&self) -> Vec<Workflow> {
        let of_others = |id: &str| id.contains("wf.host.") || id.contains("wf.incident.") || id.ends_with("wf.infra");
        self.all_workflows().into_iter().filter(|one| !of_others(&one.id)).collect()
    }

    /// Every run of every workflow.
    pub fn all_workflows(&self) -> Vec<Workflow> {
        let list = self.client.list_workflows(String::new(), WorkflowListOptions::builder().build());
        let all = self.runtime.block_on(list.collect::<Vec<_>>());
        let known = all.into_iter().filter_map(Result::ok);
        known
            .map(|one| Workflow {
                id: one.id().to_owned(),
                queue: one.task_queue().to_owned(),
                is_running: one.status() == WorkflowExecutionStatus::Running,
                status: format!("{:?}", one.status()),
            })
            .collect()
    }

    /// Waits until the workflow is open.
    #[track_caller]
    pub fn wait_open(&self, id: &str) {
        wait_until(&format!("{id} is open"), || self.workflows().iter().any(|one| one.id == id && one.is_running));
    }

    /// Runs the `temporal` CLI against the server.
    pub fn try_cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("temporal");
        command.args(arguments).args(["--address", &self.address, "--namespace", NAMESPACE, "--color", "never"]);
        command.output().unwrap()
    }

    /// Runs the `temporal` CLI against the server; it must succeed.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = self.try_cli(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "temporal {arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }
}
