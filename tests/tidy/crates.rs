//! Which crate may depend on which. A change of this table is a change of the architecture: ARCHITECTURE.md first.

use serde_json::Value;
use std::collections::BTreeMap;

/// Crate, the crates of ours that it may use, and the crates of Temporal's that it may use.
///
/// `contract <- decide <- model, flows` and `contract <- telemetry, notify, systemd, probe, procfs, history <- bind`; only
/// `dixmgr` and tests see both columns, and `flows` and `bind` meet in `contract` alone. One edge crosses: `probe` asks
/// `decide` what an answer means (conditions, JSON paths), which the configuration compiles too, and whether an endpoint is left
/// alone. Of the SDK, `flows` knows the workflow half only.
const ALLOWED: &[(&str, &[&str], &[&str])] = &[
    ("dixmgr-contract", &[], &[]),
    ("dixmgr-decide", &["dixmgr-contract"], &[]),
    ("dixmgr-model", &["dixmgr-contract", "dixmgr-decide"], &[]),
    ("dixmgr-flows", &["dixmgr-contract", "dixmgr-decide"], &["temporalio-workflow"]),
    ("dixmgr-telemetry", &["dixmgr-contract"], &[]),
    ("dixmgr-notify", &["dixmgr-contract", "dixmgr-telemetry"], &[]),
    ("dixmgr-systemd", &["dixmgr-contract", "dixmgr-telemetry"], &[]),
    ("dixmgr-probe", &["dixmgr-contract", "dixmgr-decide", "dixmgr-telemetry"], &[]),
    ("dixmgr-procfs", &["dixmgr-contract", "dixmgr-telemetry"], &[]),
    ("dixmgr-history", &["dixmgr-contract"], &[]),
    (
        "dixmgr-bind",
        &["dixmgr-contract", "dixmgr-notify", "dixmgr-probe", "dixmgr-procfs", "dixmgr-systemd", "dixmgr-telemetry"],
        &["temporalio-client", "temporalio-common", "temporalio-macros", "temporalio-sdk"],
    ),
    (
        "dixmgr",
        &[
            "dixmgr-bind",
            "dixmgr-contract",
            "dixmgr-decide",
            "dixmgr-flows",
            "dixmgr-history",
            "dixmgr-model",
            "dixmgr-notify",
            "dixmgr-probe",
            "dixmgr-procfs",
            "dixmgr-systemd",
            "dixmgr-telemetry",
        ],
        &["temporalio-client", "temporalio-common", "temporalio-sdk"],
    ),
    (
        "dixmgr-tests",
        &["dixmgr-contract", "dixmgr-decide", "dixmgr-flows", "dixmgr-model", "dixmgr-telemetry"],
        &["temporalio-client", "temporalio-common", "temporalio-macros", "temporalio-sdk", "temporalio-workflow"],
    ),
];

/// What the pure crates may use from elsewhere; nothing in it reads a clock, opens a file or a socket.
const PURE: &[(&str, &[&str])] = &[
    ("dixmgr-contract", &["jiff", "serde", "serde_json", "thiserror"]),
    ("dixmgr-decide", &["cel", "jiff", "serde", "serde_json", "thiserror"]),
    ("dixmgr-model", &["serde", "serde_json", "strsim", "thiserror", "toml", "toml_parser"]),
    ("dixmgr-flows", &["futures-util", "serde", "serde_json", "thiserror"]),
];

/// One line for each edge that is not allowed. Dev-dependencies on outsiders are free.
pub(crate) fn complaints(metadata: &Value) -> Vec<String> {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().map(|(name, ours, temporal)| (*name, (*ours, *temporal))).collect();
    let pure: BTreeMap<_, _> = PURE.iter().copied().collect();
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((ours, temporal)) = allowed.get(name) else {
            found.push(format!("{name} has no place in the table of tests/tidy/crates.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let is_fine = if on.starts_with("dixmgr") {
                ours.contains(&on)
            } else if on.starts_with("temporalio") {
                temporal.contains(&on)
            } else {
                dependency["kind"] == "dev" || pure.get(name).is_none_or(|known| known.contains(&on))
            };
            if !is_fine {
                found.push(format!("{name} must not depend on {on}"));
            }
        }
    }
    found
}

#[test]
fn a_forbidden_edge_is_seen() {
    let check = |name: &str, on: &str, kind: Option<&str>| {
        let dependency = serde_json::json!({"name": on, "kind": kind});
        complaints(&serde_json::json!({"packages": [{"name": name, "dependencies": [dependency]}]}))
    };
    for (name, on, kind) in [
        ("dixmgr-decide", "dixmgr-model", None),
        ("dixmgr-flows", "dixmgr-bind", None),
        ("dixmgr-flows", "dixmgr-bind", Some("dev")),
        ("dixmgr-bind", "dixmgr-decide", None),
        ("dixmgr-flows", "temporalio-sdk", None),
        ("dixmgr-systemd", "temporalio-common", None),
        ("dixmgr-contract", "tokio", None),
        ("dixmgr-decide", "rand", Some("build")),
    ] {
        assert_eq!(check(name, on, kind), [format!("{name} must not depend on {on}")]);
    }
    assert_eq!(check("dixmgr-new", "serde", None), ["dixmgr-new has no place in the table of tests/tidy/crates.rs"]);
    for (name, on, kind) in [
        ("dixmgr-flows", "temporalio-workflow", None),
        ("dixmgr-decide", "proptest", Some("dev")),
        ("dixmgr-systemd", "zbus", None),
    ] {
        assert!(check(name, on, kind).is_empty(), "{name} {on}");
    }
}
