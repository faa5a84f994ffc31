//! The length of functions, read off the indentation that rustfmt gives them.

use crate::tree::Source;

const LONGEST: usize = 60;

/// No function of the program is longer than a screen.
pub(crate) fn are_short(source: &Source) -> Vec<String> {
    if !source.is_rust() || source.is_test() {
        return Vec::new();
    }
    let lines: Vec<_> = source.code().collect();
    let mut found = Vec::new();
    for (index, (number, line)) in lines.iter().enumerate() {
        if !begins_function(line) {
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let (close, without_body) = (format!("{indent}}}"), format!("{indent})"));
        let rest = lines[index..].iter();
        let end = rest
            .clone()
            .find(|(_, line)| line.trim_end() == close || (line.starts_with(&without_body) && line.ends_with(';')));
        let one_line = line.ends_with(';') || line.ends_with('}');
        if let Some((last, _)) = end.filter(|_| !one_line)
            && last - number + 1 > LONGEST
        {
            found.push(format!(":{number}: a function of {} lines; at most {LONGEST}", last - number + 1));
        }
    }
    found
}

fn begins_function(line: &str) -> bool {
    let mut words = line
        .trim_start()
        .split(' ')
        .filter(|word| !matches!(*word, "pub" | "const" | "async" | "unsafe" | "pub(crate)" | "pub(super)"));
    words.next() == Some("fn")
        && words.next().is_some_and(|name| name.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

#[test]
fn a_long_function_is_seen_and_a_short_one_is_not() {
    let body = |lines: usize| "        line();\n".repeat(lines);
    let long = format!("impl A {{\n    pub(crate) async fn long(\n        a: u8,\n    ) {{\n{}    }}\n}}\n", body(60));
    assert_eq!(are_short(&crate::tree::sample("a/src/b.rs", &long)), [":2: a function of 64 lines; at most 60"]);
    assert!(are_short(&crate::tree::sample("a/tests/b.rs", &long)).is_empty());
    let short = format!("impl A {{\n    fn a(&self) -> u8;\n    fn b() {{}}\n    fn c() {{\n{}    }}\n}}\n", body(58));
    assert!(are_short(&crate::tree::sample("a/src/b.rs", &short)).is_empty());
}
