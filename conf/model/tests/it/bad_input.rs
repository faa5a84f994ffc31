//! What is said about bad files, word by word: `bad_input.txt` holds each file and the messages it gets.
//!
//! `DIXMGR_BLESS=1 cargo test -p dixmgr-model` writes the messages anew; the diff is what a reviewer reads.

use std::path::Path;

const RULE: &str = "----\n";

#[test]
fn each_bad_file_gets_its_messages() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/bad_input.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut written = String::new();
    let mut count = 0;
    for case in text.split("==== ").skip(1) {
        let (title, rest) = case.split_once('\n').unwrap();
        let (input, _) = rest.split_once(RULE).unwrap_or((rest, ""));
        let errors = crate::parse(input).map(|_| ()).expect_err(title);
        written += &format!("==== {title}\n{input}{RULE}{errors}\n\n");
        count += 1;
    }
    assert!(count > 30, "{count}");
    if std::env::var_os("DIXMGR_BLESS").is_some() {
        return std::fs::write(&path, &written).unwrap();
    }
    for (is, should) in written.split("==== ").zip(text.split("==== ")) {
        assert_eq!(is, should);
    }
}

#[test]
fn an_unreadable_file_is_one_problem() {
    let missing = Path::new("no/such/file.toml");
    assert_eq!(
        dixmgr_model::load(missing).map(|_| ()).unwrap_err().to_string(),
        "no/such/file.toml: cannot be read: No such file or directory (os error 2) (is the path right?)\n\
         no/such/file.toml: 1 problem"
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let errors = dixmgr_model::load(folder).map(|_| ()).unwrap_err();
    assert_eq!(errors.problems[0].message, "cannot be read: Is a directory (os error 21)");
}

#[test]
fn a_file_that_is_too_large_or_not_text_is_refused() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let large = folder.join("large.toml");
    std::fs::write(&large, "#".repeat(4 * 1024 * 1024 + 1)).unwrap();
    let errors = dixmgr_model::load(&large).map(|_| ()).unwrap_err();
    assert_eq!(errors.problems[0].message, "cannot be read: larger than 4194304 bytes");
    let bytes = folder.join("bytes.toml");
    std::fs::write(&bytes, b"# fine\n\n# \xff\n").unwrap();
    let errors = dixmgr_model::load(&bytes).map(|_| ()).unwrap_err();
    assert_eq!((errors.problems[0].line, errors.problems[0].message.as_str()), (Some(3), "is not text in UTF-8"));
}

#[test]
fn problems_are_data_for_machines() {
    let errors = crate::parse("[services.api]\nunti = 'api.service'\n").map(|_| ()).unwrap_err();
    assert_eq!(
        serde_json::to_value(&errors).unwrap(),
        serde_json::json!({"source": "x.toml", "problems": [
            {"path": "services.api.unit", "line": 1, "message": "is missing",
             "hint": "The systemd unit, its type and instance included"},
            {"path": "services.api.unti", "line": 2, "message": "unknown key", "hint": "did you mean unit?"},
        ]})
    );
}

#[test]
fn a_file_full_of_mistakes_is_told_in_bounds() {
    let text: String = (0..2_000).map(|n| format!("key{n} = 1\n")).collect();
    let errors = crate::parse(&text).map(|_| ()).unwrap_err();
    assert_eq!(errors.problems.len(), 501);
    assert_eq!(errors.problems[500].message, "1500 more problems are not shown");
}
