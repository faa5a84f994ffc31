//! Paths that are read, found and judged.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn find(path: &str, body: &Value) -> Option<Value> {
    JsonPath::parse(path).unwrap_or_else(|error| panic!("{path}: {error}")).find(body).cloned()
}

#[test]
fn dots_indexes_and_quotes_lead_to_a_value() {
    let body = json!({"a": {"b": [10, {"c": 11}], "d.e": 12, "": 13, "0": 14, "ü": 15, "q\"": 16}});
    for (path, value) in [
        ("a.b[0]", 10),
        ("a.b.0", 10),
        ("a.b[1].c", 11),
        ("$.a.b.1.c", 11),
        ("$[\"a\"]['b'][1].c", 11),
        ("a[\"d.e\"]", 12),
        ("a.\"d.e\"", 12),
        ("\"a\".'d.e'", 12),
        ("a[\"\"]", 13),
        ("a.0", 14),
        ("a.ü", 15),
        (r#"a["q\""]"#, 16),
    ] {
        assert_eq!(find(path, &body), Some(json!(value)), "{path}");
    }
    assert_eq!(find("$", &body), Some(body.clone()));
    for path in ["x", "a.x", "a.b[2]", "a.b.x", "a[0]", "a.b[1].c.d", "a.b.-1", "A"] {
        assert_eq!(find(path, &body), None, "{path}");
    }
    assert_eq!(find("[1]", &json!([1, 2])), Some(json!(2)));
    assert_eq!(find("$a", &json!({"$a": 2})), Some(json!(2)));
}

#[test]
fn a_value_means_what_it_meant_in_the_go_version() {
    let path = JsonPath::parse("v").unwrap();
    let judge = |value: Value| path.judge(&json!({ "v": value }));
    for good in [json!(true), json!("healthy"), json!("OK"), json!("Up"), json!("ready"), json!("TRUE"), json!(1)] {
        assert_eq!(judge(good.clone()), Ok(()), "{good}");
    }
    assert_eq!(judge(json!(0.001)), Ok(()));
    for (bad, why) in [
        (json!(false), "v is false"),
        (json!("no"), "the text at v is none of healthy, ok, up, ready, true"),
        (json!(""), "the text at v is none of healthy, ok, up, ready, true"),
        (json!(0), "the number at v is not above zero, but 0"),
        (json!(-1.5), "the number at v is not above zero, but -1.5"),
        (Value::Null, "v is null"),
        (json!([true]), "v is a list, not a value"),
        (json!({}), "v is an object, not a value"),
    ] {
        assert_eq!(judge(bad), Err(why.to_owned()));
    }
    assert_eq!(path.judge(&json!(7)), Err("the body has nothing at v".to_owned()));
}

#[test]
fn what_is_no_path_is_refused_with_its_place() {
    for (text, said) in [
        ("", "expected a key, at column 1"),
        (".", "expected a key, at column 1"),
        ("a.", "expected a key, at column 3"),
        ("a..b", "expected a key, at column 3"),
        ("$.", "expected a key, at column 3"),
        ("ü.b[", "expected an index or a quoted key, at column 5"),
        ("a[x]", "expected an index or a quoted key, at column 3"),
        ("a[-1]", "expected an index or a quoted key, at column 3"),
        ("a[1", "expected `]`, at column 4"),
        ("a[1]b", "expected `.` or `[`, at column 5"),
        ("a[99999999999999999999]", "the index is too large, at column 3"),
        ("a.\"b", "the quote is not closed, at column 3"),
        (r#""a\n""#, "only a quote and a backslash can follow a backslash, at column 4"),
        ("a b", "a key with a blank goes in quotes, at column 1"),
    ] {
        assert_eq!(JsonPath::parse(text).unwrap_err().to_string(), said, "{text}");
    }
    assert!(JsonPath::parse(&"a".repeat(1_025)).is_err());
    assert!(JsonPath::parse(&["a"; 65].join(".")).is_err());
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,40}", body in "[\\[{\"a:1,}\\]]{0,20}") {
        if let (Ok(path), Ok(body)) = (JsonPath::parse(&text), serde_json::from_str(&body)) {
            let _ = path.judge(&body);
        }
    }

    #[test]
    fn any_keys_can_be_written_in_quotes(keys in prop::collection::vec(".{0,8}", 1..6), leaf: u32) {
        let mut body = json!(leaf);
        let mut text = "$".to_owned();
        for key in keys.iter().rev() {
            body = json!({ key.clone(): body });
        }
        for key in &keys {
            text += &format!("[\"{}\"]", key.replace('\\', "\\\\").replace('"', "\\\""));
        }
        prop_assert_eq!(find(&text, &body), Some(json!(leaf)));
    }
}
