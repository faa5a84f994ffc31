//! The text of a condition: lengths of time become calls that CEL knows, and places in errors stay those of the text.

use super::ConditionError;
use cel::ParseErrors;
use dixmgr_contract::Span;

/// A text, and what the parser gets of it.
pub(super) struct Source<'t> {
    text: &'t str,
    expanded: String,
    /// For each literal that was replaced: where it begins in the text, and begins and ends in what was made of it.
    moved: Vec<Moved>,
    /// Where each name begins, in the text.
    names: Vec<(usize, &'t str)>,
}

struct Moved {
    from: usize,
    start: usize,
    end: usize,
    length: usize,
}

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let mut source =
            Self { text, expanded: String::with_capacity(text.len()), moved: Vec::new(), names: Vec::new() };
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let rest = &text[at..];
            let length = match first {
                '"' | '\'' => quoted(rest, source.expanded.ends_with(['r', 'R'])),
                '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                c if c.is_alphabetic() || c == '_' => {
                    let length = word(rest, false);
                    // `r"…"` is a text, not a name.
                    if !rest[length..].starts_with(['"', '\'']) {
                        source.names.push((at, &rest[..length]));
                    }
                    length
                }
                c if c.is_ascii_digit() => word(rest, true),
                c => c.len_utf8(),
            };
            source.push(at, &rest[..length], first.is_ascii_digit());
            at += length;
        }
        source
    }

    fn push(&mut self, from: usize, token: &str, is_number: bool) {
        let is_span = is_number && token.ends_with(char::is_alphabetic) && token.parse::<Span>().is_ok();
        if !is_span {
            self.expanded.push_str(token);
            return;
        }
        let start = self.expanded.len();
        self.expanded.push_str("duration(\"");
        self.expanded.push_str(token);
        self.expanded.push_str("\")");
        self.moved.push(Moved { from, start, end: self.expanded.len(), length: token.len() });
    }

    /// What CEL is asked to parse.
    pub(super) fn expanded(&self) -> &str {
        &self.expanded
    }

    /// The parser's first complaint, at its place in the text.
    pub(super) fn syntax_error(&self, errors: &ParseErrors) -> ConditionError {
        let Some(first) = errors.errors.first() else {
            return ConditionError { at: None, what: "it is not CEL".to_owned() };
        };
        let said = first.msg.split('\n').next().unwrap_or_default();
        let said = said.strip_prefix("Syntax error: ").unwrap_or(said);
        let said = if said.chars().count() > 120 { "it is too long or too deep" } else { said };
        ConditionError { at: self.original(first.pos), what: format!("it is not CEL: {said}") }
    }

    /// Where `name` is written, if there is one such place.
    pub(super) fn place_of(&self, name: &str) -> Option<(usize, usize)> {
        let mut places = self.names.iter().filter(|(_, written)| *written == name).map(|(at, _)| *at);
        let first = places.next()?;
        places.next().is_none().then(|| self.position(first))
    }

    /// Where `name` is written first.
    pub(super) fn first_place_of(&self, name: &str) -> Option<(usize, usize)> {
        self.names.iter().find(|(_, written)| *written == name).map(|(at, _)| self.position(*at))
    }

    /// The parser counts lines from 1, and columns in bytes or characters from 1, of what it got.
    fn original(&self, (line, column): (isize, isize)) -> Option<(usize, usize)> {
        let (line, column) = (usize::try_from(line).ok()?, usize::try_from(column).ok()?);
        let start: usize = self.expanded.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
        let line = self.expanded.get(start..)?;
        let within = line.char_indices().nth(column.checked_sub(1)?).map_or(line.len(), |(at, _)| at);
        let mut offset = start + within;
        for moved in self.moved.iter().rev() {
            if offset >= moved.end {
                offset = moved.from + moved.length + (offset - moved.end);
                return Some(self.position(offset));
            }
            if offset >= moved.start {
                return Some(self.position(moved.from));
            }
        }
        Some(self.position(offset))
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// The length of a name or a number; of a number with its dots, and `e-5`.
fn word(text: &str, is_number: bool) -> usize {
    let mut before = ' ';
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let mut is_dot = || is_number && c == '.' && chars.peek().is_some_and(|(_, next)| next.is_ascii_digit());
        let is_exponent = is_number && matches!(c, '+' | '-') && matches!(before, 'e' | 'E') && !text.starts_with("0x");
        if !(c.is_alphanumeric() || c == '_' || is_exponent || is_dot()) {
            return at;
        }
        before = c;
    }
    text.len()
}

/// The length of a quoted text that `text` begins with.
fn quoted(text: &str, is_raw: bool) -> usize {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let end = if text.starts_with(&triple) { triple.as_str() } else { quote };
    let mut at = end.len();
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(end) {
            return at + end.len();
        }
        let escape = if rest.starts_with('\\') && !is_raw { 1 } else { 0 };
        let c = rest[escape..].chars().next();
        at += escape + c.map_or(0, char::len_utf8);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_of_time_become_calls_and_nothing_else_does() {
        for (text, expanded) in [
            ("a<500ms", "a<duration(\"500ms\")"),
            ("1h30m == 1.5h", "duration(\"1h30m\") == duration(\"1.5h\")"),
            ("[14d,5us]", "[duration(\"14d\"),duration(\"5us\")]"),
            ("5u + 1e5 - 1e-5 + 0x5d + 1.5", "5u + 1e5 - 1e-5 + 0x5d + 1.5"),
            ("a5s.b1m == \"5s\" + '5s'", "a5s.b1m == \"5s\" + '5s'"),
            (r#"'\'5s' + r'\' + """5s" 5s""" + "5s"#, r#"'\'5s' + r'\' + """5s" 5s""" + "5s"#),
            ("duration(\"5s\") // 5s", "duration(\"5s\") // 5s"),
            ("a[0].b", "a[0].b"),
            ("5s5", "5s5"),
        ] {
            assert_eq!(Source::new(text).expanded(), expanded, "{text}");
        }
    }

    #[test]
    fn places_are_those_of_the_text() {
        let source = Source::new("ü + 1s + 1h30m\n+ x + 2s + y + x");
        assert_eq!(source.place_of("y"), Some((2, 12)));
        assert_eq!((source.place_of("x"), source.first_place_of("x")), (None, Some((2, 3))));
        let expanded = "ü + duration(\"1s\") + duration(\"1h30m\")";
        assert!(source.expanded().starts_with(expanded));
        for (column, original) in
            [(1, 1), (3, 3), (5, 5), (9, 5), (20, 8), (22, 10), (expanded.chars().count() + 1, 15)]
        {
            assert_eq!(source.original((1, column.try_into().unwrap())), Some((1, original)), "{column}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_no_time_stays(text in "[a-z0-9.'\"\\\\ü \n/+-]{0,30}") {
            let source = Source::new(&text);
            let _ = source.original((1, 3));
            if source.moved.is_empty() {
                prop_assert_eq!(source.expanded(), &text);
            }
        }

        #[test]
        fn every_length_of_time_is_found(nanos in 1..i64::MAX as u64) {
            let span = Span::from(std::time::Duration::from_nanos(nanos)).to_string();
            let text = format!("duration<{span}&&x");
            let source = Source::new(&text);
            prop_assert_eq!(source.expanded(), format!("duration<duration(\"{span}\")&&x"));
        }
    }
}
