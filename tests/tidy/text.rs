//! Checks of the text of one file.

use crate::tree::Source;

const LONGEST: usize = 500;
/// A file of fewer lines may do without an explanation.
const SMALL: usize = 40;
/// The one place where the standard library leaves no safe way.
const UNSAFE: &str = "worker/src/up/server.rs";
const PURE: [&str; 4] =
    ["activities/contract/src/", "workflows/decide/src/", "workflows/flows/src/", "conf/model/src/"];

/// Every module opens with why it exists.
pub(crate) fn opens_with_why(source: &Source) -> Vec<String> {
    let is_bare = source.is_rust() && source.text.lines().count() >= SMALL && !source.text.starts_with("//!");
    is_bare.then(|| ":1: does not open with `//!` and why it exists".to_owned()).into_iter().collect()
}

/// A file can be read in one sitting.
pub(crate) fn is_short(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let is_long = source.is_rust() && lines > LONGEST;
    is_long.then(|| format!(": {lines} lines; at most {LONGEST}")).into_iter().collect()
}

/// Nothing is left for later.
pub(crate) fn leaves_nothing_undone(source: &Source) -> Vec<String> {
    // These name the words in order to forbid them.
    if source.path == "CONTRIBUTING.md" || source.path.starts_with("tests/tidy/") {
        return Vec::new();
    }
    let words = ["TODO", "FIXME", "_PLACEHOLDER", "todo!", "unimplemented!", "dbg!("].map(str::to_owned);
    find(source.text.lines().enumerate().map(|(index, line)| (index + 1, line)), &words)
}

/// The program never gives up with a panic where an error would do.
pub(crate) fn does_not_panic(source: &Source) -> Vec<String> {
    if !source.is_rust() || source.is_test() {
        return Vec::new();
    }
    find(source.code(), &[".unwrap()".to_owned(), ".expect(".to_owned(), ".unwrap_err()".to_owned()])
}

/// `unsafe` stays where it is.
pub(crate) fn is_safe(source: &Source) -> Vec<String> {
    if !source.is_rust() || source.path == UNSAFE || source.path.starts_with("tests/tidy/") {
        return Vec::new();
    }
    let words = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "allow(unsafe_code", "expect(unsafe_code"];
    find(source.code(), &words.map(str::to_owned))
}

/// Clocks, sockets, threads and hash maps are for others.
pub(crate) fn is_pure(source: &Source) -> Vec<String> {
    if !PURE.iter().any(|folder| source.path.starts_with(folder)) {
        return Vec::new();
    }
    let words = [
        "Instant",
        "SystemTime::now",
        "Utc::now",
        "Timestamp::now",
        "Zoned::now",
        "std::thread",
        "thread::",
        "std::net",
        "std::process",
        "HashMap",
        "HashSet",
        "tokio",
        "rand::",
        "std::sync::Mutex",
    ];
    find(source.code(), &words.map(str::to_owned))
}

/// No paths of one machine, nothing about who typed it.
pub(crate) fn speaks_of_no_machine(source: &Source) -> Vec<String> {
    let own = ["tests/tidy/text.rs", "tests/replay/main.rs"];
    if own.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let numbered = || source.text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let mut found =
        find(numbered(), &["/work/", "/root/", "../shared", "shared/sandbox", "shared/DESIGN"].map(str::to_owned));
    if !source.is_test() {
        found.extend(find(source.code(), &["/tmp/".to_owned()]));
    }
    let authors = ["claude", "anthropic", "chatgpt", "openai", "copilot", "language model", "ai-generated", "ai agent"];
    found.extend(numbered().filter_map(|(number, line)| {
        let lower = line.to_lowercase();
        let word = authors.iter().find(|word| lower.contains(**word))?;
        Some(format!(":{number}: holds `{word}`"))
    }));
    found
}

fn find<'a>(lines: impl Iterator<Item = (usize, &'a str)>, words: &[String]) -> Vec<String> {
    lines
        .flat_map(|(number, line)| {
            words.iter().filter(|word| holds(line, word)).map(move |word| format!(":{number}: holds `{word}`"))
        })
        .collect()
}

/// True if the word is in the line and does not begin in the middle of another one, or of a longer path.
fn holds(line: &str, word: &str) -> bool {
    let begins_something = word.starts_with(|c: char| c.is_alphabetic() || c == '/');
    let goes_on = |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || "_-}.*)".contains(c));
    line.match_indices(word).any(|(at, _)| !(begins_something && goes_on(&line[..at])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Check;
    use crate::tree::sample;

    #[test]
    fn each_check_complains_about_a_bad_sample() {
        let cases: [(Check, &str, String, &str); 13] = [
            (opens_with_why, "a/src/b.rs", "use x;\n".repeat(40), ":1: does not open with `//!`"),
            (is_short, "a/src/b.rs", "//! x\n".repeat(501), ": 501 lines; at most 500"),
            (leaves_nothing_undone, "README.md", "// TODO later".into(), ":1: holds `TODO`"),
            (leaves_nothing_undone, "a/src/b.rs", "x\n todo!()".into(), ":2: holds `todo!`"),
            (does_not_panic, "a/src/b.rs", "a.unwrap();".into(), ":1: holds `.unwrap()`"),
            (does_not_panic, "a/src/b.rs", "a\n    .expect(\"b\");".into(), ":2: holds `.expect(`"),
            (is_safe, "a/src/b.rs", "unsafe { x }".into(), ":1: holds `unsafe {`"),
            (is_safe, "tests/src/b.rs", "#[allow(unsafe_code)]".into(), ":1: holds `allow(unsafe_code`"),
            (
                is_pure,
                "workflows/decide/src/b.rs",
                "#[cfg(test)]\nmod tests;\nlet a = Instant::now();".into(),
                ":3: holds `Instant`",
            ),
            (is_pure, "conf/model/src/b.rs", "use std::collections::HashMap;".into(), ":1: holds `HashMap`"),
            (speaks_of_no_machine, "README.md", "see /work/x".into(), ":1: holds `/work/`"),
            (speaks_of_no_machine, "a/src/b.rs", "let a = \"/tmp/x\";".into(), ":1: holds `/tmp/`"),
            (speaks_of_no_machine, "README.md", "by Claude".into(), ":1: holds `claude`"),
        ];
        for (check, path, text, complaint) in cases {
            let found = check(&sample(path, &text));
            assert!(found.len() == 1 && found[0].starts_with(complaint), "{complaint}: {found:?}");
        }
    }

    #[test]
    fn no_check_complains_about_a_good_sample() {
        let good = "//! Why.\n/// `unwrap()` in a comment.\nfn a() { b.unwrap_or(1); }\n#[cfg(test)]\nmod tests {\n    a.unwrap();\n}\n";
        let checks: [Check; 7] =
            [opens_with_why, is_short, leaves_nothing_undone, does_not_panic, is_safe, is_pure, speaks_of_no_machine];
        for check in checks {
            assert_eq!(check(&sample("workflows/decide/src/b.rs", good)), Vec::<String>::new());
        }
        assert!(does_not_panic(&sample("a/tests/b.rs", "a.unwrap()")).is_empty());
        assert!(is_safe(&sample(UNSAFE, "unsafe { x }")).is_empty());
        assert!(is_pure(&sample("worker/src/b.rs", "Instant::now()")).is_empty());
    }
}
