//! The schema on disk is the one that is generated, and takes what the loader takes.

use serde_json::Value;
use std::path::{Path, PathBuf};

fn conf(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// `DIXMGR_BLESS=1 cargo test -p dixmgr-model` writes it anew.
#[test]
fn the_schema_on_disk_is_in_step() {
    let path = conf("schema.json");
    let generated = dixmgr_model::schema::json_schema();
    if std::env::var_os("DIXMGR_BLESS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&generated).unwrap() + "\n").unwrap();
    }
    let on_disk: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert!(on_disk == generated, "conf/schema.json differs: run DIXMGR_BLESS=1 cargo test -p dixmgr-model");
}

/// The few words of JSON schema that ours uses; a pattern is taken as met by any text.
fn accepts(schema: &Value, value: &Value) -> Result<(), String> {
    let refuse = |why: &str| Err(format!("{why}: {value}"));
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
        return if any.iter().any(|one| accepts(one, value).is_ok()) {
            Ok(())
        } else {
            refuse("none of the alternatives")
        };
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return if words.contains(value) { Ok(()) } else { refuse("not in enum") };
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("boolean") if !value.is_boolean() => refuse("not boolean"),
        Some("string") if !value.is_string() => refuse("not text"),
        Some("integer") => match value.as_i64() {
            Some(number) if number < schema["minimum"].as_i64().unwrap() => refuse("too small"),
            Some(number) if schema["maximum"].as_i64().is_some_and(|max| number > max) => refuse("too big"),
            Some(_) => Ok(()),
            None => refuse("not a number"),
        },
        Some("array") => match value.as_array() {
            Some(list) => list.iter().try_for_each(|item| accepts(&schema["items"], item)),
            None => refuse("not a list"),
        },
        Some("object") => object(schema, value),
        _ => Ok(()),
    }
}

fn object(schema: &Value, value: &Value) -> Result<(), String> {
    let table = value.as_object().ok_or_else(|| format!("not a table: {value}"))?;
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !table.contains_key(required.as_str().unwrap()) {
            return Err(format!("{required} is missing"));
        }
    }
    for (key, value) in table {
        match (schema.get("properties").and_then(|all| all.get(key)), &schema["additionalProperties"]) {
            (Some(property), _) => accepts(property, value)?,
            (None, Value::Bool(true)) => {}
            (None, inner @ Value::Object(_)) => accepts(inner, value)?,
            (None, _) => return Err(format!("{key} is unknown")),
        }
    }
    Ok(())
}

#[test]
fn the_schema_takes_the_examples() {
    let schema = dixmgr_model::schema::json_schema();
    for entry in std::fs::read_dir(conf("examples")).unwrap() {
        let path = entry.unwrap().path();
        let table: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        assert_eq!(accepts(&schema, &serde_json::to_value(table).unwrap()), Ok(()), "{}", path.display());
    }
}

#[test]
fn the_schema_refuses_what_the_loader_refuses() {
    let schema = dixmgr_model::schema::json_schema();
    for text in [
        "[services.a]\n",
        "[services.a]\nunti = 'a.service'",
        "[metrics]\nport = 70000",
        "[services.a]\nunit = 'a.service'\nrestart.window = true",
        "[services.a]\nunit = 'a.service'\nafter = 'b'",
        "[servces.a]",
    ] {
        let table: toml::Table = text.parse().unwrap();
        assert!(accepts(&schema, &serde_json::to_value(table).unwrap()).is_err(), "{text}");
        assert!(crate::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_reference_names_every_key_once() {
    let reference = dixmgr_model::reference();
    for line in [
        "### `[temporal]`",
        "### `[services.<name>.restart]`",
        "### `[[alerts.channels]]`",
        "### `[parachains.<relay>.<chain>]`",
    ] {
        assert_eq!(reference.matches(line).count(), 1, "{line}\n{reference}");
    }
    assert!(reference.contains("| `backoff_max` | duration, 0s to 24h | `\"5m\"` | No wait is longer"), "{reference}");
}
