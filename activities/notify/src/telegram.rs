//! A note as a message of a Telegram bot (Bot API, `sendMessage`), the later ones in answer to the first.
//!
//! HTML rather than Markdown: it has three characters to escape, and no way to get it wrong by halves.

use crate::answer::{Answer, later, refused, retry, seconds, sent};
use crate::config::{ConfigError, at};
use crate::net::{Net, exchange};
use crate::place::Place;
use crate::say::Said;
use crate::secret::Secret;
use crate::text::html;
use dixmgr_contract::Delivery;
use http::Method;
use serde_json::{Value, json};

const API: &str = "https://api.telegram.org";
/// Of the 4,096 of a message, with the tags and two line ends between.
const MAX_TITLE: usize = 1_000;
const MAX_BODY: usize = 3_000;

/// A bot, and a chat that it is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TelegramConfig {
    /// The bot's token, as BotFather gives it: `123456:ABC…`.
    pub bot_token: Secret,
    /// The chat: its number (groups have negative ones), or `@name` of a public channel.
    pub chat_id: String,
    /// Where the API is; absent: Telegram's own.
    pub api_url: Option<Secret>,
}

#[derive(Debug)]
pub(crate) struct Telegram {
    /// With the token in its path.
    place: Place,
    chat: String,
}

impl Telegram {
    pub(crate) fn new(config: &TelegramConfig) -> Result<Self, ConfigError> {
        crate::token::check(&config.bot_token).map_err(at("bot_token"))?;
        let chat = config.chat_id.trim().to_owned();
        let name = chat.strip_prefix('@').unwrap_or_default();
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if chat.len() > 64 || !(is_name || chat.parse::<i64>().is_ok()) {
            return Err(ConfigError::new(
                "chat_id",
                "is no chat; write its number, such as \"-1001234\", or \"@name\"",
            ));
        }
        let url = config.api_url.clone().unwrap_or_else(|| Secret::new(API));
        let bot = format!("bot{}", config.bot_token.expose());
        let place = Place::parse(&url).map_err(at("api_url"))?.below(&[&bot, "sendMessage"]);
        Ok(Self { place, chat })
    }

    pub(crate) async fn send(&self, net: &Net, said: &Said, thread: &str) -> Delivery {
        let first = thread.parse::<i64>().ok();
        let body = message(said, &self.chat, first).to_string();
        let request = net.json(Method::POST, &self.place, body.into_bytes());
        match exchange(&self.place, request).await {
            Ok(answer) => judge(&answer, first),
            Err(delivery) => delivery,
        }
    }
}

fn message(said: &Said, chat: &str, first: Option<i64>) -> Value {
    let text = format!("<b>{}</b>\n\n{}", said.short_title(MAX_TITLE, html), said.short_body(MAX_BODY, html));
    let mut message = json!({
        "chat_id": chat,
        "text": text,
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": true},
    });
    if let Some(first) = first {
        message["reply_parameters"] = json!({"message_id": first, "allow_sending_without_reply": true});
    }
    message
}

/// What Telegram says in its `description`, and what to do.
const KNOWN: [(&str, &str); 9] = [
    ("bot was blocked", "the bot was blocked by the user"),
    ("bot was kicked", "the bot was removed from the chat"),
    ("bot is not a member", "the bot is not in the chat"),
    ("can't parse entities", "it does not take the form of the message"),
    ("chat not found", "there is no such chat, or nobody has spoken to the bot in it yet"),
    ("group chat was upgraded", "the group has a new number; write it into chat_id"),
    ("message is too long", "the message is too long"),
    ("not enough rights", "the bot may not write in the chat"),
    ("unauthorized", "the token is not valid"),
];

fn judge(answer: &Answer, first: Option<i64>) -> Delivery {
    let json = answer.json();
    if answer.is_accepted() {
        return match json["ok"].as_bool() {
            Some(true) => {
                let id = first.or_else(|| json["result"]["message_id"].as_i64());
                sent(id.map(|id| id.to_string()).unwrap_or_default())
            }
            Some(false) => refused("Telegram refuses the message"),
            None => retry("Telegram answered 200 without saying whether it is ok"),
        };
    }
    let description = json["description"].as_str().unwrap_or_default().to_lowercase();
    let known = KNOWN.iter().find(|(part, _)| description.contains(part)).map(|(_, meaning)| *meaning);
    let after = json["parameters"]["retry_after"].as_f64().and_then(seconds);
    let answer = Answer { after: later(answer.after, after), ..answer.clone() };
    answer.judge("Telegram", known.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{any_note, note};
    use crate::text::units;
    use dixmgr_contract::Span;
    use proptest::prelude::*;

    #[test]
    fn a_note_is_a_bold_line_and_text() {
        let message = message(&Said::of(&note()), "-100", Some(7));
        let text = message["text"].as_str().unwrap();
        assert!(text.starts_with("<b>[CRITICAL] api is down</b>\n\nIt was killed by signal 9.\n"), "{text}");
        assert_eq!(message["reply_parameters"]["message_id"], 7);
        assert_eq!((&message["chat_id"], &message["parse_mode"]), (&json!("-100"), &json!("HTML")));
    }

    #[test]
    fn answers_say_when_to_come_back_and_hold_nothing_secret() {
        let judge =
            |status, body: &str| judge(&Answer { status, after: None, body: Some(body.as_bytes().to_vec()) }, None);
        assert_eq!(judge(200, r#"{"ok":true,"result":{"message_id":42}}"#), sent("42"));
        assert_eq!(
            judge(429, r#"{"ok":false,"error_code":429,"description":"hush","parameters":{"retry_after":35}}"#),
            Delivery::Retry {
                reason: "Telegram answered 429: too many notes".into(),
                after: Some(Span::from_secs(35))
            }
        );
        for (status, body, part) in [
            (400, r#"{"ok":false,"description":"Bad Request: chat not found"}"#, "there is no such chat"),
            (401, r#"{"ok":false,"description":"Unauthorized"}"#, "the token is not valid"),
            (403, r#"{"ok":false,"description":"Forbidden: bot was kicked from the group"}"#, "removed from the chat"),
            (404, r#"{"ok":false,"description":"hush"}"#, "nothing at that URL"),
            (200, r#"{"ok":false,"description":"hush"}"#, "refuses"),
        ] {
            let Delivery::Refused { reason } = judge(status, body) else { panic!("{status}") };
            assert!(reason.contains(part) && !reason.contains("hush"), "{reason}");
        }
        for (status, body) in [(502, "hush"), (200, "hush"), (200, "")] {
            assert!(matches!(judge(status, body), Delivery::Retry { .. }));
        }
    }

    #[test]
    fn a_chat_is_a_number_or_a_name() {
        for (chat, is_fine) in [
            ("-1001234", true),
            ("42", true),
            ("@ops_team", true),
            ("ops", false),
            ("", false),
            ("@", false),
            ("@a b", false),
        ] {
            let config = TelegramConfig { bot_token: Secret::new("1:hush"), chat_id: chat.into(), api_url: None };
            let telegram = Telegram::new(&config);
            assert_eq!(telegram.is_ok(), is_fine, "{chat}");
            assert!(!format!("{telegram:?} {config:?}").contains("hush"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_note_is_within_the_limit_and_is_html(note in any_note()) {
            let message = message(&Said::of(&note), "1", None);
            let text = message["text"].as_str().unwrap();
            prop_assert!(units(text) <= 4_096, "{}", units(text));
            let inner = text.strip_prefix("<b>").unwrap().replacen("</b>", "", 1);
            prop_assert!(!inner.contains(['<', '>']));
            // Each & begins an entity that is whole.
            for part in inner.split('&').skip(1) {
                prop_assert!(["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|name| part.starts_with(name)), "{}", part);
            }
            prop_assert!(serde_json::from_str::<Value>(&message.to_string()).is_ok());
        }
    }
}
