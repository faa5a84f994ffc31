//! What is known of a service beside its unit: what rules look at, gathered from those who measure and ask.
//!
//! Whole states, each of which replaces the last one; what is too old to be true is left out when somebody looks.

use super::{sketch, tracked::Tracked};
use dixmgr_contract::{HostName, ServiceName, ServiceSpec, Span, Time};
use dixmgr_decide::rules::{Facts, Health, NodeStands, Runs, Sight, failed_checks};
use dixmgr_telemetry::Figures;
use std::collections::BTreeSet;

/// What is measured is true for so many rounds.
const ROUNDS_VALID: u64 = 3;

/// What all services use, measured in one go.
pub(crate) struct Round {
    /// Another one for each round, also over a restart.
    pub(crate) number: u64,
    /// The time between two rounds.
    pub(crate) interval: Span,
    /// Each with its place in [`super::Options::services`].
    pub(crate) figures: Vec<(usize, Figures)>,
}

/// What is known of one service.
pub(super) struct Known {
    /// What is always known: who it is.
    itself: Facts,
    /// The runs of its unit.
    pub(super) runs: Runs,
    /// Since when its unit is as it is.
    pub(super) since: Time,
    figures: Option<Measured>,
    node: Option<(NodeStands, Time)>,
    /// The dependencies that it has waited for in vain.
    pub(super) timed_out: Vec<ServiceName>,
}

struct Measured {
    figures: Figures,
    round: u64,
    until: Time,
}

impl Known {
    /// Nothing is known but which runs there were, and for whom it has waited in vain.
    pub(super) fn new(spec: &ServiceSpec, runs: Runs, timed_out: Vec<ServiceName>, now: Time) -> Self {
        let itself = Facts {
            service: spec.name.as_str().into(),
            host: spec.host.as_ref().map(HostName::as_str).unwrap_or_default().into(),
            kind: spec.kind.as_str().into(),
            chain: spec.chain.as_str().into(),
            ..Facts::default()
        };
        Self { itself, runs, since: now, figures: None, node: None, timed_out }
    }

    pub(super) fn measured(&mut self, figures: Figures, round: u64, interval: Span, now: Time) {
        let valid = Span::from_millis(interval.as_millis().saturating_mul(ROUNDS_VALID));
        self.figures = Some(Measured { figures, round, until: now.after(valid) });
    }

    pub(super) fn node(&mut self, stands: NodeStands, now: Time) {
        self.node = Some((stands, now.after(stands.valid_for)));
    }

    pub(super) fn waited_in_vain(&mut self, missing: &[ServiceName]) {
        self.timed_out = missing.to_vec();
    }

    /// It does not run as it did: what was said of its last run is no longer its own.
    pub(super) fn another_run(&mut self) {
        self.node = None;
    }

    /// Everything that is known now, and after how long to look again though nothing changes. `is_seen`: systemd can be
    /// asked, and the machine is not about to stop.
    pub(super) fn facts(&mut self, one: &Tracked, is_seen: bool, now: Time) -> (Facts, Option<Span>) {
        let (health, again) = one.unit.as_ref().filter(|_| is_seen).map_or((None, None), |unit| {
            let sight = Sight {
                unit,
                verdicts: one.said(),
                policy: &one.spec.policy,
                waits: one.is_blocked(),
                may_wait: one.spec.after.iter().any(|dependency| dependency.remote),
                on_purpose: self.runs.on_purpose(),
                is_wanted: one.is_ended_on_command,
                found: one.found,
                lasts: now.since(self.since),
            };
            sight.health()
        });
        let is_absent = is_seen && one.unit.as_ref().is_some_and(sketch::is_absent);
        let mut facts = Facts {
            health,
            at_rest: matches!(health, Some(Health::Down | Health::Stopped)),
            is_unmeasured: !one.is_measured || is_absent,
            has_no_node: !one.has_node || is_absent,
            restarts: one.unit.as_ref().map(|_| self.runs.restarts()),
            ..self.itself.clone()
        };
        let runs = health.is_none() && is_seen && one.is_up();
        if runs || health.is_some_and(Health::runs) {
            self.tell_what_it_uses(&mut facts, now);
            if let Some((stands, _)) = self.node.as_ref().filter(|(_, until)| *until >= now) {
                stands.tell(&mut facts);
            }
            if let Some(verdicts) = one.asked() {
                (facts.failed_checks, facts.failed_check) = failed_checks(verdicts);
            }
        }
        self.tell_what_it_waits_for(one, &mut facts);
        (facts, again)
    }

    fn tell_what_it_uses(&self, facts: &mut Facts, now: Time) {
        let Some(Measured { figures, round, .. }) = self.figures.as_ref().filter(|known| known.until >= now) else {
            return;
        };
        facts.sample = *round;
        facts.cpu_percent = figures.cpu_percent;
        facts.memory_bytes = figures.memory_bytes;
        facts.disk_read_bps = figures.disk_read_bps.map(whole);
        facts.disk_write_bps = figures.disk_write_bps.map(whole);
    }

    /// A wait is over when the service is up and works, or nothing that it waited for is missing here. How those elsewhere are, this
    /// host does not know.
    fn tell_what_it_waits_for(&mut self, one: &Tracked, facts: &mut Facts) {
        let Some(health) = facts.health else { return };
        let here: BTreeSet<_> = one.waiting_for.iter().collect();
        let elsewhere: BTreeSet<_> = one.spec.after.iter().filter(|to| to.remote).map(|to| &to.name).collect();
        let is_up = health.runs() && !one.is_to_be_healed();
        self.timed_out.retain(|name| !is_up && (here.contains(name) || elsewhere.contains(name)));
        if !self.timed_out.is_empty() {
            let names: Vec<_> = self.timed_out.iter().map(ServiceName::as_str).collect();
            facts.missing_dependencies = Some(names.join(", "));
            facts.dependency_timed_out = Some(true);
        } else if is_up || (here.is_empty() && elsewhere.is_empty()) {
            facts.dependency_timed_out = Some(false);
        }
    }
}

/// Whole bytes a second; what is no number is none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "such a cast keeps within the bounds")]
fn whole(figure: f64) -> u64 {
    figure.max(0.0).round() as u64
}
