//! Measuring: every few seconds what each service uses, as gauges.
//!
//! Apart from the agent, which owns what is known of services: a sample reads thousands of files, and must not hold up the news
//! of a failure. Where a unit's processes are is asked of systemd once it is up, and again whenever nothing was found there.

use crate::agent::{Handle, Round};
use crate::control_groups::Search;
use crate::history::History;
use dixmgr_contract::{Span, Time, UnitName};
use dixmgr_procfs::{Options, Pressure, Roots, Sampler, Stalled, Usage};
use dixmgr_systemd::UnitReader;
use dixmgr_telemetry::{Figures, Metrics, PressureFigures};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::time::MissedTickBehavior;

/// systemd answers for a thousand units in less. A sample that is later than this is a worse one.
const AT_ONCE: Duration = Duration::from_millis(500);

/// So often at least everything is read, also of who rests; more often where the interval is shorter than five seconds.
const CLOSELY: Duration = Duration::from_secs(120);

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
    let usual = Options::default();
    let rounds =
        CLOSELY.as_millis().checked_div(measuring.interval.as_millis()).and_then(|rounds| u32::try_from(rounds).ok());
    let details_every = rounds.unwrap_or(usual.details_every).clamp(1, usual.details_every);
    let mut sampler = Sampler::with(Roots::default(), Options { details_every, ..usual });
    let sample = move |places: &[Place]| {
        let named = places.iter().enumerate().map(|(index, place)| (index, place.control_group.as_str()));
        sampler.sample(named, Instant::now)
    };
    measure_by(measuring, sample).await;
}

/// The same by a sampler, which blocks, and says what each of the places uses.
async fn measure_by<S>(measuring: Measuring, mut sample: S)
where
    S: FnMut(&[Place]) -> Vec<(usize, Usage)> + Send + 'static,
{
    let Measuring { services, interval, reader, metrics, agent, history } = measuring;
    let names: Vec<_> = services.iter().map(|(_, service, _)| service.clone()).collect();
    let place = |(index, service, unit)| Place { index, service, unit, control_group: String::new() };
    let mut places: Vec<_> = services.into_iter().map(place).collect();
    let mut search = Search::new(reader);
    // No number comes again after a restart.
    let mut number = u64::try_from(Time::from(SystemTime::now()).unix_millis()).unwrap_or(0);
    let mut ticker = tokio::time::interval(interval);
    // The time between two samples is measured, so one that came late is as good, and two at once are not.
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticker.tick().await;
        find(&mut places, &mut search, &metrics).await;
        let sampled = tokio::task::spawn_blocking(move || {
            let usages = sample(&places);
            (sample, places, usages)
        });
        let Ok(done) = sampled.await else {
            tracing::error!("measuring has failed; the services' resources are not measured any more");
            for service in &names {
                metrics.services().set_figures(service, Figures::default());
            }
            return;
        };
        let usages;
        (sample, places, usages) = done;
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

/// Asks systemd where the processes of those are that are up and were not found. What it does not say at once is in a later
/// sample.
async fn find(places: &mut [Place], search: &mut Search, metrics: &Metrics) {
    let is_lost = |place: &Place| place.control_group.is_empty() && metrics.services().is_up(&place.service);
    let lost = places.iter().enumerate().filter(|(_, place)| is_lost(place));
    search.begin(lost.map(|(index, place)| (index, place.unit.clone())).collect());
    for (index, control_group) in search.found(AT_ONCE).await {
        if let Some(place) = places.get_mut(index) {
            place.control_group = control_group;
        }
    }
}

/// The sampler keeps files open, several for each service, and each probe its connection: as many as this process may ever have.
pub(crate) fn raise_file_limit() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_systemd::FakeSystemd;
    use dixmgr_telemetry::{Room, ServiceLabels};

    #[tokio::test]
    async fn what_is_not_measured_any_more_is_not_shown() {
        let unit: UnitName = "api.service".parse().unwrap();
        let metrics = Metrics::new("dixmgr", Room::of(1)).unwrap();
        metrics.services().put(ServiceLabels { service: "api".into(), kind: "app".into(), chain: String::new() });
        let folder = std::env::temp_dir().join(format!("dixmgr-resources-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let measuring = Measuring {
            services: vec![(0, "api".into(), unit.clone())],
            interval: Duration::from_millis(1),
            reader: Arc::new(FakeSystemd::new(&[unit]).0),
            metrics: metrics.clone(),
            agent: Handle::new().0,
            history: History::in_folder(&folder).0,
        };
        let shown = |metrics: &Metrics| metrics.render().unwrap().contains("dixmgr_service_processes{");
        let (mut rounds, seen) = (0, metrics.clone());
        let sample = move |_: &[Place]| {
            rounds += 1;
            assert!(rounds == 1 || !shown(&seen), "on purpose, once its figures are shown");
            vec![(0, Usage { processes: Some(3), ..Usage::default() })]
        };
        tokio::time::timeout(Duration::from_secs(30), measure_by(measuring, sample)).await.unwrap();
        assert!(!shown(&metrics));
        let _ = std::fs::remove_dir_all(folder);
    }
}
