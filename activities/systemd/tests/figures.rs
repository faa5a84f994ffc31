//! A thousand units: how soon all are known, how soon a death is seen, what an action costs. Prints what it measures;
//! fails only far beyond the aims, because it also runs unoptimised on a busy machine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
use common::{Host, Sandbox, in_sandbox};
use dixmgr_contract::{UnitName, Verb};
use dixmgr_systemd::{Control, UnitControl, UnitReader};
use std::{
    io::Write,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const UNITS: usize = 1000;
const SAMPLES: usize = 200;
/// More than the 512 match rules that a system bus allows systemd, which needs one for each job of ours.
const AT_ONCE: usize = 700;

fn show(what: &str, mut samples: Vec<Duration>) -> Duration {
    samples.sort();
    let (p50, p99) = (samples[samples.len() / 2], samples[samples.len() * 99 / 100]);
    println!("{what}: p50 {p50:?}, p99 {p99:?}");
    p50
}

/// A shell that waits for orders: its `kill` is not delayed by the start of a process.
struct Killer(Child);

impl Killer {
    fn new() -> Self {
        Self(Command::new("bash").stdin(Stdio::piped()).spawn().unwrap())
    }

    fn kill(&mut self, pid: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "kill -9 {pid}").unwrap();
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

async fn time_start(host: &Host, names: &[&str], what: &str) {
    let begin = Instant::now();
    let (_observer, told) = host.watch(names).await;
    let known = begin.elapsed();
    println!("{UNITS} {what} units known after {known:?}");
    assert!(names.iter().all(|name| !told.last(name).sub.is_empty()), "{what}");
    assert!(told.never_disconnected(), "the connection was lost");
    assert!(known < Duration::from_secs(20), "{known:?}");
}

#[test]
fn a_thousand_units() {
    in_sandbox(Sandbox::UserManager, "a_thousand_units", |host| async move {
        host.write("f@.service", "ExecStart=/bin/sleep 1000");
        host.reload();
        let names: Vec<String> = (0..UNITS).map(|i| format!("f@{i}.service")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        time_start(&host, &names, "unloaded").await;
        host.systemctl(&[&["start"], &names[..]].concat());
        time_start(&host, &names, "running").await;

        let (observer, mut told) = host.watch(&names).await;
        let (control, mut killer) = (Control::new(&observer), Killer::new());
        let (mut seen, mut looks, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        for name in names.iter().take(SAMPLES) {
            let unit = UnitName::new(*name).unwrap();
            let pid = host.systemctl(&["show", "-p", "MainPID", "--value", name]);
            let begin = Instant::now();
            killer.kill(&pid);
            told.until(name, |state| state.sub == "failed").await;
            seen.push(begin.elapsed());
            let begin = Instant::now();
            observer.look(&unit).await.unwrap();
            looks.push(begin.elapsed());
            let begin = Instant::now();
            control.act(&unit, Verb::Start, None, Duration::from_secs(10)).await.unwrap();
            starts.push(begin.elapsed());
        }
        let seen = show("kill -9 to told as failed", seen);
        show("look", looks);
        let start = show("act(start) to done", starts);
        assert!(seen < Duration::from_millis(100) && start < Duration::from_millis(200), "{seen:?} {start:?}");
    });
}

#[test]
fn hundreds_that_fail_at_once_do_not_overrun_the_system_bus() {
    in_sandbox(Sandbox::SystemManager, "hundreds_that_fail_at_once_do_not_overrun_the_system_bus", |host| async move {
        host.write("f@.service", "ExecStart=/bin/sleep 1000");
        host.reload();
        let names: Vec<String> = (0..AT_ONCE).map(|i| format!("f@{i}.service")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        host.systemctl(&[&["start"], &names[..]].concat());
        let (observer, mut told) = host.watch(&names).await;
        host.systemctl(&["kill", "-s", "KILL", "f@*"]);
        for name in &names {
            told.reach(name, |state| state.sub == "failed").await;
        }
        let begin = Instant::now();
        let acts = names.iter().map(|name| {
            let (control, unit) = (Control::new(&observer), UnitName::new(*name).unwrap());
            tokio::spawn(async move { control.act(&unit, Verb::Start, None, Duration::from_secs(100)).await })
        });
        for act in acts.collect::<Vec<_>>() {
            assert_eq!(act.await.unwrap(), Ok(()));
        }
        println!("{AT_ONCE} started again after {:?}", begin.elapsed());
    });
}
