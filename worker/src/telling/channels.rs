//! The channels of the configuration, ready to be told.
//!
//! The configuration knows which keys a channel has; whether they can be right (a signature's secret, a mail address, a
//! token) the channel itself says. Both are said in the same way, before anything is started.
//!
//! Rejected: one type for both. The configuration would know the adapters, or they would know it.

use dixmgr_model::{Alerts, Channel, ChannelRate, ChannelSettings, ConfigErrors, Problem, Secret, SmtpTls};
use dixmgr_notify::{
    AlertmanagerConfig, ChannelConfig, ConfigError, DiscordConfig, EmailConfig, ExecConfig, MailTls, MatrixConfig, Net,
    PagerDutyConfig, Rate, Settings, SlackConfig, TelegramConfig, WebhookConfig,
};
use std::collections::BTreeMap;

/// Makes the channels that are enabled. Those that are not are checked as well. It reads certificates, and asks nobody.
///
/// # Errors
/// What is wrong with any of them, as a problem of the file `source`, without what is secret in it.
pub(crate) fn channels(alerts: &Alerts, source: &str) -> Result<Vec<dixmgr_notify::Channel>, ConfigErrors> {
    let (mut channels, mut problems) = (Vec::new(), Vec::new());
    let shared = Net::new();
    for channel in &alerts.channels {
        let net = channel.tls_ca.as_deref().map_or_else(|| shared.clone(), Net::trusting);
        match net.and_then(|net| dixmgr_notify::Channel::new(&config(channel), &net)) {
            Ok(made) if channel.enabled => channels.push(made),
            Ok(_) => {}
            Err(error) => problems.push(problem(channel, error)),
        }
    }
    if problems.is_empty() { Ok(channels) } else { Err(ConfigErrors { source: source.to_owned(), problems }) }
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

fn config(channel: &Channel) -> ChannelConfig {
    let rate = channel.rate.map(|ChannelRate { every, burst }| Rate { every, burst });
    ChannelConfig { name: channel.name().to_owned(), settings: settings(&channel.settings), rate }
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
        ChannelSettings::Exec(of) => Settings::Exec(ExecConfig {
            program: of.program.clone(),
            args: of.args.clone(),
            env: all_hidden(&of.env),
            timeout: of.timeout,
        }),
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

    fn alerts(text: &str) -> Alerts {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let text = format!("[services.api]\nunit = 'api.service'\n{text}");
        dixmgr_model::parse(&text, "x.toml", &|_| None).unwrap_or_else(|errors| panic!("{errors}")).alerts
    }

    #[test]
    fn every_type_is_made_as_it_is_written() {
        // The file of authorities that the full example names is not on every machine.
        let text = include_str!("../../../conf/examples/full.toml")
            .replace("tls_ca = \"/etc/ssl/certs/ca-certificates.crt\"", "");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = dixmgr_model::parse(&text, "x.toml", &|_| None).unwrap();
        let made = channels(&config.alerts, "x.toml").unwrap();
        let kinds: Vec<_> = made.iter().map(|channel| (channel.name(), channel.kind())).collect();
        assert_eq!(
            kinds,
            [
                ("log", "log"),
                ("hook", "webhook"),
                ("slack", "slack"),
                ("slack-bot", "slack"),
                ("mail", "email"),
                ("alertmanager", "alertmanager"),
                ("pager", "pagerduty"),
                ("telegram", "telegram"),
                ("discord", "discord"),
                ("matrix", "matrix"),
                ("program", "exec"),
            ]
        );
        let shown = format!("{made:?} {:?}", config.alerts);
        for secret in ["services/example", "xoxb-example", "123456:example", "\"example\""] {
            assert!(text.contains(secret) && !shown.contains(secret), "{secret} is in {shown}");
        }
    }

    #[test]
    fn what_only_a_channel_can_tell_is_said_with_its_place_and_without_its_secrets() {
        let alerts = alerts(
            "[[alerts.channels]]\ntype = 'webhook'\nname = 'hook'\nurl = 'http://h/hush'\nsecrets = ['hush']\n\
             [[alerts.channels]]\ntype = 'email'\nname = 'mail'\nsmtp_host = 'h'\nfrom = 'a'\nto = []\n\
             [[alerts.channels]]\ntype = 'exec'\nname = 'run'\nprogram = 'tell'\nenabled = false\n\
             [[alerts.channels]]\ntype = 'discord'\nname = 'd'\nwebhook_url = 'http://h'\ntls_ca = '/no/such.pem'\n",
        );
        let errors = channels(&alerts, "x.toml").map(|_| ()).unwrap_err();
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
        let mut alerts =
            alerts("[[alerts.channels]]\ntype = 'webhook'\nname = 'hook'\nurl = 'http://h'\nenabled = false\n");
        let names = |alerts: &Alerts| -> Vec<String> {
            channels(alerts, "x.toml").unwrap().iter().map(|channel| channel.name().to_owned()).collect()
        };
        assert_eq!(names(&alerts), ["log"]);
        alerts.use_slack_webhook(Secret::new("http://h/slack"));
        assert_eq!(names(&alerts), ["log", "slack"]);
        alerts.use_webhook(Secret::new("hush"));
        let said = channels(&alerts, "x.toml").map(|_| ()).unwrap_err().to_string();
        assert!(said.starts_with("x.toml: alerts.channels.url: is not a URL") && said.contains("of a flag"), "{said}");
        assert!(!said.contains("hush"), "{said}");
    }
}
