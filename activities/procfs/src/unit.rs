//! One service between two samples.

use crate::crowd::Crowd;
use crate::detail::{Details, Memory};
use crate::file::Fault;
use crate::group::Group;
use crate::hierarchy::checked;
use crate::process::Needs;
use crate::sampler::Context;
use crate::stat::Disk;
use crate::tally::Devices;
use crate::usage::Usage;
use std::time::Instant;

/// Whether accounting was turned on meanwhile is asked at every n-th close look.
const METERS_EVERY: u32 = 10;

/// What is known of a service.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    control_group: String,
    group: Option<Group>,
    /// CPU time of the cgroup at the last sample.
    cpu: Option<(Instant, u64)>,
    /// Disk use of the cgroup at the last sample.
    io: Option<(Instant, Devices)>,
    /// Memory of the cgroup at the last sample.
    resident: Option<u64>,
    crowd: Crowd,
    memory: Memory,
    details: Option<Details>,
    /// Close looks so far.
    looks: u32,
}

impl Unit {
    pub(crate) const fn has_details(&self) -> bool {
        self.details.is_some()
    }

    /// Closes all files; what is known stays.
    pub(crate) fn close(&mut self) {
        if let Some(group) = &mut self.group {
            group.close();
        }
        self.crowd.close();
    }

    /// Measures it.
    pub(crate) fn sample(
        &mut self,
        control_group: &str,
        context: &mut Context,
        clock: &mut impl FnMut() -> Instant,
        with_details: bool,
    ) -> Usage {
        if self.control_group != control_group {
            *self = Self { control_group: control_group.to_owned(), ..Self::default() };
        }
        let mut pids = Vec::new();
        match self.enter(context, &mut pids, with_details) {
            Ok(()) => {}
            // Its processes cannot be listed this time. What was counted before is too old then to make a rate of.
            Err(Fault::Starved | Fault::Broken) => {
                self.crowd = Crowd::default();
                (self.cpu, self.io, self.resident) = (None, None, None);
                return Usage::default();
            }
            Err(_) => {
                *self = Self { control_group: control_group.to_owned(), ..Self::default() };
                return Usage::default();
            }
        }
        let Some(mut group) = self.group.take() else { return Usage::default() };
        self.looks += u32::from(with_details);
        if with_details
            && self.looks.is_multiple_of(METERS_EVERY)
            && let Some(cgroup) = checked(control_group)
        {
            group.find_meters(cgroup, context, &pids);
        }
        let now = clock();
        let mut usage = self.measure(&mut group, context, &pids, with_details, now);
        if with_details {
            self.details = Some(self.memory.look(context, &mut group, &pids, now));
        }
        self.group = Some(group);
        if let Some(details) = &self.details {
            usage.threads = usage.threads.or(details.threads);
            usage.open_files = details.open_files;
            usage.context_switches_per_second = details.switches_per_second;
            usage.oom_kills = details.oom_kills;
            usage.pressure = details.pressure;
        }
        usage
    }

    /// Opens the cgroup if it is not open, and lists its processes.
    fn enter(&mut self, context: &mut Context, pids: &mut Vec<u32>, is_close: bool) -> Result<(), Fault> {
        if let Some(group) = &mut self.group {
            match group.list(context, pids, is_close) {
                Ok(()) if !pids.is_empty() => return Ok(()),
                Ok(()) | Err(Fault::Gone) => {}
                Err(fault) => return Err(fault),
            }
        }
        let old = self.group.take();
        let cgroup = checked(&self.control_group).ok_or(Fault::Gone)?;
        let new = Group::open(cgroup, context, pids).ok_or(Fault::Gone)?;
        if let Some(old) = old {
            (self.resident, self.memory, self.details) = Default::default();
            if new.replaces(&old) {
                // A new run. Its counters began at 0 after the last sample, at which the old cgroup was still there.
                self.cpu = self.cpu.map(|(at, _)| (at, 0));
                self.io = self.io.take().map(|(at, _)| (at, Devices::new()));
            } else {
                (self.cpu, self.io) = (None, None);
            }
        }
        self.group = Some(new);
        Ok(())
    }

    /// With `is_close` what rests is measured too.
    fn measure(
        &mut self,
        group: &mut Group,
        context: &mut Context,
        pids: &[u32],
        is_close: bool,
        now: Instant,
    ) -> Usage {
        let mut usage = Usage { processes: u64::try_from(pids.len()).ok(), ..Usage::default() };
        let before = self.cpu.map(|(_, used)| used);
        usage.cpu_percent = self.cpu_of(group, context, now);
        let rests = !is_close && before.is_some() && self.cpu.map(|(_, used)| used) == before;
        if let Some((read, written)) = self.io_of(group, context, now) {
            (usage.disk_read_bps, usage.disk_write_bps) = (Some(read), Some(written));
        }
        self.resident = self.resident.take().filter(|_| rests).or_else(|| Self::resident_of(group, context));
        usage.memory_bytes = self.resident;
        let needs = Needs { cpu: group.cpu.is_none(), memory: group.memory.is_none(), disk: !group.has_io() };
        if !needs.anything() {
            self.crowd = Crowd::default();
            return usage;
        }
        let sight = self.crowd.look(context, pids, needs, is_close, now);
        usage.processes = sight.processes.or(usage.processes);
        usage.threads = sight.threads;
        if needs.cpu {
            usage.cpu_percent = sight.cpu_percent;
        }
        if needs.memory {
            usage.memory_bytes = sight.resident;
        }
        if needs.disk {
            (usage.disk_read_bps, usage.disk_write_bps) = sight.disk.unzip();
        }
        usage
    }

    /// Bytes of memory by the cgroup's account.
    fn resident_of(group: &mut Group, context: &mut Context) -> Option<u64> {
        let read = group.memory.as_mut()?.read(context);
        if read == Err(Fault::Gone) {
            group.memory = None;
        }
        read.ok()
    }

    /// CPU percent by the cgroup's account.
    fn cpu_of(&mut self, group: &mut Group, context: &mut Context, now: Instant) -> Option<f64> {
        let before = self.cpu.take();
        let read = group.cpu.as_mut()?.read(context);
        if read == Err(Fault::Gone) {
            group.cpu = None;
        }
        let used = read.ok()?;
        self.cpu = Some((now, used));
        let (since, base) = before?;
        Some(rate(used.checked_sub(base)?, since, now)? * PERCENT_OF_NANOS)
    }

    /// Bytes per second read and written by the cgroup's account.
    fn io_of(&mut self, group: &mut Group, context: &mut Context, now: Instant) -> Option<(f64, f64)> {
        let before = self.io.take();
        if !group.has_io() {
            return None;
        }
        let read = group.io(context);
        if read.as_ref().err() == Some(&Fault::Gone) {
            group.forget_io();
        }
        let used = read.ok()?;
        let (_, used) = self.io.insert((now, used));
        let (since, base) = before?;
        let mut sum = Disk::default();
        for (device, disk) in used.iter() {
            let base = base.get(device).copied().unwrap_or_default();
            sum.read = sum.read.checked_add(disk.read.checked_sub(base.read)?)?;
            sum.written = sum.written.checked_add(disk.written.checked_sub(base.written)?)?;
        }
        Some((rate(sum.read, since, now)?, rate(sum.written, since, now)?))
    }
}

/// Nanoseconds per second in percent.
pub(crate) const PERCENT_OF_NANOS: f64 = 1e-7;

/// Per second; none if no time passed.
pub(crate) fn rate(amount: u64, since: Instant, now: Instant) -> Option<f64> {
    let elapsed = now.checked_duration_since(since)?.as_secs_f64();
    (elapsed > 0.0).then(|| amount as f64 / elapsed)
}
