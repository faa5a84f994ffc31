//! The examples load, and `full.toml` is what it says: every key, with its default.

use dixmgr_model::{
    catalogue::{Kind, Preset, ROOT, Section},
    load,
};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(example(name)).unwrap()
}

#[test]
fn every_example_loads() {
    let mut count = 0;
    for entry in std::fs::read_dir(example("")).unwrap() {
        let path = entry.unwrap().path();
        let config = load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(!config.services.is_empty(), "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 4);
}

/// Visits each key of the catalogue that the tables hold, and fails for one that none of them holds.
fn visit(section: &Section, tables: &[&Table], path: &str, check: &mut dyn FnMut(&str, Preset, &Value)) {
    for key in section.keys.iter().filter(|key| !matches!(key.kind, Kind::Ignored)) {
        // The dotidx format has an example of its own; [defaults] repeats the keys of a service.
        let path = format!("{path}.{}", key.name);
        if [".parachains", ".defaults"].contains(&path.as_str()) {
            continue;
        }
        let values: Vec<_> = tables.iter().filter_map(|table| table.get(key.name)).collect();
        assert!(!values.is_empty(), "full.toml does not show {path}");
        values.iter().for_each(|value| check(&path, key.preset, value));
        inner(key.kind, &values, &path, check);
    }
}

fn inner(kind: Kind, values: &[&Value], path: &str, check: &mut dyn FnMut(&str, Preset, &Value)) {
    match kind {
        Kind::Section(section) => {
            let tables: Vec<_> = values.iter().map(|value| value.as_table().unwrap()).collect();
            visit(section, &tables, path, check);
        }
        Kind::MapOf(_, item @ Kind::Section(_)) => {
            let values: Vec<_> = values.iter().flat_map(|value| value.as_table().unwrap().values()).collect();
            inner(*item, &values, path, check);
        }
        Kind::ListOf(item @ Kind::Section(_)) => {
            let values: Vec<_> = values.iter().flat_map(|value| value.as_array().unwrap()).collect();
            inner(*item, &values, path, check);
        }
        _ => {}
    }
}

#[test]
fn the_full_example_shows_every_key_with_its_default() {
    let table: Table = read("full.toml").parse().unwrap();
    let mut compared = 0;
    visit(&ROOT, &[&table], "", &mut |path, preset, value| {
        let (Preset::Default(literal) | Preset::Flag(literal)) = preset else { return };
        if [".alerts.channels", ".alerts.rules", ".alerts.escalation", ".alerts.maintenance", ".services.probes"]
            .contains(&path)
        {
            return;
        }
        if path == ".alerts.escalation.wait" {
            return; // The default is that of the first step.
        }
        assert_eq!(serde_json::to_value(value).unwrap(), literal.json(), "{path}");
        compared += 1;
    });
    assert!(compared > 50, "{compared}");
}

#[test]
fn the_defaults_of_the_catalogue_are_those_of_the_policy() {
    let config = load(&example("minimal.toml")).unwrap();
    assert_eq!(config.services[0].spec.policy, dixmgr_contract::Policy::default());
    let full = load(&example("full.toml")).unwrap();
    assert_eq!(full.services[0].spec.policy, dixmgr_contract::Policy::default());
}
