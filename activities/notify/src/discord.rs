//! A note as an embed to a Discord webhook, in the colour of how bad it is, with nobody mentioned.

use crate::answer::{Answer, later, seconds, sent};
use crate::config::{ConfigError, at};
use crate::net::{Net, exchange};
use crate::place::Place;
use crate::say::Said;
use crate::secret::Secret;
use crate::text::replaced;
use dixmgr_contract::Delivery;
use http::Method;
use serde_json::{Value, json};

/// Of an embed. With the footer they stay below the 6,000 of all embeds.
const MAX_TITLE: usize = 256;
const MAX_DESCRIPTION: usize = 4_000;

/// A webhook of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiscordConfig {
    /// Its URL, `https://discord.com/api/webhooks/…`; with `?thread_id=…` for a thread.
    pub webhook_url: Secret,
}

#[derive(Debug)]
pub(crate) struct Discord(Place);

impl Discord {
    pub(crate) fn new(config: &DiscordConfig) -> Result<Self, ConfigError> {
        // Without `wait` it answers before it knows whether it takes the message.
        Ok(Self(Place::parse(&config.webhook_url).map_err(at("webhook_url"))?.with("wait", "true")))
    }

    pub(crate) async fn send(&self, net: &Net, said: &Said) -> Delivery {
        let request = net.json(Method::POST, &self.0, message(said).to_string().into_bytes());
        match exchange(&self.0, request).await {
            Ok(answer) => judge(&answer),
            Err(delivery) => delivery,
        }
    }
}

fn message(said: &Said) -> Value {
    json!({
        "embeds": [{
            "title": said.short_title(MAX_TITLE, escaped),
            "description": said.short_body(MAX_DESCRIPTION, escaped),
            "color": said.tone.colour(),
            "footer": {"text": "dixmgr"},
            "timestamp": said.note.at,
        }],
        "allowed_mentions": {"parse": []},
    })
}

/// What Discord's Markdown would take for its own; `<` begins mentions and times.
fn escaped(text: &str) -> String {
    replaced(text, |c| match c {
        '\\' => Some("\\\\"),
        '*' => Some("\\*"),
        '_' => Some("\\_"),
        '~' => Some("\\~"),
        '`' => Some("\\`"),
        '|' => Some("\\|"),
        '<' => Some("\\<"),
        '>' => Some("\\>"),
        '[' => Some("\\["),
        ']' => Some("\\]"),
        '#' => Some("\\#"),
        '@' => Some("\\@"),
        _ => None,
    })
}

/// Codes of Discord's JSON errors.
const KNOWN: [(u64, &str); 4] = [
    (10_003, "there is no such channel"),
    (10_015, "the webhook was removed; make a new one"),
    (50_027, "the webhook's token is not valid"),
    (50_035, "it does not take the form of the message"),
];

fn judge(answer: &Answer) -> Delivery {
    if answer.is_accepted() {
        return sent("");
    }
    let json = answer.json();
    let known = KNOWN.iter().find(|(code, _)| json["code"] == *code).map(|(_, meaning)| *meaning);
    let after = json["retry_after"].as_f64().and_then(seconds);
    let answer = Answer { after: later(answer.after, after), ..answer.clone() };
    answer.judge("Discord", known.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{any_note, note};
    use crate::text::units;
    use dixmgr_contract::Span;
    use proptest::prelude::*;

    #[test]
    fn a_note_is_an_embed_in_its_colour() {
        let message = message(&Said::of(&note()));
        let embed = &message["embeds"][0];
        assert_eq!(embed["title"], "\\[CRITICAL\\] api is down");
        assert_eq!((&embed["color"], &embed["timestamp"]), (&json!(0xff_00_00), &json!("2023-11-14T22:15:00.000Z")));
        assert!(embed["description"].as_str().unwrap().ends_with("Incident: service\\_down.api"));
        assert_eq!(message["allowed_mentions"], json!({"parse": []}));
    }

    #[test]
    fn nobody_is_mentioned_and_nothing_is_a_link() {
        let mut note = note();
        note.title = "@everyone <@1> [click](http://evil.example)".into();
        let message = message(&Said::of(&note));
        let title = "\\[CRITICAL\\] \\@everyone \\<\\@1\\> \\[click\\](http://evil.example)";
        assert_eq!(message["embeds"][0]["title"], title);
    }

    #[test]
    fn the_body_says_when_to_come_back() {
        let judge = |status, body: &str| {
            judge(&Answer { status, after: Some(Span::from_secs(1)), body: Some(body.as_bytes().to_vec()) })
        };
        assert_eq!(judge(200, "{}"), sent(""));
        let Delivery::Retry { after, .. } = judge(429, r#"{"message":"hush","retry_after":1.337,"global":false}"#)
        else {
            panic!("final")
        };
        assert_eq!(after, Some(Span::from_millis(1_337)));
        let Delivery::Refused { reason } = judge(404, r#"{"message":"hush","code":10015}"#) else { panic!("again") };
        assert_eq!(reason, "Discord answered 404: the webhook was removed; make a new one");
    }

    #[test]
    fn a_threads_number_stays_in_the_url() {
        let config = DiscordConfig { webhook_url: Secret::new("https://discord.com/api/webhooks/1/hush?thread_id=7") };
        let discord = Discord::new(&config).unwrap();
        assert!(discord.0.url().as_str().ends_with("/hush?thread_id=7&wait=true"));
        assert!(!format!("{discord:?} {config:?}").contains("hush"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_note_is_within_the_limits(note in any_note()) {
            let message = message(&Said::of(&note));
            let embed = &message["embeds"][0];
            let of = |key: &str| units(embed[key].as_str().unwrap());
            prop_assert!((1..=256).contains(&of("title")) && of("description") <= 4_096);
            prop_assert!(of("title") + of("description") + 6 <= 6_000);
            prop_assert!(serde_json::from_str::<Value>(&message.to_string()).is_ok());
        }
    }
}
