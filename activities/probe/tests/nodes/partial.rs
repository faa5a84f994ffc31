//! Nodes of which one call fails, each in its turn: one that may be refused may fail in any way, and is then unknown as if it had
//! been refused; one that is needed is an error, and no silence if another call was answered.

use crate::common::{Asked, LONG, Reply, Server};
use crate::fixture::Scene;
use dixmgr_contract::{NodeSighting, Protocol};
use dixmgr_decide::breaker::Event;
use dixmgr_probe::{MAX_NODE_ANSWER, NodeChecker, NodeError};
use serde_json::json;
use std::time::Duration;

/// How many of its first calls each protocol needs. Of a beacon node the first is a mere status, which any server has.
const fn needed(protocol: Protocol) -> usize {
    match protocol {
        Protocol::Ethereum | Protocol::EthereumConsensus => 2,
        _ => 1,
    }
}

/// A look at a node that answers the call number `at` in that way and the others well, and how many calls were made.
async fn look(
    protocol: Protocol,
    at: usize,
    timeout: Duration,
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (Result<NodeSighting, NodeError>, usize) {
    let (scene, well) = (Scene::all(protocol).swap_remove(0), Scene::all(protocol).swap_remove(0));
    // The calls that are made come in the order of a look at which nothing fails.
    let server = Server::start(move |asked| well.reply(asked)).await;
    NodeChecker::new().unwrap().look(protocol, &server.endpoint(), scene.now, LONG).await.unwrap();
    let calls: Vec<_> = server.asked().iter().map(Scene::keys).collect();
    let (count, fails, now) = (calls.len(), calls.get(at).cloned(), scene.now);
    let server =
        Server::start(move |asked| if fails == Some(Scene::keys(asked)) { answer(asked) } else { scene.reply(asked) });
    let server = server.await;
    (NodeChecker::new().unwrap().look(protocol, &server.endpoint(), now, timeout).await, count)
}

fn refuses(asked: &Asked) -> Reply {
    if asked.call.is_null() {
        return Reply::http("404 No", "", "");
    }
    Reply::ok(&json!({"jsonrpc": "2.0", "id": asked.call["id"], "error": {"code": -32601, "message": "no"}}))
}

/// Its status does not come in time either.
fn is_slow(_: &Asked) -> Reply {
    Reply { then: b"A: b\r\n".to_vec(), every: Duration::from_millis(50), ..Reply::bytes("HTTP/1.1 200 OK\r\n") }
}

#[tokio::test]
async fn a_call_that_may_fail_leaves_only_its_own_answer_unknown() {
    let odd: [fn(&Asked) -> Reply; 7] = [
        |_| Reply::http("403 No", "", "no"),
        |_| Reply::http("429 No", "", "no"),
        |_| Reply { then: vec![b' '; 1 << 16], ..Reply::bytes("HTTP/1.1 200 OK\r\n\r\n") },
        |_| Reply::http("200 OK", "", &format!("\"{}\"", "a".repeat(MAX_NODE_ANSWER))),
        |_| Reply::http("200 OK", "", "<html>no</html>"),
        |_| Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
        |_| Reply::bytes("nonsense"),
    ];
    for protocol in Protocol::ALL {
        let (_, count) = look(protocol, usize::MAX, LONG, refuses).await;
        assert!(count > needed(protocol), "{protocol}");
        for at in needed(protocol)..count {
            let refused = look(protocol, at, LONG, refuses).await.0.unwrap();
            for (which, answer) in odd.into_iter().enumerate() {
                let failed = look(protocol, at, LONG, answer).await.0;
                assert_eq!(failed.as_ref(), Ok(&refused), "{protocol}: call {at}, answer {which}");
            }
        }
    }
}

#[tokio::test]
async fn a_slow_call_that_may_fail_leaves_the_others_their_time() {
    for protocol in Protocol::ALL {
        let (_, count) = look(protocol, usize::MAX, LONG, refuses).await;
        for at in needed(protocol)..count {
            let refused = look(protocol, at, LONG, refuses).await.0.unwrap();
            let failed = look(protocol, at, Duration::from_secs(2), is_slow).await.0;
            if refused.best.is_some() {
                assert_eq!(failed.as_ref(), Ok(&refused), "{protocol}: call {at}");
            } else {
                // Nobody could say of it that it stands.
                assert!(matches!(failed, Err(NodeError::Half(_))), "{protocol}: call {at}: {failed:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_node_that_answers_its_first_call_is_not_silent() {
    for protocol in Protocol::ALL {
        for at in 0..needed(protocol) {
            let error = look(protocol, at, Duration::from_millis(700), is_slow).await.0.unwrap_err();
            let (is_half, sign) = (matches!(error, NodeError::Half(_)), error.sign_of_life());
            // Before anything was answered that only a node says.
            let first = at == 0 || protocol == Protocol::EthereumConsensus;
            assert_eq!((is_half, error.is_silence()), (!first, first), "{protocol}: call {at}: {error}");
            assert_eq!(sign, if first { Event::Failed } else { Event::Succeeded }, "{protocol}: call {at}");
        }
        // Of a needed call any failure is one of the look.
        let forbids = |_: &Asked| Reply::http("403 No", "", "no");
        for at in 0..needed(protocol) {
            let error = look(protocol, at, LONG, forbids).await.0.unwrap_err();
            assert!(matches!(error, NodeError::Status { status: 403, .. }), "{protocol}: call {at}: {error}");
        }
    }
}
