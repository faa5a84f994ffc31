//! Texts from anywhere, made fit for a message: cleaned of what garbles a reader's screen, and cut to a length.
//!
//! Lengths are counted in UTF-16 units unless said otherwise. Services count characters, bytes of UTF-8 or these; where a
//! service does not say which, as most do not, a text within a number of these is within that number of characters too.

use std::fmt::Write;

/// How long `text` is, in UTF-16 units.
pub(crate) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// `text` in at most `max` UTF-16 units; `…` is the last one if it was cut.
pub(crate) fn cut(text: &str, max: usize) -> String {
    if text.len() <= max || units(text) <= max {
        return text.to_owned();
    }
    let mut left = max.saturating_sub(1);
    let mut short: String = text
        .chars()
        .take_while(|c| {
            let fits = c.len_utf16() <= left;
            left = left.saturating_sub(c.len_utf16());
            fits
        })
        .collect();
    if max > 0 {
        short.push('…');
    }
    short
}

/// `text` as one line of at most `max` UTF-16 units: blanks and what is no character become single spaces.
pub(crate) fn line(text: &str, max: usize) -> String {
    // A hostile text may be long: no more of it is looked at than may be needed.
    let mut line = String::new();
    for c in text.chars().take(max.saturating_mul(4)).filter(|c| !is_invisible(*c)) {
        let is_blank = c.is_whitespace() || c.is_control();
        match (is_blank, line.ends_with(' ') || line.is_empty()) {
            (true, true) => {}
            (true, false) => line.push(' '),
            (false, _) => line.push(c),
        }
    }
    cut(line.trim_end(), max)
}

/// `text` in at most `max` UTF-16 units, with its line ends, of which no more than two follow each other.
pub(crate) fn lines(text: &str, max: usize) -> String {
    let mut kept: Vec<String> = Vec::new();
    for one in text.split(['\n', '\u{2028}', '\u{2029}']).map(|one| line(one, max)) {
        let is_second_blank = one.is_empty() && kept.last().is_none_or(String::is_empty);
        if !is_second_blank && kept.len() <= max {
            kept.push(one);
        }
    }
    cut(kept.join("\n").trim_end(), max)
}

/// As many of the `lines` as fit into `max` UTF-16 units, joined by line ends; if not all do, the last line says how many
/// are left out.
pub(crate) fn fit(lines: &[String], max: usize) -> String {
    /// What the last line takes, with the longest number in it and a line end before it.
    const LAST: usize = 40;
    let whole = lines.iter().map(|line| units(line) + 1).sum::<usize>().saturating_sub(1);
    let room = if whole <= max { max } else { max.saturating_sub(LAST) };
    let (mut text, mut used) = (String::new(), 0);
    for (index, line) in lines.iter().enumerate() {
        let separator = if index == 0 { "" } else { "\n" };
        used += separator.len() + units(line);
        text.push_str(separator);
        if used > room {
            // Cannot fail: it writes to a text.
            let _ = write!(text, "… and {} more lines", lines.len() - index);
            break;
        }
        text.push_str(line);
    }
    cut(&text, max)
}

/// `text` with each character that `replace` knows written in another way.
pub(crate) fn replaced(text: &str, replace: impl Fn(char) -> Option<&'static str>) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match replace(c) {
            Some(other) => written.push_str(other),
            None => written.push(c),
        }
    }
    written
}

/// `text` in HTML, in an attribute too.
pub(crate) fn html(text: &str) -> String {
    replaced(text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    })
}

/// Characters that take no space, or turn the direction of what follows.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_long_is_cut_between_characters() {
        for (text, max, short) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("üüü", 3, "üüü"),
            ("üüüü", 3, "üü…"),
            ("😀😀", 4, "😀😀"),
            ("😀😀", 3, "😀…"),
            ("😀", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(cut(text, max), short, "{text} {max}");
        }
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line(" a\r\n\tb\u{1b}[31mc\u{202e}d\u{0}\u{2028}e ", 50), "a b [31mcd e");
        assert_eq!(line("  \n ", 50), "");
        assert_eq!(line(&"x".repeat(100), 10), "xxxxxxxxx…");
    }

    #[test]
    fn lines_keep_their_ends() {
        assert_eq!(lines("\n\na\r\nb\n\n\n\nc\n", 50), "a\nb\n\nc");
        assert_eq!(units(&lines(&"a\n".repeat(10_000), 50)), 50);
    }

    #[test]
    fn lines_that_do_not_fit_are_counted() {
        let all: Vec<String> = (0..30).map(|number| format!("line {number:02}")).collect();
        assert_eq!(fit(&all, 239), all.join("\n"));
        let some = fit(&all, 238);
        assert!(some.starts_with("line 00\nline 01\n") && some.ends_with("line 23\n… and 6 more lines"), "{some}");
        assert_eq!(fit(&[], 10), "");
    }

    #[test]
    fn html_is_escaped() {
        assert_eq!(html("<a href=\"x\" b='y'>&amp;"), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;");
    }

    proptest! {
        #[test]
        fn nothing_is_longer_than_it_may_be(text in any::<String>(), max in 0..60_usize) {
            prop_assert!(units(&cut(&text, max)) <= max);
            prop_assert!(units(&line(&text, max)) <= max);
            prop_assert!(units(&lines(&text, max)) <= max);
            prop_assert!(!line(&text, max).contains(['\n', '\r', '\0']));
            let parts: Vec<String> = text.split('e').map(str::to_owned).collect();
            prop_assert!(units(&fit(&parts, max)) <= max);
        }

        #[test]
        fn what_is_short_is_kept(text in "[a-zü😀]{0,20}") {
            prop_assert_eq!(line(&text, 40), text.clone());
            prop_assert_eq!(lines(&text, 40), text.clone());
            prop_assert_eq!(fit(std::slice::from_ref(&text), 40), text);
        }
    }
}
