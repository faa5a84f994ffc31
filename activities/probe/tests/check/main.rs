//! Checks against real servers on loopback, which answer as they should, and as nobody should.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod grpc;
mod hostile;
mod http;
mod kept;
mod renewed;
mod server;
mod tls;
mod way;

use dixmgr_contract::{CheckResult, CheckState};
use dixmgr_probe::{
    CheckSpec, Endpoint, Prober,
    check::{Ask, HttpAsk},
};
use std::time::Duration;

/// Long enough for whatever does answer.
const LONG: Duration = Duration::from_secs(20);
/// For what never does.
const SHORT: Duration = Duration::from_millis(400);

fn ask(url: &str) -> HttpAsk {
    HttpAsk::new(Endpoint::parse(url).unwrap())
}

fn spec(ask: HttpAsk, timeout: Duration) -> CheckSpec {
    CheckSpec { ask: Ask::Http(Box::new(ask)), timeout }
}

async fn run(ask: HttpAsk) -> CheckResult {
    Prober::new().once(spec(ask, LONG)).await
}

#[track_caller]
fn assert_healthy(result: &CheckResult) {
    assert_eq!((result.state, result.reason.as_str()), (CheckState::Healthy, ""));
}

#[track_caller]
fn assert_unhealthy(result: &CheckResult, why: &str) {
    assert_eq!(result.state, CheckState::Unhealthy, "{}", result.reason);
    assert!(result.reason.contains(why), "{}", result.reason);
}

#[track_caller]
fn assert_unknown(result: &CheckResult, why: &str) {
    assert_eq!(result.state, CheckState::Unknown, "{}", result.reason);
    assert!(result.reason.contains(why), "{}", result.reason);
}
