//! One unit's cgroup: which processes are in it, and what the kernel accounts for it.
//!
//! A v2 cgroup always counts CPU time, and memory and disk where the unit's accounting is on. With v1 there is a cgroup of
//! the unit under a controller only if accounting is on, and CPU time and memory are read there. Disk is not: v1 charges what
//! is written through the cache to the root (`Documentation/admin-guide/cgroup-v1/blkio-controller.rst`).

use crate::file::{Fault, Slot};
use crate::hierarchy::Tree;
use crate::pressure::{Gauge, Pressure};
use crate::sampler::Context;
use crate::tally::{self, Devices};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most cgroups below a unit's that are walked.
const MOST_BELOW: usize = 1000;
/// Deepest of them.
const DEEPEST: usize = 16;
/// Cgroups below one whose own processes stay the same are looked for at every n-th list of them (once a minute at a sample every
/// 5 seconds), and at each close look. A process that begins its life in such a cgroup, while nothing else changes, is seen so late.
const LOOK_BELOW_EVERY: u32 = 12;
/// More block devices than a host has.
const MOST_DEVICES: usize = 4096;

/// A number of the cgroup's, in a file that stays open.
#[derive(Debug)]
pub(crate) struct Meter {
    path: PathBuf,
    slot: Slot,
    parse: fn(&[u8]) -> Option<u64>,
}

impl Meter {
    fn at(folder: &Path, name: &str, parse: fn(&[u8]) -> Option<u64>) -> Option<Self> {
        let path = folder.join(name);
        path.is_file().then(|| Self { path, slot: Slot::default(), parse })
    }

    pub(crate) fn read(&mut self, context: &mut Context) -> Result<u64, Fault> {
        let text = context.reader.read(&mut self.slot, || self.path.clone())?;
        (self.parse)(text).ok_or(Fault::Broken)
    }
}

/// The cgroup of a unit that runs.
#[derive(Debug)]
pub(crate) struct Group {
    folder: PathBuf,
    is_unified: bool,
    /// Device and inode of the folder: another run of the unit has another one.
    identity: (u64, u64),
    directory: Slot,
    procs: Slot,
    /// Its own processes at the last list, where it had no cgroups below it.
    alone: Option<Vec<u32>>,
    /// For so many lists nobody has looked whether it has some now.
    unlooked: u32,
    /// CPU time in nanoseconds.
    pub(crate) cpu: Option<Meter>,
    /// Resident bytes.
    pub(crate) memory: Option<Meter>,
    oom_kills: Option<Meter>,
    io: Option<(PathBuf, Slot)>,
    pressure: Gauge,
}

impl Group {
    /// Finds the tree in which the unit has processes; none if it has none anywhere. Leaves its processes in `pids`.
    pub(crate) fn open(cgroup: &Path, context: &mut Context, pids: &mut Vec<u32>) -> Option<Self> {
        let trees = [(context.hierarchies.unified.clone(), true), (context.hierarchies.systemd.clone(), false)];
        for (tree, is_unified) in trees {
            let Some(folder) = tree.map(|tree| tree.folder(cgroup)) else { continue };
            let Ok(metadata) = std::fs::metadata(&folder) else { continue };
            let mut group = Self::at(folder, is_unified, (metadata.dev(), metadata.ino()));
            if group.list(context, pids, true).is_ok() && !pids.is_empty() {
                group.find_meters(cgroup, context, pids);
                return Some(group);
            }
        }
        None
    }

    fn at(folder: PathBuf, is_unified: bool, identity: (u64, u64)) -> Self {
        let (directory, procs, alone, unlooked) = Default::default();
        let (cpu, memory, oom_kills, io, pressure) = Default::default();
        Self { folder, is_unified, identity, directory, procs, alone, unlooked, cpu, memory, oom_kills, io, pressure }
    }

    /// True if this is the cgroup of another run in the same tree.
    pub(crate) const fn replaces(&self, old: &Self) -> bool {
        self.identity.0 == old.identity.0 && self.identity.1 != old.identity.1
    }

    /// The processes of the cgroup and of those below it, in order. [`Fault::Gone`] if it is not the one that was opened.
    pub(crate) fn list(&mut self, context: &mut Context, pids: &mut Vec<u32>, is_close: bool) -> Result<(), Fault> {
        pids.clear();
        // Open files are those of the cgroup that was opened, and fail when it is gone.
        let is_open = self.procs.is_open() && self.directory.is_open();
        if is_open {
            self.list_own(context, pids)?;
            let is_due = is_close || self.unlooked >= LOOK_BELOW_EVERY - 1;
            if !is_due && self.alone.as_ref() == Some(pids) {
                self.unlooked += 1;
                return Ok(());
            }
        }
        let metadata = context.reader.metadata(&mut self.directory, || self.folder.clone())?;
        if (metadata.dev(), metadata.ino()) != self.identity {
            return Err(Fault::Gone);
        }
        if !is_open {
            self.list_own(context, pids)?;
        }
        // A folder has two links, and one more for each folder in it. File systems that do not count them have one.
        let is_alone = metadata.nlink() == 2;
        (self.alone, self.unlooked) = (is_alone.then(|| pids.clone()), 0);
        if !is_alone {
            let mut left = MOST_BELOW;
            below(&self.folder, context, pids, &mut left, DEEPEST)?;
            in_order(pids);
        }
        Ok(())
    }

    /// Its own processes, in order.
    fn list_own(&mut self, context: &mut Context, pids: &mut Vec<u32>) -> Result<(), Fault> {
        tally::pids(context.reader.read_list(&mut self.procs, || self.folder.join("cgroup.procs"))?, pids);
        in_order(pids);
        Ok(())
    }

    /// Looks for what the kernel accounts, where nothing was found before. Accounting can be turned on at any time.
    pub(crate) fn find_meters(&mut self, cgroup: &Path, context: &mut Context, pids: &[u32]) {
        if self.is_unified {
            let folder = &self.folder;
            self.cpu = self.cpu.take().or_else(|| Meter::at(folder, "cpu.stat", tally::cpu_v2));
            self.memory = self.memory.take().or_else(|| Meter::at(folder, "memory.stat", tally::memory_v2));
            self.oom_kills = self.oom_kills.take().or_else(|| Meter::at(folder, "memory.events", tally::oom_kills));
            let io = || Some(folder.join("io.stat")).filter(|path| path.is_file());
            self.io = self.io.take().or_else(|| io().map(|path| (path, Slot::default())));
        }
        if self.cpu.is_none()
            && let Some(folder) = v1(context, context.hierarchies.cpuacct.clone(), b"cpuacct", cgroup, pids)
        {
            self.cpu = Meter::at(&folder, "cpuacct.usage", tally::cpu_v1);
        }
        if self.memory.is_none()
            && let Some(folder) = v1(context, context.hierarchies.memory.clone(), b"memory", cgroup, pids)
        {
            self.memory = Meter::at(&folder, "memory.stat", tally::memory_v1);
            self.oom_kills = Meter::at(&folder, "memory.oom_control", tally::oom_kills);
        }
    }

    /// True if disk use comes from the cgroup.
    pub(crate) const fn has_io(&self) -> bool {
        self.io.is_some()
    }

    /// Bytes by disk, without devices that are made of others: what goes through them is counted at the disks below.
    pub(crate) fn io(&mut self, context: &mut Context) -> Result<Devices, Fault> {
        let Some((path, slot)) = &mut self.io else { return Err(Fault::Gone) };
        let mut devices = tally::io_v2(context.reader.read(slot, || path.clone())?);
        devices.retain(|device, _| !context.is_stacked(*device));
        Ok(devices)
    }

    /// Stops reading disk use from the cgroup.
    pub(crate) fn forget_io(&mut self) {
        self.io = None;
    }

    /// Processes killed for want of memory.
    pub(crate) fn oom_kills(&mut self, context: &mut Context) -> Option<u64> {
        self.oom_kills.as_mut()?.read(context).ok()
    }

    /// Pressure, where there is any.
    pub(crate) fn pressure(&mut self, context: &mut Context) -> Pressure {
        if self.is_unified {
            self.pressure.read(&mut context.reader, &self.folder, ".pressure")
        } else {
            Pressure::default()
        }
    }

    /// Closes its files.
    pub(crate) fn close(&mut self) {
        self.directory.close();
        self.procs.close();
        self.pressure.close();
        for meter in [&mut self.cpu, &mut self.memory, &mut self.oom_kills].into_iter().flatten() {
            meter.slot.close();
        }
        if let Some((_, slot)) = &mut self.io {
            slot.close();
        }
    }
}

/// The unit's cgroup under a v1 controller, if its processes are in it: a left-over folder would tell of nothing.
fn v1(context: &mut Context, tree: Option<Tree>, controller: &[u8], cgroup: &Path, pids: &[u32]) -> Option<PathBuf> {
    let folder = tree?.folder(cgroup);
    if !folder.is_dir() {
        return None;
    }
    // The first few: any of them may end at any time.
    pids.iter().take(3).find_map(|pid| {
        let path = context.process_file(*pid, "cgroup");
        let text = context.reader.read(&mut Slot::default(), || path).ok()?;
        let place = std::str::from_utf8(tally::place_v1(text, controller)?).ok()?;
        Path::new(place).starts_with(cgroup).then_some(())
    })?;
    Some(folder)
}

fn in_order(pids: &mut Vec<u32>) {
    pids.sort_unstable();
    pids.dedup();
}

fn below(
    folder: &Path,
    context: &mut Context,
    pids: &mut Vec<u32>,
    left: &mut usize,
    depth: usize,
) -> Result<(), Fault> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        *left = left.checked_sub(1).ok_or(Fault::Broken)?;
        let depth = depth.checked_sub(1).ok_or(Fault::Broken)?;
        let inner = entry.path();
        // One that is just being removed, or a threaded one, whose processes its parent lists.
        if let Ok(text) = context.reader.read_list(&mut Slot::default(), || inner.join("cgroup.procs")) {
            tally::pids(text, pids);
        }
        match below(&inner, context, pids, left, depth) {
            Err(Fault::Gone) | Ok(()) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

impl Context {
    /// A device that others are part of (LVM, LUKS, RAID): `/sys/dev/block/<device>/slaves` is not empty.
    fn is_stacked(&mut self, device: (u32, u32)) -> bool {
        if let Some(known) = self.stacked.get(&device) {
            return *known;
        }
        let path = format!("/sys/dev/block/{}:{}/slaves", device.0, device.1);
        let mut slaves = std::fs::read_dir(self.roots.at(Path::new(&path)));
        let is_stacked = slaves.as_mut().is_ok_and(|slaves| slaves.next().is_some());
        if self.stacked.len() < MOST_DEVICES {
            self.stacked.insert(device, is_stacked);
        }
        is_stacked
    }
}
