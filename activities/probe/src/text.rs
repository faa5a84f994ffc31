//! What others say, made fit for our messages: short, on one line, and without what garbles a terminal.

/// The longest quotation in an error, in characters.
pub(crate) const MAX_CHARS: usize = 100;

/// `text` without control and invisible characters, at most [`MAX_CHARS`] long; `…` is its last one if it was cut.
pub(crate) fn short(text: &str) -> String {
    let mut shown = text.trim().chars().filter(|c| !c.is_control() && !is_invisible(*c));
    let mut short: String = shown.by_ref().take(MAX_CHARS).collect();
    if shown.next().is_some() {
        short.pop();
        short.push('…');
    }
    short
}

/// Characters that take no space, or turn the direction of what follows.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_between_characters() {
        assert_eq!(short(" Method not found\n"), "Method not found");
        assert_eq!(short(&"ü".repeat(MAX_CHARS)), "ü".repeat(MAX_CHARS));
        assert_eq!(short(&"ü".repeat(MAX_CHARS + 1)), format!("{}…", "ü".repeat(MAX_CHARS - 1)));
    }

    #[test]
    fn what_garbles_a_terminal_is_left_out() {
        assert_eq!(short("a\n\u{1b}[31mb\u{202e}c\0"), "a[31mbc");
    }
}
