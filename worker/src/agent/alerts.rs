//! The alert rules of this host: looks at a service whenever something is known of it that was not, and when its rules say so.
//!
//! What fires and what clears is decided in `decide` (`rules`). Here is who is looked at when, what is told of it, and what is kept on
//! disk, also of what came and went while nobody could be told (`rules::Episodes`). Many services at a time (a round of figures,
//! another rule) are looked at in slices, between which the agent hears of failures.
//!
//! Rejected: a task of its own. It would need every state that the agent has, a moment later.

mod told;

use super::facts::{Known, Round};
use super::memory::Memory;
use super::tracked::Tracked;
use dixmgr_contract::{Alert, ServiceName, Severity, Span, Time, UnitState};
use dixmgr_decide::rules::{Change, Episodes, Facts, NodeStands, Rules, Runs, ServiceRules, Waits};
use dixmgr_telemetry::events::{AlertCleared, AlertFired};
use dixmgr_telemetry::{Event, Metrics};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// So many services are looked at before others are heard.
const SLICE: usize = 64;

/// What is kept of a service on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    rules: ServiceRules,
    runs: Runs,
    episodes: Episodes,
    /// The dependencies that it has waited for in vain, which its workflow tells once.
    timed_out: Vec<ServiceName>,
}

struct One {
    rules: ServiceRules,
    known: Known,
    episodes: Episodes,
    /// As it was written last.
    kept: Kept,
    /// What was known at the last look, if nothing came of it and the rules are still the same.
    seen: Option<Facts>,
    wake: Option<Time>,
}

/// The time of day at the start, and from there evenly on, whatever is done to the clock.
struct Clock(Time, Instant);

impl Clock {
    fn now(&self) -> Time {
        self.0.after(Span::from(self.1.elapsed()))
    }

    fn at(&self, time: Time) -> Instant {
        self.1 + time.since(self.0).duration()
    }
}

/// All rules, and how they stand with each service.
pub(super) struct Alerts {
    rules: Rules,
    waits: Waits,
    services: Vec<One>,
    /// Temporal does not take what is told.
    is_cut_off: bool,
    clock: Clock,
    wakes: BTreeSet<(Time, usize)>,
    /// To be looked at as soon as nothing else is to be done.
    backlog: BTreeSet<usize>,
}

/// A rule, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuleView {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) alert: String,
    pub(crate) severity: Severity,
    pub(crate) on: bool,
    /// How many services it fires for.
    pub(crate) firing: usize,
}

impl Alerts {
    /// Goes on where the last dixmgr ended.
    pub(super) fn new(
        mut rules: Rules,
        waits: Waits,
        tracked: &mut [Tracked],
        memory: &mut Memory,
        metrics: &Metrics,
    ) -> Self {
        for (rule, is_on) in memory.switches() {
            // One that there is not any more has nothing to be switched.
            let _ = rules.switch(rule, *is_on);
        }
        for rule in rules.iter() {
            metrics.services().expect_alerts(&rule.spec().alert, rule.spec().severity);
        }
        let clock = Clock(Time::from(SystemTime::now()), Instant::now());
        let now = clock.now();
        let mut services = Vec::with_capacity(tracked.len());
        for one in tracked {
            let kept: Kept = memory.take_alerts(one.name()).unwrap_or_default();
            let firing = kept.rules.firing(&rules, now);
            for alert in &firing {
                metrics.services().still_fires(one.name().as_str(), &alert.alert, alert.severity);
            }
            one.firing = Some(fingerprint(firing));
            let known = Known::new(&one.spec, kept.runs.clone(), kept.timed_out.clone(), now);
            let mut episodes = kept.episodes.clone();
            episodes.keep_back();
            one.has_passed = episodes.has_passed();
            services.push(One { rules: kept.rules.clone(), known, episodes, kept, seen: None, wake: None });
        }
        let (wakes, backlog) = (BTreeSet::new(), BTreeSet::new());
        Self { rules, waits, services, is_cut_off: true, clock, wakes, backlog }
    }

    /// Takes in what systemd says of a unit, before anything else does.
    pub(super) fn see(&mut self, index: usize, before: &Tracked, unit: &UnitState, age: Duration) {
        let known = &mut self.services[index].known;
        known.since = self.clock.now().earlier(Span::from(age));
        match &before.unit {
            None => known.runs.find(unit),
            Some(last) => {
                known.runs.see(unit, before.is_to_be_healed());
                if last.is_up() != unit.is_up() || last.invocation != unit.invocation {
                    known.another_run();
                }
            }
        }
    }

    /// Takes in how a service's node stands.
    pub(super) fn node(&mut self, index: usize, stands: NodeStands) {
        let now = self.clock.now();
        self.services[index].known.node(stands, now);
    }

    /// A service that does not run is not to run.
    pub(super) fn stopped_on_command(&mut self, index: usize, run: &str, unit: &UnitState) {
        self.services[index].known.runs.stopped_on_command(run, unit);
    }

    /// A service has waited in vain.
    pub(super) fn waited_in_vain(&mut self, index: usize, missing: &[ServiceName]) {
        self.services[index].known.waited_in_vain(missing);
    }

    /// Takes in a round of figures; the services are looked at one after the other.
    pub(super) fn measured(&mut self, round: Round) {
        let now = self.clock.now();
        let Round { number, interval, figures } = round;
        for (index, figures) in figures {
            if let Some(one) = self.services.get_mut(index) {
                one.known.measured(figures, number, interval, now);
                self.backlog.insert(index);
            }
        }
    }

    /// All are to be looked at.
    pub(super) fn look_at_all(&mut self) {
        self.backlog = (0..self.services.len()).collect();
    }

    /// Switches a rule, and remembers it.
    pub(super) fn switch(&mut self, name: &str, on: bool, memory: &Memory) -> Result<(), String> {
        self.rules.switch(name, on).map_err(|error| error.to_string())?;
        memory.put_switch(name, on);
        self.services.iter_mut().for_each(|one| one.seen = None);
        self.look_at_all();
        Ok(())
    }

    pub(super) fn views(&self) -> Vec<RuleView> {
        let now = self.clock.now();
        let firing: Vec<_> = self.services.iter().flat_map(|one| one.rules.firing(&self.rules, now)).collect();
        let view = |rule: &dixmgr_decide::rules::Rule| RuleView {
            name: rule.name().to_owned(),
            alert: rule.spec().alert.clone(),
            severity: rule.spec().severity,
            on: self.rules.is_on(rule.name()),
            firing: firing.iter().filter(|alert| alert.rule == rule.name()).count(),
        };
        self.rules.iter().map(view).collect()
    }

    /// What fires for a service.
    pub(super) fn firing(&self, index: usize) -> Vec<Alert> {
        self.services[index].rules.firing(&self.rules, self.clock.now())
    }

    /// When somebody is to be looked at.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let wake = self.wakes.first().map(|(at, _)| self.clock.at(*at));
        if self.backlog.is_empty() { wake } else { Some(Instant::now()) }
    }

    /// Those who are to be looked at now, but not too many.
    pub(super) fn due(&mut self) -> Vec<usize> {
        let now = self.clock.now();
        let mut due: Vec<_> =
            self.wakes.iter().take_while(|(at, _)| *at <= now).take(SLICE).map(|(_, index)| *index).collect();
        while due.len() < SLICE {
            let Some(index) = self.backlog.pop_first() else { break };
            due.push(index);
        }
        due
    }

    /// Looks at a service.
    pub(super) fn judge(
        &mut self,
        index: usize,
        tracked: &mut Tracked,
        is_seen: bool,
        memory: &Memory,
        metrics: &Metrics,
    ) {
        let now = self.clock.now();
        let one = &mut self.services[index];
        let (facts, again) = one.known.facts(tracked, is_seen, now);
        let changes = match one.seen.take() {
            Some(before) => one.rules.step_from(&before, &self.rules, &facts, now),
            None => one.rules.step(&self.rules, &facts, now),
        };
        changes.iter().for_each(|change| tell(tracked.name(), change, now, metrics));
        if !changes.is_empty() {
            let firing = one.rules.firing(&self.rules, now);
            for change in &changes {
                if let Some(alert) = firing.iter().find(|alert| change.firing && alert.rule == change.rule) {
                    one.episodes.begin(alert.clone(), self.is_cut_off, now);
                } else {
                    one.episodes.end(&change.rule, tracked.in_flight.is_some(), self.waits, now);
                }
            }
            tracked.firing = Some(fingerprint(firing));
        }
        one.seen = changes.is_empty().then_some(facts);
        one.keep(tracked, memory);
        let again = again.map(|again| now.after(again));
        let wake = one.rules.wake_at(&self.rules).into_iter().chain(again).min();
        // What is due and cannot be told yet is looked at again when something is known.
        let wake = wake.filter(|at| *at > now);
        if one.wake != wake {
            one.wake.take().map(|at| self.wakes.remove(&(at, index)));
            self.wakes.extend(wake.map(|at| (at, index)));
            one.wake = wake;
        }
    }
}

/// What makes an alert another one: its name, and how bad it is.
fn fingerprint(firing: Vec<Alert>) -> Vec<(String, Severity)> {
    firing.into_iter().map(|alert| (alert.rule, alert.severity)).collect()
}

fn tell(service: &ServiceName, change: &Change, now: Time, metrics: &Metrics) {
    let Change { rule, alert, severity, firing, since, detail } = change;
    if *firing {
        AlertFired { service, rule, alert, severity: *severity, detail }.emit(metrics);
    } else if !alert.is_empty() {
        // A rule that is not configured any more has not been counted by this dixmgr.
        let after = now.since(*since).duration();
        AlertCleared { service, rule, alert, severity: *severity, after }.emit(metrics);
    }
}
