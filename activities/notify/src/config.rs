//! What a channel is made of: its name, how often it may be told, and what its kind needs.
//!
//! Plain structs without a format of their own: the configuration file is read and explained elsewhere. What is checked
//! here is what only the channel knows, at the start and not on the night on which it is needed.

use crate::alertmanager::AlertmanagerConfig;
use crate::discord::DiscordConfig;
use crate::email::EmailConfig;
use crate::exec::ExecConfig;
use crate::matrix::MatrixConfig;
use crate::pagerduty::PagerDutyConfig;
use crate::rate::Rate;
use crate::slack::SlackConfig;
use crate::telegram::TelegramConfig;
use crate::webhook::WebhookConfig;
use dixmgr_contract::Span;

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelConfig {
    /// Its name, for people, metrics and notes on their way.
    pub name: String,
    /// What it is.
    pub settings: Settings,
    /// How often it is told at most; absent: as its kind bears ([`Settings::usual_rate`]).
    pub rate: Option<Rate>,
    /// How long it may take for a note, up to 40 s; absent: as its kind needs ([`Settings::usual_timeout`]).
    pub timeout: Option<Span>,
}

/// What a channel is, and what it needs for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// Lines in our own log.
    Log,
    /// JSON to a URL.
    Webhook(WebhookConfig),
    /// Slack, by an incoming webhook or as a bot.
    Slack(SlackConfig),
    /// Mail.
    Email(EmailConfig),
    /// Alertmanager, as Prometheus tells it.
    Alertmanager(AlertmanagerConfig),
    /// PagerDuty, Events API v2.
    PagerDuty(PagerDutyConfig),
    /// A Telegram bot.
    Telegram(TelegramConfig),
    /// A Discord webhook.
    Discord(DiscordConfig),
    /// A Matrix room.
    Matrix(MatrixConfig),
    /// A program on this host.
    Exec(ExecConfig),
}

impl Settings {
    /// The word for the kind in a configuration and in metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Email(_) => "email",
            Self::Alertmanager(_) => "alertmanager",
            Self::PagerDuty(_) => "pagerduty",
            Self::Telegram(_) => "telegram",
            Self::Discord(_) => "discord",
            Self::Matrix(_) => "matrix",
            Self::Exec(_) => "exec",
        }
    }

    /// What the kind bears, below what its service says: Slack 1/s a channel; Telegram 20/min a group; Discord 30/min a
    /// webhook; PagerDuty 120/min a key. The rest is ours to choose.
    pub const fn usual_rate(&self) -> Rate {
        let (every, burst) = match self {
            Self::Log | Self::Alertmanager(_) => (10, 1_000),
            Self::Webhook(_) => (100, 50),
            Self::Slack(_) => (1_100, 5),
            Self::Email(_) => (2_000, 10),
            Self::PagerDuty(_) => (600, 20),
            Self::Telegram(_) => (3_100, 5),
            Self::Discord(_) => (2_100, 5),
            Self::Matrix(_) => (1_000, 10),
            Self::Exec(_) => (200, 20),
        };
        Rate { every: Span::from_millis(every), burst }
    }

    /// How long a note may take; absent: as long as whoever delivers allows.
    pub const fn usual_timeout(&self) -> Option<Span> {
        match self {
            Self::Exec(_) => Some(Span::from_secs(30)),
            _ => None,
        }
    }
}

/// What is wrong with a channel's configuration. It never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {reason}")]
pub struct ConfigError {
    /// The key, as in the configuration file.
    pub key: &'static str,
    /// What is wrong with it and what to do, to follow the key: `is missing; …`.
    pub reason: String,
}

impl ConfigError {
    pub(crate) fn new(key: &'static str, reason: impl Into<String>) -> Self {
        Self { key, reason: reason.into() }
    }
}

/// Turns a reason into the error of that key.
pub(crate) fn at(key: &'static str) -> impl Fn(String) -> ConfigError {
    move |reason| ConfigError { key, reason }
}
