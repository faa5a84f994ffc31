//! Acting on units beside a real systemd: what it does, what it refuses, and whose jobs are whose.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
use common::{Host, Recorder, Sandbox, in_sandbox, line};
use dixmgr_contract::{FailureKind, Guard, ServiceName, UnitName, Verb};
use dixmgr_systemd::{ActError, Control, Observer, UnitControl, UnitReader};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(10);

fn unit(name: &str) -> UnitName {
    UnitName::new(name).unwrap()
}

async fn act(observer: &Observer, name: &str, verb: Verb, guard: Option<&Guard>) -> Result<(), ActError> {
    Control::new(observer).act(&unit(name), verb, guard, LONG).await
}

async fn kind_of(observer: &Observer, name: &str, verb: Verb) -> FailureKind {
    act(observer, name, verb, None).await.expect_err("it must be refused").kind
}

fn guard(invocation: Option<String>) -> Guard {
    Guard {
        service: ServiceName::new("a").unwrap(),
        generation: 1,
        invocation,
        restarts_failure: true,
        timeout_ms: 1000,
        reason: "a test".to_owned(),
        waited: Default::default(),
    }
}

#[test]
fn our_own_jobs_are_known_as_ours() {
    in_sandbox(Sandbox::UserManager, "our_own_jobs_are_known_as_ours", |host| async move {
        host.write("a.service", "ExecStart=/bin/sleep 1000");
        host.reload();
        let (observer, mut told) = host.watch(&["a.service"]).await;
        for _ in 0..20 {
            told.clear();
            act(&observer, "a.service", Verb::Start, None).await.unwrap();
            told.until("a.service", |state| line(state) == "active/running success").await;
            host.systemctl(&["kill", "-s", "KILL", "a"]);
            let failed = told.until("a.service", |state| state.sub == "failed" && state.exit.is_some()).await;
            assert_eq!(line(&failed), "failed/failed signal killed:9");
            act(&observer, "a.service", Verb::Start, Some(&guard(failed.invocation))).await.unwrap();
            told.until("a.service", |state| line(state) == "active/running success").await;
            act(&observer, "a.service", Verb::Restart, None).await.unwrap();
            act(&observer, "a.service", Verb::Stop, None).await.unwrap();
            told.until("a.service", |state| state.sub == "dead" && state.job.is_none()).await;
            let wrong: Vec<String> = told.lines("a.service");
            let wrong: Vec<&String> = wrong.iter().filter(|l| l.contains("foreign") || l.contains("stopped")).collect();
            assert!(wrong.is_empty(), "{wrong:?} in\n{}", told.dump());
        }
    });
}

#[test]
fn a_failed_state_told_in_between_is_never_our_own_reset() {
    in_sandbox(Sandbox::UserManager, "a_failed_state_told_in_between_is_never_our_own_reset", |host| async move {
        host.write("a.service", "ExecStart=/bin/sleep 1000");
        host.reload();
        let (observer, mut told) = host.watch(&["a.service"]).await;
        act(&observer, "a.service", Verb::Start, None).await.unwrap();
        for _ in 0..30 {
            told.until("a.service", |state| line(state) == "active/running success").await;
            told.clear();
            host.systemctl(&["kill", "-s", "KILL", "a"]);
            told.until("a.service", |state| state.sub == "failed").await;
            told.clear();
            act(&observer, "a.service", Verb::Start, None).await.unwrap();
            told.until("a.service", |state| line(state) == "active/running success").await;
            let unexplained =
                told.lines("a.service").into_iter().find(|l| !l.starts_with("active") && !l.contains("job=ours"));
            assert_eq!(unexplained, None, "{}", told.dump());
            // The condition at the top of the loop has been met already.
            told.clear();
            host.systemctl(&["kill", "-s", "KILL", "a"]);
            told.until("a.service", |state| state.sub == "failed").await;
            act(&observer, "a.service", Verb::Restart, None).await.unwrap();
        }
    });
}

#[test]
fn a_unit_at_its_start_limit_is_started_again() {
    in_sandbox(Sandbox::UserManager, "a_unit_at_its_start_limit_is_started_again", |host| async move {
        host.write("a.service", "ExecStart=/bin/sleep 1000\n[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=2");
        host.reload();
        let (observer, mut told) = host.watch(&["a.service"]).await;
        for _ in 0..2 {
            host.systemctl(&["start", "a"]);
            told.until("a.service", |state| state.is_up()).await;
            host.systemctl(&["kill", "-s", "KILL", "a"]);
            told.until("a.service", |state| state.sub == "failed").await;
        }
        assert!(!host.try_systemctl(&["start", "a"]).status.success());
        act(&observer, "a.service", Verb::Start, None).await.unwrap();
        assert!(observer.look(&unit("a.service")).await.unwrap().is_up());
    });
}

#[test]
fn what_becomes_of_a_job_is_told() {
    in_sandbox(Sandbox::UserManager, "what_becomes_of_a_job_is_told", |host| async move {
        host.write("fails.service", "Type=oneshot\nExecStart=/bin/sh -c 'exit 3'");
        host.write("needs.service", "ExecStart=/bin/sleep 1000\n[Unit]\nRequires=fails.service\nAfter=fails.service");
        host.write("slow.service", "ExecStartPre=/bin/sleep 1000\nExecStart=/bin/sleep 1000");
        host.reload();
        let (observer, mut told) = host.watch(&["fails.service", "needs.service", "slow.service"]).await;
        let error = act(&observer, "fails.service", Verb::Start, None).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::JobFailed);
        assert!(error.message.contains("exit code 3"), "{}", error.message);
        let error = act(&observer, "needs.service", Verb::Start, None).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::JobFailed);
        assert!(error.message.contains("requires"), "{}", error.message);

        let control = Control::new(&observer);
        let slow = unit("slow.service");
        let error = control.act(&slow, Verb::Start, None, Duration::from_millis(100)).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::JobTimeout);
        // The job goes on and is ours: acting on it again is not refused, and waits for the same one.
        told.until("slow.service", |state| state.job.is_some_and(|job| job.ours)).await;
        let again = tokio::spawn(async move { control.act(&slow, Verb::Start, None, LONG).await });
        tokio::time::timeout(Duration::from_millis(100), std::future::pending::<()>()).await.unwrap_err();
        host.systemctl(&["stop", "slow"]);
        assert_eq!(again.await.unwrap().unwrap_err().kind, FailureKind::JobCanceled);
    });
}

#[test]
fn what_must_not_be_done_is_refused() {
    in_sandbox(Sandbox::UserManager, "what_must_not_be_done_is_refused", |host| async move {
        host.write("a.service", "ExecStart=/bin/sleep 1000");
        host.write("pre.service", "ExecStartPre=/bin/sleep 1000\nExecStart=/bin/sleep 1000");
        host.write("bad.service", "Type=simple");
        host.reload();
        host.systemctl(&["mask", "--runtime", "masked.service"]);
        let units = ["a.service", "pre.service", "bad.service", "masked.service", "none.service"];
        let (observer, mut told) = host.watch(&units).await;
        assert_eq!(kind_of(&observer, "none.service", Verb::Restart).await, FailureKind::NoSuchUnit);
        assert_eq!(kind_of(&observer, "masked.service", Verb::Start).await, FailureKind::Masked);
        assert_eq!(kind_of(&observer, "bad.service", Verb::Start).await, FailureKind::NoSuchUnit);
        assert_eq!(kind_of(&observer, "unlisted.service", Verb::Start).await, FailureKind::NotAllowed);

        host.systemctl(&["start", "--no-block", "pre"]);
        told.until("pre.service", |state| state.is_held()).await;
        let error = act(&observer, "pre.service", Verb::Restart, None).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::ForeignJob);
        assert!(error.message.contains("systemctl list-jobs"), "{}", error.message);

        host.systemctl(&["start", "a"]);
        let first = told.until("a.service", |state| state.is_up() && state.job.is_none()).await.invocation;
        act(&observer, "a.service", Verb::Start, None).await.unwrap();
        let now = guard(first.clone());
        assert_eq!(act(&observer, "a.service", Verb::Start, Some(&now)).await.unwrap_err().kind, FailureKind::Stale);
        host.systemctl(&["restart", "a"]);
        assert_eq!(act(&observer, "a.service", Verb::Restart, Some(&now)).await.unwrap_err().kind, FailureKind::Stale);
        let mut known = told.until("a.service", |state| state.invocation != first && state.job.is_none()).await;
        act(&observer, "a.service", Verb::Restart, Some(&guard(known.invocation.take()))).await.unwrap();
    });
}

#[test]
fn a_unit_that_was_unloaded_is_not_stale_and_its_end_is_remembered() {
    in_sandbox(
        Sandbox::UserManager,
        "a_unit_that_was_unloaded_is_not_stale_and_its_end_is_remembered",
        |host| async move {
            host.write("a.service", "ExecStart=/bin/sleep 1000");
            host.reload();
            let (observer, mut told) = host.watch_with_resync(&["a.service"], Duration::from_secs(1)).await;
            host.systemctl(&["start", "a"]);
            host.systemctl(&["stop", "a"]);
            let stopped =
                told.until("a.service", |state| line(state) == "inactive/dead success killed:15 stopped").await;
            // systemd forgets it; whoever asks gets zeros. What is known must not be overwritten by them.
            assert_eq!(host.systemctl(&["show", "-p", "ExecMainCode", "--value", "a"]), "0");
            assert_eq!(observer.look(&unit("a.service")).await.unwrap(), stopped);
            told.clear();
            host.reload();
            host.systemctl(&["reset-failed"]);
            nothing_told(&mut told, Duration::from_millis(1500)).await;
            act(&observer, "a.service", Verb::Start, Some(&guard(stopped.invocation))).await.unwrap();
        },
    );
}

async fn nothing_told(told: &mut Recorder, during: Duration) {
    let event = tokio::time::timeout(during, told.until_event(|_| true)).await;
    assert!(event.is_err(), "nothing has changed, but {event:?} was told");
}

#[test]
fn a_manager_that_stops_is_left_alone() {
    in_sandbox(Sandbox::UserManager, "a_manager_that_stops_is_left_alone", |host: Host| async move {
        host.write("a.service", "ExecStart=/bin/sleep 1000");
        // The bus is gone at the end: something has to take its time.
        host.write("stubborn.service", "ExecStart=/bin/sleep 1000\nExecStop=/bin/sleep 3");
        host.reload();
        host.systemctl(&["start", "a", "stubborn"]);
        let (observer, mut told) = host.watch(&["a.service", "stubborn.service"]).await;
        host.systemctl(&["exit", "--no-block"]);
        told.until_event(|event| *event == dixmgr_systemd::FeedEvent::Stopping(true)).await;
        assert_eq!(kind_of(&observer, "a.service", Verb::Start).await, FailureKind::HostStopping);
    });
}
