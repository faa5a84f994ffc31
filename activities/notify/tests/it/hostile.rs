//! Servers that hang, break off, never end, or are not there.

use crate::http::all;
use crate::server::{Reply, Server};
use crate::{LONG, assert_retry, channel, note, sent};
use std::time::{Duration, Instant};

#[tokio::test]
async fn silence_takes_as_long_as_it_may_and_no_longer() {
    let server = Server::always(Reply::Silence).await;
    for settings in all(&server) {
        let began = Instant::now();
        let delivery = channel(settings).deliver(&note(), "", Duration::from_millis(100)).await;
        assert_eq!(assert_retry(&delivery, "within 100ms"), None);
        assert!(began.elapsed() < LONG);
    }
}

#[tokio::test]
async fn a_reset_is_tried_again() {
    let server = Server::always(Reply::Reset).await;
    for settings in all(&server) {
        assert_retry(&channel(settings).deliver(&note(), "", LONG).await, "broke off");
    }
}

#[tokio::test]
async fn nobody_there_is_tried_again() {
    let settings = {
        let server = Server::always(Reply::Silence).await;
        all(&server)
    };
    for settings in settings {
        let delivery = channel(settings).deliver(&note(), "", LONG).await;
        assert_retry(&delivery, "cannot connect to http://127.0.0.1:");
    }
}

#[tokio::test]
async fn what_is_no_http_is_tried_again() {
    for bytes in
        [&b"220 mail.example.org ESMTP hush\r\n"[..], b"", b"HTTP/1.1 hush\r\n\r\n", b"HTTP/1.1 200 OK\r\nhush"]
    {
        let server = Server::always(Reply::Bytes(bytes.to_vec())).await;
        let delivery = channel(all(&server).remove(0)).deliver(&note(), "", LONG).await;
        assert_retry(&delivery, "broke off");
    }
}

#[tokio::test]
async fn an_endless_answer_to_what_was_accepted_is_no_failure() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    let server = Server::always(Reply::Endless(head.to_vec(), vec![b'x'; 8 << 10])).await;
    let mut all = all(&server);
    assert_eq!(channel(all.remove(0)).deliver(&note(), "", LONG).await, sent(""));
    // The bot of Slack does not know whether it is in there: `all` has lost its first.
    assert_retry(&channel(all.remove(1)).deliver(&note(), "", LONG).await, "without saying whether it is ok");
}

#[tokio::test]
async fn an_endless_head_is_given_up() {
    let server = Server::always(Reply::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x-hush: hush\r\n".repeat(100))).await;
    assert_retry(&channel(all(&server).remove(0)).deliver(&note(), "", LONG).await, "broke off");
}
