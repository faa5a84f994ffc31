//! The agent's task: one loop over what systemd says, what Temporal answers and what others ask.

mod delivery;

use self::delivery::Delivered;
use super::alerts::Alerts;
use super::courier::Courier;
use super::memory::Memory;
use super::outbox::Outbox;
use super::sketch;
use super::tracked::Tracked;
use super::{Alerting, Message, Options};
use crate::history::{Ledger, Sight};
use dixmgr_contract::OnDependencyLoss;
use dixmgr_contract::{Cause, ServiceName, UnitName, UnitState, Verdict};
use dixmgr_decide::rules::{grown, roots};
use dixmgr_systemd::{FeedEvent, UnitChange, UnitFeed};
use dixmgr_telemetry::events::{
    BusConnected, BusLost, ProbeFailed, ProbeNotReady, ProbeRecovered, ServiceAbsent, ServiceDown, ServiceUp,
};
use dixmgr_telemetry::{Event, Metrics, ServiceLabels};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Owns everything that this host knows.
pub(crate) struct Agent {
    options: Options,
    metrics: Metrics,
    memory: Memory,
    bus: &'static str,
    tracked: Vec<Tracked>,
    by_unit: BTreeMap<UnitName, usize>,
    by_name: BTreeMap<ServiceName, usize>,
    /// Who lists this service in its `after`.
    dependants: Vec<Vec<usize>>,
    /// The services of this host in its `after`.
    dependencies: Vec<Vec<usize>>,
    outbox: Outbox,
    ledger: Ledger,
    courier: Option<Arc<dyn Courier>>,
    deliveries: JoinSet<Delivered>,
    /// Absent: nobody evaluates rules.
    alerts: Option<Alerts>,
    /// All states are known.
    synced: bool,
    /// The machine shuts down: whatever stops now is nobody's failure.
    stopping: bool,
    ready: watch::Sender<bool>,
}

impl Agent {
    /// An agent that knows nothing yet. `ready` turns true when every unit's state is known.
    pub(crate) fn new(
        mut options: Options,
        mut memory: Memory,
        metrics: Metrics,
        bus: &'static str,
        ready: watch::Sender<bool>,
    ) -> Self {
        let services = std::mem::take(&mut options.services);
        let mut tracked: Vec<_> = services
            .into_iter()
            .map(|(service, workflow_id)| {
                let accepted = memory.get(&service.spec.name);
                Tracked::new(service, workflow_id, &options, accepted)
            })
            .collect();
        let index = |key: fn(&Tracked) -> &str| -> BTreeMap<String, usize> {
            tracked.iter().enumerate().map(|(index, one)| (key(one).to_owned(), index)).collect()
        };
        let names = index(|one| one.spec.name.as_str());
        let mut dependants = vec![Vec::new(); tracked.len()];
        let here = |one: &Tracked| one.after.iter().filter_map(|name| names.get(name.as_str()).copied()).collect();
        let dependencies: Vec<Vec<usize>> = tracked.iter().map(here).collect();
        for (dependant, here) in dependencies.iter().enumerate() {
            here.iter().for_each(|dependency| dependants[*dependency].push(dependant));
        }
        for one in &tracked {
            metrics.services().put(ServiceLabels {
                service: one.spec.name.to_string(),
                kind: one.spec.kind.clone(),
                chain: one.spec.chain.clone(),
            });
        }
        let rules = options.rules.take();
        let waits = options.waits;
        let alerts = rules.map(|rules| Alerts::new(rules, waits, &mut tracked, &mut memory, &metrics));
        Self {
            by_unit: tracked.iter().enumerate().map(|(index, one)| (one.spec.unit.clone(), index)).collect(),
            by_name: tracked.iter().enumerate().map(|(index, one)| (one.spec.name.clone(), index)).collect(),
            outbox: Outbox::new(tracked.len()),
            ledger: Ledger::new(options.history.clone()),
            options,
            metrics,
            memory,
            bus,
            tracked,
            dependants,
            dependencies,
            courier: None,
            deliveries: JoinSet::new(),
            alerts,
            synced: false,
            stopping: false,
            ready,
        }
    }

    /// Runs until nobody holds a handle any more.
    pub(crate) async fn run(mut self, mut feed: UnitFeed, mut mailbox: mpsc::Receiver<Message>) {
        loop {
            self.dispatch();
            let wake = self.wake_at();
            let looks = self.alerts.as_ref().and_then(Alerts::wake_at);
            tokio::select! {
                event = feed.next() => self.hear(event),
                message = mailbox.recv() => match message {
                    Some(message) => self.answer(message),
                    None => return,
                },
                Some(delivered) = self.deliveries.join_next() => {
                    if let Ok(delivered) = delivered {
                        self.delivered(delivered);
                    }
                }
                () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now).into()), if wake.is_some() => {}
                () = tokio::time::sleep_until(looks.unwrap_or_else(tokio::time::Instant::now)), if looks.is_some() => {
                    self.look_at_due();
                }
            }
        }
    }

    fn hear(&mut self, event: FeedEvent) {
        match event {
            FeedEvent::Changed(changes) => changes.into_iter().for_each(|change| self.change(change)),
            FeedEvent::Synced => self.sync(),
            FeedEvent::Disconnected { reason } => {
                BusLost { bus: self.bus, reason: &reason }.emit(&self.metrics);
                self.synced = false;
                self.ledger.lose_sight("the connection to systemd is lost");
                for one in &self.tracked {
                    self.metrics.services().set_health(one.name().as_str(), None);
                }
                self.look_at_all();
            }
            FeedEvent::Stopping(stopping) => {
                self.stopping = stopping;
                self.record_all();
                self.look_at_all();
            }
        }
    }

    /// Shows a service to the history. What stops with the machine is nobody's outage.
    fn record(&mut self, index: usize, at: Instant) {
        let one = &self.tracked[index];
        let (service, policy, verdicts) = (one.name(), &one.spec.policy, one.sensed.as_deref().unwrap_or_default());
        if let Some(unit) = one.unit.as_ref().filter(|_| !self.stopping) {
            self.ledger.see(Sight { service, policy, unit, verdicts, at });
        }
    }

    fn record_all(&mut self) {
        (0..self.tracked.len()).for_each(|index| self.record_again(index));
    }

    /// Shows what may be otherwise although systemd has not said so, as long as what it said can be relied on.
    fn record_again(&mut self, index: usize) {
        if self.synced {
            self.record(index, Instant::now());
        }
    }

    /// Every state is known: from here on, silence means that nothing has changed.
    fn sync(&mut self) {
        BusConnected { bus: self.bus }.emit(&self.metrics);
        for one in &self.tracked {
            let health = one.unit.as_ref().filter(|unit| !sketch::is_absent(unit)).map(UnitState::is_up);
            self.metrics.services().set_health(one.name().as_str(), health);
        }
        let first = !std::mem::replace(&mut self.synced, true) && !*self.ready.borrow();
        if first {
            for index in 0..self.tracked.len() {
                // What is not well is told anew: whoever cared for it before may not have lived to finish.
                self.tracked[index].urgent |= !self.tracked[index].is_up();
            }
            let up = self.tracked.iter().filter(|one| one.is_up()).count();
            tracing::info!(services = self.tracked.len(), up, "all services observed");
            self.ready.send_replace(true);
        }
        self.record_all();
        for index in 0..self.tracked.len() {
            self.look_again(index);
        }
    }

    fn change(&mut self, change: UnitChange) {
        let Some(&index) = self.by_unit.get(&change.unit) else { return };
        let was_up = self.tracked[index].unit.as_ref().map(UnitState::is_up);
        self.tell_people(index, &change);
        if let Some(alerts) = &mut self.alerts {
            alerts.see(index, &self.tracked[index], &change.state, change.at.elapsed());
        }
        let one = &mut self.tracked[index];
        let same_run = one.unit.as_ref().is_some_and(|unit| unit.invocation == change.state.invocation);
        one.at = change.at;
        one.unit = Some(change.state);
        let is_up = one.is_up();
        let moved = was_up != Some(is_up) || !same_run;
        if moved {
            (one.sensed, one.found) = (None, was_up.is_none());
            if one.has_probes() {
                let run = one.unit.as_ref().and_then(|unit| unit.invocation.clone());
                self.options.runs.set(index, is_up.then_some(run));
            }
        }
        self.record(index, self.tracked[index].at);
        if self.synced {
            self.reconsider(index, moved);
        }
    }

    /// Looks again at a service, and if it matters at those that depend on it.
    fn reconsider(&mut self, index: usize, dependants_too: bool) {
        self.look_again(index);
        if dependants_too {
            for dependant in self.dependants[index].clone() {
                self.look_again(dependant);
            }
        }
    }

    fn look_again(&mut self, index: usize) {
        self.update_dependencies(index);
        self.judge(index);
    }

    /// What its rules say of a service, and whether that is news.
    fn judge(&mut self, index: usize) {
        self.look(index);
        self.schedule(index);
    }

    /// What its rules say of a service. True if that is something else than before.
    fn look(&mut self, index: usize) -> bool {
        let is_seen = self.synced && !self.stopping;
        let Some(alerts) = &mut self.alerts else { return false };
        let one = &mut self.tracked[index];
        let run = |unit: &UnitState| {
            self.options.history.is_ended_on_command(one.spec.name.as_str(), unit.invocation.as_deref())
        };
        one.is_ended_on_command = one.unit.as_ref().is_some_and(|unit| !unit.is_up() && run(unit));
        let before = (one.firing.clone(), one.causes.clone(), one.has_passed);
        alerts.judge(index, &mut self.tracked[index], is_seen, &self.memory, &self.metrics);
        self.relate(index);
        let one = &self.tracked[index];
        let has_changed = one.firing != before.0;
        let is_news = has_changed || one.causes != before.1 || one.has_passed != before.2;
        if has_changed {
            for dependant in self.dependants[index].clone() {
                self.relate(dependant);
                self.schedule(dependant);
            }
        }
        is_news
    }

    /// Looks again at what is behind what fires for a service.
    fn relate(&mut self, index: usize) {
        let causes = self.causes(index);
        let one = &mut self.tracked[index];
        self.alerts.iter_mut().for_each(|alerts| alerts.relate(index, !causes.is_empty(), one, &self.memory));
        one.causes = causes;
    }

    /// What fires for the services of this host that are behind what fires here.
    fn causes(&self, index: usize) -> Vec<Cause> {
        let is_troubled = |at: usize| !self.tracked[at].is_ready() && !self.tracked[at].is_unasked();
        match &self.tracked[index].firing {
            Some(firing) if !firing.is_empty() => {
                let found = roots(index, |at| &self.dependencies[at], is_troubled);
                let firing = |at| self.alerts.as_ref().map(|alerts| alerts.firing(at)).unwrap_or_default();
                found.into_iter().filter_map(|at| Cause::of(&firing(at), &self.tracked[at].spec)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn look_at_due(&mut self) {
        let due = self.alerts.as_mut().map(Alerts::due).unwrap_or_default();
        // Nothing else than what its rules say can be news here, so nothing else is looked at.
        for index in due {
            if self.look(index) {
                self.schedule(index);
            }
        }
    }

    fn look_at_all(&mut self) {
        self.alerts.iter_mut().for_each(Alerts::look_at_all);
    }

    fn is_current(&self, index: usize, run: &Option<String>) -> bool {
        self.tracked[index].unit.as_ref().is_some_and(|unit| unit.is_up() && unit.invocation == *run)
    }

    /// What probes say of another run than the present one means nothing.
    fn sensed(&mut self, index: usize, run: &Option<String>, mut verdicts: Vec<Verdict>) {
        let is_current = self.is_current(index, run);
        let one = &mut self.tracked[index];
        verdicts.iter_mut().for_each(|verdict| verdict.remember(one.sensed.as_deref().unwrap_or_default()));
        if !is_current || one.sensed.as_ref() == Some(&verdicts) {
            return;
        }
        for verdict in &verdicts {
            let (service, probe, reason) = (one.name(), verdict.rule.as_str(), verdict.detail.as_str());
            match (one.opinion(probe), verdict.healthy) {
                (None, false) if !verdict.failed => ProbeNotReady { service, probe, reason }.emit(&self.metrics),
                (None | Some(true), false) => ProbeFailed { service, probe, reason }.emit(&self.metrics),
                (Some(false), true) => ProbeRecovered { service, probe }.emit(&self.metrics),
                _ => {}
            }
        }
        one.sensed = Some(verdicts);
        self.record_again(index);
        self.reconsider(index, true);
    }

    /// Log line and health metric of a change.
    fn tell_people(&mut self, index: usize, change: &UnitChange) {
        let one = &mut self.tracked[index];
        let (was_up, is_up) = (one.is_up(), change.state.is_up());
        let before = one.unit.as_ref().map_or(change.state.restarts, |unit| unit.restarts);
        let by_systemd = grown(before, change.state.restarts);
        if by_systemd > 0 {
            self.metrics.services().add_restarts(one.spec.name.as_str(), u64::from(by_systemd));
            self.options.history.restarted_by_systemd(one.spec.name.as_str());
        }
        let newly_absent = sketch::is_absent(&change.state) && !one.unit.as_ref().is_some_and(sketch::is_absent);
        let (service, unit) = (&one.spec.name, &one.spec.unit);
        if newly_absent {
            ServiceAbsent { service, unit }.emit(&self.metrics);
        } else if was_up && !is_up {
            one.down_since = Some(change.at);
            ServiceDown { service, unit, reason: &reason(&change.state) }.emit(&self.metrics);
        } else if !was_up && is_up && one.unit.is_some() {
            let after = one.down_since.take().map(|since| change.at.saturating_duration_since(since));
            ServiceUp { service, unit, after }.emit(&self.metrics);
        }
    }

    /// Which of its dependencies on this host are not ready. One that runs, works and does not mind hears nothing
    /// of it.
    fn update_dependencies(&mut self, index: usize) {
        let one = &self.tracked[index];
        let policy = one.spec.policy.on_dependency_loss;
        let minds = !one.is_up() || policy != OnDependencyLoss::Ignore || one.is_to_be_healed();
        let here = || one.after.iter().filter(|_| minds).filter_map(|name| self.by_name.get(name));
        // Who runs has lost nothing as long as nobody has looked.
        let counts_as_ready = |dependency: &Tracked| dependency.is_ready() || (one.is_up() && dependency.is_unasked());
        let missing = here().map(|at| &self.tracked[*at]).filter(|one| !counts_as_ready(one));
        let missing = missing.map(|dependency| dependency.name().clone()).collect();
        let ready = here().filter(|at| policy == OnDependencyLoss::Restart && self.tracked[**at].is_ready());
        let run =
            |at: &usize| Some((self.tracked[*at].name().clone(), self.tracked[*at].unit.as_ref()?.invocation.clone()?));
        let runs = ready.filter_map(run).collect();
        let one = &mut self.tracked[index];
        (one.waiting_for, one.runs) = (missing, runs);
    }

    /// Puts a service into the outbox if there is news of it, or takes it out if there is none any more.
    fn schedule(&mut self, index: usize) {
        let one = &mut self.tracked[index];
        one.follow_behind(Instant::now());
        if !one.is_news() {
            return self.outbox.remove(index);
        }
        self.outbox.put(index, one.news(), one.due());
    }

    fn answer(&mut self, message: Message) {
        match message {
            Message::Linked(courier, open) => self.linked(courier, &open),
            Message::Census(open) => self.census(&open),
            Message::Unlinked => self.unlinked(),
            Message::Recheck(service) => {
                if let Some(&index) = self.by_name.get(&service) {
                    self.tracked[index].urgent = true;
                    self.schedule(index);
                }
            }
            Message::TellAll => {
                for index in 0..self.tracked.len() {
                    self.tracked[index].urgent = true;
                    self.schedule(index);
                }
            }
            Message::Stopped(service, run) => self.stopped_on_command(&service, &run),
            Message::Sensed { index, run, verdicts } => self.sensed(index, &run, verdicts),
            Message::Alerting(message) => self.hear_of_alerts(message),
            Message::Ping(sender) => {
                let _ = sender.send(());
            }
            Message::Snapshot(sender) => {
                let _ = sender.send(self.tracked.iter().map(Tracked::view).collect());
            }
        }
    }

    /// Nothing changes about the unit of one that was down already, but what that means does.
    fn stopped_on_command(&mut self, service: &ServiceName, run: &str) {
        let Some(&index) = self.by_name.get(service) else { return };
        if let (Some(alerts), Some(unit)) = (&mut self.alerts, &self.tracked[index].unit) {
            alerts.stopped_on_command(index, run, unit);
        }
        self.record_again(index);
        self.judge(index);
    }

    fn hear_of_alerts(&mut self, message: Alerting) {
        let Some(alerts) = &mut self.alerts else { return };
        match message {
            Alerting::Measured(round) => alerts.measured(round),
            Alerting::Node { index, run, stands } => {
                if self.is_current(index, &run) {
                    self.alerts.iter_mut().for_each(|alerts| alerts.node(index, stands));
                    self.judge(index);
                }
            }
            Alerting::WaitedInVain(service, missing) => {
                if let Some(&index) = self.by_name.get(&service) {
                    alerts.waited_in_vain(index, &missing);
                    self.judge(index);
                }
            }
            Alerting::Switch { name, on, answer } => {
                let _ = answer.send(alerts.switch(&name, on, &self.memory));
            }
            Alerting::Show(answer) => {
                let _ = answer.send(alerts.views());
            }
        }
    }
}

fn reason(unit: &UnitState) -> String {
    if unit.stopped_by_job { "stopped through systemd".to_owned() } else { unit.ending() }
}
