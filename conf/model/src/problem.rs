//! What is wrong with a file, told in one go.
//!
//! A person who mends a configuration wants every mistake of it in one list, in the order of the file, each with the way
//! out. The list is bounded: a file of garbage must not print forever.

use serde::Serialize;
use std::fmt;

/// Problems kept in full; further ones are counted.
const MAX_PROBLEMS: usize = 500;
/// Names compared in the search for near ones, over the whole file.
const MAX_COMPARED: usize = 200_000;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The key, such as `services.api.restart.max`; empty for the file as a whole.
    pub path: String,
    /// The line, from 1; absent where no line is to blame.
    pub line: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// The way out, where one is known.
    pub hint: Option<String>,
}

/// All mistakes of a file, in its order. Displayed as one line each, `FILE:LINE: key: message (hint)`, and a last one with
/// their count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigErrors {
    /// The file's name as it was given.
    pub source: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            write!(f, "{}:", self.source)?;
            if let Some(line) = problem.line {
                write!(f, "{line}:")?;
            }
            if !problem.path.is_empty() {
                write!(f, " {}:", problem.path)?;
            }
            write!(f, " {}", problem.message)?;
            if let Some(hint) = &problem.hint {
                write!(f, " ({hint})")?;
            }
            writeln!(f)?;
        }
        match self.problems.len() {
            1 => write!(f, "{}: 1 problem", self.source),
            count => write!(f, "{}: {count} problems", self.source),
        }
    }
}

// By hand: `thiserror` would take the file's name for the error's source.
impl std::error::Error for ConfigErrors {}

/// A message and the way out, without its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Complaint {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// Gathers problems; repeats are dropped.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    more: usize,
    compared: usize,
}

impl Problems {
    pub(crate) fn add(&mut self, path: &str, line: Option<u32>, complaint: Complaint) {
        let Complaint { message, hint } = complaint;
        let problem = Problem { path: path.to_owned(), line, message, hint };
        if self.list.len() >= MAX_PROBLEMS {
            self.more += 1;
        } else if !self.list.contains(&problem) {
            self.list.push(problem);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether a near name may still be looked for among so many: a file of mistakes must not take minutes.
    pub(crate) fn may_compare(&mut self, names: usize) -> bool {
        self.compared = self.compared.saturating_add(names);
        self.compared <= MAX_COMPARED && self.list.len() < MAX_PROBLEMS
    }

    pub(crate) fn into_errors(mut self, source: &str) -> ConfigErrors {
        self.list.sort_by(|a, b| (a.line.is_none(), a.line, &a.path).cmp(&(b.line.is_none(), b.line, &b.path)));
        if self.more > 0 {
            let message = format!("{} more problems are not shown", self.more);
            self.list.push(Problem { path: String::new(), line: None, message, hint: None });
        }
        ConfigErrors { source: source.to_owned(), problems: self.list }
    }
}
