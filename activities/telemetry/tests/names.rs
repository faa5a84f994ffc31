//! Dashboards and alert rules ask only for what there is: each name in their queries is in the catalogue, and fed.
#![allow(clippy::unwrap_used, reason = "helpers of tests, like tests, fail by panic")]

mod common;

use common::CATALOGUE;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What Prometheus makes by itself, beside the SDK's `temporal_…`.
const STANDARD: [&str; 3] = ["up", "scrape_duration_seconds", "ALERTS"];
const WORDS: [&str; 11] =
    ["by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "bool", "offset"];

fn conf() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf")
}

fn files(folder: &str, endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = vec![];
    let mut folders = vec![conf().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| endings.iter().any(|wanted| e == *wanted)) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// The metric names of a PromQL expression: words that are no function, no keyword, no label and no duration.
fn names(query: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = query;
    let mut after_grouping = false;
    while let Some(c) = rest.chars().next() {
        let word: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':')).collect();
        if !word.is_empty() {
            rest = &rest[word.len()..];
            let next = rest.trim_start();
            let called = ["(", "by", "without"].iter().any(|start| next.starts_with(start));
            let keyword = WORDS.contains(&word.as_str());
            after_grouping = keyword && called;
            if !keyword && !called && !word.starts_with(|c: char| c.is_ascii_digit()) {
                found.insert(word);
            }
            continue;
        }
        let skipped_to = match c {
            '{' => Some('}'),
            '[' => Some(']'),
            '"' => Some('"'),
            '(' if after_grouping => Some(')'),
            // A variable of Grafana.
            '$' => {
                rest = rest[1..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
                continue;
            }
            _ => None,
        };
        after_grouping &= c.is_whitespace();
        let step = skipped_to.map_or(c.len_utf8(), |end| rest[1..].find(end).map_or(rest.len(), |at| at + 2));
        rest = &rest[step..];
    }
    found
}

fn unknown(query: &str) -> Vec<String> {
    let known = |name: &String| {
        let bare = name.strip_prefix("dixmgr_").unwrap_or("");
        let series = ["_bucket", "_sum", "_count"].iter().find_map(|end| bare.strip_suffix(end)).unwrap_or(bare);
        let ours = CATALOGUE.iter().any(|m| [bare, series].contains(&m.name));
        ours || name.starts_with("temporal_") || STANDARD.contains(&name.as_str())
    };
    names(query).into_iter().filter(|name| !known(name)).collect()
}

fn queries(json: &serde_json::Value, found: &mut Vec<String>) {
    match json {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(text) if key == "expr" => found.push(text.to_owned()),
                    Some(text) if key == "query" && text.starts_with("label_values(") => {
                        found.extend(text["label_values(".len()..].split(',').next().map(str::to_owned));
                    }
                    _ => queries(value, found),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

#[test]
fn the_reader_of_queries_finds_names_and_nothing_else() {
    let query = r#"sum by (le, x) (rate(a_bucket{service=~"$s", b!="c"}[$__rate_interval])) / on(y) group_left b:c > 1e3 or d offset 15m == bool 0"#;
    assert_eq!(names(query).into_iter().collect::<Vec<_>>(), ["a_bucket", "b:c", "d"]);
    assert_eq!(unknown("dixmgr_service_health == 0 and dixmgr_servise_health"), ["dixmgr_servise_health"]);
}

#[test]
fn dashboards_ask_only_for_what_is_exposed() {
    let mut found = vec![];
    for (path, text) in files("grafana", &["json"]) {
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        queries(&json, &mut found);
    }
    assert!(found.len() > 10, "only {} queries found", found.len());
    for query in found {
        assert_eq!(unknown(&query), Vec::<String>::new(), "in `{query}`");
    }
}

#[test]
fn alert_rules_ask_only_for_what_is_exposed() {
    let mut found = 0;
    for (path, text) in files("prometheus", &["yml", "yaml"]) {
        for query in text.lines().filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix("expr:")) {
            assert!(
                !matches!(query.trim(), "" | "|" | ">"),
                "{}: one line per expr, so that this test reads it",
                path.display()
            );
            assert_eq!(unknown(query), Vec::<String>::new(), "{} in `{query}`", path.display());
            found += 1;
        }
    }
    assert!(found > 3, "only {found} rules found");
}
