//! What a test does to the systemd of its sandbox, and what it sees of it.

use super::Sandbox;
use dixmgr_contract::{UnitName, UnitState};
use dixmgr_systemd::{BusKind, FeedEvent, Observer, Options, UnitFeed, start};
use std::{
    path::PathBuf,
    process::{Command, Output},
    time::{Duration, Instant},
};

/// The systemd of the sandbox.
pub(crate) struct Host {
    sandbox: Sandbox,
}

impl Host {
    pub(super) fn new(sandbox: Sandbox) -> Self {
        Self { sandbox }
    }

    pub(crate) fn bus(&self) -> BusKind {
        match self.sandbox {
            Sandbox::UserManager => BusKind::Session,
            Sandbox::SystemManager => BusKind::System,
        }
    }

    pub(crate) fn unit_folder(&self) -> PathBuf {
        match self.sandbox {
            Sandbox::UserManager => PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").unwrap()).join("systemd/user"),
            Sandbox::SystemManager => PathBuf::from("/run/systemd/system"),
        }
    }

    /// Writes a unit file with that `[Service]` section; `reload` makes systemd read it.
    pub(crate) fn write(&self, file: &str, service: &str) {
        let text = format!("[Unit]\nDescription=A test\n[Service]\n{service}\n");
        std::fs::write(self.unit_folder().join(file), text).unwrap();
    }

    pub(crate) fn reload(&self) {
        self.systemctl(&["daemon-reload"]);
    }

    /// Runs systemctl; it must succeed.
    pub(crate) fn systemctl(&self, arguments: &[&str]) -> String {
        let output = self.try_systemctl(arguments);
        assert!(output.status.success(), "systemctl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn try_systemctl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("systemctl");
        if self.sandbox == Sandbox::UserManager {
            command.arg("--user");
        }
        command.args(arguments).output().unwrap()
    }

    /// Watches the units, with a safety net that never comes into play.
    pub(crate) async fn watch(&self, units: &[&str]) -> (Observer, Recorder) {
        self.watch_with_resync(units, Duration::from_secs(3600)).await
    }

    pub(crate) async fn watch_with_resync(&self, units: &[&str], resync: Duration) -> (Observer, Recorder) {
        let units = units.iter().map(|name| UnitName::new(*name).unwrap()).collect();
        let (observer, feed) = start(Options { bus: self.bus(), units, resync }).await.unwrap();
        let mut recorder = Recorder { feed, states: Vec::new(), events: Vec::new() };
        recorder.until_event(|event| *event == FeedEvent::Synced).await;
        (observer, recorder)
    }
}

/// Writes down everything that the feed tells.
pub(crate) struct Recorder {
    feed: UnitFeed,
    states: Vec<(String, UnitState, Instant)>,
    events: Vec<FeedEvent>,
}

impl Recorder {
    /// Reads on until an event is like this; it is the answer.
    pub(crate) async fn until_event(&mut self, mut is: impl FnMut(&FeedEvent) -> bool) -> FeedEvent {
        loop {
            let event = tokio::time::timeout(Duration::from_secs(10), self.feed.next()).await;
            let event = event.unwrap_or_else(|_| panic!("no such event within 10 s; so far:\n{}", self.dump()));
            if let FeedEvent::Changed(changes) = &event {
                self.states.extend(changes.iter().map(|c| (c.unit.to_string(), c.state.clone(), c.at)));
            }
            self.events.push(event.clone());
            if is(&event) {
                return event;
            }
        }
    }

    /// Reads on until the unit's state is like this; it is the answer.
    pub(crate) async fn until(&mut self, unit: &str, mut is: impl FnMut(&UnitState) -> bool) -> UnitState {
        let mut found = None;
        self.until_event(|event| {
            if let FeedEvent::Changed(changes) = event {
                found = changes.iter().find(|c| c.unit.as_str() == unit && is(&c.state)).map(|c| c.state.clone());
            }
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// The same, unless the last state told of the unit is like this already.
    pub(crate) async fn reach(&mut self, unit: &str, mut is: impl FnMut(&UnitState) -> bool) -> UnitState {
        let last = self.states.iter().rev().find(|(name, _, _)| name == unit).map(|(_, state, _)| state.clone());
        match last.filter(|state| is(state)) {
            Some(state) => state,
            None => self.until(unit, is).await,
        }
    }

    /// The last state told of the unit.
    pub(crate) fn last(&self, unit: &str) -> &UnitState {
        &self.states.iter().rev().find(|(name, _, _)| name == unit).expect("a state").1
    }

    /// The connection was never lost, as far as is written down.
    pub(crate) fn never_disconnected(&self) -> bool {
        !self.events.iter().any(|event| matches!(event, FeedEvent::Disconnected { .. }))
    }

    /// Forgets what was written down.
    pub(crate) fn clear(&mut self) {
        self.states.clear();
        self.events.clear();
    }

    /// What was told of the unit, one [`line`] a state.
    pub(crate) fn lines(&self, unit: &str) -> Vec<String> {
        self.states.iter().filter(|(name, _, _)| name == unit).map(|(_, state, _)| line(state)).collect()
    }

    pub(crate) fn dump(&self) -> String {
        let lines: Vec<String> =
            self.states.iter().map(|(name, state, _)| format!("{name}: {}", line(state))).collect();
        format!(
            "{}\n{:?}",
            lines.join("\n"),
            self.events.iter().filter(|e| !matches!(e, FeedEvent::Changed(_))).collect::<Vec<_>>()
        )
    }
}

/// A state in a line, such as `failed/failed signal killed:9` or `active/running success job=foreign`.
pub(crate) fn line(state: &UnitState) -> String {
    let mut line = format!("{}/{} {}", state.active, state.sub, state.result);
    if let Some(exit) = &state.exit {
        line += &format!(" {:?}:{}", exit.code, exit.status).to_lowercase();
    }
    if let Some(job) = &state.job {
        line += if job.ours { " job=ours" } else { " job=foreign" };
    }
    if state.stopped_by_job {
        line += " stopped";
    }
    if state.restarts > 0 {
        line += &format!(" restarts={}", state.restarts);
    }
    line
}

/// Waits until `is` holds, looking again every few milliseconds; at most 10 s.
pub(crate) async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is() {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
