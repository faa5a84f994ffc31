//! An incident as an alert of Alertmanager (API v2, `POST /api/v2/alerts`), as Prometheus tells it.
//!
//! An alert is its set of labels, so only what stays the same through an incident is a label, and severity, by which
//! people route; if that changes, the alert with the former one ends by itself. Alertmanager forgets what is not told
//! again: while it fires each minute, with an end four times as far away, and for a quarter of an hour after it is over
//! (`rules/alerting.go` and `cmd/prometheus` of Prometheus 3: resend delay 1 m, `4 *` it, resolved retention 15 m).

use crate::config::{ConfigError, at};
use crate::net::{Net, exchange};
use crate::place::Place;
use crate::say::{Said, status};
use crate::secret::Secret;
use crate::text::cut;
use dixmgr_contract::{Delivery, Note, Span, Time};
use http::Method;
use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// How many times the interval an alert lives without being told again.
const LIVES: u64 = 4;
/// How often it is told again where nobody says otherwise.
const EVERY: Span = Span::from_secs(60);
const MIN_EVERY: Span = Span::from_secs(1);
const MAX_EVERY: Span = Span::from_secs(3_600);
/// For how long one that is over is told again.
pub const RESOLVED_FOR: Span = Span::from_secs(15 * 60);
const MAX_BODY: usize = 8_000;

/// Where Alertmanager is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertmanagerConfig {
    /// Its URL, `http://host:9093`, with its path prefix if it has one; a user and a password in it are sent.
    pub url: Secret,
    /// How often an alert is told again, 1 s to 1 h; absent: 1 m.
    pub resend: Option<Span>,
}

#[derive(Debug)]
pub(crate) struct Alertmanager {
    place: Place,
    every: Span,
}

impl Alertmanager {
    pub(crate) fn new(config: &AlertmanagerConfig) -> Result<Self, ConfigError> {
        let place = Place::parse(&config.url).map_err(at("url"))?.below(&["api", "v2", "alerts"]);
        let every = config.resend.unwrap_or(EVERY);
        if !(MIN_EVERY..=MAX_EVERY).contains(&every) {
            return Err(ConfigError::new("resend", format!("is {every}; {MIN_EVERY} to {MAX_EVERY} are allowed")));
        }
        Ok(Self { place, every })
    }

    pub(crate) async fn send(&self, net: &Net, said: &Said) -> Delivery {
        let now = Time::from(SystemTime::now());
        let body = alerts(said, ends_at(&said.note, self.every, now)).to_string();
        let request = net.json(Method::POST, &self.place, body.into_bytes());
        match exchange(&self.place, request).await {
            Ok(answer) => answer.judge(&self.place.to_string(), ""),
            Err(delivery) => delivery,
        }
    }

    pub(crate) fn resend_after(&self, note: &Note, now: Time) -> Option<Span> {
        resend_after(note, self.every, now)
    }
}

/// The `endsAt` of an alert that is told at `now` and again `every` so often: far enough ahead while it lasts, and when it
/// was over after that.
pub fn ends_at(note: &Note, every: Span, now: Time) -> Time {
    if is_over(note) {
        note.ended.unwrap_or(note.at).max(note.began)
    } else {
        now.after(Span::from_millis(every.as_millis().saturating_mul(LIVES)))
    }
}

/// After how long it has to be told again; none if it need not be.
pub fn resend_after(note: &Note, every: Span, now: Time) -> Option<Span> {
    let is_forgotten = is_over(note) && now.since(note.ended.unwrap_or(note.at)) >= RESOLVED_FOR;
    (!is_forgotten && status(note.kind) != "test").then_some(every)
}

fn is_over(note: &Note) -> bool {
    status(note.kind) == "resolved"
}

/// The body: one alert.
fn alerts(said: &Said, ends: Time) -> Value {
    let note = &said.note;
    json!([{
        "labels": labels(note),
        "annotations": {
            "summary": note.title,
            "description": cut(&said.body(usize::MAX).join("\n"), MAX_BODY),
            "dixmgr_status": said.status,
        },
        "startsAt": note.began,
        "endsAt": ends,
    }])
}

/// Those of the note, and ours, which win. Names are of the characters that every version takes.
fn labels(note: &Note) -> Map<String, Value> {
    let mut labels: Map<String, Value> = note.labels.iter().map(|(name, value)| (label(name), json!(value))).collect();
    let alert = if note.alert.is_empty() { "dixmgr" } else { &note.alert };
    for (name, value) in [
        ("alertname", alert),
        ("incident", &note.incident),
        ("service", &note.service),
        ("severity", note.severity.as_str()),
    ] {
        if value.is_empty() {
            labels.remove(name);
        } else {
            labels.insert(name.to_owned(), json!(value));
        }
    }
    labels
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`.
fn label(name: &str) -> String {
    let mut label: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        label.insert(0, '_');
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{KINDS, any_note, note};
    use dixmgr_contract::NoteKind;
    use proptest::prelude::*;

    #[test]
    fn an_alert_is_its_labels_and_ends_ahead_while_it_fires() {
        let note = note();
        let now = note.at;
        let body = alerts(&Said::of(&note), ends_at(&note, EVERY, now));
        assert_eq!(
            body[0]["labels"],
            json!({"alertname": "service_down", "chain": "polkadot", "incident": "service_down.api",
                   "service": "api", "severity": "critical", "team": "ops"})
        );
        assert_eq!(body[0]["startsAt"], "2023-11-14T22:13:20.000Z");
        assert_eq!(body[0]["endsAt"], "2023-11-14T22:19:00.000Z");
        assert_eq!(body[0]["annotations"]["summary"], "api is down");
    }

    #[test]
    fn the_labels_are_the_same_from_the_first_note_to_the_last() {
        let all: Vec<_> = KINDS
            .into_iter()
            .map(|kind| {
                let mut note = note();
                (note.kind, note.title, note.sequence) = (kind, format!("{kind:?}"), 7);
                labels(&Said::of(&note).note)
            })
            .collect();
        assert!(all.iter().all(|labels| *labels == all[0]));
    }

    #[test]
    fn what_is_over_has_its_end_and_is_told_for_a_quarter_of_an_hour() {
        let mut note = note();
        let ended = note.at;
        (note.kind, note.ended) = (NoteKind::Resolved, Some(ended));
        for (after, again) in [(0, Some(EVERY)), (899, Some(EVERY)), (900, None), (90_000, None)] {
            let now = ended.after(Span::from_secs(after));
            assert_eq!(ends_at(&note, EVERY, now), ended);
            assert_eq!(resend_after(&note, EVERY, now), again, "{after}");
        }
        note.ended = Some(note.began.earlier(EVERY));
        assert_eq!(ends_at(&note, EVERY, note.at), note.began);
    }

    #[test]
    fn what_fires_is_told_again_for_ever_and_a_test_is_not() {
        let mut note = note();
        let later = note.at.after(Span::from_secs(1_000_000));
        assert_eq!(resend_after(&note, EVERY, later), Some(EVERY));
        note.kind = NoteKind::Acknowledged;
        assert_eq!(resend_after(&note, EVERY, later), Some(EVERY));
        note.kind = NoteKind::Test;
        assert_eq!(resend_after(&note, EVERY, later), None);
    }

    #[test]
    fn it_is_told_again_as_often_as_is_sensible() {
        let config = |resend| AlertmanagerConfig { url: Secret::new("http://h:9093/am/"), resend };
        let channel = Alertmanager::new(&config(None)).unwrap();
        assert_eq!(channel.place.url().as_str(), "http://h:9093/am/api/v2/alerts");
        assert_eq!(Alertmanager::new(&config(Some(Span::ZERO))).unwrap_err().key, "resend");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_note_is_an_alert_that_is_taken(note in any_note(), now in any::<i64>()) {
            let said = Said::of(&note);
            let body = alerts(&said, ends_at(&said.note, EVERY, Time::from_unix_millis(now)));
            prop_assert!(serde_json::from_str::<Value>(&body.to_string()).is_ok());
            let alert = &body[0];
            for (name, value) in alert["labels"].as_object().unwrap() {
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
                prop_assert!(!name.starts_with(|c: char| c.is_ascii_digit()) && value != "");
            }
            prop_assert!(alert["labels"]["alertname"].is_string());
            // Alertmanager refuses an alert that ends before it starts.
            if is_over(&said.note) {
                prop_assert!(alert["endsAt"].as_str() >= alert["startsAt"].as_str());
            }
        }
    }
}
