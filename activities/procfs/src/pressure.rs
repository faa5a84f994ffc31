//! Pressure stall information: the share of time in which work stood still for want of something.
//!
//! Source: the kernel's `Documentation/accounting/psi.rst`. The host and each v2 cgroup have it in the same form.

use crate::file::{Fault, Reader, Slot};
use std::path::Path;

/// For want of what.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// A core.
    pub cpu: Option<Stalled>,
    /// Memory: pages being brought back or freed.
    pub memory: Option<Stalled>,
    /// A disk.
    pub io: Option<Stalled>,
}

/// Whose work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stalled {
    /// At least one task stood still.
    pub some: Stall,
    /// All tasks did at once. Kernels before 5.13 do not have it for CPU.
    pub full: Option<Stall>,
}

/// How long.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stall {
    /// Percent of the last 10 seconds.
    pub avg10: f64,
    /// Percent of the last minute.
    pub avg60: f64,
    /// Percent of the last five minutes.
    pub avg300: f64,
    /// In all, in microseconds.
    pub total_us: u64,
}

/// The three files of a cgroup or of the host.
#[derive(Debug, Default)]
pub(crate) struct Gauge([Slot; 3]);

impl Gauge {
    /// Reads `/proc/pressure/{cpu,memory,io}` or `<cgroup>/{cpu,memory,io}.pressure`.
    pub(crate) fn read(&mut self, reader: &mut Reader, folder: &Path, suffix: &str) -> Pressure {
        let mut one = |slot: &mut Slot, name: &str| {
            let text = reader.read_rarely(slot, || folder.join(format!("{name}{suffix}")));
            text.and_then(|text| stalled(text).ok_or(Fault::Broken)).ok()
        };
        let [cpu, memory, io] = &mut self.0;
        Pressure { cpu: one(cpu, "cpu"), memory: one(memory, "memory"), io: one(io, "io") }
    }

    /// Closes its files.
    pub(crate) fn close(&mut self) {
        self.0.iter_mut().for_each(Slot::close);
    }
}

/// Reads `some avg10=… avg60=… avg300=… total=…`, and `full …` if it is there.
pub(crate) fn stalled(text: &[u8]) -> Option<Stalled> {
    let text = std::str::from_utf8(text).ok()?;
    let line = |kind: &str| {
        // `procfs` cuts off the first five bytes without a look.
        let line = text.lines().find(|line| line.strip_prefix(kind).is_some_and(|rest| rest.starts_with(' ')))?;
        let record = procfs::parse_pressure_record(line).ok()?;
        let share = |share: f32| (0.0..=100.0).contains(&share).then(|| f64::from(share));
        Some(Stall {
            avg10: share(record.avg10)?,
            avg60: share(record.avg60)?,
            avg300: share(record.avg300)?,
            total_us: record.total,
        })
    };
    Some(Stalled { some: line("some")?, full: line("full") })
}
