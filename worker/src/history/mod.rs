//! The history's place in a run: who records what, where it is kept, and what is said when it cannot be.
//!
//! [`History`] is a cheap handle; recording never waits and never fails. Transitions come from the agent (`ledger`, by way of
//! `decide/service/standing.rs` and `stopped`), restarts from where orders are carried out, samples from the sampler and the senses,
//! incidents and notes from the activities of telling (`telling`). `place` says where it is kept. What people do is recorded by the
//! command that they give, which knows who they are.

mod ledger;
pub(crate) mod place;
mod steady;
mod stopped;
mod telling;

pub(crate) use ledger::{Ledger, Sight};

use crate::exit::Failure;
use crate::settings::Settings;
use dixmgr_bind::{OrderEnd, OrderNews};
use dixmgr_contract::{FailureKind, Span, Time, Verb};
use dixmgr_history::{Notice, Options, Record, Recorder, Restart, Usage, Writer};
use dixmgr_telemetry::events::{HistoryDegraded, HistoryRecovered, HistorySetAside};
use dixmgr_telemetry::{Event, HistoryFigures, Metrics, ProbeFigures};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use steady::Steady;
use stopped::Stopped;
use tokio::sync::watch;

/// Records. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct History {
    recorder: Recorder,
    stopped: Arc<Stopped>,
    /// By service.
    steady: Arc<Mutex<BTreeMap<String, Steady>>>,
}

/// Why the history cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) since: Time,
    pub(crate) text: String,
}

/// Starts the writer. It opens the store in its own time: whatever is wrong with it delays nothing. `trouble` hears when the history
/// cannot be written, and when it can again.
///
/// # Errors
/// The configuration does not say where.
pub(crate) fn start(
    settings: &Settings,
    metrics: &Metrics,
    trouble: watch::Sender<Option<Trouble>>,
) -> Result<(History, Writer), Failure> {
    let place = place::of_run(settings)?;
    let told = metrics.clone();
    let options = Options {
        keep: place.keep,
        tell: Arc::new(move |notice| {
            tell(notice, &told);
            trouble.send_if_modified(|known| follow(known, notice, now()));
        }),
        ..Options::new(place.target, settings.host.clone())
    };
    let (recorder, writer) = Writer::start(options);
    let figures = recorder.clone();
    metrics.history().watch(move || {
        let now = figures.figures();
        HistoryFigures {
            written: now.written,
            lost: now.lost + now.dropped + now.rejected,
            waiting: now.waiting,
            bytes: now.bytes,
        }
    });
    Ok((History::new(recorder, &settings.state_dir), writer))
}

fn tell(notice: &Notice, metrics: &Metrics) {
    let text = &notice.to_string();
    match notice {
        Notice::Degraded { .. } => HistoryDegraded { text }.emit(metrics),
        Notice::Recovered { lost } => HistoryRecovered { text, lost: *lost }.emit(metrics),
        Notice::SetAside { .. } => HistorySetAside { text }.emit(metrics),
    }
}

/// True if that is news of what is wrong.
fn follow(known: &mut Option<Trouble>, notice: &Notice, now: Time) -> bool {
    let is_now = match notice {
        Notice::Degraded { error, .. } => {
            let since = known.as_ref().map_or(now, |known| known.since);
            Some(Trouble { since, text: error.to_string() })
        }
        Notice::Recovered { .. } => None,
        Notice::SetAside { .. } => return false,
    };
    let is_news = *known != is_now;
    *known = is_now;
    is_news
}

impl History {
    fn new(recorder: Recorder, state_dir: &Path) -> Self {
        Self { recorder, stopped: Arc::new(Stopped::open(state_dir, &crate::host::boot_id())), steady: Arc::default() }
    }

    /// Records anything.
    pub(crate) fn record(&self, record: Record) {
        self.recorder.record(record);
    }

    /// An order is about to be carried out, or has been.
    pub(crate) fn ordered(&self, news: &OrderNews<'_>) {
        let service = news.service.as_str();
        let ends = news.ends_on_command();
        let Some(end) = &news.end else {
            ends.into_iter().for_each(|run| self.stopped.begin(service, run));
            return;
        };
        // A stale one may be the same order once more, and says nothing of what the first has done.
        if ends.is_some() && end.failure.is_some_and(|(kind, _)| kind != FailureKind::Stale) {
            self.stopped.take_back(service);
        }
        if news.verb != Verb::Stop {
            self.record(Record::Restart(restart(service, news.reason(), end)));
        }
    }

    /// Whether a person has ended this run of a service, or wants it to stay down that has ended already.
    pub(crate) fn is_ended_on_command(&self, service: &str, run: Option<&str>) -> bool {
        self.stopped.is(service, run)
    }

    /// systemd has restarted a service by itself.
    pub(crate) fn restarted_by_systemd(&self, service: &str) {
        let (reason, detail) = ("Restart= of its unit".to_owned(), "by systemd".to_owned());
        let (service, result) = (service.to_owned(), "done".to_owned());
        self.record(Record::Restart(Restart { service, at: now(), reason, result, detail, took: Span::ZERO }));
    }

    /// What a service uses, as far as it can be told.
    pub(crate) fn usage(&self, service: &str, usage: &dixmgr_procfs::Usage) {
        let told = usage.cpu_percent.zip(usage.memory_bytes).map(|(cpu_percent, memory)| Usage {
            cpu_percent,
            memory: memory as f64,
            disk_read: usage.disk_read_bps.unwrap_or_default(),
            disk_write: usage.disk_write_bps.unwrap_or_default(),
        });
        let mut services = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = match services.get_mut(service) {
            Some(steady) => steady.take(told, now()),
            None => services.entry(service.to_owned()).or_default().take(told, now()),
        };
        rows.into_iter().flatten().for_each(|row| self.record_usage(service, row));
    }

    /// Nobody will be measured any more: what was gathered is recorded.
    pub(crate) fn gather(&self) {
        let mut services = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
        for (service, mut steady) in std::mem::take(&mut *services) {
            steady.gather().into_iter().for_each(|row| self.record_usage(&service, row));
        }
    }

    fn record_usage(&self, service: &str, (at, usage, samples): steady::Row) {
        self.record(Record::Usage { service: service.to_owned(), at, usage, samples });
    }

    /// What is believed of a probe after a look, once anything is.
    pub(crate) fn probe(&self, said: &ProbeFigures<'_>) {
        let Some(ok) = said.healthy else { return };
        let (service, probe) = (said.service.to_owned(), said.probe.to_owned());
        self.record(Record::Probe { service, probe, at: now(), ok, took: Span::from(said.duration) });
    }
}

fn restart(service: &str, reason: &str, end: &OrderEnd<'_>) -> Restart {
    let took = Span::from(end.took);
    let (result, detail) = end.failure.map_or(("done", ""), |(kind, message)| (kind.as_str(), message));
    Restart {
        service: service.to_owned(),
        at: now().earlier(took),
        reason: reason.to_owned(),
        result: result.to_owned(),
        detail: detail.to_owned(),
        took,
    }
}

/// The host's clock.
pub(crate) fn now() -> Time {
    Time::from(SystemTime::now())
}

#[cfg(test)]
mod telling_tests;
#[cfg(test)]
mod tests;
