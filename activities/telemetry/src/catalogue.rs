//! Every metric of dixmgr in one table: instruments are built from it, the documentation is printed from it, and a test
//! holds dashboards and alert rules against it.
//!
//! Names, labels and buckets are those of the Go version, so that its dashboards keep working. An instrument takes its
//! entry with [`find`] in a constant, so a wrong name does not compile.

use std::fmt::Write as _;

/// What kind of series a metric is, in Prometheus' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until dixmgr restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in cumulative buckets.
    Histogram,
}

impl Kind {
    /// The word of the exposition format's `# TYPE` line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric, as everybody sees it.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name without the namespace.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its labels, in the order of the documentation.
    pub labels: &'static [&'static str],
    /// The text of `# HELP`.
    pub help: &'static str,
    /// Upper bounds of a histogram's buckets, without `+Inf`; empty otherwise.
    pub buckets: &'static [f64],
}

impl Metric {
    const fn new(kind: Kind, name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind, labels, help, buckets: &[] }
    }

    /// The unit, which Prometheus keeps in the name; empty for plain numbers.
    pub fn unit(&self) -> &'static str {
        match self.name.trim_end_matches("_total") {
            name if name.ends_with("_bytes_per_second") => "bytes/s",
            name if name.ends_with("_seconds") => "s",
            name if name.ends_with("_bytes") => "bytes",
            name if name.ends_with("_percent") => "%",
            _ => "",
        }
    }

    /// True if it has series for each service, and so needs a higher limit of series than the SDK's default.
    pub fn is_per_service(&self) -> bool {
        self.labels.iter().any(|label| matches!(*label, "service" | "node"))
    }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric::new(Kind::Counter, name, labels, help)
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric::new(Kind::Gauge, name, labels, help)
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    buckets: &'static [f64],
    help: &'static str,
) -> Metric {
    Metric { buckets, ..Metric::new(Kind::Histogram, name, labels, help) }
}

/// 1 s·2^k, k < 10.
const WORKFLOW_SECONDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
/// 0.1 s·2^k, k < 8, as the Go version had them; below, finer ones, because a restart by D-Bus takes milliseconds.
const ACTIVITY_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8];
/// 1 s·2^k, k < 12.
const DEPENDENCY_SECONDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0];
/// From a millisecond, the usual case, to hours, an outage of Temporal.
const LAG_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0];

/// How long channels take.
const NOTE_SECONDS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The table.
pub const CATALOGUE: &[Metric] = &[
    // Services.
    gauge(
        "service_health",
        &["service", "type", "chain"],
        "1 if the service is up, 0 if it is down; absent while there is no data.",
    ),
    counter("service_restarts_total", &["service", "type"], "Restarts of a failed service, by dixmgr or by systemd."),
    counter(
        "service_downtime_seconds_total",
        &["service", "type"],
        "Seconds that the service was down; grows while it is down.",
    ),
    gauge("service_cpu_percent", &["service", "type"], "CPU use of the service in percent of one core."),
    gauge("service_memory_bytes", &["service", "type"], "Memory in use by the service."),
    gauge(
        "service_disk_io_bytes_per_second",
        &["service", "type", "direction"],
        "Disk traffic of the service; direction is read or write.",
    ),
    gauge("service_processes", &["service", "type"], "Processes of the service."),
    gauge("service_threads", &["service", "type"], "Threads of the service."),
    gauge("service_open_files", &["service", "type"], "Open files of the service."),
    gauge(
        "service_open_files_percent",
        &["service", "type"],
        "How near the process of the service that is nearest to its limit of open files is to it.",
    ),
    gauge("service_context_switches_per_second", &["service", "type"], "Context switches of the service."),
    gauge(
        "service_oom_kills",
        &["service", "type"],
        "Processes of the service killed for want of memory since it was started.",
    ),
    gauge(
        "service_pressure_percent",
        &["service", "type", "resource"],
        "Share of the last 10 s in which some work of the service stood still for want of cpu, memory or io; only with v2 cgroups.",
    ),
    // Probes.
    gauge(
        "probe_healthy",
        &["service", "probe"],
        "1 if the probe is content, 0 if it has failed; absent while that is not known.",
    ),
    gauge("probe_duration_seconds", &["service", "probe"], "How long the probe's last look took."),
    gauge(
        "probe_certificate_expiry_seconds",
        &["service", "probe"],
        "How long the certificate is valid that the probe saw last.",
    ),
    gauge(
        "probe_breaker_state",
        &["service", "probe"],
        "The circuit breaker of the probe's endpoint: 0 closed, 1 half open (tried with care), 2 open (left alone). Also of nodes of \
         other hosts that are asked for comparison.",
    ),
    gauge(
        "endpoint_breaker_state",
        &["service", "probe"],
        "The circuit breaker around what workflows ask of the probe's endpoint by name: 0 closed, 1 half open (the next ones are let \
         through with care), 2 open (left alone).",
    ),
    // The host.
    gauge("host_cpu_percent", &[], "Busy share of all cores of the host."),
    gauge("host_memory_bytes", &[], "Memory of the host."),
    gauge("host_memory_available_bytes", &[], "Memory of the host that is available without swapping."),
    gauge("host_load1", &[], "Tasks that ran or waited for a disk, on average over a minute."),
    gauge("host_load5", &[], "The same over 5 minutes."),
    gauge("host_load15", &[], "The same over 15 minutes."),
    gauge(
        "host_clock_synchronized",
        &[],
        "1 if the clock is synchronised, else 0: as the kernel tells systemd-timedated (asked every ten minutes); where that does \
         not answer, as on a user's bus, whether systemd-timesyncd has set it since the boot; absent where neither is there.",
    ),
    gauge(
        "host_pressure_percent",
        &["resource"],
        "Share of the last 10 s in which some work of the host stood still for want of cpu, memory or io.",
    ),
    gauge("host_filesystem_bytes", &["path"], "Size of the file system that holds the path."),
    gauge("host_filesystem_available_bytes", &["path"], "What may still be written there without privileges."),
    gauge("host_filesystem_inodes", &["path"], "Files that it can hold; absent where there is no fixed number."),
    gauge("host_filesystem_inodes_available", &["path"], "Files that may still be made there."),
    // Workflows and activities.
    counter(
        "workflow_executions_total",
        &["workflow", "status"],
        "Workflow runs; status is started, completed, continued, failed or cancelled.",
    ),
    histogram("workflow_duration_seconds", &["workflow"], WORKFLOW_SECONDS, "From start to end of a workflow run."),
    counter(
        "activity_executions_total",
        &["activity", "status"],
        "Activity attempts; status is success, error, timeout or cancelled.",
    ),
    histogram(
        "activity_duration_seconds",
        &["activity"],
        ACTIVITY_SECONDS,
        "From start to end of an activity attempt.",
    ),
    counter(
        "activity_errors_total",
        &["activity", "error_type"],
        "Activity attempts that failed, by the type of the failure.",
    ),
    // Blockchain nodes.
    gauge("node_sync_status", &["node", "chain"], "1 if the node is in sync with its chain, else 0."),
    gauge("node_peer_count", &["node", "chain"], "Peers of the node."),
    gauge("node_best_block_height", &["node", "chain"], "Height of the node's best block, in blocks or slots."),
    gauge(
        "node_finalized_block_height",
        &["node", "chain"],
        "Height of the node's last final block, in blocks or slots.",
    ),
    gauge(
        "node_lag_blocks",
        &["node", "chain"],
        "Blocks or slots that the node is behind the median of its chain's other nodes, or of what it is to reach.",
    ),
    gauge("node_last_block_age_seconds", &["node", "chain"], "How long the node has had no new best block."),
    gauge(
        "chain_stalled",
        &["chain", "protocol", "height"],
        "1 while all nodes of the chain that are known here stand still, else 0; height is best or finalized; a parachain of the dotidx format is `<relay>-<chain>`.",
    ),
    // Dependencies.
    histogram(
        "dependency_wait_time_seconds",
        &["service", "dependency"],
        DEPENDENCY_SECONDS,
        "How long a service waited for a dependency that was not ready when it was to be started.",
    ),
    counter("dependency_timeouts_total", &["service", "dependency"], "Waits for a dependency that ran out of time."),
    // Alerts.
    counter("notes_sent_total", &["channel"], "Notes that a channel accepted."),
    counter(
        "notes_failed_total",
        &["channel", "outcome"],
        "Tries that a channel did not accept; `retry` is tried again, `refused` is not.",
    ),
    histogram(
        "note_duration_seconds",
        &["channel"],
        NOTE_SECONDS,
        "How long a channel took for a note that it accepted.",
    ),
    counter("alerts_fired_total", &["alert_type", "severity", "service"], "Alerts of rules that began to fire."),
    gauge("alerts_active", &["alert_type", "severity"], "Alerts of rules that are firing."),
    // dixmgr's own health.
    gauge("build_info", &["version"], "Always 1; the label tells the version that runs."),
    gauge("services", &[], "Services that this dixmgr looks after."),
    gauge("temporal_connected", &[], "1 while Temporal answers, else 0."),
    gauge("systemd_connected", &[], "1 while the connection to systemd stands, else 0."),
    gauge(
        "systemd_breaker_state",
        &[],
        "The circuit breaker of D-Bus: 0 closed (connected), 1 half open (a try is being made), 2 open (the next try is due).",
    ),
    counter("connection_losses_total", &["peer"], "Connections that were lost; peer is temporal or systemd."),
    histogram("agent_lag_seconds", &[], LAG_SECONDS, "From a change of a service to its acceptance by Temporal."),
    counter("history_rows_written_total", &[], "Rows that were written to the history."),
    counter("history_rows_lost_total", &[], "Records that the history could not take, or had to give up."),
    gauge("history_rows_waiting", &[], "Rows that wait in memory to be written to the history."),
    gauge("history_bytes", &[], "What the history's file has in use, as of the last upkeep; 0 for a server."),
    gauge("history_degraded", &[], "1 while the history cannot be written, else 0."),
    counter("history_set_aside_total", &[], "Files of the history that were damaged and moved away."),
    gauge("agent_outbox_depth", &[], "Services whose newest state Temporal has not accepted yet."),
    counter("agent_deliveries_total", &["status"], "Observations sent to Temporal; status is accepted or failed."),
    counter(
        "actions_refused_total",
        &["reason"],
        "Actions on units that were not taken, by reason; a dry run refuses all with ObserveOnly.",
    ),
];

/// The entry of that name. Made for constants: `const { find("service_health") }` fails to compile for an unknown name.
///
/// # Panics
///
/// If there is no such entry.
pub const fn find(name: &str) -> &'static Metric {
    let mut i = 0;
    while i < CATALOGUE.len() {
        if same(CATALOGUE[i].name.as_bytes(), name.as_bytes()) {
            return &CATALOGUE[i];
        }
        i += 1;
    }
    panic!("no such metric in the catalogue")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// The table as Markdown, for the documentation.
pub fn metrics_reference() -> String {
    let mut text = String::from("| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n");
    for metric in CATALOGUE {
        let labels = metric.labels.join(", ");
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {labels} | {} |",
            metric.name,
            metric.kind.as_str(),
            metric.unit(),
            metric.help,
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_say_their_kind() {
        let names: BTreeSet<_> = CATALOGUE.iter().map(|m| m.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
        for metric in CATALOGUE {
            assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
            assert_eq!(metric.kind == Kind::Histogram, !metric.buckets.is_empty(), "{}", metric.name);
        }
    }

    #[test]
    fn buckets_are_the_powers_of_two_of_the_go_version() {
        let powers =
            |start: f64, count: usize| (0..count).map(move |k| start * f64::from(1u32 << k)).collect::<Vec<_>>();
        assert_eq!(WORKFLOW_SECONDS, powers(1.0, 10));
        assert_eq!(DEPENDENCY_SECONDS, powers(1.0, 12));
        assert_eq!(&ACTIVITY_SECONDS[6..], powers(0.1, 8));
        assert!(ACTIVITY_SECONDS.is_sorted() && LAG_SECONDS.is_sorted());
    }

    #[test]
    fn the_reference_lists_everything() {
        let text = metrics_reference();
        assert_eq!(text.lines().count(), CATALOGUE.len() + 2);
        assert!(text.contains("| `service_downtime_seconds_total` | counter | s | service, type |"), "{text}");
    }
}
