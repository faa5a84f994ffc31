//! The checked tree: JSON with the places of its keys, layers laid over each other, defaults filled in.

use crate::catalogue::{Kind, Preset, Section};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub(crate) type Object = Map<String, Value>;

/// The line of each key of a file, by path.
#[derive(Debug, Default)]
pub(crate) struct Places(BTreeMap<String, u32>);

impl Places {
    pub(crate) fn put(&mut self, path: &str, line: u32) {
        self.0.insert(path.to_owned(), line);
    }

    /// True if the file holds that very key.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// The lines of the keys of that table, by name; its own as `""`.
    pub(crate) fn keys_of(&self, path: &str) -> BTreeMap<String, u32> {
        let below = self.0.range(path.to_owned()..).take_while(|(key, _)| key.starts_with(path));
        let name = |key: &str| match key[path.len()..].strip_prefix('.') {
            Some(name) => (!name.contains(['.', '['])).then(|| name.to_owned()),
            None => key[path.len()..].is_empty().then(String::new),
        };
        below.filter_map(|(key, line)| Some((name(key)?, *line))).collect()
    }

    /// The line of the key, or of the nearest table around it.
    pub(crate) fn line(&self, path: &str) -> Option<u32> {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return Some(*line);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

/// `path.key`, with quotes where TOML needs them.
pub(crate) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let key = if bare && key.len() <= 64 { key.to_owned() } else { crate::form::shown(key) };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// Lays `over` on `base`: tables are merged, everything else is replaced.
pub(crate) fn merge(base: &mut Object, over: &Object) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Object(base)), Value::Object(over)) => merge(base, over),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Fills in what is missing.
pub(crate) fn fill(section: &Section, object: &mut Object) {
    for key in section.keys {
        match (key.kind, key.preset) {
            (Kind::Section(inner), _) => {
                if let Value::Object(object) = object.entry(key.name).or_insert_with(|| Object::new().into()) {
                    fill(inner, object);
                }
            }
            (_, Preset::Default(literal)) => {
                object.entry(key.name).or_insert_with(|| literal.json());
            }
            _ => {}
        }
        if let Some(value) = object.get_mut(key.name) {
            fill_items(key.kind, value);
        }
    }
}

/// Fills in the sections within maps and lists.
fn fill_items(kind: Kind, value: &mut Value) {
    match (kind, value) {
        (Kind::MapOf(_, item), Value::Object(object)) => object.values_mut().for_each(|value| fill_item(*item, value)),
        (Kind::ListOf(item), Value::Array(list)) => list.iter_mut().for_each(|value| fill_item(*item, value)),
        _ => {}
    }
}

fn fill_item(kind: Kind, value: &mut Value) {
    match (kind, &mut *value) {
        (Kind::Section(section), Value::Object(object)) => fill(section, object),
        _ => fill_items(kind, value),
    }
}
