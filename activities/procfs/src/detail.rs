//! What is dear to read and slow to change: threads, open files, context switches, OOM kills, pressure.
//!
//! The kernel tells a process's context switches thread by thread only, and builds a page of text for each.

use crate::file::{Fault, Slot};
use crate::group::Group;
use crate::pressure::Pressure;
use crate::sampler::Context;
use crate::stat::{self, Status};
use crate::usage::OpenFiles;
use procfs::FromRead;
use procfs::process::{LimitValue, Limits};
use std::collections::BTreeMap;
use std::time::Instant;

/// Most threads of one process that are looked at; with more, context switches are absent.
const MOST_THREADS: u64 = 4096;
/// Most open files that are counted one by one, on kernels that do not tell their number.
const MOST_FILES: usize = 1 << 20;
/// Limits hardly ever change: they are read at the first look and at every n-th from then on.
const LIMITS_EVERY: u32 = 10;

/// The result of one close look.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Details {
    pub(crate) threads: Option<u64>,
    pub(crate) open_files: Option<OpenFiles>,
    pub(crate) switches_per_second: Option<f64>,
    pub(crate) oom_kills: Option<u64>,
    pub(crate) pressure: Pressure,
}

/// What a close look remembers for the next one.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    at: Option<Instant>,
    /// Context switches by process and thread.
    switches: BTreeMap<(u32, u32), u64>,
    /// Soft limits of open files, and how many looks ago they were read.
    limits: BTreeMap<u32, (Option<u64>, u32)>,
}

impl Memory {
    /// Looks closely at a unit.
    pub(crate) fn look(&mut self, context: &mut Context, group: &mut Group, pids: &[u32], now: Instant) -> Details {
        let mut threads = Some(0u64);
        let mut files = Some(OpenFiles::default());
        let mut switches = Some(BTreeMap::new());
        let mut limits = BTreeMap::new();
        let mut seen = 0;
        for pid in pids {
            let status = match status(context, *pid, None) {
                Ok(status) => status,
                Err(Fault::Gone) => continue,
                Err(_) => {
                    (threads, switches) = (None, None);
                    continue;
                }
            };
            seen += 1;
            threads = threads.and_then(|sum| sum.checked_add(status.threads));
            if let Some(map) = &mut switches
                && note_switches(context, *pid, status, map).is_err()
            {
                switches = None;
            }
            let limit = self.limit(context, *pid);
            limits.insert(*pid, limit);
            files = files.and_then(|files| add_files(files, open_files(context, *pid)?, limit.0));
        }
        self.limits = limits;
        if seen == 0 {
            (threads, files, switches) = (None, None, None);
        }
        let switches_per_second = self.rate(switches, now);
        let oom_kills = group.oom_kills(context);
        let pressure = group.pressure(context);
        Details { threads, open_files: files, switches_per_second, oom_kills, pressure }
    }

    /// Switches of each thread since the last look. A thread that is new counts from its begin, unless its process is new
    /// here: that may have a past elsewhere.
    fn rate(&mut self, switches: Option<BTreeMap<(u32, u32), u64>>, now: Instant) -> Option<f64> {
        let before = std::mem::take(&mut self.switches);
        let since = self.at.take();
        self.switches = switches?;
        self.at = Some(now);
        let elapsed = now.checked_duration_since(since?)?.as_secs_f64();
        let sum: u64 = self.switches.iter().fold(0u64, |sum, (key, count)| {
            let is_known = || before.range((key.0, 0)..=(key.0, u32::MAX)).next().is_some();
            let base = before.get(key).copied().or_else(|| is_known().then_some(0));
            sum.saturating_add(base.map_or(0, |base| count.saturating_sub(base)))
        });
        (elapsed > 0.0).then(|| sum as f64 / elapsed)
    }

    fn limit(&self, context: &mut Context, pid: u32) -> (Option<u64>, u32) {
        if let Some((limit, age)) = self.limits.get(&pid)
            && *age + 1 < LIMITS_EVERY
        {
            return (*limit, age + 1);
        }
        let path = context.process_file(pid, "limits");
        let text = context.reader.read(&mut Slot::default(), || path).ok();
        (text.and_then(soft_limit_of_files), 0)
    }
}

/// `status` of a process's first thread, or of another one.
fn status(context: &mut Context, pid: u32, thread: Option<u32>) -> Result<Status, Fault> {
    let name = thread.map_or_else(|| "status".to_owned(), |thread| format!("task/{thread}/status"));
    let path = context.process_file(pid, &name);
    let text = context.reader.read(&mut Slot::default(), || path)?;
    stat::status(text).ok_or(Fault::Broken)
}

fn note_switches(
    context: &mut Context,
    pid: u32,
    status: Status,
    into: &mut BTreeMap<(u32, u32), u64>,
) -> Result<(), Fault> {
    into.insert((pid, pid), status.switches);
    if status.threads <= 1 {
        return Ok(());
    }
    if status.threads > MOST_THREADS {
        return Err(Fault::Broken);
    }
    let entries = match std::fs::read_dir(context.process_file(pid, "task")).map_err(Fault::from) {
        Ok(entries) => entries,
        Err(Fault::Gone) => return Ok(()),
        Err(fault) => return Err(fault),
    };
    let threads = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for thread in threads.take(MOST_THREADS as usize).filter(|thread| *thread != pid) {
        if let Ok(status) = self::status(context, pid, Some(thread)) {
            into.insert((pid, thread), status.switches);
        }
    }
    Ok(())
}

/// How many files a process has open; none if that is not told. A process that just ended has none.
fn open_files(context: &mut Context, pid: u32) -> Option<u64> {
    let path = context.process_file(pid, "fd");
    let count = if context.kernel.counts_files {
        std::fs::metadata(path).map(|folder| folder.len())
    } else {
        std::fs::read_dir(path).map(|files| files.take(MOST_FILES).count() as u64)
    };
    match count.map_err(Fault::from) {
        Ok(count) => Some(count),
        Err(Fault::Gone) => Some(0),
        Err(_) => None,
    }
}

fn add_files(sum: OpenFiles, open: u64, limit: Option<u64>) -> Option<OpenFiles> {
    let share = limit.filter(|limit| *limit > 0).map(|limit| open as f64 * 100.0 / limit as f64);
    let nearest = [sum.nearest_limit_percent, share].into_iter().flatten().reduce(f64::max);
    Some(OpenFiles { open: sum.open.checked_add(open)?, nearest_limit_percent: nearest })
}

/// The soft limit in `/proc/<pid>/limits`; none if there is none, or if it cannot be read.
pub(crate) fn soft_limit_of_files(text: &[u8]) -> Option<u64> {
    // `procfs` counts words from the end of each line without a look at how many there are.
    let is_table = text.is_ascii() && text.split(|byte| *byte == b'\n').rev().skip(1).all(is_row);
    if !is_table || !text.ends_with(b"\n") {
        return None;
    }
    match Limits::from_read(text).ok()?.max_open_files.soft_limit {
        LimitValue::Value(limit) => Some(limit),
        LimitValue::Unlimited => None,
    }
}

fn is_row(line: &[u8]) -> bool {
    crate::scan::words(line).count() >= 4
}
