//! `promtool check metrics` has nothing to say about the catalogue but the one name that it takes over from the Go
//! version. What is not exported yet is checked too, in a text made from the catalogue, while names can still be chosen.
#![allow(clippy::unwrap_used, reason = "helpers of tests, like tests, fail by panic")]

mod common;

use common::{CATALOGUE, fed_metrics};
use dixmgr_telemetry::catalogue::Kind;
use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
};

/// What promtool says about `text`, or `None` where there is no promtool.
fn promtool(text: &str) -> Option<(bool, String)> {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            let ci = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!ci, "promtool is needed in CI ({error}); `apt-get install prometheus` brings it");
            eprintln!("SKIPPED: promtool cannot be run ({error}); `apt-get install prometheus` brings it");
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8(said).unwrap()))
}

#[test]
fn promtool_accepts_what_is_exposed() {
    if let Some((accepted, said)) = promtool(&fed_metrics().render().unwrap()) {
        // One name is the Go version's, and dashboards know it.
        let objections: Vec<_> = said.lines().filter(|line| !line.starts_with("dixmgr_node_peer_count ")).collect();
        assert!(objections.iter().all(|line| line.is_empty()), "{said}");
        assert!(accepted || said.contains("dixmgr_node_peer_count "), "{said}");
    }
}

#[test]
fn promtool_objects_to_one_name_of_the_catalogue_only() {
    let mut text = String::new();
    for metric in CATALOGUE {
        let name = format!("dixmgr_{}", metric.name);
        writeln!(text, "# HELP {name} {}\n# TYPE {name} {}", metric.help, metric.kind.as_str()).unwrap();
        match metric.kind {
            Kind::Counter | Kind::Gauge => writeln!(text, "{name} 1"),
            Kind::Histogram => writeln!(text, "{name}_bucket{{le=\"+Inf\"}} 1\n{name}_sum 1\n{name}_count 1"),
        }
        .unwrap();
    }
    if let Some((_, said)) = promtool(&text) {
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("dixmgr_node_peer_count "), "{said}");
    }
}

#[test]
fn promtool_is_really_asked() {
    if let Some((accepted, said)) = promtool("# TYPE dixmgr_x counter\ndixmgr_x 1\n") {
        assert!(!accepted && said.contains("dixmgr_x"), "{said}");
    }
}
