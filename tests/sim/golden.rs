//! Comparing a text with a file that is kept, and writing the file anew when asked to (`DIXMGR_BLESS=1`).

use std::fmt::Write;
use std::path::Path;

/// Lines shown around each difference.
const CONTEXT: usize = 2;

/// `None` if the file holds `text`; else the difference, readable. With `DIXMGR_BLESS=1` the file is written instead.
pub(crate) fn check(path: &Path, text: &str) -> Option<String> {
    if std::env::var_os("DIXMGR_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(path, text).unwrap();
        return None;
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    (kept != text).then(|| {
        format!("{} differs (DIXMGR_BLESS=1 accepts what is now):\n{}", path.display(), difference(&kept, text))
    })
}

/// A line difference: `-` what was kept, `+` what is now, by the longest common subsequence.
pub(crate) fn difference(before: &str, after: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let mut longest = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i][j] =
                if old[i] == new[j] { longest[i + 1][j + 1] + 1 } else { longest[i + 1][j].max(longest[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            lines.push(('-', old[i]));
            i += 1;
        } else {
            lines.push(('+', new[j]));
            j += 1;
        }
    }
    shown(&lines)
}

fn shown(lines: &[(char, &str)]) -> String {
    let near = |index: usize| {
        let from = index.saturating_sub(CONTEXT);
        let to = (index + CONTEXT + 1).min(lines.len());
        lines[from..to].iter().any(|(mark, _)| *mark != ' ')
    };
    let mut text = String::new();
    let mut skipped = false;
    for (index, (mark, line)) in lines.iter().enumerate() {
        if near(index) {
            if std::mem::take(&mut skipped) {
                text.push_str("  ...\n");
            }
            writeln!(text, "{mark} {line}").unwrap();
        } else {
            skipped = true;
        }
    }
    text
}

#[test]
fn a_difference_shows_what_changed_and_little_else() {
    let before = "a\nb\nc\nd\ne\nf\n";
    assert_eq!(difference(before, before), "");
    assert_eq!(difference(before, "a\nb\nc\nd\nE\nf\n"), "  ...\n  c\n  d\n- e\n+ E\n  f\n");
}
