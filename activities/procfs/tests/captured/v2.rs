//! Version 2 alone, with the accounting of a real systemd: on for most services, and off for those in a slice of their own.

use crate::capture::{Capture, MIB, Seen, by_hand, number, within};

const SYSTEM: &str = "sys/fs/cgroup/system.slice";
const BARE: &str = "sys/fs/cgroup/cap.slice/cap-bare.slice";

#[test]
fn half_a_core_in_two_children_is_half_a_core() {
    let capture = Capture::read("v2");
    let Seen { first, then: usage } = capture.sample("cap-burn.service");
    assert!(first.cpu_percent.is_none() && first.memory_bytes.is_some(), "one moment has no rates");
    let group = format!("{SYSTEM}/cap-burn.service");
    let micros = capture.rate("cap-burn.service", &format!("{group}/cpu.stat"), "usage_usec");
    by_hand(usage.cpu_percent, micros / 1e6 * 100.0);
    within(usage.cpu_percent, 50.0, 2.0);
    // The same by the processes' own clocks, in hundredths of a second.
    let ticks: f64 = capture.listed(&format!("{group}/cgroup.procs")).iter().map(|pid| capture.ticks(pid)).sum();
    within(usage.cpu_percent, ticks / capture.seconds("cap-burn.service"), 2.0);
    assert_eq!(usage.processes, Some(3));
    assert_eq!(capture.numbers(&format!("{group}/pids.current"), "")[1], 3.0);
}

#[test]
fn what_is_written_through_a_device_made_of_another_counts_once() {
    let capture = Capture::read("v2");
    let usage = capture.sample("cap-write.service").then;
    let rate_of = |device: &str| {
        let texts = capture.texts(&format!("{SYSTEM}/cap-write.service/io.stat"));
        let [before, after] = texts.map(|text| {
            number(text.lines().find(|line| line.starts_with(device)).unwrap_or("none wbytes=0"), "wbytes")
        });
        (after - before) / capture.seconds("cap-write.service")
    };
    by_hand(usage.disk_write_bps, rate_of("254:32 "));
    // The kernel tells of the device above it too.
    within(usage.disk_write_bps, rate_of("253:0 "), 2.0);
    within(usage.disk_write_bps, 10.0 * MIB, 2.0);
    assert_eq!(usage.disk_read_bps, Some(0.0));
    // What is in the cache only is not resident.
    let current = capture.numbers(&format!("{SYSTEM}/cap-write.service/memory.current"), "")[1];
    assert!(current > usage.memory_bytes.unwrap() as f64 + 15.0 * MIB);
}

#[test]
fn memory_that_two_processes_share_counts_once() {
    let capture = Capture::read("v2");
    let usage = capture.sample("cap-hold.service").then;
    let group = format!("{SYSTEM}/cap-hold.service");
    let part = |key| capture.numbers(&format!("{group}/memory.stat"), key)[1];
    let memory = usage.memory_bytes.map(|bytes| bytes as f64);
    by_hand(memory, part("anon") + part("file_mapped"));
    within(memory, 512.0 * MIB, 2.0);
    let pids = capture.listed(&format!("{group}/cgroup.procs"));
    let resident: f64 = pids.iter().map(|pid| capture.resident(pid)).sum();
    assert!(pids.len() == 2 && resident > 1024.0 * MIB, "each of them has all of it");
}

#[test]
fn a_child_killed_for_want_of_memory_is_told() {
    let capture = Capture::read("v2");
    let usage = capture.sample("cap-oom.service").then;
    assert_eq!((usage.oom_kills, usage.processes), (Some(1), Some(1)));
    assert_eq!(capture.sample("cap-burn.service").then.oom_kills, Some(0));
}

#[test]
fn a_name_that_systemd_escapes_is_found_and_one_with_a_line_end_is_read() {
    let capture = Capture::read("v2");
    let service = r"cap\x2dodd@a\x2db.service";
    assert_eq!(capture.group(service), r"/system.slice/system-cap\x5cx2dodd.slice/cap\x2dodd@a\x2db.service");
    let pid = capture.listed(&format!("{}/cgroup.procs", &capture.folder("sys/fs/cgroup", service)))[0];
    assert!(capture.texts(&format!("proc/{pid}/stat"))[1].contains("(a ) R 1\nb) S 1 "));
    let usage = capture.sample(service).then;
    assert_eq!((usage.processes, usage.threads), (Some(1), Some(3)));
    let open = usage.open_files.unwrap();
    assert_eq!(open.open, capture.count(&format!("proc/{pid}/fd/")));
    by_hand(open.nearest_limit_percent, open.open as f64 / 1024.0 * 100.0);
}

#[test]
fn cgroups_below_count_and_what_the_quota_leaves_is_what_it_had() {
    let capture = Capture::read("v2");
    let usage = capture.sample("cap-sub.service").then;
    let group = format!("{SYSTEM}/cap-sub.service");
    within(usage.cpu_percent, 10.0, 2.0);
    let below: Vec<_> = ["", "/inner", "/inner/deeper"]
        .iter()
        .flat_map(|at| capture.listed(&format!("{group}{at}/cgroup.procs")))
        .collect();
    assert_eq!((below.len(), usage.processes), (3, Some(3)));
    assert_eq!(capture.numbers(&format!("{group}/pids.current"), "")[1], 4.0, "the zombie");
    let full = usage.pressure.cpu.unwrap().full.unwrap();
    let text = capture.texts(&format!("{group}/cpu.pressure"))[1];
    let line = text.lines().find(|line| line.starts_with("full")).unwrap();
    within(Some(full.avg10), number(line, "avg10"), 0.01);
    assert_eq!(full.total_us as f64, number(line, "total"));
    assert!(full.avg10 > 50.0, "it wants a core, and has a tenth of one");
}

#[test]
fn a_service_that_was_restarted_meanwhile_counts_from_its_new_begin() {
    let capture = Capture::read("v2");
    let usage = capture.sample("cap-again.service").then;
    let used = capture.numbers(&format!("{SYSTEM}/cap-again.service/cpu.stat"), "usage_usec")[1];
    by_hand(usage.cpu_percent, used / 1e6 / capture.seconds("cap-again.service") * 100.0);
    assert_eq!(usage.processes, Some(1));
}

#[test]
fn where_systemd_has_turned_the_controllers_off_the_processes_tell_and_the_cgroup_its_cpu_time() {
    let capture = Capture::read("v2");
    let usage = capture.sample("cap-barequarter.service").then;
    let micros =
        capture.rate("cap-barequarter.service", &format!("{BARE}/cap-barequarter.service/cpu.stat"), "usage_usec");
    by_hand(usage.cpu_percent, micros / 1e6 * 100.0);
    within(usage.cpu_percent, 25.0, 2.0);
    let usage = capture.sample("cap-baretrickle.service").then;
    let pid = capture.listed(&format!("{BARE}/cap-baretrickle.service/cgroup.procs"))[0];
    by_hand(usage.disk_write_bps, capture.rate("cap-baretrickle.service", &format!("proc/{pid}/io"), "write_bytes"));
    within(usage.disk_write_bps, MIB, 10.0);
    by_hand(usage.memory_bytes.map(|bytes| bytes as f64), capture.resident(pid));
    assert_eq!(usage.oom_kills, None, "nobody counts them");
    assert!(usage.pressure.io.is_some(), "pressure needs no controller");
}

#[test]
fn the_host_is_what_its_files_say() {
    let capture = Capture::read("v2");
    let host = capture.host();
    let memory = host.memory.unwrap();
    let kib = |key| capture.numbers("proc/meminfo", key)[1] * 1024.0;
    assert_eq!((memory.total as f64, memory.available as f64), (kib("MemTotal"), kib("MemAvailable")));
    assert_eq!((host.cores, memory.swap_total), (Some(2), 0));
    within(Some(host.load.unwrap()[0]), number(capture.texts("proc/loadavg")[1], ""), 0.1);
    let ticks: f64 = capture.texts("proc/stat")[1]
        .lines()
        .next()
        .unwrap()
        .split(' ')
        .filter_map(|word| word.parse::<f64>().ok())
        .sum();
    // Guests, the last two, are none.
    assert_eq!(host.cpu.unwrap().total as f64, ticks);
    assert!(host.pressure.cpu.is_some() && host.pressure.memory.is_some() && host.pressure.io.is_some());
}
