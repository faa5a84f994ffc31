//! What the feed tells of the ordinary lives and deaths of units, beside a real systemd.
//!
//! The feed keeps only the latest state, so a slow reader sees fewer. Each expectation is therefore the longest
//! sequence there can be (recorded on systemd 252): what is told must be a part of it, in its order, up to its end.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
use common::{Host, Recorder, Sandbox, in_sandbox};

const SLEEP: &str = "ExecStart=/bin/sleep 1000";

/// Runs `systemctl` with `arguments` and expects the feed to tell `expected` of `unit`, the last one surely.
async fn expect(host: &Host, recorder: &mut Recorder, arguments: &[&str], unit: &str, expected: &[&str]) {
    recorder.clear();
    host.try_systemctl(arguments);
    let last = expected.last().copied().unwrap_or_default();
    recorder.until(unit, |state| common::line(state) == last).await;
    let told = recorder.lines(unit);
    let mut rest = expected.iter();
    for line in &told {
        assert!(
            rest.any(|allowed| allowed == line),
            "systemctl {arguments:?}: {line:?} was told, which is not due; told: {told:#?}, expected: {expected:#?}"
        );
    }
}

#[test]
fn a_start_a_kill_and_a_stop() {
    in_sandbox(Sandbox::UserManager, "a_start_a_kill_and_a_stop", |host| async move {
        host.write("a.service", SLEEP);
        host.reload();
        let (_observer, mut told) = host.watch(&["a.service"]).await;
        let start =
            ["inactive/dead success job=foreign", "active/running success job=foreign", "active/running success"];
        expect(&host, &mut told, &["start", "a"], "a.service", &start).await;
        let kill = ["failed/failed signal killed:9"];
        expect(&host, &mut told, &["kill", "-s", "KILL", "a"], "a.service", &kill).await;
        let start_again = [
            "failed/failed signal killed:9 job=foreign",
            "failed/failed success job=foreign",
            "active/running success job=foreign",
            "active/running success",
        ];
        expect(&host, &mut told, &["start", "a"], "a.service", &start_again).await;
        let stop = [
            "active/running success job=foreign",
            "deactivating/stop-sigterm success job=foreign stopped",
            "inactive/dead success killed:15 job=foreign stopped",
            "inactive/dead success killed:15 stopped",
        ];
        expect(&host, &mut told, &["stop", "a"], "a.service", &stop).await;
    });
}

#[test]
fn a_restart_by_somebody() {
    in_sandbox(Sandbox::UserManager, "a_restart_by_somebody", |host| async move {
        host.write("a.service", SLEEP);
        host.reload();
        host.systemctl(&["start", "a"]);
        let (_observer, mut told) = host.watch(&["a.service"]).await;
        let before = told.last("a.service").invocation.clone();
        let restart = [
            "active/running success job=foreign",
            "deactivating/stop-sigterm success job=foreign stopped",
            "inactive/dead success killed:15 job=foreign stopped",
            "inactive/dead success job=foreign stopped",
            "active/running success job=foreign",
            "active/running success",
        ];
        // The end looks like the beginning: wait for the new run.
        told.clear();
        host.systemctl(&["restart", "a"]);
        let after = told.until("a.service", |state| state.job.is_none() && state.invocation != before).await;
        assert_eq!(common::line(&after), restart[5]);
        let lines = told.lines("a.service");
        assert!(lines.iter().all(|line| restart.contains(&line.as_str())), "{lines:#?}");
        assert_eq!(after.invocation.map(|hex| hex.len()), Some(32));
    });
}

#[test]
fn a_process_that_ends_by_itself() {
    in_sandbox(Sandbox::UserManager, "a_process_that_ends_by_itself", |host| async move {
        host.write("zero.service", "ExecStart=/bin/sleep 0.1");
        host.write("three.service", "ExecStart=/bin/sh -c \"sleep 0.1; exit 3\"");
        host.reload();
        let (_observer, mut told) = host.watch(&["zero.service", "three.service"]).await;
        let up = ["inactive/dead success job=foreign", "active/running success job=foreign", "active/running success"];
        let zero = [&up[..], &["inactive/dead success exited:0"]].concat();
        expect(&host, &mut told, &["start", "zero"], "zero.service", &zero).await;
        let three = [&up[..], &["failed/failed exit-code exited:3"]].concat();
        expect(&host, &mut told, &["start", "three"], "three.service", &three).await;
        expect(&host, &mut told, &["reset-failed", "three"], "three.service", &["inactive/dead success exited:3"])
            .await;
    });
}

#[test]
fn systemds_own_restart_is_never_told_as_a_failure() {
    in_sandbox(Sandbox::UserManager, "systemds_own_restart_is_never_told_as_a_failure", |host| async move {
        host.write("r.service", "ExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=100ms");
        host.reload();
        host.systemctl(&["start", "r"]);
        let (_observer, mut told) = host.watch(&["r.service"]).await;
        for round in 1..=3 {
            let death = format!("activating/auto-restart signal killed:9 restarts={}", round - 1);
            let death = if round == 1 { "activating/auto-restart signal killed:9".to_owned() } else { death };
            let expected = [
                death,
                format!("activating/auto-restart signal killed:9 job=foreign restarts={round}"),
                format!("inactive/dead success job=foreign restarts={round}"),
                format!("active/running success job=foreign restarts={round}"),
                format!("active/running success restarts={round}"),
            ];
            let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
            expect(&host, &mut told, &["kill", "-s", "KILL", "r"], "r.service", &expected).await;
        }
        let stop = [
            "active/running success job=foreign restarts=3",
            "deactivating/stop-sigterm success job=foreign stopped restarts=3",
            "inactive/dead success killed:15 job=foreign stopped restarts=3",
            "inactive/dead success killed:15 stopped restarts=3",
        ];
        expect(&host, &mut told, &["stop", "r"], "r.service", &stop).await;
    });
}

#[test]
fn a_stop_while_systemd_waits_to_restart() {
    in_sandbox(Sandbox::UserManager, "a_stop_while_systemd_waits_to_restart", |host| async move {
        host.write("r.service", "ExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=1000");
        host.reload();
        host.systemctl(&["start", "r"]);
        let (_observer, mut told) = host.watch(&["r.service"]).await;
        expect(
            &host,
            &mut told,
            &["kill", "-s", "KILL", "r"],
            "r.service",
            &["activating/auto-restart signal killed:9"],
        )
        .await;
        told.clear();
        host.systemctl(&["stop", "r"]);
        let state = told.until("r.service", |state| state.job.is_none()).await;
        assert!(state.stopped_by_job, "{}", told.dump());
    });
}

#[test]
fn a_oneshot_ends_without_having_been_stopped() {
    in_sandbox(Sandbox::UserManager, "a_oneshot_ends_without_having_been_stopped", |host| async move {
        host.write("o.service", "Type=oneshot\nExecStart=/bin/sleep 0.1");
        host.write("post.service", "Type=oneshot\nExecStart=/bin/sleep 0.1\nExecStopPost=/bin/sleep 0.1");
        host.write("fails.service", "Type=oneshot\nExecStart=/bin/sh -c \"exit 3\"");
        host.write("stays.service", "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true");
        host.write("long.service", "Type=oneshot\nExecStart=/bin/sleep 1000");
        host.reload();
        let units = ["o.service", "post.service", "fails.service", "stays.service", "long.service"];
        let (_observer, mut told) = host.watch(&units).await;
        let begin = ["inactive/dead success job=foreign", "activating/start success job=foreign"];
        let end = ["inactive/dead success exited:0 job=foreign", "inactive/dead success exited:0"];
        expect(&host, &mut told, &["start", "o"], "o.service", &[&begin[..], &end].concat()).await;
        assert!(told.last("o.service").oneshot);
        let post = ["deactivating/stop-post success exited:0 job=foreign", "deactivating/stop-post success exited:0"];
        expect(&host, &mut told, &["start", "post"], "post.service", &[&begin[..], &post, &end].concat()).await;
        let failed = ["failed/failed exit-code exited:3 job=foreign", "failed/failed exit-code exited:3"];
        expect(&host, &mut told, &["start", "fails"], "fails.service", &[&begin[..], &failed].concat()).await;
        let stays = ["active/exited success job=foreign", "active/exited success"];
        expect(&host, &mut told, &["start", "stays"], "stays.service", &[&begin[..], &stays].concat()).await;
        assert!(!told.last("stays.service").oneshot);
        let stopped = [
            "active/exited success job=foreign",
            "inactive/dead success exited:0 job=foreign stopped",
            "inactive/dead success exited:0 stopped",
        ];
        expect(&host, &mut told, &["stop", "stays"], "stays.service", &stopped).await;
        host.systemctl(&["start", "--no-block", "long"]);
        told.until("long.service", |state| state.sub == "start").await;
        told.clear();
        host.systemctl(&["stop", "long"]);
        let state = told.until("long.service", |state| state.sub == "failed" && state.job.is_none()).await;
        assert!(state.stopped_by_job, "{}", told.dump());
    });
}
