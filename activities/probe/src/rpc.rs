//! JSON-RPC 2.0, the part that one question over HTTP needs: the text of a call, and what an answer to it may be.

use crate::{Endpoint, NodeError, text};
use serde_json::{Map, Value, json};

/// Shown in place of words that may repeat a secret.
const WITHHELD: &str = "(not shown: it may repeat what is secret in the URL)";

/// The body of a call of `method` without arguments.
pub(crate) fn call(id: u64, method: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": [] }).to_string()
}

/// The result in `body`, the answer of `endpoint` to the call `id`. Nesting is bounded by `serde_json`, at 128.
pub(crate) fn result(endpoint: &Endpoint, id: u64, body: &[u8]) -> Result<Value, NodeError> {
    let place = || endpoint.place().to_owned();
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Err(NodeError::NotJson { place: place(), begins: quoted(endpoint, &String::from_utf8_lossy(body)) });
    };
    let Value::Object(mut answer) = value else {
        return Err(NodeError::Unexpected { place: place(), what: "it is not an object" });
    };
    let its_id = answer.remove("id").unwrap_or_default();
    let result = answer.remove("result").unwrap_or_default();
    match answer.remove("error").unwrap_or_default() {
        // A server that could not read the call does not know its id.
        Value::Object(error) if its_id == id || its_id.is_null() => Err(refusal(endpoint, &error)),
        _ if its_id != id => Err(NodeError::Unexpected { place: place(), what: "its id is that of another call" }),
        Value::Null if !result.is_null() => Ok(result),
        _ => Err(NodeError::Unexpected { place: place(), what: "it holds neither a result nor an error" }),
    }
}

fn refusal(endpoint: &Endpoint, error: &Map<String, Value>) -> NodeError {
    let Some(code) = error.get("code").and_then(Value::as_i64) else {
        return NodeError::Unexpected { place: endpoint.place().to_owned(), what: "its error has no code" };
    };
    let said = error.get("message").and_then(Value::as_str).unwrap_or_default();
    NodeError::Rpc { place: endpoint.place().to_owned(), code, message: quoted(endpoint, said) }
}

fn quoted(endpoint: &Endpoint, said: &str) -> String {
    if endpoint.may_quote() { text::short(said) } else { WITHHELD.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(call(7, "a"), r#"{"id":7,"jsonrpc":"2.0","method":"a","params":[]}"#);
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
}
