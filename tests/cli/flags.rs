//! Flags, help and usage errors.

use super::{Folder, run};
use serde_json::Value;

const GOOD: &str = "[services.web]\nunit = \"web.service\"\nafter = [\"api\"]\n[services.api]\nunit = \"api.service\"\nafter = [\"db\"]\n[services.db]\nunit = \"db.service\"";

#[test]
fn a_good_file_is_said_to_be_good() {
    let folder = Folder::new("good");
    let file = folder.write("good.toml", GOOD.as_bytes());
    let (out, err) = run(&["check", &file], 0);
    assert!(out.contains(&file) && out.contains("3 services"), "{out}");
    assert_eq!(err, "");
    for flag in [["--output", "json"], ["-output", "json"]] {
        let (out, _) = run(&[&["check", &file][..], &flag].concat(), 0);
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&answer["ok"], &answer["services"]), (&Value::Bool(true), &Value::from(3)));
    }
}

#[test]
fn the_plan_is_in_start_order() {
    let folder = Folder::new("plan");
    let file = folder.write("good.toml", GOOD.as_bytes());
    let (out, _) = run(&["plan", &file], 0);
    let place = |unit: &str| out.find(unit).unwrap_or_else(|| panic!("{unit} is not in {out}"));
    assert!(place("db.service") < place("api.service") && place("api.service") < place("web.service"), "{out}");
    let (out, _) = run(&["plan", "-output=json", &file], 0);
    let plan: Value = serde_json::from_str(&out).unwrap();
    let services = plan["services"].as_array().unwrap();
    let told: Vec<_> =
        services.iter().map(|one| (one["name"].as_str().unwrap(), one["level"].as_u64().unwrap())).collect();
    assert_eq!(told, [("db", 0), ("api", 1), ("web", 2)]);
    assert_eq!(services[1]["workflow_id"], "wf.svc.api");
    assert_eq!(services[1]["after"], serde_json::json!(["db"]));
}

#[test]
fn every_command_has_a_help_text() {
    let (out, err) = run(&["--help"], 0);
    assert_eq!(err, "");
    for word in ["-exec", "-watch", "-conf", "-state-dir", "-take-over", "69", "73", "78", "status", "resume"] {
        assert!(out.contains(word), "{word} is not in {out}");
    }
    for command in ["up", "check", "plan", "status", "restart", "stop", "start", "pause", "resume", "maintenance"] {
        let (out, _) = run(&[command, "--help"], 0);
        assert!(out.contains("Usage:") && out.contains(command), "{out}");
    }
    assert_eq!(run(&["-help"], 0).0, run(&["-h"], 0).0);
    assert!(run(&["-version"], 0).0.starts_with("dixmgr "));
}

#[test]
fn a_command_line_that_makes_no_sense_is_a_usage_error() {
    let folder = Folder::new("usage");
    let file = folder.write("good.toml", GOOD.as_bytes());
    for (arguments, word) in [
        (&[][..], "-conf"),
        (&["-exec"], "--conf"),
        (&["silence", "--match", "service=api"], "--for 2h"),
        (&["-conf", &file], "-exec"),
        (&["-exec", "-watch", "-conf", &file], "cannot be used with"),
        (&["-exec", "-conf", &file, "-colour"], "unexpected argument"),
        (&["-exec", "-conf", &file, "-metrics=perhaps"], "true or false"),
        (&["-exec", "-conf", &file, "-metrics-port", "99999"], "99999"),
        (&["-exec", "-conf", &file, "-host", "a/b"], "a/b"),
        (&["explode"], "explode"),
        (&["check"], "<FILE>"),
        (&["check", &file, "--output", "xml"], "json"),
        (&["restart"], "<SERVICES>"),
    ] {
        let (out, err) = run(arguments, 2);
        assert!(err.contains(word) && out.is_empty(), "{arguments:?}: {word:?} is not in {err}");
    }
}

#[test]
fn flags_of_commands_take_one_dash_or_two() {
    let folder = Folder::new("dashes");
    let state = folder.path().display().to_string();
    for reason in ["-reason", "--reason"] {
        // Nobody runs here, so it is refused; but it is understood.
        let (_, err) = run(&["pause", "api", reason, "moving", "-state-dir", &state], 1);
        assert!(err.contains("no dixmgr runs here"), "{reason}: {err}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = Folder::new("pipe");
    let file = folder.write("good.toml", GOOD.as_bytes());
    let mut child = std::process::Command::new(dixmgr_tests::binary())
        .args(["plan", &file])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_state_folder_that_cannot_be_made_is_named() {
    let folder = Folder::new("no-state");
    let file = folder.write("good.toml", GOOD.as_bytes());
    let (_, err) = run(&["-exec", "-conf", &file, "-state-dir", "/proc/nonsense"], 73);
    assert!(err.contains("/proc/nonsense") && err.contains("-state-dir"), "{err}");
}
