//! The command line, without a systemd or a Temporal: what is wrong is said once, clearly, with the right exit code.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod bad_input;
mod flags;

use dixmgr_tests::dixmgr;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A folder of this test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dixmgr-cli-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file; its path is the answer.
    fn write(&self, name: &str, text: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a program said on its standard output and error streams.
fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

/// Runs `dixmgr`; it must end with this exit code. The answer is what it said.
#[track_caller]
fn run(arguments: &[&str], code: i32) -> (String, String) {
    let output = dixmgr(arguments);
    let (out, err) = said(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
    assert!(!err.contains("panicked"), "{err}");
    (out, err)
}
