//! Single values: numbers, durations, words, and what is said of one that does not fit.

use crate::{catalogue::Kind, form::shown, problem::Complaint};
use dixmgr_contract::{Span, span::SpanError};
use std::time::Duration;
use toml::de::{DeInteger, DeValue};

/// Longer words have no near ones.
const MAX_NEAR: usize = 64;

/// The known name that `name` was probably meant to be.
pub(crate) fn near<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    if name.len() > MAX_NEAR {
        return None;
    }
    let lower = name.to_lowercase();
    known
        .filter(|known| known.len().abs_diff(name.len()) <= 3)
        .map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= (known.len().max(name.len()) * 2 / 5).clamp(1, 3))
        .min()
        .map(|(_, known)| known.to_owned())
}

pub(crate) fn wrong_type(kind: Kind, value: &DeValue<'_>, path: &str) -> Complaint {
    let (expected, example) = match kind {
        Kind::Bool => ("true or false", None),
        Kind::Integer { .. } => ("a whole number", None),
        Kind::Duration { .. } => ("a duration", Some("such as \"30s\", \"5m\" or \"1h30m\"".to_owned())),
        Kind::Size { .. } => ("a size", Some("such as \"500MiB\" or \"2GiB\"".to_owned())),
        Kind::Text(form) => (form.noun(), Some("in quotes".to_owned())),
        Kind::OneOf(words) => ("a word", Some(format!("one of {}", quoted(words)))),
        Kind::ListOf(Kind::Section(_)) => ("a list of tables", Some(format!("each under a header [[{path}]]"))),
        Kind::ListOf(_) => ("a list", Some("in brackets, such as [\"a\", \"b\"]".to_owned())),
        Kind::MapOf(_, Kind::Section(_)) => ("named tables", Some(format!("each under a header [{path}.NAME]"))),
        Kind::MapOf(..) | Kind::Section(_) | Kind::Ignored => ("a table", None),
    };
    let found = match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Complaint::new(format!("expected {expected}, found {found}")).maybe_hint(example)
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

/// It, unless it is too long for one.
pub(crate) fn number(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

pub(crate) fn integer(given: &DeInteger<'_>, min: i64, max: i64) -> Result<i64, Complaint> {
    number(given).filter(|value| (min..=max).contains(value)).ok_or_else(|| {
        Complaint::new(format!("{} is out of range", shown(&given.to_string()).trim_matches('"')))
            .hint(format!("{min} to {max}"))
    })
}

pub(crate) fn nanoseconds(given: &DeInteger<'_>, min: Span, max: Span) -> Result<String, Complaint> {
    let text = given.to_string();
    let text = shown(&text);
    let text = text.trim_matches('"');
    match number(given) {
        Some(value) if value < 0 => Err(Complaint::new(format!("{text} is negative")).hint(range(min, max))),
        Some(value) => within(Span::from(Duration::from_nanos(value.unsigned_abs())), min, max).map_err(|complaint| {
            complaint
                .hint(format!("a number counts nanoseconds: write a text such as \"30s\", from {}", range(min, max)))
        }),
        None => Err(Complaint::new(format!("{text} nanoseconds are too long")).hint(range(min, max))),
    }
}

pub(crate) fn duration(text: &str, private: bool, min: Span, max: Span) -> Result<String, Complaint> {
    let span = text.parse::<Span>().map_err(|error| match (private, error) {
        (true, _) => Complaint::new("its value is not a duration").hint(range(min, max)),
        (false, SpanError::Grammar(_)) => {
            Complaint::new(format!("{} is not a duration", shown(text))).hint("such as \"30s\", \"5m\" or \"1h30m\"")
        }
        (false, SpanError::Negative(_)) => Complaint::new(format!("{} is negative", shown(text))).hint(range(min, max)),
        (false, SpanError::Overflow(_)) => Complaint::new(format!("{} is too long", shown(text))).hint(range(min, max)),
    })?;
    within(span, min, max)
}

fn within(span: Span, min: Span, max: Span) -> Result<String, Complaint> {
    if span < min {
        return Err(Complaint::new(format!("{span} is too short")).hint(range(min, max)));
    }
    if span > max {
        return Err(Complaint::new(format!("{span} is too long")).hint(range(min, max)));
    }
    Ok(span.to_string())
}

fn range(min: Span, max: Span) -> String {
    format!("{} to {}", plain(min), plain(max))
}

/// A bound for people: whole days as days.
pub(crate) fn plain(span: Span) -> String {
    const DAY: u64 = 86_400;
    let seconds = span.duration().as_secs();
    if seconds >= 2 * DAY && seconds.is_multiple_of(DAY) { format!("{}d", seconds / DAY) } else { span.to_string() }
}

pub(crate) fn one_of(words: &'static [&'static str], text: String, private: bool) -> Result<String, Complaint> {
    if words.contains(&text.as_str()) {
        return Ok(text);
    }
    let complaint = Complaint::new(if private {
        format!("its value is none of {}", quoted(words))
    } else {
        format!("{} is none of {}", shown(&text), quoted(words))
    });
    let near = if private { None } else { near(&text, words.iter().copied()) };
    Err(complaint.maybe_hint(near.map(|near| format!("did you mean {near:?}?"))))
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn a_near_name_is_near() {
        let near = |name| near(name, ["unit", "restart", "on_dependency_loss"].into_iter());
        assert_eq!(near("untis").as_deref(), Some("unit"));
        assert_eq!(near("Restart").as_deref(), Some("restart"));
        assert_eq!(near("on_dependancy_los").as_deref(), Some("on_dependency_loss"));
        assert_eq!(near("colour"), None);
    }
}
