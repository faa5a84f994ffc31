//! Endpoints that want to hang us, fill us, or make us overflow: a verdict in time, each of them.

use crate::{LONG, SHORT, ask, assert_healthy, assert_unhealthy, assert_unknown, run, server::*, spec};
use dixmgr_contract::{CheckResult, CheckState, Span};
use dixmgr_decide::{
    check::{Budget, Expectation, JsonPath, judge::NAMES},
    condition::Condition,
};
use dixmgr_probe::{
    CheckSpec, Prober,
    check::{Ask, HttpAsk},
};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};

fn with_path(url: &str) -> HttpAsk {
    let json_path = Some(JsonPath::parse("up").unwrap());
    HttpAsk { expectation: Expectation { json_path, ..Expectation::default() }, ..ask(url) }
}

async fn answered(acts: Vec<Act>) -> CheckResult {
    let server = Server::start(move |_, _| acts.clone()).await;
    run(with_path(&server.url("/"))).await
}

/// With a short timeout, which it must keep.
async fn in_short(acts: Vec<Act>) -> CheckResult {
    let server = Server::start(move |_, _| acts.clone()).await;
    let begun = Instant::now();
    let result = Prober::new().once(spec(with_path(&server.url("/")), SHORT)).await;
    assert!(begun.elapsed() < SHORT * 10, "{:?}", begun.elapsed());
    result
}

#[tokio::test]
async fn a_body_that_would_fill_the_memory_is_not_read() {
    let many = format!("[{}0]", r#"{"":0},"#.repeat((1 << 20) / 7 - 1));
    assert!(many.len() <= 1 << 20);
    assert_unhealthy(&answered(ok(&many)).await, "the body holds more values than are judged");
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn an_endless_body_is_judged_as_far_as_it_may_go() {
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000)).into_bytes();
    let endless = || Act::Repeat(chunk.clone(), Duration::ZERO);
    let result = answered(vec![Act::Send(CHUNKED.into()), endless()]).await;
    assert_unhealthy(&result, "the body is not JSON (only its first 1048576 bytes are judged)");
    assert_eq!(result.body.len(), 1_024);
    let endless = Act::Repeat(vec![b'x'; 1 << 16], Duration::ZERO);
    let result = answered(vec![Act::Send("HTTP/1.1 200 OK\r\n\r\n".into()), endless]).await;
    assert_unhealthy(&result, "only its first");
}

#[tokio::test]
async fn a_byte_now_and_then_is_not_waited_for() {
    let slow = |first: &str| vec![Act::Send(first.into()), Act::Repeat(b"1".to_vec(), Duration::from_millis(20))];
    for first in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nX-A: ", "H"] {
        let result = in_short(slow(first)).await;
        assert_eq!(result.state, CheckState::Unhealthy, "{first}");
    }
    assert_unhealthy(&in_short(slow("HTTP/1.1 200 OK\r\n\r\n")).await, "no answer in full within 400ms");
    assert_unhealthy(&in_short(vec![Act::Hang]).await, "no answer in full within 400ms");
}

#[tokio::test]
async fn interim_answers_without_end_are_not_waited_for() {
    let interim = Act::Repeat(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), Duration::from_millis(1));
    assert_eq!(in_short(vec![interim]).await.state, CheckState::Unhealthy);
}

#[tokio::test]
async fn a_compressed_body_is_not_unpacked() {
    // 10 MiB of zeros in 10 KB.
    let bomb = include_bytes!("bomb.gz");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", bomb.len());
    let result = answered(vec![Act::Send([head.as_bytes(), bomb].concat())]).await;
    assert_unhealthy(&result, "the body is not JSON");
    assert!(result.body.len() <= 1_024);
}

#[tokio::test]
async fn a_huge_head_is_refused() {
    let line = format!("X-A: {}\r\n", "a".repeat(1_000));
    let head = format!("HTTP/1.1 200 OK\r\n{}\r\n", line.repeat(1_000));
    assert_unhealthy(&answered(bytes(head)).await, "the head of its answer is longer than");
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(200));
    assert_unhealthy(&answered(bytes(many)).await, "the head of its answer is longer than");
    let endless = vec![Act::Send("HTTP/1.1 200 OK\r\nX: ".into()), Act::Repeat(vec![b'a'; 4_096], Duration::ZERO)];
    assert_unhealthy(&answered(endless).await, "the head of its answer is longer than");
}

#[tokio::test]
async fn a_loop_of_redirects_ends() {
    let server = Server::start(|_, _| http("302 Found", "Location: /\r\n", "")).await;
    let result = run(HttpAsk { redirects: 10, ..ask(&server.url("/")) }).await;
    assert_unhealthy(&result, "HTTP 302: it leads elsewhere, further than `redirects` allows");
    assert_eq!(server.asked().len(), 11);
}

#[tokio::test]
async fn a_wrong_length_is_told() {
    let result = answered(bytes("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"up\":true}")).await;
    assert_unhealthy(&result, "it closed the connection before its answer was complete");
    for length in ["-1", "1e3", "99999999999999999999", "5, 6"] {
        let result = answered(bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"))).await;
        assert_unhealthy(&result, "it does not speak HTTP/1.1");
    }
    // A length that nobody could keep costs nothing.
    let huge = vec![Act::Send("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n{".into()), Act::Close];
    assert_unhealthy(&answered(huge).await, "it closed the connection");
    let chunk = format!("{CHUNKED}ffffffffffffff\r\n");
    assert_unhealthy(&answered(bytes(chunk)).await, "");
}

#[tokio::test]
async fn what_is_no_http_is_told() {
    for answer in
        ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "\0\0\0\0", "HTTP/1.1 99999\r\n\r\n", "HTTP/1.1 200 OK\r\n\x01: a\r\n\r\n"]
    {
        assert_eq!(answered(bytes(answer)).await.state, CheckState::Unhealthy, "{answer:?}");
    }
    assert_unhealthy(&answered(bytes("SSH-2.0-OpenSSH_9.2\r\n\r\n")).await, "it does not speak HTTP/1.1");
}

#[tokio::test]
async fn invalid_text_is_judged_and_kept() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nX-A: \u{ff}\r\n\r\n";
    let body = [head.as_bytes(), b"{\"up\":\"\xff\xfe\xfd\"}  "].concat();
    let result = answered(vec![Act::Send(body)]).await;
    assert_unhealthy(&result, "the body is not JSON");
    assert!(result.body.contains('\u{fffd}'), "{}", result.body);
}

#[tokio::test]
async fn deep_nesting_is_no_json() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[[", "")] {
        let body = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        assert_unhealthy(&answered(ok(&body)).await, "the body is not JSON");
    }
}

#[tokio::test]
async fn a_condition_over_a_huge_body_ends() {
    let body = format!("[{}]", vec!["1"; 400_000].join(","));
    let server = Server::start(move |_, _| ok(&body)).await;
    let condition = Condition::compile("body.all(x, body.all(y, y == x))", &NAMES).unwrap();
    let ask = HttpAsk {
        expectation: Expectation { condition: Some(condition), ..Expectation::default() },
        ..ask(&server.url("/"))
    };
    assert_unhealthy(&run(ask).await, "the condition cannot be told: it takes too long");
}

#[tokio::test]
async fn a_connection_that_is_reset_or_refused_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let resetting = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        // A socket that is closed with unread bytes sends a reset (RFC 1122, 4.2.2.13).
        drop(stream);
        listener
    });
    let result = run(ask(&url)).await;
    assert_eq!(result.state, CheckState::Unhealthy, "{}", result.reason);
    drop(resetting.await.unwrap());
    assert_unhealthy(&run(ask(&url)).await, "Connection refused");
}

#[tokio::test]
async fn a_host_that_takes_no_connection_is_not_waited_for() {
    // A queue of one place, which is taken.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut taken = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(SHORT, tokio::net::TcpStream::connect(address)).await {
        taken.push(stream);
    }
    let result = Prober::new().once(spec(ask(&format!("http://{address}")), SHORT)).await;
    assert_unhealthy(&result, "no connection within");
}

#[tokio::test]
async fn a_resolver_that_never_answers_harms_no_other_check() {
    let server = Server::start(|_, _| ok("fine")).await;
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let prober = Prober::with_lookup(move |name| {
        if name.starts_with("hang") {
            let _ = gate.lock().unwrap().recv();
        }
        Ok(vec!["127.0.0.1".parse().unwrap()])
    });
    let url = |host: &str| format!("http://{host}:{}/", server.port);
    let mut known = prober.check(spec(HttpAsk { keep_alive: false, ..ask(&url("known")) }, LONG));
    assert_healthy(&known.run().await);
    let mut hanging = tokio::task::JoinSet::new();
    for number in 0..100 {
        let (prober, spec) = (prober.clone(), spec(ask(&url(&format!("hang-{number}"))), SHORT));
        hanging.spawn(async move { prober.once(spec).await });
    }
    let begun = Instant::now();
    while let Some(result) = hanging.join_next().await {
        assert_unknown(&result.unwrap(), "cannot resolve hang-");
    }
    assert!(begun.elapsed() < SHORT * 10);
    // Addresses, what is known, and the program go on; a name that is new has to wait, and says why.
    assert_healthy(&prober.once(spec(ask(&server.url("/")), LONG)).await);
    assert_healthy(&known.run().await);
    assert_unknown(&prober.once(spec(ask(&url("new")), SHORT)).await, "other names are being looked up, and hang");
    let dns = Ask::Dns { name: "hang-0".into(), expect: Vec::new(), budget: Budget::default() };
    assert_unhealthy(&prober.once(CheckSpec { ask: dns, timeout: SHORT }).await, "the resolver does not answer");
    drop(open);
}

/// How long the hostile ones may take, where another one must not wait for them.
const HOSTILE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn others_do_not_notice() {
    let good = Server::start(|_, _| ok(r#"{"up":true}"#)).await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000)).into_bytes();
    let bad = Server::start(move |number, _| match number % 4 {
        0 => vec![Act::Hang],
        1 => vec![Act::Send(CHUNKED.into()), Act::Repeat(chunk.clone(), Duration::ZERO)],
        2 => vec![Act::Repeat(b"H".to_vec(), Duration::from_millis(10))],
        _ => ok(&"[".repeat(1 << 20)),
    })
    .await;
    let prober = Prober::new();
    let mut bad_ones = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (prober, spec) = (prober.clone(), spec(with_path(&bad.url("/")), HOSTILE));
        bad_ones.spawn(async move { prober.once(spec).await });
    }
    let mut check = prober.check(spec(with_path(&good.url("/")), LONG));
    for _ in 0..20 {
        let result = check.run().await;
        assert_healthy(&result);
        assert!(result.duration < Span::from(HOSTILE), "it waited for one of the others: {}", result.duration);
    }
    while let Some(result) = bad_ones.join_next().await {
        assert_eq!(result.unwrap().state, CheckState::Unhealthy);
    }
}
