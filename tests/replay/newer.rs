//! What a newer version may write: in each history, each input and answer gets fields that this version does not know, and
//! it replays all the same. So hosts may be upgraded one after the other while all of them work on the same workflows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Names of fields whose values have fields of their own, as opposed to entries.
const PARTS: [&str; 14] = [
    "spec",
    "policy",
    "restart",
    "dependency",
    "unit",
    "exit",
    "job",
    "state",
    "holder",
    "verdicts",
    "services",
    "clusters",
    "phase",
    "last_failure",
];

/// The history as a newer version would have written it, and how many fields it has more.
pub(crate) fn written_by_a_newer_version(history: &[u8]) -> (Vec<u8>, usize) {
    let mut events: Value = serde_json::from_slice(history).unwrap();
    let mut added = 0;
    each_payload(&mut events, &mut |data| {
        let Ok(mut argument) = serde_json::from_slice::<Value>(&STANDARD.decode(&*data).unwrap()) else { return };
        if argument.is_object() {
            added += extend(&mut argument);
            *data = STANDARD.encode(argument.to_string());
        }
    });
    (serde_json::to_vec(&events).unwrap(), added)
}

/// The history as if the fleet had had a maintenance window that is always open, of which the version that recorded it knew nothing;
/// and in how many places it is told of it.
pub(crate) fn with_a_window_of_the_fleet(history: &[u8]) -> (Vec<u8>, usize) {
    let window = json!({"id": "w", "window": {"name": "w", "start_minute": 0, "length": "48h"}});
    let mut events: Value = serde_json::from_slice(history).unwrap();
    let mut told = 0;
    each_payload(&mut events, &mut |data| {
        let Ok(mut argument) = serde_json::from_slice::<Value>(&STANDARD.decode(&*data).unwrap()) else { return };
        let is_start = argument["fingerprint"].is_string() && argument["policy"].is_object();
        let is_signal = argument[0]["matchers"].is_array();
        match &mut argument {
            Value::Object(fields) if is_start => drop(fields.insert("silences".to_owned(), json!([window]))),
            Value::Array(silences) if is_signal => silences.push(window.clone()),
            _ => return,
        }
        told += 1;
        *data = STANDARD.encode(argument.to_string());
    });
    (serde_json::to_vec(&events).unwrap(), told)
}

fn each_payload(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::Object(fields) if fields.contains_key("metadata") && fields.contains_key("data") => {
            if let Some(Value::String(data)) = fields.get_mut("data") {
                change(data);
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(|value| each_payload(value, change)),
        Value::Array(values) => values.iter_mut().for_each(|value| each_payload(value, change)),
        _ => {}
    }
}

fn extend(value: &mut Value) -> usize {
    match value {
        Value::Object(fields) => {
            let parts = fields.iter_mut().filter(|(name, _)| PARTS.contains(&name.as_str()));
            let added: usize = parts.map(|(_, value)| extend(value)).sum();
            fields.insert("from_the_future".to_owned(), json!({ "deep": [1, null, "x"] }));
            added + 1
        }
        Value::Array(values) => values.iter_mut().map(extend).sum(),
        _ => 0,
    }
}
