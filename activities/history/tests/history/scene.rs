//! A host with a clock that stands still, and whatever its writer says.

use dixmgr_contract::{Severity, Span, Time};
use dixmgr_history::{
    Action, Incident, Notice, Options, Question, Record, Recorder, Restart, State, Store, Target, Told, Transition,
    Usage, Writer,
};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// When every test begins: a full hour.
pub(crate) const START: i64 = 1_800_000_000_000;
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn at(seconds: i64) -> Time {
    Time::from_unix_millis(START + seconds * 1000)
}

/// Everything there can be.
pub(crate) fn ever() -> Question {
    Question::between(at(-1_000_000_000), at(1_000_000_000))
}

#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) options: Options,
    clock: Arc<AtomicI64>,
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Scene {
    pub(crate) fn new(target: Target, host: &str) -> Self {
        let (clock, notices) = (Arc::new(AtomicI64::new(START)), Arc::new(Mutex::new(Vec::new())));
        let mut options = Options::new(target, host.parse().unwrap());
        let (hand, ear) = (Arc::clone(&clock), Arc::clone(&notices));
        options.clock = Arc::new(move || Time::from_unix_millis(hand.load(Ordering::SeqCst)));
        options.tell = Arc::new(move |notice| ear.lock().unwrap().push(notice.clone()));
        Self { options, clock, notices }
    }

    pub(crate) fn file(folder: &tempfile::TempDir) -> Self {
        Self::new(Target::file(folder.path().join("history.db")), "alpha")
    }

    /// The clock is at so many seconds after the start.
    pub(crate) fn turn_clock(&self, seconds: i64) {
        self.clock.store(START + seconds * 1000, Ordering::SeqCst);
    }

    pub(crate) fn start(&self) -> (Recorder, Writer) {
        Writer::start(self.options.clone())
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(self.options.target.clone())
    }

    /// What the writer has said since the last time.
    pub(crate) fn heard(&self) -> Vec<Notice> {
        std::mem::take(&mut self.notices.lock().unwrap())
    }

    pub(crate) async fn export(&self) -> Vec<serde_json::Value> {
        let mut lines = Vec::new();
        let take = |line: &str| {
            lines.push(serde_json::from_str(line).unwrap());
            Ok(())
        };
        let count = self.store().export(&ever(), take).await.unwrap();
        assert_eq!(count, lines.len() as u64);
        lines
    }
}

pub(crate) fn change(service: &str, seconds: i64, state: State, reason: &str) -> Record {
    let phase = if state == State::Up { "healthy" } else { "down" };
    Record::Transition(Transition {
        service: service.into(),
        at: at(seconds),
        state,
        phase: phase.into(),
        reason: reason.into(),
    })
}

pub(crate) fn restart(service: &str, seconds: i64) -> Record {
    Record::Restart(Restart {
        service: service.into(),
        at: at(seconds),
        reason: "signal 9".into(),
        result: "done".into(),
        detail: String::new(),
        took: Span::from_millis(35),
    })
}

pub(crate) fn action(service: &str, seconds: i64) -> Record {
    Record::Action(Action {
        service: service.into(),
        at: at(seconds),
        who: "ada".into(),
        action: "pause".into(),
        detail: "for a look".into(),
        result: "done".into(),
    })
}

pub(crate) fn incident(seconds: i64, ended: Option<i64>) -> Incident {
    Incident {
        id: "service_down:api".into(),
        began: at(0),
        updated: at(seconds),
        ended: ended.map(at),
        alert: "service_down".into(),
        severity: Severity::Critical,
        service: "api".into(),
        title: "api is down".into(),
        members: 1,
        acknowledged_by: String::new(),
    }
}

pub(crate) fn told(seconds: i64, outcome: &str, tries: u64) -> Told {
    Told {
        id: "service_down:api/1/ops".into(),
        incident: "service_down:api".into(),
        sequence: 1,
        at: at(seconds),
        channel: "ops".into(),
        why: "firing".into(),
        alert: "service_down".into(),
        severity: Severity::Critical,
        service: "api".into(),
        title: "api is down".into(),
        outcome: outcome.into(),
        detail: String::new(),
        tries,
    }
}

pub(crate) fn usage(service: &str, seconds: i64, cpu_percent: f64, memory: f64) -> Record {
    usages(service, seconds, cpu_percent, memory, 1)
}

/// So many samples that were the same.
pub(crate) fn usages(service: &str, seconds: i64, cpu_percent: f64, memory: f64, samples: u32) -> Record {
    let usage = Usage { cpu_percent, memory, disk_read: 10.0, disk_write: 20.0 };
    Record::Usage { service: service.into(), at: at(seconds), usage, samples }
}

pub(crate) fn probe(service: &str, seconds: i64, ok: bool, millis: u64) -> Record {
    Record::Probe {
        service: service.into(),
        probe: "http".into(),
        at: at(seconds),
        ok,
        took: Span::from_millis(millis),
    }
}
