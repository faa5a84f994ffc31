//! One life of a host's lease: a driver that checks after every step what must hold, and random events.

use dixmgr_contract::host::{Claim, ClaimAnswer, Holder, HostPhase, HostReport, HostReportKind, LeaseBegan};
use dixmgr_contract::{HostName, Span, Time};
use dixmgr_decide::host::{Action, Ended, Event, HostLease};
use dixmgr_decide::rng::Rng;
use std::collections::BTreeSet;

pub(crate) const KINDS: [&str; 14] = [
    "claim",
    "claim-again",
    "began",
    "handed-over",
    "timed-out",
    "failed",
    "cancelled",
    "stale-began",
    "stale-ended",
    "new-run",
    "marked",
    "reported",
    "forgotten",
    "tick",
];

pub(crate) fn holder(machine: &str, epoch: &str) -> Holder {
    Holder { machine: machine.into(), boot: "b".into(), pid: 7, epoch: epoch.into(), version: "0.1.0".into() }
}

/// A driver: performs what comes out as far as the invariants are concerned.
pub(crate) struct Life {
    pub(crate) lease: HostLease,
    pub(crate) now: Time,
    pub(crate) open: BTreeSet<u64>,
    pub(crate) scheduled: u64,
    pub(crate) was_lost: bool,
    pub(crate) delay: Span,
    /// What is news, when it was told first.
    pub(crate) reports: Vec<(Time, HostReportKind)>,
    /// How often people were told of a loss or its end.
    pub(crate) told: usize,
    pub(crate) under_way: Option<HostReport>,
    /// What somebody has taken last.
    pub(crate) taken: Option<HostReport>,
    /// Reports are taken at once.
    pub(crate) takes: bool,
    pub(crate) answers: Vec<(String, ClaimAnswer)>,
    pub(crate) marks: Vec<u64>,
    pub(crate) checkpoints: usize,
    /// The machine that has the name, since it began a lease and until it stopped or was lost.
    pub(crate) owner: Option<String>,
    pub(crate) epochs: u64,
}

impl Life {
    pub(crate) fn new() -> Self {
        let now = Time::from_unix_millis(1_000_000_000);
        let mut life = Self {
            lease: HostLease::new(HostName::new("alpha").unwrap(), now),
            now,
            open: BTreeSet::new(),
            scheduled: 0,
            was_lost: false,
            delay: Span::ZERO,
            reports: Vec::new(),
            told: 0,
            under_way: None,
            taken: None,
            takes: true,
            answers: Vec::new(),
            marks: Vec::new(),
            checkpoints: 0,
            owner: None,
            epochs: 0,
        };
        life.step(Event::Tick);
        life
    }

    pub(crate) fn pass(&mut self, span: Span) {
        self.now = self.now.after(span);
    }

    pub(crate) fn phase(&self) -> HostPhase {
        self.lease.phase().name()
    }

    pub(crate) fn count(&self, kind: HostReportKind) -> usize {
        self.reports.iter().filter(|(_, reported)| *reported == kind).count()
    }

    /// Steps, and checks what must hold after every step.
    pub(crate) fn step(&mut self, event: Event) {
        if let Event::LeaseEnded { lease, .. } = &event {
            self.open.remove(lease);
        }
        if event == Event::NewRun {
            self.open.clear();
            self.under_way = None;
        }
        match event {
            Event::Reported => self.taken = self.under_way.take().or(self.taken.take()),
            Event::ReportFailed => self.under_way = None,
            _ => {}
        }
        let (owner, losses) = (self.owner.clone(), self.lease.status().lost_count);
        let claimed = match &event {
            Event::Claimed { id, .. } => Some(id.clone()),
            _ => None,
        };
        let answers = self.answers.len();
        for action in self.lease.step(event, self.now) {
            self.perform(action);
        }
        let is_lost_now = self.lease.status().lost_count > losses;
        assert!(!is_lost_now || owner.is_some(), "only what was held since its last stop can be lost");
        let answered: Vec<_> = self.answers[answers..].iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(answered, claimed.into_iter().collect::<Vec<_>>(), "each claim is answered once, at once");
        assert_eq!(self.open.iter().copied().collect::<Vec<_>>(), [self.lease.lease()], "one lease is open");
        assert!(self.lease.wake_at().is_none_or(|at| at > self.now), "would tick for ever");
        let is_vacant = self.phase() == HostPhase::Vacant;
        assert!(!is_vacant || self.lease.wake_at().is_some(), "would wait for ever");
        self.check_owner();
        let json = serde_json::to_string(&self.lease).unwrap();
        assert_eq!(serde_json::from_str::<HostLease>(&json).unwrap(), self.lease, "the state survives JSON");
        assert!(json.len() < 20_000, "the state stays small: {} bytes", json.len());
        if self.takes && self.under_way.is_some() {
            self.step(Event::Reported);
        }
    }

    pub(crate) fn perform(&mut self, action: Action) {
        match action {
            Action::Schedule { lease, delay } => {
                assert_eq!(lease.lease, self.scheduled + 1, "leases are numbered");
                self.scheduled = lease.lease;
                (self.was_lost, self.delay) = (lease.was_lost, delay);
                self.open.insert(lease.lease);
            }
            Action::CancelLease { lease } => assert!(self.open.remove(&lease), "cancels what is open"),
            Action::Answer { id, answer } => self.answers.push((id, answer)),
            Action::MarkLost(mark) => {
                assert_eq!(self.phase(), HostPhase::Lost);
                self.marks.push(mark.loss);
            }
            Action::Report(report) => {
                assert_eq!(report.kind, HostReportKind::HostRefused);
                self.reports.push((self.now, report.kind));
            }
            Action::Tell(report) => {
                assert!(!report.text.is_empty());
                assert_eq!(self.under_way, None, "one at a time: none overtakes another");
                // A loss and its end may be of one millisecond.
                let is_it = |taken: &HostReport| (taken.kind, taken.at) == (report.kind, report.at);
                let is_known = self.taken.as_ref().is_some_and(is_it);
                assert_eq!(report.again, is_known, "what was taken before is no news");
                assert!(!is_known || self.phase() == HostPhase::Lost, "only a loss goes on");
                self.told += 1;
                if !is_known {
                    self.reports.push((self.now, report.kind));
                }
                self.under_way = Some(report);
            }
            Action::Checkpoint => {
                assert_eq!(self.phase(), HostPhase::Held);
                self.checkpoints += 1;
            }
        }
    }

    /// The name goes from machine to machine by a stop or a loss only.
    pub(crate) fn check_owner(&mut self) {
        let status = self.lease.status();
        match status.phase {
            HostPhase::Held => {
                let machine = status.holder.unwrap().machine;
                assert!(self.owner.as_ref().is_none_or(|owner| *owner == machine), "two machines had the name");
                self.owner = Some(machine);
            }
            HostPhase::Vacant => assert_eq!(status.holder.map(|holder| holder.machine), self.owner),
            HostPhase::Unknown | HostPhase::Stopped | HostPhase::Lost => self.owner = None,
        }
    }

    pub(crate) fn claim(&mut self, id: &str, holder: Holder, timeout: Span) -> ClaimAnswer {
        self.step(Event::Claimed { id: id.into(), claim: Claim { holder, lease_timeout: timeout } });
        self.answers.last().unwrap().1.clone()
    }

    pub(crate) fn begin(&mut self, holder: Holder, skew_ms: i64) {
        let at_ms = self.now.unix_millis() - skew_ms;
        self.step(Event::LeaseBegan(LeaseBegan { lease: self.lease.lease(), holder, at_ms }));
    }

    pub(crate) fn end(&mut self, how: Ended) {
        self.step(Event::LeaseEnded { lease: self.lease.lease(), how });
    }

    /// Lets time pass and rings the machine's alarm when it is due, each time this late.
    pub(crate) fn wait(&mut self, span: Span, late: Span) {
        let end = self.now.after(span);
        while let Some(at) = self.lease.wake_at().map(|at| at.after(late)).filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.step(Event::Tick);
        }
        self.now = end;
    }

    pub(crate) fn some_holder(&mut self, rng: &mut Rng) -> Holder {
        let machine = ["one", "one", "one", "two"][rng.between(0, 3) as usize];
        self.epochs += rng.between(0, 1);
        holder(machine, &format!("{machine}-{}", self.epochs.saturating_sub(rng.between(0, 2))))
    }

    pub(crate) fn event(&mut self, kind: &str, rng: &mut Rng) -> Event {
        let (lease, now_ms) = (self.lease.lease(), self.now.unix_millis());
        let other = if rng.between(0, 1) == 0 { lease + 1 } else { lease.saturating_sub(rng.between(1, 3)) };
        let at_ms = match rng.between(0, 9) {
            0 => i64::MIN,
            1 => i64::MAX,
            _ => now_ms - i64::try_from(rng.between(0, 40_000)).unwrap(),
        };
        let timed_out = Ended::TimedOut { last_beat_ms: (rng.between(0, 3) > 0).then_some(at_ms) };
        match kind {
            "claim" | "claim-again" => {
                let holder = self.some_holder(rng);
                let id =
                    if kind == "claim" { format!("id-{now_ms}-{}", self.answers.len()) } else { holder.epoch.clone() };
                let lease_timeout = Span::from_secs(rng.between(0, 20));
                Event::Claimed { id, claim: Claim { holder, lease_timeout } }
            }
            "began" => Event::LeaseBegan(LeaseBegan { lease, holder: self.some_holder(rng), at_ms }),
            "stale-began" => Event::LeaseBegan(LeaseBegan { lease: other, holder: self.some_holder(rng), at_ms }),
            "stale-ended" => Event::LeaseEnded { lease: other, how: timed_out },
            "handed-over" => Event::LeaseEnded { lease, how: Ended::HandedOver },
            "timed-out" => Event::LeaseEnded { lease, how: timed_out },
            "failed" => Event::LeaseEnded { lease, how: Ended::Failed { message: "no".into() } },
            "cancelled" => Event::LeaseEnded { lease, how: Ended::Cancelled },
            "new-run" => Event::NewRun,
            "marked" => {
                let loss = self.lease.status().lost_count.saturating_sub(rng.between(0, 3) / 3);
                if rng.between(0, 1) == 0 { Event::ServicesMarked { loss } } else { Event::MarkFailed { loss } }
            }
            "reported" => [Event::Reported, Event::ReportFailed][rng.between(0, 1) as usize].clone(),
            "forgotten" => Event::Forgotten,
            _ => Event::Tick,
        }
    }

    /// A random step, at most as late as a slow worker would be, or after an outage.
    pub(crate) fn live(&mut self, rng: &mut Rng) -> (HostPhase, &'static str) {
        let pause = [200, 200, 2_000, 20_000][rng.between(0, 3) as usize];
        self.pass(Span::from_millis(rng.between(0, pause)));
        let kind = KINDS[rng.between(0, KINDS.len() as u64 - 1) as usize];
        let event = self.event(kind, rng);
        let before = self.phase();
        if kind.starts_with("stale") {
            let (mut with, mut without) = (self.lease.clone(), self.lease.clone());
            assert_eq!(with.step(event.clone(), self.now), without.step(Event::Tick, self.now), "stale: no action");
            assert_eq!(with, without, "stale: no change");
        }
        self.step(event);
        (before, kind)
    }
}

pub(crate) const SECOND: Span = Span::from_secs(1);
pub(crate) const TIMEOUT: Span = Span::from_secs(15);

/// A host that is held by one start of machine `one`.
pub(crate) fn held(timeout: Span, skew_ms: i64) -> Life {
    let mut life = Life::new();
    assert!(life.claim("e1", holder("one", "e1"), timeout).granted);
    life.begin(holder("one", "e1"), skew_ms);
    assert_eq!(life.phase(), HostPhase::Held);
    life
}

pub(crate) fn lost() -> Life {
    let mut life = held(TIMEOUT, 0);
    life.pass(TIMEOUT);
    life.end(Ended::TimedOut { last_beat_ms: None });
    life.wait(Span::from_secs(2), Span::ZERO);
    assert_eq!(life.phase(), HostPhase::Lost);
    life
}
