//! A note as JSON to a URL, signed if there is a secret.
//!
//! The first fields are those of the Go version, so that its receivers go on working; the signature is that of Standard
//! Webhooks (standardwebhooks.com, spec 1.0), so that a receiver needs no code of ours. The note's id, without its dots, is the
//! `webhook-id`, the same on each try: a receiver that remembers it is told once.

use crate::config::{ConfigError, at};
use crate::net::{Net, exchange};
use crate::place::Place;
use crate::say::{Said, kind};
use crate::secret::Secret;
use crate::sign::Keys;
use dixmgr_contract::{Delivery, Time};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::SystemTime};

/// Headers that are ours, or of HTTP itself.
const RESERVED: [&str; 7] = [
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// Where, with what headers, signed with what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookConfig {
    /// `https://host/path`; a user and a password in it are sent as basic authentication.
    pub url: Secret,
    /// Headers of the operator's own.
    pub headers: BTreeMap<String, Secret>,
    /// `whsec_` and 24 to 64 bytes in base64, each; the note is signed with all of them, so that a receiver may change
    /// from one to the next. Empty: not signed.
    pub secrets: Vec<Secret>,
}

#[derive(Debug)]
pub(crate) struct Webhook {
    place: Place,
    headers: HeaderMap,
    keys: Keys,
}

impl Webhook {
    pub(crate) fn new(config: &WebhookConfig) -> Result<Self, ConfigError> {
        let place = Place::parse(&config.url).map_err(at("url"))?;
        let keys = Keys::read(&config.secrets).map_err(at("secrets"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let (name, value) = header(name, value).map_err(at("headers"))?;
            headers.insert(name, value);
        }
        Ok(Self { place, headers, keys })
    }

    pub(crate) async fn send(&self, net: &Net, said: &Said) -> Delivery {
        let body = body(said).to_string();
        let now = Time::from(SystemTime::now()).unix_millis() / 1_000;
        let id = id(&said.note.id);
        let mut request = net.json(Method::POST, &self.place, body.clone().into_bytes());
        request = request.header("webhook-id", &id).header("webhook-timestamp", now);
        if let Some(signature) = self.keys.sign(&id, now, &body) {
            request = request.header("webhook-signature", signature);
        }
        match exchange(&self.place, request.headers(self.headers.clone())).await {
            Ok(answer) => answer.judge(&self.place.to_string(), ""),
            Err(delivery) => delivery,
        }
    }
}

/// The note's id as the header has it: dots part what is signed (`id.timestamp.body`), so none may be in it. Ids differ by more than that.
fn id(id: &str) -> String {
    id.replace('.', "_")
}

/// A name is shown in an error, a value is not.
fn header(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), String> {
    let shown = crate::text::line(name, 50);
    let key: HeaderName = name.parse().map_err(|_| format!("has a name that is no header: {shown:?}"))?;
    if RESERVED.contains(&key.as_str()) {
        return Err(format!("must not set {key}, which is set by itself"));
    }
    let mut value: HeaderValue =
        value.expose().parse().map_err(|_| format!("has a value for {key} that holds a line end or the like"))?;
    value.set_sensitive(true);
    Ok((key, value))
}

/// The note as JSON: at most 200,000 bytes.
pub(crate) fn body(said: &Said) -> Value {
    let note = &said.note;
    json!({
        "type": note.alert,
        "severity": note.severity,
        "service": note.service,
        "message": note.title,
        "timestamp": note.at,
        "labels": note.labels,
        "status": said.status,
        "kind": kind(note.kind),
        "id": note.id,
        "incident_id": note.incident,
        "sequence": note.sequence,
        "title": said.title,
        "text": note.text,
        "members": note.members,
        "more_members": note.more_members,
        "affected": note.affected,
        "more_affected": note.more_affected,
        "began": note.began,
        "ended": note.ended,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{any_note, note};
    use proptest::prelude::*;

    #[test]
    fn the_fields_of_the_go_version_are_there_and_ours_beside_them() {
        assert_eq!(
            body(&Said::of(&note())),
            json!({
                "type": "service_down",
                "severity": "critical",
                "service": "api",
                "message": "api is down",
                "timestamp": "2023-11-14T22:15:00.000Z",
                "labels": {"chain": "polkadot", "team": "ops"},
                "status": "firing",
                "kind": "firing",
                "id": "service_down.api/1/ops",
                "incident_id": "service_down.api",
                "sequence": 1,
                "title": "[CRITICAL] api is down",
                "text": "It was killed by signal 9.",
                "members": [
                    {"service": "api", "host": "alpha", "detail": "killed by signal 9", "over": false},
                    {"service": "db", "detail": "waits for api", "over": true},
                ],
                "more_members": 0,
                "affected": ["web", "proxy"],
                "more_affected": 0,
                "began": "2023-11-14T22:13:20.000Z",
                "ended": null,
            })
        );
    }

    #[test]
    fn headers_that_cannot_be_sent_are_refused_without_their_values() {
        for (name, value, part) in [
            ("a b", "hush", "no header"),
            ("x-key", "hush\r\nx: y", "a value for x-key"),
            ("Webhook-Id", "hush", "must not set webhook-id"),
            ("Host", "hush", "must not set host"),
        ] {
            let config = WebhookConfig {
                url: Secret::new("http://h/"),
                headers: BTreeMap::from([(name.to_owned(), Secret::new(value))]),
                ..WebhookConfig::default()
            };
            let error = Webhook::new(&config).unwrap_err();
            assert!(error.reason.contains(part) && !error.to_string().contains("hush"), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_note_is_json_of_a_bounded_length(note in any_note()) {
            let text = body(&Said::of(&note)).to_string();
            prop_assert!(text.len() <= 200_000, "{}", text.len());
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
        }
    }
}
