//! The keys of alerting: what is told, when, and to whom in which order. Channels have a file of their own.

use super::{DAY, HOUR, Kind, Literal, MINUTE, SECOND, Section, channel::CHANNEL, integer, key, seconds};
use crate::form::Form;
use dixmgr_decide::incident::maintenance::{MAX_LENGTH, MIN_LENGTH};

pub(super) const SEVERITY: Kind = Kind::OneOf(&["info", "warning", "critical"]);
pub(super) const TEXTS: Kind = Kind::ListOf(&Kind::Text(Form::Line));

/// `[alerts]`.
pub(crate) const ALERTS: Section = Section::new(
    "Who is told what.",
    &[
        key("enabled", Kind::Bool, "Whether anybody is told (flag `-alerts`).").or_flag(Literal::Bool(true)),
        key("dedupe_window", seconds(0, 7 * DAY), "What comes back within this time is the same incident.")
            .or(Literal::Text("5m")),
        key("history_limit", integer(0, 1_000_000), "Accepted for the Go version; `[history]` says what is kept.")
            .or(Literal::Integer(1_000)),
        key("enabled_rules", TEXTS, "Only these rules, by name; empty: all.").or(Literal::EmptyList),
        key("disabled_rules", TEXTS, "Not these rules.").or(Literal::EmptyList),
        key("group_wait", seconds(0, HOUR), "Wait this long for more of the same before the first note.")
            .or(Literal::Text("10s")),
        key("group_interval", seconds(SECOND, DAY), "Wait this long between notes about a group that changed.")
            .or(Literal::Text("5m")),
        key("repeat_interval", seconds(0, 30 * DAY), "Tell again after this long while it lasts; 0: never.")
            .or(Literal::Text("4h")),
        key(
            "consequence_grace",
            seconds(0, DAY),
            "What only follows from another trouble is told on its own when it outlives that for so long.",
        )
        .or(Literal::Text("1m")),
        key("give_up", seconds(MINUTE, 30 * DAY), "A note that nobody accepts for this long is given up.")
            .or(Literal::Text("24h")),
        key(
            "group_by",
            Kind::MapOf(Form::AlertType, &Kind::OneOf(&["service", "host", "chain", "fleet"])),
            "What alerts of a type are one incident, by type. Others are by service, but `sync_stalled` is by chain and \
             `service_paused` by fleet.",
        ),
        key("channels", Kind::ListOf(&Kind::Section(&CHANNEL)), "Where notes go.").or(Literal::EmptyList),
        key("rules", Kind::ListOf(&Kind::Section(&RULE)), "Rules beside the built-in ones.").or(Literal::EmptyList),
        key("escalation", Kind::ListOf(&Kind::Section(&ESCALATION)), "Who is told next.").or(Literal::EmptyList),
        key("maintenance", Kind::ListOf(&Kind::Section(&MAINTENANCE)), "When nobody is told.").or(Literal::EmptyList),
    ],
);

const RULE: Section = Section::new(
    "A rule: a condition on services, and how bad it is. One without `when` is the built-in rule of its type: what it \
     does not say is as there.",
    &[
        key("name", Kind::Text(Form::Word), "Its name; that of a built-in rule replaces it.").required(),
        key("type", Kind::Text(Form::Word), "What it is about, such as `high_cpu`, or a word of your own.").required(),
        key("severity", SEVERITY, "How bad it is; omitted: `\"warning\"`."),
        key("when", Kind::Text(Form::Any), "The CEL condition that fires it; empty: that of its type.")
            .or(Literal::Text("")),
        key("for", seconds(0, 7 * DAY), "It must hold this long; omitted: `\"0s\"`."),
        key(
            "clear",
            Kind::Text(Form::Any),
            "What ends it: a CEL condition, or for how long `when` must not hold; empty: as soon as it does not.",
        )
        .or(Literal::Text("")),
        key(
            "of",
            Kind::ListOf(&integer(1, 64)),
            "`[k, n]`: `when` must be true of k of the last n samples; omitted: of the last one.",
        ),
        key("window", seconds(SECOND, 7 * DAY), "The window in which `restarts` counts; `{window}` in a message.")
            .or(Literal::Text("5m")),
        key("services", TEXTS, "The services it applies to, as globs; empty: all.").or(Literal::EmptyList),
        key(
            "labels",
            Kind::MapOf(Form::Word, &Kind::Text(Form::Label)),
            "Labels of its alerts, for channels to match.",
        )
        .or(Literal::EmptyTable),
        key(
            "message",
            Kind::Text(Form::Any),
            "What is told; facts between braces, as in `{service} uses {cpu_percent} %`.",
        )
        .or(Literal::Text("")),
    ],
);

const ESCALATION: Section = Section::new(
    "A step of the escalation, in the order of the file, until somebody acknowledges. A channel that no step names is \
     told at once.",
    &[
        key("wait", seconds(0, 7 * DAY), "How long after the step before, or after the first note.")
            .or(Literal::Text("0s")),
        key("channels", TEXTS, "Who is told then, by name.").required(),
    ],
);

const MAINTENANCE: Section = Section::new(
    "A recurring time in which nobody is told of some services. What is still wrong when it ends is told then.",
    &[
        key("name", Kind::Text(Form::Word), "What it is called.").required(),
        key("weekdays", Kind::ListOf(&Kind::OneOf(&WEEKDAYS)), "The days on which it begins; empty: each day.")
            .or(Literal::EmptyList),
        key("start", Kind::Text(Form::TimeOfDay), "When it begins.").required(),
        key("length", Kind::Duration { min: MIN_LENGTH, max: MAX_LENGTH }, "How long it lasts.").required(),
        key("zone", Kind::Text(Form::Label), "The time zone, such as `Europe/Zurich`; empty: UTC.")
            .or(Literal::Text("")),
        key("services", TEXTS, "The services it is about, as globs; empty: all, and the hosts.").or(Literal::EmptyList),
    ],
);

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
