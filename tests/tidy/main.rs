//! What must never be: the project's invariants, stated as absences and checked over the sources and `cargo metadata`.
//!
//! Clippy checks what it can see inside a crate (`clippy.toml`, `workflows/clippy.toml`); this checks what it cannot: the
//! direction of the crates, the size of files and functions, words, and that the README says what the program says. Each
//! check is a function from text to complaints, and each is shown to complain about a bad sample.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod crates;
mod functions;
#[path = "../sim/golden.rs"]
mod golden;
mod readme;
mod text;
mod tree;

use tree::Source;

/// A check of one file.
type Check = fn(&Source) -> Vec<String>;

fn complaints(checks: &[Check]) -> Vec<String> {
    let sources = tree::sources();
    assert!(sources.iter().filter(|source| source.is_rust()).count() > 80, "the walk misses sources");
    let mut all: Vec<_> = sources
        .iter()
        .flat_map(|source| checks.iter().flat_map(|check| check(source)).map(|what| format!("{}{what}", source.path)))
        .collect();
    all.sort();
    all
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn files_and_functions_are_small_and_say_why_they_exist() {
    assert_none(&complaints(&[text::opens_with_why, text::is_short, functions::are_short]));
}

#[test]
fn nothing_is_left_undone_or_left_to_panic() {
    assert_none(&complaints(&[text::leaves_nothing_undone, text::does_not_panic, text::is_safe]));
}

#[test]
fn the_pure_crates_reach_for_nothing() {
    assert_none(&complaints(&[text::is_pure]));
}

#[test]
fn no_file_speaks_of_the_machine_it_was_written_on() {
    assert_none(&complaints(&[text::speaks_of_no_machine]));
}

#[test]
fn crates_depend_in_one_direction() {
    assert_none(&crates::complaints(&tree::metadata()));
}

#[test]
fn the_readme_says_what_the_program_says() {
    let path = tree::root().join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    if let Some(problem) = readme::with_reference(&text).map_or_else(Some, |now| golden::check(&path, &now)) {
        panic!("{problem}");
    }
    let known = text.lines().skip_while(|line| !line.starts_with("What is known:")).take_while(|line| !line.is_empty());
    let known = known.collect::<String>();
    let untold = dixmgr_decide::rules::NAMES.iter().filter(|(name, _)| !known.contains(&format!("`{name}`")));
    let untold: Vec<_> = untold.collect();
    assert!(untold.is_empty(), "README.md does not say that conditions know {untold:?}");
}
