//! Which incidents are meant, and one request to each of them.
//!
//! They are asked side by side, and each for itself: one that does not answer, or refuses, keeps nobody from the others.

use super::fleet::{Ask, QUERY_DEADLINE, open, within};
use super::print;
use crate::exit::Failure;
use anyhow::anyhow;
use dixmgr_contract::IncidentStatus;
use dixmgr_contract::incident::{INCIDENT_WORKFLOW, incident_id};
use dixmgr_flows::IncidentWorkflow;
use futures_util::{StreamExt, stream};
use serde_json::json;
use std::time::{Duration, Instant};
use temporalio_client::{Client, WorkflowHandle, WorkflowQueryOptions};

/// Questions at a time.
const AT_A_TIME: usize = 16;
/// What has begun is in the list of what is open a moment later: whoever was told of it may be faster.
const LISTED_WITHIN: Duration = Duration::from_secs(2);
/// See [`LISTED_WITHIN`].
const LIST_AGAIN: Duration = Duration::from_millis(250);
/// The most incidents that are named in a message.
const MOST_NAMED: usize = 20;

pub(super) type Handle = WorkflowHandle<Client, IncidentWorkflow>;

/// Why an incident does not say how it stands.
#[derive(Debug)]
pub(super) enum Unsaid {
    /// Nobody has answered in time.
    Nobody,
    /// It cannot, and why: one that is just beginning, or has ended meanwhile.
    Cannot(String),
}

impl std::fmt::Display for Unsaid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nobody => f.write_str("no answer: no dixmgr works on its queue; is one running?"),
            Self::Cannot(why) => write!(f, "no answer: {why}"),
        }
    }
}

/// An open incident, and how it stands.
pub(super) struct Found {
    pub(super) fingerprint: String,
    handle: Handle,
    pub(super) status: Result<IncidentStatus, Unsaid>,
}

/// All open incidents, by id.
///
/// # Errors
/// They cannot be listed, or nobody answers for any of them.
pub(super) async fn all(client: &Client) -> Result<Vec<Found>, Failure> {
    let ask = |id: String| async move {
        let fingerprint = fingerprint(&id).to_owned();
        let handle = client.get_workflow_handle::<IncidentWorkflow>(id);
        let status = status(&handle).await;
        Found { fingerprint, handle, status }
    };
    let ids = open(client, INCIDENT_WORKFLOW).await?;
    let all: Vec<_> = stream::iter(ids).map(ask).buffered(AT_A_TIME).collect().await;
    let nobody = |found: &Found| matches!(found.status, Err(Unsaid::Nobody));
    if !all.is_empty() && all.iter().all(nobody) {
        Err(Failure::Failed(anyhow!("{}", Unsaid::Nobody)))
    } else {
        Ok(all)
    }
}

async fn status(handle: &Handle) -> Result<IncidentStatus, Unsaid> {
    let asked = handle.query(IncidentWorkflow::status, (), WorkflowQueryOptions::default());
    let answer = tokio::time::timeout(QUERY_DEADLINE, asked).await.map_err(|_| Unsaid::Nobody)?;
    answer.map_err(|error| Unsaid::Cannot(error.to_string()))
}

/// The incident of that fingerprint, or those of which that service is a member.
async fn named(client: &Client, name: &str) -> Result<Vec<(String, Handle)>, Failure> {
    let exact = client.get_workflow_handle::<IncidentWorkflow>(incident_id("", name));
    if status(&exact).await.is_ok() {
        return Ok(vec![(name.to_owned(), exact)]);
    }
    let began = Instant::now();
    loop {
        let all = all(client).await?;
        let known: Vec<String> = all.iter().map(|found| found.fingerprint.clone()).collect();
        let has = |found: Found| async move { found.has(name).await.then_some((found.fingerprint, found.handle)) };
        let found: Vec<_> =
            stream::iter(all).map(has).buffered(AT_A_TIME).filter_map(|found| async { found }).collect().await;
        if !found.is_empty() {
            return Ok(found);
        }
        if began.elapsed() >= LISTED_WITHIN {
            return Err(Failure::Failed(anyhow!("{}", nothing_of(name, &known))));
        }
        tokio::time::sleep(LIST_AGAIN).await;
    }
}

impl Found {
    /// Whether that service is in trouble here. A status names the first hundred members alone.
    async fn has(&self, service: &str) -> bool {
        let Ok(status) = &self.status else { return false };
        let mut members = status.members.iter().filter(|member| !member.over);
        if members.any(|member| member.service.as_ref().is_some_and(|one| one.as_str() == service)) {
            return true;
        }
        let are_more = usize::try_from(status.firing).is_ok_and(|firing| firing > status.members.len());
        let asked = |service: String| {
            within(self.handle.query(IncidentWorkflow::has_member, service.into(), WorkflowQueryOptions::default()))
        };
        are_more && asked(service.to_owned()).await.unwrap_or(false)
    }
}

fn fingerprint(id: &str) -> &str {
    id.strip_prefix(&incident_id("", "")).unwrap_or(id)
}

fn nothing_of(name: &str, known: &[String]) -> String {
    if known.is_empty() {
        return "there is no incident at present".to_owned();
    }
    let shown = known[..known.len().min(MOST_NAMED)].join(", ");
    let more = known.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{name:?} is no incident and no service of one; there are {shown}{more}")
}

/// Asks each incident that is meant, and says what each answers.
///
/// # Errors
/// There is none, or some refuse: which and why, after all were asked.
pub(super) async fn each(
    client: &Client,
    name: &str,
    ask: &Ask,
    request: impl AsyncFn(&Handle) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let mut refused = Vec::new();
    for (incident, handle) in named(client, name).await? {
        match request(&handle).await {
            Ok(answer) if ask.output.is_json() => print::json(&json!({"incident": incident, "answer": answer}))?,
            Ok(answer) => print::text(&format!("{incident}: {answer}\n"))?,
            Err(failure) => refused.push((incident, failure)),
        }
    }
    all_taken(&refused)
}

fn all_taken(refused: &[(String, Failure)]) -> Result<(), Failure> {
    if refused.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = refused.iter().map(|(incident, failure)| format!("{incident}: {failure}")).collect();
    Err(Failure::Failed(anyhow!("{}", lines.join("\n        "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_meant_by_nothing_hears_what_there_is() {
        assert_eq!(nothing_of("api", &[]), "there is no incident at present");
        let known: Vec<String> = (0..22).map(|number| format!("service_down.s{number}")).collect();
        let text = nothing_of("api", &known);
        assert!(
            text.starts_with("\"api\" is no incident and no service of one; there are service_down.s0, "),
            "{text}"
        );
        assert!(text.ends_with("service_down.s19 and 2 more"), "{text}");
    }

    #[test]
    fn each_refusal_is_said_with_its_incident() {
        assert!(all_taken(&[]).is_ok());
        let refused = ["a", "b"].map(|name| (format!("x.{name}"), Failure::Failed(anyhow!("it is over"))));
        assert_eq!(all_taken(&refused).unwrap_err().to_string(), "x.a: it is over\n        x.b: it is over");
    }

    #[test]
    fn an_incident_is_named_without_the_prefix_of_its_workflow() {
        assert_eq!(fingerprint("wf.incident.service_down.api"), "service_down.api");
    }
}
