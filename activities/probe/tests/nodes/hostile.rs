//! Servers that answer as nobody should, asked in every protocol: always an error or a sighting, in time, and never a word
//! of what is secret.

use crate::common::{Asked, LONG, Reply, Server};
use crate::fixture::Scene;
use dixmgr_contract::{NodeSighting, Protocol, Time};
use dixmgr_probe::{Endpoint, HttpError, MAX_NODE_ANSWER, NodeChecker, NodeError};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn look(
    protocol: Protocol,
    timeout: Duration,
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> Result<NodeSighting, NodeError> {
    let server = Server::start(answer).await;
    let url = format!("http://hush:hush@127.0.0.1:{}/hush?key=hush", server.port);
    let looked = NodeChecker::new().unwrap();
    let looked = looked.look(protocol, &Endpoint::parse(&url).unwrap(), Time::default(), timeout).await;
    if let Err(error) = &looked {
        let shown = format!("{error} {error:?}").to_lowercase();
        assert!(!shown.contains("hush") && !shown.contains("ahvz"), "{shown}");
        assert!(shown.contains(&format!("http://127.0.0.1:{}", server.port)), "{shown}");
    }
    looked
}

async fn error(protocol: Protocol, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> NodeError {
    look(protocol, LONG, answer).await.expect_err(protocol.name())
}

/// The answer of a node whose body was changed.
fn changed(scene: &Scene, asked: &Asked, change: impl Fn(&mut Value)) -> Reply {
    let head = asked.head.replacen("/hush/", "/", 1).replacen("?key=hush", "", 1).replacen("get ", "GET ", 1);
    let bytes = scene.reply(&Asked { head, call: asked.call.clone() }).first;
    let text = String::from_utf8(bytes).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let Ok(mut body) = serde_json::from_str(body) else { return Reply::http("200 OK", "", "") };
    change(&mut body);
    Reply::ok(&body)
}

#[tokio::test]
async fn what_is_not_json_is_an_error() {
    let deep = "[".repeat(MAX_NODE_ANSWER / 2);
    for body in ["<html>hush</html>".to_owned(), String::new(), "{".to_owned(), deep, "nan".to_owned()] {
        for protocol in Protocol::ALL {
            let body = body.clone();
            let error = error(protocol, move |_| Reply::http("200 OK", "", &body)).await;
            assert!(matches!(error, NodeError::NotJson { .. }), "{protocol}: {error}");
        }
    }
}

#[tokio::test]
async fn json_of_another_shape_is_an_error() {
    for body in [json!(null), json!([]), json!("hush"), json!(1), json!({}), json!([{"result": false}])] {
        for protocol in Protocol::ALL {
            let body = body.clone();
            let error = error(protocol, move |_| Reply::ok(&body)).await;
            assert!(matches!(error, NodeError::Unexpected { .. }), "{protocol}: {error}");
        }
    }
}

#[tokio::test]
async fn an_answer_with_a_wrong_id_is_an_error() {
    // The Beacon API has none.
    for protocol in Protocol::ALL.into_iter().filter(|protocol| *protocol != Protocol::EthereumConsensus) {
        let scene = Scene::all(protocol).swap_remove(0);
        let error = error(protocol, move |asked| changed(&scene, asked, |body| body["id"] = json!(4_711))).await;
        assert!(error.to_string().contains("its id is that of another call"), "{protocol}: {error}");
    }
}

#[tokio::test]
async fn wrong_types_and_huge_numbers_are_errors() {
    /// Every leaf becomes that, but for the id.
    fn spoil(body: &mut Value, with: &Value) {
        match body {
            Value::Object(fields) => {
                fields.iter_mut().filter(|(key, _)| *key != "id").for_each(|(_, v)| spoil(v, with))
            }
            Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, with)),
            leaf => *leaf = with.clone(),
        }
    }
    for with in
        [json!(1e300), json!(-1), json!("hush"), json!("0xfffffffffffffffffffffff"), json!([[]]), json!({"a": 1})]
    {
        for protocol in Protocol::ALL {
            let (scene, with) = (Scene::all(protocol).swap_remove(0), with.clone());
            let error = error(protocol, move |asked| changed(&scene, asked, |body| spoil(body, &with))).await;
            assert!(matches!(error, NodeError::Unexpected { .. }), "{protocol}: {error}");
        }
    }
}

#[tokio::test]
async fn a_refusal_that_repeats_our_secrets_is_not_repeated() {
    for protocol in [Protocol::Substrate, Protocol::Ethereum, Protocol::Bitcoin, Protocol::Solana] {
        for status in ["200 OK", "500 No", "404 No"] {
            let error = error(protocol, move |asked| {
                let body =
                    json!({"id": asked.call["id"], "error": {"code": 7, "message": asked.head, "data": asked.head}});
                Reply::http(status, "", &body.to_string())
            });
            let error = error.await;
            assert!(matches!(error, NodeError::Rpc { code: 7, .. }), "{protocol}: {error}");
        }
    }
}

#[tokio::test]
async fn another_status_is_an_error_and_no_redirect_is_followed() {
    for status in [301, 307, 401, 403, 404, 418, 429, 500, 502, 504] {
        for protocol in Protocol::ALL {
            let error =
                error(protocol, move |_| Reply::http(&format!("{status} No"), "Location: /hush\r\n", "hush")).await;
            assert!(matches!(error, NodeError::Status { status: said, .. } if said == status), "{protocol}: {error}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n"] {
        for protocol in Protocol::ALL {
            let error = error(protocol, move |_| Reply { then: vec![b' '; 1 << 16], ..Reply::bytes(head) }).await;
            assert!(matches!(error, NodeError::TooLong { .. }), "{protocol}: {error}");
        }
    }
}

#[tokio::test]
async fn a_refusal_without_end_is_cut_off() {
    for protocol in Protocol::ALL {
        let reply = |_: &Asked| Reply { then: vec![b' '; 1 << 12], ..Reply::bytes("HTTP/1.1 500 No\r\n\r\n") };
        let error = error(protocol, reply).await;
        assert!(error.to_string().contains("HTTP 500"), "{protocol}: {error}");
    }
}

#[tokio::test]
async fn the_time_out_holds_for_the_whole_look() {
    let short = Duration::from_millis(300);
    for protocol in Protocol::ALL {
        // Each single answer would be in time.
        let began = Instant::now();
        let drip =
            move |_: &Asked| Reply { then: b" ".to_vec(), every: short / 4, ..Reply::bytes("HTTP/1.1 200 OK\r\n\r\n") };
        let error = look(protocol, short, drip).await.unwrap_err();
        // Of a beacon node the first answer is a status, which is there at once.
        let (NodeError::Http(HttpError::Timeout { after, .. }) | NodeError::Half(HttpError::Timeout { after, .. })) =
            error
        else {
            panic!("{protocol}: {error}")
        };
        assert_eq!(after, short, "{protocol}");
        assert!(began.elapsed() < LONG);
    }
}
