//! Old histories must replay with the code of today: what Temporal keeps of open workflows is a format.
//!
//! `tests/histories/*.json` were recorded from the flows in `flows.rs`, played on a real dev server with simulated hosts.
//! Each change replays all of them; a flow that was changed on purpose has to fail, or the test proves nothing. A
//! history of a released version is never recorded anew: a new one is added beside it. To record a flow that has none:
//! `cargo test -p dixmgr-tests --test replay -- --ignored record`.
//!
//! The same flows are played without the workflow cache, so that every task replays from the beginning.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

/// Options that know every workflow.
macro_rules! with_all_workflows {
    ($options:expr) => {
        $options
            .register_workflow::<dixmgr_flows::ServiceWatchWorkflow>()
            .unwrap()
            .register_workflow::<dixmgr_flows::DependencyWaitWorkflow>()
            .unwrap()
            .register_workflow::<dixmgr_flows::ClusterWorkflow>()
            .unwrap()
            .register_workflow::<dixmgr_flows::HostWorkflow>()
            .unwrap()
            .register_workflow::<dixmgr_flows::IncidentWorkflow>()
            .unwrap()
            .register_workflow::<dixmgr_flows::InfrastructureWorkflow>()
            .unwrap()
    };
}

mod fleet;
mod flows;
#[expect(dead_code, reason = "the macro makes a constant of each activity, for callers that know the type")]
mod host;
mod incidents;
mod mutated;
mod newer;
mod stage;

use flows::Flow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use temporalio_client::WorkflowHistory;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};

/// All that is played.
fn flows() -> Vec<Flow> {
    [flows::SERVICES, fleet::WAITS, fleet::CLUSTERS, fleet::HOSTS, fleet::REGISTRIES, incidents::INCIDENTS].concat()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("histories")
}

/// The recorded histories by name.
fn histories() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    all.sort();
    all
}

async fn replay(options: WorkflowReplayerOptions, json: &[u8]) -> Result<(), String> {
    let history = WorkflowHistory::from_json(json).map_err(|error| error.to_string())?;
    let replayer = WorkflowReplayer::new(options).map_err(|error| error.to_string())?;
    replayer.replay_workflow(history).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn every_history_replays() {
    let mut problems = Vec::new();
    for (name, json) in histories() {
        if let Err(error) = replay(all_workflows(), &json).await {
            problems.push(format!("{name}: {error}"));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

fn all_workflows() -> WorkflowReplayerOptions {
    with_all_workflows!(WorkflowReplayerOptions::new()).build()
}

#[tokio::test]
async fn what_a_newer_version_writes_more_does_no_harm() {
    let mut problems = Vec::new();
    for (name, json) in histories() {
        let (newer, added) = newer::written_by_a_newer_version(&json);
        assert!(added > 0, "{name}: only {added} fields were added");
        if let Err(error) = replay(all_workflows(), &newer).await {
            problems.push(format!("{name}: {error}"));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// While hosts are upgraded one after the other, a run may have been worked on by both versions.
#[tokio::test]
async fn a_run_that_took_windows_of_the_fleet_for_nothing_goes_on_so() {
    for (name, told) in [("incident_told", 1), ("incident_held", 2)] {
        let json = std::fs::read(folder().join(format!("{name}.json"))).unwrap();
        let (with_window, places) = newer::with_a_window_of_the_fleet(&json);
        assert_eq!(places, told, "{name}");
        replay(all_workflows(), &with_window).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[tokio::test]
async fn a_changed_flow_does_not_replay() {
    // A history without a command has nothing that could differ.
    let with_orders = |json: &[u8]| String::from_utf8_lossy(json).contains("ActivityTaskScheduledEventAttributes");
    let of_services: BTreeSet<_> = flows::SERVICES.iter().flat_map(Flow::files).collect();
    let is_meant = |name: &String, json: &[u8]| of_services.contains(name) && with_orders(json);
    let histories: Vec<_> = histories().into_iter().filter(|(name, json)| is_meant(name, json)).collect();
    assert!(histories.len() >= 7, "only {} histories hold orders", histories.len());
    for (name, json) in histories {
        let options =
            WorkflowReplayerOptions::new().register_workflow::<mutated::MutatedWatchWorkflow>().unwrap().build();
        let error = replay(options, &json).await.expect_err(&name);
        assert!(error.contains("nondeterministic"), "{name}: {error}");
    }
}

#[test]
fn every_flow_has_its_histories_and_every_history_its_flow() {
    let recorded: BTreeSet<_> = histories().into_iter().map(|(name, _)| name).collect();
    let expected: BTreeSet<_> = flows().iter().flat_map(Flow::files).collect();
    assert_eq!(recorded, expected);
}

/// What a history has to show is named here, so that a flow cannot quietly stop doing it.
#[test]
fn the_histories_hold_what_they_are_for() {
    let all: String = histories().iter().map(|(_, json)| String::from_utf8_lossy(json).into_owned()).collect();
    for word in [
        "WorkflowExecutionContinuedAsNewEventAttributes",
        "WorkflowExecutionUpdateCompletedEventAttributes",
        "ActivityTaskTimedOutEventAttributes",
        "ActivityTaskFailedEventAttributes",
        "TimerFiredEventAttributes",
        "TimerCanceledEventAttributes",
        "WorkflowExecutionFailedEventAttributes",
        "WorkflowExecutionCanceledEventAttributes",
        "StartSystemdServiceActivity",
        "StopSystemdServiceActivity",
        "RestartSystemdServiceActivity",
        "ReportServiceActivity",
        "SubscribeActivity",
        "HostLeaseActivity",
        "ReportHostActivity",
        "MarkHostLostActivity",
        "FanOutActivity",
        "RetireServicesActivity",
        "RaiseIncidentActivity",
        "TellCauseActivity",
        "NotifyActivity",
        "RecordIncidentActivity",
        "SpreadSilencesActivity",
        "SignalExternalWorkflowExecutionFailedEventAttributes",
    ] {
        assert!(all.contains(word), "no history holds {word}");
    }
}

#[test]
fn the_histories_say_nothing_of_the_machine_they_were_made_on() {
    for (name, json) in histories() {
        let events = serde_json::from_slice::<serde_json::Value>(&json).unwrap();
        let identities = identities(&events);
        assert!(identities.iter().all(|who| who.is_empty() || who == stage::IDENTITY), "{name}: {identities:?}");
        let text = String::from_utf8_lossy(&json);
        for word in ["/home/", "/root/", "/tmp/", "/work/", ".rs:"] {
            assert!(!text.contains(word), "{name} holds {word}");
        }
    }
}

/// All values of `identity`, which Temporal fills with process and host if nobody else does.
fn identities(value: &serde_json::Value) -> BTreeSet<String> {
    match value {
        serde_json::Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| match value.as_str() {
                Some(text) if key.contains("identity") => BTreeSet::from([text.to_owned()]),
                _ => identities(value),
            })
            .collect(),
        serde_json::Value::Array(values) => values.iter().flat_map(identities).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn every_flow_plays_without_a_cache() {
    stage::play(&flows(), stage::Mode::ReplayEachTask);
}

#[test]
#[ignore = "writes the histories that are missing"]
fn record() {
    let is_missing = |flow: &Flow| flow.files().iter().any(|file| !folder().join(format!("{file}.json")).exists());
    let missing: Vec<_> = flows().into_iter().filter(is_missing).collect();
    stage::play(&missing, stage::Mode::Record(folder()));
}
