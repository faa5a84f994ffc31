//! A thousand units: how soon all are known, how soon a death is seen, what an action costs. Prints what it measures;
//! fails only far beyond the aims, because it also runs unoptimised on a busy machine.

mod common;
use common::{Sandbox, in_sandbox};
use dixmgr_contract::{UnitName, Verb};
use dixmgr_systemd::{Control, UnitControl, UnitReader};
use std::time::{Duration, Instant};

const UNITS: usize = 1000;

fn percentiles(mut samples: Vec<Duration>) -> (Duration, Duration) {
    samples.sort();
    (samples[samples.len() / 2], samples[samples.len() * 99 / 100])
}

#[test]
fn a_thousand_units() {
    in_sandbox(Sandbox::UserManager, "a_thousand_units", |host| async move {
        host.write("f@.service", "ExecStart=/bin/sleep 1000");
        host.write("s.service", "ExecStart=/bin/sleep 1000");
        host.reload();
        let names: Vec<String> = (0..UNITS).map(|i| format!("f@{i}.service")).collect();
        let running: Vec<&str> = names.iter().take(200).map(String::as_str).collect();
        host.systemctl(&[&["start"], &running[..]].concat());
        let names: Vec<&str> = names.iter().map(String::as_str).chain(["s.service"]).collect();

        let begin = Instant::now();
        let (observer, mut told) = host.watch(&names).await;
        let known = begin.elapsed();
        println!("{UNITS} units known after {known:?}");
        assert!(known < Duration::from_secs(5), "{known:?}");

        let mut seen = Vec::new();
        for name in running.iter().take(100) {
            let unit = UnitName::new(*name).unwrap();
            let pid = host.systemctl(&["show", "-p", "MainPID", "--value", name]);
            let begin = Instant::now();
            assert!(std::process::Command::new("kill").args(["-s", "KILL", &pid]).status().unwrap().success());
            told.until(unit.as_str(), |state| state.sub == "failed").await;
            seen.push(begin.elapsed());
        }
        let (p50, p99) = percentiles(seen);
        println!("spawn of /bin/kill to told as failed: p50 {p50:?}, p99 {p99:?}");
        assert!(p50 < Duration::from_millis(100), "{p50:?}");

        let (control, unit) = (Control::new(&observer), UnitName::new("s.service").unwrap());
        let (mut looks, mut starts) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            let begin = Instant::now();
            observer.look(&unit).await.unwrap();
            looks.push(begin.elapsed());
            let begin = Instant::now();
            control.act(&unit, Verb::Start, None, Duration::from_secs(10)).await.unwrap();
            starts.push(begin.elapsed());
            control.act(&unit, Verb::Stop, None, Duration::from_secs(10)).await.unwrap();
        }
        let ((look, _), (start, start99)) = (percentiles(looks), percentiles(starts));
        println!("look: p50 {look:?}; act(start) until done: p50 {start:?}, p99 {start99:?}");
        assert!(start < Duration::from_millis(200), "{start:?}");
    });
}
