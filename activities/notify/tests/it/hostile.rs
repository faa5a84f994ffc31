//! Servers that hang, break off, never end, or are not there.

use crate::http::all;
use crate::server::{Reply, Server};
use crate::{LONG, NET, assert_retry, channel, config, note, sent};
use dixmgr_contract::Span;
use dixmgr_notify::{Channel, ChannelConfig, Settings};
use std::time::{Duration, Instant};

#[tokio::test]
async fn silence_takes_as_long_as_it_may_and_no_longer() {
    let server = Server::always(Reply::Silence).await;
    let short = Duration::from_millis(100);
    for settings in all(&server) {
        // Both set the limit: whoever delivers, and the configuration.
        let own = ChannelConfig { timeout: Some(Span::from(short)), ..config(settings.clone()) };
        for (channel, given) in [(channel(settings), short), (Channel::new(&own, &NET).unwrap(), LONG)] {
            let began = Instant::now();
            let delivery = channel.deliver(&note(), "", given).await;
            assert_eq!(assert_retry(&delivery, "within 100ms"), None);
            assert!(began.elapsed() < LONG);
        }
    }
}

#[test]
fn nobody_may_take_longer_than_a_delivery() {
    for (timeout, is_right) in [(0, false), (1, true), (40, true), (41, false)] {
        let config = ChannelConfig { timeout: Some(Span::from_secs(timeout)), ..config(Settings::Log) };
        let made = Channel::new(&config, &NET).map_err(|error| error.key);
        assert_eq!(made.err(), (!is_right).then_some("timeout"), "{timeout}");
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
