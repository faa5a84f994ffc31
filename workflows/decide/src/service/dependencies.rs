//! Dependencies: who has to be ready before a start, and what the loss of one means while the service runs.
//!
//! Those of the same host come with each observation; those elsewhere say it themselves, after a subscription. A wait
//! that lasts gets a workflow of its own, which people see and which keeps its time-out; the decision stays here, and what is
//! known here is told there.
//!
//! Rejected: to wait inside the workflow that waits, and to be started by its end. It could be ended by anybody, and its
//! end would be lost when this one begins a new run.

use super::attempt::Mandate;
use super::phase::{By, Phase, StoppedBy};
use super::reading::Seen;
use super::{Action, Service, Skill};
use dixmgr_contract::activity::ReportKind;
use dixmgr_contract::{OnDependencyLoss, OnTimeout, ServiceName, Span, Time, Verb, WaitSpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A shorter wait has no workflow of its own, and what fell with a dependency for no longer no incident.
pub(super) const LINGER: Span = Span::from_millis(1000);
/// How long after its time the workflow of the wait may say so, before this one does by itself.
const OVERTIME: Span = Span::from_secs(30);

/// A wait for dependencies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    since: Time,
    /// Those that were missed, and when each came to be ready.
    missed: BTreeMap<ServiceName, Option<Time>>,
    /// It has a workflow of its own.
    #[serde(default)]
    opened: bool,
    /// What that workflow knows to be missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    told: Vec<ServiceName>,
    /// Its time is up, and people know.
    #[serde(default)]
    timed_out: bool,
}

impl Waiting {
    fn follow(&mut self, missing: &[ServiceName], now: Time, actions: &mut Vec<Action>) {
        for name in missing {
            self.missed.insert(name.clone(), None);
        }
        for (name, ready) in &mut self.missed {
            if !missing.contains(name) {
                ready.get_or_insert(now);
            }
        }
        if self.opened && self.told != missing {
            self.told = missing.to_vec();
            actions.push(Action::TellWait(missing.to_vec()));
        }
    }
}

impl Service {
    /// True if the start that is pending has to wait. `missing` of them all may be enough, or one too many.
    pub(super) fn must_wait(&mut self, seen: &Seen, now: Time, actions: &mut Vec<Action>) -> bool {
        self.ask_peers(now, actions);
        let missing = self.missing(seen);
        let policy = &self.spec.policy.dependency;
        let blocked = policy.mode.is_blocked(missing.len(), self.dependencies(seen));
        if !blocked {
            if let Some(waiting) = &mut self.waiting {
                waiting.follow(&missing, now, actions);
            }
            return false;
        }
        let (timeout, proceeds) = (policy.timeout, policy.on_timeout == OnTimeout::Proceed);
        let since = self.news_since(now);
        let fresh = Waiting { since, missed: BTreeMap::new(), opened: false, told: Vec::new(), timed_out: false };
        let waiting = self.waiting.get_or_insert(fresh);
        waiting.follow(&missing, now, actions);
        if waiting.since.after(timeout).after(OVERTIME) <= now {
            self.time_out(&missing, actions);
        }
        let Some(waiting) = self.waiting.as_mut().filter(|waiting| !(proceeds && waiting.timed_out)) else {
            return false;
        };
        if !waiting.opened && waiting.since.after(LINGER) <= now {
            waiting.opened = true;
            waiting.told.clone_from(&missing);
            actions.push(Action::Wait(self.wait_spec(missing)));
        }
        true
    }

    /// The time of the wait is up: said once.
    pub(super) fn time_out(&mut self, missing: &[ServiceName], actions: &mut Vec<Action>) {
        let Some(waiting) = self.waiting.as_mut().filter(|waiting| !waiting.timed_out) else { return };
        waiting.timed_out = true;
        let policy = &self.spec.policy.dependency;
        let runs = self.seen.as_ref().is_some_and(|seen| seen.unit.is_up());
        let then = match policy.on_timeout {
            OnTimeout::Fail if runs => "it does not work, is not restarted, and waits on",
            OnTimeout::Fail => "it stays down and waits on",
            OnTimeout::Proceed if runs => "it is restarted all the same",
            OnTimeout::Proceed => "it is started all the same",
        };
        let text = format!("{} has waited {} for {}; {then}", self.spec.name, policy.timeout, list(missing));
        let mut report = self.report(ReportKind::DependencyTimeout, text);
        if let Action::Report(report) = &mut report {
            report.dependencies = missing.to_vec();
        }
        actions.push(report);
    }

    /// What it has waited for, for long enough to be worth a note, is there.
    pub(super) fn has_outwaited(&self) -> bool {
        let proceeds = self.spec.policy.dependency.on_timeout == OnTimeout::Proceed;
        self.waiting.as_ref().is_some_and(|waiting| waiting.opened && !(proceeds && waiting.timed_out))
    }

    /// It has waited in vain for long enough, and only its own wait or budget stands before its restart: the same is not waited for
    /// again.
    fn goes_on_without(&self) -> bool {
        let stands_before = matches!(self.phase, Phase::BackingOff { .. } | Phase::Exhausted { .. });
        let is_over = self.waiting.as_ref().is_some_and(|waiting| waiting.timed_out);
        self.has(Skill::WaitsToBeHealed) && is_over && stands_before && self.pending.is_some()
    }

    /// Whoever has stopped waiting for another reason than its end takes the workflow of the wait along.
    pub(super) fn leave_wait(&mut self, actions: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Waiting { .. }) || self.goes_on_without() {
            return;
        }
        if let Some(waiting) = self.waiting.take()
            && waiting.opened
            && !waiting.timed_out
            && waiting.missed.values().any(Option::is_none)
        {
            actions.push(Action::EndWait);
        }
    }

    /// How long each dependency was waited for, once the wait is over.
    pub(super) fn end_wait(&mut self, now: Time) -> BTreeMap<ServiceName, Span> {
        let Some(waiting) = self.waiting.take() else { return BTreeMap::new() };
        let since = waiting.since;
        waiting.missed.into_iter().map(|(name, ready)| (name, ready.unwrap_or(now).since(since))).collect()
    }

    /// When to look again at a wait.
    pub(super) fn wait_deadline(&self) -> Option<Time> {
        let waiting = self.waiting.as_ref().filter(|_| matches!(self.phase, Phase::Waiting { .. }))?;
        let timeout = self.spec.policy.dependency.timeout;
        let open = (!waiting.opened).then(|| waiting.since.after(LINGER));
        let end = (!waiting.timed_out).then(|| waiting.since.after(timeout).after(OVERTIME));
        [open, end, self.peers.ask_at()].into_iter().flatten().min()
    }

    /// It waits, and perhaps not for long enough to be worth a note.
    pub(super) fn waits_briefly(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. }) && self.waiting.as_ref().is_some_and(|waiting| !waiting.opened)
    }

    /// Dependencies that are not known to be ready, in the order of the plan.
    pub(super) fn missing(&self, seen: &Seen) -> Vec<ServiceName> {
        let elsewhere = self.remote().filter(|name| self.peers.ready(name) != Some(true));
        seen.waiting_for.iter().chain(elsewhere).cloned().collect()
    }

    /// What the loss of a dependency means for a service that is up. True if something was set going.
    pub(super) fn heed_losses(&mut self, seen: &Seen, now: Time, actions: &mut Vec<Action>) -> bool {
        let policy = self.spec.policy.on_dependency_loss;
        if policy == OnDependencyLoss::Ignore || seen.unit.is_held() {
            return false;
        }
        self.ask_peers(now, actions);
        let lost: Vec<_> = seen.waiting_for.iter().chain(self.remote_losses()).cloned().collect();
        let is_lost = self.spec.policy.dependency.mode.is_blocked(lost.len(), self.dependencies(seen));
        match policy {
            OnDependencyLoss::Stop if is_lost && !self.loss_heeded => {
                self.loss_heeded = true;
                let mandate = Mandate::Loss(format!("{} is not ready", list(&lost)));
                let attempt = Some(self.order(Verb::Stop, mandate, seen, now, actions));
                let (boot, run) = (seen.boot.clone(), seen.run().clone());
                self.enter(Phase::Stopped { by: StoppedBy::Dependency, boot, run, attempt }, now);
                return true;
            }
            OnDependencyLoss::Stop => self.loss_heeded &= is_lost,
            OnDependencyLoss::Restart if !is_lost => return self.follow_runs(seen, now, actions),
            OnDependencyLoss::Restart | OnDependencyLoss::Ignore => {}
        }
        false
    }

    /// A dependency that is ready in another run than the one that this service was started on has been lost meanwhile.
    fn follow_runs(&mut self, seen: &Seen, now: Time, actions: &mut Vec<Action>) -> bool {
        let mut anew = Vec::new();
        let here = seen.runs.iter().map(|(name, run)| (name.clone(), run.clone()));
        let elsewhere = self.remote().filter_map(|name| Some((name.clone(), self.peers.run(name)?.clone())));
        for (name, run) in here.chain(elsewhere).collect::<Vec<_>>() {
            if self.based_on.insert(name.clone(), run.clone()).is_some_and(|before| before != run) {
                anew.push(name);
            }
        }
        if !anew.is_empty() {
            let mandate = Mandate::Loss(format!("{} has been restarted", list(&anew)));
            let attempt = self.order(Verb::Restart, mandate, seen, now, actions);
            self.enter(Phase::Restarting { by: By::Us(attempt) }, now);
        }
        !anew.is_empty()
    }

    /// Asks those that are not known to be ready to say how they stand, now and from then on.
    pub(super) fn ask_peers(&mut self, now: Time, actions: &mut Vec<Action>) {
        for dependency in self.spec.after.iter().filter(|dependency| dependency.remote) {
            if self.peers.ready(&dependency.name) != Some(true) && self.peers.ask(&dependency.name, now) {
                actions.push(Action::Subscribe(dependency.clone()));
            }
        }
    }

    /// Dependencies on other hosts that say that they are not ready.
    pub(super) fn remote_losses(&self) -> impl Iterator<Item = &ServiceName> {
        self.remote().filter(|name| self.peers.ready(name) == Some(false))
    }

    /// Those on other hosts.
    pub(super) fn remote(&self) -> impl Iterator<Item = &ServiceName> {
        self.spec.after.iter().filter(|dependency| dependency.remote).map(|dependency| &dependency.name)
    }

    /// How many there are.
    fn dependencies(&self, seen: &Seen) -> usize {
        self.spec.after.len().max(seen.waiting_for.len())
    }

    fn wait_spec(&self, missing: Vec<ServiceName>) -> WaitSpec {
        let policy = &self.spec.policy.dependency;
        let ids = self.spec.after.iter().map(|dependency| (dependency.name.clone(), dependency.workflow_id.clone()));
        WaitSpec {
            service: self.spec.name.clone(),
            dependencies: self.spec.after.iter().map(|dependency| dependency.name.clone()).collect(),
            mode: policy.mode,
            timeout: policy.timeout,
            on_timeout: policy.on_timeout,
            workflow_ids: ids.collect(),
            notify: None,
            missing: Some(missing),
        }
    }
}

fn list(names: &[ServiceName]) -> String {
    names.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(", ")
}
