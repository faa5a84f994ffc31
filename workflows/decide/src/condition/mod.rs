//! Conditions: what people write in CEL (<https://cel.dev>) over what is known, such as
//! `status == 200 && body.sync.peers > 3 && duration < 500ms`, or `cpu_percent > 90 && kind == "relay"`.
//!
//! The `cel` crate parses; here its tree is checked against the names that exist, compiled, and evaluated. Ours beyond the
//! language: a length of time is written as it is (`500ms`, `1h30m`, `14d`; `source` makes the standard's
//! `duration("500ms")` of it), and whole numbers mix with fractions, since JSON does not tell `3` from `3.0` apart. Not
//! there: bytes, maps and structs in the text, patterns, time stamps.
//!
//! What is evaluated comes from an endpoint that may be hostile, so each step, each element and each stretch of text costs,
//! and a condition may spend [`FUEL`]; that bounds its memory as well. The text comes from the configuration; it is bounded
//! in length and depth.
//!
//! Rejected: the crate's own interpreter. It has no bound, so a body of 1 MB and two loops take hours; its lengths of time
//! need a clock; and its errors repeat the values that they are about, which may be secret. A property test holds ours
//! against it.

mod eval;
mod lower;
mod node;
mod operate;
mod source;
mod value;

pub use value::Val;

use cel::parser::PrattParser;
use node::Node;
use std::{collections::BTreeSet, fmt};

/// The longest condition, in bytes.
pub const MAX_TEXT: usize = 4_096;
/// The deepest: brackets in brackets, or a chain such as `a + b + c` or `a.b.c`.
pub const MAX_DEPTH: usize = 64;
/// What one evaluation may spend; some 10 ms.
pub const FUEL: u32 = 200_000;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Bool,
    /// A whole number or a fraction.
    Number,
    /// Text.
    Text,
    /// A length of time.
    Span,
    /// Several values.
    List,
    /// Values by name.
    Map,
    /// Known only when it is looked at.
    Any,
}

impl Kind {
    const fn noun(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Span => "a length of time such as 500ms",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Any => "any value",
        }
    }
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// Line and column, in characters from 1, where there is a place.
    pub at: Option<(usize, usize)>,
    /// What is wrong there.
    pub what: String,
}

impl std::error::Error for ConditionError {}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            None => f.write_str(&self.what),
            Some((1, column)) => write!(f, "{}, at column {column}", self.what),
            Some((line, column)) => write!(f, "{}, at line {line}, column {column}", self.what),
        }
    }
}

/// A condition, compiled.
#[derive(Clone)]
pub struct Condition {
    text: String,
    root: Node,
    used: BTreeSet<String>,
}

impl Condition {
    /// Compiles `text` over these names. What comes out is true or false wherever that can be told before.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn compile(text: &str, names: &[(&str, Kind)]) -> Result<Self, ConditionError> {
        let whole = |what: String| ConditionError { at: None, what };
        if text.len() > MAX_TEXT {
            return Err(whole(format!("the condition is {} bytes long; at most {MAX_TEXT} are allowed", text.len())));
        }
        if text.trim().is_empty() {
            return Err(whole("the condition is empty".to_owned()));
        }
        let source = source::Source::new(text);
        let depth = u16::try_from(MAX_DEPTH).unwrap_or(u16::MAX);
        let parser = PrattParser::new().max_recursion_depth(depth).error_reporting_limit(1);
        let tree = parser.parse(source.expanded()).map_err(|errors| source.syntax_error(&errors))?;
        let (root, used) = lower::lower(&tree, names, &source)?;
        Ok(Self { text: text.to_owned(), root, used })
    }

    /// Whether its answer depends on that name.
    pub fn uses(&self, name: &str) -> bool {
        self.used.contains(name)
    }

    /// Whether it is true of these values, each with its name. One that is missing is an error where it is looked at.
    ///
    /// # Errors
    /// Why that cannot be told, in words that hold no value.
    pub fn holds(&self, values: &[(&str, Val<'_>)]) -> Result<bool, String> {
        eval::holds(&self.root, values).map_err(eval::Fault::words)
    }

    /// The same for whoever does not want to know why it cannot be told.
    pub fn known(&self, values: &[(&str, Val<'_>)]) -> Option<bool> {
        eval::holds(&self.root, values).ok()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(test)]
mod tests;
