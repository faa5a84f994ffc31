//! Telling people: one note to one channel, and what became of it.
//!
//! A [`Channel`] is made of a [`ChannelConfig`] and delivers a [`Note`](dixmgr_contract::Note). What a note says is the same
//! in all of them (`say`); how it looks is a pure function of the note in each channel's own file, within that service's
//! limits whatever the note holds: it is shortened, never refused. What an answer means is one table (`answer`) and what
//! a service adds to it. Whether to try again, and when, is decided elsewhere, and kept there.
//!
//! Everything that answers is taken for hostile: it may be slow, endless, send us elsewhere, or repeat our own secrets to
//! us. So its words are shown only if they are on a list of ours.
//!
//! Rejected: a crate for each service. What is used of them is one call, and their errors would have to be searched for
//! our keys all the same.

pub mod alertmanager;
mod answer;
mod bound;
mod channel;
mod config;
mod discord;
mod email;
mod exec;
mod log;
mod matrix;
mod net;
mod pagerduty;
mod place;
mod rate;
mod say;
mod secret;
mod sign;
mod slack;
mod telegram;
#[cfg(test)]
mod testing;
mod text;
mod token;
mod webhook;

pub use alertmanager::AlertmanagerConfig;
pub use channel::{Channel, DELIVERY};
pub use config::{ChannelConfig, ConfigError, Settings};
pub use discord::DiscordConfig;
pub use email::{EmailConfig, MailTls};
pub use exec::ExecConfig;
pub use matrix::MatrixConfig;
pub use net::Net;
pub use pagerduty::PagerDutyConfig;
pub use rate::{Bucket, Rate};
pub use secret::Secret;
pub use slack::SlackConfig;
pub use telegram::TelegramConfig;
pub use webhook::WebhookConfig;
