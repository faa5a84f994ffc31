//! Messages with facts in them: `{service} uses {cpu_percent} % of a processor`.
//!
//! Nothing but names between braces, so a message can neither fail nor take long once it is compiled; a name that does not
//! exist is an error of the configuration, with its place. `{{` and `}}` are braces.
//!
//! Rejected: a template language. Whoever wants to calculate does it in a condition, and a message that can loop is one that
//! can be wrong on the night when it is needed.

use super::facts::{Facts, NAMES};
use super::rule::WINDOW;
use crate::condition::Val;
use dixmgr_contract::{Severity, Span};
use std::fmt;

/// The longest template, in bytes.
pub const MAX_TEMPLATE: usize = 500;
/// The most characters of a text that is put in.
const MAX_PIECE: usize = 120;
/// Names beside those of the facts.
const OURS: [&str; 4] = ["rule", "type", "severity", "window"];

/// A message, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}, at column {column}")]
pub struct TemplateError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
}

/// What a rule puts in beside the facts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ours<'a> {
    pub(super) rule: &'a str,
    pub(super) alert: &'a str,
    pub(super) severity: Severity,
    /// In which restarts count.
    pub(super) window: Span,
}

impl Template {
    /// Compiles a text.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn compile(text: &str) -> Result<Self, TemplateError> {
        let error = |column: usize, what: String| TemplateError { column, what };
        if text.len() > MAX_TEMPLATE {
            return Err(error(
                1,
                format!("the message is {} bytes long; at most {MAX_TEMPLATE} are allowed", text.len()),
            ));
        }
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut chars = text.chars().enumerate().map(|(at, c)| (at + 1, c)).peekable();
        while let Some((column, c)) = chars.next() {
            let is_double = chars.peek().is_some_and(|(_, next)| *next == c);
            match c {
                '{' | '}' if is_double => {
                    chars.next();
                    plain.push(c);
                }
                '}' => return Err(error(column, "`}` without `{`; write `}}` for a brace".to_owned())),
                '{' => {
                    let mut name = String::new();
                    loop {
                        match chars.next() {
                            Some((_, '}')) => break,
                            Some((_, c)) if c != '{' => name.push(c),
                            _ => return Err(error(column, "`{` is not closed; write `{{` for a brace".to_owned())),
                        }
                    }
                    let name = known(name.trim()).map_err(|what| error(column, what))?;
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Name(name));
                }
                c if c.is_control() => plain.push(' '),
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }

    /// Whether it holds that name.
    pub(super) fn names(&self, wanted: &str) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Name(name) if name == wanted))
    }

    /// The message; a fact that is not known is `?`.
    pub(super) fn fill(&self, ours: Ours<'_>, values: &[(&'static str, Val<'_>)]) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Name(name) => match name.as_str() {
                    "rule" => text.push_str(ours.rule),
                    "type" => text.push_str(ours.alert),
                    "severity" => text.push_str(ours.severity.as_str()),
                    "window" => text.push_str(&ours.window.to_string()),
                    name => {
                        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
                        text.push_str(&shown(name, value));
                    }
                },
            }
        }
        text.chars().take(dixmgr_contract::alert::MAX_DETAIL).collect()
    }

    /// The message about these facts, for trying it out.
    pub fn preview(&self, facts: &Facts) -> String {
        let ours = Ours { rule: "", alert: "", severity: Severity::Warning, window: WINDOW };
        self.fill(ours, &facts.values())
    }
}

fn known(name: &str) -> Result<String, String> {
    let names = || NAMES.iter().map(|(known, _)| *known).chain(OURS);
    if names().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    Err(format!("there is no fact `{name}`; there are {}", names().collect::<Vec<_>>().join(", ")))
}

/// A value as people read it.
fn shown(name: &str, value: Option<&Val<'_>>) -> String {
    match value {
        Some(Val::Int(number)) if name.ends_with("bytes") => bytes(*number),
        Some(Val::Int(number)) if name.ends_with("bps") => format!("{}/s", bytes(*number)),
        Some(Val::Int(number)) => number.to_string(),
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded just before")]
        Some(Val::Double(number)) if name.ends_with("seconds") => {
            Span::from_secs(number.clamp(0.0, 1e9) as u64).to_string()
        }
        Some(Val::Double(number)) => format!("{number:.1}"),
        Some(Val::Bool(value)) => if *value { "yes" } else { "no" }.to_owned(),
        Some(Val::Text(text)) => text.chars().filter(|c| !c.is_control()).take(MAX_PIECE).collect(),
        _ => "?".to_owned(),
    }
}

#[allow(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
fn bytes(number: i64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (number as f64, 0);
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{number} B") } else { format!("{size:.1} {}", UNITS[unit]) }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Piece::Name(name) => write!(f, "{{{name}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fill(text: &str) -> String {
        let facts = Facts {
            service: "api".into(),
            cpu_percent: Some(93.26),
            memory_bytes: Some(5 << 29),
            disk_read_bps: Some(1000),
            disk_write_bps: Some(2 << 20),
            stalled: Some(Span::from_secs(312)),
            in_sync: Some(false),
            failed_check: Some("HTTP\n503".into()),
            ..Facts::default()
        };
        Template::compile(text).unwrap().preview(&facts)
    }

    #[test]
    fn facts_are_put_in_as_people_read_them() {
        for (text, filled) in [
            ("{service} uses { cpu_percent } %", "api uses 93.3 %"),
            ("{memory_bytes}, {disk_read_bps}, {disk_bps}", "2.5 GiB, 1000 B/s, 2.0 MiB/s"),
            ("{stalled_seconds} {in_sync} {failed_check}", "5m12s no HTTP503"),
            ("{peers} {severity}", "? warning"),
            ("{{{service}}} }}{{", "{api} }{"),
            ("", ""),
        ] {
            assert_eq!(fill(text), filled, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, column, what) in [
            ("a {cpu}", 3, "there is no fact `cpu`"),
            ("ü {service", 3, "`{` is not closed"),
            ("{a{b}", 1, "`{` is not closed"),
            ("a } b", 3, "`}` without `{`"),
            ("{}", 1, "there is no fact ``"),
        ] {
            let error = Template::compile(text).unwrap_err();
            assert_eq!(error.column, column, "{text}");
            assert!(error.to_string().starts_with(what), "{error}");
        }
        assert!(Template::compile(&"x".repeat(501)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics_and_a_template_is_read_back(text in "[a{}_ ü\n]{0,20}|.{0,20}|[{](service|peers)[}].{0,5}") {
            if let Ok(template) = Template::compile(&text) {
                prop_assert_eq!(Template::compile(&template.to_string()), Ok(template.clone()));
                prop_assert!(!template.preview(&Facts::default()).contains('\n'));
            }
        }
    }
}
