//! What a service uses.

use crate::pressure::Pressure;
use dixmgr_contract::Time;
use dixmgr_contract::activity::ResourceUsage;

/// What all processes of a service use together. Absent is what cannot be told: the service does not run, there is no earlier
/// sample to make a rate of, a counter went backwards, or the kernel does not say it or not to this user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time over time, in percent: 100 is one core, so several cores give more. Processes that came and went between
    /// two samples count too if the kernel accounts for the cgroup, or if their parent is of the service and waited for
    /// them; in the latter case when it does.
    pub cpu_percent: Option<f64>,
    /// Resident memory in bytes: anonymous memory and mapped files. Where the kernel does not account for the cgroup, it is
    /// the sum over the processes, in which memory that they share counts for each.
    pub memory_bytes: Option<u64>,
    /// Bytes per second that the disks had to read, not what came from the cache.
    pub disk_read_bps: Option<f64>,
    /// Bytes per second written to disks: when they are written where the kernel accounts for the cgroup, else when a process
    /// puts them into the cache.
    pub disk_write_bps: Option<f64>,
    /// Processes, without zombies.
    pub processes: Option<u64>,
    /// Threads of all processes.
    pub threads: Option<u64>,
    /// Open files.
    pub open_files: Option<OpenFiles>,
    /// Context switches of all threads per second, since the details before. What threads that ended did after that is not in
    /// it.
    pub context_switches_per_second: Option<f64>,
    /// Processes killed for want of memory since the service started; only where the kernel accounts for the cgroup. If the
    /// service ended with it, the cgroup is gone with its count: systemd's `Result` is `oom-kill` then.
    pub oom_kills: Option<u64>,
    /// How long it stood still for want of CPU, memory or disk; only where there are v2 cgroups with pressure.
    pub pressure: Pressure,
}

/// Open files of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OpenFiles {
    /// In all processes together.
    pub open: u64,
    /// How near to its limit (the soft `RLIMIT_NOFILE`) the process is that is nearest, in percent. Each process has a limit
    /// of its own, so the sum has none. Absent if none has one.
    pub nearest_limit_percent: Option<f64>,
}

impl Usage {
    /// As the answer of `CheckResourceUsageActivity`.
    pub fn answer(&self, at: Time) -> ResourceUsage {
        ResourceUsage {
            cpu_percent: self.cpu_percent,
            memory_bytes: self.memory_bytes,
            disk_read_bps: self.disk_read_bps.map(whole),
            disk_write_bps: self.disk_write_bps.map(whole),
            timestamp: at,
        }
    }
}

/// Rates are finite and not negative, and `as` saturates.
const fn whole(rate: f64) -> u64 {
    rate.round() as u64
}
