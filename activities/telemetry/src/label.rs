//! Label values come from configuration, from Temporal and from systemd: they are cut to a bound and cleaned here, so
//! that no single string can bloat a scrape or garble a terminal.

/// The longest label value, in characters.
pub(crate) const MAX_CHARS: usize = 200;

/// The value, at most [`MAX_CHARS`] long, with `_` for each control character.
pub(crate) fn bounded(value: &str) -> String {
    value.chars().take(MAX_CHARS).map(|c| if c.is_control() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_between_characters() {
        assert_eq!(bounded("api"), "api");
        assert_eq!(bounded(&"ü".repeat(500)), "ü".repeat(MAX_CHARS));
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(bounded("a\nb\u{1b}[31m"), "a_b_[31m");
    }
}
