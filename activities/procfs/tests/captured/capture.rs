//! One captured machine: its files are laid out in a folder, first as they were at the first moment, and then at the second.

use dixmgr_procfs::{Options, Roots, Sampler, Usage};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const NANOS: f64 = 1e9;
pub(crate) const MIB: f64 = 1048576.0;

type Files = BTreeMap<String, String>;

/// The files of both moments, by their paths.
pub(crate) struct Capture {
    first: Files,
    then: Files,
}

/// A service at both moments.
pub(crate) struct Seen {
    pub(crate) first: Usage,
    pub(crate) then: Usage,
}

impl Capture {
    pub(crate) fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captured").join(name);
        let read = |moment| files(&std::fs::read_to_string(folder.join(moment)).unwrap());
        let (first, changed) = (read("first.txt"), read("then.txt"));
        let mut then = first.clone();
        then.retain(|path, _| !changed["gone"].lines().any(|gone| gone == path));
        then.extend(changed.into_iter().filter(|(path, _)| path != "gone"));
        Self { first, then }
    }

    /// A file at the first moment and at the second.
    pub(crate) fn texts(&self, path: &str) -> [&str; 2] {
        [&self.first, &self.then].map(|files| files.get(path).map_or_else(|| panic!("no {path}"), String::as_str))
    }

    /// A number in it, as [`number`] finds it.
    pub(crate) fn numbers(&self, path: &str, key: &str) -> [f64; 2] {
        self.texts(path).map(|text| number(text, key))
    }

    /// How much it grew in a second.
    pub(crate) fn rate(&self, service: &str, path: &str, key: &str) -> f64 {
        let [before, after] = self.numbers(path, key);
        (after - before) / self.seconds(service)
    }

    /// Its cgroup, as systemd named it.
    pub(crate) fn group(&self, service: &str) -> &str {
        self.texts(&format!("moment/{service}"))[0].split(' ').next().unwrap()
    }

    /// When its counters were read, by the kernel's monotonic clock.
    fn nanos(&self, service: &str) -> [u64; 2] {
        self.texts(&format!("moment/{service}")).map(|text| text.split(' ').nth(1).unwrap().parse().unwrap())
    }

    /// Seconds between the moments.
    pub(crate) fn seconds(&self, service: &str) -> f64 {
        let [first, then] = self.nanos(service);
        (then - first) as f64 / NANOS
    }

    /// The processes that a `cgroup.procs` lists at the second moment.
    pub(crate) fn listed(&self, path: &str) -> Vec<&str> {
        self.texts(path)[1].lines().collect()
    }

    /// Its cgroup's folder in that tree.
    pub(crate) fn folder(&self, tree: &str, service: &str) -> String {
        format!("{tree}{}", self.group(service))
    }

    /// How many files there are below, at the second moment.
    pub(crate) fn count(&self, path: &str) -> u64 {
        self.then.keys().filter(|known| known.starts_with(path)).count() as u64
    }

    /// CPU time of a process between the moments, in hundredths of a second: the 14th and 15th field of its `stat`.
    pub(crate) fn ticks(&self, pid: &str) -> f64 {
        let [before, after] = self.texts(&format!("proc/{pid}/stat")).map(|text| {
            let fields: Vec<_> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
            number(fields[11], "") + number(fields[12], "")
        });
        after - before
    }

    /// Resident bytes of a process at the second moment, in its pages of 4 KiB.
    pub(crate) fn resident(&self, pid: &str) -> f64 {
        let text = self.texts(&format!("proc/{pid}/statm"))[1];
        number(text.split(' ').nth(1).unwrap(), "") * 4096.0
    }

    /// Samples the service at both moments, by the times at which its counters were read.
    pub(crate) fn sample(&self, service: &str) -> Seen {
        let machine = tempfile::tempdir().unwrap();
        lay(machine.path(), &self.first);
        let options = Options { open_files: 0, details_every: 1 };
        let mut sampler = Sampler::with(Roots::under(machine.path()), options);
        let (boot, [first, then]) = (Instant::now(), self.nanos(service));
        let mut look = |nanos| {
            let now = boot + Duration::from_nanos(nanos);
            sampler.sample([((), self.group(service))], || now).remove(0).1
        };
        let first = look(first);
        lay(machine.path(), &self.then);
        Seen { first, then: look(then) }
    }

    /// The host at the second moment.
    pub(crate) fn host(&self) -> dixmgr_procfs::host::Host {
        let machine = tempfile::tempdir().unwrap();
        lay(machine.path(), &self.then);
        dixmgr_procfs::host::read(&Roots::under(machine.path()))
    }
}

/// A number of a file: the one of a line `key 5` or `key: 5 kB`, of a word `key=5` or, without a key, the first.
pub(crate) fn number(text: &str, key: &str) -> f64 {
    let mut words = text.split([' ', '\n', '\t', '=']).filter(|word| !word.is_empty());
    if !key.is_empty() {
        words.find(|word| word.trim_end_matches(':') == key).unwrap_or_else(|| panic!("no {key} in {text}"));
    }
    words.next().unwrap().parse().unwrap()
}

fn files(text: &str) -> Files {
    let mut found = Files::new();
    let mut rest = text;
    while let Some((path, more)) = rest.strip_prefix("==> ").and_then(|rest| rest.split_once(" <==\n")) {
        // A process may have a line end in its name, but nobody has this in it.
        let end = more.find("\n==> ").map_or(more.len(), |at| at + 1);
        let end = if more.starts_with("==> ") { 0 } else { end };
        found.insert(path.to_owned(), more[..end].to_owned());
        rest = &more[end..];
    }
    assert_eq!(rest, "");
    found
}

/// Makes the folder hold these files. A cgroup that was removed and made anew is a new folder: it had another inode number.
fn lay(folder: &Path, files: &Files) {
    let at = |path: &str| -> PathBuf { folder.join(path) };
    for (path, inode) in files.iter().filter(|(path, _)| path.ends_with("/inode")) {
        if std::fs::read_to_string(at(path)).is_ok_and(|old| old != *inode) {
            let cgroup = at(path).parent().unwrap().to_owned();
            // Aside until the new one is made, so that it does not get the same number.
            let aside = cgroup.with_extension("aside");
            std::fs::rename(&cgroup, &aside).unwrap();
            std::fs::create_dir(&cgroup).unwrap();
            std::fs::remove_dir_all(aside).unwrap();
        }
    }
    let _ = std::fs::remove_dir_all(at("proc"));
    for (path, text) in files {
        std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        std::fs::write(at(path), text).unwrap();
    }
}

/// The same, but for the rounding of floats.
#[track_caller]
pub(crate) fn by_hand(is: Option<f64>, should: f64) {
    within(is, should, 1e-7);
}

/// Within so many percent.
#[track_caller]
pub(crate) fn within(is: Option<f64>, should: f64, percent: f64) {
    assert!(is.is_some_and(|is| (is - should).abs() <= should * percent / 100.0), "{is:?} is not {should}");
}
