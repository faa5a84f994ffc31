//! The open lease: how it begins, how it ends, and what its end means.

use super::{AWAY, Action, Ended, GRACE, GRACE_AFTER_OUTAGE, HostLease, Phase};
use dixmgr_contract::host::{HostReportKind, Lease, LeaseBegan};
use dixmgr_contract::{Span, Time};
use serde::{Deserialize, Serialize};

/// A lease that lasts this long was a sound one.
const SOUND: Span = Span::from_secs(10);
/// The first wait after leases that ended as soon as they began; doubles up to [`LONGEST_DELAY`].
const FIRST_DELAY: Span = Span::from_millis(250);
const LONGEST_DELAY: Span = Span::from_secs(60);
/// So many of them are met without a wait.
const FREE: u32 = 2;
/// Characters of a failure's message that are kept.
const MESSAGE: usize = 300;

/// The lease that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open {
    lease: u64,
    timeout: Span,
    #[serde(default)]
    was_lost: bool,
    /// When its activity is scheduled.
    due: Time,
}

impl HostLease {
    /// The lease runs. If it does so for somebody who may not have the name, it is taken away again.
    pub(super) fn begin(&mut self, began: LeaseBegan, now: Time, actions: &mut Vec<Action>) {
        let is_open = self.open.as_ref().is_some_and(|open| open.lease == began.lease);
        if !is_open || matches!(self.phase, Phase::Held { .. }) {
            return;
        }
        let LeaseBegan { holder, at_ms, .. } = began;
        if let Some(reason) = self.refusal(&holder, now) {
            self.churn = self.churn.saturating_add(1);
            self.cancel_lease(actions);
            return self.refuse(holder, &reason, now, actions);
        }
        if let Phase::Lost { seen } = self.phase {
            let away = Span::from_secs(now.since(seen).as_millis() / 1_000);
            let moved = self.holder.as_ref().is_some_and(|before| !before.same_machine(&holder));
            let place = if moved { ", on another machine" } else { "" };
            let text = format!("host {} is back after {away}{place} ({holder})", self.host);
            self.owe(HostReportKind::HostBack, text, now);
        }
        self.hand_to(holder);
        (self.marking, self.forgotten) = (None, false);
        let skew_ms = now.unix_millis().saturating_sub(at_ms);
        self.enter(Phase::Held { began: now, skew_ms }, now);
    }

    /// The lease is over. If nobody was known to run it, nothing else is.
    pub(super) fn end(&mut self, lease: u64, how: Ended, now: Time) {
        let Some(open) = self.open.take_if(|open| open.lease == lease) else { return };
        let timed_out = matches!(how, Ended::TimedOut { .. });
        let lasted = matches!(self.phase, Phase::Held { began, .. } if now.since(began) >= SOUND);
        self.churn = if timed_out || lasted { 0 } else { self.churn.saturating_add(1) };
        let Phase::Held { began, skew_ms } = self.phase else { return };
        match how {
            Ended::HandedOver => self.enter(Phase::Stopped, now),
            Ended::TimedOut { last_beat_ms } => {
                let beat = last_beat_ms.map(|at| Time::from_unix_millis(at.saturating_add(skew_ms)));
                let seen = beat.unwrap_or(began).max(began).min(now);
                let away = now.since(seen) > sum(open.timeout, AWAY);
                let window = if away { self.long_window() } else { GRACE };
                self.enter(Phase::Vacant { until: now.after(window), seen, why: String::new() }, now);
            }
            Ended::Failed { message } => self.vacate(message.chars().take(MESSAGE).collect(), now),
            Ended::Cancelled => self.vacate(String::new(), now),
        }
    }

    /// The holder was there just now. Its way back begins with the next lease, which may have to wait.
    fn vacate(&mut self, why: String, now: Time) {
        let until = now.after(self.delay()).after(GRACE);
        self.enter(Phase::Vacant { until, seen: now, why }, now);
    }

    /// The lease ended with the run. That says nothing about the holder, who may need a heartbeat to notice.
    pub(super) fn new_run(&mut self, now: Time) {
        self.retry_telling(now);
        let Some(open) = self.open.take() else { return };
        if matches!(self.phase, Phase::Held { .. }) {
            let until = now.after(open.timeout).after(GRACE);
            self.enter(Phase::Vacant { until, seen: now, why: String::new() }, now);
        }
        self.retry_marking(now);
    }

    /// What the holder needs after the server was away.
    pub(super) fn long_window(&self) -> Span {
        self.timeout.max(GRACE_AFTER_OUTAGE)
    }

    /// From now on the lease's number is from the past.
    pub(super) fn cancel_lease(&mut self, actions: &mut Vec<Action>) {
        if let Some(open) = self.open.take() {
            actions.push(Action::CancelLease { lease: open.lease });
        }
    }

    /// Exactly one lease is open, and one that nobody runs yet says what is true now.
    pub(super) fn keep_open(&mut self, now: Time, actions: &mut Vec<Action>) {
        let fits = |open: &Open| {
            let soon = open.due <= now || self.churn > 0;
            soon && open.timeout == self.timeout && open.was_lost == self.untold
        };
        let runs = matches!(self.phase, Phase::Held { .. });
        if !runs && self.open.as_ref().is_some_and(|open| !fits(open)) {
            self.cancel_lease(actions);
        }
        if self.open.is_some() {
            return;
        }
        self.lease += 1;
        let (delay, was_lost) = (self.delay(), self.untold);
        self.open = Some(Open { lease: self.lease, timeout: self.timeout, was_lost, due: now.after(delay) });
        let (host, lease_timeout) = (self.host.clone(), self.timeout);
        actions.push(Action::Schedule { lease: Lease { host, lease: self.lease, lease_timeout, was_lost }, delay });
    }

    /// A lease that ends as soon as it begins must not become a storm.
    fn delay(&self) -> Span {
        match self.churn.checked_sub(FREE + 1) {
            None => Span::ZERO,
            Some(doublings) => Span::from_millis(FIRST_DELAY.as_millis() << doublings.min(16)).min(LONGEST_DELAY),
        }
    }
}

fn sum(a: Span, b: Span) -> Span {
    Span::from_millis(a.as_millis().saturating_add(b.as_millis()))
}
