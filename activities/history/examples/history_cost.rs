//! What the history costs: rows a second, and how large a file is after a day of a fleet's samples.
//!
//! `cargo run --release -p dixmgr-history --example history_cost -- [SERVICES] [HOURS]`, by default 1,000 and 24. It plays the
//! samples of each 5 s as fast as they are written, with the upkeep of each 5 minutes.

use dixmgr_contract::{Span, Time};
use dixmgr_history::{Options, Record, Recorder, Restart, State, Target, Transition, Usage, Writer};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const START: i64 = 1_800_000_000_000;

fn number(at: usize, default: i64) -> i64 {
    std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Bytes that were handed to the disk.
fn disk() -> f64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find(|line| line.starts_with("write_bytes:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|bytes| bytes.parse().ok()).unwrap_or(0.0)
}

fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let (services, hours) = (number(1, 1_000), number(2, 24));
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("history.db");
    let Ok(host) = "alpha".parse() else { return Ok(()) };
    let mut options = Options::new(Target::file(&path), host);
    let clock = Arc::new(AtomicI64::new(START));
    let hand = Arc::clone(&clock);
    options.clock = Arc::new(move || Time::from_unix_millis(hand.load(Ordering::SeqCst)));
    let (recorder, writer) = Writer::start(options);
    events(&recorder, &writer, services).await;

    let names: Vec<_> = (0..services).map(|service| format!("service-{service}")).collect();
    let (from, busy, disk_before, before) = (Instant::now(), cpu(), disk(), recorder.figures().written);
    let mut upkeep = Duration::ZERO;
    for round in 0..hours * 720 {
        let at = Time::from_unix_millis(START + round * 5_000);
        clock.store(at.unix_millis(), Ordering::SeqCst);
        (0_i64..)
            .zip(&names)
            .for_each(|(index, service)| recorder.record(sample(service, at, round * 31 + index * 17)));
        // As often as the writer does by itself: after 500 rows, or half a minute.
        if services * (round % 6 + 1) >= 500 || round % 6 == 5 {
            writer.flush().await;
        }
        if round % 60 == 3 {
            let from = Instant::now();
            writer.upkeep().await;
            upkeep += from.elapsed();
        }
        if round % 720 == 719 {
            let used = recorder.figures().bytes as f64 / 1e6;
            let file = std::fs::metadata(&path)?.len() as f64 / 1e6;
            println!("{:>3} h: {used:.1} MB in use, {file:.1} MB on disk", (round + 1) / 720);
        }
    }
    let (took, busy) = (from.elapsed().as_secs_f64(), cpu() - busy);
    let rows = recorder.figures().written - before;
    println!("samples: {rows} rows, {:.0} rows/s with upkeep, CPU {busy:.1} s of {took:.1} s", rows as f64 / took);
    let share = busy / (hours as f64 * 36.0);
    println!("upkeep: {:.1} s in {} runs; of a real day's CPU {share:.3} %", upkeep.as_secs_f64(), hours * 12);
    println!("disk: {:.1} GB written a day", (disk() - disk_before) * 24.0 / hours as f64 / 1e9);
    println!("{:?}; highest memory {} KiB", recorder.figures(), memory());
    writer.stop(Duration::from_secs(60)).await;
    Ok(())
}

async fn events(recorder: &Recorder, writer: &Writer, services: i64) {
    let (from, mut handing_in) = (Instant::now(), Duration::ZERO);
    for index in 0..100_000 {
        let record = event(&format!("service-{}", index % services), Time::from_unix_millis(START + index), index);
        let before = Instant::now();
        recorder.record(record);
        handing_in += before.elapsed();
        if index % 4_000 == 3_999 {
            writer.flush().await;
        }
    }
    writer.flush().await;
    let each = handing_in / 100_000;
    println!("events: {:.0} records/s; to hand one in takes {each:?}", 100_000.0 / from.elapsed().as_secs_f64());
}

/// Figures that vary.
fn sample(service: &str, at: Time, seed: i64) -> Record {
    let figure = (seed % 1_000) as f64;
    let (cpu_percent, memory) = (figure / 7.0, 5e8 + figure * 4096.0);
    let usage = Usage { cpu_percent, memory, disk_read: 0.0, disk_write: figure * 512.0 };
    Record::Usage { service: service.to_owned(), at, usage, samples: 1 }
}

fn event(service: &str, at: Time, index: i64) -> Record {
    let service = service.to_owned();
    if index % 2 == 0 {
        let state = if index % 4 == 0 { State::Down } else { State::Up };
        return Record::Transition(Transition { service, at, state, phase: "down".into(), reason: "signal 9".into() });
    }
    let (reason, result) = ("signal 9".to_owned(), "done".to_owned());
    Record::Restart(Restart { service, at, reason, result, detail: String::new(), took: Span::from_millis(30) })
}
