//! Conditions that hold, that do not, that are refused, and that would take for ever.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

const NAMES: [(&str, Kind); 7] = [
    ("status", Kind::Number),
    ("body", Kind::Any),
    ("headers", Kind::Map),
    ("duration", Kind::Span),
    ("certificate_expires_in", Kind::Span),
    ("kind", Kind::Text),
    ("up", Kind::Bool),
];

fn compile(text: &str) -> Condition {
    Condition::compile(text, &NAMES).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn holds_of(text: &str, body: &str) -> Result<bool, String> {
    let json = serde_json::from_str::<Value>(body).ok();
    let headers = BTreeMap::from([("content-type".to_owned(), "text/plain".to_owned()), ("etag".into(), "x".into())]);
    compile(text).holds(&[
        ("status", Val::Int(200)),
        ("body", Val::Body { text: body, json: json.as_ref() }),
        ("headers", Val::Map(&headers)),
        ("duration", Val::span(Duration::from_millis(120))),
        ("kind", Val::text("relay")),
        ("up", Val::Bool(true)),
    ])
}

const BODY: &str =
    r#"{"sync":{"peers":12,"done":true,"lag":0.5},"list":[1,2.0,3],"who":"me","none":null,"big":18446744073709551615}"#;

#[track_caller]
fn assert_holds(text: &str) {
    assert_eq!(holds_of(text, BODY), Ok(true), "{text}");
    assert_eq!(holds_of(&format!("!({text})"), BODY), Ok(false), "{text}");
}

#[track_caller]
fn assert_fails(text: &str, why: &str) {
    assert_eq!(holds_of(text, BODY), Err(why.to_owned()), "{text}");
}

#[test]
fn what_people_write_holds() {
    for text in [
        "status == 200 && body.sync.peers > 3 && duration < 500ms",
        "duration > 0.1s && duration >= 120ms && duration <= duration(\"120ms\") && duration != 1h30m",
        "body.sync.done",
        "body.sync.lag * 2 == 1 && body.sync.peers / 5 == 2 && body.sync.peers % 5 == 2 && 7 / 2.0 == 3.5",
        "body[\"sync\"]['peers'] == 12.0",
        "body.list[0] == 1 && body.list[1] == 2 && body.list.size() == 3 && size(body.list) == 3",
        "2 in body.list && 'who' in body && !(9 in body.list) && 'etag' in headers",
        "has(body.sync.peers) && !has(body.sync.nothing)",
        "headers[\"content-type\"].startsWith(\"text/\") && headers.etag == 'x'",
        "kind == \"relay\" && up",
        "body.contains('\"peers\":12') && body.who.endsWith(\"e\") && size(body.who) == 2",
        "body.list.all(x, x > 0) && body.list.exists(x, x == 3) && body.list.exists_one(x, x > 2)",
        "body.list.map(x, x * 2) == [2, 4, 6] && body.list.filter(x, x > 1) == [2, 3]",
        "body.list.map(x, x > 1, x + 1) == [3, 4] && body.sync.exists(k, k == 'lag')",
        "body.list.all(x, body.list.exists(y, y == x))",
        "body.none == null && body.who != null && body.who != 1",
        "status in [200, 204] ? up : false",
        "int('12') == 12 && double('1.5') == 1.5 && string(12) == '12' && int(1.9) == 1",
        "1h - 30m == 30m && [1] + [2] == [1, 2] && 'a' + 'b' == 'ab' && -body.sync.peers == -12",
        "body.big > 9223372036854775807.0",
        "'a' < 'b' && true > false && 1 < 1.5",
    ] {
        assert_holds(text);
    }
    assert_eq!(holds_of("body == 'up' && body.size() == 2 && !body.contains('x')", "up"), Ok(true));
    assert_eq!(holds_of("body == true && body", "true"), Ok(true));
    assert_eq!(holds_of("body > 3 && body + 1 == 5", "4"), Ok(true));
}

#[test]
fn a_side_that_decides_is_enough() {
    for text in ["up || body.nothing", "body.nothing || up", "body.list.exists(x, x == 3 || x.nothing)"] {
        assert_eq!(holds_of(text, BODY), Ok(true), "{text}");
    }
    assert_eq!(holds_of("body.nothing && !up", BODY), Ok(false));
    assert_eq!(holds_of("body.list.all(x, x.nothing && x > 5)", BODY), Ok(false));
    assert_fails("body.nothing && up", "there is no `nothing`");
    assert_fails("!up || body.nothing", "there is no `nothing`");
}

#[test]
fn what_cannot_be_told_says_why_without_a_value() {
    for (text, why) in [
        ("body.sync.nothing > 1", "there is no `nothing`"),
        ("body.list[3] == 1", "there is no element 3"),
        ("body.list[-1] == 1", "there is no element -1"),
        ("body.who > 3", "a number cannot be compared with a text"),
        ("body.who.x == 1", "a text has no `.x`"),
        ("body.sync", "an object stands where true or false is expected"),
        ("body.sync.peers / 0 == 1", "a number is divided by zero"),
        ("9223372036854775807 + body.sync.peers > 0", "a number is too large"),
        ("certificate_expires_in > 14d", "`certificate_expires_in` is not known here"),
        ("body.who + 1 == 2", "a number cannot be calculated with a text"),
        ("duration(body.who) > 1s", "a text is not that of a length of time"),
        ("int(body.who) > 1", "a text is not that of a whole number"),
        ("body.sync.peers.all(x, x)", "a number has no elements"),
    ] {
        assert_fails(text, why);
    }
    assert_eq!(holds_of("body.sync", "no JSON"), Err("the body is not JSON".to_owned()));
}

#[test]
fn what_is_no_condition_is_refused_with_its_place() {
    for (text, said) in [
        ("", "the condition is empty"),
        ("status = 200", "it is not CEL: "),
        ("stats == 200", "there is no `stats` here; there are status, body, "),
        ("up &&\n  bdy.x", "there is no `bdy` here; "),
        ("duration < 500", "a number cannot be compared with a length of time such as 500ms"),
        ("status == '200'", "a text cannot be compared with a number"),
        ("status", "what comes out is a number, not true or false"),
        ("status + 1", "what comes out is a number, not true or false"),
        ("status && up", "`status`, a number stands where true or false is expected, at column 1"),
        ("status.x == 1", "`status`, a number has no `.x`, at column 1"),
        ("size(body, 1) > 1", "`size` is written size(x), at column 1"),
        ("contains(body, 'x')", "`contains` is written x.contains(y), at column 1"),
        ("up || body.matches('x')", "there is no function `matches`; there are size, contains, "),
        ("{'a': 1}.a == 1", "a map cannot be written in a condition"),
        ("b'a' == b'a'", "bytes cannot be written in a condition"),
        ("duration < duration('soon')", "\"soon\" is not a duration; "),
        ("up && (status == 200", "it is not CEL: "),
        ("status == 200 300", "it is not CEL: "),
    ] {
        let error = Condition::compile(text, &NAMES).map(|_| ()).unwrap_err();
        assert!(error.to_string().starts_with(said), "{text}: {error}");
    }
    let column = |text: &str| Condition::compile(text, &NAMES).map(|_| ()).unwrap_err().at;
    assert_eq!(column("up && stats == 200"), Some((1, 7)));
    assert_eq!(column("up &&\n  bdy.x"), Some((2, 3)));
    assert_eq!(column("duration < 500ms & up"), Some((1, 18)));
    assert_eq!(column("duration < 500ms && up)"), Some((1, 23)));
}

#[test]
fn depth_and_length_are_bounded() {
    let refused = |text: String| Condition::compile(&text, &NAMES).map(|_| ()).unwrap_err();
    // Brackets around brackets, and pairs of signs, leave no depth behind.
    compile(&("(".repeat(2_000) + "up" + &")".repeat(2_000)));
    refused("[".repeat(2_000) + &"]".repeat(2_000) + " == []");
    compile(&("!".repeat(4_000) + "up"));
    compile(&("-".repeat(4_000) + "1 == 1"));
    refused("-(".repeat(1_000) + "1" + &")".repeat(1_000) + " == 1");
    refused("size(".repeat(500) + "body" + &")".repeat(500) + " == 1");
    refused(format!("status == 1 || {}", "status[".repeat(500) + "0" + &"]".repeat(500)));
    refused(format!("status{} == 1", " + 1".repeat(900)));
    refused(format!("body{}", ".a".repeat(1_500)));
    refused(format!("up || {}", "x".repeat(4_096)));
    refused("up ? up : ".repeat(400) + "up");
    // A chain of `&&` is as deep as its logarithm.
    compile(&vec!["up"; 500].join(" && "));
    compile(&format!("{}up{}", "(".repeat(40), ")".repeat(40)));
}

#[test]
fn a_hostile_body_runs_out_of_fuel_in_no_time() {
    let long = format!("{{\"a\":[{}],\"t\":\"{}\"}}", vec!["1"; 300_000].join(","), "x".repeat(400_000));
    let short = format!("{{\"a\":[{}],\"t\":\"{}\"}}", vec!["1"; 2_000].join(","), "x".repeat(400_000));
    for (text, body) in [
        ("body.a.all(x, x == 1)", &long),
        ("body.a.all(x, body.a.all(y, y == x))", &short),
        ("body.a.map(x, body.a.map(y, body.a.map(z, x))).size() > 0", &short),
        ("[body.a.map(x, x)].all(m, m.all(a, m.all(b, true)))", &short),
        ("body.a.all(x, body.t.contains('y') || true)", &short),
        ("body.a.map(x, body.t + body.t).size() > 0", &short),
        ("body.a.all(x, x in body.a.map(y, y + 1) || true)", &short),
        ("body.a.all(x, body == body)", &short),
    ] {
        assert_eq!(holds_of(text, body), Err("it takes too long".to_owned()), "{text}");
    }
    assert_eq!(holds_of("body.a.all(x, x == 1)", &short), Ok(true));
}

#[test]
fn it_knows_what_it_looks_at() {
    let condition = compile("status == 200 && headers.all(h, h != 'x')");
    assert!(condition.uses("status") && condition.uses("headers"));
    assert!(!condition.uses("body") && !condition.uses("h"));
}

/// Expressions over small numbers, truths and lists of the same kinds, as the crate's own interpreter takes them too.
fn expression() -> impl Strategy<Value = String> {
    let leaf =
        prop::sample::select(vec!["1", "2", "-3", "0", "n", "true", "false", "t", "'a'", "s", "l", "[1, 2]", "[n]"]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let operator =
            prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"]);
        let member = prop::sample::select(vec!["all", "exists", "exists_one", "map", "filter"]);
        let call = prop::sample::select(vec!["contains", "startsWith", "endsWith"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, how, b)| format!("({a} {how} {b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), member, inner.clone()).prop_map(|(a, how, b)| format!("{a}.{how}(x, ({b}) == x)")),
            (inner.clone(), call, inner.clone()).prop_map(|(a, how, b)| format!("{a}.{how}({b})")),
            inner.clone().prop_map(|a| format!("(!{a})")),
            inner.clone().prop_map(|a| format!("size({a})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a}[{b}]")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What ours takes, and the crate's own interpreter has an answer to, has the same answer.
    #[test]
    fn the_interpreter_of_the_crate_agrees(text in expression(), n in -3_i64..4, t: bool) {
        const NAMES: [(&str, Kind); 4] = [("n", Kind::Any), ("t", Kind::Any), ("s", Kind::Any), ("l", Kind::Any)];
        let list = json!([n, 1, 2]);
        if let Ok(condition) = Condition::compile(&text, &NAMES) {
            let ours = condition.holds(&[
                ("n", Val::Int(n)), ("t", Val::Bool(t)), ("s", Val::text("ab")), ("l", Val::json(&list)),
            ]);
            let tree = PrattParser::new().parse(&text).unwrap();
            let mut context = cel::Context::default();
            context.add_variable_from_value("n", n);
            context.add_variable_from_value("t", t);
            context.add_variable_from_value("s", "ab".to_owned());
            context.add_variable_from_value("l", vec![n, 1, 2]);
            match (cel::Value::resolve(&tree, &context), ours) {
                (Ok(cel::Value::Bool(theirs)), ours) => prop_assert_eq!(ours, Ok(theirs), "{}", text),
                (_, Ok(ours)) => prop_assert!(false, "{} is {} here and nothing there", text, ours),
                (_, Err(_)) => {}
            }
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = Condition::compile(&text, &NAMES);
    }

    #[test]
    fn no_text_that_looks_like_cel_panics(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "body", ".", "x", "(", ")", "[", "]", "{", "}", "&&", "||", "!", "-", "5", "500ms", "1.5", "0x", "\"", "'", "r'",
                "'''", "\\", "?", ":", ",", "==", "<", "in", " ", "\n", "//", "all", "map", "exists_one", "has", "size", "b'",
                "duration", "ü", "\u{0}", "18446744073709551616", "5u", "1e", "null", "true", ".?", "`",
            ]),
            0..24,
        )
    ) {
        let text = parts.concat();
        if let Ok(condition) = Condition::compile(&text, &NAMES) {
            let _ = condition.holds(&[("body", Val::Null)]);
        }
    }
}
