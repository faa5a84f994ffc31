//! Circuit breakers around what others have us ask: an endpoint that has not answered several times in a row is left alone
//! for a while, so that a dead one does not cost each of many callers its time-out.
//!
//! One for each endpoint, for all who ask it. When it opens and closes is `dixmgr_decide::breaker`; that a failure to answer
//! counts and a "no" does not, `dixmgr_decide::check::sign_of_life`.
//!
//! Rejected: the breakers that the agent's own probes have (`dixmgr_decide::check::asking`). Each goes by the interval and
//! the patience of its probe, and by whether its service has just been started.

use crate::{Endpoint, NodeError, check::HttpAsk};
use dixmgr_contract::{CheckResult, Span, Time};
use dixmgr_decide::breaker::{Breaker, BreakerPolicy, BreakerState, Event};
use dixmgr_decide::check::{if_patient, sign_of_life};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Who is asked: `scheme://host:port`, and the socket or proxy that leads there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    place: String,
    unix: Option<PathBuf>,
    proxy: Option<String>,
}

impl From<&Endpoint> for Target {
    fn from(endpoint: &Endpoint) -> Self {
        Self { place: endpoint.place().to_owned(), unix: None, proxy: None }
    }
}

impl From<&HttpAsk> for Target {
    fn from(ask: &HttpAsk) -> Self {
        let proxy = ask.proxy.as_ref().map(|proxy| proxy.place().to_owned());
        Self { place: ask.endpoint.place().to_owned(), unix: ask.unix.clone(), proxy }
    }
}

/// Told where the breaker of a probe's endpoint stands, and for how long it will stay open. It must not block.
pub type OnBreaker = Box<dyn Fn(&ProbeId, BreakerState, Duration) + Send + Sync>;

/// A probe of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeId {
    /// Whose it is.
    pub service: String,
    /// Its name; never a URL.
    pub probe: String,
}

/// The breakers of a host. Cheap to clone.
#[derive(Clone)]
pub struct Breakers(Arc<Shared>);

struct Shared {
    policy: BreakerPolicy,
    /// The clock of the breakers goes on evenly, whatever is done to that of the host.
    began: (Time, Instant),
    rows: Mutex<BTreeMap<Target, Row>>,
    on_change: OnBreaker,
}

#[derive(Default)]
struct Row {
    breaker: Breaker,
    /// Whose endpoint it is.
    probes: Vec<ProbeId>,
}

impl Default for Breakers {
    fn default() -> Self {
        Self::new([], Box::new(|_, _, _| {}))
    }
}

impl Breakers {
    /// All closed. `on_change` is told of each of the `probes` at once, and whenever something else holds for it.
    pub fn new(probes: impl IntoIterator<Item = (Target, ProbeId)>, on_change: OnBreaker) -> Self {
        let mut rows = BTreeMap::<Target, Row>::new();
        for (target, probe) in probes {
            on_change(&probe, Breaker::default().state(), Duration::ZERO);
            rows.entry(target).or_default().probes.push(probe);
        }
        let began = (Time::from(SystemTime::now()), Instant::now());
        Self(Arc::new(Shared { policy: BreakerPolicy::default(), began, rows: Mutex::new(rows), on_change }))
    }

    /// Lets a caller ask `target`, or not. What is remembered of a target stays: only those of the configuration may be named.
    ///
    /// # Errors
    /// [`LeftAlone`]: it is not to be asked now.
    pub fn pass(&self, target: Target) -> Result<Pass, LeftAlone> {
        let (passes, state, now) = self.step(&target, Event::Ask);
        if passes {
            return Ok(Pass { breakers: self.clone(), target, means: Event::Abandoned });
        }
        let until = match state {
            BreakerState::Open { until } => Some(until),
            _ => None,
        };
        let retry_after = until.map(|until| until.since(now).duration());
        Err(LeftAlone { place: target.place, until, retry_after })
    }

    /// A service runs anew: its endpoints are asked at once.
    pub fn renew(&self, service: &str) {
        let mut rows = self.rows();
        for row in rows.values_mut().filter(|row| row.probes.iter().any(|probe| probe.service == service)) {
            let before = std::mem::take(&mut row.breaker).state();
            self.tell(before, row, Time::default());
        }
    }

    fn step(&self, target: &Target, event: Event) -> (bool, BreakerState, Time) {
        let Shared { policy, began, .. } = &*self.0;
        let now = began.0.after(Span::from(began.1.elapsed()));
        let mut rows = self.rows();
        let row = rows.entry(target.clone()).or_default();
        let before = row.breaker.state();
        let passes = row.breaker.step(event, policy, now);
        self.tell(before, row, now);
        (passes, row.breaker.state(), now)
    }

    fn tell(&self, before: BreakerState, row: &Row, now: Time) {
        let state = row.breaker.state();
        if state == before {
            return;
        }
        let open_for = match state {
            BreakerState::Open { until } => until.since(now).duration(),
            _ => Duration::ZERO,
        };
        for probe in &row.probes {
            (self.0.on_change)(probe, state, open_for);
        }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<Target, Row>> {
        // Each change is complete before anything can panic.
        self.0.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller may ask, and says how that ended. Dropped before, it says nothing of the endpoint.
#[must_use]
pub struct Pass {
    breakers: Breakers,
    target: Target,
    means: Event,
}

impl Pass {
    /// What a check that was given `timeout` has seen.
    pub fn checked(mut self, result: &CheckResult, timeout: Duration) {
        self.means = if_patient(sign_of_life(result), Span::from(timeout));
    }

    /// What a look at a node has seen.
    pub fn looked<T>(mut self, seen: &Result<T, NodeError>) {
        self.means = seen.as_ref().err().map_or(Event::Succeeded, NodeError::sign_of_life);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.breakers.step(&self.target, self.means);
    }
}

/// An endpoint is not asked now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct LeftAlone {
    /// `scheme://host:port`.
    pub place: String,
    /// Until when; absent while it is being tried, and as many tries as may be made at a time are under way.
    pub until: Option<Time>,
    /// How long that is.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for LeftAlone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has not answered several times in a row, and ", self.place)?;
        match self.until {
            Some(until) => write!(f, "is left alone until {until}"),
            None => f.write_str("others are trying whether it answers again"),
        }
    }
}

#[cfg(test)]
#[path = "breakers_tests.rs"]
mod tests;
