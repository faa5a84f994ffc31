//! The parsers: what the kernel writes is read, and no bytes whatever make them panic.

use crate::stat::{Disk, Status, disk, resident_pages, stat, status};
use crate::{detail, hierarchy, host, pressure, roots::Roots, scan, tally};
use proptest::prelude::*;
use std::path::Path;

const AFTER_NAME: &str =
    " S 7 19391 1861 0 -1 4194304 94 11 0 0 250 50 30 20 20 0 3 0 987654 5738496 225 18446744073709551615 1 2 3";

#[test]
fn a_name_may_hold_blanks_brackets_and_line_ends() {
    for name in ["sleep", "a b", "(sd-pam)", ") R 1 2 3 4 5", "a\nb) Z 0", "\u{7f}\t()", ""] {
        let read = stat(format!("12 ({name}){AFTER_NAME}\n").as_bytes()).unwrap();
        assert_eq!((read.state, read.parent, read.threads, read.start), (b'S', 7, 3, 987_654), "{name:?}");
        assert_eq!((read.own, read.children), (300, 50), "{name:?}");
    }
}

#[test]
fn a_cut_stat_is_none() {
    let whole = format!("12 (a){AFTER_NAME}");
    let needed = whole.find("987654").unwrap() + 6;
    for length in 0..whole.find(" 987654").unwrap() {
        assert_eq!(stat(&whole.as_bytes()[..length]), None, "{length}");
    }
    assert!(stat(&whole.as_bytes()[..needed]).is_some());
}

#[test]
fn only_a_leader_without_threads_is_dead() {
    let with = |state: &str, threads: &str| {
        stat(format!("1 (a){}", AFTER_NAME.replace(" S ", state).replace(" 3 0 98", threads)).as_bytes()).unwrap()
    };
    assert!(with(" Z ", " 1 0 98").is_dead());
    assert!(!with(" Z ", " 2 0 98").is_dead());
    assert!(!with(" R ", " 1 0 98").is_dead());
}

#[test]
fn the_other_files_of_a_process_are_read() {
    assert_eq!(resident_pages(b"730 461 433 5 0 89 0\n"), Some(461));
    let io = b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 5\n";
    assert_eq!(disk(io), Some(Disk { read: 4096, written: 8192 }));
    assert_eq!(disk(b"read_bytes: 4096\n"), None);
    let text = b"Name:\tvoluntary_ctxt_switches:\\n\nThreads:\t4\nvoluntary_ctxt_switches:\t10\nnonvoluntary_ctxt_switches:\t5\n";
    assert_eq!(status(text), Some(Status { threads: 4, switches: 15 }));
    let limits = std::fs::read("/proc/self/limits").unwrap();
    let own = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    assert_eq!(detail::soft_limit_of_files(&limits), own);
    assert_eq!(detail::soft_limit_of_files(b"Max open files 1024 4096 files\n"), None, "a table that is not whole");
}

#[test]
fn the_files_of_a_cgroup_are_read() {
    let mut pids = Vec::new();
    tally::pids(b"12\n0\n7\nnonsense\n99999999999\n", &mut pids);
    assert_eq!(pids, [12, 7]);
    assert_eq!(tally::cpu_v2(b"usage_usec 123\nuser_usec 100\nsystem_usec 23\n"), Some(123_000));
    assert_eq!(tally::cpu_v1(b"31030093654\n"), Some(31_030_093_654));
    assert_eq!(tally::memory_v2(b"anon 100\nfile 70\nanon_thp 9\nfile_mapped 30\n"), Some(130));
    assert_eq!(tally::memory_v1(b"rss 1\nmapped_file 1\ntotal_rss 40\ntotal_mapped_file 2\n"), Some(42));
    assert_eq!(tally::oom_kills(b"low 0\noom 4\noom_kill 3\noom_group_kill 1\n"), Some(3));
    let devices =
        tally::io_v2(b"8:0 rbytes=1 wbytes=2 rios=9 wios=9 dbytes=0 dios=0\n253:1 \n7:x rbytes=3\n8:16 rbytes=z\n");
    assert_eq!(devices.len(), 2);
    assert_eq!(devices[&(8, 0)], Disk { read: 1, written: 2 });
    assert_eq!(devices[&(253, 1)], Disk::default());
    let places = b"9:name=systemd:/init.scope\n4:cpu,cpuacct:/a:b/c\n0::/x\n";
    assert_eq!(tally::place_v1(places, b"cpuacct"), Some(&b"/a:b/c"[..]));
    assert_eq!(tally::place_v1(places, b"memory"), None);
}

#[test]
fn pressure_is_read_with_and_without_its_second_line() {
    let some = "some avg10=1.50 avg60=0.25 avg300=0.00 total=42\n";
    let read = pressure::stalled(some.as_bytes()).unwrap();
    assert_eq!((read.some.avg10, read.some.total_us, read.full), (1.5, 42, None));
    let both = format!("{some}full avg10=100.00 avg60=0.00 avg300=0.00 total=7\n");
    assert_eq!(pressure::stalled(both.as_bytes()).unwrap().full.unwrap().avg10, 100.0);
    for bad in
        ["", "some", "some ", "some avg10=nan avg60=0 avg300=0 total=1\n", "full avg10=1 avg60=1 avg300=1 total=1\n"]
    {
        assert_eq!(pressure::stalled(bad.as_bytes()), None, "{bad:?}");
    }
}

#[test]
fn this_machines_own_files_are_read() {
    let file = |name: &str| std::fs::read(Path::new("/proc").join(name)).unwrap();
    let (time, cores) = host::cpu(&file("stat")).unwrap();
    assert!(cores >= 1 && time.busy > 0 && time.total > time.busy);
    let memory = host::memory(&file("meminfo")).unwrap();
    assert!(memory.total > memory.available && memory.available > 1 << 20);
    assert!(host::load(&file("loadavg")).is_some());
    assert!(stat(&file("self/stat")).is_some_and(|stat| stat.start > 0));
    assert!(status(&file("self/status")).is_some_and(|status| status.threads >= 1));
    assert!(resident_pages(&file("self/statm")).is_some_and(|pages| pages > 0));
}

#[test]
fn nothing_outside_the_tree_is_named() {
    assert_eq!(hierarchy::checked("/system.slice/a.service"), Some(Path::new("/system.slice/a.service")));
    let long = format!("/{}", "a".repeat(5000));
    for bad in ["", "/", "a", "a/b", "/..", "/a/../b", "/a/..", "/a//b", "/a/", "/./a", "/a\0b", long.as_str()] {
        assert_eq!(hierarchy::checked(bad), None, "{bad:?}");
    }
}

#[test]
fn mounts_are_found_among_odd_ones() {
    let text = "1 2 0:1 / /mnt\\040x rw shared:1 - cgroup2 cgroup2 rw\n\
        nonsense cgroup\n\
        3 2 0:2 /pod /run/own rw - cgroup cgroup rw,name=systemd\n\
        4 2 0:3 / /c,a rw - cgroup cgroup rw,cpu,cpuacct\n\
        5 2 0:4 / /later rw - cgroup2 cgroup2 rw\n";
    let found = hierarchy::Hierarchies::read(text, &Roots::under("/base"));
    assert_eq!(found.unified.unwrap().point, Path::new("/base/mnt x"));
    let systemd = found.systemd.unwrap();
    assert_eq!(systemd.folder(Path::new("/pod/a.service")), Path::new("/base/run/own/a.service"));
    assert_eq!(systemd.folder(Path::new("/a.service")), Path::new("/base/run/own/a.service"));
    assert_eq!(found.cpuacct.unwrap().folder(Path::new("/a/b")), Path::new("/base/c,a/a/b"));
    assert_eq!(found.memory, None);
}

/// Bytes that look more like the kernel's than random ones do.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        any::<u64>().prop_map(|value| value.to_string()),
        Just("some avg10=".to_owned()),
        Just("full ".to_owned()),
        Just("total=".to_owned()),
        Just("oom_kill".to_owned()),
        Just("usage_usec".to_owned()),
        Just("anon".to_owned()),
        Just("file_mapped".to_owned()),
        Just("8:0 rbytes=".to_owned()),
        Just("(a b) S".to_owned()),
        Just("Max open files".to_owned()),
        Just("Max nice priority".to_owned()),
        Just("cpu ".to_owned()),
        Just("MemTotal:".to_owned()),
        Just("kB\n".to_owned()),
        Just("1 2 0:1 / / rw - cgroup cgroup rw,name=systemd".to_owned()),
        Just(":".to_owned()),
        Just("\n".to_owned()),
        Just(")".to_owned()),
        "\\PC{0,4}",
    ];
    let like = prop::collection::vec(word, 0..60).prop_map(|words| words.join(" ").into_bytes());
    prop_oneof![like, prop::collection::vec(any::<u8>(), 0..400)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_a_parser_panic(text in texts()) {
        let _ = (stat(&text), resident_pages(&text), disk(&text), status(&text));
        let _ = (tally::cpu_v1(&text), tally::cpu_v2(&text), tally::memory_v1(&text), tally::memory_v2(&text));
        let _ = (tally::oom_kills(&text), tally::io_v2(&text), tally::place_v1(&text, b"cpu"));
        tally::pids(&text, &mut Vec::new());
        let _ = (pressure::stalled(&text), detail::soft_limit_of_files(&text));
        let _ = (host::cpu(&text), host::memory(&text), host::load(&text));
        let text = String::from_utf8_lossy(&text);
        let _ = (hierarchy::Hierarchies::read(&text, &Roots::default()), hierarchy::checked(&text));
    }

    #[test]
    fn a_number_is_read_back(number in any::<u64>()) {
        prop_assert_eq!(scan::number(number.to_string().as_bytes()), Some(number));
        prop_assert_eq!(scan::number(format!("1{number:020}").as_bytes()), None, "too long");
        prop_assert_eq!(scan::value(format!("ab 1\na {number}\n").as_bytes(), b"a"), Some(number));
    }

    #[test]
    fn any_name_leaves_the_fields_alone(name in prop::collection::vec(any::<u8>(), 0..64)) {
        let text = [b"1 (".as_slice(), &name, b")", AFTER_NAME.as_bytes()].concat();
        prop_assert_eq!(stat(&text).map(|stat| (stat.parent, stat.start)), Some((7, 987_654)));
    }

    #[test]
    fn a_checked_path_stays_below_its_tree(path in "[/.a\\x00]{0,12}") {
        if let Some(inner) = hierarchy::checked(&path) {
            let tree = hierarchy::Tree { point: "/mount".into(), top: "/".to_owned() };
            let folder = tree.folder(inner);
            prop_assert!(folder.starts_with("/mount") && folder != Path::new("/mount"));
            prop_assert!(folder.components().all(|part| matches!(part, std::path::Component::RootDir | std::path::Component::Normal(_))));
        }
    }
}
