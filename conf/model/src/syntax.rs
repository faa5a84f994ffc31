//! TOML text to a tree with places. Syntax errors are told with line and column, all that the parser can tell apart.
//!
//! The parser bounds keys in a key and values in a value (80 each), but not their product, over which its tables are
//! dropped recursively: keys of many parts are refused before it sees them.

use crate::problem::{Complaint, Problems};
use toml::de::{DeTable, Error};
use toml_parser::{Source, lexer::TokenKind};

/// In a longer file only the first syntax error is told: the parser keeps all of them in memory.
const RECOVER_UP_TO: usize = 256 * 1024;
const MAX_SYNTAX_ERRORS: usize = 20;

/// Parts of a key, as in `a.b.c`. The longest of ours has seven.
const MAX_PARTS: usize = 16;

/// Where each line begins.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The line of a byte offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }

    /// The column in characters, from 1.
    fn column(&self, offset: usize) -> usize {
        let start = self.starts.iter().rev().find(|start| **start <= offset).copied().unwrap_or(0);
        self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1)
    }
}

/// The document, or nothing and at least one problem.
pub(crate) fn parse<'t>(text: &'t str, lines: &Lines<'_>, problems: &mut Problems) -> Option<DeTable<'t>> {
    if let Some(offset) = long_key(text) {
        let complaint = Complaint::new(format!("a key of more than {MAX_PARTS} parts"));
        problems.add("", Some(lines.line(offset)), complaint);
        return None;
    }
    let errors = if text.len() <= RECOVER_UP_TO {
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Some(table.into_inner());
        }
        errors
    } else {
        match DeTable::parse(text) {
            Ok(table) => return Some(table.into_inner()),
            Err(error) => vec![error],
        }
    };
    for error in errors.iter().take(MAX_SYNTAX_ERRORS) {
        report(error, lines, problems);
    }
    None
}

/// Where a key has too many parts.
fn long_key(text: &str) -> Option<usize> {
    let mut dots = 0;
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::Dot => dots += 1,
            TokenKind::Whitespace | TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString => {}
            _ => dots = 0,
        }
        if dots >= MAX_PARTS {
            return Some(token.span().start());
        }
    }
    None
}

fn report(error: &Error, lines: &Lines<'_>, problems: &mut Problems) {
    let start = error.span().map(|span| span.start);
    let message = match start {
        Some(offset) => format!("not TOML: {}, at column {}", error.message(), lines.column(offset)),
        None => format!("not TOML: {}", error.message()),
    };
    let hint = (error.message() == "duplicate key").then(|| "a key or section can be written once".to_owned());
    problems.add("", start.map(|offset| lines.line(offset)), Complaint::new(message).maybe_hint(hint));
}
