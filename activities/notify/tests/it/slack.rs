//! The bot of Slack: one message for each incident, edited and answered.

use crate::http::bot;
use crate::server::{Asked, Reply, Server};
use crate::{LONG, assert_refused, assert_retry, channel, note, resolved, sent};
use dixmgr_contract::{Note, NoteKind};
use dixmgr_notify::{Channel, Settings};
use serde_json::{Value, json};

fn ok() -> Reply {
    Reply::json("200 OK", &json!({"ok": true, "channel": "C1", "ts": "9.9"}))
}

fn error(error: &str) -> Reply {
    Reply::json("200 OK", &json!({"ok": false, "error": error}))
}

fn slack(server: &Server) -> Channel {
    channel(Settings::Slack(bot(server)))
}

/// The methods that were called, and what they were given.
fn calls(server: &Server) -> Vec<(String, Value)> {
    let method = |asked: &Asked| asked.line().split(['/', ' ']).nth(3).unwrap().to_owned();
    server.asked().iter().map(|asked| (method(asked), asked.json())).collect()
}

#[tokio::test]
async fn the_first_note_is_a_message_and_the_next_edits_it_and_answers_it() {
    let server = Server::always(ok()).await;
    let slack = slack(&server);
    assert_eq!(slack.deliver(&note(), "", LONG).await, sent("C1/9.9"));
    assert_eq!(slack.deliver(&resolved(), "C1/9.9", LONG).await, sent("C1/9.9"));
    let calls = calls(&server);
    let methods: Vec<&str> = calls.iter().map(|(method, _)| method.as_str()).collect();
    assert_eq!(methods, ["chat.postMessage", "chat.update", "chat.postMessage"]);
    assert_eq!((&calls[0].1["channel"], &calls[0].1["thread_ts"]), (&json!("#ops"), &Value::Null));
    assert_eq!((&calls[1].1["channel"], &calls[1].1["ts"]), (&json!("C1"), &json!("9.9")));
    assert_eq!(calls[1].1["attachments"][0]["color"], "#36a64f");
    assert_eq!((&calls[2].1["thread_ts"], &calls[2].1["reply_broadcast"]), (&json!("9.9"), &json!(false)));
    assert_eq!(calls[2].1["text"], "[RESOLVED] After 1m40s: api is down");
}

#[tokio::test]
async fn an_escalation_and_what_is_worse_or_comes_back_are_shown_to_the_whole_channel() {
    let server = Server::always(ok()).await;
    let of = |kind, for_all| Note { kind, for_all, ..note() };
    let kinds = [
        (of(NoteKind::Escalation, false), true),
        (of(NoteKind::Firing, false), true),
        (of(NoteKind::Update, false), false),
        (of(NoteKind::Update, true), true),
    ];
    for (note, is_for_all) in kinds {
        slack(&server).deliver(&note, "C1/9.9", LONG).await;
        let calls = calls(&server);
        assert_eq!(calls.last().unwrap().1["reply_broadcast"], is_for_all, "{:?}", note.kind);
    }
}

#[tokio::test]
async fn a_message_that_was_deleted_is_begun_anew() {
    let server = Server::start(|before, _| if before == 0 { error("message_not_found") } else { ok() }).await;
    assert_eq!(slack(&server).deliver(&resolved(), "C1/1.1", LONG).await, sent("C1/9.9"));
    assert_eq!(calls(&server)[1].1["thread_ts"], Value::Null);
}

#[tokio::test]
async fn a_message_that_cannot_be_edited_is_answered_all_the_same() {
    let server = Server::start(|before, _| if before == 0 { error("edit_window_closed") } else { ok() }).await;
    assert_eq!(slack(&server).deliver(&resolved(), "C1/1.1", LONG).await, sent("C1/1.1"));
    assert_eq!(calls(&server)[1].1["thread_ts"], "1.1");
}

#[tokio::test]
async fn a_try_after_half_a_note_edits_again_and_answers_once() {
    let busy = |before, _: &Asked| if before == 1 { Reply::http("500 No", "", "") } else { ok() };
    let server = Server::start(busy).await;
    let slack = slack(&server);
    assert_retry(&slack.deliver(&resolved(), "C1/1.1", LONG).await, "answered 500");
    assert_eq!(slack.deliver(&resolved(), "C1/1.1", LONG).await, sent("C1/1.1"));
    let methods: Vec<String> = calls(&server).into_iter().map(|(method, _)| method).collect();
    assert_eq!(methods, ["chat.update", "chat.postMessage", "chat.update", "chat.postMessage"]);
}

#[tokio::test]
async fn what_slack_refuses_says_what_to_do() {
    for (word, part) in
        [("not_in_channel", "/invite it"), ("invalid_auth", "the token is not valid"), ("hush", "refuses the message")]
    {
        let server = Server::always(error(word)).await;
        assert_refused(&slack(&server).deliver(&note(), "", LONG).await, part);
    }
    let server = Server::always(error("internal_error")).await;
    assert_retry(&slack(&server).deliver(&note(), "C1/1.1", LONG).await, "internal_error");
}
