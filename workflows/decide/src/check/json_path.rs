//! Where in a JSON body the value is that says whether an endpoint is well, and what that value means.
//!
//! `status.healthy`, `nodes[0].up`, `nodes.0.up`, `checks["db.main"].state`, `"db.main".state`; a `$` in front is the
//! whole body. What the value means is the Go version's: `true`; one of five words; a number above zero.
//!
//! Rejected: RFC 9535 (JSONPath) as a whole. Wildcards and filters find many values, and then a rule is needed for what
//! many mean: that is what a condition is for.

use serde_json::Value;

/// The longest path, in bytes.
pub const MAX_PATH: usize = 1_024;
/// Steps of one path. JSON is not read deeper than 128.
const MAX_STEPS: usize = 64;
/// Texts that mean well, in lower case.
const GOOD: [&str; 5] = ["healthy", "ok", "up", "ready", "true"];

/// A way to one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// In an object; a whole number in a list as well.
    Key(String),
    /// In a list.
    Index(usize),
}

/// Why a text is no path, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}, at column {column}")]
pub struct JsonPathError {
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl JsonPath {
    /// Reads a path of at most [`MAX_PATH`] bytes.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        if text.len() > MAX_PATH {
            return Err(JsonPathError { column: 1, what: "the path is longer than 1024 bytes" });
        }
        Reader { text, at: 0 }.path()
    }

    /// The value there.
    pub fn find<'v>(&self, body: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(body, |value, step| match step {
            Step::Index(index) => value.as_array()?.get(*index),
            Step::Key(key) => match value {
                Value::Array(list) => list.get(key.parse::<usize>().ok()?),
                _ => value.as_object()?.get(key),
            },
        })
    }

    /// Whether the value there means well.
    ///
    /// # Errors
    /// Why not, for people. The value itself is in it only if it is a number, true or false.
    pub fn judge(&self, body: &Value) -> Result<(), String> {
        let text = &self.text;
        match self.find(body) {
            None => Err(format!("the body has nothing at {text}")),
            Some(value) if is_good(value) => Ok(()),
            Some(Value::String(_)) => Err(format!("the text at {text} is none of {}", GOOD.join(", "))),
            Some(Value::Number(number)) => Err(format!("the number at {text} is not above zero, but {number}")),
            Some(Value::Bool(_)) => Err(format!("{text} is false")),
            Some(Value::Null) => Err(format!("{text} is null")),
            Some(Value::Array(_)) => Err(format!("{text} is a list, not a value")),
            Some(Value::Object(_)) => Err(format!("{text} is an object, not a value")),
        }
    }
}

impl std::fmt::Display for JsonPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_good(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::String(text) => GOOD.iter().any(|good| text.trim().eq_ignore_ascii_case(good)),
        Value::Number(number) => number.as_f64().is_some_and(|number| number > 0.0),
        _ => false,
    }
}

struct Reader<'t> {
    text: &'t str,
    /// A byte offset.
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_next = self.peek() == Some(wanted);
        if is_next {
            self.at += wanted.len_utf8();
        }
        is_next
    }

    fn wrong(&self, what: &'static str) -> JsonPathError {
        JsonPathError { column: self.text[..self.at].chars().count() + 1, what }
    }

    fn path(mut self) -> Result<JsonPath, JsonPathError> {
        let mut steps = Vec::new();
        let rooted = self.text.starts_with("$.") || self.text.starts_with("$[") || self.text == "$";
        self.at = usize::from(rooted);
        let mut first = !rooted;
        while first || self.at < self.text.len() {
            let step = if self.take('[') {
                self.bracket()?
            } else if first || self.take('.') {
                self.name()?
            } else {
                return Err(self.wrong("expected `.` or `[`"));
            };
            steps.push(step);
            first = false;
            if steps.len() > MAX_STEPS {
                return Err(self.wrong("more than 64 steps"));
            }
        }
        Ok(JsonPath { text: self.text.to_owned(), steps })
    }

    fn name(&mut self) -> Result<Step, JsonPathError> {
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            return self.quoted(quote);
        }
        let length = self.rest().find(['.', '[', ']', '"', '\'']).unwrap_or(self.rest().len());
        let name = self.rest()[..length].to_owned();
        if name.trim().is_empty() {
            return Err(self.wrong("expected a key"));
        }
        if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(self.wrong("a key with a blank goes in quotes"));
        }
        self.at += length;
        Ok(Step::Key(name))
    }

    fn bracket(&mut self) -> Result<Step, JsonPathError> {
        let step = match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            Some(digit) if digit.is_ascii_digit() => {
                let length = self.rest().find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest().len());
                let index = self.rest()[..length].parse().map_err(|_| self.wrong("the index is too large"))?;
                self.at += length;
                Step::Index(index)
            }
            _ => return Err(self.wrong("expected an index or a quoted key")),
        };
        if self.take(']') { Ok(step) } else { Err(self.wrong("expected `]`")) }
    }

    fn quoted(&mut self, quote: char) -> Result<Step, JsonPathError> {
        let unclosed = self.wrong("the quote is not closed");
        self.at += quote.len_utf8();
        let mut key = String::new();
        loop {
            let c = self.peek().ok_or_else(|| unclosed.clone())?;
            self.at += c.len_utf8();
            match c {
                _ if c == quote => return Ok(Step::Key(key)),
                '\\' => {
                    let escaped = self.peek().ok_or_else(|| unclosed.clone())?;
                    if !matches!(escaped, '\\' | '"' | '\'') {
                        return Err(self.wrong("only a quote and a backslash can follow a backslash"));
                    }
                    self.at += 1;
                    key.push(escaped);
                }
                _ => key.push(c),
            }
        }
    }
}

#[cfg(test)]
#[path = "json_path_tests.rs"]
mod tests;
