//! What Slack says, in words of ours: its own are repeated only if they are on the list, since an answer may hold our key.

use crate::answer::{Answer, refused, retry, seconds};
use dixmgr_contract::Delivery;
use serde_json::Value;

/// Why a call of the API came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The message that is to be edited or answered is not there.
    NoMessage,
    /// It is there and cannot be edited (any more).
    NotEditable,
    /// Anything else.
    Other(Delivery),
}

impl Trouble {
    pub(super) fn into_delivery(self) -> Delivery {
        match self {
            Self::NoMessage => refused("Slack: the message is gone"),
            Self::NotEditable => refused("Slack: the message cannot be edited"),
            Self::Other(delivery) => delivery,
        }
    }
}

/// Slack's words that mean: try again.
const AGAIN: [&str; 7] = [
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "rollup_error",
];

/// The others, and what to do.
const FINAL: [(&str, &str); 22] = [
    ("account_inactive", "the bot was removed; install it again"),
    ("action_prohibited", "an administrator forbids it"),
    ("channel_is_archived", "the channel is archived; use another one"),
    ("channel_not_found", "there is no such channel, or the bot is not in it: /invite it"),
    ("invalid_auth", "the token is not valid"),
    ("invalid_blocks", "the message has a form that it does not take"),
    ("invalid_payload", "the message has a form that it does not take"),
    ("invalid_token", "the webhook was revoked; make a new one"),
    ("is_archived", "the channel is archived; use another one"),
    ("missing_scope", "the token lacks the scope chat:write"),
    ("msg_blocks_too_long", "the message is too long"),
    ("msg_too_long", "the message is too long"),
    ("no_active_hooks", "the webhook is disabled; make a new one"),
    ("no_service", "the webhook is disabled or was removed; make a new one"),
    ("no_team", "there is no such workspace"),
    ("no_text", "the message has no text"),
    ("not_authed", "the token is missing"),
    ("not_in_channel", "the bot is not in the channel: /invite it"),
    ("restricted_action", "an administrator forbids it"),
    ("team_disabled", "the workspace is disabled"),
    ("token_expired", "the token has expired"),
    ("token_revoked", "the token was revoked; install the bot again"),
];

/// The answer to an incoming webhook: `ok`, or a status and a word.
pub(super) fn judge(answer: &Answer) -> Delivery {
    answer.judge("Slack", &words(answer.text()))
}

/// The answer to a call: JSON with `ok`, and `error` if that is false.
pub(super) fn read(answer: &Answer) -> Result<Value, Trouble> {
    if !answer.is_accepted() {
        let json = answer.json();
        return Err(Trouble::Other(answer.judge("Slack", &words(json["error"].as_str().unwrap_or_default()))));
    }
    let json = answer.json();
    if json["ok"] == true {
        return Ok(json);
    }
    let after = answer.after.or_else(|| json["retry_after"].as_f64().and_then(seconds));
    let error = json["error"].as_str().unwrap_or_default();
    Err(match error {
        "message_not_found" | "thread_not_found" => Trouble::NoMessage,
        "cant_update_message" | "edit_window_closed" | "update_failed" => Trouble::NotEditable,
        // Not an answer of Slack's, or one that broke off.
        "" => Trouble::Other(retry("Slack answered 200 without saying whether it is ok")),
        error if AGAIN.contains(&error) => Trouble::Other(Delivery::Retry { reason: format!("Slack: {error}"), after }),
        error => Trouble::Other(match words(error) {
            known if known.is_empty() => refused("Slack refuses the message"),
            known => refused(format!("Slack: {known}")),
        }),
    })
}

fn words(error: &str) -> String {
    let known = FINAL.iter().find(|(word, _)| *word == error);
    match known {
        Some((word, meaning)) => format!("{word}, {meaning}"),
        None if AGAIN.contains(&error) => error.to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_contract::Span;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, after: Some(Span::from_secs(3)), body: Some(body.as_bytes().to_vec()) }
    }

    #[test]
    fn an_incoming_webhook_answers_a_word() {
        for (status, body, outcome) in [
            (200, "ok", "sent"),
            (400, "invalid_payload", "Slack answered 400: invalid_payload, the message has a form"),
            (403, "invalid_token", "Slack answered 403: invalid_token, the webhook was revoked"),
            (404, "no_service", "Slack answered 404: no_service, the webhook is disabled"),
            (410, "channel_is_archived", "Slack answered 410: channel_is_archived, the channel is archived"),
            (404, "key hush is unknown", "Slack answered 404: there is nothing at that URL"),
            (429, "rate_limited", "again in 3s: Slack answered 429: rate_limited"),
            (500, "hush", "again in 3s: Slack answered 500"),
        ] {
            let said = match judge(&answer(status, body)) {
                Delivery::Sent { .. } => "sent".to_owned(),
                Delivery::Retry { reason, after } => format!("again in {}: {reason}", after.unwrap()),
                Delivery::Refused { reason } => reason,
                Delivery::Later { .. } => panic!("no answer says that"),
            };
            assert!(said.starts_with(outcome) && !said.contains("hush"), "{said}");
        }
    }

    #[test]
    fn the_api_answers_200_to_everything() {
        let read = |body| read(&answer(200, body));
        assert_eq!(read(r#"{"ok":true,"ts":"1.2"}"#).unwrap()["ts"], "1.2");
        assert!(matches!(read(r#"{"ok":false,"error":"message_not_found"}"#), Err(Trouble::NoMessage)));
        assert!(matches!(read(r#"{"ok":false,"error":"edit_window_closed"}"#), Err(Trouble::NotEditable)));
        for (body, outcome) in [
            (r#"{"ok":false,"error":"ratelimited"}"#, "Retry { reason: \"Slack: ratelimited\", after: Some("),
            (r#"{"ok":false,"error":"invalid_auth"}"#, "Refused { reason: \"Slack: invalid_auth, the token is"),
            (r#"{"ok":false,"error":"hush"}"#, "Refused { reason: \"Slack refuses the message\" }"),
            ("<html>hush", "Retry { reason: \"Slack answered 200 without"),
            ("[1", "Retry"),
        ] {
            let delivery = format!("{:?}", read(body).unwrap_err().into_delivery());
            assert!(delivery.starts_with(outcome) && !delivery.contains("hush"), "{delivery}");
        }
    }
}
