//! The lease of a host: what must hold in every life, and the times of losses and outages.

#![allow(clippy::unwrap_used)]

mod common;

use dixmgr_contract::host::{Claim, ClaimAnswer, Holder, HostPhase, HostReportKind, LeaseBegan};
use dixmgr_contract::{HostName, Span, Time};
use dixmgr_decide::host::{AWAY, Action, Ended, Event, GRACE, GRACE_AFTER_OUTAGE, HostLease, Phase};
use dixmgr_decide::rng::Rng;
use proptest::prelude::*;
use std::collections::BTreeSet;

const KINDS: [&str; 12] = [
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
    "tick",
];

fn holder(machine: &str, epoch: &str) -> Holder {
    Holder { machine: machine.into(), boot: "b".into(), pid: 7, epoch: epoch.into(), version: "0.1.0".into() }
}

/// A driver: performs what comes out as far as the invariants are concerned.
struct Life {
    lease: HostLease,
    now: Time,
    open: BTreeSet<u64>,
    scheduled: u64,
    was_lost: bool,
    delay: Span,
    reports: Vec<(Time, HostReportKind)>,
    answers: Vec<(String, ClaimAnswer)>,
    marks: Vec<u64>,
    checkpoints: usize,
    /// The machine that has the name, since it began a lease and until it stopped or was lost.
    owner: Option<String>,
    epochs: u64,
}

impl Life {
    fn new() -> Self {
        let now = Time::from_unix_millis(1_000_000_000);
        let mut life = Self {
            lease: HostLease::new(HostName::new("alpha").unwrap(), now),
            now,
            open: BTreeSet::new(),
            scheduled: 0,
            was_lost: false,
            delay: Span::ZERO,
            reports: Vec::new(),
            answers: Vec::new(),
            marks: Vec::new(),
            checkpoints: 0,
            owner: None,
            epochs: 0,
        };
        life.step(Event::Tick);
        life
    }

    fn pass(&mut self, span: Span) {
        self.now = self.now.after(span);
    }

    fn phase(&self) -> HostPhase {
        self.lease.phase().name()
    }

    fn count(&self, kind: HostReportKind) -> usize {
        self.reports.iter().filter(|(_, reported)| *reported == kind).count()
    }

    /// Steps, and checks what must hold after every step.
    fn step(&mut self, event: Event) {
        if let Event::LeaseEnded { lease, .. } = &event {
            self.open.remove(lease);
        }
        if event == Event::NewRun {
            self.open.clear();
        }
        let claimed = match &event {
            Event::Claimed { id, .. } => Some(id.clone()),
            _ => None,
        };
        let answers = self.answers.len();
        for action in self.lease.step(event, self.now) {
            self.perform(action);
        }
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
    }

    fn perform(&mut self, action: Action) {
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
                assert!(!report.text.is_empty());
                self.reports.push((self.now, report.kind));
                let losses = self.count(HostReportKind::HostLost) - self.count(HostReportKind::HostBack);
                assert!(losses <= 1, "loss and return take turns");
                if report.kind == HostReportKind::HostLost {
                    assert!(self.owner.is_some(), "only what was held since its last stop can be lost");
                }
            }
            Action::Checkpoint => {
                assert_eq!(self.phase(), HostPhase::Held);
                self.checkpoints += 1;
            }
        }
    }

    /// The name goes from machine to machine by a stop or a loss only.
    fn check_owner(&mut self) {
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

    fn claim(&mut self, id: &str, holder: Holder, timeout: Span) -> ClaimAnswer {
        self.step(Event::Claimed { id: id.into(), claim: Claim { holder, lease_timeout: timeout } });
        self.answers.last().unwrap().1.clone()
    }

    fn begin(&mut self, holder: Holder, skew_ms: i64) {
        let at_ms = self.now.unix_millis() - skew_ms;
        self.step(Event::LeaseBegan(LeaseBegan { lease: self.lease.lease(), holder, at_ms }));
    }

    fn end(&mut self, how: Ended) {
        self.step(Event::LeaseEnded { lease: self.lease.lease(), how });
    }

    /// Lets time pass and rings the machine's alarm when it is due, each time this late.
    fn wait(&mut self, span: Span, late: Span) {
        let end = self.now.after(span);
        while let Some(at) = self.lease.wake_at().map(|at| at.after(late)).filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.step(Event::Tick);
        }
        self.now = end;
    }

    fn some_holder(&mut self, rng: &mut Rng) -> Holder {
        let machine = ["one", "one", "one", "two"][rng.between(0, 3) as usize];
        self.epochs += rng.between(0, 1);
        holder(machine, &format!("{machine}-{}", self.epochs.saturating_sub(rng.between(0, 2))))
    }

    fn event(&mut self, kind: &str, rng: &mut Rng) -> Event {
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
            _ => Event::Tick,
        }
    }

    /// A random step, at most as late as a slow worker would be, or after an outage.
    fn live(&mut self, rng: &mut Rng) -> (HostPhase, &'static str) {
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

const SECOND: Span = Span::from_secs(1);
const TIMEOUT: Span = Span::from_secs(15);

/// A host that is held by one start of machine `one`.
fn held(timeout: Span, skew_ms: i64) -> Life {
    let mut life = Life::new();
    assert!(life.claim("e1", holder("one", "e1"), timeout).granted);
    life.begin(holder("one", "e1"), skew_ms);
    assert_eq!(life.phase(), HostPhase::Held);
    life
}

fn lost() -> Life {
    let mut life = held(TIMEOUT, 0);
    life.pass(TIMEOUT);
    life.end(Ended::TimedOut { last_beat_ms: None });
    life.wait(Span::from_secs(2), Span::ZERO);
    assert_eq!(life.phase(), HostPhase::Lost);
    life
}

proptest! {
    #![proptest_config(common::lives(100))]

    #[test]
    fn every_life_keeps_the_invariants(seed: u64) {
        let mut rng = Rng::new(seed);
        let mut life = Life::new();
        for _ in 0..150 {
            life.live(&mut rng);
        }
    }

    /// Whatever the clocks say, a host that is gone is known to be gone.
    #[test]
    fn a_loss_is_known_within_the_timeout_and_two_seconds(
        timeout in 2..60_u64, skew_ms in -100_000_000..100_000_000_i64, latency in 0..200_u64, beats in 0..100_u64,
        late in 0..200_u64,
    ) {
        let timeout = Span::from_secs(timeout);
        let mut life = held(timeout, skew_ms + i64::try_from(latency).unwrap());
        life.wait(Span::from_millis(beats * 1_000 + 77), Span::ZERO);
        let last = life.now;
        let beat = (beats > 0).then_some(last.unix_millis() - skew_ms);
        prop_assume!(beat.is_some() || last.since(life.lease.status().since) < AWAY);
        life.pass(timeout);
        life.pass(Span::from_millis(late));
        life.end(Ended::TimedOut { last_beat_ms: beat });
        life.wait(Span::from_secs(60), Span::from_millis(late));
        let reports: Vec<_> = life.reports.iter().map(|(_, kind)| *kind).collect();
        prop_assert_eq!(reports, [HostReportKind::HostLost]);
        let known_after = life.reports[0].0.since(last);
        prop_assert!(known_after >= timeout, "not before its time");
        prop_assert!(known_after.as_millis() <= timeout.as_millis() + 2_000, "known after {}", known_after);
    }

    /// The server goes away between two beats, for any time, and every heartbeat times out when it is back.
    #[test]
    fn an_outage_of_the_server_is_no_loss(
        outage_ms in 0..7_200_000_u64, skew_ms in -100_000..100_000_i64, back in 0..100_u64, alarm_late in any::<bool>(),
    ) {
        let mut life = held(TIMEOUT, skew_ms);
        life.pass(Span::from_secs(100));
        let last = life.now;
        life.now = last.after(TIMEOUT.max(Span::from_millis(outage_ms)));
        let long = life.now.since(last).as_millis() > (TIMEOUT.as_millis() + AWAY.as_millis());
        let window = if long { GRACE_AFTER_OUTAGE } else { GRACE };
        life.end(Ended::TimedOut { last_beat_ms: Some(last.unix_millis() - skew_ms) });
        if alarm_late {
            // Away again before the window is over; it begins anew.
            life.pass(Span::from_millis(window.as_millis() + AWAY.as_millis() + 1 + outage_ms));
            life.step(Event::Tick);
        }
        life.wait(Span::from_millis(window.as_millis() * back / 100), Span::ZERO);
        prop_assert!(!life.was_lost);
        life.begin(holder("one", "e1"), skew_ms);
        life.wait(Span::from_secs(600), Span::ZERO);
        prop_assert_eq!(life.phase(), HostPhase::Held);
        prop_assert!(life.reports.is_empty() && life.marks.is_empty());
    }

    #[test]
    fn a_host_that_does_not_come_back_after_an_outage_is_lost(outage in 19..7_200_u64) {
        let mut life = held(TIMEOUT, 0);
        let last = life.now;
        life.pass(Span::from_secs(outage));
        life.end(Ended::TimedOut { last_beat_ms: Some(last.unix_millis()) });
        life.wait(Span::from_millis(14_999), Span::ZERO);
        prop_assert_eq!(life.phase(), HostPhase::Vacant);
        life.wait(Span::from_millis(1), Span::ZERO);
        prop_assert_eq!(life.phase(), HostPhase::Lost);
    }
}

#[test]
fn every_phase_meets_every_event() {
    let mut met = BTreeSet::new();
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let mut life = Life::new();
        for _ in 0..150 {
            met.insert(life.live(&mut rng));
        }
    }
    let missing: Vec<_> = HostPhase::ALL
        .iter()
        .flat_map(|phase| KINDS.map(|kind| (*phase, kind)))
        .filter(|pair| !met.contains(pair))
        .collect();
    assert!(missing.is_empty(), "never met: {missing:?}");
}

#[test]
fn a_clean_stop_is_never_a_loss() {
    let mut life = held(TIMEOUT, 0);
    life.pass(Span::from_secs(60));
    life.end(Ended::HandedOver);
    assert_eq!(life.phase(), HostPhase::Stopped);
    life.wait(Span::from_secs(86_400), SECOND);
    // A claim alone is not a beginning: the machine may be switched off right after it.
    assert!(life.claim("e2", holder("one", "e2"), TIMEOUT).granted);
    life.wait(Span::from_secs(86_400), SECOND);
    assert_eq!((life.phase(), life.reports.len()), (HostPhase::Stopped, 0));
    assert!(life.claim("f1", holder("two", "f1"), TIMEOUT).granted, "the name is free");
}

#[test]
fn the_same_machine_takes_over_at_once_and_its_old_start_stays_dead() {
    let mut life = held(TIMEOUT, 0);
    let old = life.lease.lease();
    assert!(life.claim("e2", holder("one", "e2"), TIMEOUT).granted);
    assert_eq!(life.lease.lease(), old + 1, "the dead start's lease is cancelled");
    let late = life.claim("late", holder("one", "e1"), TIMEOUT);
    assert!(!late.granted && late.reason.contains("later start"), "{late:?}");
    life.begin(holder("one", "e2"), 0);
    assert_eq!(life.lease.lease(), old + 1);
    let again = life.claim("e2", holder("one", "e2"), TIMEOUT);
    assert!(again.granted && !again.was_lost);
    let other_id = life.claim("e2/2", holder("one", "e2"), TIMEOUT);
    assert!(other_id.granted);
    assert_eq!((life.lease.lease(), life.phase()), (old + 1, HostPhase::Held), "asking again changes nothing");
}

#[test]
fn a_start_that_died_before_it_could_say_that_it_has_the_lease_does_not_keep_it() {
    let mut life = Life::new();
    life.claim("e1", holder("one", "e1"), TIMEOUT);
    let taken = life.lease.lease();
    life.claim("e1/2", holder("one", "e1"), TIMEOUT);
    assert_eq!(life.lease.lease(), taken);
    life.claim("e2", holder("one", "e2"), TIMEOUT);
    assert_eq!(life.lease.lease(), taken + 1);
}

#[test]
fn another_machine_is_refused_until_the_name_is_free() {
    let mut life = held(TIMEOUT, 0);
    let no = life.claim("f1", holder("two", "f1"), TIMEOUT);
    assert!(!no.granted && no.reason.contains("another machine") && no.reason.contains("-host"), "{no:?}");
    assert!(!life.claim("f2", holder("two", "f2"), TIMEOUT).granted);
    assert_eq!(life.count(HostReportKind::HostRefused), 1, "said once");
    assert_eq!(life.lease.status().refused.unwrap().holder, holder("two", "f2"));
    life.pass(TIMEOUT);
    life.end(Ended::TimedOut { last_beat_ms: None });
    assert!(!life.claim("f3", holder("two", "f3"), TIMEOUT).granted, "the loss is not certain yet");
    let before = life.lease.lease();
    life.begin(holder("two", "f3"), 0);
    assert_eq!((life.phase(), life.lease.lease()), (HostPhase::Vacant, before + 1), "it is taken away from it");
    life.wait(Span::from_secs(2), Span::ZERO);
    assert!(life.claim("f4", holder("two", "f4"), TIMEOUT).was_lost);
    let no = life.claim("e2", holder("one", "e2"), TIMEOUT);
    assert!(!no.granted, "granted to another: {no:?}");
    life.begin(holder("two", "f4"), 0);
    assert_eq!(life.phase(), HostPhase::Held);
    assert_eq!(life.count(HostReportKind::HostBack), 1);
}

#[test]
fn a_loss_and_the_return_are_said_once_and_then_it_rests() {
    let mut life = lost();
    assert_eq!(life.marks, [1]);
    assert!(life.was_lost, "the open lease says so to whoever takes it");
    life.step(Event::MarkFailed { loss: 1 });
    life.wait(Span::from_secs(31), Span::ZERO);
    assert_eq!(life.marks, [1, 1], "told again");
    life.step(Event::ServicesMarked { loss: 1 });
    life.wait(Span::from_secs(3_600), Span::ZERO);
    assert_eq!(life.marks, [1, 1]);
    life.begin(holder("one", "e1"), 0);
    assert_eq!(
        life.claim("e2", holder("one", "e2"), TIMEOUT),
        ClaimAnswer { granted: true, reason: String::new(), was_lost: true }
    );
    life.begin(holder("one", "e2"), 0);
    assert_eq!(life.checkpoints, 0);
    life.wait(Span::from_secs(61), Span::ZERO);
    assert_eq!(life.checkpoints, 1);
    assert!(!life.claim("e3", holder("one", "e3"), TIMEOUT).was_lost, "told by now");
    let kinds: Vec<_> = life.reports.iter().map(|(_, kind)| *kind).collect();
    assert_eq!(kinds, [HostReportKind::HostLost, HostReportKind::HostBack]);
}

#[test]
fn a_new_run_gives_the_holder_a_heartbeat_to_notice() {
    let mut life = held(TIMEOUT, 0);
    life.step(Event::NewRun);
    life.wait(TIMEOUT, Span::ZERO);
    assert_eq!(life.phase(), HostPhase::Vacant);
    life.begin(holder("one", "e1"), 0);
    assert_eq!((life.phase(), life.reports.len()), (HostPhase::Held, 0));
    life.step(Event::NewRun);
    life.wait(Span::from_secs(17), Span::ZERO);
    assert_eq!(life.phase(), HostPhase::Lost);
}

#[test]
fn a_claim_is_a_sign_of_life_but_claims_alone_are_not_a_life() {
    let mut life = held(TIMEOUT, 0);
    for epoch in 2..30 {
        let granted = life.claim(&format!("e{epoch}"), holder("one", &format!("e{epoch}")), TIMEOUT).granted;
        assert!(granted);
        life.wait(Span::from_secs(5), Span::ZERO);
    }
    assert_eq!(life.phase(), HostPhase::Lost);
    let at = life.reports[0].0.unix_millis() - 1_000_000_000;
    assert_eq!(at, 60_000);
}

#[test]
fn a_lease_that_ends_as_it_begins_is_no_storm() {
    let mut life = held(TIMEOUT, 0);
    let mut waited = Span::ZERO;
    for _ in 0..20 {
        life.end(Ended::Failed { message: "no such activity".into() });
        waited = waited.max(life.delay);
        life.wait(life.delay, Span::ZERO);
        life.begin(holder("one", "e1"), 0);
    }
    assert_eq!((waited, life.phase()), (Span::from_secs(60), HostPhase::Held));
    assert!(life.reports.is_empty(), "our own wait is not the host's loss");
    life.end(Ended::Cancelled);
    life.claim("e2", holder("one", "e2"), TIMEOUT);
    assert_eq!(life.delay, Span::ZERO, "a new start need not wait");
}

#[test]
fn a_claim_says_the_timeout_of_the_lease_that_waits() {
    let mut life = Life::new();
    life.claim("e1", holder("one", "e1"), Span::from_secs(4));
    assert_eq!(life.lease.lease(), 2);
    life.begin(holder("one", "e1"), 0);
    life.claim("e1/2", holder("one", "e1"), Span::from_secs(9));
    assert_eq!(life.lease.lease(), 2, "one that runs stays");
    assert!(matches!(life.lease.phase(), Phase::Held { skew_ms: 0, .. }));
}

#[test]
fn a_holder_that_cannot_be_read_is_refused() {
    let mut life = Life::new();
    assert!(!life.claim("x", holder("", "e1"), TIMEOUT).granted);
    assert!(!life.claim("y", holder("one", &"e".repeat(200)), TIMEOUT).granted);
    life.begin(holder("", ""), 0);
    assert_eq!((life.phase(), life.lease.lease()), (HostPhase::Unknown, 2));
    assert!(life.lease.status().refused.is_none());
}
