//! The ways in: a file with its surroundings, or a text.

use crate::{
    Config, ConfigErrors, build, catalogue,
    check::Walk,
    problem::{Complaint, Problems},
    syntax::{self, Lines},
    tree::Places,
};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Longest configuration file, in bytes.
pub const MAX_FILE: u64 = 4 * 1024 * 1024;
/// Longest file with a secret, in bytes.
pub const MAX_SECRET: u64 = 64 * 1024;

/// What a text refers to and does not hold.
pub struct Outside<'a> {
    /// The folder that relative paths start from.
    pub base: &'a Path,
    /// Environment variables.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Reads the file of a secret.
    pub file: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// Reads and checks a file. `${ENV}` comes from the process's environment; secret files are read; relative paths in it
/// start from its own folder.
///
/// # Errors
/// All problems of the file at once; one if it cannot be read.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    let source = path.display().to_string();
    let fail = |line, complaint| {
        let mut problems = Problems::default();
        problems.add("", line, complaint);
        problems.into_errors(&source)
    };
    let bytes = read(path, MAX_FILE).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => Some("is the path right?"),
            io::ErrorKind::PermissionDenied => Some("may the user that runs dixmgr read it?"),
            _ => None,
        };
        fail(None, Complaint::new(format!("cannot be read: {error}")).maybe_hint(hint.map(str::to_owned)))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        fail(u32::try_from(line).ok(), Complaint::new("is not text in UTF-8"))
    })?;
    let base = path.parent().unwrap_or(Path::new(""));
    let env = |name: &str| std::env::var(name).ok();
    let file = |path: &Path| {
        let bytes = read(path, MAX_SECRET)?;
        String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not text in UTF-8"))
    };
    parse_with(&text, &source, &Outside { base, env: &env, file: &file })
}

/// Checks a text without touching any file; a secret in a file is therefore refused.
///
/// # Errors
/// All problems of the text at once.
pub fn parse(text: &str, source: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigErrors> {
    let file = |_: &Path| Err(io::Error::new(io::ErrorKind::Unsupported, "no files are read here"));
    parse_with(text, source, &Outside { base: Path::new(""), env, file: &file })
}

/// Checks a text that refers to `outside`.
///
/// # Errors
/// All problems of the text at once.
pub fn parse_with(text: &str, source: &str, outside: &Outside<'_>) -> Result<Config, ConfigErrors> {
    let mut problems = Problems::default();
    let lines = Lines::new(text);
    let Some(table) = syntax::parse(text, &lines, &mut problems) else {
        return Err(problems.into_errors(source));
    };
    let mut places = Places::default();
    let mut walk = Walk { lines: &lines, outside, problems: &mut problems, places: &mut places };
    let root = walk.section(&catalogue::ROOT, &table, "");
    build::build(root, &places, problems, source, outside.base)
}

fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {max} bytes")));
    }
    Ok(bytes)
}
