//! One process, through files that stay open.
//!
//! An open file of `/proc/<pid>` belongs to that process and fails when it is gone, whoever has its pid then. Where files
//! cannot stay open, the start time in `stat` says whether it is still the same: it is read last, so that what was read
//! before it was the same process's too.
//!
//! Most services of a host wait most of the time. Whose CPU clock stands still has executed nothing: it has forked nobody, waited
//! for nobody and asked no disk for anything, so what was read of it before is still so, and its clock is asked without a file.
//! What others do to it meanwhile, such as the kernel's taking back its memory, is seen at the next close look at its unit.

use crate::account::Totals;
use crate::file::{Fault, Slot};
use crate::kernel::CpuClock;
use crate::sampler::Context;
use crate::stat::{self, Disk};

/// What has to come from the processes because the cgroup does not tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) cpu: bool,
    pub(crate) memory: bool,
    pub(crate) disk: bool,
}

impl Needs {
    pub(crate) const fn anything(self) -> bool {
        self.cpu || self.memory || self.disk
    }
}

/// A process, and how far its counters were at the last look.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    /// In clock ticks since boot.
    pub(crate) start: u64,
    pub(crate) parent: u32,
    clock: Option<CpuClock>,
    /// What its CPU clock was before the last look at its files, and what that look saw.
    seen: Option<(u64, Look)>,
    pub(crate) totals: Option<Totals>,
    stat: Slot,
    statm: Slot,
    io: Slot,
}

/// One look at a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// It ended, and only waits to be waited for.
    pub(crate) is_dead: bool,
    /// None if not looked at.
    pub(crate) threads: Option<u64>,
    pub(crate) totals: Totals,
    /// Bytes; none if not asked for or not told.
    pub(crate) resident: Option<u64>,
}

impl Process {
    /// Makes the acquaintance of whoever has this pid.
    pub(crate) fn meet(pid: u32, context: &mut Context) -> Result<Self, Fault> {
        let mut stat = Slot::default();
        let path = context.process_file(pid, "stat");
        let seen = stat::stat(context.reader.read(&mut stat, || path)?).ok_or(Fault::Broken)?;
        let (statm, io) = Default::default();
        let clock = context.kernel.cpu_clock(pid);
        let (parent, start, totals, seen) = (seen.parent, seen.start, None, None);
        Ok(Self { pid, start, parent, clock, seen, totals, stat, statm, io })
    }

    /// Looks at it. [`Fault::Gone`] if it ended, also if somebody else has its pid now.
    pub(crate) fn look(&mut self, context: &mut Context, needs: Needs) -> Result<Look, Fault> {
        let clock = self.clock.and_then(CpuClock::now);
        self.look_at_all(context, needs, clock)
    }

    /// The same for one that the cgroup still lists, and whose needs are those of the last look. If it `may_rest`, and does, it is
    /// as it was then.
    pub(crate) fn look_again(&mut self, context: &mut Context, needs: Needs, may_rest: bool) -> Result<Look, Fault> {
        // Before the files: what it does while they are read moves the clock, so that they are read again the next time.
        let clock = self.clock.and_then(CpuClock::now);
        if let Some((_, look)) = self.seen.filter(|(then, _)| may_rest && clock == Some(*then)) {
            return Ok(look);
        }
        let look = self.look_anew(context, needs, clock);
        self.seen = clock.zip(look.as_ref().ok().copied());
        look
    }

    /// If all that is needed is in files that are open, there is no need of `stat`, which is dearer than the others together: they
    /// are its own, or fail.
    fn look_anew(&mut self, context: &mut Context, needs: Needs, clock: Option<u64>) -> Result<Look, Fault> {
        let has_all = (!needs.disk || self.io.is_open()) && (!needs.memory || self.statm.is_open());
        if needs.cpu || !has_all {
            return self.look_at_all(context, needs, clock);
        }
        let (disk, resident) = self.use_of_memory_and_disk(context, needs);
        if needs.memory && resident.is_none() {
            return Err(Fault::Gone);
        }
        let totals = Totals { disk: disk?, ..Totals::default() };
        Ok(Look { is_dead: false, threads: None, totals, resident })
    }

    fn look_at_all(&mut self, context: &mut Context, needs: Needs, clock: Option<u64>) -> Result<Look, Fault> {
        let (disk, resident) = self.use_of_memory_and_disk(context, needs);
        let pid = self.pid;
        let Context { roots, kernel, reader, .. } = context;
        let path = || roots.proc().join(format!("{pid}/stat"));
        let stat = reader.read(&mut self.stat, path).map(stat::stat)?.ok_or(Fault::Broken)?;
        if stat.start != self.start {
            return Err(Fault::Gone);
        }
        self.parent = stat.parent;
        if disk == Err(Fault::Starved) {
            return Err(Fault::Starved);
        }
        let mut totals = Totals { disk: disk.unwrap_or_default(), ..Totals::default() };
        if needs.cpu {
            // It was there after its clock was read, so the clock must have gone: never mix the two kinds of time.
            totals.own = if self.clock.is_some() { clock.ok_or(Fault::Broken)? } else { kernel.nanos(stat.own) };
            totals.children = kernel.nanos(stat.children);
        } else {
            self.stat.close();
        }
        if stat.is_dead() {
            // It does not read or write any more, but its file may be closed to us by now.
            totals.disk = totals.disk.or(self.totals.and_then(|totals| totals.disk));
        }
        Ok(Look { is_dead: stat.is_dead(), threads: Some(stat.threads), totals, resident })
    }

    /// Bytes to and from disks, and bytes of memory.
    fn use_of_memory_and_disk(
        &mut self,
        context: &mut Context,
        needs: Needs,
    ) -> (Result<Option<Disk>, Fault>, Option<u64>) {
        let pid = self.pid;
        let Context { roots, kernel, reader, .. } = context;
        let path = |name: &str| roots.proc().join(format!("{pid}/{name}"));
        let mut disk = Ok(None);
        if needs.disk {
            disk = reader.read(&mut self.io, || path("io")).map(stat::disk);
        }
        let mut pages = None;
        if needs.memory {
            pages = reader.read(&mut self.statm, || path("statm")).ok().and_then(stat::resident_pages);
        }
        (disk, pages.map(|pages| kernel.bytes(pages)))
    }

    /// Closes its files.
    pub(crate) fn close(&mut self) {
        self.stat.close();
        self.statm.close();
        self.io.close();
    }
}
