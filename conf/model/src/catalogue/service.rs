//! The keys of a service.

use super::root::PATHS;
use super::{DAY, HOUR, Key, Kind, Literal, MINUTE, SECOND, Section, integer, key, seconds};
use crate::form::Form;
use dixmgr_contract::{Protocol, Span};

/// `[services.<name>]`.
pub(crate) const SERVICE: Section = Section::new("A service: a systemd unit and how it is treated.", &KEYS);

/// `[defaults]`: what a service may say, but for its unit.
pub(super) const DEFAULTS: Section =
    Section::new("Defaults of every service, those of the dotidx format included.", SHARED);

const SHARED: &[Key] = KEYS.split_at(1).1;

const KEYS: [Key; 11] = [
    key("unit", Kind::Text(Form::Unit), "The systemd unit, its type and instance included.").required(),
    key("kind", Kind::Text(Form::Word), "What it is (metrics label `type`).").or(Literal::Text("service")),
    key("chain", Kind::Text(Form::Label), "The chain it serves, if any (metrics label `chain`).").or(Literal::Text("")),
    key("host", Kind::Text(Form::Host), "The only host that takes it; empty: the host whose file this is.")
        .or(Literal::Text("")),
    key("after", Kind::ListOf(&Kind::Text(Form::Service)), "Services that must be ready before it is started.")
        .or(Literal::EmptyList),
    key("dependency", Kind::Section(&DEPENDENCY), "How it waits for them."),
    key("start", Kind::Bool, "Bring it up at start if it is inactive (never under `-watch`).").or(Literal::Bool(true)),
    key(
        "on_dependency_loss",
        Kind::OneOf(&["ignore", "stop", "restart"]),
        "What becomes of it when a dependency is lost.",
    )
    .or(Literal::Text("ignore")),
    key("restart", Kind::Section(&RESTART), "How it is restarted."),
    key("probes", Kind::MapOf(Form::Label, &Kind::Section(&PROBE)), "Checks of its health, by name.")
        .or(Literal::EmptyTable),
    key("resources", Kind::Section(&RESOURCES), "Measuring it."),
];

const DEPENDENCY: Section = Section::new(
    "How a service waits for its dependencies.",
    &[
        key("mode", Kind::OneOf(&["all", "any"]), "Whether all must be ready, or one is enough.")
            .or(Literal::Text("all")),
        key("timeout", seconds(SECOND, 30 * DAY), "How long it waits.").or(Literal::Text("24h")),
        key(
            "on_timeout",
            Kind::OneOf(&["fail", "proceed"]),
            "`fail`: stays down, alerts, waits on; `proceed`: starts anyway, alerts.",
        )
        .or(Literal::Text("fail")),
    ],
);

const RESTART: Section = Section::new(
    "How a failed service is restarted. The first restart is immediate; the waits then grow, with jitter.",
    &[
        key("max", integer(0, 1_000), "Restarts within `window`; 0 means never.").or(Literal::Integer(5)),
        key("window", seconds(SECOND, 30 * DAY), "The sliding window that `max` counts in.").or(Literal::Text("10m")),
        key("backoff", seconds(0, DAY), "The first wait.").or(Literal::Text("1s")),
        key("backoff_max", seconds(0, DAY), "No wait is longer; never less than `backoff`.").or(Literal::Text("5m")),
        key("reset_after", seconds(SECOND, 30 * DAY), "Healthy for this long: the count starts again.")
            .or(Literal::Text("10m")),
        key(
            "prevent_exit_codes",
            Kind::ListOf(&integer(0, 255)),
            "Never restart after the main process ended with one of these.",
        )
        .or(Literal::EmptyList),
        key("on_operator_stop", Kind::OneOf(&["respect", "restart"]), "A `systemctl stop` is left alone, or fought.")
            .or(Literal::Text("respect")),
        key("settle", seconds(0, HOUR), "Wait this long before acting on a failure.").or(Literal::Text("0s")),
        key(
            "restart_on",
            Kind::ListOf(&Kind::OneOf(&["exit", "probe"])),
            "What is a failure: `exit`, the unit's end; `probe`, a probe that says unhealthy; of a node, that it does not answer or stands still, by its own fault.",
        )
        .or(Literal::Words(&["exit"])),
    ],
);

/// What a probe can ask; it asks one of them.
pub(crate) const TARGETS: [&str; 5] = ["url", "tcp", "dns", "grpc", "rpc"];

/// Keys of a probe that asks a blockchain node.
const NODE_KEYS: &[&str] = &["protocol", "min_peers", "max_lag", "stall_warning", "stall_critical"];
const HTTP_KEYS: &[&str] = &[
    "method",
    "headers",
    "body",
    "expect_status",
    "contains",
    "json_path",
    "condition",
    "max_body",
    "redirects",
    "proxy",
    "unix",
    "keep_alive",
];
const TLS_KEYS: &[&str] = &["tls_ca", "tls_cert", "tls_key", "tls_server_name", "certificate_min"];

/// Keys that only some probes have, and those of [`TARGETS`] that make one such.
pub(crate) const BELONGS: [(&[&str], &[&str]); 7] = [
    (HTTP_KEYS, &["url"]),
    (TLS_KEYS, &["url", "tcp", "grpc"]),
    (&["tls"], &["tcp", "grpc"]),
    (&["latency"], &["url", "tcp", "dns", "grpc"]),
    (&["dns_expect"], &["dns"]),
    (&["grpc_service"], &["grpc"]),
    (NODE_KEYS, &["rpc"]),
];

/// The protocols by name, as `dixmgr_contract::Protocol` has them.
const PROTOCOLS: [&str; Protocol::ALL.len()] = {
    let mut names = [""; Protocol::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = Protocol::ALL[index].name();
        index += 1;
    }
    names
};

const PROBE: Section = Section::new(
    "A check of a service's health. It asks one of: an HTTP endpoint (`url`), a port (`tcp`), the resolver (`dns`), a gRPC \
     server (`grpc`), a node's JSON-RPC (`rpc`).",
    &[
        key("url", Kind::Text(Form::Url), "HTTP: whom to ask."),
        key("method", Kind::OneOf(&["GET", "HEAD", "POST", "PUT", "OPTIONS"]), "HTTP: the method.")
            .or(Literal::Text("GET")),
        key("headers", Kind::MapOf(Form::Header, &Kind::Text(Form::Line)), "HTTP: sent along.").or(Literal::EmptyTable),
        key("body", Kind::Text(Form::Any), "HTTP: the body that is sent.").or(Literal::Text("")),
        key("expect_status", integer(100, 599), "HTTP: the status that is healthy; omitted: any 2xx."),
        key("contains", Kind::Text(Form::Any), "HTTP: the body must hold this text.").or(Literal::Text("")),
        key(
            "json_path",
            Kind::Text(Form::JsonPath),
            "HTTP: the value in a JSON body that must be true, `ok`, or above 0, such as `status.healthy`.",
        )
        .or(Literal::Text("")),
        key(
            "condition",
            Kind::Text(Form::Condition),
            "HTTP: a CEL expression that must be true, over `status`, `body`, `headers`, `duration`, \
             `certificate_expires_in`.",
        )
        .or(Literal::Text("")),
        key("max_body", integer(1, 16 << 20), "HTTP: how much of the body is judged, in bytes.")
            .or(Literal::Integer(1 << 20)),
        key("redirects", integer(0, 10), "HTTP: how many redirects are followed; secrets go to no other host.")
            .or(Literal::Integer(0)),
        key("proxy", Kind::Text(Form::Proxy), "HTTP: the proxy to ask through; omitted: none."),
        key("unix", Kind::Text(Form::Path), "HTTP: the unix socket to connect to, whatever the URL's host."),
        key("keep_alive", Kind::Bool, "HTTP: keep the connection for the next time, for 10 minutes at most.")
            .or(Literal::Bool(true)),
        key("tcp", Kind::Text(Form::Peer), "TCP: whom to connect to."),
        key("dns", Kind::Text(Form::Domain), "DNS: the name to resolve, as this host does."),
        key("dns_expect", Kind::ListOf(&Kind::Text(Form::Address)), "DNS: addresses that must be among the answers.")
            .or(Literal::EmptyList),
        key("grpc", Kind::Text(Form::Peer), "gRPC: whom to ask for its health (grpc.health.v1)."),
        key("grpc_service", Kind::Text(Form::Label), "gRPC: the service that is asked about; empty: the server.")
            .or(Literal::Text("")),
        key("tls", Kind::Bool, "TCP, gRPC: speak TLS; omitted: if another key of TLS is there."),
        key("tls_ca", Kind::Text(Form::Path), "TLS: PEM file of the authorities; omitted: the host's."),
        key("tls_cert", Kind::Text(Form::Path), "TLS: PEM file of our certificate."),
        key("tls_key", Kind::Text(Form::Path), "TLS: PEM file of its key."),
        key("tls_server_name", Kind::Text(Form::Domain), "TLS: the name that the certificate is for, if not the host."),
        key("certificate_min", seconds(0, 3_650 * DAY), "TLS: a certificate that ends sooner is degraded."),
        key("rpc", Kind::Text(Form::Url), "Node: its RPC endpoint."),
        key("protocol", Kind::OneOf(&PROTOCOLS), "Node: its language.").or(Literal::Text("substrate")),
        key(
            "min_peers",
            integer(0, 100_000),
            "Node: fewer peers are a warning; 0: it needs none (a `substrate` node says that itself).",
        )
        .or(Literal::Integer(5)),
        key(
            "max_lag",
            integer(1, 1_000_000_000),
            "Node: more blocks (slots) behind the other nodes of its chain is not in sync. More than the chain makes in an \
             `interval`; omitted: `substrate` and `cosmos` 20, `ethereum` and `ethereum-consensus` 10, `bitcoin` 3, `solana` 256.",
        ),
        key(
            "stall_warning",
            seconds(SECOND, DAY),
            "Node: no new block for this long is a warning; omitted: `\"180s\"`, but `bitcoin` `\"90m\"`.",
        ),
        key(
            "stall_critical",
            seconds(SECOND, DAY),
            "Node: no new block for this long is critical; omitted: `\"300s\"`, but `bitcoin` `\"3h\"`.",
        ),
        key(
            "timeout",
            Kind::Duration { min: Span::from_millis(10), max: Span::from_secs(5 * MINUTE) },
            "How long an answer may take.",
        )
        .or(Literal::Text("5s")),
        key(
            "latency",
            Kind::Duration { min: Span::from_millis(1), max: Span::from_secs(5 * MINUTE) },
            "An answer that takes longer is degraded.",
        ),
        key("interval", seconds(SECOND, DAY), "How often it asks.").or(Literal::Text("30s")),
        key("failures", integer(1, 1_000), "Failures in a row before the service counts as unhealthy.")
            .or(Literal::Integer(3)),
        key("successes", integer(1, 1_000), "Successes in a row before it counts as healthy again.")
            .or(Literal::Integer(1)),
        key("start_grace", seconds(0, DAY), "After a start, failures do not count for this long.")
            .or(Literal::Text("60s")),
    ],
);

const RESOURCES: Section = Section::new(
    "Measuring a service.",
    &[
        key("enabled", Kind::Bool, "Whether its CPU, memory and disk are measured.").or(Literal::Bool(true)),
        key("paths", PATHS, "Where it keeps its data: how full these file systems are is measured.")
            .or(Literal::EmptyList),
    ],
);
