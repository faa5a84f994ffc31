//! What a check costs: CPU time of the one who asks, against a server in a process of its own, as JSON on standard output.
//!
//! `cargo run --release -p dixmgr-probe --example check_cost [ROUNDS [SECONDS]]`: a thousand checks with kept connections,
//! ROUNDS times (20) each kind in turn; then a thousand checks every 10 s, spread as they are in the agent, for SECONDS (20).
//! The runtime has one thread: with several, half of the time goes into waking the next one.

use dixmgr_contract::{CheckState, Span, Time};
use dixmgr_decide::{
    check::{Expectation, JsonPath, Schedule, judge::NAMES},
    condition::Condition,
    rng::Rng,
};
use dixmgr_probe::{
    Check, CheckSpec, Endpoint, Prober,
    check::{Ask, HttpAsk},
};
use std::{
    error::Error,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const CHECKS: usize = 1_000;
const INTERVAL: Span = Span::from_secs(10);
const BODY: &str = r#"{"status":"ok","version":"1.2.3","sync":{"peers":12,"head":123456,"lag":0.25},"checks":[{"name":"db","up":true}]}"#;

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if given.first().is_some_and(|first| first == "serve") {
        return serve().await;
    }
    let number = |at: usize, preset: u64| given.get(at).map_or(Ok(preset), |text| text.parse());
    let (rounds, seconds) = (number(0, 20)?, number(1, 20)?);
    let mut server = Command::new(std::env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?;
    let mut url = String::new();
    if let Some(told) = server.stdout.take() {
        BufReader::new(told).read_line(&mut url)?;
    }
    let measured = measure(url.trim(), rounds, seconds).await;
    server.kill()?;
    server.wait()?;
    println!("{}", measured?);
    Ok(())
}

async fn measure(url: &str, rounds: u64, seconds: u64) -> Result<serde_json::Value, Failed> {
    let path = || JsonPath::parse("sync.peers").map(Some);
    let condition = || Condition::compile("status == 200 && body.sync.peers > 3 && duration < 500ms", &NAMES).map(Some);
    let json_path = Expectation { json_path: path()?, ..Expectation::default() };
    let condition = Expectation { condition: condition()?, ..Expectation::default() };
    let status = Expectation::default();
    let burst = |expectation: &Expectation, keep_alive| {
        let checks = checks(url, expectation, keep_alive);
        async move { Ok::<_, Failed>(burst(checks?, rounds).await) }
    };
    Ok(serde_json::json!({
        "cpu_us_per_check": {
            "status": burst(&status, true).await?,
            "json_path": burst(&json_path, true).await?,
            "condition": burst(&condition, true).await?,
            "condition_fresh_connection": burst(&condition, false).await?,
        },
        "paced": {
            "checks": CHECKS,
            "interval_s": INTERVAL.duration().as_secs(),
            "cpu_percent": paced(checks(url, &condition, true)?, Duration::from_secs(seconds)).await,
        },
    }))
}

fn checks(url: &str, expectation: &Expectation, keep_alive: bool) -> Result<Vec<Check>, Failed> {
    let prober = Prober::new();
    let make = |_| {
        let mut ask = HttpAsk::new(Endpoint::parse(url)?);
        (ask.expectation, ask.keep_alive) = (expectation.clone(), keep_alive);
        Ok(prober.check(CheckSpec { ask: Ask::Http(Box::new(ask)), timeout: Duration::from_secs(5) }))
    };
    (0..CHECKS).map(make).collect()
}

/// Microseconds of CPU time for each check, one after the other; the first round connects and does not count.
async fn burst(mut checks: Vec<Check>, rounds: u64) -> f64 {
    let mut begun = Duration::ZERO;
    for round in 0..=rounds {
        for check in &mut checks {
            let result = check.run().await;
            assert_eq!(result.state, CheckState::Healthy, "{}", result.reason);
        }
        if round == 0 {
            begun = cpu_time();
        }
    }
    let runs = (rounds.max(1) * CHECKS as u64) as f64;
    rounded((cpu_time() - begun).as_secs_f64() * 1e6 / runs)
}

/// Percent of a core for all checks at their interval, after one interval in which they connect.
async fn paced(checks: Vec<Check>, span: Duration) -> f64 {
    let mut rng = Rng::new(7);
    for mut check in checks {
        let mut schedule = Schedule::new(INTERVAL, &mut rng, now());
        tokio::spawn(async move {
            while let Some(at) = schedule.wake_at() {
                tokio::time::sleep(at.since(now()).duration()).await;
                if schedule.begin(now()) {
                    assert_eq!(check.run().await.state, CheckState::Healthy);
                    schedule.end(now());
                }
            }
        });
    }
    tokio::time::sleep(INTERVAL.duration()).await;
    let begun = cpu_time();
    tokio::time::sleep(span).await;
    rounded((cpu_time() - begun).as_secs_f64() * 100.0 / span.as_secs_f64())
}

fn now() -> Time {
    SystemTime::now().into()
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Of all threads of this process, the kernel's work for it included.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Answers every request on every connection alike.
async fn serve() -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/health", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let answer =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len());
    let mut asked = Vec::with_capacity(1_024);
    while stream.read_buf(&mut asked).await? > 0 {
        if asked.ends_with(b"\r\n\r\n") {
            asked.clear();
            stream.write_all(answer.as_bytes()).await?;
        }
    }
    Ok(())
}
