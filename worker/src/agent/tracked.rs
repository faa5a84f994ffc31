//! One service, as the agent follows it.

use super::memory::Accepted;
use super::outbox::News;
use super::sketch::{self, Digest};
use super::{Options, ServiceView};
use dixmgr_contract::observation::RULE_SYNC;
use dixmgr_contract::{Cause, Observation, RestartOn, ServiceName, ServiceSpec, Severity, Time, UnitState, Verdict};
use dixmgr_decide::node::in_sync_as_one;
use dixmgr_model::{Check, Service};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

/// What a probe has seen that was not asked.
const NOT_ASKED: &str = "not asked yet";

/// A service and what has been told of it.
pub(super) struct Tracked {
    /// What it comes after, on whichever host.
    pub(super) after: Vec<ServiceName>,
    pub(super) workflow_id: String,
    /// What is sent: the service with its host.
    pub(super) spec: ServiceSpec,
    spec_digest: Digest,
    /// What it uses is measured.
    pub(super) is_measured: bool,
    /// One of its probes asks a node.
    pub(super) has_node: bool,
    /// Absent until systemd has been asked.
    pub(super) unit: Option<UnitState>,
    /// Since when it is so.
    pub(super) at: Instant,
    /// When it went down, while it is.
    pub(super) down_since: Option<Instant>,
    /// It is as it was when dixmgr first looked.
    pub(super) found: bool,
    /// A person has commanded that its last run be its last.
    pub(super) is_ended_on_command: bool,
    /// What its probes say; absent until they have said something of this run.
    pub(super) sensed: Option<Vec<Verdict>>,
    /// What is told of them until then.
    unasked: Vec<Verdict>,
    pub(super) waiting_for: Vec<ServiceName>,
    /// The runs of the dependencies that it follows.
    pub(super) runs: BTreeMap<ServiceName, String>,
    /// The rules that fire, and how bad each is; absent: nobody evaluates rules.
    pub(super) firing: Option<Vec<(String, Severity)>>,
    /// Something came and went while nobody could be told of it.
    pub(super) has_passed: bool,
    /// What fires for the services of this host that are behind it.
    pub(super) causes: Vec<Cause>,
    pub(super) revision: u64,
    pub(super) accepted: Option<Digest>,
    /// Since when another one's trouble is behind its own.
    behind_since: Option<Instant>,
    /// On its way to Temporal.
    pub(super) in_flight: Option<Digest>,
    /// Its workflow was open before this dixmgr began, and has not heard of it yet.
    pub(super) inherited: bool,
    /// To be told even if it was told before.
    pub(super) urgent: bool,
}

impl Tracked {
    pub(super) fn new(service: Service, workflow_id: String, options: &Options, accepted: Option<Accepted>) -> Self {
        let Service { spec, after, probes, resources, .. } = service;
        let spec = ServiceSpec { host: Some(options.host.clone()), ..spec };
        let text = serde_json::to_string(&spec).unwrap_or_default();
        Self {
            found: false,
            is_ended_on_command: false,
            is_measured: resources,
            has_node: probes.values().any(|probe| matches!(probe.check, Check::Node(_))),
            sensed: None,
            unasked: in_sync_as_one(probes.iter().flat_map(|(name, probe)| unasked(name, &probe.check)).collect()),
            after,
            workflow_id,
            spec,
            spec_digest: sketch::digest_of(&text),
            unit: None,
            at: Instant::now(),
            down_since: None,
            waiting_for: Vec::new(),
            runs: BTreeMap::new(),
            firing: None,
            has_passed: false,
            causes: Vec::new(),
            revision: accepted.map_or(0, |accepted| accepted.revision),
            accepted: accepted.map(|accepted| accepted.digest),
            behind_since: None,
            in_flight: None,
            inherited: false,
            urgent: false,
        }
    }

    pub(super) fn name(&self) -> &ServiceName {
        &self.spec.name
    }

    pub(super) fn is_up(&self) -> bool {
        self.unit.as_ref().is_some_and(UnitState::is_up)
    }

    /// Something is to be asked of it while it runs.
    pub(super) const fn has_probes(&self) -> bool {
        !self.unasked.is_empty()
    }

    /// It is up, and none of its probes holds back those that depend on it.
    pub(super) fn is_ready(&self) -> bool {
        self.is_up() && !self.said().iter().any(Verdict::holds_back)
    }

    /// What is behind it has to be mended first: whether that has just begun, or has just ended.
    pub(super) fn follow_behind(&mut self, now: Instant) {
        // Nobody can start the one, or restart it, nor is anybody to restart the other.
        let waits = (!self.is_up() || self.is_to_be_healed()) && self.is_blocked();
        let suffers = self.is_up() && !self.causes.is_empty() && !self.is_to_be_healed();
        let is_behind = self.unit.is_some() && (waits || suffers);
        self.behind_since = if is_behind { self.behind_since.or(Some(now)) } else { None };
    }

    /// How soon its news matters.
    pub(super) fn news(&self) -> News {
        match self.behind_since {
            Some(_) => News::Behind,
            None if self.is_up() => News::Well,
            None => News::Ill,
        }
    }

    /// When what is known of it is to be told.
    pub(super) fn due(&self) -> Instant {
        let mended_with_another = self.behind_since.filter(|_| !self.is_up()).map(|since| since + sketch::LINGER);
        (self.at + self.patience()).max(mended_with_another.unwrap_or(self.at))
    }

    /// How long it was held back to see whether what is behind it is mended. Whatever else it waited for is no part of this: it may
    /// have been behind another one for days.
    fn held(&self) -> Duration {
        let since = self.behind_since.filter(|_| !self.is_up());
        since.map_or(Duration::ZERO, |since| since.elapsed().min(sketch::LINGER))
    }

    /// How long its state has to last before it is told: one on its way to another is worth a moment's patience.
    fn patience(&self) -> Duration {
        if self.is_unasked() && self.found {
            sketch::ASKING
        } else if self.is_unasked() || self.unit.as_ref().is_some_and(sketch::is_passing) {
            sketch::HOLD
        } else {
            Duration::ZERO
        }
    }

    /// It runs, and whether it is ready is not known: its probes have said nothing of this run yet, or, of one that was there
    /// before dixmgr was, only that they do not know.
    pub(super) fn is_unasked(&self) -> bool {
        let is_guess = |said: &Vec<Verdict>| {
            let mut holds_back = said.iter().filter(|verdict| verdict.holds_back()).peekable();
            self.found && holds_back.peek().is_some() && holds_back.all(Verdict::is_blank)
        };
        self.is_up() && self.has_probes() && self.sensed.as_ref().is_none_or(is_guess)
    }

    /// Whether a rule or probe, as it is called in a verdict, was content last.
    pub(super) fn opinion(&self, rule: &str) -> Option<bool> {
        self.sensed.iter().flatten().find(|verdict| verdict.rule == rule).map(|verdict| verdict.healthy)
    }

    /// What its probes have said of this run; absent while they have said nothing yet.
    pub(super) fn asked(&self) -> Option<&[Verdict]> {
        if self.has_probes() { self.sensed.as_deref() } else { Some(&[]) }
    }

    /// A probe says that it has failed, and its owner wants it healed then.
    pub(super) fn is_to_be_healed(&self) -> bool {
        let heals = self.spec.policy.restart.restart_on.contains(&RestartOn::Probe);
        heals && self.said().iter().any(|verdict| verdict.failed)
    }

    /// It waits for dependencies on this host.
    pub(super) fn is_blocked(&self) -> bool {
        self.spec.policy.dependency.mode.is_blocked(self.waiting_for.len(), self.after.len())
    }

    pub(super) fn said(&self) -> &[Verdict] {
        self.sensed.as_ref().unwrap_or(&self.unasked)
    }

    fn verdicts(&self) -> Vec<Verdict> {
        if self.is_up() { self.said().to_vec() } else { Vec::new() }
    }

    /// The fingerprint of what would be told now.
    pub(super) fn digest(&self) -> Option<Digest> {
        let not_ready = self.is_up() && !self.is_ready();
        // What a probe saw in words changes with each look; what it means does not.
        let said = self.said().iter().filter(|verdict| self.is_up() && !verdict.healthy);
        let said: Vec<_> = said.map(|verdict| (verdict.rule.as_str(), verdict.failed, verdict.unknown)).collect();
        let context = (&self.waiting_for, &self.runs, not_ready, self.spec_digest, said, &self.firing, &self.causes);
        self.unit.as_ref().map(|unit| sketch::digest(unit, context))
    }

    /// True if Temporal does not know this yet and nobody is on the way with it.
    pub(super) fn is_news(&self) -> bool {
        let is_owed = self.urgent || self.has_passed;
        self.in_flight.is_none() && self.unit.is_some() && (is_owed || self.digest() != self.accepted)
    }

    /// What is told now, with a revision of its own.
    pub(super) fn observation(&mut self, options: &Options) -> Option<Observation> {
        let mut unit = self.unit.clone()?;
        if unit.is_up() {
            // The end of a job on a unit that is up is no news, so its beginning must be none either: it would be
            // believed for ever. Whoever acts looks at the jobs first.
            unit.job = None;
        }
        // After the loss of the memory, the clock still makes the revision grow.
        let clock = u64::try_from(Time::from(SystemTime::now()).unix_millis()).unwrap_or(0);
        self.revision = clock.max(self.revision + 1);
        Some(Observation {
            spec: self.spec.clone(),
            revision: self.revision,
            epoch: options.epoch.clone(),
            boot: options.boot.clone(),
            age_ms: millis(self.at.elapsed()),
            held_ms: millis(self.held()),
            waiting_for: self.waiting_for.clone(),
            runs: self.runs.clone(),
            verdicts: self.verdicts(),
            alerts: None,
            passed: Vec::new(),
            causes: self.causes.clone(),
            generation: (options.generation)(&self.spec.unit),
            unit,
        })
    }

    pub(super) fn view(&self) -> ServiceView {
        ServiceView {
            name: self.name().clone(),
            unit: self.spec.unit.to_string(),
            kind: self.spec.kind.clone(),
            chain: self.spec.chain.clone(),
            workflow_id: self.workflow_id.clone(),
            state: self.unit.clone(),
            revision: self.revision,
            accepted: self.digest().is_some() && self.digest() == self.accepted,
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// What is told of a probe before it was asked: nobody is to rely on it yet.
fn unasked(name: &str, check: &Check) -> Vec<Verdict> {
    let itself = Verdict { unknown: true, ..Verdict::of_probe(name, true, NOT_ASKED.to_owned()) };
    match check {
        Check::Node(_) => {
            vec![Verdict { unknown: true, ..Verdict::new(RULE_SYNC, false, NOT_ASKED.to_owned()) }, itself]
        }
        _ => vec![Verdict { unready: true, ..itself }],
    }
}
