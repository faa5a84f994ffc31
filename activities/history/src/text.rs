//! Every text that is kept is bounded, and holds nothing that a database or a terminal would stumble over.
//!
//! PostgreSQL refuses U+0000 in a text, which would fail the whole batch that it is in.

/// Names of services, hosts, channels and rules: more than any of them may have.
pub(crate) const NAME: usize = 255;
/// A reason or a title: one line.
pub(crate) const LINE: usize = 500;
/// A detail: a few sentences.
pub(crate) const DETAIL: usize = 2_000;

/// At most `max` characters of `text`, with an ellipsis if it was longer; control characters become spaces.
pub(crate) fn bounded(text: &str, max: usize) -> String {
    let clean = |c: char| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c };
    if text.chars().nth(max).is_none() {
        return text.chars().map(clean).collect();
    }
    text.chars().take(max.saturating_sub(1)).map(clean).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_fits_stays_and_the_rest_is_cut_at_a_character() {
        assert_eq!(bounded("as it is", 8), "as it is");
        assert_eq!(bounded("äöüß", 3), "äö…");
        assert_eq!(bounded("a\0b\u{1b}[31m", 20), "a b [31m");
    }

    proptest! {
        #[test]
        fn no_text_is_too_long_or_holds_a_nul(text in "\\PC{0,40}|.{0,40}", max in 1_usize..50) {
            let kept = bounded(&text, max);
            prop_assert!(kept.chars().count() <= max);
            prop_assert!(!kept.contains('\0'));
        }
    }
}
