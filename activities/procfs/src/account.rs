//! From two looks at a unit's processes to what the unit spent between them.
//!
//! Processes come and go between two looks. When a parent waits for a child that ended, the kernel adds the child's whole
//! life to the parent's counters: to `cutime` and `cstime` the CPU time, and to the very counters of `/proc/<pid>/io` the
//! bytes (`wait_task_zombie`, `kernel/exit.c`). So the growth of a parent's counter holds what its ended children used since
//! they were last seen, which is wanted, and what was counted of them before, which is not: that is taken off. Children
//! that were born and ended between two looks are thereby counted too.
//!
//! What is left out, always too little and not too much: the last moments of a process whose parent is outside the unit, or
//! ignores `SIGCHLD` (the kernel adds it to nobody); and, when such children used hardly any CPU, or CPU time is not looked at,
//! as many bytes of the parent's as were counted of them.
//!
//! Rejected: the sum over the processes now less the sum before. It falls when a process ends, and a negative rate that is
//! shown as 0 hides what the others did.

use crate::stat::Disk;
use std::collections::BTreeMap;

/// How far a process's counters are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// CPU time in nanoseconds.
    pub(crate) own: u64,
    /// CPU time of the children that it waited for, in nanoseconds.
    pub(crate) children: u64,
    /// Absent if denied.
    pub(crate) disk: Option<Disk>,
}

/// One process over two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Life {
    /// Its parent when it was last seen.
    pub(crate) parent: u32,
    /// At the first look; none if it was not there.
    pub(crate) before: Option<Totals>,
    /// At the second; none if it ended.
    pub(crate) after: Option<Totals>,
    /// It began after the first look. If not and it was not seen then, it came from elsewhere, with a past that is not ours.
    pub(crate) is_born: bool,
}

/// What was spent between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// CPU time in nanoseconds.
    pub(crate) cpu: u64,
    /// Bytes; absent if any process's were denied.
    pub(crate) disk: Option<Disk>,
}

/// What was counted before of the children that ended, by the one that waited for them.
#[derive(Clone, Copy, Default)]
struct Credit {
    children: u64,
    cpu: u64,
    disk: Disk,
}

/// Sums up over all processes, by pid. Two may have one pid if the first of them ended.
///
/// `slack` is how much smaller than it is the kernel may show a child's CPU time, in nanoseconds.
pub(crate) fn spent<'a>(lives: impl Iterator<Item = (u32, Life)> + Clone + 'a, slack: u64) -> Spent {
    let credits = credits(lives.clone());
    let mut spent = Spent { cpu: 0, disk: Some(Disk::default()) };
    for (pid, life) in lives {
        let Some(after) = life.after else { continue };
        let Some(before) = life.before.or_else(|| life.is_born.then(|| fresh(after))) else { continue };
        let credit = credits.get(&pid).copied().unwrap_or_default();
        let children = after.children.saturating_sub(before.children);
        let own = after.own.saturating_sub(before.own);
        spent.cpu = spent.cpu.saturating_add(own).saturating_add(children.saturating_sub(credit.cpu));
        // Children that used CPU ended, and none of it came here: nobody waited for them, so their bytes did not come either.
        let waited = children > 0 || credit.cpu <= slack.saturating_mul(credit.children);
        let off = if waited { credit.disk } else { Disk::default() };
        spent.disk = spent.disk.and_then(|sum| add(sum, before.disk?, after.disk?, off));
    }
    spent
}

/// The counters of a process that has only just begun.
fn fresh(after: Totals) -> Totals {
    Totals { own: 0, children: 0, disk: after.disk.map(|_| Disk::default()) }
}

fn add(sum: Disk, before: Disk, after: Disk, off: Disk) -> Option<Disk> {
    let grown = |before: u64, after: u64, off: u64| after.saturating_sub(before).saturating_sub(off);
    Some(Disk {
        read: sum.read.checked_add(grown(before.read, after.read, off.read))?,
        written: sum.written.checked_add(grown(before.written, after.written, off.written))?,
    })
}

/// Each process that ended is credited to its nearest ancestor that still lives.
fn credits(lives: impl Iterator<Item = (u32, Life)> + Clone) -> BTreeMap<u32, Credit> {
    let ended = |life: &Life| life.after.is_none();
    if !lives.clone().any(|(_, life)| ended(&life)) {
        return BTreeMap::new();
    }
    let mut by_pid: BTreeMap<u32, Life> = BTreeMap::new();
    for (pid, life) in lives.clone() {
        // Of two with one pid, the one that lives is where a chain of parents ends.
        by_pid.entry(pid).and_modify(|known| *known = if ended(known) { life } else { *known }).or_insert(life);
    }
    let mut credits: BTreeMap<u32, Credit> = BTreeMap::new();
    for (_, life) in lives.filter(|(_, life)| ended(life)) {
        let Some(before) = life.before else { continue };
        let mut parent = life.parent;
        // Pids are reused, so parents could form a ring: no chain is longer than there are processes.
        for _ in 0..by_pid.len() {
            match by_pid.get(&parent) {
                Some(next) if ended(next) => parent = next.parent,
                _ => break,
            }
        }
        let credit = credits.entry(parent).or_default();
        credit.children += 1;
        credit.cpu = credit.cpu.saturating_add(before.own).saturating_add(before.children);
        let disk = before.disk.unwrap_or_default();
        credit.disk.read = credit.disk.read.saturating_add(disk.read);
        credit.disk.written = credit.disk.written.saturating_add(disk.written);
    }
    credits
}
