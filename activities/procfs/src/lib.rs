//! What services and their host use: CPU, memory, disk and more, from `/proc` and the cgroups.
//!
//! One [`Sampler`] per host walks all services. Each is measured as a whole: from its cgroup where the kernel accounts
//! there, else as the sum over the cgroup's processes. Rates come from two samples and the time that really passed between
//! them. What cannot be told is absent, never 0. [`host::read`] is the same for the machine.
//!
//! The way of a sample: `hierarchy` finds where cgroups are mounted, `group` reads one cgroup, `process` one process through
//! files that stay open (`file`), `crowd` all of a unit's, `account` turns two looks at them into what was spent between, `unit`
//! puts a service's [`Usage`] together, and `detail` adds, more rarely, what is dear to read. The parsers (`scan`, `stat`,
//! `tally`) are pure and read bytes. The hot path has parsers of its own: the crate `procfs` opens a file for each look
//! and reads every field of it, ten times what a sample of a thousand services may cost. Where that does not matter (host,
//! pressure, limits, mounts) it is the crate that reads.
//!
//! Everything blocks, for microseconds a service: call it on a thread of its own. Nothing here decides, logs or counts.
//!
//! Rejected: asking systemd (`CPUUsageNSec`, `MemoryCurrent`): a D-Bus call per service and sample, and nothing at all where
//! accounting is off. Rejected: taskstats over netlink, which needs `CAP_NET_ADMIN`.

mod account;
mod crowd;
mod detail;
mod file;
mod group;
mod hierarchy;
pub mod host;
mod kernel;
mod pressure;
mod process;
mod roots;
mod sampler;
mod scan;
mod stat;
mod tally;
mod unit;
mod usage;

#[cfg(test)]
mod account_tests;
#[cfg(test)]
mod parser_tests;

pub use host::CpuTime;
pub use pressure::{Pressure, Stall, Stalled};
pub use roots::Roots;
pub use sampler::{Options, Sampler};
pub use usage::{OpenFiles, Usage};
