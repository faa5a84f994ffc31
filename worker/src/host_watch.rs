//! Measuring the host itself: how busy it is. How full its file systems are is `file_systems`.

use crate::resources;
use dixmgr_procfs::{CpuTime, Roots, host};
use dixmgr_telemetry::{HostFigures, Metrics};
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// The host is never looked at more often.
pub(crate) const LEAST_INTERVAL: Duration = Duration::from_secs(5);

/// Looks for as long as the program runs.
pub(crate) async fn measure(interval: Duration, metrics: Metrics) {
    let mut before = None;
    let mut ticker = tokio::time::interval(interval.max(LEAST_INTERVAL));
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticker.tick().await;
        let Ok(seen) = tokio::task::spawn_blocking(|| host::read(&Roots::default())).await else {
            tracing::error!("measuring the host has failed; it is not measured any more");
            metrics.host().set(HostFigures::default());
            return;
        };
        metrics.host().set(figures(&seen, before));
        before = seen.cpu;
    }
}

fn figures(seen: &host::Host, before: Option<CpuTime>) -> HostFigures {
    HostFigures {
        cpu_percent: seen.cpu.zip(before).and_then(|(now, before)| now.percent_since(before)),
        memory: seen.memory.map(|memory| (memory.total, memory.available)),
        load: seen.load,
        clock_synchronized: seen.clock_synchronised,
        pressure: resources::pressure(&seen.pressure),
    }
}
