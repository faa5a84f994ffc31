//! Scenario scripts for the service machine, with golden transcripts.
//!
//! Each `tests/scenarios/NAME.txt` drives the machine with a simulated host and clock; the transcript of what it decided
//! is kept beside it as `NAME.out`. A change of behaviour thus shows as a diff of transcripts, which is what a reviewer
//! reads. `DIXMGR_BLESS=1 cargo test -p dixmgr-tests --test sim` writes them anew. `tests/scenarios/README.md` explains
//! the language.
//!
//! Rejected: assertions inside the scripts. They say only what their author thought of; a transcript says everything.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod fleet;
mod golden;
mod line;
mod transcript;
mod unit;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use world::World;

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_scenario_plays_as_recorded() {
    let files = scenarios();
    assert!(files.len() >= 20, "only {} scenarios were found", files.len());
    let mut problems = Vec::new();
    for file in files {
        let script = fs::read_to_string(&file).unwrap();
        match World::play(&script) {
            Ok(transcript) => problems.extend(golden::check(&file.with_extension("out"), &transcript)),
            Err(error) => problems.push(format!("{}: {error}", file.display())),
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn no_transcript_is_left_without_its_scenario() {
    let scripts = scenarios();
    let folder = scripts[0].parent().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let orphan = path.extension().is_some_and(|e| e == "out") && !scripts.contains(&path.with_extension("txt"));
        assert!(!orphan, "{} has no script", path.display());
    }
}

#[test]
fn a_mistake_in_a_script_is_an_error_that_names_the_line() {
    for (script, part) in [
        ("policy max=3\nunit active runn=a", "line 2: `runn=a` means nothing here"),
        ("at 5s\nat 3s", "line 2: 3s is before the clock's 5s"),
        ("unit upright", "line 1: \"upright\" is no active state"),
        ("done ok", "line 1: nothing was ordered yet"),
        ("dance", "line 1: \"dance\" is no statement"),
        ("wait until alarm", "line 1: no alarm is set; it would wait for ever"),
        ("done failed Tired \"no\" gen=1", "line 1: \"Tired\" is no kind of failure"),
    ] {
        let error = World::play(script).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}
