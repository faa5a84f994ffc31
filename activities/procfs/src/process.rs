//! One process, through files that stay open.
//!
//! An open file of `/proc/<pid>` belongs to that process and fails when it is gone, whoever has its pid then. Where files
//! cannot stay open, the start time in `stat` says whether it is still the same: it is read last, so that what was read
//! before it was the same process's too.

use crate::account::Totals;
use crate::file::{Fault, Slot};
use crate::sampler::Context;
use crate::stat::{self, Stat};

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
    pub(crate) totals: Option<Totals>,
    stat: Slot,
    statm: Slot,
    io: Slot,
}

/// One look at a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) stat: Stat,
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
        Ok(Self { pid, start: seen.start, parent: seen.parent, totals: None, stat, statm, io })
    }

    /// Looks at it. [`Fault::Gone`] if it ended, also if somebody else has its pid now.
    pub(crate) fn look(&mut self, context: &mut Context, needs: Needs) -> Result<Look, Fault> {
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
        let clock = kernel.cpu_clock(pid);
        let stat = reader.read(&mut self.stat, || path("stat")).map(stat::stat)?.ok_or(Fault::Broken)?;
        if stat.start != self.start {
            return Err(Fault::Gone);
        }
        if disk == Err(Fault::Starved) {
            return Err(Fault::Starved);
        }
        let mut disk = disk.unwrap_or_default();
        if stat.is_dead() {
            // It does not read or write any more, but its file may be closed to us by now.
            disk = disk.or(self.totals.and_then(|totals| totals.disk));
        }
        let own = clock.unwrap_or_else(|| kernel.nanos(stat.own));
        let totals = Totals { own, children: kernel.nanos(stat.children), disk };
        self.parent = stat.parent;
        Ok(Look { stat, totals, resident: pages.map(|pages| kernel.bytes(pages)) })
    }

    /// Closes its files.
    pub(crate) fn close(&mut self) {
        self.stat.close();
        self.statm.close();
        self.io.close();
    }
}
