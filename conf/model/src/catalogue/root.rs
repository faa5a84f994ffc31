//! The sections of a file, dixmgr's own and those of the dotidx format.

use super::{
    DAY, HOUR, Key, Kind, Literal, MINUTE, SECOND, Section, alerts, integer, key, seconds,
    service::{DEFAULTS, SERVICE},
};
use crate::form::Form;

/// A whole file.
pub const ROOT: Section = Section::new(
    "The file. Every section is optional, but something must be supervised.",
    &[
        key("temporal", Kind::Section(&TEMPORAL), "How Temporal is reached."),
        key("systemd", Kind::Section(&SYSTEMD), "Which systemd is watched."),
        key("metrics", Kind::Section(&METRICS), "The admin server and the metrics."),
        key("hosts", Kind::Section(&HOSTS), "The lease of each host."),
        key("resources", Kind::Section(&RESOURCES), "Sampling of CPU, memory and disk."),
        key("defaults", Kind::Section(&DEFAULTS), "Any key of a service but `unit`, for all of them."),
        key("services", Kind::MapOf(Form::Service, &Kind::Section(&SERVICE)), "The services, by name."),
        key("clusters", Kind::MapOf(Form::Service, &Kind::Section(&CLUSTER)), "Groups of services, by name."),
        key("alerts", Kind::Section(&alerts::ALERTS), "Who is told what."),
        key("history", Kind::Section(&HISTORY), "What is remembered, and where."),
        key("watcher", Kind::Section(&WATCHER), "Supervision as a whole."),
        key(
            "parachains",
            Kind::MapOf(Form::Chain, &Kind::MapOf(Form::Chain, &Kind::Section(&CHAIN))),
            "The dotidx format: the chains, by relay chain. The table named like its relay is the relay chain.",
        ),
        ignored("dotidx_db"),
        ignored("dotidx_batch"),
        ignored("dotidx_fe"),
        ignored("filesystem"),
        ignored("monitoring"),
        ignored("target_dir"),
        ignored("name"),
        ignored("dotidx_root"),
        ignored("dotidx_backup"),
        ignored("dotidx_run"),
        ignored("dotidx_logs"),
        ignored("dotidx_bin"),
        ignored("dotidx_static"),
    ],
);

const fn ignored(name: &'static str) -> Key {
    key(name, Kind::Ignored, "Accepted for dotidx, not used.")
}

const TEMPORAL: Section = Section::new(
    "How Temporal is reached.",
    &[
        key("hostport", Kind::Text(Form::HostPort), "Host and port of the frontend (flag `-temporal-host`).")
            .or_flag(Literal::Text("localhost:7233")),
        key("namespace", Kind::Text(Form::Line), "The namespace (flag `-temporal-namespace`).")
            .or_flag(Literal::Text("dotidx")),
        key("taskqueue", Kind::Text(Form::Queue), "The queue of workflows; the other queues' names begin with it.")
            .or(Literal::Text("dotidx-watcher")),
        key("tls_cert", Kind::Text(Form::Path), "PEM file of the client certificate; needs `tls_key`."),
        key("tls_key", Kind::Text(Form::Path), "PEM file of its key; needs `tls_cert`."),
        key("tls_ca", Kind::Text(Form::Path), "PEM file of the authorities that vouch for the server; turns TLS on."),
        key("api_key", Kind::Text(Form::Line), "Sent as bearer token.").secret(),
    ],
);

const SYSTEMD: Section = Section::new(
    "Which systemd is watched.",
    &[key("bus", Kind::OneOf(&["system", "session"]), "The machine's manager, or that of the user.")
        .or(Literal::Text("system"))],
);

const METRICS: Section = Section::new(
    "The admin server: metrics, page and API.",
    &[
        key("enabled", Kind::Bool, "Whether metrics are served (flag `-metrics`).").or_flag(Literal::Bool(true)),
        key("listen", Kind::Text(Form::Address), "The address to listen on; `0.0.0.0` to be scraped from afar.")
            .or(Literal::Text("127.0.0.1")),
        key("port", integer(0, 65_535), "The port (flag `-metrics-port`); 0 takes a free one.")
            .or_flag(Literal::Integer(9090)),
        key("namespace", Kind::Text(Form::MetricPrefix), "What the metrics' names begin with.")
            .or(Literal::Text("dixmgr")),
    ],
);

const HOSTS: Section = Section::new(
    "The lease of each host.",
    &[key("lease_timeout", seconds(2 * SECOND, 10 * MINUTE), "A host is lost after this long without a heartbeat.")
        .or(Literal::Text("15s"))],
);

/// File systems.
pub(super) const PATHS: Kind = Kind::ListOf(&Kind::Text(Form::Path));

const RESOURCES: Section = Section::new(
    "Sampling of CPU, memory and disk.",
    &[
        key("sample_interval", seconds(SECOND, HOUR), "How often they are read.").or(Literal::Text("5s")),
        key("paths", PATHS, "File systems that are measured beside that of `/`, by a path in each.")
            .or(Literal::EmptyList),
    ],
);

const HISTORY: Section = Section::new(
    "What is remembered of services and incidents, and where.",
    &[
        key("url", Kind::Text(Form::Store), "`sqlite` (in the state directory), `sqlite:FILE` or `postgres://…`.")
            .or(Literal::Text("sqlite"))
            .secret(),
        key("retention", seconds(HOUR, 3_650 * DAY), "How long it is kept.").or(Literal::Text("30d")),
        key(
            "retention_raw",
            seconds(10 * MINUTE, 3_650 * DAY),
            "How long samples are kept as they came, those of a minute that are the same as one.",
        )
        .or(Literal::Text("2h")),
        key(
            "retention_5m",
            seconds(6 * HOUR, 3_650 * DAY),
            "How long sums over five minutes are kept; then hours remain.",
        )
        .or(Literal::Text("7d")),
        key("max_size", Kind::Size { min: 4 << 20, max: 64 << 40 }, "The most that the file of `sqlite` may have.")
            .or(Literal::Text("1GiB")),
    ],
);

const CLUSTER: Section = Section::new(
    "A group of services of which some must be up at any time.",
    &[
        key("members", Kind::ListOf(&Kind::Text(Form::Service)), "The services in it.").required(),
        key("quorum", integer(1, 10_000), "How many must be up; omitted: a majority."),
        key("mode", Kind::OneOf(&["active", "standby"]), "All run, or one at a time.").or(Literal::Text("active")),
        key(
            "healthy_for",
            seconds(0, DAY),
            "A restarted member must be ready this long before the next one is restarted.",
        )
        .or(Literal::Text("10s")),
        key("member_timeout", seconds(SECOND, DAY), "How long a member may take to be ready, or down, when asked to.")
            .or(Literal::Text("5m")),
    ],
);

const WATCHER: Section = Section::new(
    "Supervision as a whole. Numbers without a unit are nanoseconds, as the Go version read them.",
    &[
        key("watch_interval", seconds(SECOND, HOUR), "How often every unit is looked at again, as a safety net.")
            .or(Literal::Text("30s")),
        key("max_restarts", integer(0, 1_000), "The default of a service's `restart.max`."),
        key("restart_backoff", seconds(0, DAY), "The default of a service's `restart.backoff`."),
        key(
            "operation_timeout",
            seconds(SECOND, HOUR),
            "How long systemd may take for one job before it counts as failed.",
        )
        .or(Literal::Text("2m")),
    ],
);

const CHAIN: Section = Section {
    doc: "One chain. Keys that are not listed are dotidx's own and ignored.",
    keys: &[
        key("port_rpc", integer(1, 65_535), "The node's RPC port on this machine; omitted: its sync is not checked."),
        key("sidecar_count", integer(0, 1_000), "How many sidecars it has."),
    ],
    open: true,
};
