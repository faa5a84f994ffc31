//! A note as a message in a Matrix room, the later ones in the thread of the first.
//!
//! The note's id is the transaction id (client-server API, "Transaction identifiers"): a homeserver that has seen it answers
//! with the same event again, so that a try after a lost answer is not a second message.

use crate::answer::{Answer, later, retry, seconds, sent};
use crate::config::{ConfigError, at};
use crate::net::{Net, exchange};
use crate::place::Place;
use crate::say::Said;
use crate::secret::Secret;
use crate::text::html;
use dixmgr_contract::{Delivery, Span};
use http::Method;
use serde_json::{Value, json};

/// An event has at most 65,536 bytes with all that the servers add.
const MAX_TITLE: usize = 1_000;
const MAX_BODY: usize = 4_000;
const MAX_ID: usize = 255;

/// A user of a homeserver, and a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatrixConfig {
    /// The homeserver, `https://matrix.example.org`.
    pub homeserver: String,
    /// The user's access token.
    pub access_token: Secret,
    /// The room's id, `!abc:example.org`; the user must have joined it. An alias (`#ops:…`) is none.
    pub room_id: String,
}

#[derive(Debug)]
pub(crate) struct Matrix {
    /// But for the transaction.
    place: Place,
    token: Secret,
}

impl Matrix {
    pub(crate) fn new(config: &MatrixConfig) -> Result<Self, ConfigError> {
        crate::token::check(&config.access_token).map_err(at("access_token"))?;
        if !is_id(&config.room_id, '!') {
            return Err(ConfigError::new(
                "room_id",
                "is no room's id; write `!abc:example.org` as the room's settings show it",
            ));
        }
        let place = Place::parse(&Secret::new(config.homeserver.clone())).map_err(at("homeserver"))?;
        let path = ["_matrix", "client", "v3", "rooms", &config.room_id, "send", "m.room.message"];
        Ok(Self { place: place.below(&path), token: config.access_token.clone() })
    }

    pub(crate) async fn send(&self, net: &Net, said: &Said, thread: &str) -> Delivery {
        // Whoever is to hear of it next does not follow the thread yet, and of what is worse or back everybody is to hear: each begins its
        // own.
        let first = Some(thread).filter(|thread| is_id(thread, '$') && !said.note.is_for_all());
        let place = self.place.below(&[&said.note.id]);
        let request = net.json(Method::PUT, &place, message(said, first).to_string().into_bytes());
        match exchange(&place, request.bearer_auth(self.token.expose())).await {
            Ok(answer) => judge(&answer, first),
            Err(delivery) => delivery,
        }
    }
}

/// Ids begin with a sign of what they are of.
fn is_id(text: &str, sign: char) -> bool {
    text.starts_with(sign) && (2..=MAX_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn message(said: &Said, first: Option<&str>) -> Value {
    let plain = |text: &str| text.to_owned();
    let body = format!("{}\n\n{}", said.short_title(MAX_TITLE, plain), said.short_body(MAX_BODY, plain));
    let page = said.short_body(2 * MAX_BODY, html).replace('\n', "<br>");
    let title = said.short_title(2 * MAX_TITLE, html);
    let mut message = json!({
        "msgtype": "m.text",
        "body": body,
        "format": "org.matrix.custom.html",
        "formatted_body": format!("<p><font color=\"{0}\" data-mx-color=\"{0}\"><b>{title}</b></font></p><p>{page}</p>", said.tone.hex()),
        // Nobody is mentioned, whatever a name looks like.
        "m.mentions": {},
    });
    if let Some(first) = first {
        message["m.relates_to"] = json!({
            "rel_type": "m.thread",
            "event_id": first,
            "is_falling_back": true,
            "m.in_reply_to": {"event_id": first},
        });
    }
    message
}

/// Errors of the API, and what to do.
const KNOWN: [(&str, &str); 6] = [
    ("M_FORBIDDEN", "the user is not in the room, or may not write there"),
    ("M_MISSING_TOKEN", "the access token is missing"),
    ("M_NOT_FOUND", "there is no such room"),
    ("M_TOO_LARGE", "the message is too long"),
    ("M_UNKNOWN_TOKEN", "the access token is not valid any more"),
    ("M_USER_DEACTIVATED", "the user is deactivated"),
];

fn judge(answer: &Answer, first: Option<&str>) -> Delivery {
    let json = answer.json();
    if answer.is_accepted() {
        let event = json["event_id"].as_str().filter(|event| is_id(event, '$'));
        return match first.or(event) {
            Some(event) => sent(event),
            None => retry("Matrix answered 200 without an event"),
        };
    }
    let code = json["errcode"].as_str().unwrap_or_default();
    let known = KNOWN.iter().find(|(word, _)| *word == code).map(|(_, meaning)| *meaning);
    let after = json["retry_after_ms"].as_f64().and_then(|millis| seconds(millis / 1_000.0));
    let after: Option<Span> = later(answer.after, after);
    Answer { after, ..answer.clone() }.judge("Matrix", known.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{any_note, note};
    use proptest::prelude::*;

    #[test]
    fn a_note_is_text_and_html_in_the_thread_of_the_first() {
        let said = Said::of(&note());
        let message = message(&said, Some("$first"));
        assert!(message["body"].as_str().unwrap().starts_with("[CRITICAL] api is down\n\nIt was killed"));
        assert!(message["formatted_body"].as_str().unwrap().contains("#ff0000\"><b>[CRITICAL] api is down</b>"));
        assert_eq!(message["m.relates_to"]["event_id"], "$first");
        assert!(super::message(&said, None)["m.relates_to"].is_null());
    }

    #[test]
    fn answers_say_when_to_come_back_and_hold_nothing_secret() {
        let judge = |status, body: &str, first| {
            judge(&Answer { status, after: None, body: Some(body.as_bytes().to_vec()) }, first)
        };
        assert_eq!(judge(200, r#"{"event_id":"$new"}"#, None), sent("$new"));
        assert_eq!(judge(200, r#"{"event_id":"$new"}"#, Some("$first")), sent("$first"));
        assert!(matches!(judge(200, "<html>", None), Delivery::Retry { .. }));
        let Delivery::Retry { after, .. } =
            judge(429, r#"{"errcode":"M_LIMIT_EXCEEDED","error":"hush","retry_after_ms":2000}"#, None)
        else {
            panic!("final")
        };
        assert_eq!(after, Some(Span::from_secs(2)));
        let Delivery::Refused { reason } = judge(403, r#"{"errcode":"M_FORBIDDEN","error":"hush"}"#, None) else {
            panic!("again")
        };
        assert_eq!(reason, "Matrix answered 403: the user is not in the room, or may not write there");
    }

    #[test]
    fn a_room_is_an_id_and_its_url_is_one_of_segments() {
        let config = |room: &str| MatrixConfig {
            homeserver: "https://m.example.org".into(),
            access_token: Secret::new("hush"),
            room_id: room.into(),
        };
        for room in ["", "!", "#ops:example.org", "!a b:c", &format!("!{}", "a".repeat(255))] {
            assert_eq!(Matrix::new(&config(room)).unwrap_err().key, "room_id", "{room}");
        }
        let matrix = Matrix::new(&config("!a/../b:example.org")).unwrap();
        assert!(matrix.place.url().path().contains("/rooms/!a%2F..%2Fb:example.org/send/m.room.message"));
        assert!(!format!("{matrix:?}").contains("hush"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_note_is_within_the_limit(note in any_note()) {
            let message = message(&Said::of(&note), Some("$first")).to_string();
            prop_assert!(message.len() <= 60_000, "{}", message.len());
            let read: Value = serde_json::from_str(&message).unwrap();
            let page = read["formatted_body"].as_str().unwrap();
            for tag in ["<script", "<a ", "<img", "</pre"] {
                prop_assert!(!page.contains(tag));
            }
        }
    }
}
