//! What becomes a row of the incidents, from what the machine says.

use super::now;
use super::tests::Bench;
use dixmgr_contract::incident::{AckArgs, SilenceArgs};
use dixmgr_contract::{AlertPolicy, Delivery, IncidentNews, IncidentSpec, NotifyArgs, Route, Span, Time};
use dixmgr_decide::incident::{Action, Event, Incident};
use dixmgr_history::Entry;
use serde_json::json;
use std::collections::VecDeque;

/// Through the machine, as its workflow would: what is written down is what the machine says, with how it stands by then. The channel
/// answers at once, with these in their order. Where it is written, and when it began.
fn play(name: &str, dedupe: u64, mut answers: VecDeque<Delivery>, events: Vec<(u64, Event)>) -> (Bench, Time) {
    let (bench, begin) = (Bench::new(name), now().earlier(Span::from_secs(1_000)));
    let policy = AlertPolicy {
        dedupe_window: Span::from_secs(dedupe),
        group_wait: Span::ZERO,
        channels: vec![Route::new("ops")],
        ..AlertPolicy::default()
    };
    let mut incident = Incident::new(IncidentSpec::from_fingerprint("service_down.api".into()), 1, begin);
    let mut events: VecDeque<_> = events.into();
    while let Some((seconds, event)) = events.pop_front() {
        let at = begin.after(Span::from_secs(seconds));
        for action in incident.step(event, &policy, at) {
            match action {
                Action::Record(record) => {
                    let (status, services) = (incident.status(&policy), incident.parts());
                    bench.history.incident(&IncidentNews { record, status, at, services });
                }
                Action::Deliver { channel, note, attempt, again, thread } => {
                    let outcome = answers.pop_front().unwrap();
                    let note_of = note.as_ref().clone();
                    let args = NotifyArgs { channel: channel.clone(), note: note_of, thread, attempt, again };
                    bench.history.told(&args, &outcome);
                    events.push_front((seconds, Event::Delivered { channel, note: note.id, outcome }));
                }
                _ => {}
            }
        }
    }
    (bench, begin)
}

/// The rows of incidents: when each began and ended, and who took care of it.
async fn recorded(
    name: &str,
    dedupe: u64,
    answers: VecDeque<Delivery>,
    events: Vec<(u64, Event)>,
) -> Vec<(i64, Option<i64>, String)> {
    let (bench, begin) = play(name, dedupe, answers, events);
    let seconds = |at: Time| at.unix_millis().saturating_sub(begin.unix_millis()) / 1_000;
    let row = |entry| match entry {
        Entry::Incident(it) => Some((seconds(it.began), it.ended.map(seconds), it.acknowledged_by)),
        _ => None,
    };
    bench.entries().await.into_iter().filter_map(row).collect()
}

fn stands(revision: u64, firing: bool, cause: Option<&str>) -> Event {
    one_stands("api", revision, firing, cause)
}

fn one_stands(service: &str, revision: u64, firing: bool, cause: Option<&str>) -> Event {
    let alert = json!({"rule": "ServiceDown", "type": "service_down", "severity": "critical", "detail": "it is down"});
    let alerts = if firing { json!([alert]) } else { json!([]) };
    let report = json!({"service": service, "host": "alpha", "revision": revision, "alerts": alerts, "cause": cause});
    Event::Member(Box::new(serde_json::from_value(report).unwrap()))
}

/// Of an incident that is grouped, whoever asks about any of its services hears: of one that joined later and was well before the
/// others too.
#[tokio::test]
async fn an_incident_and_its_notes_are_told_of_each_of_its_services() {
    let events = vec![
        (1, one_stands("api", 1, true, None)),
        (2, one_stands("web", 1, true, None)),
        (3, one_stands("app", 1, true, Some("service_down.db"))),
        (4, one_stands("web", 2, false, None)),
        (5, one_stands("api", 2, false, None)),
    ];
    let (bench, _) = play("grouped", 300, taken(9), events);
    for (service, incidents) in [("api", 1), ("web", 1), ("app", 1), ("db", 0)] {
        let entries = bench.entries_of(Some(service)).await;
        let count = |is: fn(&Entry) -> bool| entries.iter().filter(|entry| is(entry)).count();
        assert_eq!(count(|entry| matches!(entry, Entry::Incident(_))), incidents, "{service}: {entries:?}");
        let notes = count(|entry| matches!(entry, Entry::Note(_)));
        assert!((notes >= 2) == (incidents == 1), "its beginning and its end: {service}: {entries:?}");
    }
}

fn taken(times: usize) -> VecDeque<Delivery> {
    std::iter::repeat_n(Delivery::Sent { thread: String::new() }, times).collect()
}

#[tokio::test]
async fn an_incident_without_a_dedupe_window_is_one_row_with_its_end() {
    let ack = Event::Ack { id: "r1".into(), args: AckArgs { by: "ada".into(), comment: String::new() } };
    let events = vec![(1, stands(1, true, None)), (2, ack), (5, stands(2, false, None))];
    let rows = recorded("no-window", 0, taken(3), events).await;
    assert_eq!(rows, [(1, Some(5), "ada".to_owned())]);
}

#[tokio::test]
async fn a_silence_of_what_is_only_a_consequence_begins_no_incident() {
    let silence = Event::Silence { id: "r1".into(), args: SilenceArgs::default() };
    let events = vec![(1, stands(1, true, Some("service_down.db"))), (2, silence)];
    let rows = recorded("held", 300, taken(0), events).await;
    assert!(rows.is_empty(), "{rows:?}");
}

#[tokio::test]
async fn a_note_that_is_given_up_long_after_the_end_begins_no_incident() {
    let mut answers = taken(1);
    answers.push_back(Delivery::Retry { reason: "HTTP 503".into(), after: None });
    answers.push_back(Delivery::Refused { reason: "gone".into() });
    let events = vec![(1, stands(1, true, None)), (3, stands(2, false, None)), (400, Event::Tick)];
    let rows = recorded("late", 5, answers, events).await;
    assert_eq!(rows, [(1, Some(3), String::new())]);
}
