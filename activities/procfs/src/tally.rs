//! The files of one cgroup, as the kernel's `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1` describe them.

use crate::scan::{lines, number, value, words};
use crate::stat::Disk;
use std::collections::BTreeMap;

/// Appends the pids of `cgroup.procs`. 0 is a process of a pid namespace that cannot be seen from here.
pub(crate) fn pids(text: &[u8], into: &mut Vec<u32>) {
    into.extend(lines(text).filter_map(|line| u32::try_from(number(line)?).ok()).filter(|pid| *pid != 0));
}

/// CPU time in nanoseconds of v2's `cpu.stat`. It is there without the controller, also in the hybrid set-up.
pub(crate) fn cpu_v2(text: &[u8]) -> Option<u64> {
    value(text, b"usage_usec")?.checked_mul(1000)
}

/// CPU time in nanoseconds of v1's `cpuacct.usage`.
pub(crate) fn cpu_v1(text: &[u8]) -> Option<u64> {
    words(text).next().and_then(number)
}

/// Resident bytes in v2's `memory.stat`: anonymous memory and mapped files, each page once, however many processes share
/// it. Not `memory.current`, in which the page cache is.
pub(crate) fn memory_v2(text: &[u8]) -> Option<u64> {
    value(text, b"anon")?.checked_add(value(text, b"file_mapped")?)
}

/// The same in v1's `memory.stat`; `total_` includes the cgroups below.
pub(crate) fn memory_v1(text: &[u8]) -> Option<u64> {
    value(text, b"total_rss")?.checked_add(value(text, b"total_mapped_file")?)
}

/// Processes killed for want of memory: v2's `memory.events`, v1's `memory.oom_control`.
pub(crate) fn oom_kills(text: &[u8]) -> Option<u64> {
    value(text, b"oom_kill")
}

/// Bytes by device, by its major and minor number.
pub(crate) type Devices = BTreeMap<(u32, u32), Disk>;

/// Bytes by device (`8:0`) in v2's `io.stat`: `8:0 rbytes=1 wbytes=2 rios=…`. By device, because one that is unplugged
/// takes its line with it.
pub(crate) fn io_v2(text: &[u8]) -> Devices {
    lines(text).filter_map(device).collect()
}

fn device(line: &[u8]) -> Option<((u32, u32), Disk)> {
    let mut words = words(line);
    let mut id = words.next()?.splitn(2, |byte| *byte == b':');
    let mut part = || u32::try_from(number(id.next()?)?).ok();
    let device = (part()?, part()?);
    let mut disk = Disk::default();
    for word in words {
        if let Some(bytes) = word.strip_prefix(b"rbytes=") {
            disk.read = number(bytes)?;
        } else if let Some(bytes) = word.strip_prefix(b"wbytes=") {
            disk.written = number(bytes)?;
        }
    }
    Some((device, disk))
}

/// The process's place in the hierarchy of a v1 controller, of `/proc/<pid>/cgroup`: `4:cpu,cpuacct:/system.slice`.
pub(crate) fn place_v1<'a>(text: &'a [u8], controller: &[u8]) -> Option<&'a [u8]> {
    lines(text).find_map(|line| {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let controllers = parts.nth(1)?;
        controllers.split(|byte| *byte == b',').any(|name| name == controller).then(|| parts.next())?
    })
}
