//! What is sent over HTTP, and what is made of the answers, for each of the channels that speak it.

use crate::server::{Asked, Reply, Server};
use crate::{LONG, assert_refused, assert_retry, channel, note, resolved, sent};
use dixmgr_contract::{Delivery, Span, Time};
use dixmgr_notify::{
    AlertmanagerConfig, DiscordConfig, MatrixConfig, PagerDutyConfig, Secret, Settings, SlackConfig, TelegramConfig,
    WebhookConfig,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Every channel that speaks HTTP, towards `server`, and each with a secret.
pub(crate) fn all(server: &Server) -> Vec<Settings> {
    let secret = |path: &str| Secret::new(server.url(path));
    vec![
        Settings::Webhook(WebhookConfig {
            url: secret("/hush?key=hush"),
            headers: BTreeMap::from([("x-key".to_owned(), Secret::new("hush"))]),
            secrets: Vec::new(),
        }),
        Settings::Slack(SlackConfig { webhook_url: Some(secret("/services/hush")), ..SlackConfig::default() }),
        Settings::Slack(bot(server)),
        Settings::Alertmanager(AlertmanagerConfig { url: secret("/hush"), resend: None }),
        Settings::PagerDuty(PagerDutyConfig { routing_key: Secret::new("hush"), api_url: Some(secret("/enqueue")) }),
        Settings::Telegram(TelegramConfig {
            bot_token: Secret::new("1:hush"),
            chat_id: "-100".into(),
            api_url: Some(secret("")),
        }),
        Settings::Discord(DiscordConfig { webhook_url: secret("/api/webhooks/1/hush") }),
        Settings::Matrix(MatrixConfig {
            homeserver: server.url(""),
            access_token: Secret::new("hush"),
            room_id: "!room:example.org".into(),
        }),
    ]
}

pub(crate) fn bot(server: &Server) -> SlackConfig {
    SlackConfig {
        webhook_url: None,
        bot_token: Some(Secret::new("xoxb-hush")),
        channel: "#ops".into(),
        api_url: Some(Secret::new(server.url("/api"))),
    }
}

/// An answer that each of them takes for a yes.
fn yes() -> Value {
    json!({"ok": true, "channel": "C1", "ts": "1.2", "result": {"message_id": 42}, "event_id": "$first", "status": "success"})
}

#[tokio::test]
async fn what_is_accepted_is_sent_with_what_the_next_note_needs() {
    let server = Server::always(Reply::json("200 OK", &yes())).await;
    let threads = ["", "", "C1/1.2", "", "", "42", "", "$first"];
    for (settings, thread) in all(&server).into_iter().zip(threads) {
        let channel = channel(settings);
        assert_eq!(channel.deliver(&note(), "", LONG).await, sent(thread), "{}", channel.kind());
    }
    let lines: Vec<String> = server.asked().iter().map(|asked| asked.line().to_owned()).collect();
    assert_eq!(
        lines,
        [
            "POST /hush?key=hush HTTP/1.1",
            "POST /services/hush HTTP/1.1",
            "POST /api/chat.postMessage HTTP/1.1",
            "POST /hush/api/v2/alerts HTTP/1.1",
            "POST /enqueue HTTP/1.1",
            "POST /bot1:hush/sendMessage HTTP/1.1",
            "POST /api/webhooks/1/hush?wait=true HTTP/1.1",
            "PUT /_matrix/client/v3/rooms/!room:example.org/send/m.room.message/service_down.api%2F1%2Fops HTTP/1.1",
        ]
    );
    for asked in server.asked() {
        assert_eq!(asked.header("content-type"), Some("application/json"));
        assert!(asked.json().is_object() || asked.json().is_array());
    }
}

#[tokio::test]
async fn credentials_are_where_their_services_want_them() {
    let server = Server::always(Reply::json("200 OK", &yes())).await;
    for settings in all(&server) {
        channel(settings).deliver(&note(), "", LONG).await;
    }
    let asked = server.asked();
    assert_eq!(asked[0].header("x-key"), Some("hush"));
    assert_eq!(asked[2].header("authorization"), Some("Bearer xoxb-hush"));
    assert_eq!(asked[4].json()["routing_key"], "hush");
    assert_eq!(asked[7].header("authorization"), Some("Bearer hush"));
}

#[tokio::test]
async fn too_many_requests_say_when_to_come_back_in_header_or_body() {
    let body = |body: Value| Reply::json("429 Too Many Requests", &body);
    for (reply, channels, after) in [
        (Reply::http("429 Too Many Requests", "Retry-After: 7\r\n", "hush"), 0..8, Some(7_000)),
        (Reply::http("503 Service Unavailable", "Retry-After: 7\r\n", "hush"), 0..8, Some(7_000)),
        (body(json!({"ok": false, "description": "hush", "parameters": {"retry_after": 35}})), 5..6, Some(35_000)),
        (body(json!({"message": "hush", "retry_after": 0.25})), 6..7, Some(250)),
        (body(json!({"errcode": "M_LIMIT_EXCEEDED", "error": "hush", "retry_after_ms": 1500})), 7..8, Some(1_500)),
        (Reply::http("429 Too Many Requests", "Retry-After: soon\r\n", ""), 0..8, None),
    ] {
        let server = Server::always(reply).await;
        for settings in all(&server).drain(channels) {
            let delivery = channel(settings).deliver(&note(), "", LONG).await;
            assert_eq!(assert_retry(&delivery, "answered").map(Span::as_millis), after);
        }
    }
}

#[tokio::test]
async fn a_date_to_come_back_at_is_counted_from_now() {
    let server = Server::always(Reply::http("429 No", "Retry-After: Thu, 31 Dec 9998 23:59:59 GMT\r\n", "")).await;
    let delivery = channel(all(&server).remove(0)).deliver(&note(), "", LONG).await;
    // No longer than a day.
    assert_eq!(assert_retry(&delivery, "429"), Some(Span::from_secs(86_400)));
}

#[tokio::test]
async fn after_that_the_channel_is_left_alone() {
    let server = Server::always(Reply::http("429 No", "Retry-After: 60\r\n", "")).await;
    let channel = channel(all(&server).remove(0));
    channel.deliver(&note(), "", LONG).await;
    let delivery = channel.deliver(&resolved(), "", LONG).await;
    let after = assert_retry(&delivery, "asked to be left alone").unwrap();
    assert!(after > Span::from_secs(50) && after <= Span::from_secs(60), "{after}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn what_the_server_got_wrong_is_tried_again_and_what_we_got_wrong_is_not() {
    for (status, again) in [
        ("500 hush", true),
        ("502 hush", true),
        ("400 hush", false),
        ("401 hush", false),
        ("403 hush", false),
        ("404 hush", false),
        ("410 hush", false),
        ("413 hush", false),
    ] {
        // A hostile server repeats what it was sent.
        let server =
            Server::start(move |_, asked: &Asked| Reply::http(status, "", &format!("{} {}", asked.head, asked.body)))
                .await;
        for settings in all(&server) {
            let delivery = channel(settings).deliver(&note(), "", LONG).await;
            match again {
                true => assert_eq!(assert_retry(&delivery, "answered"), None),
                false => assert_refused(&delivery, "answered"),
            }
        }
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Server::always(Reply::json("200 OK", &yes())).await;
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let server =
            Server::always(Reply::http(status, &format!("Location: {}\r\n", elsewhere.url("/hush")), "")).await;
        for settings in all(&server) {
            assert_refused(&channel(settings).deliver(&note(), "", LONG).await, "redirects are not followed");
        }
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn later_notes_refer_to_the_first_one() {
    let server = Server::always(Reply::json("200 OK", &yes())).await;
    let mut all = all(&server);
    let (matrix, telegram) = (channel(all.remove(7)), channel(all.remove(5)));
    assert_eq!(telegram.deliver(&resolved(), "41", LONG).await, sent("41"));
    assert_eq!(matrix.deliver(&resolved(), "$zeroth", LONG).await, sent("$zeroth"));
    let asked = server.asked();
    assert_eq!(asked[0].json()["reply_parameters"]["message_id"], 41);
    assert_eq!(asked[1].json()["m.relates_to"]["event_id"], "$zeroth");
    // What no channel of that kind gave back is no thread.
    assert_eq!(telegram.deliver(&resolved(), "hush", LONG).await, sent("42"));
    assert_eq!(matrix.deliver(&resolved(), &"$".repeat(2_000), LONG).await, sent("$first"));
}

#[tokio::test]
async fn an_alert_is_told_again_as_long_as_alertmanager_would_forget_it() {
    let server = Server::always(Reply::http("200 OK", "", "")).await;
    let channel = channel(all(&server).remove(3));
    assert_eq!(channel.deliver(&note(), "", LONG).await, sent(""));
    let alert = &server.asked()[0].json()[0];
    let ends = Time::try_from(alert["endsAt"].as_str().unwrap().to_owned()).unwrap();
    let now = Time::from(std::time::SystemTime::now());
    let left = ends.since(now);
    assert!(left > Span::from_secs(200) && left <= Span::from_secs(240), "{left}");
    assert_eq!(channel.resend_after(&note(), now), Some(Span::from_secs(60)));
    assert_eq!(channel.resend_after(&resolved(), now), None);
    let webhook = crate::channel(all(&server).remove(0));
    assert_eq!(webhook.resend_after(&note(), now), None);
}

#[tokio::test]
async fn a_channels_own_rate_is_kept() {
    use dixmgr_notify::{Channel, ChannelConfig, Net, Rate};
    let server = Server::always(Reply::http("200 OK", "", "ok")).await;
    let rate = Some(Rate { every: Span::from_secs(600), burst: 2 });
    let config = ChannelConfig { rate, ..crate::config(all(&server).remove(0)) };
    let channel = Channel::new(&config, &Net::new().unwrap()).unwrap();
    let mut deliveries = Vec::new();
    for _ in 0..4 {
        deliveries.push(channel.deliver(&note(), "", LONG).await);
    }
    assert_eq!(deliveries[..2], [sent(""), sent("")]);
    // The channel has not failed.
    let wait = |delivery: &Delivery| match delivery {
        Delivery::Later { after } => *after,
        other => panic!("{other:?}"),
    };
    assert!(wait(&deliveries[2]) > Span::from_secs(500));
    assert!(wait(&deliveries[3]) > Span::from_secs(1_100));
    assert_eq!(server.asked().len(), 2);
}
