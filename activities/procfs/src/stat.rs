//! The files of one process, as proc(5) and the kernel's `fs/proc/array.c` describe them.

use crate::scan::{number, value, words};

/// What is needed of `/proc/<pid>/stat`. Times are in clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// `R`, `S`, `Z` …
    pub(crate) state: u8,
    pub(crate) parent: u32,
    /// User and system time of all its threads, dead ones too.
    pub(crate) own: u64,
    /// The same of the children that it waited for, and of theirs.
    pub(crate) children: u64,
    pub(crate) threads: u64,
    /// Since boot. With the pid it names a process for good.
    pub(crate) start: u64,
}

impl Stat {
    /// None of its threads runs any more; it only waits to be waited for.
    ///
    /// A leader that ended before its threads is shown as a zombie too.
    pub(crate) const fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1
    }
}

/// Reads `pid (name) state …`. The name may hold blanks, brackets and line ends, so the fields begin after the last `)`:
/// none of them can hold one.
pub(crate) fn stat(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let mut fields = words(text.get(end + 1..)?);
    let state = match fields.next()? {
        [state] => *state,
        _ => return None,
    };
    let parent = u32::try_from(number(fields.next()?)?).ok()?;
    // Fields are counted from 1 in proc(5); the parent is the 4th.
    let mut skip = |count: usize| fields.nth(count).and_then(number);
    let (user, system) = (skip(9)?, skip(0)?);
    let (child_user, child_system) = (skip(0)?, skip(0)?);
    let threads = skip(2)?;
    let start = skip(1)?;
    Some(Stat {
        state,
        parent,
        own: user.checked_add(system)?,
        children: child_user.checked_add(child_system)?,
        threads,
        start,
    })
}

/// The resident pages in `/proc/<pid>/statm`. Not those of `stat`, which lag behind on machines with many cores.
pub(crate) fn resident_pages(text: &[u8]) -> Option<u64> {
    words(text).nth(1).and_then(number)
}

/// Bytes that a process made the disks read and write, its dead threads and the children it waited for included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

/// Reads `/proc/<pid>/io`. `read_bytes` and `write_bytes`: not `rchar`, which counts what came from the cache.
pub(crate) fn disk(text: &[u8]) -> Option<Disk> {
    Some(Disk { read: value(text, b"read_bytes")?, written: value(text, b"write_bytes")? })
}

/// What is needed of `/proc/<pid>/status` or that of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) threads: u64,
    /// Of this one thread, given up or taken away.
    pub(crate) switches: u64,
}

/// Reads `status`. The name in it has its line ends escaped, so no line can be forged.
pub(crate) fn status(text: &[u8]) -> Option<Status> {
    let given_up = value(text, b"voluntary_ctxt_switches")?;
    let taken = value(text, b"nonvoluntary_ctxt_switches")?;
    Some(Status { threads: value(text, b"Threads")?, switches: given_up.saturating_add(taken) })
}
