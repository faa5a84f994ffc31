//! `hosts`, `forget-host`, `clusters`, `rolling-restart`, `promote`, `pause-all`, `resume-all`: the fleet as a whole.

use super::targets::{At, client, who};
use super::{Output, past, print};
use crate::exit::Failure;
use anyhow::{Context, anyhow};
use clap::Args;
use dixmgr_bind::open_workflows;
use dixmgr_contract::cluster::{
    CLUSTER_WORKFLOW, ClusterStatus, PromoteArgs, RollingRestartArgs, workflow_id as cluster_id,
};
use dixmgr_contract::command::CommandArgs;
use dixmgr_contract::host::{HOST_WORKFLOW, HostPhase, HostStatus, host_workflow_id};
use dixmgr_contract::plan::{FleetStatus, ForgetHost, INFRASTRUCTURE_ID};
use dixmgr_contract::{CommandKind, HostName, ServiceName};
use dixmgr_flows::{ClusterWorkflow, HostWorkflow, InfrastructureWorkflow};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;
use temporalio_client::errors::{WorkflowInteractionError, WorkflowUpdateError};
use temporalio_client::{
    Client, WorkflowExecuteUpdateOptions, WorkflowGetResultOptions, WorkflowQueryOptions, WorkflowSignalOptions,
};

/// Longer than any query; a rolling restart may take its time.
pub(super) const QUERY_DEADLINE: Duration = Duration::from_secs(10);
const COMMAND_DEADLINE: Duration = Duration::from_secs(300);
/// For how long the end of a host that is forgotten is waited for.
const END_DEADLINE: Duration = Duration::from_secs(30);
const ROLLOUT_DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// A question to the fleet.
#[derive(Debug, Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    pub(super) at: At,
    #[command(flatten)]
    pub(super) output: Output,
}

/// A command to the fleet.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// Why, for the record
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    ask: Ask,
}

/// Prints the hosts of the fleet.
pub(super) async fn hosts(ask: &Ask) -> Result<(), Failure> {
    let client = client(&ask.at).await?;
    let mut hosts = Vec::new();
    for id in open(&client, HOST_WORKFLOW).await? {
        let handle = client.get_workflow_handle::<HostWorkflow>(id);
        hosts.push(within(handle.query(HostWorkflow::status, (), WorkflowQueryOptions::default())).await?);
    }
    let counts = match registry(&client).await {
        Ok(fleet) => fleet.hosts.into_iter().map(|slice| (slice.host, slice.services)).collect(),
        Err(_) => BTreeMap::new(),
    };
    if ask.output.is_json() {
        let line = |host: &HostStatus| json!({"host": host, "services": counts.get(&host.host)});
        return print::json(&hosts.iter().map(line).collect());
    }
    print::text(&hosts.iter().map(|host| host_line(host, counts.get(&host.host).copied())).collect::<String>())
}

fn host_line(host: &HostStatus, services: Option<u32>) -> String {
    let phase = match host.phase {
        HostPhase::Unknown => "unknown",
        HostPhase::Held => "up",
        HostPhase::Stopped => "stopped",
        HostPhase::Vacant => "silent",
        HostPhase::Lost => "lost",
    };
    let services = services.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let holder = host.holder.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{:<24} {phase:<8} since {}  {services} services; {holder}\n", host.host.to_string(), host.since)
}

/// Removes everything of a host that is gone for good. Whatever is begun here goes on without the command, and running it again does the
/// rest: the host's workflow tells the end of its loss and ends, the registry ends the watching of its services.
pub(super) async fn forget(host: &HostName, ask: &Ask) -> Result<(), Failure> {
    let client = client(&ask.at).await?;
    let handle = client.get_workflow_handle::<HostWorkflow>(host_workflow_id(host));
    let status = within(handle.query(HostWorkflow::status, (), WorkflowQueryOptions::default())).await;
    if status.is_ok_and(|status| status.phase == HostPhase::Held) {
        return Err(Failure::Failed(anyhow!("{host} is up; stop its dixmgr first, or it comes back by itself")));
    }
    let forget = ForgetHost { host: host.clone() };
    let told = handle.signal(HostWorkflow::forget, forget.clone().into(), WorkflowSignalOptions::default());
    let had_workflow = match tokio::time::timeout(QUERY_DEADLINE, told).await {
        Ok(Ok(())) => true,
        // It never had one, or it has ended since somebody began to forget the host.
        Ok(Err(WorkflowInteractionError::NotFound(_))) => false,
        Ok(Err(error)) => return Err(Failure::Failed(anyhow!("the workflow of {host} cannot be told: {error}"))),
        Err(_) => {
            return Err(Failure::Failed(anyhow!("the workflow of {host} cannot be told: Temporal does not answer")));
        }
    };
    let registry = client.get_workflow_handle::<InfrastructureWorkflow>(INFRASTRUCTURE_ID);
    let options = WorkflowExecuteUpdateOptions::default();
    let forgotten = registry.execute_update(InfrastructureWorkflow::forget_host, forget.into(), options);
    let answer = match update(COMMAND_DEADLINE, forgotten).await {
        Err(_) if had_workflow && is_unplanned(&client, host).await => Ok(format!("host {host} is forgotten")),
        answer => answer,
    };
    ask.record("forget-host", host.as_str(), "", &answer).await;
    let mut answer = answer?;
    let over = handle.get_result(WorkflowGetResultOptions::default());
    if had_workflow && tokio::time::timeout(END_DEADLINE, over).await.is_err() {
        answer += "; its workflow is there until the end of its loss has been told";
    }
    say(&answer, ask)
}

/// True if the registry knows nothing of the host (any more).
async fn is_unplanned(client: &Client, host: &HostName) -> bool {
    registry(client).await.is_ok_and(|fleet| fleet.hosts.iter().all(|slice| slice.host != *host))
}

/// Prints the clusters of the fleet.
pub(super) async fn clusters(ask: &Ask) -> Result<(), Failure> {
    let client = client(&ask.at).await?;
    let mut clusters = Vec::new();
    for id in open(&client, CLUSTER_WORKFLOW).await? {
        let handle = client.get_workflow_handle::<ClusterWorkflow>(id);
        clusters.push(within(handle.query(ClusterWorkflow::status, (), WorkflowQueryOptions::default())).await?);
    }
    if ask.output.is_json() {
        return print::json(&serde_json::to_value(&clusters).context("cannot be written as JSON")?);
    }
    print::text(&clusters.iter().map(cluster_line).collect::<String>())
}

fn cluster_line(cluster: &ClusterStatus) -> String {
    let health = match cluster.quorum_ok {
        Some(true) => "well",
        Some(false) => "quorum lost",
        None => "not known yet",
    };
    let missing: Vec<_> =
        cluster.members.iter().filter(|one| one.ready != Some(true)).map(|one| one.name.as_str()).collect();
    let missing = if missing.is_empty() { String::new() } else { format!("; not ready: {}", missing.join(", ")) };
    let active = cluster.active.as_ref().map(|name| format!("; active: {name}")).unwrap_or_default();
    let (ready, count) = (cluster.ready, cluster.members.len());
    format!(
        "{:<24} {:<8} {health}: {ready} of {count} ready, quorum {}{active}{missing}\n",
        cluster.name.as_str(),
        cluster.mode.to_string(),
        cluster.quorum
    )
}

/// Restarts the members of a cluster one by one.
pub(super) async fn rolling_restart(cluster: &ServiceName, order: &Order) -> Result<(), Failure> {
    let client = client(&order.ask.at).await?;
    let handle = client.get_workflow_handle::<ClusterWorkflow>(cluster_id(cluster));
    let args = RollingRestartArgs { by: who(), reason: order.reason.clone() };
    let options = WorkflowExecuteUpdateOptions::default();
    let restarted = handle.execute_update(ClusterWorkflow::rolling_restart, args.into(), options);
    let answer = update(ROLLOUT_DEADLINE, restarted).await;
    order.record("rolling-restart", cluster.as_str(), &answer).await;
    say(&answer?, &order.ask)
}

/// Makes another member of a standby cluster the active one.
pub(super) async fn promote(cluster: &ServiceName, member: &ServiceName, order: &Order) -> Result<(), Failure> {
    let client = client(&order.ask.at).await?;
    let handle = client.get_workflow_handle::<ClusterWorkflow>(cluster_id(cluster));
    let args = PromoteArgs { member: member.clone(), by: who(), reason: order.reason.clone() };
    let options = WorkflowExecuteUpdateOptions::default();
    let promoted = handle.execute_update(ClusterWorkflow::promote, args.into(), options);
    let answer = update(ROLLOUT_DEADLINE, promoted).await;
    order.record("promote", &format!("{member} of {cluster}"), &answer).await;
    say(&answer?, &order.ask)
}

/// Pauses or resumes every service of the fleet.
pub(super) async fn all(kind: CommandKind, order: &Order) -> Result<(), Failure> {
    let client = client(&order.ask.at).await?;
    let registry = client.get_workflow_handle::<InfrastructureWorkflow>(INFRASTRUCTURE_ID);
    let args = CommandArgs { by: who(), reason: order.reason.clone() };
    let options = WorkflowExecuteUpdateOptions::default();
    let answer = if kind == CommandKind::Pause {
        update(COMMAND_DEADLINE, registry.execute_update(InfrastructureWorkflow::pause_all, args.into(), options)).await
    } else {
        update(COMMAND_DEADLINE, registry.execute_update(InfrastructureWorkflow::resume_all, args.into(), options))
            .await
    };
    order.record(&format!("{kind}-all"), "", &answer).await;
    say(&answer?, &order.ask)
}

impl Order {
    async fn record(&self, action: &str, to: &str, answer: &Result<String, Failure>) {
        self.ask.record(action, to, &self.reason, answer).await;
    }
}

impl Ask {
    /// Writes down what was done to the fleet, and why; or why it was not.
    pub(super) async fn record(&self, action: &str, to: &str, reason: &str, answer: &Result<String, Failure>) {
        let result = past::result(answer);
        let words: Vec<_> = [to, reason].into_iter().filter(|word| !word.is_empty()).collect();
        past::record(&self.at, action, &words.join(": "), std::iter::once(("", result.as_str()))).await;
    }
}

async fn registry(client: &Client) -> Result<FleetStatus, Failure> {
    let handle = client.get_workflow_handle::<InfrastructureWorkflow>(INFRASTRUCTURE_ID);
    within(handle.query(InfrastructureWorkflow::status, (), WorkflowQueryOptions::default())).await
}

/// The open workflows of a type, by id; those of dry runs are left out.
pub(super) async fn open(client: &Client, kind: &str) -> Result<Vec<String>, Failure> {
    Ok(open_workflows(client, kind, "").await.context("cannot list workflows")?)
}

pub(super) async fn within<T, E: Display>(answer: impl Future<Output = Result<T, E>>) -> Result<T, Failure> {
    match tokio::time::timeout(QUERY_DEADLINE, answer).await {
        Ok(result) => result.map_err(|error| Failure::Failed(anyhow!("no answer: {error}"))),
        Err(_) => Err(Failure::Failed(anyhow!("no answer: no dixmgr works on its queue; is one running?"))),
    }
}

pub(super) async fn update(
    deadline: Duration,
    answer: impl Future<Output = Result<String, WorkflowUpdateError>>,
) -> Result<String, Failure> {
    match tokio::time::timeout(deadline, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(WorkflowUpdateError::NotFound(_))) => {
            let text = "no workflow of that name is open: it is over, or no dixmgr has told of it yet";
            Err(Failure::Failed(anyhow!("{text}")))
        }
        Ok(Err(WorkflowUpdateError::Failed(failure))) => Err(Failure::Failed(anyhow!("{}", failure.message))),
        Ok(Err(error)) => Err(Failure::Failed(anyhow!("{error}"))),
        Err(_) => Err(Failure::Failed(anyhow!("no answer within {deadline:?}; is a dixmgr running?"))),
    }
}

pub(super) fn say(answer: &str, ask: &Ask) -> Result<(), Failure> {
    if ask.output.is_json() { print::json(&json!({ "answer": answer })) } else { print::text(&format!("{answer}\n")) }
}
