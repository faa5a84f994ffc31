//! Slack: an incoming webhook, which can only speak, or a bot, which keeps one message for each incident.
//!
//! The bot's first note is a message; each later one edits it to how things are now, and says what is new in its thread.
//! The message is edited first: that can be done again without harm, so that a note which is tried again after half of it
//! is not said twice. An incoming webhook answers no `ts`, so there is nothing that it could edit.

mod answer;
mod render;

use crate::answer::sent;
use crate::config::{ConfigError, at};
use crate::net::{Net, exchange};
use crate::place::Place;
use crate::say::Said;
use crate::secret::Secret;
use answer::{Trouble, judge, read};
use dixmgr_contract::Delivery;
use http::Method;
use serde_json::{Value, json};

/// The API of Slack itself.
const API: &str = "https://slack.com/api";

/// An incoming webhook, or a bot and its channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlackConfig {
    /// The URL of an incoming webhook.
    pub webhook_url: Option<Secret>,
    /// The token of a bot (`xoxb-…`) with the scope `chat:write`, in place of a webhook.
    pub bot_token: Option<Secret>,
    /// The bot's channel: its id (`C0123456789`), or `#name`.
    pub channel: String,
    /// Where the API is; absent: Slack's own.
    pub api_url: Option<Secret>,
}

#[derive(Debug)]
pub(crate) enum Slack {
    Hook(Place),
    Bot { api: Place, token: Secret, channel: String },
}

impl Slack {
    pub(crate) fn new(config: &SlackConfig) -> Result<Self, ConfigError> {
        match (&config.webhook_url, &config.bot_token) {
            (Some(url), None) => Ok(Self::Hook(Place::parse(url).map_err(at("webhook_url"))?)),
            (None, Some(token)) => {
                crate::token::check(token).map_err(at("bot_token"))?;
                let channel = config.channel.trim().to_owned();
                if channel.is_empty() || channel.len() > 100 || channel.chars().any(char::is_control) {
                    let reason = "is missing; write the channel's id (C0123456789), which its details show, or #name";
                    return Err(ConfigError::new("channel", reason));
                }
                let api = config.api_url.clone().unwrap_or_else(|| Secret::new(API));
                Ok(Self::Bot { api: Place::parse(&api).map_err(at("api_url"))?, token: token.clone(), channel })
            }
            (None, None) => Err(ConfigError::new("webhook_url", "is missing; give it, or bot_token and channel")),
            (Some(_), Some(_)) => Err(ConfigError::new("bot_token", "and webhook_url exclude each other; give one")),
        }
    }

    pub(crate) async fn send(&self, net: &Net, said: &Said, thread: &str) -> Delivery {
        match self {
            Self::Hook(place) => {
                let body = render::message(said).to_string();
                let answer = exchange(place, net.json(Method::POST, place, body.into_bytes())).await;
                answer.map_or_else(|delivery| delivery, |answer| judge(&answer))
            }
            Self::Bot { .. } => self.as_bot(net, said, thread).await.unwrap_or_else(Trouble::into_delivery),
        }
    }

    async fn as_bot(&self, net: &Net, said: &Said, thread: &str) -> Result<Delivery, Trouble> {
        let Some((channel, ts)) = message(thread) else { return self.begin(net, said).await };
        let mut edit = render::message(said);
        (edit["channel"], edit["ts"]) = (json!(channel), json!(ts));
        match self.call(net, "chat.update", &edit).await {
            Ok(_) | Err(Trouble::NotEditable) => {}
            Err(Trouble::NoMessage) => return self.begin(net, said).await,
            Err(trouble) => return Err(trouble),
        }
        let mut reply = render::reply(said);
        (reply["channel"], reply["thread_ts"]) = (json!(channel), json!(ts));
        // Whoever is to hear of it next does not follow the thread yet, and of what is worse or back everybody is to hear.
        reply["reply_broadcast"] = json!(said.note.is_for_all());
        match self.call(net, "chat.postMessage", &reply).await {
            Ok(_) => Ok(sent(thread)),
            Err(Trouble::NoMessage) => self.begin(net, said).await,
            Err(trouble) => Err(trouble),
        }
    }

    /// The first message of an incident.
    async fn begin(&self, net: &Net, said: &Said) -> Result<Delivery, Trouble> {
        let mut post = render::message(said);
        if let Self::Bot { channel, .. } = self {
            post["channel"] = json!(channel);
        }
        let answer = self.call(net, "chat.postMessage", &post).await?;
        let thread =
            format!("{}/{}", answer["channel"].as_str().unwrap_or_default(), answer["ts"].as_str().unwrap_or_default());
        Ok(sent(if message(&thread).is_some() { thread } else { String::new() }))
    }

    async fn call(&self, net: &Net, method: &str, body: &Value) -> Result<Value, Trouble> {
        let (place, token) = match self {
            Self::Hook(place) => (place.clone(), ""),
            Self::Bot { api, token, .. } => (api.below(&[method]), token.expose()),
        };
        let request = net.json(Method::POST, &place, body.to_string().into_bytes()).bearer_auth(token);
        read(&exchange(&place, request).await.map_err(Trouble::Other)?)
    }
}

/// The channel and the `ts` of a message, as they are kept in a thread: `C0123456789/1700000000.000100`.
fn message(thread: &str) -> Option<(&str, &str)> {
    let (channel, ts) = thread.split_once('/')?;
    let is_channel = (1..=30).contains(&channel.len()) && channel.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_ts = (1..=30).contains(&ts.len()) && ts.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (is_channel && is_ts).then_some((channel, ts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_a_channel_and_a_stamp() {
        assert_eq!(message("C012/1700000000.000100"), Some(("C012", "1700000000.000100")));
        for thread in
            ["", "C012", "/1.2", "C012/", "C0#2/1.2", "C012/1.2/3", "C012/x", &format!("C/{}", "1".repeat(31))]
        {
            assert_eq!(message(thread), None, "{thread}");
        }
    }

    #[test]
    fn it_is_one_of_two_kinds() {
        let secret = |text: &str| Some(Secret::new(text));
        let config = |webhook_url, bot_token, channel: &str| SlackConfig {
            webhook_url,
            bot_token,
            channel: channel.to_owned(),
            api_url: None,
        };
        for (config, key) in [
            (config(None, None, ""), "webhook_url"),
            (config(secret("http://h/hush"), secret("xoxb-hush"), "C1"), "bot_token"),
            (config(None, secret("xoxb-hush"), ""), "channel"),
            (config(None, secret("xoxb-hush\n"), "C1"), "bot_token"),
            (config(secret("hush"), None, ""), "webhook_url"),
        ] {
            let error = Slack::new(&config).unwrap_err();
            assert_eq!(error.key, key);
            assert!(!format!("{error} {config:?}").contains("hush"), "{error}");
        }
        let slack = Slack::new(&config(None, secret("xoxb-hush"), "#ops")).unwrap();
        assert!(!format!("{slack:?}").contains("hush"));
    }
}
