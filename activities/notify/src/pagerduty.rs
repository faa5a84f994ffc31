//! An incident as an alert of PagerDuty (Events API v2): triggered, acknowledged, resolved by the same key.
//!
//! What was over before it could be told is only resolved: nobody is called out of bed for it, and nothing stays open if an
//! earlier try did arrive after all.

use crate::config::{ConfigError, at};
use crate::net::{Net, exchange};
use crate::place::Place;
use crate::say::Said;
use crate::secret::Secret;
use crate::text::cut;
use dixmgr_contract::{Delivery, NoteKind, Severity};
use http::Method;
use serde_json::{Value, json};

const API: &str = "https://events.pagerduty.com/v2/enqueue";
const MAX_SUMMARY: usize = 1_024;

/// A service of PagerDuty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PagerDutyConfig {
    /// The integration key of an "Events API v2" integration.
    pub routing_key: Secret,
    /// Where events go; absent: PagerDuty's own.
    pub api_url: Option<Secret>,
}

#[derive(Debug)]
pub(crate) struct PagerDuty {
    place: Place,
    key: Secret,
}

impl PagerDuty {
    pub(crate) fn new(config: &PagerDutyConfig) -> Result<Self, ConfigError> {
        crate::token::check(&config.routing_key).map_err(at("routing_key"))?;
        let url = config.api_url.clone().unwrap_or_else(|| Secret::new(API));
        Ok(Self { place: Place::parse(&url).map_err(at("api_url"))?, key: config.routing_key.clone() })
    }

    pub(crate) async fn send(&self, net: &Net, said: &Said) -> Delivery {
        let mut event = event(said);
        event["routing_key"] = json!(self.key.expose());
        let request = net.json(Method::POST, &self.place, event.to_string().into_bytes());
        match exchange(&self.place, request).await {
            Ok(answer) if answer.status == 400 => {
                answer.judge("PagerDuty", "the routing key, or the event, is not valid")
            }
            Ok(answer) => answer.judge("PagerDuty", ""),
            Err(delivery) => delivery,
        }
    }
}

/// The event without its key.
fn event(said: &Said) -> Value {
    let note = &said.note;
    let action = match note.kind {
        NoteKind::Acknowledged => "acknowledge",
        NoteKind::Resolved | NoteKind::Late => "resolve",
        NoteKind::Firing | NoteKind::Update | NoteKind::Reminder | NoteKind::Escalation | NoteKind::Test => "trigger",
    };
    // A bounded note's id is within the 255 characters of a `dedup_key`.
    let mut event = json!({"event_action": action, "dedup_key": note.incident, "client": "dixmgr"});
    if action == "trigger" {
        event["payload"] = payload(said);
    }
    event
}

fn payload(said: &Said) -> Value {
    let note = &said.note;
    let host = note.members.iter().find_map(|member| member.host.as_ref());
    let source = host.map_or_else(|| note.incident.clone(), |host| host.as_str().to_owned());
    let severity = match (note.kind, note.severity) {
        (NoteKind::Test, _) | (_, Severity::Info) => "info",
        (_, Severity::Warning) => "warning",
        (_, Severity::Critical) => "critical",
    };
    json!({
        "summary": cut(&said.title, MAX_SUMMARY),
        "source": source,
        "severity": severity,
        "timestamp": note.began,
        "component": note.service,
        "class": note.alert,
        "custom_details": {
            "text": note.text,
            "members": said.members,
            "affected": said.affected,
            "labels": note.labels,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{KINDS, any_note, note};
    use crate::text::units;
    use proptest::prelude::*;

    #[test]
    fn an_incident_is_triggered_acknowledged_and_resolved_by_one_key() {
        let trigger = event(&Said::of(&note()));
        assert_eq!(trigger["event_action"], "trigger");
        assert_eq!(trigger["payload"]["summary"], "[CRITICAL] api is down");
        assert_eq!(trigger["payload"]["source"], "alpha");
        assert_eq!(trigger["payload"]["severity"], "critical");
        let actions = ["trigger", "trigger", "trigger", "trigger", "acknowledge", "resolve", "resolve", "trigger"];
        for (kind, action) in KINDS.into_iter().zip(actions) {
            let mut note = note();
            note.kind = kind;
            let event = event(&Said::of(&note));
            assert_eq!((&event["event_action"], &event["dedup_key"]), (&json!(action), &json!("service_down.api")));
            assert_eq!(event["payload"].is_object(), action == "trigger");
        }
    }

    #[test]
    fn a_try_calls_nobody_out_of_bed() {
        let mut note = note();
        note.kind = NoteKind::Test;
        assert_eq!(event(&Said::of(&note))["payload"]["severity"], "info");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_note_is_within_the_limits(note in any_note()) {
            let event = event(&Said::of(&note));
            let text = event.to_string();
            prop_assert!(text.len() <= 500_000);
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
            prop_assert!((1..=255).contains(&event["dedup_key"].as_str().unwrap().len()));
            if event["event_action"] == "trigger" {
                let summary = event["payload"]["summary"].as_str().unwrap();
                prop_assert!(!summary.is_empty() && units(summary) <= 1_024);
                prop_assert!(!event["payload"]["source"].as_str().unwrap().is_empty());
            }
        }
    }
}
