//! `status`, `restart`, `stop`, `start`, `pause`, `resume`: questions and commands to the services' workflows.
//!
//! They go to Temporal, not to a host, so they work from anywhere. Where to: the flags, else the file, else the dixmgr
//! that runs on this machine.

use super::Output;
use super::print;
use crate::exit::Failure;
use crate::state_dir::{self, Running};
use crate::temporal::{Endpoint, Tls, connect};
use anyhow::{Context, anyhow};
use clap::Args;
use dixmgr_contract::command::CommandArgs;
use dixmgr_contract::{CommandKind, HostName, ServiceStatus};
use dixmgr_flows::ServiceWatchWorkflow;
use dixmgr_flows::wire::Wire;
use futures_util::StreamExt;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use temporalio_client::errors::{WorkflowQueryError, WorkflowUpdateError};
use temporalio_client::{Client, RpcOptions, WorkflowExecuteUpdateOptions, WorkflowHandle, WorkflowQueryOptions};

/// Questions asked at a time.
const PARALLEL: usize = 32;
/// How long an answer may take before it is said that nobody answers.
const QUERY_DEADLINE: Duration = Duration::from_secs(10);
const COMMAND_DEADLINE: Duration = Duration::from_secs(150);

/// Where the services are.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// The configuration that names the services [default: those of the dixmgr that runs here]
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// Whose services, if several hosts' state is on this machine
    #[arg(long, value_name = "NAME")]
    host: Option<HostName>,
    /// Where the dixmgr that runs here remembers
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Frontend of the Temporal cluster
    #[arg(long, value_name = "HOST:PORT")]
    temporal_host: Option<String>,
    /// Its namespace
    #[arg(long, value_name = "NAME")]
    temporal_namespace: Option<String>,
}

/// A command to some services.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// Services by name
    #[arg(required = true)]
    services: Vec<String>,
    /// Why, for the record
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    output: Output,
}

/// A service and where its workflow is.
struct Target {
    name: String,
    workflow_id: String,
}

/// One line of an answer.
#[derive(Serialize)]
struct Line {
    service: String,
    workflow_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ServiceStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Prints where services stand.
pub(super) async fn status(at: &At, names: &[String], json: bool) -> Result<(), Failure> {
    let (client, targets) = find(at, names).await?;
    let lines = ask(targets, |target| {
        let handle = client.get_workflow_handle::<ServiceWatchWorkflow>(target.workflow_id.clone());
        async move {
            let status = query(&handle).await;
            let (status, error) = status.map_or_else(|error| (None, Some(error)), |status| (Some(status), None));
            Line { service: target.name, workflow_id: target.workflow_id, status, answer: None, error }
        }
    })
    .await;
    if json {
        print::json(&serde_json::to_value(&lines).context("cannot be written as JSON")?)?;
    } else {
        print::text(&lines.iter().map(status_line).collect::<String>())?;
    }
    verdict(&lines)
}

/// Sends a command to services and prints what they answer.
pub(super) async fn command(kind: CommandKind, order: &Order) -> Result<(), Failure> {
    let (client, targets) = find(&order.at, &order.services).await?;
    let args = CommandArgs { by: who(), reason: order.reason.clone() };
    let lines = ask(targets, |target| {
        let handle = client.get_workflow_handle::<ServiceWatchWorkflow>(target.workflow_id.clone());
        let args = args.clone();
        async move {
            let result = update(&handle, kind, args).await;
            let (answer, error) = result.map_or_else(|error| (None, Some(error)), |answer| (Some(answer), None));
            Line { service: target.name, workflow_id: target.workflow_id, status: None, answer, error }
        }
    })
    .await;
    if order.output.is_json() {
        print::json(&serde_json::to_value(&lines).context("cannot be written as JSON")?)?;
    } else {
        print::text(&lines.iter().map(answer_line).collect::<String>())?;
    }
    verdict(&lines)
}

async fn ask<F: Future<Output = Line>>(targets: Vec<Target>, question: impl Fn(Target) -> F) -> Vec<Line> {
    futures_util::stream::iter(targets.into_iter().map(question)).buffered(PARALLEL).collect().await
}

fn verdict(lines: &[Line]) -> Result<(), Failure> {
    match lines.iter().filter(|line| line.error.is_some()).count() {
        0 => Ok(()),
        count => Err(Failure::Failed(anyhow!("{count} of {} services did not answer well", lines.len()))),
    }
}

async fn query(handle: &WorkflowHandle<Client, ServiceWatchWorkflow>) -> Result<ServiceStatus, String> {
    let rpc = RpcOptions::builder().timeout(QUERY_DEADLINE).build();
    let options = WorkflowQueryOptions::builder().rpc_options(rpc).build();
    let answer = tokio::time::timeout(QUERY_DEADLINE, handle.query(ServiceWatchWorkflow::status, (), options)).await;
    match answer {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(WorkflowQueryError::NotFound(_))) => Err("no workflow: no dixmgr has reported on it yet".to_owned()),
        Ok(Err(error)) => Err(format!("no answer: {error}")),
        Err(_) => Err("no answer: no dixmgr works on its queue; is one running?".to_owned()),
    }
}

async fn update(
    handle: &WorkflowHandle<Client, ServiceWatchWorkflow>,
    kind: CommandKind,
    args: CommandArgs,
) -> Result<String, String> {
    let args: Wire<CommandArgs> = args.into();
    let options = WorkflowExecuteUpdateOptions::default();
    let update = async {
        match kind {
            CommandKind::Restart => handle.execute_update(ServiceWatchWorkflow::restart, args, options).await,
            CommandKind::Stop => handle.execute_update(ServiceWatchWorkflow::stop, args, options).await,
            CommandKind::Start => handle.execute_update(ServiceWatchWorkflow::start, args, options).await,
            CommandKind::Pause => handle.execute_update(ServiceWatchWorkflow::pause, args, options).await,
            CommandKind::Resume => handle.execute_update(ServiceWatchWorkflow::resume, args, options).await,
        }
    };
    match tokio::time::timeout(COMMAND_DEADLINE, update).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(WorkflowUpdateError::NotFound(_))) => Err("no workflow: no dixmgr has reported on it yet".to_owned()),
        Ok(Err(WorkflowUpdateError::Failed(failure))) => Err(failure.message),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {COMMAND_DEADLINE:?}: nobody polls for its host")),
    }
}

fn answer_line(line: &Line) -> String {
    format!("{}: {}\n", line.service, line.answer.as_deref().or(line.error.as_deref()).unwrap_or_default())
}

fn status_line(line: &Line) -> String {
    let Some(status) = &line.status else {
        return format!("{:<24} {:<12} {}\n", line.service, "-", line.error.as_deref().unwrap_or_default());
    };
    let mut more = Vec::new();
    if !status.detail.is_empty() {
        more.push(status.detail.clone());
    }
    if !status.waiting_for.is_empty() {
        let names: Vec<_> = status.waiting_for.iter().map(ToString::to_string).collect();
        more.push(format!("waits for {}", names.join(", ")));
    }
    if let Some(by) = status.paused_by.as_deref().filter(|by| !by.is_empty()) {
        more.push(format!("by {by}"));
    }
    if status.restarts.total > 0 {
        more.push(format!("{} restarts", status.restarts.total));
    }
    if let Some(at) = status.restarts.next_at {
        more.push(format!("next try {at}"));
    }
    if let Some(failure) = &status.last_failure {
        more.push(format!("last failure {}: {}", failure.at, failure.reason));
    }
    let since = status.since.to_string();
    format!("{:<24} {:<12} since {since}  {}", line.service, status.phase.as_str(), more.join("; "))
        .trim_end()
        .to_owned()
        + "\n"
}

/// Who gives the command, for the record.
fn who() -> String {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "somebody".to_owned());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}")
}

/// Connects, and finds the workflows of the services that were named.
async fn find(at: &At, names: &[String]) -> Result<(Client, Vec<Target>), Failure> {
    let host = crate::host::name(at.host.clone())?;
    let root = at.state_dir.clone().unwrap_or_else(state_dir::default_root);
    let running = state_dir::running(&state_dir::folder(&root, &host, false));
    let config = match &at.conf {
        Some(file) => Some(dixmgr_model::load(file).map_err(|errors| Failure::Config(errors.to_string()))?),
        None => None,
    };
    let endpoint = endpoint(at, config.as_ref(), running.as_ref())?;
    let client =
        connect(&endpoint, None).await.with_context(|| format!("cannot ask Temporal at {}", endpoint.address))?;
    let known = match &config {
        Some(config) => {
            config.services.iter().map(|one| (one.spec.name.to_string(), one.origin.workflow_id())).collect()
        }
        None => from_agent(running.as_ref()).await.unwrap_or_default(),
    };
    Ok((client, choose(known, names)?))
}

fn endpoint(at: &At, config: Option<&dixmgr_model::Config>, running: Option<&Running>) -> Result<Endpoint, Failure> {
    let file = config.map(|config| &config.temporal);
    let address = at
        .temporal_host
        .clone()
        .or_else(|| running.map(|r| r.temporal.clone()))
        .or_else(|| file.and_then(|f| f.hostport.clone()));
    let namespace = at
        .temporal_namespace
        .clone()
        .or_else(|| running.map(|r| r.namespace.clone()))
        .or_else(|| file.and_then(|f| f.namespace.clone()));
    if address.is_none() && config.is_none() {
        let text = "no dixmgr runs here that could tell where Temporal is; give -conf FILE, or -temporal-host and -temporal-namespace";
        return Err(Failure::Failed(anyhow!(text)));
    }
    let tls = file.map_or_else(Tls::default, |file| Tls {
        ca: file.tls_ca.clone(),
        cert: file.tls_cert.clone(),
        key: file.tls_key.clone(),
        api_key: file.api_key.clone(),
    });
    Ok(Endpoint {
        address: address.unwrap_or_else(|| "localhost:7233".to_owned()),
        namespace: namespace.unwrap_or_else(|| "dotidx".to_owned()),
        task_queue: String::new(),
        prefix: String::new(),
        identity: who(),
        tls,
        create_namespace: false,
        take_over: false,
    })
}

/// The services of the dixmgr that runs here, from its admin server.
async fn from_agent(running: Option<&Running>) -> Option<BTreeMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Known {
        name: String,
        workflow_id: String,
    }
    let admin = running?.admin.as_ref()?;
    let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build().ok()?;
    let body = http.get(format!("{admin}/api/v1/services")).send().await.ok()?.bytes().await.ok()?;
    let known: Vec<Known> = serde_json::from_slice(&body).ok()?;
    Some(known.into_iter().map(|one| (one.name, one.workflow_id)).collect())
}

fn choose(known: BTreeMap<String, String>, names: &[String]) -> Result<Vec<Target>, Failure> {
    let target = |(name, workflow_id)| Target { name, workflow_id };
    if names.is_empty() {
        if known.is_empty() {
            return Err(Failure::Failed(anyhow!("which services? name them, or give -conf FILE")));
        }
        return Ok(known.into_iter().map(target).collect());
    }
    names
        .iter()
        .map(|name| match known.get(name) {
            Some(id) => Ok(Target { name: name.clone(), workflow_id: id.clone() }),
            None if known.is_empty() => Ok(Target { name: name.clone(), workflow_id: format!("wf.svc.{name}") }),
            None => {
                let mut nearest: Vec<_> = known.keys().collect();
                nearest.sort_by_key(|other| strsim::levenshtein(other, name));
                let hint = nearest.first().map(|other| format!("; did you mean {other}?")).unwrap_or_default();
                Err(Failure::Failed(anyhow!("no service {name:?} here{hint}")))
            }
        })
        .collect()
}
