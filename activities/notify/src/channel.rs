//! One channel: a note goes in, and what became of it comes out.
//!
//! Nothing here tries twice, waits for a turn, or remembers a note: whoever asks does that durably, with the note's id as
//! the key that makes a second try harmless. A channel keeps only what it may forget: its rate, and who has a mail.
//!
//! Which receivers honour the key, so that a try after an answer that was lost is no second message: a webhook by its
//! `webhook-id`, mail by its `Message-ID`, Matrix by its transaction, Alertmanager and PagerDuty since they know the alert
//! already, a program if it keeps the note's `id`. Slack, Telegram and Discord have nothing of the kind: there it may be
//! said twice, and is never said not at all.

use crate::alertmanager::Alertmanager;
use crate::answer::retry;
use crate::config::{ChannelConfig, ConfigError, Settings};
use crate::discord::Discord;
use crate::email::Email;
use crate::exec::Exec;
use crate::log;
use crate::matrix::Matrix;
use crate::net::Net;
use crate::pagerduty::PagerDuty;
use crate::rate::Bucket;
use crate::say::Said;
use crate::slack::Slack;
use crate::telegram::Telegram;
use crate::webhook::Webhook;
use dixmgr_contract::{Delivery, Note, Span, Time};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// How long a channel may take for a note, whoever sends it. The activity that delivers has a minute: it can still say what came of
/// it.
pub const DELIVERY: Duration = Duration::from_secs(45);
/// It ends before [`DELIVERY`] does, so that it is the channel whose time is up.
const MAX_TIMEOUT: Span = Span::from_secs(40);
/// The longest thread that is kept, in bytes.
const MAX_THREAD: usize = 1_024;

/// A channel that is ready.
#[derive(Debug)]
pub struct Channel {
    name: String,
    kind: &'static str,
    way: Way,
    net: Net,
    timeout: Option<Span>,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
enum Way {
    Log,
    Webhook(Webhook),
    Slack(Slack),
    Email(Email),
    Alertmanager(Alertmanager),
    PagerDuty(PagerDuty),
    Telegram(Telegram),
    Discord(Discord),
    Matrix(Matrix),
    Exec(Exec),
}

impl Channel {
    /// Checks `config`. Nothing is asked of the network yet.
    ///
    /// # Errors
    /// [`ConfigError`]: the first key that cannot be right, without what is secret in it.
    pub fn new(config: &ChannelConfig, net: &Net) -> Result<Self, ConfigError> {
        let way = match &config.settings {
            Settings::Log => Way::Log,
            Settings::Webhook(config) => Way::Webhook(Webhook::new(config)?),
            Settings::Slack(config) => Way::Slack(Slack::new(config)?),
            Settings::Email(config) => Way::Email(Email::new(config)?),
            Settings::Alertmanager(config) => Way::Alertmanager(Alertmanager::new(config)?),
            Settings::PagerDuty(config) => Way::PagerDuty(PagerDuty::new(config)?),
            Settings::Telegram(config) => Way::Telegram(Telegram::new(config)?),
            Settings::Discord(config) => Way::Discord(Discord::new(config)?),
            Settings::Matrix(config) => Way::Matrix(Matrix::new(config)?),
            Settings::Exec(config) => Way::Exec(Exec::new(config)?),
        };
        let rate = config.rate.unwrap_or(config.settings.usual_rate());
        let bucket = Mutex::new(Bucket::new(rate));
        let timeout = config.timeout.or(config.settings.usual_timeout());
        if let Some(timeout) = timeout.filter(|timeout| timeout.is_zero() || *timeout > MAX_TIMEOUT) {
            return Err(ConfigError::new("timeout", format!("is {timeout}; up to {MAX_TIMEOUT} are allowed")));
        }
        Ok(Self { name: config.name.clone(), kind: config.settings.kind(), way, net: net.clone(), timeout, bucket })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The word for what it is, such as `slack`.
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// Delivers `note`, once and within `timeout`, usually [`DELIVERY`], or less if its configuration says so. `thread` is what the
    /// last [`Delivery::Sent`] of this incident in this channel gave back, or empty. Dropping the future gives up; then the note may
    /// have arrived or not.
    pub async fn deliver(&self, note: &Note, thread: &str, timeout: Duration) -> Delivery {
        let now = Time::from(SystemTime::now());
        let taken = self.bucket().take(now);
        if let Err(after) = taken {
            return self.wait(after, now);
        }
        let said = Said::of(note);
        let thread = if thread.len() <= MAX_THREAD { thread } else { "" };
        let timeout = self.timeout.map_or(timeout, |own| own.duration().min(timeout));
        let delivery = match tokio::time::timeout(timeout, self.send(&said, thread)).await {
            Ok(delivery) => delivery,
            Err(_) => retry(format!("no answer of the {} within {timeout:?}", self.kind)),
        };
        if let Delivery::Retry { after: Some(after), .. } = &delivery {
            // The other notes are not for its ears either until then.
            self.bucket().hold(Time::from(SystemTime::now()).after(*after));
        }
        delivery
    }

    /// It has no room now. What the channel asked for is its failure; what our own rate asks for is none.
    fn wait(&self, after: Span, now: Time) -> Delivery {
        if self.bucket().is_held(now) {
            return Delivery::Retry { reason: "it has asked to be left alone".to_owned(), after: Some(after) };
        }
        Delivery::Later { after }
    }

    /// After how long the same note has to be delivered again although it was sent; none for most channels
    /// (see [`crate::alertmanager`]).
    pub fn resend_after(&self, note: &Note, now: Time) -> Option<Span> {
        match &self.way {
            Way::Alertmanager(channel) => channel.resend_after(note, now),
            _ => None,
        }
    }

    async fn send(&self, said: &Said, thread: &str) -> Delivery {
        let net = &self.net;
        match &self.way {
            Way::Log => log::send(said),
            Way::Webhook(channel) => channel.send(net, said).await,
            Way::Slack(channel) => channel.send(net, said, thread).await,
            Way::Email(channel) => channel.send(net, said).await,
            Way::Alertmanager(channel) => channel.send(net, said).await,
            Way::PagerDuty(channel) => channel.send(net, said).await,
            Way::Telegram(channel) => channel.send(net, said, thread).await,
            Way::Discord(channel) => channel.send(net, said).await,
            Way::Matrix(channel) => channel.send(net, said, thread).await,
            Way::Exec(channel) => channel.send(said).await,
        }
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
