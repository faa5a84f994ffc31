//! What a service uses, as it is shown: one gauge a figure.

use crate::catalogue::{Metric, find};

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

/// Exact up to 2^53, which is more than any of these.
fn float(count: u64) -> f64 {
    count as f64
}
