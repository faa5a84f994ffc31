//! The project's own files, and what cargo says of its crates.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of these kinds are read.
const KINDS: [&str; 12] = ["rs", "toml", "md", "sh", "py", "yml", "yaml", "json", "service", "rules", "txt", "conf"];
/// Folders that are not the project's own words.
const SKIPPED: [&str; 4] = ["target", ".git", "histories", "node_modules"];

/// One file.
pub(crate) struct Source {
    /// From the root of the project, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// A file that only tests use: in a folder `tests`, or a module of that name (`#[cfg(test)] mod row_tests;`).
    pub(crate) fn is_test(&self) -> bool {
        let is_module = self.path.ends_with("tests.rs") || self.path.ends_with("/testing.rs");
        is_module || self.path.starts_with("tests/") || self.path.contains("/tests/")
    }

    /// The lines of the program itself, numbered from 1: no comments, no module of tests (which by custom ends a file).
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<_> = self.text.lines().collect();
        let is_tests = |pair: &[&str]| pair[0].trim() == "#[cfg(test)]" && is_inline_module(pair[1]);
        let end = lines.windows(2).position(is_tests).unwrap_or(lines.len());
        let numbered = (1..).zip(lines).take(end);
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn is_inline_module(line: &str) -> bool {
    line.trim_start().starts_with("mod ") && line.ends_with('{')
}

#[cfg(test)]
pub(crate) fn sample(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub(crate) fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found
}

fn walk(folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_symlink() || SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else if name == "Makefile" || path.extension().is_some_and(|kind| KINDS.iter().any(|known| kind == *known)) {
            let relative = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            found.push(Source { path: relative, text: std::fs::read_to_string(&path).unwrap() });
        }
    }
}

/// `cargo metadata` of the workspace's own crates.
pub(crate) fn metadata() -> serde_json::Value {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
