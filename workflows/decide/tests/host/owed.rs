//! What people are owed of a loss and its end: whatever fails on the way, they know in the end how the host stands.

use crate::common;
use crate::life::{Life, TIMEOUT, held, holder, lost};
use dixmgr_contract::Span;
use dixmgr_contract::host::{HostPhase, HostReportKind};
use dixmgr_decide::host::{Ended, Event};
use dixmgr_decide::rng::Rng;
use proptest::prelude::*;

proptest! {
    #![proptest_config(common::lives(100))]

    /// Whatever was lost on the way: people know in the end how the host stands.
    #[test]
    fn a_report_is_owed_until_it_is_taken_and_the_newest_wins(seed: u64) {
        let mut rng = Rng::new(seed);
        let mut life = Life::new();
        life.takes = false;
        for _ in 0..150 {
            life.live(&mut rng);
        }
        life.takes = true;
        life.step(Event::ReportFailed);
        life.wait(Span::from_secs(700), Span::ZERO);
        let believed = life.taken.as_ref().is_some_and(|taken| taken.kind == HostReportKind::HostLost);
        prop_assert_eq!(believed, life.phase() == HostPhase::Lost, "{:?}", life.taken);
        prop_assert!(life.under_way.is_none() && life.lease.owes() == believed, "nothing is left to be told");
    }
}

#[test]
fn a_loss_that_nobody_takes_is_told_again_and_then_each_hour_while_it_lasts() {
    let mut life = held(TIMEOUT, 0);
    life.takes = false;
    life.step(Event::NewRun);
    life.wait(Span::from_secs(17), Span::ZERO);
    assert_eq!((life.phase(), life.told), (HostPhase::Lost, 1));
    let since = life.under_way.clone().unwrap().at;
    let mut waits = Vec::new();
    for _ in 0..7 {
        life.step(Event::ReportFailed);
        let from = life.now;
        life.now = life.lease.wake_at().unwrap();
        life.step(Event::ServicesMarked { loss: 1 });
        waits.push(life.now.since(from).as_millis() / 1_000);
    }
    assert_eq!(waits, [30, 60, 120, 240, 480, 480, 480]);
    assert_eq!((life.under_way.clone().unwrap().again, life.told), (false, 8));
    // The run ends with the report under way: it is made again.
    life.step(Event::NewRun);
    assert_eq!(life.told, 9);
    life.takes = true;
    life.step(Event::Reported);
    life.wait(Span::from_secs(3_599), Span::ZERO);
    assert_eq!(life.told, 9);
    life.wait(Span::from_secs(1), Span::ZERO);
    let again = life.taken.clone().unwrap();
    assert_eq!((life.told, again.again, again.at), (10, true, since), "it began when it began");
    life.wait(Span::from_secs(24 * 3_600), Span::ZERO);
    assert_eq!(life.told, 34);
    life.begin(holder("one", "e1"), 0);
    life.wait(Span::from_secs(24 * 3_600), Span::ZERO);
    assert_eq!(life.told, 35, "a return is told once");
}

#[test]
fn a_return_waits_for_the_end_of_the_report_of_the_loss() {
    let mut life = held(TIMEOUT, 0);
    life.takes = false;
    life.pass(TIMEOUT);
    life.end(Ended::TimedOut { last_beat_ms: None });
    life.wait(Span::from_secs(2), Span::ZERO);
    life.begin(holder("one", "e1"), 0);
    assert_eq!((life.phase(), life.told), (HostPhase::Held, 1), "the loss is under way still");
    life.step(Event::ReportFailed);
    assert_eq!((life.told, life.under_way.as_ref().map(|report| report.kind)), (2, Some(HostReportKind::HostBack)));
    life.step(Event::ReportFailed);
    life.wait(Span::from_secs(30), Span::ZERO);
    assert_eq!(life.told, 3, "the loss is not told any more, its end is");
    life.step(Event::Reported);
    assert_eq!(
        (life.taken.clone().map(|report| report.kind), life.lease.owes()),
        (Some(HostReportKind::HostBack), false)
    );
}

#[test]
fn a_host_that_is_forgotten_is_over_when_the_end_of_its_loss_is_taken() {
    let mut life = lost();
    life.takes = false;
    life.step(Event::Forgotten);
    assert_eq!(life.under_way.as_ref().map(|report| report.kind), Some(HostReportKind::HostForgotten));
    life.step(Event::ReportFailed);
    assert!(!life.lease.is_over());
    life.wait(Span::from_secs(30), Span::ZERO);
    life.step(Event::Forgotten);
    assert_eq!(life.told, 3, "said twice, told once");
    life.step(Event::Reported);
    assert!(life.lease.is_over());
    life.wait(Span::from_secs(24 * 3_600), Span::ZERO);
    assert_eq!((life.told, life.marks.len()), (3, 1));
    // It lives after all.
    assert!(life.claim("e2", holder("one", "e2"), TIMEOUT).granted);
    assert!(!life.lease.is_over());
}

#[test]
fn a_host_that_is_up_is_not_forgotten_and_one_that_was_stopped_owes_nothing() {
    let mut life = held(TIMEOUT, 0);
    life.step(Event::Forgotten);
    assert_eq!((life.phase(), life.lease.is_over()), (HostPhase::Held, false));
    life.end(Ended::HandedOver);
    life.step(Event::Forgotten);
    assert_eq!((life.told, life.lease.is_over()), (0, true));
}
