//! JSON-RPC 2.0, the part that one question over HTTP needs: the text of a call, and what an answer to it may be.
//!
//! Bitcoin speaks the older 1.0, where both `result` and `error` are always there and one of them is null: read alike.

use crate::{Endpoint, NodeError, text};
use dixmgr_decide::check::json::{self, NotJson};
use serde_json::{Map, Value, json};

/// Shown in place of words that may repeat a secret.
const WITHHELD: &str = "(not shown: it may repeat what is secret in the URL)";

/// The body of a call of `method` with `params`, an array.
pub(crate) fn call(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// What a node says to a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// This. It may be null.
    Result(Value),
    /// No.
    Refused(Refusal),
}

/// A node's refusal of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    /// Its code.
    pub(crate) code: i64,
    /// Its text, fit to be shown.
    pub(crate) message: String,
    /// What it adds to that; null if nothing.
    pub(crate) data: Value,
}

/// The reply in `body`, the answer of `endpoint` to the call `id`. Nesting is bounded by `serde_json`, at 128.
pub(crate) fn reply(endpoint: &Endpoint, id: u64, body: &[u8]) -> Result<Reply, NodeError> {
    let unexpected = |what| Err(NodeError::Unexpected { place: endpoint.place().to_owned(), what });
    let Value::Object(mut answer) = parse(endpoint, body)? else { return unexpected("it is not an object") };
    let its_id = answer.remove("id").unwrap_or_default();
    let result = answer.remove("result");
    match answer.remove("error").unwrap_or_default() {
        // A server that could not read the call does not know its id.
        Value::Object(error) if its_id == id || its_id.is_null() => Ok(Reply::Refused(refusal(endpoint, error)?)),
        _ if its_id != id => unexpected("its id is that of another call"),
        Value::Null => match result {
            Some(result) => Ok(Reply::Result(result)),
            None => unexpected("it holds neither a result nor an error"),
        },
        _ => unexpected("it holds neither a result nor an error"),
    }
}

/// The result in `body`, which must be there.
pub(crate) fn result(endpoint: &Endpoint, id: u64, body: &[u8]) -> Result<Value, NodeError> {
    let place = || endpoint.place().to_owned();
    match reply(endpoint, id, body)? {
        Reply::Result(Value::Null) => {
            Err(NodeError::Unexpected { place: place(), what: "it holds neither a result nor an error" })
        }
        Reply::Result(result) => Ok(result),
        Reply::Refused(Refusal { code, message, .. }) => Err(NodeError::Rpc { place: place(), code, message }),
    }
}

/// `body` as JSON.
pub(crate) fn parse(endpoint: &Endpoint, body: &[u8]) -> Result<Value, NodeError> {
    let place = || endpoint.place().to_owned();
    json::json(body).map_err(|why| match why {
        NotJson::TooLarge => NodeError::Unexpected { place: place(), what: "it holds more values than are read" },
        NotJson::Broken => {
            NodeError::NotJson { place: place(), begins: quoted(endpoint, &String::from_utf8_lossy(body)) }
        }
    })
}

fn refusal(endpoint: &Endpoint, mut error: Map<String, Value>) -> Result<Refusal, NodeError> {
    let Some(code) = error.get("code").and_then(Value::as_i64) else {
        return Err(NodeError::Unexpected { place: endpoint.place().to_owned(), what: "its error has no code" });
    };
    let message = quoted(endpoint, error.get("message").and_then(Value::as_str).unwrap_or_default());
    Ok(Refusal { code, message, data: error.remove("data").unwrap_or_default() })
}

fn quoted(endpoint: &Endpoint, said: &str) -> String {
    if endpoint.may_quote() { text::short(said) } else { WITHHELD.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(url: &str, body: &str) -> Result<Value, NodeError> {
        result(&Endpoint::parse(url).unwrap(), 7, body.as_bytes())
    }

    #[track_caller]
    fn assert_unexpected(body: &str, what: &str) {
        let error = read("node-1", body).unwrap_err();
        assert!(matches!(error, NodeError::Unexpected { what: said, .. } if said == what), "{body}: {error:?}");
    }

    #[test]
    fn the_result_of_our_call_is_taken() {
        assert_eq!(call(7, "a", &json!([])), r#"{"id":7,"jsonrpc":"2.0","method":"a","params":[]}"#);
        assert_eq!(read("node-1", r#"{"jsonrpc":"2.0","result":{"a":1},"id":7}"#), Ok(json!({"a": 1})));
        assert_eq!(read("node-1", r#"{"result":0,"error":null,"id":7}"#), Ok(json!(0)));
    }

    #[test]
    fn what_does_not_answer_our_call_is_refused() {
        for id in ["8", "null", "\"7\"", "7.5", "[7]"] {
            assert_unexpected(&format!(r#"{{"result":1,"id":{id}}}"#), "its id is that of another call");
        }
        assert_unexpected(r#"{"error":{"code":1},"id":8}"#, "its id is that of another call");
        assert_unexpected(r#"{"result":1}"#, "its id is that of another call");
        assert_unexpected(r#"{"id":7}"#, "it holds neither a result nor an error");
        assert_unexpected(r#"{"id":7,"result":null}"#, "it holds neither a result nor an error");
        assert_unexpected(r#"{"id":7,"result":1,"error":"no"}"#, "it holds neither a result nor an error");
        assert_unexpected(r#"{"id":7,"error":{"message":"no"}}"#, "its error has no code");
        assert_unexpected("[1]", "it is not an object");
    }

    #[test]
    fn an_error_is_told_in_short_and_clean() {
        let body = json!({"error": {"code": -32000, "message": format!("\u{1b}[2J{}", "a".repeat(500))}, "id": null});
        let Err(NodeError::Rpc { code, message, .. }) = read("node-1", &body.to_string()) else { panic!("{body}") };
        assert_eq!((code, message), (-32000, format!("[2J{}…", "a".repeat(text::MAX_CHARS - 4))));
    }

    #[test]
    fn what_is_not_json_is_quoted_in_short() {
        let Err(NodeError::NotJson { begins, .. }) = read("node-1", &"x".repeat(60_000)) else { panic!() };
        assert_eq!(begins.chars().count(), text::MAX_CHARS);
        assert!(matches!(read("node-1", ""), Err(NodeError::NotJson { .. })));
    }

    #[test]
    fn nothing_is_quoted_that_may_repeat_a_secret() {
        for body in [r#"{"error":{"code":1,"message":"bad key hush"},"id":7}"#, "aHVzaA== hush"] {
            let error = read("http://node-1/hush", body).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
            assert!(error.to_string().contains("not shown"), "{error}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let deep = "[".repeat(30_000) + &"]".repeat(30_000);
        for body in [deep.clone(), format!(r#"{{"id":7,"result":{deep}}}"#), format!(r#"{{"id":{deep}}}"#)] {
            assert!(matches!(read("node-1", &body), Err(NodeError::NotJson { .. })));
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics_and_only_that_to_our_call_is_taken(
            id in prop::sample::select(vec!["7", "8", "null", "\"7\"", "[]", ""]),
            result in prop::sample::select(vec!["1", "null", "{}", "\"a\"", ""]),
            error in prop::sample::select(vec!["null", "{}", "{\"code\":1}", "{\"code\":\"1\",\"message\":2}", "3", ""]),
            noise in prop::collection::vec(any::<u8>(), 0..60),
            cut in 0..80_usize,
        ) {
            let field = |name: &str, value: &str| if value.is_empty() { String::new() } else { format!("\"{name}\":{value}") };
            let fields = [field("id", id), field("result", result), field("error", error)];
            let fields: Vec<String> = fields.into_iter().filter(|field| !field.is_empty()).collect();
            let body = format!("{{{}}}", fields.join(","));
            let endpoint = Endpoint::parse("node-1").unwrap();
            if let Ok(Reply::Result(_)) = reply(&endpoint, 7, body.as_bytes()) {
                prop_assert!(id == "7" && !result.is_empty() && matches!(error, "null" | ""), "{body}");
            }
            let _ = reply(&endpoint, 7, &noise);
            let _ = reply(&endpoint, 7, body.as_bytes().get(..cut).unwrap_or_default());
        }
    }
}
