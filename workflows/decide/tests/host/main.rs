//! The lease of a host: what must hold in every life, and the times of losses and outages.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod life;
mod owed;

use dixmgr_contract::Span;
use dixmgr_contract::host::{ClaimAnswer, HostPhase, HostReportKind};
use dixmgr_decide::host::{AWAY, Ended, Event, GRACE, GRACE_AFTER_OUTAGE, Phase};
use dixmgr_decide::rng::Rng;
use life::{KINDS, Life, SECOND, TIMEOUT, held, holder, lost};
use proptest::prelude::*;
use std::collections::BTreeSet;

proptest! {
    #![proptest_config(common::lives(100))]

    #[test]
    fn every_life_keeps_the_invariants(seed: u64) {
        let mut rng = Rng::new(seed);
        let mut life = Life::new();
        life.takes = rng.between(0, 1) == 0;
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
        life.takes = seed % 2 == 0;
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
