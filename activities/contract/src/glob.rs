//! Patterns of names, as people write them: `relay-*`, `node-?`, and matchers of labels such as `chain=polkadot`.
//!
//! Rejected: regular expressions, as Alertmanager has them. Names of services are chosen by their owners, a star is enough
//! for them, and a pattern that can be slow has no place where a thousand alerts are matched at once.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// The longest matcher, in bytes.
const MAX: usize = 300;

/// Whether `text` is what `pattern` means: `*` stands for any characters, `?` for one. It takes at most the product of the
/// lengths.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == text[t] || byte == b'?' => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, t) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// What a label must be, or must not be: `label=pattern` or `label!=pattern`, the pattern as in [`glob`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Matcher {
    label: String,
    negated: bool,
    pattern: String,
}

/// Why a text is no matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// No `=`, or nothing before it.
    #[error("{0:?} is no matcher; write it as \"service=api-*\" or \"chain!=polkadot\"")]
    Grammar(String),
    /// Longer than it may be.
    #[error("a matcher of {0} bytes is too long; at most {MAX} are allowed")]
    TooLong(usize),
}

impl Matcher {
    /// That a label is exactly this, or fits this pattern.
    pub fn is(label: &str, pattern: &str) -> Self {
        Self { label: label.to_owned(), negated: false, pattern: pattern.to_owned() }
    }

    /// The label that is looked at.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether these labels fit. A label that is missing is an empty text.
    pub fn fits(&self, labels: &BTreeMap<String, String>) -> bool {
        glob(&self.pattern, labels.get(&self.label).map_or("", String::as_str)) != self.negated
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.label, if self.negated { "!=" } else { "=" }, self.pattern)
    }
}

impl FromStr for Matcher {
    type Err = MatcherError;

    fn from_str(text: &str) -> Result<Self, MatcherError> {
        if text.len() > MAX {
            return Err(MatcherError::TooLong(text.len()));
        }
        let grammar = || MatcherError::Grammar(text.to_owned());
        let (label, pattern) = text.split_once('=').ok_or_else(grammar)?;
        let (label, negated) = label.strip_suffix('!').map_or((label, false), |label| (label, true));
        let is_label = !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_label {
            return Err(grammar());
        }
        Ok(Self { label: label.to_owned(), negated, pattern: pattern.to_owned() })
    }
}

impl TryFrom<String> for Matcher {
    type Error = MatcherError;

    fn try_from(text: String) -> Result<Self, MatcherError> {
        text.parse()
    }
}

impl From<Matcher> for String {
    fn from(matcher: Matcher) -> Self {
        matcher.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_anything_and_a_question_mark_for_one() {
        for (pattern, text, fits) in [
            ("api", "api", true),
            ("api", "api2", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("node-*-?", "node-polkadot-1", true),
            ("node-*-?", "node-polkadot-12", false),
            ("*a*b", "xaxbab", true),
            ("*a*b", "xaxba", false),
            ("?", "", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
        assert!(!glob(&"*a".repeat(100), &"a".repeat(99)), "and it is not slow either");
    }

    #[test]
    fn a_matcher_says_what_it_is_about() {
        let labels = BTreeMap::from([("service".to_owned(), "api-1".to_owned())]);
        for (text, fits) in [("service=api-*", true), ("service!=api-*", false), ("chain=", true), ("chain!=", false)] {
            let matcher: Matcher = text.parse().unwrap();
            assert_eq!((matcher.fits(&labels), matcher.to_string()), (fits, text.to_owned()));
        }
        for bad in ["", "service", "=x", "!=x", "a b=c", "a-b=c"] {
            assert_eq!(bad.parse::<Matcher>(), Err(MatcherError::Grammar(bad.to_owned())));
        }
        assert_eq!(format!("a={}", "x".repeat(400)).parse::<Matcher>(), Err(MatcherError::TooLong(402)));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_written_is_read_back(text in ".{0,20}", label in "[a-z_]{1,8}", pattern in ".{0,9}") {
            let _ = text.parse::<Matcher>();
            let matcher = Matcher::is(&label, &pattern);
            prop_assert_eq!(matcher.to_string().parse(), Ok(matcher));
        }

        #[test]
        fn a_text_fits_itself_and_itself_with_stars(text in "[a-z.-]{0,12}", at in 0..12_usize) {
            prop_assert!(glob(&text, &text));
            let at = at.min(text.len());
            let with_star = format!("{}*{}", &text[..at], &text[at..]);
            prop_assert!(glob(&with_star, &text));
        }
    }
}
