//! Real processes with a load of known size, against what the kernel tells themselves and what `ps` and `pidstat` say.
//!
//! A busy machine gives a process less than it wants, so no wish is compared: each load says what it had.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "real/load.rs"]
mod load;

use dixmgr_procfs::{Options, Roots, Sampler, Usage};
use load::{Cgroup, Load, skip, skip_always};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;

/// A sampler of one cgroup, and when it last looked.
struct Watch<'a> {
    sampler: Sampler<()>,
    cgroup: &'a Cgroup,
    at: Option<Instant>,
    /// Seconds between the last two looks.
    elapsed: f64,
}

impl<'a> Watch<'a> {
    fn new(cgroup: &'a Cgroup) -> Self {
        Self::with(cgroup, Options::default().open_files)
    }

    fn with(cgroup: &'a Cgroup, open_files: usize) -> Self {
        let options = Options { open_files, ..Options::default() };
        Self { sampler: Sampler::with(cgroup.roots(), options), cgroup, at: None, elapsed: 0.0 }
    }

    fn look(&mut self) -> Usage {
        let mut at = Instant::now();
        let usage = self.sampler.sample([((), self.cgroup.name())], || {
            at = Instant::now();
            at
        });
        self.elapsed = self.at.map_or(0.0, |before| at.duration_since(before).as_secs_f64());
        self.at = Some(at);
        usage.into_iter().next().unwrap().1
    }

    /// CPU seconds between the last two looks.
    fn cpu(&self, usage: &Usage) -> f64 {
        usage.cpu_percent.unwrap() * self.elapsed / 100.0
    }
}

#[track_caller]
fn within(what: &str, is: f64, should: f64, percent: f64, steps: f64) {
    let off = (is - should).abs();
    assert!(off <= should * percent / 100.0 + steps, "{what}: {is} is not {should}");
}

#[test]
fn half_a_core_is_half_a_core() {
    for open_files in [100, 0] {
        let mut load = Load::start("half-core");
        let cgroup = Cgroup::of_files(&[load.pid()]);
        let mut watch = Watch::with(&cgroup, open_files);
        watch.look();
        let had = load.run()[0];
        let usage = watch.look();
        // Besides its loop it reads and writes a line each.
        within("CPU seconds", watch.cpu(&usage), had, 2.0, 0.005);
        assert!(had > 0.9, "a second of CPU time, not {had}");
        let threads = std::fs::read_dir(format!("/proc/{}/task", load.pid())).unwrap().count();
        assert_eq!((usage.processes, usage.threads), (Some(1), u64::try_from(threads).ok()));
    }
}

#[test]
fn what_is_written_with_fsync_is_counted() {
    let mut load = Load::start("writer");
    let cgroup = Cgroup::of_files(&[load.pid()]);
    let mut watch = Watch::new(&cgroup);
    watch.look();
    let had = load.run();
    let usage = watch.look();
    let written = usage.disk_write_bps.unwrap() * watch.elapsed;
    within("bytes written", written, had[0], 2.0, 0.0);
    if had[0] == 0.0 {
        return skip("what_is_written_with_fsync_is_counted", "a target folder on a disk");
    }
    within("bytes written", written, 20.0 * MIB as f64, 2.0, 0.0);
}

#[test]
fn memory_that_is_held_is_resident() {
    let mut load = Load::start("holder");
    let cgroup = Cgroup::of_files(&[load.pid()]);
    let before = Watch::new(&cgroup).look().memory_bytes.unwrap();
    load.run();
    let usage = Watch::new(&cgroup).look();
    let held = usage.memory_bytes.unwrap();
    within("bytes held", (held - before) as f64, 512.0 * MIB as f64, 2.0, 0.0);
    let ps = Command::new("ps").args(["-o", "rss=", "-p", &load.pid().to_string()]).output();
    let Ok(ps) = ps else { return skip("memory_that_is_held_is_resident", "ps (package procps)") };
    let kib: f64 = String::from_utf8(ps.stdout).unwrap().trim().parse().unwrap();
    within("bytes by ps", held as f64, kib * 1024.0, 2.0, 0.0);
}

#[test]
fn one_that_rests_is_seen_as_soon_as_it_does_anything() {
    let mut load = Load::start("holder");
    let cgroup = Cgroup::of_files(&[load.pid()]);
    let mut watch = Watch::new(&cgroup);
    let until = Instant::now() + Duration::from_secs(10);
    let mut before = watch.look();
    // It may still be on its way to where it waits.
    while before.cpu_percent != Some(0.0) {
        assert!(Instant::now() < until, "it does not come to rest");
        before = watch.look();
    }
    let still = watch.look();
    assert_eq!((still.cpu_percent, still.memory_bytes), (Some(0.0), before.memory_bytes));
    assert_eq!((still.disk_write_bps, still.threads), (before.disk_write_bps, before.threads));
    load.run();
    let usage = watch.look();
    assert!(usage.cpu_percent > Some(0.0));
    let more = usage.memory_bytes.unwrap() - still.memory_bytes.unwrap();
    within("bytes held", more as f64, 512.0 * MIB as f64, 2.0, 0.0);
}

#[test]
fn pidstat_says_the_same() {
    let name = "pidstat_says_the_same";
    let mut load = Load::start("half-core-for-long");
    let cgroup = Cgroup::of_files(&[load.pid()]);
    let mut watch = Watch::new(&cgroup);
    load.go();
    watch.look();
    let mut pidstat = Command::new("pidstat");
    pidstat.args(["-p", &load.pid().to_string(), "-u", "-h", "5", "1"]).env("LC_ALL", "C").env("S_COLORS", "never");
    let Ok(pidstat) = pidstat.output() else { return skip(name, "pidstat (package sysstat)") };
    let usage = watch.look();
    let text = String::from_utf8(pidstat.stdout).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let header = lines.iter().find(|line| line.contains(&"%CPU")).unwrap();
    // The header has a `#` in front that the values have not.
    let column = header.iter().position(|word| *word == "%CPU").unwrap() - usize::from(header[0] == "#");
    let percent: f64 = lines.last().unwrap()[column].parse().unwrap();
    // Its window begins a little later than ours, and it counts in hundredths of a second: one at each end.
    within("CPU percent by pidstat", usage.cpu_percent.unwrap(), percent, 2.0, 0.5);
}

#[test]
fn a_process_that_becomes_another_program_goes_on() {
    let mut load = Load::start("exec");
    let cgroup = Cgroup::of_files(&[load.pid()]);
    let mut watch = Watch::new(&cgroup);
    let before = watch.look();
    // User and system time in hundredths of a second.
    let had: f64 = load.run().iter().sum();
    let usage = watch.look();
    let cpu = watch.cpu(&usage);
    assert!(cpu >= 0.2 && cpu <= (had + 10.0) / 100.0, "{cpu} of {had}");
    assert!(usage.memory_bytes < before.memory_bytes, "a shell is smaller than a test");
    assert_eq!(usage.processes, Some(1));
}

#[test]
fn children_that_came_and_went_between_two_looks_count() {
    // Only the parent is ever seen.
    let mut load = Load::start("forker");
    let cgroup = Cgroup::of_files(&[load.pid()]);
    let mut watch = Watch::new(&cgroup);
    watch.look();
    let had = load.run();
    let usage = watch.look();
    // `/proc` tells of children in hundredths of a second.
    within("CPU seconds with children", watch.cpu(&usage), had[0] + had[1], 2.0, 0.02);
    assert!(had[1] > 0.15, "the children worked: {had:?}");
}

#[test]
fn a_process_that_ends_takes_nothing_from_the_others() {
    for open_files in [100, 0] {
        let [mut works, mut ends] = [Load::start("half-core"), Load::start("half-core")];
        let cgroup = Cgroup::of_files(&[works.pid(), ends.pid()]);
        let mut watch = Watch::with(&cgroup, open_files);
        ends.run();
        assert_eq!(watch.look().processes, Some(2));
        let had = works.run()[0];
        ends.kill();
        let usage = watch.look();
        assert_eq!(usage.processes, Some(1), "a zombie is none");
        within("CPU seconds", watch.cpu(&usage), had, 2.0, 0.005);
        ends.bury();
        let usage = watch.look();
        assert_eq!(usage.processes, Some(1));
        assert!(usage.cpu_percent.unwrap() >= 0.0);
    }
}

#[test]
fn the_kernels_own_account_says_the_same() {
    let name = "the_kernels_own_account_says_the_same";
    let Some(cgroup) = Cgroup::real() else { return skip_always(name, "the right to make a cgroup") };
    let mut load = Load::start("half-core");
    cgroup.put(load.pid());
    let mut watch = Watch::new(&cgroup);
    watch.look();
    let had = load.run()[0];
    let usage = watch.look();
    // The kernel books what runs at each tick, at worst 10 ms late.
    within("CPU seconds", watch.cpu(&usage), had, 2.0, 0.02);
    assert_eq!(usage.processes, Some(1));
    drop(load);
    assert_eq!(watch.look(), Usage::default(), "nothing runs");
    // Another run: the old cgroup is gone, its open files with it.
    cgroup.renew();
    let load = Load::start("half-core");
    cgroup.put(load.pid());
    assert_eq!(watch.look().processes, Some(1));
}

#[test]
fn what_is_denied_is_absent_not_0() {
    let name = "what_is_denied_is_absent_not_0";
    let Some(mut load) = Load::start_as_nobody("stranger") else { return skip_always(name, "the right to be nobody") };
    assert_eq!(load.run(), [1.0, 1.0, 0.0], "CPU time and memory are for everybody, bytes are not");
}

#[test]
fn without_file_descriptors_it_goes_on_with_less() {
    // In a process of its own: the limit is the whole process's.
    let mut load = Load::start("starve");
    assert_eq!(load.run(), [1.0]);
}

#[test]
fn this_host_is_read() {
    let roots = Roots::default();
    let host = dixmgr_procfs::host::read(&roots);
    assert!(host.cpu.is_some() && host.memory.is_some() && host.load.is_some());
    assert!(host.cores >= std::thread::available_parallelism().ok().map(usize::from), "{:?}", host.cores);
    assert!(dixmgr_procfs::host::file_system(&roots, Path::new("/")).is_some_and(|root| root.total > 0));
}
