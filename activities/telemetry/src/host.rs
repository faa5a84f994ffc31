//! The series of the host itself.

use crate::catalogue::{Metric, find};
use crate::figures::PressureFigures;
use crate::label::bounded;
use opentelemetry::KeyValue;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How the host is. Absent is what cannot be told, and then it has no series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostFigures {
    /// The busy share of all cores, 0 to 100.
    pub cpu_percent: Option<f64>,
    /// All memory, and what is available of it.
    pub memory: Option<(u64, u64)>,
    /// Tasks that ran or waited, on average over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Whether the clock is synchronised.
    pub clock_synchronized: Option<bool>,
    /// How long work stood still for want of something.
    pub pressure: PressureFigures,
}

/// How full a file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystemFigures {
    /// Bytes.
    pub total: u64,
    /// Bytes that may still be written without privileges.
    pub available: u64,
    /// Files that it can hold.
    pub inodes: Option<u64>,
    /// Files that may still be made.
    pub inodes_available: Option<u64>,
}

/// A cheap handle on how the host is.
#[derive(Clone, Debug, Default)]
pub struct HostBoard(Arc<Mutex<Shown>>);

#[derive(Debug, Default)]
struct Shown {
    host: HostFigures,
    /// Each by a path in it.
    file_systems: BTreeMap<String, FileSystemFigures>,
}

/// A figure of the host, as a gauge shows it.
pub(crate) type ReadHost = fn(&HostFigures) -> Option<f64>;
/// The same of a file system.
pub(crate) type ReadFileSystem = fn(&FileSystemFigures) -> Option<f64>;

/// The gauges with one series.
pub(crate) const HOST_GAUGES: [(&Metric, ReadHost); 7] = [
    (find("host_cpu_percent"), |host| host.cpu_percent),
    (find("host_memory_bytes"), |host| host.memory.map(|(total, _)| total as f64)),
    (find("host_memory_available_bytes"), |host| host.memory.map(|(_, available)| available as f64)),
    (find("host_load1"), |host| host.load.map(|[load, ..]| load)),
    (find("host_load5"), |host| host.load.map(|[_, load, _]| load)),
    (find("host_load15"), |host| host.load.map(|[.., load]| load)),
    (find("host_clock_synchronized"), |host| host.clock_synchronized.map(f64::from)),
];

/// The gauges with one series a file system.
pub(crate) const FILE_SYSTEM_GAUGES: [(&Metric, ReadFileSystem); 4] = [
    (find("host_filesystem_bytes"), |one| Some(one.total as f64)),
    (find("host_filesystem_available_bytes"), |one| Some(one.available as f64)),
    (find("host_filesystem_inodes"), |one| one.inodes.map(|inodes| inodes as f64)),
    (find("host_filesystem_inodes_available"), |one| one.inodes_available.map(|inodes| inodes as f64)),
];

impl HostBoard {
    /// How the host is now.
    pub fn set(&self, figures: HostFigures) {
        self.shown().host = figures;
    }

    /// How full the file system of a path is now, by the path as the configuration names it; nothing if that is not known.
    pub fn set_file_system(&self, path: &str, figures: Option<FileSystemFigures>) {
        let mut shown = self.shown();
        match figures {
            Some(figures) => _ = shown.file_systems.insert(path.to_owned(), figures),
            None => _ = shown.file_systems.remove(path),
        }
    }

    pub(crate) fn see(&self, read: ReadHost, mut see: impl FnMut(f64, &[KeyValue])) {
        if let Some(figure) = read(&self.shown().host) {
            see(figure, &[]);
        }
    }

    pub(crate) fn each_pressure(&self, mut see: impl FnMut(f64, &[KeyValue])) {
        for (resource, share) in self.shown().host.pressure.each() {
            see(share, &[KeyValue::new("resource", resource)]);
        }
    }

    pub(crate) fn each_file_system(&self, read: ReadFileSystem, mut see: impl FnMut(f64, &[KeyValue])) {
        for (path, one) in &self.shown().file_systems {
            if let Some(figure) = read(one) {
                see(figure, &[KeyValue::new("path", bounded(path))]);
            }
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
