//! `status`, `restart`, `stop`, `start`, `pause`, `resume`: questions and commands to the services' workflows.
//!
//! They go to Temporal, not to a host, so they work from anywhere.

use super::targets::{At, Seen, Target, find, seen_here, who};
use super::{Output, past, print};
use crate::exit::Failure;
use anyhow::{Context, anyhow};
use clap::Args;
use dixmgr_contract::command::CommandArgs;
use dixmgr_contract::{CommandKind, ServiceStatus};
use dixmgr_flows::ServiceWatchWorkflow;
use dixmgr_flows::wire::Wire;
use futures_util::StreamExt;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;
use temporalio_client::errors::{WorkflowQueryError, WorkflowUpdateError};
use temporalio_client::{Client, RpcOptions, WorkflowExecuteUpdateOptions, WorkflowHandle, WorkflowQueryOptions};

/// Questions asked at a time.
const PARALLEL: usize = 32;
/// How long an answer may take before it is said that nobody answers.
const QUERY_DEADLINE: Duration = Duration::from_secs(10);
const COMMAND_DEADLINE: Duration = Duration::from_secs(150);

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
    let (client, targets) = match find(at, names).await {
        Ok(found) => found,
        Err(failure) => return Err(tell_what_is_seen(at, failure).await?),
    };
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

/// Without Temporal there is still a host that looks.
async fn tell_what_is_seen(at: &At, failure: Failure) -> Result<Failure, Failure> {
    let line = |one: Seen| match one.state {
        Some(unit) => format!("{:<24} {} ({})\n", one.name, unit.active, unit.sub),
        None => format!("{:<24} not seen yet\n", one.name),
    };
    print::text(&seen_here(at).await.into_iter().map(line).collect::<String>())?;
    Ok(failure)
}

/// Sends a command to services and prints what they answer.
pub(super) async fn command(kind: CommandKind, order: &Order) -> Result<(), Failure> {
    let (client, targets) = find(&order.at, &order.services).await?;
    let args = CommandArgs { by: who(), reason: order.reason.clone() };
    let command = |target: Target| {
        let handle = client.get_workflow_handle::<ServiceWatchWorkflow>(target.workflow_id.clone());
        let args = args.clone();
        async move {
            // An update waits for somebody to take it; a question tells soon whether there is anybody.
            let result = match query(&handle).await {
                Ok(_) => update(&handle, kind, args).await,
                Err(error) => Err(error),
            };
            let (answer, error) = result.map_or_else(|error| (None, Some(error)), |answer| (Some(answer), None));
            Line { service: target.name, workflow_id: target.workflow_id, status: None, answer, error }
        }
    };
    let mut lines = Vec::with_capacity(targets.len());
    // Whoever depends on another one is stopped before it.
    for group in if kind == CommandKind::Stop { groups(&client, targets).await } else { vec![targets] } {
        lines.extend(ask(group, command).await);
    }
    let results = lines.iter().map(|line| (line.service.as_str(), line.error.as_deref().unwrap_or("done")));
    past::record(&order.at, kind.as_str(), &order.reason, results).await;
    if order.output.is_json() {
        print::json(&serde_json::to_value(&lines).context("cannot be written as JSON")?)?;
    } else {
        print::text(&lines.iter().map(answer_line).collect::<String>())?;
    }
    verdict(&lines)
}

/// The targets in groups that may be stopped at a time, dependants first.
async fn groups(client: &Client, targets: Vec<Target>) -> Vec<Vec<Target>> {
    if targets.len() < 2 {
        return vec![targets];
    }
    let mut left = Vec::with_capacity(targets.len());
    for target in targets {
        let handle = client.get_workflow_handle::<ServiceWatchWorkflow>(target.workflow_id.clone());
        let after = query(&handle).await.map(|status| status.after).unwrap_or_default();
        left.push((target, after));
    }
    let mut groups = Vec::new();
    while !left.is_empty() {
        let needed: BTreeSet<String> =
            left.iter().flat_map(|(_, after)| after.iter().map(ToString::to_string)).collect();
        let (later, mut now): (Vec<_>, Vec<_>) = left.into_iter().partition(|(one, _)| needed.contains(&one.name));
        left = later;
        if now.is_empty() {
            // A circle, which no configuration may have: all at a time.
            now = std::mem::take(&mut left);
        }
        groups.push(now.into_iter().map(|(target, _)| target).collect());
    }
    groups
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
    // Longer than our own patience, which ends with the better words.
    let rpc = RpcOptions::builder().timeout(QUERY_DEADLINE * 2).build();
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
