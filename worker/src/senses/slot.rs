//! One check with what decides about it: when it is due, what is believed, and whether its endpoint is left alone.

use dixmgr_contract::{CheckResult, CheckState, Time, Verdict};
use dixmgr_decide::breaker::{Breaker, BreakerPolicy, BreakerState, Event};
use dixmgr_decide::check::{CheckMachine, Schedule, Thresholds};
use dixmgr_decide::rng::Rng;
use dixmgr_model::Probe;
use dixmgr_probe::Check;
use dixmgr_telemetry::ProbeFigures;

pub(super) struct Slot {
    service: String,
    probe: String,
    /// Absent while it runs.
    check: Option<Check>,
    schedule: Schedule,
    machine: CheckMachine,
    thresholds: Thresholds,
    breaker: Breaker,
    /// The service runs.
    active: bool,
    /// It runs in another run than the one that is being asked.
    outdated: bool,
    reason: String,
}

impl Slot {
    pub(super) fn new(service: String, probe: String, of: &Probe, check: Check, rng: &mut Rng, now: Time) -> Self {
        Self {
            service,
            probe,
            check: Some(check),
            schedule: Schedule::new(of.interval, rng, now),
            machine: CheckMachine::new(now),
            thresholds: of.thresholds(),
            breaker: Breaker::default(),
            active: false,
            outdated: false,
            reason: String::new(),
        }
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// The service runs anew, or not any more.
    pub(super) fn follow(&mut self, runs: bool, now: Time) {
        self.active = runs;
        self.outdated = self.check.is_none();
        self.breaker = Breaker::default();
        self.reason.clear();
        self.machine.started(now);
        if runs {
            // Those who wait for it wait for its first good answer.
            self.schedule.hurry(now);
        }
    }

    /// When it is due, while its service runs.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.schedule.wake_at().filter(|_| self.active)
    }

    /// The check, to be run now; nothing if it is not due after all, or its endpoint is left alone.
    pub(super) fn begin(&mut self, now: Time) -> Option<Check> {
        if !self.active || !self.schedule.begin(now) {
            return None;
        }
        if self.breaker.step(Event::Ask, &BreakerPolicy::default(), now) {
            return self.check.take();
        }
        self.schedule.end(now);
        None
    }

    /// Takes in the end of a run; true if something else is believed now.
    pub(super) fn end(&mut self, check: Check, result: &CheckResult, now: Time) -> bool {
        self.check = Some(check);
        self.schedule.end(now);
        if std::mem::take(&mut self.outdated) {
            self.schedule.hurry(now);
            return false;
        }
        let event = match result.state {
            CheckState::Unhealthy => Event::Failed,
            CheckState::Unknown => Event::Abandoned,
            CheckState::Healthy | CheckState::Degraded => Event::Succeeded,
        };
        self.breaker.step(event, &BreakerPolicy::default(), now);
        self.reason.clone_from(&result.reason);
        let changed = self.machine.step(result.state, &self.thresholds, now).is_some();
        if self.machine.state() == CheckState::Unknown && self.active {
            // It was just started: it is asked more often until it answers.
            self.schedule.hurry(now.after(EAGER));
        }
        changed
    }

    /// What its service's workflow is told.
    pub(super) fn verdict(&self) -> Verdict {
        let state = self.machine.state();
        Verdict {
            rule: self.probe.clone(),
            healthy: matches!(state, CheckState::Healthy | CheckState::Unknown),
            detail: if state == CheckState::Healthy { String::new() } else { self.reason.clone() },
            unready: matches!(state, CheckState::Unhealthy | CheckState::Unknown),
            failed: state == CheckState::Unhealthy,
        }
    }

    /// What is shown of it.
    pub(super) fn shown(&self, result: &CheckResult) -> ProbeFigures<'_> {
        ProbeFigures {
            service: &self.service,
            probe: &self.probe,
            healthy: match self.machine.state() {
                CheckState::Unknown => None,
                state => Some(state != CheckState::Unhealthy),
            },
            duration: result.duration.duration(),
            certificate_expires_in: result.certificate_expires_in.map(|span| span.duration()),
            is_open: !matches!(self.breaker.state(), BreakerState::Closed { .. }),
        }
    }
}

/// How soon one is asked again that has not answered since its start.
const EAGER: dixmgr_contract::Span = dixmgr_contract::Span::from_millis(500);
