//! A node's health, asked of a server that answers as nodes do, and as nobody should.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
use common::{LONG, Reply, Server};
use dixmgr_probe::{Endpoint, HttpError, MAX_BODY, NodeChecker, NodeError, NodeHealth, endpoint_url};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};

/// For servers that never finish.
const SHORT: Duration = Duration::from_millis(300);

/// The error, with the check that it names the place.
async fn error_of(server: &Server) -> NodeError {
    let error = server.health().await.unwrap_err();
    assert!(error.to_string().contains(server.endpoint().place()), "{error}");
    error
}

#[tokio::test]
async fn a_node_says_whether_it_is_in_sync() {
    for (peers, is_syncing, is_synced) in [(12, false, true), (12, true, false), (0, false, false), (0, true, false)] {
        let server = Server::start(move |asked| Reply::health(asked, peers, is_syncing)).await;
        let health = server.health().await.unwrap();
        assert_eq!(health, NodeHealth { peers, is_syncing, should_have_peers: true });
        assert_eq!(health.is_synced(), is_synced, "{health:?}");
    }
}

#[tokio::test]
async fn a_node_that_is_meant_to_be_alone_is_in_sync_without_peers() {
    let server = Server::start(|asked| {
        let health = json!({"peers": 0, "isSyncing": false, "shouldHavePeers": false});
        Reply::ok(&json!({"jsonrpc": "2.0", "result": health, "id": asked.call["id"]}))
    });
    assert!(server.await.health().await.unwrap().is_synced());
}

#[tokio::test]
async fn the_node_in_go_writes_capital_letters() {
    let server = Server::start(|asked| {
        // As gossamer 0.9.0 does.
        let health = json!({"Peers": 3, "IsSyncing": true, "ShouldHavePeers": true});
        Reply::ok(&json!({"jsonrpc": "2.0", "result": health, "id": asked.call["id"]}))
    });
    let health = server.await.health().await.unwrap();
    assert_eq!(health, NodeHealth { peers: 3, is_syncing: true, should_have_peers: true });
}

#[tokio::test]
async fn the_call_is_json_rpc_and_has_an_id_of_its_own() {
    let server = Server::start(|asked| Reply::health(asked, 1, false)).await;
    let checker = NodeChecker::new().unwrap();
    for checker in [&checker, &checker.clone()] {
        checker.substrate_health(&server.endpoint(), LONG).await.unwrap();
    }
    let asked = server.asked();
    let ids = asked.iter().map(|asked| asked.call["id"].as_u64().unwrap());
    assert_eq!(ids.collect::<Vec<_>>(), [1, 2]);
    assert_eq!(asked[0].call, json!({"jsonrpc": "2.0", "id": 1, "method": "system_health", "params": []}));
    assert!(asked[0].head.starts_with("post / http/1.1\r\n"), "{}", asked[0].head);
    assert!(asked[0].head.contains("content-type: application/json"), "{}", asked[0].head);
}

#[tokio::test]
async fn an_empty_endpoint_is_the_node_on_this_machine() {
    let server = Server::start(|asked| Reply::health(asked, 1, false)).await;
    let endpoint = endpoint_url("", server.port).unwrap();
    assert!(NodeChecker::new().unwrap().substrate_health(&endpoint, LONG).await.unwrap().is_synced());
}

#[tokio::test]
async fn the_content_type_does_not_matter_and_the_body_may_come_in_chunks() {
    let server = Server::start(|asked| {
        let body = json!({"id": asked.call["id"], "result": {"peers": 3, "isSyncing": false, "shouldHavePeers": true}});
        let body = body.to_string();
        let (one, two) = body.split_at(9);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
        Reply::bytes(format!("{head}{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len()))
    });
    assert_eq!(server.await.health().await.unwrap().peers, 3);
}

#[tokio::test]
async fn a_refusal_of_the_node_has_its_code_and_its_words() {
    let server = Server::start(|asked| {
        let error = json!({"code": -32601, "message": "Method not found\u{7}"});
        Reply::ok(&json!({"jsonrpc": "2.0", "error": error, "id": asked.call["id"]}))
    })
    .await;
    let place = server.endpoint().place().to_owned();
    let error = error_of(&server).await;
    assert_eq!(error, NodeError::Rpc { place, code: -32601, message: "Method not found".to_owned() });
}

#[tokio::test]
async fn an_answer_to_another_call_is_refused() {
    let health = json!({"peers": 1, "isSyncing": false, "shouldHavePeers": true});
    for (answer, said) in [
        (json!({"id": 77, "result": health}), "its id"),
        (json!({"result": health}), "its id"),
        (json!({"id": 1}), "neither a result nor an error"),
        (json!({"id": 1, "result": "well"}), "`peers`"),
        (json!({"id": 1, "result": [1, false, true]}), "`peers`"),
        (json!({"id": 1, "result": {"peers": -1}}), "`peers`"),
        (json!({"id": 1, "result": {"peers": 1, "isSyncing": "no"}}), "`isSyncing`"),
        (json!({"id": 1, "result": {"peers": 1, "isSyncing": false}}), "`shouldHavePeers`"),
    ] {
        let server = Server::start(move |_| Reply::ok(&answer)).await;
        let error = error_of(&server).await;
        assert!(matches!(error, NodeError::Unexpected { what, .. } if what.contains(said)), "{error}");
    }
}

#[tokio::test]
async fn another_status_than_200_is_an_error_whatever_the_body_says() {
    for (line, status) in [("500 No", 500), ("503 No", 503), ("404 No", 404), ("204 No", 204), ("202 Accepted", 202)] {
        let server = Server::start(move |_| Reply::http(line, "", "")).await;
        let place = server.endpoint().place().to_owned();
        assert_eq!(error_of(&server).await, NodeError::Status { place, status });
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Server::start(|asked| Reply::health(asked, 1, false)).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}/\r\n", target.endpoint().place());
        let server = Server::start(move |_| Reply::http(&format!("{status} Moved"), &location, "")).await;
        assert!(matches!(error_of(&server).await, NodeError::Status { status: said, .. } if said == status));
    }
    assert!(target.asked().is_empty());
}

#[tokio::test]
async fn garbage_is_an_error() {
    let html = Server::start(|_| Reply::http("200 OK", "", "<html>welcome</html>")).await;
    assert!(matches!(error_of(&html).await, NodeError::NotJson { begins, .. } if begins == "<html>welcome</html>"));
    let deep = Server::start(|_| Reply::http("200 OK", "", &"[".repeat(MAX_BODY))).await;
    assert!(matches!(error_of(&deep).await, NodeError::NotJson { .. }));
    for bytes in [&b"\x15\x03\x01\x00\x02\x02"[..], b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"] {
        let server = Server::start(move |_| Reply::bytes(bytes)).await;
        let error = error_of(&server).await;
        assert!(matches!(error, NodeError::Http(HttpError::Broken { .. })), "{error}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n"] {
        let server = Server::start(move |_| Reply { then: vec![b' '; 4096], ..Reply::bytes(head) }).await;
        let place = server.endpoint().place().to_owned();
        assert_eq!(error_of(&server).await, NodeError::Http(HttpError::TooLong { place }));
    }
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    for then in [b"X-Header: ok\r\n".repeat(100), vec![b'x'; 4096]] {
        let server =
            Server::start(move |_| Reply { then: then.clone(), ..Reply::bytes("HTTP/1.1 200 OK\r\nX: ") }).await;
        let error = error_of(&server).await;
        assert!(matches!(error, NodeError::Http(HttpError::Broken { .. })), "{error}");
    }
}

#[tokio::test]
async fn the_time_out_holds_for_the_whole_exchange() {
    let second = Duration::from_secs(1);
    for first in ["", "HTTP/1.1 200 OK\r\nX", "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"] {
        let server = Server::start(move |_| Reply { then: b" ".to_vec(), every: second, ..Reply::bytes(first) }).await;
        let checker = NodeChecker::new().unwrap();
        let began = Instant::now();
        let error = checker.substrate_health(&server.endpoint(), SHORT).await.unwrap_err();
        assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
        let place = server.endpoint().place().to_owned();
        assert_eq!(error, NodeError::Http(HttpError::Timeout { place, after: SHORT }));
    }
}

#[tokio::test]
async fn a_node_that_is_not_there_cannot_be_connected_to() {
    // The port is taken, so that no other test gets it, and nobody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let endpoint = endpoint_url("127.0.0.1", port).unwrap();
    let error = NodeChecker::new().unwrap().substrate_health(&endpoint, LONG).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot connect to http://127.0.0.1:{port}: Connection refused (os error 111)")
    );
}

#[tokio::test]
async fn https_to_a_node_without_tls_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let endpoint = endpoint_url("https://127.0.0.1", port).unwrap();
    let error = NodeChecker::new().unwrap().substrate_health(&endpoint, LONG).await.unwrap_err();
    assert!(matches!(error, NodeError::Http(HttpError::Mismatch { .. })), "{error}");
}

#[tokio::test]
async fn the_password_is_sent_and_never_shown() {
    type Answer = fn(&common::Asked) -> Reply;
    let answers: [Answer; 7] = [
        |asked| Reply::http("200 OK", "", &asked.head),
        |asked| Reply::ok(&json!({"id": asked.call["id"], "error": {"code": 1, "message": asked.head}})),
        |asked| Reply::ok(&json!({"id": asked.head, "result": asked.head})),
        |asked| Reply::http("401 No", &format!("X-Echo: {}\r\n", asked.head.lines().next().unwrap()), ""),
        |asked| Reply::bytes(asked.head.clone()),
        |_| Reply::bytes(""),
        |_| Reply { then: vec![b' '; 4096], ..Reply::bytes("HTTP/1.1 200 OK\r\n\r\n") },
    ];
    for answer in answers {
        let server = Server::start(answer).await;
        let url = format!("http://hush:hush@127.0.0.1:{}/hush?key=hush", server.port);
        let checker = NodeChecker::new().unwrap();
        let error = checker.substrate_health(&Endpoint::parse(&url).unwrap(), LONG).await.unwrap_err();
        let head = &server.asked()[0].head;
        // The server makes it lower case: base64 of `hush:hush`.
        assert!(head.contains("authorization: basic ahvzadpodxno"), "{head}");
        assert!(head.starts_with("post /hush?key=hush http/1.1"), "{head}");
        for shown in [format!("{error}"), format!("{error:?}"), format!("{checker:?}")] {
            assert!(!shown.contains("hush") && !shown.to_lowercase().contains("ahvz"), "{shown}");
        }
        assert!(error.to_string().contains(&format!("http://127.0.0.1:{}", server.port)), "{error}");
    }
}
