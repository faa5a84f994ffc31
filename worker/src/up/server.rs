//! The embedded Temporal server: `temporal server start-dev` as a child that the kernel ends with us.

use crate::exit::Failure;
use crate::settings::Settings;
use crate::state_dir::StateDir;
use anyhow::{Context, anyhow};
use dixmgr_contract::id::SEARCH_ATTRIBUTES;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const USUAL_PORT: u16 = 7233;
/// The UI's port is this much higher, as in the server's own defaults.
const UI_DISTANCE: u16 = 1000;
const READY_WITHIN: Duration = Duration::from_secs(30);
const STOP_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// By itself SQLite waits for the disk twice with every write. A write-ahead log survives the end of the process as well;
/// only a power cut may take the last moments, and then the hosts tell their state again.
const PRAGMAS: [&str; 2] = ["journal_mode=wal", "synchronous=normal"];
/// One host needs no partitions, and a task in the backlog of one that nobody polls yet waits for a second. The server's
/// only shard may be read 20 times a second by default: a few failures at once would wait for each other.
/// Rejected: priorities for incidents and the matcher that heeds them; in a storm of failures nothing came back sooner.
const SETTINGS: [&str; 5] = [
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "history.transferProcessorMaxPollRPS=1000",
    "history.timerProcessorMaxPollRPS=1000",
    "history.visibilityProcessorMaxPollRPS=1000",
];

/// A running server.
pub(super) struct Server {
    child: Child,
    port: u16,
    ui_port: u16,
    log: PathBuf,
}

impl Server {
    /// Starts it with its data in the state folder.
    pub(super) fn start(executable: &Path, settings: &Settings, state: &StateDir) -> Result<Self, Failure> {
        let folder = state.file("temporal");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let (port, ui_port) = ports()?;
        let log = folder.join("server.log");
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(executable);
        command
            .args([
                "server",
                "start-dev",
                "--ip",
                "127.0.0.1",
                "--log-level",
                "warn",
                "--namespace",
                &settings.endpoint.namespace,
            ])
            .args(["--port", &port.to_string(), "--ui-port", &ui_port.to_string()])
            .args(PRAGMAS.iter().flat_map(|value| ["--sqlite-pragma", value]))
            .args(SETTINGS.iter().flat_map(|value| ["--dynamic-config-value", value]))
            .arg("--db-filename")
            .arg(folder.join("temporal.db"))
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("the log")?)
            .stderr(output);
        for attribute in SEARCH_ATTRIBUTES {
            command.args(["--search-attribute", &format!("{attribute}=Keyword")]);
        }
        end_with_us(&mut command);
        let child = command.spawn().with_context(|| format!("cannot start {}", executable.display()))?;
        Ok(Self { child, port, ui_port, log })
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn ui(&self) -> String {
        format!("http://127.0.0.1:{}", self.ui_port)
    }

    /// Waits until it answers.
    pub(super) async fn ready(&mut self) -> Result<(), Failure> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect_timeout(&address, LOOK_EVERY).is_err() {
            if let Some(failure) = self.ended() {
                return Err(failure);
            }
            if Instant::now() > deadline {
                return Err(Failure::Unavailable(format!("Temporal does not answer; see {}", self.log.display())));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Returns if it ends by itself.
    pub(super) async fn watch(&mut self) -> Failure {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if let Some(failure) = self.ended() {
                return failure;
            }
        }
    }

    fn ended(&mut self) -> Option<Failure> {
        let status = self.child.try_wait().ok().flatten()?;
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = text.lines().last().unwrap_or("it said nothing").to_owned();
        Some(Failure::Unavailable(format!("Temporal has ended ({status}): {last}; see {}", self.log.display())))
    }

    /// Asks it to end, and makes it end.
    pub(super) async fn stop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
        let deadline = Instant::now() + STOP_WITHIN;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The kernel sends SIGKILL to the child when the thread that started it ends, however it ends.
#[expect(unsafe_code, reason = "the standard library has no safe way to run code between fork and exec")]
fn end_with_us(command: &mut Command) {
    let parent = rustix::process::getpid();
    let arm = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // Should we have died before the line above, nobody would send the signal.
        if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(std::io::Error::other("orphaned")) }
    };
    // SAFETY: prctl and getppid are async-signal-safe, and nothing here allocates on the way that is taken.
    unsafe {
        command.pre_exec(arm);
    }
}

/// The usual ports if both are free, else two that are.
fn ports() -> Result<(u16, u16), Failure> {
    let take = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    if let (Ok(_), Ok(_)) = (take(USUAL_PORT), take(USUAL_PORT + UI_DISTANCE)) {
        return Ok((USUAL_PORT, USUAL_PORT + UI_DISTANCE));
    }
    let free = || -> std::io::Result<(u16, u16)> {
        let (one, other) = (take(0)?, take(0)?);
        Ok((one.local_addr()?.port(), other.local_addr()?.port()))
    };
    free().map_err(|error| Failure::Taken(anyhow!("no free port: {error}").to_string()))
}
