//! The machine as a whole. Read rarely, so the crate `procfs` does it; each part is absent by itself.

use crate::file::{Reader, Slot};
use crate::pressure::{Gauge, Pressure};
use crate::roots::Roots;
use procfs::{ExplicitSystemInfo, FromRead, FromReadSI, KernelStats, LoadAverage, Meminfo};
use std::path::Path;

/// What the host has and uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Host {
    /// Time of all cores since boot; two of them give a share ([`CpuTime::percent_since`]).
    pub cpu: Option<CpuTime>,
    /// Cores that are on.
    pub cores: Option<usize>,
    /// Memory and swap.
    pub memory: Option<Memory>,
    /// Tasks that ran or waited for a disk, on average over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Whether `systemd-timesyncd` has set the clock since the boot, which says little of now; absent where it does not run. That
    /// the kernel's own word is not here has a reason: adjtimex(2) has no safe wrapper that is widely used. systemd passes it on,
    /// for any time daemon, as the property `NTPSynchronized` of `org.freedesktop.timedate1`: whoever has a bus asks there first.
    pub clock_synchronised: Option<bool>,
    /// How long work stood still for want of CPU, memory or disk.
    pub pressure: Pressure,
}

/// Time of all cores together since boot, in clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuTime {
    /// Doing anything, the hypervisor's other guests included: the time in which we could not.
    pub busy: u64,
    /// All time.
    pub total: u64,
}

impl CpuTime {
    /// The busy share since an earlier look, in percent of all cores: 0 to 100. Absent if no time passed.
    pub fn percent_since(self, earlier: Self) -> Option<f64> {
        let total = self.total.checked_sub(earlier.total).filter(|total| *total > 0)?;
        // The kernel's idle time can go back a little.
        let busy = self.busy.saturating_sub(earlier.busy).min(total);
        Some(busy as f64 * 100.0 / total as f64)
    }
}

/// Memory of the host, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// All.
    pub total: u64,
    /// Free, or can be made free without swapping.
    pub available: u64,
    /// Swap; 0 if there is none.
    pub swap_total: u64,
    /// Of it, not used.
    pub swap_free: u64,
}

/// One file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// Bytes.
    pub total: u64,
    /// Bytes that may still be written without privileges.
    pub available: u64,
    /// Files that it can hold; absent if it has no fixed number, as btrfs.
    pub inodes: Option<u64>,
    /// Files that may still be made.
    pub inodes_available: Option<u64>,
}

/// Looks at the host: all but its file systems, which are looked at one by one ([`file_system`]).
pub fn read(roots: &Roots) -> Host {
    let mut reader = Reader::new(0);
    let (cpu, cores) = file(&mut reader, roots, "stat").and_then(cpu).unzip();
    Host {
        cpu,
        cores,
        memory: file(&mut reader, roots, "meminfo").and_then(memory),
        load: file(&mut reader, roots, "loadavg").and_then(load),
        clock_synchronised: clock_synchronised(roots),
        pressure: Gauge::default().read(&mut reader, &roots.proc().join("pressure"), ""),
    }
}

fn file<'a>(reader: &'a mut Reader, roots: &Roots, name: &str) -> Option<&'a [u8]> {
    reader.read_long(&mut Slot::default(), || roots.proc().join(name)).ok()
}

/// Reads `/proc/stat`.
pub(crate) fn cpu(text: &[u8]) -> Option<(CpuTime, usize)> {
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    let page_size = rustix::param::page_size() as u64;
    let system = ExplicitSystemInfo {
        boot_time_secs: 0,
        ticks_per_second,
        page_size,
        is_little_endian: cfg!(target_endian = "little"),
    };
    let stats = KernelStats::from_read(text, &system).ok()?;
    let time = &stats.total;
    // Guests are in user and nice already.
    let busy = [Some(time.user), Some(time.nice), Some(time.system), time.irq, time.softirq, time.steal];
    let idle = [Some(time.idle), time.iowait];
    let sum = |parts: &[Option<u64>]| parts.iter().flatten().try_fold(0u64, |sum, part| sum.checked_add(*part));
    let busy = sum(&busy)?;
    Some((CpuTime { busy, total: busy.checked_add(sum(&idle)?)? }, stats.cpu_time.len()))
}

/// Reads `/proc/meminfo`.
pub(crate) fn memory(text: &[u8]) -> Option<Memory> {
    // `procfs` multiplies without a look at the size, and cuts the last byte off the names.
    let is_sound = |line: &[u8]| crate::scan::words(line).nth(1).is_some_and(|value| value.len() < 16);
    if !text.is_ascii() || !crate::scan::lines(text).all(is_sound) {
        return None;
    }
    let info = Meminfo::from_read(text).ok()?;
    let available = info.mem_available.unwrap_or(info.mem_free);
    Some(Memory { total: info.mem_total, available, swap_total: info.swap_total, swap_free: info.swap_free })
}

/// Reads `/proc/loadavg`.
pub(crate) fn load(text: &[u8]) -> Option<[f64; 3]> {
    let load = LoadAverage::from_read(text).ok()?;
    let load = [load.one, load.five, load.fifteen].map(f64::from);
    load.iter().all(|load| load.is_finite() && *load >= 0.0).then_some(load)
}

/// Looks at the file system that holds `path`; nothing if it cannot be read.
///
/// Blocks for as long as it does not answer: a network file system that is gone may never do so.
pub fn file_system(roots: &Roots, path: &Path) -> Option<FileSystem> {
    let fs = rustix::fs::statvfs(roots.at(path)).ok()?;
    let has_inodes = fs.f_files > 0;
    Some(FileSystem {
        total: fs.f_blocks.checked_mul(fs.f_frsize)?,
        available: fs.f_bavail.checked_mul(fs.f_frsize)?,
        inodes: has_inodes.then_some(fs.f_files),
        inodes_available: has_inodes.then_some(fs.f_favail),
    })
}

/// systemd-timesyncd.service(8): it touches `synchronized` when it has set the clock. Its folder goes when it stops.
fn clock_synchronised(roots: &Roots) -> Option<bool> {
    let folder = roots.at(Path::new("/run/systemd/timesync"));
    folder.is_dir().then(|| folder.join("synchronized").exists())
}
