//! The keys of a channel, and which type each belongs to.

use super::{
    DAY, HOUR, Key, Kind, Literal, SECOND, Section,
    alerts::{SEVERITY, TEXTS},
    integer, key, seconds,
};
use crate::form::Form;
use dixmgr_contract::Span;

const TYPES: [&str; 10] =
    ["log", "webhook", "slack", "email", "alertmanager", "pagerduty", "telegram", "discord", "matrix", "exec"];

/// Keys that only some types have, and those types.
pub(crate) const CHANNEL_BELONGS: [(&[&str], &[&str]); 14] = [
    (&["url"], &["webhook", "alertmanager"]),
    (&["headers", "secrets"], &["webhook"]),
    (&["webhook_url"], &["slack", "discord"]),
    (&["bot_token"], &["slack", "telegram"]),
    (&["channel"], &["slack"]),
    (&["smtp_host", "smtp_port", "tls", "username", "password", "from", "to", "helo"], &["email"]),
    (&["resend"], &["alertmanager"]),
    (&["routing_key"], &["pagerduty"]),
    (&["chat_id"], &["telegram"]),
    (&["homeserver", "access_token", "room_id"], &["matrix"]),
    (&["program", "args", "env"], &["exec"]),
    (&["api_url"], &["slack", "pagerduty", "telegram"]),
    (&["tls_ca"], &["webhook", "slack", "email", "alertmanager", "pagerduty", "telegram", "discord", "matrix"]),
    (
        &["timeout"],
        &["webhook", "slack", "email", "alertmanager", "pagerduty", "telegram", "discord", "matrix", "exec"],
    ),
];

/// Keys that a type cannot be without. Slack has a choice and is looked at apart.
pub(crate) const CHANNEL_NEEDS: [(&str, &[&str]); 8] = [
    ("webhook", &["url"]),
    ("email", &["smtp_host", "from", "to"]),
    ("alertmanager", &["url"]),
    ("pagerduty", &["routing_key"]),
    ("telegram", &["bot_token", "chat_id"]),
    ("discord", &["webhook_url"]),
    ("matrix", &["homeserver", "access_token", "room_id"]),
    ("exec", &["program"]),
];

/// `[[alerts.channels]]`.
pub(crate) const CHANNEL: Section = Section::new(
    "Where notes go. Which further keys apply depends on the type. There is always a channel `log`, unless the file has one \
     of that type.",
    &KEYS,
);

const KEYS: [Key; 35] = [
    key("type", Kind::OneOf(&TYPES), "What it is.").required(),
    key("name", Kind::Text(Form::Word), "Its name, for metrics and messages.").required(),
    key("enabled", Kind::Bool, "Whether it is used.").or(Literal::Bool(true)),
    key("min_severity", SEVERITY, "Lesser alerts are not sent here.").or(Literal::Text("info")),
    key(
        "match",
        Kind::ListOf(&Kind::Text(Form::Matcher)),
        "Only alerts whose labels (`type`, `rule`, `service`, `host`, `kind`, `chain`, and the rule's own) fit all of these.",
    )
    .or(Literal::EmptyList),
    key("rate_limit", Kind::Section(&RATE_LIMIT), "How much one incident may send here."),
    key("fallback", Kind::Text(Form::Word), "The channel that is told as well when this one fails."),
    key("fallback_after", seconds(0, DAY), "How long it may fail before.").or(Literal::Text("5m")),
    key("rate", Kind::Section(&RATE), "How much all incidents may send here, from each host; omitted: what its type bears."),
    key(
        "timeout",
        Kind::Duration { min: Span::from_millis(10), max: Span::from_secs(40) },
        "All but log: how long it may take for a note; omitted: `\"45s\"`, exec `\"30s\"`.",
    ),
    key("tls_ca", Kind::Text(Form::Path), "All but log and exec: PEM file of the authorities; omitted: the host's."),
    key("url", Kind::Text(Form::Url), "webhook: where to post. alertmanager: where it is, such as `http://host:9093`.")
        .secret(),
    key("headers", Kind::MapOf(Form::Header, &Kind::Text(Form::Line)), "webhook: sent along.")
        .or(Literal::EmptyTable)
        .secret(),
    key(
        "secrets",
        Kind::ListOf(&Kind::Text(Form::Line)),
        "webhook: notes are signed with each (Standard Webhooks), `whsec_` and 24 to 64 bytes in base64.",
    )
    .or(Literal::EmptyList)
    .secret(),
    key("webhook_url", Kind::Text(Form::Url), "slack: the incoming webhook. discord: the webhook.").secret(),
    key("bot_token", Kind::Text(Form::Line), "slack: a bot's token (`xoxb-…`), instead of a webhook. telegram: the bot's token.")
        .secret(),
    key("channel", Kind::Text(Form::Line), "slack: the bot's channel, `C0123456789` or `#name`."),
    key("api_url", Kind::Text(Form::Url), "slack (bot), pagerduty, telegram: another API than their own.").secret(),
    key("smtp_host", Kind::Text(Form::Line), "email: the mail server."),
    key("smtp_port", integer(1, 65_535), "email: its port; 465 is TLS from the start.").or(Literal::Integer(587)),
    key(
        "tls",
        Kind::OneOf(&["starttls", "tls", "none"]),
        "email: how it is kept private; omitted: `\"tls\"` on port 465, else `\"starttls\"`.",
    ),
    key("username", Kind::Text(Form::Line), "email: the user at the mail server."),
    key("password", Kind::Text(Form::Line), "email: the user's password.").secret(),
    key("from", Kind::Text(Form::Line), "email: the sender."),
    key("to", TEXTS, "email: the recipients, 1 to 50."),
    key("helo", Kind::Text(Form::Domain), "email: our name to the server; omitted: this host's."),
    key("resend", seconds(SECOND, HOUR), "alertmanager: how often an alert is told again; omitted: `\"1m\"`."),
    key("routing_key", Kind::Text(Form::Line), "pagerduty: the key of an Events API v2 integration.").secret(),
    key("chat_id", Kind::Text(Form::Word), "telegram: the chat's number in quotes, or `@name`."),
    key("homeserver", Kind::Text(Form::Url), "matrix: the homeserver's URL."),
    key("access_token", Kind::Text(Form::Line), "matrix: the user's access token.").secret(),
    key("room_id", Kind::Text(Form::Line), "matrix: the room's id, `!abc:example.org`."),
    key("program", Kind::Text(Form::Path), "exec: the program, as an absolute path. It gets the note as JSON on its input."),
    key("args", Kind::ListOf(&Kind::Text(Form::Any)), "exec: its arguments, up to 50.").or(Literal::EmptyList),
    key("env", Kind::MapOf(Form::Word, &Kind::Text(Form::Any)), "exec: its environment besides `PATH` and `LANG`.")
        .or(Literal::EmptyTable)
        .secret(),
];

const RATE_LIMIT: Section = Section::new(
    "How much one incident may send to the channel; what is too much is told in one note later.",
    &[
        key("notes", integer(1, 10_000), "So many notes.").required(),
        key("per", seconds(SECOND, DAY), "In this time.").or(Literal::Text("1m")),
    ],
);

const RATE: Section = Section::new(
    "How much all incidents together may send to the channel from each host, which counts by itself; the rest waits.",
    &[
        key(
            "every",
            Kind::Duration { min: Span::from_millis(1), max: Span::from_secs(HOUR) },
            "One note in this time in the long run.",
        )
        .required(),
        key("burst", integer(1, 10_000), "So many at once after a quiet time.").or(Literal::Integer(1)),
    ],
);
