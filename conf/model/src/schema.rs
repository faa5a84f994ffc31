//! The JSON schema of a file (draft 2020-12), for editors that complete and check while one types.
//!
//! What the schema refuses the loader refuses as well. The other way round it is coarser: any text may hold `${ENV}`, so
//! forms of texts are left to the loader.

use crate::{
    catalogue::{Key, Kind, Preset, ROOT, Section},
    tree::Object,
};
use dixmgr_contract::Span;
use serde_json::{Value, json};

/// A text with a variable in it: what it becomes is not known here.
const VARIABLE: &str = r"\$\{";
const DURATION: &str = r"^\s*(0|([0-9]*\.?[0-9]*(ns|us|µs|ms|s|m|h|d))+)\s*$|\$\{";
const SIZE: &str = r"^\s*[0-9]+\s*([KMGT]iB|[kMGT]?B)?\s*$|\$\{";

/// The schema, the same for every build.
pub fn json_schema() -> Value {
    let mut schema = section(&ROOT);
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".to_owned(), "dixmgr configuration".into());
    schema.into()
}

fn section(section: &Section) -> Object {
    let mut properties = Object::new();
    for key in section.keys {
        properties.insert(key.name.to_owned(), described(key));
        if key.has_file() {
            let doc = format!("A file that holds `{}`, or `credential:NAME` of systemd's LoadCredential=.", key.name);
            properties.insert(format!("{}_file", key.name), json!({ "type": "string", "description": doc }));
        }
    }
    let mut schema = Object::new();
    schema.insert("description".to_owned(), section.doc.into());
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties.into());
    schema.insert("additionalProperties".to_owned(), section.open.into());
    let required: Vec<_> = section.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

fn described(key: &Key) -> Value {
    let mut schema = kind(key.kind);
    schema.insert("description".to_owned(), key.doc.into());
    if let Preset::Default(literal) | Preset::Flag(literal) = key.preset {
        schema.insert("default".to_owned(), literal.json());
    }
    schema.into()
}

fn kind(of: Kind) -> Object {
    let schema = match of {
        Kind::Ignored => json!({}),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Duration { min, max } => json!({ "anyOf": [
            { "type": "string", "pattern": DURATION },
            { "type": "integer", "minimum": nanoseconds(min), "maximum": nanoseconds(max) },
        ] }),
        Kind::Size { min, max } => json!({ "anyOf": [
            { "type": "string", "pattern": SIZE },
            { "type": "integer", "minimum": min, "maximum": max },
        ] }),
        Kind::Text(_) => json!({ "type": "string" }),
        Kind::OneOf(words) => json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": VARIABLE }] }),
        Kind::ListOf(item) => json!({ "type": "array", "items": kind(*item) }),
        Kind::MapOf(_, item) => json!({ "type": "object", "additionalProperties": kind(*item) }),
        Kind::Section(inner) => section(inner).into(),
    };
    if let Value::Object(schema) = schema { schema } else { Object::new() }
}

fn nanoseconds(span: Span) -> u64 {
    u64::try_from(span.duration().as_nanos()).unwrap_or(u64::MAX)
}
