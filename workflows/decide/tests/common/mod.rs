//! What the property tests share.

use proptest::test_runner::Config;

/// So many random lives, or `PROPTEST_CASES` of them: `PROPTEST_CASES=20000 cargo test --release -p dixmgr-decide` hunts.
pub(crate) fn lives(cases: u32) -> Config {
    let asked = option_env!("PROPTEST_CASES").and_then(|text| text.parse().ok());
    Config { cases: asked.unwrap_or(cases), failure_persistence: None, ..Config::default() }
}
