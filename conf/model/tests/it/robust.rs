//! No text makes it panic, and what it says of a bad one is bounded and has a place.

use proptest::prelude::*;

const FULL: &str = include_str!("../../../examples/full.toml");
const DOTIDX: &str = include_str!("../../../examples/dotidx.toml");

/// Says something of the text; true if it is a good one.
fn judge(text: &str) -> bool {
    let lines = u32::try_from(text.split('\n').count()).unwrap();
    match crate::parse(text) {
        Ok(config) => {
            assert!(!config.services.is_empty());
            assert!(dixmgr_model::plan::Plan::new(&config).to_string().lines().count() == config.services.len() + 1);
            true
        }
        Err(errors) => {
            assert!((1..=501).contains(&errors.problems.len()));
            for problem in &errors.problems {
                assert!(!problem.message.is_empty() && problem.message.len() < 1_000, "{}", problem.message);
                assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)));
                assert!(!problem.message.contains('\n'), "{}", problem.message);
            }
            false
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        judge(&text);
    }

    #[test]
    fn no_text_that_looks_like_toml_panics(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "\n", "\"", "'", "'''", "#", " ", "${", "}", "$", "-", "1",
                "1e9", "0x", "true", "inf", "1979-05-27", "services", "api", "unit", "after", "restart", "parachains",
                "\"api.service\"", "\"\\u0000\"", "é", "\u{feff}", "\r\n", "temporal", "api_key_file", "\"credential:\"",
            ]),
            0..60,
        )
    ) {
        judge(&parts.concat());
    }

    #[test]
    fn no_damage_to_a_good_file_panics(at in 0..FULL.len(), length in 0_usize..40, with in ".{0,6}", dotidx in any::<bool>()) {
        let text = if dotidx { DOTIDX } else { FULL };
        let floor = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) { at -= 1; }
            at
        };
        let (start, end) = (floor(at), floor(at + length));
        judge(&format!("{}{with}{}", &text[..start], &text[end..]));
    }
}

#[test]
fn good_files_are_good() {
    assert!(judge(FULL) && judge(DOTIDX));
    assert!(judge(&FULL.replace('\n', "\r\n")));
    assert!(judge(&format!("\u{feff}{FULL}")));
}

/// The deepest that is let through: keys of many parts in inline tables in inline tables.
#[test]
fn depth_is_bounded() {
    let key = ["a"; 16].join(".");
    let text = format!("[{key}]\n{}{key} = 1{}", format!("{key} = {{ ").repeat(79), "}".repeat(79));
    assert!(crate::bad(&text).contains("a: unknown section"));
    let key = ["a"; 17].join(" . ");
    assert_eq!(crate::bad(&format!("\n{key} = 1")), "x.toml:2: a key of more than 16 parts");
}
