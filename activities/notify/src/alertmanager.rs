//! An incident as an alert of Alertmanager (API v2, `POST /api/v2/alerts`), as Prometheus tells it.
//!
//! An alert is its set of labels, so only what stays the same through an incident is a label ([`Note::identity`]); the rest, such as
//! the rule, is in annotations. Severity is a label all the same: people route by it, and who is called for what is critical has to hear of
//! an incident that becomes so. It rises and never falls, and the alert with the former one ends in the same request; Prometheus does
//! the same where there are two rules and the milder one yields to the graver. Alertmanager forgets what is not told again: while it fires each minute, with an end four times as far away, and for a quarter of an hour after it is over
//! (`rules/alerting.go` and `cmd/prometheus` of Prometheus 3: resend delay 1 m, `4 *` it, resolved retention 15 m).

use crate::config::{ConfigError, at};
use crate::net::{Net, exchange};
use crate::place::Place;
use crate::say::{Said, status};
use crate::secret::Secret;
use crate::text::cut;
use dixmgr_contract::{Delivery, Note, Severity, Span, Time};
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
        let body = alerts(said, ends_at(&said.note, self.every, now), now).to_string();
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

/// The body: the alert, and those that it was under a former severity, which are over. These are told for a while, as all that is over.
fn alerts(said: &Said, ends: Time, now: Time) -> Value {
    let note = &said.note;
    let (severity, former) = match &note.identity {
        Some(identity) => (identity.severity, identity.former.as_slice()),
        None => (note.severity, [].as_slice()),
    };
    let changed = note.at.max(note.began);
    let is_recent = now.since(changed) < RESOLVED_FOR;
    let former = former.iter().filter(|former| is_recent && **former != severity);
    let former = former.map(|former| alert(said, *former, "resolved", changed));
    std::iter::once(alert(said, severity, said.status, ends)).chain(former).collect()
}

fn alert(said: &Said, severity: Severity, status: &str, ends: Time) -> Value {
    let note = &said.note;
    let labels = labels(note, severity);
    json!({
        "annotations": annotations(said, &labels, status),
        "labels": labels,
        "startsAt": note.began,
        "endsAt": ends,
    })
}

/// The text, and those labels of now by which Alertmanager does not know it.
fn annotations(said: &Said, labels: &Map<String, Value>, status: &str) -> Map<String, Value> {
    let now = said.note.labels.iter().map(|(name, value)| (label(name), json!(value)));
    let mut annotations: Map<String, Value> = now.filter(|(name, value)| labels.get(name) != Some(value)).collect();
    for (name, value) in [
        ("summary", said.note.title.clone()),
        ("description", cut(&said.body(usize::MAX).join("\n"), MAX_BODY)),
        ("dixmgr_status", status.to_owned()),
    ] {
        annotations.insert(name.to_owned(), json!(value));
    }
    annotations
}

/// Those of the incident, and ours, which win. Names are of the characters that every version takes.
fn labels(note: &Note, severity: Severity) -> Map<String, Value> {
    let known = note.identity.as_ref().map_or(&note.labels, |identity| &identity.labels);
    let mut labels: Map<String, Value> = known.iter().map(|(name, value)| (label(name), json!(value))).collect();
    let alert = if note.alert.is_empty() { "dixmgr" } else { &note.alert };
    let ours = [("alertname", alert), ("incident", &note.incident), ("severity", severity.as_str())];
    // Without an identity, whoever made the note says what it is about.
    let service = ("service", note.service.as_str());
    for (name, value) in ours.into_iter().chain(note.identity.is_none().then_some(service)) {
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
    use dixmgr_contract::{Identity, NoteKind};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn an_alert_is_its_labels_and_ends_ahead_while_it_fires() {
        let note = note();
        let now = note.at;
        let body = alerts(&Said::of(&note), ends_at(&note, EVERY, now), now);
        assert_eq!(
            body[0]["labels"],
            json!({"alertname": "service_down", "chain": "polkadot", "incident": "service_down.api",
                   "service": "api", "severity": "critical", "team": "ops"})
        );
        assert_eq!(body[0]["startsAt"], "2023-11-14T22:13:20.000Z");
        assert_eq!(body[0]["endsAt"], "2023-11-14T22:19:00.000Z");
        assert_eq!(body[0]["annotations"]["summary"], "api is down");
    }

    /// The rule, and whom it names, are other ones in each note.
    #[test]
    fn the_labels_are_the_same_from_the_first_note_to_the_last() {
        let beginning = BTreeMap::from([("service".to_owned(), "api".to_owned()), ("team".into(), "ops".into())]);
        let all: Vec<_> = KINDS
            .into_iter()
            .map(|kind| {
                let mut note = note();
                (note.kind, note.title, note.service) = (kind, format!("{kind:?}"), String::new());
                note.severity = Severity::Info;
                note.labels.insert("rule".into(), format!("{kind:?}"));
                let severity = Severity::Critical;
                note.identity = Some(Identity { labels: beginning.clone(), severity, former: vec![] });
                let body = alerts(&Said::of(&note), note.at, note.at);
                assert_eq!(body[0]["annotations"]["rule"], json!(format!("{kind:?}")));
                assert_eq!(body[0]["annotations"]["team"], Value::Null, "it is a label");
                body[0]["labels"].clone()
            })
            .collect();
        assert!(all.iter().all(|labels| *labels == all[0]));
        assert_eq!(
            all[0],
            json!({"alertname": "service_down", "incident": "service_down.api",
                   "service": "api", "severity": "critical", "team": "ops"})
        );
    }

    #[test]
    fn what_got_worse_ends_under_its_former_severity_and_is_told_so_for_a_quarter_of_an_hour() {
        let mut note = note();
        let labels = note.labels.clone();
        note.identity = Some(Identity { labels, severity: Severity::Critical, former: vec![Severity::Warning] });
        let said = Said::of(&note);
        for (after, count) in [(0, 2), (899, 2), (900, 1)] {
            let now = note.at.after(Span::from_secs(after));
            let body = alerts(&said, ends_at(&note, EVERY, now), now);
            assert_eq!(body.as_array().map(Vec::len), Some(count), "{after}");
            assert_eq!(body[0]["labels"]["severity"], "critical");
            if count == 2 {
                let mut labels = body[0]["labels"].clone();
                labels["severity"] = json!("warning");
                assert_eq!(body[1]["labels"], labels);
                assert_eq!(body[1]["endsAt"], json!(note.at));
                assert_eq!(body[1]["annotations"]["dixmgr_status"], "resolved");
            }
        }
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
            let now = Time::from_unix_millis(now);
            let body = alerts(&said, ends_at(&said.note, EVERY, now), now);
            prop_assert!(serde_json::from_str::<Value>(&body.to_string()).is_ok());
            for (index, alert) in body.as_array().unwrap().iter().enumerate() {
                for kind in ["labels", "annotations"] {
                    for (name, value) in alert[kind].as_object().unwrap() {
                        prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
                        prop_assert!(!name.starts_with(|c: char| c.is_ascii_digit()));
                        prop_assert!(kind == "annotations" || value != "");
                    }
                }
                prop_assert!(alert["labels"]["alertname"].is_string());
                prop_assert!(index == 0 || alert["labels"] != body[0]["labels"]);
                // Alertmanager refuses an alert that ends before it starts.
                if index > 0 || is_over(&said.note) {
                    prop_assert!(alert["endsAt"].as_str() >= alert["startsAt"].as_str());
                }
            }
        }
    }
}
