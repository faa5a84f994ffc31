//! The keys of alerting: what is told, when, and through which channels.

use super::{DAY, HOUR, Kind, Literal, MINUTE, SECOND, Section, integer, key, seconds};
use crate::form::Form;

const SEVERITY: Kind = Kind::OneOf(&["info", "warning", "critical"]);
const TEXTS: Kind = Kind::ListOf(&Kind::Text(Form::Line));

/// `[alerts]`.
pub(super) const ALERTS: Section = Section::new(
    "Who is told what.",
    &[
        key("enabled", Kind::Bool, "Whether anybody is told (flag `-alerts`).").or_flag(Literal::Bool(true)),
        key("dedupe_window", seconds(0, 7 * DAY), "The same alert is told once in this time.").or(Literal::Text("5m")),
        key("history_limit", integer(0, 1_000_000), "How many past alerts are kept.").or(Literal::Integer(1_000)),
        key("enabled_rules", TEXTS, "Only these rules, by name; empty: all.").or(Literal::EmptyList),
        key("disabled_rules", TEXTS, "Not these rules.").or(Literal::EmptyList),
        key("group_wait", seconds(0, HOUR), "Wait this long for more of the same before the first note.")
            .or(Literal::Text("10s")),
        key("group_interval", seconds(SECOND, DAY), "Wait this long between notes about a group that changed.")
            .or(Literal::Text("5m")),
        key("repeat_interval", seconds(MINUTE, 30 * DAY), "Tell again after this long while it lasts.")
            .or(Literal::Text("4h")),
        key("channels", Kind::ListOf(&Kind::Section(&CHANNEL)), "Where notes go.").or(Literal::EmptyList),
        key("rules", Kind::ListOf(&Kind::Section(&RULE)), "Rules beside the built-in ones.").or(Literal::EmptyList),
    ],
);

const CHANNEL: Section = Section::new(
    "Where notes go. Which further keys apply depends on the type.",
    &[
        key("type", Kind::OneOf(&["log", "webhook", "slack", "email"]), "What it is.").required(),
        key("name", Kind::Text(Form::Word), "Its name, for metrics and messages.").required(),
        key("enabled", Kind::Bool, "Whether it is used.").or(Literal::Bool(true)),
        key("min_severity", SEVERITY, "Lesser alerts are not sent here.").or(Literal::Text("info")),
        key("url", Kind::Text(Form::Url), "webhook: where to post.").secret(),
        key("webhook_url", Kind::Text(Form::Url), "slack: the incoming webhook.").secret(),
        key("smtp_host", Kind::Text(Form::Line), "email: the mail server."),
        key("smtp_port", integer(1, 65_535), "email: its port; 465 is TLS from the start.").or(Literal::Integer(587)),
        key("from", Kind::Text(Form::Line), "email: the sender."),
        key("to", TEXTS, "email: the recipients.").or(Literal::EmptyList),
        key("username", Kind::Text(Form::Line), "email: the user at the mail server."),
        key("password", Kind::Text(Form::Line), "email: the user's password.").secret(),
    ],
);

const RULE: Section = Section::new(
    "A rule: a condition on services, and how bad it is.",
    &[
        key("name", Kind::Text(Form::Word), "Its name; that of a built-in rule replaces it.").required(),
        key(
            "type",
            Kind::OneOf(&[
                "service_down",
                "service_degraded",
                "high_cpu",
                "high_memory",
                "high_disk_io",
                "restart_loop",
                "sync_stalled",
                "low_peer_count",
                "dependency_timeout",
                "health_check_failed",
            ]),
            "What it is about.",
        )
        .required(),
        key("severity", SEVERITY, "How bad it is.").or(Literal::Text("warning")),
        key("when", Kind::Text(Form::Any), "The CEL condition that fires it; empty: that of its type.")
            .or(Literal::Text("")),
        key("for", seconds(0, 7 * DAY), "It must hold this long.").or(Literal::Text("0s")),
        key("clear", Kind::Text(Form::Any), "The CEL condition that ends it; empty: that of its type.")
            .or(Literal::Text("")),
        key("services", TEXTS, "The services it applies to, as globs; empty: all.").or(Literal::EmptyList),
    ],
);
