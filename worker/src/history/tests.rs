//! What is recorded of what happens, as the store gives it back.

use super::{History, Ledger, Sight, now};
use dixmgr_bind::{OrderEnd, OrderNews};
use dixmgr_contract::{
    ActiveState, Delivery, FailureKind, Guard, IncidentNews, LoadState, NotifyArgs, Policy, ServiceName, Span,
    UnitState, Verb, Verdict,
};
use dixmgr_history::{Entry, FILE_NAME, Options, Question, State, Store, Target, Writer};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

impl History {
    /// One with a file in a test's own folder.
    pub(crate) fn in_folder(folder: &Path) -> (Self, Writer) {
        let target = Target::file(folder.join(FILE_NAME));
        let (recorder, writer) = Writer::start(Options::new(target, "alpha".parse().unwrap()));
        (Self::new(recorder, folder), writer)
    }
}

pub(super) struct Bench {
    folder: PathBuf,
    pub(super) history: History,
    writer: Writer,
    ledger: Ledger,
    api: ServiceName,
    policy: Policy,
}

impl Bench {
    pub(super) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("dixmgr-history-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (history, writer) = History::in_folder(&folder);
        let ledger = Ledger::new(history.clone());
        Self { folder, history, writer, ledger, api: "api".parse().unwrap(), policy: Policy::default() }
    }

    fn see(&mut self, active: ActiveState, run: &str, verdicts: &[Verdict]) {
        let unit = UnitState { invocation: Some(run.into()), ..UnitState::new(LoadState::Loaded, active) };
        let (service, policy, at) = (&self.api, &self.policy, Instant::now());
        self.ledger.see(Sight { service, policy, unit: &unit, verdicts, at });
    }

    /// What is kept, the oldest first.
    pub(super) async fn entries(&self) -> Vec<Entry> {
        self.entries_of(None).await
    }

    /// What is kept of a service.
    pub(super) async fn entries_of(&self, service: Option<&str>) -> Vec<Entry> {
        assert!(self.writer.flush().await);
        let store = Store::new(Target::file(self.folder.join(FILE_NAME)));
        let to = now().after(Span::from_secs(60));
        let question = Question::between(now().earlier(Span::from_secs(3600)), to);
        let question = service.map_or(question.clone(), |service| question.of(service));
        let mut lines = store.timeline(&question).await.unwrap();
        lines.extend(store.samples(&question, Span::ZERO).await.unwrap());
        lines.into_iter().rev().map(|line| line.entry).collect()
    }

    async fn states(&self) -> Vec<(State, String)> {
        let transition = |entry| match entry {
            Entry::Transition(it) => Some((it.state, it.phase)),
            _ => None,
        };
        let mut found: Vec<_> = self.entries().await.into_iter().filter_map(transition).collect();
        found.sort_by_key(|(_, phase)| phase.clone());
        found
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn guard(run: &str, reason: &str) -> Guard {
    serde_json::from_value(json!({"service": "api", "generation": 1, "invocation": run, "reason": reason})).unwrap()
}

#[tokio::test]
async fn each_change_is_recorded_once_with_its_reason() {
    let mut bench = Bench::new("changes");
    bench.see(ActiveState::Active, "a", &[]);
    bench.see(ActiveState::Active, "a", &[]);
    bench.see(ActiveState::Active, "a", &[Verdict::new("port", false, "refused".into())]);
    bench.see(ActiveState::Failed, "a", &[]);
    bench.ledger.lose_sight("the bus is gone");
    let expected = [
        (State::Up, "degraded".to_owned()),
        (State::Down, "down".to_owned()),
        (State::Up, "healthy".to_owned()),
        (State::Unknown, "unknown".to_owned()),
    ];
    assert_eq!(bench.states().await, expected);
    let degraded = |entry: &Entry| matches!(entry, Entry::Transition(it) if it.reason == "port: refused");
    assert!(bench.entries().await.iter().any(degraded));
}

#[tokio::test]
async fn a_stop_on_command_is_no_outage_even_for_the_next_dixmgr() {
    let mut bench = Bench::new("stop");
    let (service, guard) = (bench.api.clone(), guard("a", "command 7"));
    let stop = OrderNews { service: &service, verb: Verb::Stop, guard: Some(&guard), end: None };
    bench.see(ActiveState::Active, "a", &[]);
    bench.history.ordered(&stop);
    bench.see(ActiveState::Deactivating, "a", &[]);
    bench.see(ActiveState::Inactive, "a", &[]);
    let done = Some(OrderEnd { failure: None, took: Duration::from_millis(5) });
    bench.history.ordered(&OrderNews { end: done, ..stop });
    bench.history.ordered(&stop);
    let stale = Some(OrderEnd { failure: Some((FailureKind::Stale, "again")), took: Duration::ZERO });
    bench.history.ordered(&OrderNews { end: stale, ..stop });
    assert!(bench.writer.flush().await);
    (bench.history, bench.writer) = History::in_folder(&bench.folder);
    bench.ledger = Ledger::new(bench.history.clone());
    bench.see(ActiveState::Inactive, "a", &[]);
    let states: Vec<_> = bench.states().await.into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, [State::Up, State::Off, State::Off, State::Off], "healthy, stopped twice, stopping");
    bench.see(ActiveState::Active, "b", &[]);
    bench.see(ActiveState::Failed, "b", &[]);
    let states: Vec<_> = bench.states().await.into_iter().map(|(state, _)| state).collect();
    assert_eq!(states.iter().filter(|state| **state == State::Down).count(), 1, "another run has failed");
}

#[tokio::test]
async fn an_order_is_recorded_with_its_reason_and_its_end() {
    let bench = Bench::new("orders");
    let (service, guard) = (bench.api.clone(), guard("a", "signal 9"));
    let start = OrderNews { service: &service, verb: Verb::Start, guard: Some(&guard), end: None };
    bench.history.ordered(&start);
    let took = Duration::from_millis(12);
    bench.history.ordered(&OrderNews { end: Some(OrderEnd { failure: None, took }), ..start });
    let failure = Some((FailureKind::Denied, "polkit said no"));
    bench.history.ordered(&OrderNews { end: Some(OrderEnd { failure, took }), ..start });
    let restarts: Vec<_> = bench
        .entries()
        .await
        .into_iter()
        .map(|entry| match entry {
            Entry::Restart(it) => (it.reason, it.result, it.detail, it.took.as_millis()),
            other => panic!("{other:?}"),
        })
        .collect();
    let signal = || "signal 9".to_owned();
    assert_eq!(restarts.len(), 2);
    assert!(restarts.contains(&(signal(), "done".into(), String::new(), 12)));
    assert!(restarts.contains(&(signal(), "Denied".into(), "polkit said no".into(), 12)));
}

#[tokio::test]
async fn a_sample_is_recorded_only_if_it_is_known() {
    let bench = Bench::new("samples");
    let usage = dixmgr_procfs::Usage { memory_bytes: Some(5), ..dixmgr_procfs::Usage::default() };
    bench.history.usage("api", &usage);
    let usage = dixmgr_procfs::Usage { cpu_percent: Some(50.0), ..usage };
    bench.history.usage("api", &usage);
    let entries = bench.entries().await;
    assert!(matches!(&entries[..], [Entry::Usage(it)] if it.cpu_percent == 50.0 && it.memory == 5.0), "{entries:?}");
}

#[tokio::test]
async fn what_was_gathered_is_recorded_at_the_end() {
    let bench = Bench::new("gathered");
    let usage =
        dixmgr_procfs::Usage { memory_bytes: Some(5), cpu_percent: Some(50.0), ..dixmgr_procfs::Usage::default() };
    bench.history.usage("api", &usage);
    // No two rows of a service are of one moment.
    let first = now();
    while now() <= first {
        tokio::task::yield_now().await;
    }
    (0..2).for_each(|_| bench.history.usage("api", &usage));
    bench.history.gather();
    let entries = bench.entries().await;
    let samples = entries.iter().map(|entry| if let Entry::Usage(it) = entry { it.samples } else { 0 });
    assert_eq!(samples.sum::<u64>(), 3, "{entries:?}");
}

#[tokio::test]
async fn incidents_notes_and_what_people_did_to_them_are_recorded() {
    let bench = Bench::new("incidents");
    let at = now().to_string();
    let status = json!({
        "id": "i-1", "fingerprint": "service_down.api", "type": "service_down", "phase": "acknowledged",
        "severity": "critical", "began": at, "ended": null, "waiting_for": [], "next_at": null, "firing": 2,
        "members": [{"service": "api", "detail": "api is down"}, {"service": "db", "detail": "db is down"}],
        "affected": 0, "acked_by": "ada", "channels": [], "notes": 1,
    });
    let record = json!({"what": "operator", "by": "ada", "text": "acknowledged"});
    let news = json!({"record": record, "status": status, "at": at});
    bench.history.incident(&serde_json::from_value::<IncidentNews>(news).unwrap());
    let note = json!({
        "id": "n-1", "incident": "i-1", "sequence": 1, "kind": "firing", "type": "service_down",
        "severity": "critical", "title": "api is down", "began": at, "at": at,
    });
    let args: NotifyArgs = serde_json::from_value(json!({"channel": "ops", "note": note, "attempt": 2})).unwrap();
    bench.history.told(&args, &Delivery::Refused { reason: "gone".into() });
    let (mut incidents, mut notes, mut actions) = (Vec::new(), Vec::new(), Vec::new());
    for entry in bench.entries().await {
        match entry {
            Entry::Incident(it) => incidents.push((it.title, it.service, it.members, it.acknowledged_by)),
            Entry::Note(it) => notes.push((it.channel, it.outcome, it.tries)),
            Entry::Action(it) => actions.push((it.who, it.detail)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(incidents, [("api is down, and 1 more".to_owned(), "api".to_owned(), 2, "ada".to_owned())]);
    assert_eq!(notes, [("ops".to_owned(), "refused".to_owned(), 2)]);
    assert_eq!(actions, [("ada".to_owned(), "i-1: acknowledged".to_owned())]);
}
