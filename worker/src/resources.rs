//! Measuring: every few seconds what each service uses, as gauges.
//!
//! Apart from the agent, which owns what is known of services: a sample reads thousands of files, and must not hold up the news
//! of a failure. Where a unit's processes are is asked of systemd once it is up, and again whenever nothing was found there.

use crate::agent::{Handle, Round};
use crate::history::History;
use dixmgr_contract::{Span, Time, UnitName};
use dixmgr_procfs::{Pressure, Roots, Sampler, Stalled, Usage};
use dixmgr_systemd::UnitReader;
use dixmgr_telemetry::{Figures, Metrics, PressureFigures};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::time::MissedTickBehavior;

/// What is measured, and how often.
pub(crate) struct Measuring {
    /// Each with its place among all services.
    pub(crate) services: Vec<(usize, String, UnitName)>,
    pub(crate) interval: Duration,
    pub(crate) reader: Arc<dyn UnitReader>,
    pub(crate) metrics: Metrics,
    pub(crate) agent: Handle,
    pub(crate) history: History,
}

/// A service and where its processes are; empty while that is not known.
struct Place {
    index: usize,
    service: String,
    unit: UnitName,
    control_group: String,
}

/// Samples for as long as the program runs.
pub(crate) async fn measure(measuring: Measuring) {
    let Measuring { services, interval, reader, metrics, agent, history } = measuring;
    raise_file_limit();
    let place = |(index, service, unit)| Place { index, service, unit, control_group: String::new() };
    let mut places: Vec<_> = services.into_iter().map(place).collect();
    // No number comes again after a restart.
    let mut number = u64::try_from(Time::from(SystemTime::now()).unix_millis()).unwrap_or(0);
    let mut sampler = Sampler::new(Roots::default());
    let mut ticker = tokio::time::interval(interval);
    // The time between two samples is measured, so one that came late is as good, and two at once are not.
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticker.tick().await;
        find(&mut places, &*reader, &metrics).await;
        let sampled = tokio::task::spawn_blocking(move || {
            let named = places.iter().enumerate().map(|(index, place)| (index, place.control_group.as_str()));
            let usages = sampler.sample(named, Instant::now);
            (sampler, places, usages)
        });
        let Ok(done) = sampled.await else {
            tracing::error!("measuring has failed; the services' resources are not measured any more");
            return;
        };
        let usages;
        (sampler, places, usages) = done;
        let mut round = Vec::with_capacity(usages.len());
        for (index, usage) in usages {
            let Some(place) = places.get_mut(index) else { continue };
            if usage.processes.is_none() {
                place.control_group.clear();
            }
            let figures = figures(&usage);
            metrics.services().set_figures(&place.service, figures);
            history.usage(&place.service, &usage);
            round.push((place.index, figures));
        }
        number += 1;
        agent.measured(Round { number, interval: Span::from(interval), figures: round });
    }
}

/// Asks systemd where the processes of those are that are up and were not found.
async fn find(places: &mut [Place], reader: &dyn UnitReader, metrics: &Metrics) {
    for place in places.iter_mut().filter(|place| place.control_group.is_empty()) {
        if !metrics.services().is_up(&place.service) {
            continue;
        }
        match reader.control_group(&place.unit).await {
            Ok(control_group) => place.control_group = control_group,
            // Without systemd nobody can be found; the next sample asks again.
            Err(_) => return,
        }
    }
}

/// A sampler keeps files open, several for each service: as many as this process may ever have.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!("the limit of open files stays: {error}");
    }
}

fn figures(usage: &Usage) -> Figures {
    Figures {
        cpu_percent: usage.cpu_percent,
        memory_bytes: usage.memory_bytes,
        disk_read_bps: usage.disk_read_bps,
        disk_write_bps: usage.disk_write_bps,
        processes: usage.processes,
        threads: usage.threads,
        open_files: usage.open_files.map(|files| files.open),
        open_files_percent: usage.open_files.and_then(|files| files.nearest_limit_percent),
        context_switches_per_second: usage.context_switches_per_second,
        oom_kills: usage.oom_kills,
        pressure: pressure(&usage.pressure),
    }
}

/// Of the last ten seconds: longer ones are for whoever keeps the series.
pub(crate) fn pressure(of: &Pressure) -> PressureFigures {
    let share = |stalled: Option<Stalled>| stalled.map(|stalled| stalled.some.avg10);
    PressureFigures { cpu: share(of.cpu), memory: share(of.memory), io: share(of.io) }
}
