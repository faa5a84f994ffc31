//! Health over gRPC, against a server of HTTP/2 that answers as it is told.

use crate::{LONG, SHORT, assert_healthy, assert_unhealthy};
use bytes::Bytes;
use dixmgr_contract::CheckResult;
use dixmgr_decide::check::Budget;
use dixmgr_probe::{
    CheckSpec, Prober,
    check::{Address, Ask},
};
use http::{HeaderMap, Response};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::TcpListener;

/// What the server says: HTTP status, headers, data, trailers.
#[derive(Clone, Default)]
struct Says {
    status: u16,
    in_head: Option<&'static str>,
    data: Vec<u8>,
    in_trailers: Option<&'static str>,
    hangs: bool,
}

fn serving(status: u8) -> Says {
    Says { status: 200, data: vec![0, 0, 0, 0, 2, 8, status], in_trailers: Some("0"), ..Says::default() }
}

/// Each head, and its message.
type Asked = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

struct Server {
    port: u16,
    asked: Asked,
}

async fn start(says: Says) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = asked.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (says, heard) = (says.clone(), heard.clone());
            tokio::spawn(async move {
                let Ok(mut connection) = h2::server::handshake(stream).await else { return };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    tokio::spawn(answer(request, respond, says.clone(), heard.clone()));
                }
            });
        }
    });
    Server { port, asked }
}

async fn answer(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    says: Says,
    heard: Asked,
) {
    let (head, mut body) = request.into_parts();
    let mut message = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        message.extend_from_slice(&data);
    }
    heard.lock().unwrap().push((format!("{} {} {:?}", head.method, head.uri, head.headers), message));
    if says.hangs {
        return std::future::pending().await;
    }
    let mut response = Response::builder().status(says.status);
    if let Some(code) = says.in_head {
        response = response.header("grpc-status", code);
    }
    let is_over = says.data.is_empty() && says.in_trailers.is_none();
    let mut stream = respond.send_response(response.body(()).unwrap(), is_over).unwrap();
    if is_over {
        return;
    }
    stream.send_data(says.data.into(), says.in_trailers.is_none()).unwrap();
    if let Some(code) = says.in_trailers {
        let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), code.parse().unwrap())]);
        stream.send_trailers(trailers).unwrap();
    }
}

async fn ask(port: u16, service: &str, timeout: Duration) -> CheckResult {
    let address = Address { host: "127.0.0.1".into(), port };
    let ask = Ask::Grpc { address, service: service.into(), tls: None, budget: Budget::default() };
    Prober::new().once(CheckSpec { ask, timeout }).await
}

#[tokio::test]
async fn a_server_that_serves_is_healthy() {
    let server = start(serving(1)).await;
    assert_healthy(&ask(server.port, "my.Service", LONG).await);
    assert_healthy(&ask(server.port, "", LONG).await);
    let asked = server.asked.lock().unwrap();
    let (head, message) = &asked[0];
    assert!(head.starts_with("POST http://127.0.0.1:"), "{head}");
    assert!(head.contains("/grpc.health.v1.Health/Check") && head.contains("application/grpc"), "{head}");
    assert_eq!(message[..7], [0, 0, 0, 0, 12, 10, 10]);
    assert!(message.ends_with(b"my.Service"));
    assert_eq!(asked[1].1, [0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn whatever_else_it_says_is_told() {
    let trailers = |code| Says { in_trailers: Some(code), data: Vec::new(), ..serving(0) };
    for (says, why) in [
        (serving(2), "it says that it does not serve"),
        (serving(3), "it does not know the service"),
        (serving(0), "it does not say whether it serves"),
        (trailers("5"), "status 5, it does not know the service"),
        (trailers("14"), "status 14, it is not available"),
        (Says { status: 200, in_head: Some("12"), ..Says::default() }, "status 12, it has no health service"),
        (Says { status: 503, ..Says::default() }, "it answered HTTP 503"),
        (Says { in_trailers: None, ..serving(1) }, "the answer has no verdict on the call"),
        (Says { data: b"nonsense".to_vec(), ..serving(1) }, "the answer is no health status"),
        (Says { data: vec![0; 100_000], ..serving(1) }, "the answer is longer than 4 KiB"),
    ] {
        let server = start(says).await;
        let result = ask(server.port, "a", LONG).await;
        assert_unhealthy(&result, why);
        assert!(result.answered, "who says no is there: {why}");
    }
}

#[tokio::test]
async fn one_that_hangs_or_speaks_something_else_gets_its_verdict() {
    let server = start(Says { hangs: true, ..serving(1) }).await;
    assert_unhealthy(&ask(server.port, "a", SHORT).await, "no answer in full within 400ms");
    let http = crate::server::Server::start(|_, _| crate::server::ok("fine")).await;
    assert_unhealthy(&ask(http.port, "a", SHORT).await, "");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let refused = ask(port, "a", LONG).await;
    assert_unhealthy(&refused, "Connection refused");
    assert!(!refused.answered);
}
