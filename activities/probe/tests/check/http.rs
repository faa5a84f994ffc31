//! What is sent, and what is made of a good answer.

use crate::{LONG, ask, assert_healthy, assert_unhealthy, run, server::*};
use dixmgr_contract::{CheckState, Span, Time, check::HttpCheckInput};
use dixmgr_decide::{
    check::{Expectation, JsonPath, judge::NAMES},
    condition::Condition,
};
use dixmgr_probe::{CheckSpec, Prober, check::HttpAsk};
use http::Method;

fn with_condition(url: &str, text: &str) -> HttpAsk {
    let condition = Some(Condition::compile(text, &NAMES).unwrap());
    HttpAsk { expectation: Expectation { condition, ..Expectation::default() }, ..ask(url) }
}

#[tokio::test]
async fn method_headers_and_body_arrive_and_the_answer_is_judged() {
    let server = Server::start(|_, _| http("201 Created", "", r#"{"a":{"b":"UP"}}"#)).await;
    let mut ask = ask(&server.url("/health?x=1"));
    (ask.method, ask.body) = (Method::POST, "hello".into());
    ask.header("X-Key", "1234").unwrap();
    ask.expectation.status = Some(201);
    ask.expectation.json_path = Some(JsonPath::parse("a.b").unwrap());
    let result = run(ask).await;
    assert_healthy(&result);
    assert_eq!((result.status, result.body.as_str()), (Some(201), r#"{"a":{"b":"UP"}}"#));
    assert!(result.duration > Span::ZERO && result.certificate_expires_in.is_none());
    let asked = &server.asked()[0].to_lowercase();
    assert!(asked.starts_with("post /health?x=1 http/1.1\r\n") && asked.ends_with("\r\n\r\nhello"), "{asked}");
    for line in
        ["x-key: 1234", "host: 127.0.0.1:", "accept-encoding: identity", "user-agent: dixmgr/", "content-length: 5"]
    {
        assert!(asked.contains(line), "{asked}");
    }
}

#[tokio::test]
async fn gos_input_gets_gos_answer() {
    let server = Server::start(|_, _| http("503 No", "", "not now")).await;
    let input = serde_json::json!({"URL": server.url("/"), "Timeout": 20_000_000_000_i64});
    let input: HttpCheckInput = serde_json::from_value(input).unwrap();
    let result = Prober::new().once(CheckSpec::try_from(&input).unwrap()).await;
    let answer = result.answer(Time::from_unix_millis(0));
    assert_eq!((answer.healthy, answer.status_code, answer.error.as_str()), (false, 503, "HTTP 503"));
    assert!(answer.response_time > 0 && answer.response_body == "not now");
}

#[tokio::test]
async fn a_condition_sees_status_body_headers_and_duration() {
    let server = Server::start(|_, _| http("200 OK", "X-Zone: a\r\nX-Zone: b\r\n", r#"{"sync":{"peers":4}}"#)).await;
    for text in [
        "status == 200 && body.sync.peers > 3 && duration < 20s",
        "headers['x-zone'] == 'a, b' && headers['content-length'] == '20'",
        "body.contains('peers') && duration > 1ns",
    ] {
        assert_healthy(&run(with_condition(&server.url("/"), text)).await);
    }
    assert_unhealthy(&run(with_condition(&server.url("/"), "body.sync.peers > 4")).await, "the condition is false");
    let why = "`certificate_expires_in` is not known here";
    assert_unhealthy(&run(with_condition(&server.url("/"), "certificate_expires_in > 1d")).await, why);
}

#[tokio::test]
async fn a_slow_answer_is_degraded() {
    let server = Server::start(|_, _| ok("fine")).await;
    let mut ask = ask(&server.url("/"));
    ask.expectation.budget.latency = Some(Span::ZERO);
    let result = run(ask).await;
    assert_eq!(result.state, CheckState::Degraded, "{}", result.reason);
    assert!(result.reason.contains("more than 0s"), "{}", result.reason);
}

#[tokio::test]
async fn little_of_the_body_is_kept_and_much_of_it_judged() {
    let body = format!(r#"{{"pad":"{}","up":true}}"#, "x".repeat(900_000));
    let server = Server::start(move |_, _| ok(&body)).await;
    let mut ask = ask(&server.url("/"));
    ask.expectation.json_path = Some(JsonPath::parse("up").unwrap());
    let result = run(ask.clone()).await;
    assert_healthy(&result);
    assert_eq!(result.body.len(), 1_024);
    ask.max_body = 1_000;
    assert_unhealthy(&run(ask.clone()).await, "only its first 1000 bytes are judged");
    ask.expectation = Expectation::default();
    assert_healthy(&run(ask).await);
}

#[tokio::test]
async fn what_an_answer_repeats_of_our_secrets_is_blotted_out() {
    let server = Server::start(|_, request| ok(request)).await;
    let mut ask = ask(&format!("http://user-1:hush-hush@127.0.0.1:{}/?key=hush-key", server.port));
    ask.header("X-Key", "hush-header").unwrap();
    let result = run(ask).await;
    assert!(result.body.contains("x-key: ***") && !result.body.contains("hush"), "{}", result.body);
    assert!(!result.body.contains("dXNlci0x"), "{}", result.body);
}

#[tokio::test]
async fn an_answer_without_a_body_is_one() {
    let server = Server::start(|_, request| match request {
        request if request.starts_with("HEAD") => bytes("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
        _ => bytes("HTTP/1.1 204 No Content\r\n\r\n"),
    })
    .await;
    assert_healthy(&run(ask(&server.url("/"))).await);
    assert_healthy(&run(HttpAsk { method: Method::HEAD, ..ask(&server.url("/")) }).await);
}

#[tokio::test]
async fn many_checks_run_at_a_time_and_one_that_hangs_keeps_none_waiting() {
    let good = Server::start(|_, _| ok("fine")).await;
    let bad = Server::start(|_, _| vec![Act::Hang]).await;
    let prober = Prober::new();
    let hanging = tokio::spawn({
        let (prober, ask) = (prober.clone(), ask(&bad.url("/")));
        async move { prober.once(crate::spec(ask, LONG)).await }
    });
    let many = (0..200).map(|_| {
        tokio::spawn({
            let (prober, ask) = (prober.clone(), ask(&good.url("/")));
            async move { prober.once(crate::spec(ask, LONG)).await }
        })
    });
    for one in many.collect::<Vec<_>>() {
        assert_healthy(&one.await.unwrap());
    }
    assert!(!hanging.is_finished());
    hanging.abort();
}
