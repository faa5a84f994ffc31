//! Lengths of time as people write them: `30s`, `1h30m`, `500ms`.
//!
//! Existing files hold Go's duration strings, so this reads that grammar (package `time`, `ParseDuration`), plus `d` for
//! days, and writes the shortest exact form of it. Negative spans do not exist here.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// A length of time, 0 or more, written as `"1m30s"` on every wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(Duration);

/// Why a text is not a span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Not in the grammar.
    #[error("{0:?} is not a duration; write it as \"30s\", \"5m\" or \"1h30m\"")]
    Grammar(String),
    /// A minus sign.
    #[error("{0:?} is negative")]
    Negative(String),
    /// More than 292 years.
    #[error("{0:?} is too long")]
    Overflow(String),
}

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// From whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// From milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The same as std's type.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Whole milliseconds, rounded down; saturates at `u64::MAX`.
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// True for a span of no length.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()))
}

/// One `<number>`: the nanoseconds in it, when one unit is `scale` of them.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.checked_mul(scale)? };
    let mut part = 0;
    let mut place = scale;
    for digit in fraction.bytes() {
        place /= 10;
        part += u64::from(digit - b'0') * place;
    }
    whole.checked_add(part)
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let grammar = || SpanError::Grammar(text.to_owned());
        let trimmed = text.trim();
        if let Some(rest) = trimmed.strip_prefix('-') {
            return Err(if rest.parse::<Self>().is_ok() { SpanError::Negative(text.to_owned()) } else { grammar() });
        }
        if trimmed == "0" {
            return Ok(Self::ZERO);
        }
        let mut rest = trimmed;
        let mut total: u64 = 0;
        while !rest.is_empty() || trimmed.is_empty() {
            let (number, tail) = split_number(rest);
            let unit = tail.split(|c: char| c.is_ascii_digit() || c == '.').next().unwrap_or_default();
            let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(grammar)?;
            if number.is_empty() || number == "." || number.matches('.').count() > 1 {
                return Err(grammar());
            }
            total = scaled(number, *scale)
                .and_then(|nanos| total.checked_add(nanos))
                .filter(|nanos| i64::try_from(*nanos).is_ok())
                .ok_or_else(|| SpanError::Overflow(text.to_owned()))?;
            rest = &tail[unit.len()..];
        }
        Ok(Self(Duration::from_nanos(total)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nanos = u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX);
        if nanos == 0 {
            return f.write_str("0s");
        }
        for (name, scale) in UNITS.iter().rev().filter(|(name, _)| !["d", "µs"].contains(name)) {
            if nanos >= *scale {
                write!(f, "{}{name}", nanos / scale)?;
                nanos %= scale;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;
    fn try_from(text: String) -> Result<Self, SpanError> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, millis) in [
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("1.5s", 1_500),
            ("0", 0),
            ("250ms", 250),
            (".5s", 500),
            ("1d", 86_400_000),
        ] {
            assert_eq!(text.parse(), Ok(Span::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_and_says_why() {
        for text in ["", "5", "s", "1 h", "1..5s", "fast", "1h2"] {
            assert_eq!(text.parse::<Span>(), Err(SpanError::Grammar(text.into())), "{text}");
        }
        assert_eq!("-5s".parse::<Span>(), Err(SpanError::Negative("-5s".into())));
        assert_eq!("9999999h".parse::<Span>(), Err(SpanError::Overflow("9999999h".into())));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos in 0..i64::MAX as u64) {
            let span = Span(Duration::from_nanos(nanos));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }

        #[test]
        fn no_text_panics(text in ".{0,20}") {
            let _ = text.parse::<Span>();
        }
    }
}
