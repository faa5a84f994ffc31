//! Where flows are played: a Temporal dev server, a worker for the workflow and one for the simulated host.

use crate::flows::{Actor, Flow};
use crate::host::{MockFleet, MockHost};
use dixmgr_contract::host::lease_queue;
use dixmgr_contract::id::host_queue;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, Url, WorkflowExecutionInfo, WorkflowFetchHistoryOptions,
};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::process::{Child, Command};

/// Who made the recordings.
pub(crate) const IDENTITY: &str = "dixmgr";
const NAMESPACE: &str = "default";
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a play is for.
#[derive(Clone)]
pub(crate) enum Mode {
    /// No cache: each workflow task begins with a replay of the whole history.
    ReplayEachTask,
    /// The histories are written into this folder.
    Record(PathBuf),
}

/// Plays flows side by side.
///
/// # Panics
/// In CI, if there is no `temporal` on the PATH; elsewhere that is said and nothing is played.
pub(crate) fn play(flows: &[Flow], mode: Mode) {
    let program = std::env::var("DIXMGR_TEMPORAL").unwrap_or_else(|_| "temporal".to_owned());
    if std::process::Command::new(&program).arg("--version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs `temporal` on the PATH");
        eprintln!("SKIPPED: no `{program}` found; put Temporal's CLI on the PATH or name it in DIXMGR_TEMPORAL");
        return;
    }
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&tokio, async {
        let server = Server::start(&program).await;
        let players: Vec<_> = flows
            .iter()
            .map(|flow| tokio::task::spawn_local(one(*flow, server.client.clone(), mode.clone())))
            .collect();
        let mut failed = Vec::new();
        for (flow, player) in flows.iter().zip(players) {
            if player.await.is_err() {
                failed.push(flow.name);
            }
        }
        assert!(failed.is_empty(), "failed, each with its panic above: {failed:?}");
    });
}

/// One flow on queues of its own.
async fn one(flow: Flow, client: Client, mode: Mode) {
    let queue = format!("dixmgr-{}", flow.name.replace('_', "-"));
    let host = MockHost::default();
    let runtime = Runtime::from_current_tokio(temporalio_sdk::runtime::RuntimeOptions::default()).unwrap();
    let cached = if matches!(mode, Mode::ReplayEachTask) { 0 } else { 100 };
    let watch = WorkerOptions::new(queue.clone()).max_cached_workflows(cached).graceful_shutdown_period(Duration::ZERO);
    let watch = with_all_workflows!(watch).register_activities(MockFleet(host.clone())).build();
    let lease = WorkerOptions::new(lease_queue(&queue, &"alpha".parse().unwrap()))
        .graceful_shutdown_period(Duration::ZERO)
        .register_activities(MockFleet(host.clone()))
        .build();
    let acts = WorkerOptions::new(host_queue(&queue, &"alpha".parse().unwrap()))
        .graceful_shutdown_period(Duration::ZERO)
        .register_activities(host.clone())
        .build();
    let mut watch = Worker::new(&runtime, client.clone(), watch).unwrap();
    let mut acts = Worker::new(&runtime, client.clone(), acts).unwrap();
    let mut lease = Worker::new(&runtime, client.clone(), lease).unwrap();
    let (stop_watch, stop_acts, stop_lease) =
        (watch.shutdown_handle(), acts.shutdown_handle(), lease.shutdown_handle());
    let actor = Actor::new(client.clone(), &flow, queue, host);
    let drive = async {
        let runs = (flow.play)(actor).await;
        if let Mode::Record(folder) = &mode {
            record(&client, flow, &runs, folder).await;
        }
        stop_watch();
        stop_acts();
        stop_lease();
    };
    let host_works = async { if flow.host_works { acts.run().await } else { Ok(()) } };
    let (watched, leased, acted, ()) = tokio::join!(watch.run(), lease.run(), host_works, drive);
    watched.unwrap();
    leased.unwrap();
    acted.unwrap();
}

async fn record(client: &Client, flow: Flow, runs: &[String], folder: &Path) {
    assert_eq!(runs.len(), flow.runs, "{}: so many runs are recorded", flow.name);
    for (file, run) in flow.files().iter().zip(runs) {
        let info = WorkflowExecutionInfo::builder().namespace(NAMESPACE).workflow_id(flow.id()).run_id(run).build();
        let handle = info.bind_untyped(client.clone());
        let json = handle.fetch_history(WorkflowFetchHistoryOptions::default()).to_json().await.unwrap();
        std::fs::write(folder.join(format!("{file}.json")), json).unwrap();
    }
}

/// A dev server with its data in memory; it ends with its owner.
struct Server {
    client: Client,
    _child: Child,
}

impl Server {
    async fn start(program: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(program)
            .args(["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--log-level", "error"])
            .args(["--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let url = Url::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let client = wait_for("a connection to the dev server", async || {
            assert!(child.try_wait().unwrap().is_none(), "the dev server has ended");
            let options = ConnectionOptions::new(url.clone()).identity(IDENTITY.to_owned()).build();
            let connection = Connection::connect(options).await.ok()?;
            Client::new(connection, ClientOptions::new(NAMESPACE.to_owned()).build()).ok()
        })
        .await;
        Self { client, _child: child }
    }
}

/// Waits until `find` finds something.
pub(crate) async fn wait_for<T>(what: &str, mut find: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        look.tick().await;
        if let Some(found) = find().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
    }
}
