//! Measuring the host itself: how busy it is, and how full the file systems are on which services keep their data.
//!
//! Apart from the sampler of services: a network file system that is gone holds up whoever asks it, for as long as it likes.

use crate::resources;
use dixmgr_procfs::{CpuTime, Roots, host};
use dixmgr_telemetry::{FileSystemFigures, HostFigures, Metrics};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// It is never looked at more often.
const LEAST_INTERVAL: Duration = Duration::from_secs(5);
/// What takes longer has no figures meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks for as long as the program runs, at the file system of `/` and those of `paths`.
pub(crate) async fn measure(interval: Duration, mut paths: Vec<PathBuf>, metrics: Metrics) {
    paths.insert(0, PathBuf::from("/"));
    paths.sort();
    paths.dedup();
    let mut before = None;
    let mut ticker = tokio::time::interval(interval.max(LEAST_INTERVAL));
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticker.tick().await;
        let asked = paths.clone();
        let mut look = tokio::task::spawn_blocking(move || host::read(&Roots::default(), &asked));
        let seen = match tokio::time::timeout(PATIENCE, &mut look).await {
            Ok(seen) => seen,
            Err(_) => {
                tracing::warn!("a file system does not answer; the host has no figures until it does");
                metrics.host().set(HostFigures::default());
                look.await
            }
        };
        let Ok(seen) = seen else {
            tracing::error!("measuring the host has failed; it is not measured any more");
            return;
        };
        metrics.host().set(figures(&seen, before));
        before = seen.cpu;
    }
}

fn figures(seen: &host::Host, before: Option<CpuTime>) -> HostFigures {
    let file_systems = seen.file_systems.iter().map(|one| FileSystemFigures {
        path: one.path.to_string_lossy().into_owned(),
        total: one.total,
        available: one.available,
        inodes: one.inodes,
        inodes_available: one.inodes_available,
    });
    HostFigures {
        cpu_percent: seen.cpu.zip(before).and_then(|(now, before)| now.percent_since(before)),
        memory: seen.memory.map(|memory| (memory.total, memory.available)),
        load: seen.load,
        clock_synchronized: seen.clock_synchronised,
        file_systems: file_systems.collect(),
        pressure: resources::pressure(&seen.pressure),
    }
}
