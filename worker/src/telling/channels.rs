//! The channels of the configuration, ready to be told.
//!
//! The configuration knows which keys a channel has; whether they can be right (a signature's secret, a mail address, a
//! token) the channel itself says. Both are said in the same way, before anything is started.
//!
//! Rejected: one type for both. The configuration would know the adapters, or they would know it.

use dixmgr_model::{Channel, ChannelRate, ChannelSettings, Config, ConfigErrors, Problem, Secret, SmtpTls};
use dixmgr_notify::{
    AlertmanagerConfig, ChannelConfig, ConfigError, DiscordConfig, EmailConfig, ExecConfig, MailTls, MatrixConfig, Net,
    PagerDutyConfig, Rate, Settings, SlackConfig, TelegramConfig, WebhookConfig,
};
use std::collections::BTreeMap;
use std::path::Path;

/// Channels that are ready, by name.
pub(crate) type Channels = BTreeMap<String, dixmgr_notify::Channel>;

/// A file in which nothing is wrong, as far as can be told without asking anybody, and the channels that it enables.
///
/// # Errors
/// Everything that is wrong with it, at once; with its channels, if nothing else is.
pub(crate) fn load(file: &Path) -> Result<(Config, Channels), ConfigErrors> {
    let config = dixmgr_model::load(file)?;
    let channels = channels(&config)?;
    Ok((config, channels))
}

/// Makes the channels that are enabled. Those that are not are checked as well. It reads certificates, and asks nobody.
///
/// # Errors
/// What is wrong with any of them, as a problem of the file, without what is secret in it.
pub(crate) fn channels(config: &Config) -> Result<Channels, ConfigErrors> {
    let (mut channels, mut problems) = (Channels::new(), Vec::new());
    let shared = Net::new();
    for channel in &config.alerts.channels {
        let net = channel.tls_ca.as_deref().map_or_else(|| shared.clone(), Net::trusting);
        match net.and_then(|net| dixmgr_notify::Channel::new(&channel_config(channel), &net)) {
            Ok(made) if channel.enabled => {
                channels.insert(made.name().to_owned(), made);
            }
            Ok(_) => {}
            Err(error) => problems.push(problem(channel, error)),
        }
    }
    if problems.is_empty() { Ok(channels) } else { Err(ConfigErrors { source: config.source.clone(), problems }) }
}

fn problem(channel: &Channel, error: ConfigError) -> Problem {
    let ConfigError { key, reason } = error;
    let line = channel.line_of(key);
    let whose = if line.is_some() { "" } else { ", of a flag" };
    Problem {
        path: format!("{}.{key}", channel.path),
        line,
        message: reason,
        hint: Some(format!("channel {}{whose}", channel.name())),
    }
}

fn channel_config(channel: &Channel) -> ChannelConfig {
    let rate = channel.rate.map(|ChannelRate { every, burst }| Rate { every, burst });
    let settings = settings(&channel.settings);
    ChannelConfig { name: channel.name().to_owned(), settings, rate, timeout: channel.timeout }
}

fn hidden(secret: &Secret) -> dixmgr_notify::Secret {
    dixmgr_notify::Secret::new(secret.expose())
}

fn all_hidden(secrets: &BTreeMap<String, Secret>) -> BTreeMap<String, dixmgr_notify::Secret> {
    secrets.iter().map(|(name, secret)| (name.clone(), hidden(secret))).collect()
}

fn settings(settings: &ChannelSettings) -> Settings {
    match settings {
        ChannelSettings::Log => Settings::Log,
        ChannelSettings::Webhook(of) => Settings::Webhook(WebhookConfig {
            url: hidden(&of.url),
            headers: all_hidden(&of.headers),
            secrets: of.secrets.iter().map(hidden).collect(),
        }),
        ChannelSettings::Slack(of) => Settings::Slack(SlackConfig {
            webhook_url: of.webhook_url.as_ref().map(hidden),
            bot_token: of.bot_token.as_ref().map(hidden),
            channel: of.channel.clone().unwrap_or_default(),
            api_url: of.api_url.as_ref().map(hidden),
        }),
        ChannelSettings::Email(of) => Settings::Email(EmailConfig {
            smtp_host: of.smtp_host.clone(),
            smtp_port: of.smtp_port,
            tls: of.tls.map(tls),
            username: of.username.clone(),
            password: of.password.as_ref().map(hidden),
            from: of.from.clone(),
            to: of.to.clone(),
            helo: of.helo.clone(),
        }),
        ChannelSettings::Alertmanager(of) => {
            Settings::Alertmanager(AlertmanagerConfig { url: hidden(&of.url), resend: of.resend })
        }
        ChannelSettings::PagerDuty(of) => Settings::PagerDuty(PagerDutyConfig {
            routing_key: hidden(&of.routing_key),
            api_url: of.api_url.as_ref().map(hidden),
        }),
        ChannelSettings::Telegram(of) => Settings::Telegram(TelegramConfig {
            bot_token: hidden(&of.bot_token),
            chat_id: of.chat_id.clone(),
            api_url: of.api_url.as_ref().map(hidden),
        }),
        ChannelSettings::Discord(of) => Settings::Discord(DiscordConfig { webhook_url: hidden(&of.webhook_url) }),
        ChannelSettings::Matrix(of) => Settings::Matrix(MatrixConfig {
            homeserver: of.homeserver.clone(),
            access_token: hidden(&of.access_token),
            room_id: of.room_id.clone(),
        }),
        ChannelSettings::Exec(of) => {
            Settings::Exec(ExecConfig { program: of.program.clone(), args: of.args.clone(), env: all_hidden(&of.env) })
        }
    }
}

const fn tls(tls: SmtpTls) -> MailTls {
    match tls {
        SmtpTls::Starttls => MailTls::Starttls,
        SmtpTls::Tls => MailTls::Tls,
        SmtpTls::None => MailTls::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let text = format!("[services.api]\nunit = 'api.service'\n{text}");
        dixmgr_model::parse(&text, "x.toml", &|_| None).unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[test]
    fn every_type_is_made_as_it_is_written() {
        // The file of authorities that the full example names is not on every machine.
        let text = include_str!("../../../conf/examples/full.toml")
            .replace("tls_ca = \"/etc/ssl/certs/ca-certificates.crt\"", "");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = dixmgr_model::parse(&text, "x.toml", &|_| None).unwrap();
        let made = channels(&config).unwrap();
        let kinds: Vec<_> = made.iter().map(|(name, channel)| (name.as_str(), channel.kind())).collect();
        assert_eq!(
            kinds,
            [
                ("alertmanager", "alertmanager"),
                ("discord", "discord"),
                ("hook", "webhook"),
                ("log", "log"),
                ("mail", "email"),
                ("matrix", "matrix"),
                ("pager", "pagerduty"),
                ("program", "exec"),
                ("slack", "slack"),
                ("slack-bot", "slack"),
                ("telegram", "telegram"),
            ]
        );
        let shown = format!("{made:?} {:?}", config.alerts);
        for secret in ["services/example", "xoxb-example", "123456:example", "\"example\""] {
            assert!(text.contains(secret) && !shown.contains(secret), "{secret} is in {shown}");
        }
    }

    #[test]
    fn what_only_a_channel_can_tell_is_said_with_its_place_and_without_its_secrets() {
        let config = config(
            "[[alerts.channels]]\ntype = 'webhook'\nname = 'hook'\nurl = 'http://h/hush'\nsecrets = ['hush']\n\
             [[alerts.channels]]\ntype = 'email'\nname = 'mail'\nsmtp_host = 'h'\nfrom = 'a'\nto = []\n\
             [[alerts.channels]]\ntype = 'exec'\nname = 'run'\nprogram = 'tell'\nenabled = false\n\
             [[alerts.channels]]\ntype = 'discord'\nname = 'd'\nwebhook_url = 'http://h'\ntls_ca = '/no/such.pem'\n",
        );
        let errors = channels(&config).map(|_| ()).unwrap_err();
        let said: Vec<_> = errors
            .problems
            .iter()
            .map(|problem| (problem.path.as_str(), problem.line, problem.hint.as_deref()))
            .collect();
        assert_eq!(
            said,
            [
                ("alerts.channels[0].secrets", Some(7), Some("channel hook")),
                ("alerts.channels[1].from", Some(12), Some("channel mail")),
                ("alerts.channels[2].program", Some(17), Some("channel run")),
                ("alerts.channels[3].tls_ca", Some(23), Some("channel d")),
            ]
        );
        assert!(!errors.to_string().contains("hush"), "{errors}");
    }

    #[test]
    fn a_channel_that_is_not_enabled_is_not_told_and_a_bad_flag_is_said_to_be_one() {
        let mut config =
            config("[[alerts.channels]]\ntype = 'webhook'\nname = 'hook'\nurl = 'http://h'\nenabled = false\n");
        let names = |config: &Config| -> Vec<String> { channels(config).unwrap().into_keys().collect() };
        assert_eq!(names(&config), ["log"]);
        config.alerts.use_slack_webhook(Secret::new("http://h/slack"));
        assert_eq!(names(&config), ["log", "slack"]);
        config.alerts.use_webhook(Secret::new("hush"));
        let said = channels(&config).map(|_| ()).unwrap_err().to_string();
        assert!(said.starts_with("x.toml: alerts.channels.url: is not a URL") && said.contains("of a flag"), "{said}");
        assert!(!said.contains("hush"), "{said}");
    }

    #[test]
    fn a_dry_run_tells_its_log_alone_and_a_bad_channel_is_said_all_the_same() {
        let mut config = config("[[alerts.channels]]\ntype = 'webhook'\nname = 'hook'\nurl = 'http://h'\n");
        config.alerts.tell_log_alone();
        let routes: Vec<_> = config.alerts.policy.channels.iter().map(|route| route.name.as_str()).collect();
        assert_eq!(routes, ["log"]);
        assert_eq!(channels(&config).unwrap().into_keys().collect::<Vec<_>>(), ["log"]);
        config.alerts.use_webhook(Secret::new("hush"));
        config.alerts.tell_log_alone();
        assert!(channels(&config).is_err());
    }
}
