//! What a service uses, and how it stands as a blockchain node, as it is shown: one gauge a figure.

use crate::catalogue::{Metric, find};
use std::time::Duration;

/// What a service uses at the moment. Absent is what cannot be told, and then it has no series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// In percent of one core.
    pub cpu_percent: Option<f64>,
    /// Resident memory.
    pub memory_bytes: Option<u64>,
    /// Read from disks, bytes per second.
    pub disk_read_bps: Option<f64>,
    /// Written to disks, bytes per second.
    pub disk_write_bps: Option<f64>,
    /// Processes.
    pub processes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open files.
    pub open_files: Option<u64>,
    /// How near to its limit of open files the process is that is nearest, 0 to 100.
    pub open_files_percent: Option<f64>,
    /// Context switches per second.
    pub context_switches_per_second: Option<f64>,
    /// Processes killed for want of memory since its start.
    pub oom_kills: Option<u64>,
    /// How long it stood still for want of something.
    pub pressure: PressureFigures,
}

/// The share of the last ten seconds in which some work stood still for want of something, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PressureFigures {
    /// For want of a core.
    pub cpu: Option<f64>,
    /// For want of memory.
    pub memory: Option<f64>,
    /// For want of a disk.
    pub io: Option<f64>,
}

impl PressureFigures {
    /// Each with its name, as far as it is known.
    pub(crate) fn each(self) -> impl Iterator<Item = (&'static str, f64)> {
        let all = [("cpu", self.cpu), ("io", self.io), ("memory", self.memory)];
        all.into_iter().filter_map(|(resource, share)| Some((resource, share?)))
    }
}

/// A figure, as a gauge shows it.
pub(crate) type Read = fn(&Figures) -> Option<f64>;

/// The gauges with one series a service.
pub(crate) const GAUGES: [(&Metric, Read); 8] = [
    (find("service_cpu_percent"), |one| one.cpu_percent),
    (find("service_memory_bytes"), |one| one.memory_bytes.map(float)),
    (find("service_processes"), |one| one.processes.map(float)),
    (find("service_threads"), |one| one.threads.map(float)),
    (find("service_open_files"), |one| one.open_files.map(float)),
    (find("service_open_files_percent"), |one| one.open_files_percent),
    (find("service_context_switches_per_second"), |one| one.context_switches_per_second),
    (find("service_oom_kills"), |one| one.oom_kills.map(float)),
];

/// How a blockchain node stands. Absent is what is not known, and then it has no series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NodeFigures {
    /// Whether it is in sync.
    pub in_sync: Option<bool>,
    /// How many peers it has.
    pub peers: Option<u64>,
    /// The height of its best block, in blocks or slots.
    pub best: Option<u64>,
    /// The height of its last final block, in blocks or slots.
    pub finalized: Option<u64>,
    /// How far it is behind, in blocks or slots.
    pub lag: Option<u64>,
    /// How long there was no new best block.
    pub since_best: Option<Duration>,
}

/// A figure of a node, as a gauge shows it.
pub(crate) type ReadNode = fn(&NodeFigures) -> Option<f64>;

/// The gauges with one series a node.
pub(crate) const NODE_GAUGES: [(&Metric, ReadNode); 6] = [
    (find("node_sync_status"), |one| one.in_sync.map(f64::from)),
    (find("node_peer_count"), |one| one.peers.map(float)),
    (find("node_best_block_height"), |one| one.best.map(float)),
    (find("node_finalized_block_height"), |one| one.finalized.map(float)),
    (find("node_lag_blocks"), |one| one.lag.map(float)),
    (find("node_last_block_age_seconds"), |one| one.since_best.map(|since| since.as_secs_f64())),
];

/// Exact up to 2^53, which is more than any of these.
fn float(count: u64) -> f64 {
    count as f64
}
