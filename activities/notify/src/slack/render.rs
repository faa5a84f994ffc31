//! A note as a message of Slack: its line as text, the rest as one attachment in the colour of how bad it is.
//!
//! Attachments rather than blocks: the coloured bar is only there, and one attachment is far from the 50 blocks and 3,000
//! characters of a section. All of it stays below 13,000 characters, at which Slack answers `msg_blocks_too_long` whatever
//! its documentation says of 40,000. Everything is escaped and nothing is markup, so that no name of a service, and no
//! word of an error, calls a whole channel.

use crate::say::Said;
use crate::text::replaced;
use serde_json::{Value, json};

const MAX_TITLE: usize = 1_000;
const MAX_BODY: usize = 2_900;

/// The note.
pub(super) fn message(said: &Said) -> Value {
    let mut message = reply(said);
    message["attachments"] = json!([{
        "color": said.tone.hex(),
        "fallback": said.short_title(MAX_TITLE, escaped),
        "text": said.short_body(MAX_BODY, escaped),
        "footer": "dixmgr",
        "ts": said.note.at.unix_millis() / 1_000,
        "mrkdwn_in": [],
    }]);
    message
}

/// What is new, for who sees the rest above it.
pub(super) fn reply(said: &Said) -> Value {
    json!({
        "text": said.short_title(MAX_TITLE, escaped),
        "mrkdwn": false,
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

/// Slack's three (docs.slack.dev, "Formatting message text"): without them there is no `<!channel>` and no link.
fn escaped(text: &str) -> String {
    replaced(text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{any_note, note};
    use crate::text::units;
    use dixmgr_contract::NoteKind;
    use proptest::prelude::*;

    #[test]
    fn a_note_is_a_line_and_an_attachment_in_its_colour() {
        let message = message(&Said::of(&note()));
        assert_eq!(message["text"], "[CRITICAL] api is down");
        let attachment = &message["attachments"][0];
        assert_eq!((&attachment["color"], &attachment["ts"]), (&json!("#ff0000"), &json!(1_700_000_100)));
        let text = attachment["text"].as_str().unwrap();
        assert!(
            text.starts_with("It was killed by signal 9.\n2 services behind it are affected: web, proxy\n\n• api on")
        );
        assert!(text.ends_with("Incident: service_down.api"), "{text}");
    }

    #[test]
    fn what_is_over_is_green() {
        let mut note = note();
        (note.kind, note.ended) = (NoteKind::Resolved, Some(note.at));
        assert_eq!(message(&Said::of(&note))["attachments"][0]["color"], "#36a64f");
    }

    #[test]
    fn nobody_is_called_by_a_hostile_name() {
        let mut note = note();
        note.title = "<!channel> & <@U1>".into();
        note.members[0].detail = "<http://evil.example|click>".into();
        let message = message(&Said::of(&note));
        assert_eq!(message["text"], "[CRITICAL] &lt;!channel&gt; &amp; &lt;@U1&gt;");
        assert!(!message["attachments"].to_string().contains(['<', '>']));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_note_is_within_the_limits(note in any_note()) {
            let message = message(&Said::of(&note));
            prop_assert!(units(message["text"].as_str().unwrap()) <= 1_024);
            prop_assert!(units(message["attachments"][0]["text"].as_str().unwrap()) <= 3_000);
            // All of its texts; a line end or a quotation mark is one character to Slack.
            let text = message.to_string();
            let all: usize = [&message, &message["attachments"][0]]
                .iter()
                .flat_map(|object| object.as_object().unwrap().values())
                .filter_map(Value::as_str)
                .map(units)
                .sum();
            prop_assert!(all <= 12_000, "{all}");
            prop_assert!(!text.contains(['<', '>']));
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
        }
    }
}
