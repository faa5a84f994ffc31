//! Version 1, with and without a tree of version 2 beside it (hybrid): a cgroup of the unit where its accounting is on.

use crate::capture::{Capture, MIB, by_hand, number, within};

const TREES: &str = "sys/fs/cgroup";

/// The folder of a service in the tree of a controller.
fn folder(capture: &Capture, tree: &str, service: &str) -> String {
    capture.folder(&format!("{TREES}/{tree}"), service)
}

/// Percent of a core by nanoseconds or microseconds in a file.
fn percent(capture: &Capture, service: &str, path: &str, key: &str, in_a_second: f64) -> f64 {
    capture.rate(service, path, key) / in_a_second * 100.0
}

#[test]
fn hybrid_has_cpu_time_of_all_in_its_tree_of_version_2() {
    let capture = Capture::read("hybrid");
    for (service, burnt) in [("cap-burn.service", 50.0), ("cap-barequarter.service", 25.0)] {
        let usage = capture.sample(service).then;
        let path = format!("{}/cpu.stat", folder(&capture, "unified", service));
        by_hand(usage.cpu_percent, percent(&capture, service, &path, "usage_usec", 1e6));
        within(usage.cpu_percent, burnt, 2.0);
        assert!(usage.pressure.cpu.is_some());
    }
    // With an account of version 1 too, which says the same.
    let path = format!("{}/cpuacct.usage", folder(&capture, "cpu,cpuacct", "cap-burn.service"));
    let same = percent(&capture, "cap-burn.service", &path, "", 1e9);
    within(capture.sample("cap-burn.service").then.cpu_percent, same, 2.0);
}

#[test]
fn version_1_has_cpu_time_where_accounting_is_on_and_the_processes_have_it_elsewhere() {
    let capture = Capture::read("v1");
    let usage = capture.sample("cap-burn.service").then;
    let path = format!("{}/cpuacct.usage", folder(&capture, "cpu,cpuacct", "cap-burn.service"));
    by_hand(usage.cpu_percent, percent(&capture, "cap-burn.service", &path, "", 1e9));
    within(usage.cpu_percent, 50.0, 2.0);
    let quarter = "cap-barequarter.service";
    let usage = capture.sample(quarter).then;
    let procs = format!("{}/cgroup.procs", folder(&capture, "systemd", quarter));
    // Hundredths of a second a second are percent.
    by_hand(usage.cpu_percent, capture.ticks(capture.listed(&procs)[0]) / capture.seconds(quarter));
    within(usage.cpu_percent, 25.0, 2.0);
    assert!(usage.pressure.cpu.is_none(), "nobody tells");
}

#[test]
fn memory_is_in_the_tree_of_its_controller_and_shared_memory_counts_once() {
    for name in ["hybrid", "v1"] {
        let capture = Capture::read(name);
        let usage = capture.sample("cap-hold.service").then;
        let stat = format!("{}/memory.stat", folder(&capture, "memory", "cap-hold.service"));
        let part = |key| capture.numbers(&stat, key)[1];
        let memory = usage.memory_bytes.map(|bytes| bytes as f64);
        by_hand(memory, part("total_rss") + part("total_mapped_file"));
        within(memory, 512.0 * MIB, 2.0);
        assert_eq!(usage.processes, Some(2));
        assert_eq!(capture.sample("cap-oom.service").then.oom_kills, Some(1), "{name}");
    }
}

#[test]
fn what_is_written_through_the_cache_is_the_processes_to_tell() {
    for name in ["hybrid", "v1"] {
        let capture = Capture::read(name);
        for (service, rate, percent) in [("cap-write.service", 10.0, 2.0), ("cap-baretrickle.service", 1.0, 10.0)] {
            let usage = capture.sample(service).then;
            let procs = format!("{}/cgroup.procs", folder(&capture, "systemd", service));
            let io = format!("proc/{}/io", capture.listed(&procs)[0]);
            by_hand(usage.disk_write_bps, capture.rate(service, &io, "write_bytes"));
            within(usage.disk_write_bps, rate * MIB, percent);
        }
    }
}

#[test]
fn cgroups_below_and_escaped_names_are_found() {
    for name in ["hybrid", "v1"] {
        let capture = Capture::read(name);
        let usage = capture.sample("cap-sub.service").then;
        assert_eq!(usage.processes, Some(3), "{name}: and a zombie");
        within(usage.cpu_percent, 10.0, 2.0);
        let usage = capture.sample(r"cap\x2dodd@a\x2db.service").then;
        assert_eq!((usage.processes, usage.threads), (Some(1), Some(3)), "{name}");
        let usage = capture.sample("cap-again.service").then;
        assert!(usage.processes == Some(1) && usage.cpu_percent.is_some(), "{name}: {usage:?}");
        let total = number(capture.texts("proc/meminfo")[1], "MemTotal") * 1024.0;
        assert_eq!(capture.host().memory.unwrap().total as f64, total);
    }
}
