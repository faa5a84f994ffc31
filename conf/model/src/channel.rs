//! A channel as the file describes it: whom it tells of what, and what its type needs.
//!
//! Whether its URL, token or address can be right only the channel itself knows; it is made, and checked, where it is used.

use crate::Secret;
use dixmgr_contract::{Route, Span};
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf};

/// `[[alerts.channels]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name, and who is told what; a copy is in [`crate::Alerts::policy`] if it is enabled.
    pub route: Route,
    /// Whether it is used.
    pub enabled: bool,
    /// What it is, and what that needs.
    pub settings: ChannelSettings,
    /// How much all incidents together may send to it; absent: what its type bears.
    pub rate: Option<ChannelRate>,
    /// How long it may take for a note, 10 ms to 40 s; absent: as usual.
    pub timeout: Option<Span>,
    /// PEM file of the authorities that its server is checked against; absent: the host's.
    pub tls_ca: Option<PathBuf>,
    /// Where the file describes it, such as `alerts.channels[0]`; `alerts.channels` if a flag or nobody does.
    pub path: String,
    /// The line of each key that the file has, and that of the table as `""`.
    pub(crate) lines: BTreeMap<String, u32>,
}

impl Channel {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.route.name
    }

    /// The line of that key, or of the file that it is read from, or else of the channel; absent if the file does not
    /// describe it.
    pub fn line_of(&self, key: &str) -> Option<u32> {
        let candidates = [key.to_owned(), format!("{key}_file"), String::new()];
        candidates.iter().find_map(|key| self.lines.get(key)).copied()
    }

    /// One that the file does not describe.
    pub(crate) fn new(name: &str, settings: ChannelSettings) -> Self {
        Self {
            route: Route::new(name),
            enabled: true,
            settings,
            rate: None,
            timeout: None,
            tls_ca: None,
            path: "alerts.channels".to_owned(),
            lines: BTreeMap::new(),
        }
    }
}

/// `burst` notes at once, and then one in `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct ChannelRate {
    /// The time between two in the long run, 1 ms to 1 h.
    pub every: Span,
    /// How many at once after a quiet time, 1 or more.
    pub burst: u32,
}

/// What a channel is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ChannelSettings {
    /// Lines in our own log.
    Log,
    /// JSON to a URL.
    Webhook(WebhookChannel),
    /// Slack.
    Slack(SlackChannel),
    /// Mail.
    Email(EmailChannel),
    /// Alertmanager.
    Alertmanager(AlertmanagerChannel),
    /// PagerDuty.
    PagerDuty(PagerDutyChannel),
    /// A Telegram bot.
    Telegram(TelegramChannel),
    /// A Discord webhook.
    Discord(DiscordChannel),
    /// A Matrix room.
    Matrix(MatrixChannel),
    /// A program on this host.
    Exec(ExecChannel),
}

/// `type = "webhook"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WebhookChannel {
    /// Where to post.
    pub url: Secret,
    /// Sent along.
    pub headers: BTreeMap<String, Secret>,
    /// What notes are signed with; empty: not at all.
    pub secrets: Vec<Secret>,
}

/// `type = "slack"`: an incoming webhook, or a bot's token and its channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SlackChannel {
    /// The incoming webhook.
    pub webhook_url: Option<Secret>,
    /// The bot's token.
    pub bot_token: Option<Secret>,
    /// The bot's channel.
    pub channel: Option<String>,
    /// Another API than Slack's own.
    pub api_url: Option<Secret>,
}

/// How mail is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// It begins in clear text and must become TLS.
    Starttls,
    /// TLS from the start.
    Tls,
    /// Not at all: for a server on this host.
    None,
}

/// `type = "email"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EmailChannel {
    /// The mail server.
    pub smtp_host: String,
    /// Its port.
    pub smtp_port: u16,
    /// Absent: TLS on port 465, else STARTTLS.
    pub tls: Option<SmtpTls>,
    /// The user at the server; there if and only if there is a password.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// Our name to the server; absent: this host's.
    pub helo: Option<String>,
}

/// `type = "alertmanager"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AlertmanagerChannel {
    /// Where it is.
    pub url: Secret,
    /// How often an alert is told again; absent: as usual.
    pub resend: Option<Span>,
}

/// `type = "pagerduty"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PagerDutyChannel {
    /// The key of an integration.
    pub routing_key: Secret,
    /// Another API than PagerDuty's own.
    pub api_url: Option<Secret>,
}

/// `type = "telegram"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TelegramChannel {
    /// The bot's token.
    pub bot_token: Secret,
    /// The chat's number, or `@name`.
    pub chat_id: String,
    /// Another API than Telegram's own.
    pub api_url: Option<Secret>,
}

/// `type = "discord"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DiscordChannel {
    /// The webhook.
    pub webhook_url: Secret,
}

/// `type = "matrix"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MatrixChannel {
    /// The homeserver's URL.
    pub homeserver: String,
    /// The user's access token.
    pub access_token: Secret,
    /// The room's id.
    pub room_id: String,
}

/// `type = "exec"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ExecChannel {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// What its environment has besides `PATH` and `LANG`.
    pub env: BTreeMap<String, Secret>,
}
