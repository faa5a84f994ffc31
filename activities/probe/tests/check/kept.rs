//! Kept connections: used again, and no failure made out of one that ended meanwhile.

use crate::{LONG, SHORT, ask, assert_healthy, assert_unhealthy, server::*, spec};
use dixmgr_probe::{Check, Prober, check::HttpAsk};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener},
    os::unix::net::UnixStream,
    sync::mpsc::{self, Receiver},
    time::Duration,
};
use tokio::io::AsyncReadExt;

fn check(server: &Server) -> Check {
    Prober::new().check(spec(ask(&server.url("/")), LONG))
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::start(|_, _| ok("fine")).await;
    let mut check = check(&server);
    for _ in 0..5 {
        assert_healthy(&check.run().await);
    }
    assert_eq!((server.connections(), server.asked().len()), (1, 5));
}

#[tokio::test]
async fn none_is_kept_where_nobody_wants_it() {
    let server = Server::start(|_, _| ok("fine")).await;
    let mut check = Prober::new().check(spec(HttpAsk { keep_alive: false, ..ask(&server.url("/")) }, LONG));
    for _ in 0..3 {
        assert_healthy(&check.run().await);
    }
    assert_eq!(server.connections(), 3);
    assert!(server.asked()[0].to_lowercase().contains("connection: close"));
}

#[tokio::test]
async fn a_connection_that_ended_meanwhile_is_made_anew() {
    for answer in [
        // Said so.
        http("200 OK", "Connection: close\r\n", "fine"),
        // Did not say so.
        bytes("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"),
        // Said more than it had announced.
        bytes("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine and more"),
    ] {
        let server = Server::start(move |_, _| answer.clone()).await;
        let mut check = check(&server);
        for _ in 0..4 {
            assert_healthy(&check.run().await);
        }
        assert_eq!(server.connections(), 4);
    }
}

#[tokio::test]
async fn a_request_that_finds_a_closing_server_is_sent_once_more() {
    // The second request on a connection is read, and not answered.
    let server = Server::start(|number, _| if number % 2 == 1 { vec![Act::Close] } else { ok("fine") }).await;
    let mut check = check(&server);
    for _ in 0..3 {
        assert_healthy(&check.run().await);
    }
    assert_eq!((server.connections(), server.asked().len()), (3, 5));
}

#[tokio::test]
async fn it_is_sent_once_more_only_and_not_after_a_byte_of_an_answer() {
    let server = Server::start(|number, _| if number == 0 { ok("fine") } else { vec![Act::Close] }).await;
    let mut kept = check(&server);
    assert_healthy(&kept.run().await);
    assert_unhealthy(&kept.run().await, "it closed the connection before its answer was complete");
    assert_eq!(server.asked().len(), 3);

    let server = Server::start(|number, _| if number == 0 { ok("fine") } else { bytes("HTTP/1.1 20") }).await;
    let mut kept = check(&server);
    assert_healthy(&kept.run().await);
    assert_unhealthy(&kept.run().await, "it closed the connection before its answer was complete");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_run_that_times_out_leaves_nothing_behind() {
    let server = Server::start(|number, _| if number == 1 { vec![Act::Hang] } else { ok("fine") }).await;
    let mut check = Prober::new().check(spec(ask(&server.url("/")), SHORT));
    assert_healthy(&check.run().await);
    assert_unhealthy(&check.run().await, "no answer in full within 400ms");
    assert_healthy(&check.run().await);
    assert_eq!(server.connections(), 2);
}

/// Answers once on each of `farewells`, and says that then, when it is told to; it says so, too.
fn parting(farewells: Vec<&'static str>, told: Receiver<()>, mut tell: UnixStream) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut connections = Vec::new();
        for farewell in farewells {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine").unwrap();
            if told.recv().is_ok() {
                stream.write_all(farewell.as_bytes()).unwrap();
                if farewell.contains("close") {
                    stream.shutdown(Shutdown::Both).unwrap();
                }
                connections.push(stream);
                tell.write_all(b"!").unwrap();
            }
        }
    });
    port
}

#[tokio::test]
async fn a_farewell_on_an_idle_connection_is_no_answer() {
    for farewell in [
        "HTTP/1.1 408 Request Time-out\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\n\r\n",
    ] {
        let (tell, told) = mpsc::channel();
        let (hear, said) = UnixStream::pair().unwrap();
        hear.set_nonblocking(true).unwrap();
        let mut hear = tokio::net::UnixStream::from_std(hear).unwrap();
        let port = parting(vec![farewell, ""], told, said);
        let mut check = Prober::new().check(spec(ask(&format!("http://127.0.0.1:{port}/")), LONG));
        assert_healthy(&check.run().await);
        tell.send(()).unwrap();
        // What is told after the farewell is heard after it.
        assert_eq!(hear.read_u8().await.unwrap(), b'!');
        assert_healthy(&check.run().await);
    }
}

#[tokio::test]
async fn an_idle_connection_is_read_by_nobody() {
    // Bytes that nobody asked for are no answer to the next request.
    let server = Server::start(|number, _| {
        let mut acts = ok("fine");
        if number == 0 {
            acts.push(Act::Repeat(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".repeat(100), Duration::ZERO));
        }
        acts
    })
    .await;
    let mut check = check(&server);
    assert_healthy(&check.run().await);
    assert_healthy(&check.run().await);
}
