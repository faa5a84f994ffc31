//! What evaluating rules costs: `cargo run --release -p dixmgr-decide --example rules_cost`.
//!
//! 1,000 services, each looked at with all default rules and two of one's own, as an agent does when every fact has changed.
//! Rejected: a benchmark harness. One figure with a bound is wanted, and the bound has room for a busy machine.

use dixmgr_contract::{Span, Time};
use dixmgr_decide::rules::{Facts, Health, RuleSpec, Rules, ServiceRules};
use std::io::Write;

fn own(name: &str, when: &str) -> RuleSpec {
    RuleSpec { name: name.into(), alert: "custom".into(), when: when.into(), ..RuleSpec::default() }
}

fn facts(number: u64, round: u64) -> Facts {
    // One in ten is in trouble.
    let bad = number % 10 == round % 10;
    Facts {
        service: format!("service-{number}").into(),
        host: "alpha".into(),
        kind: "relay".into(),
        chain: "polkadot".into(),
        sample: round,
        health: Some(if bad { Health::Down } else { Health::Up }),
        cpu_percent: Some(if bad { 97.0 } else { 20.0 }),
        memory_bytes: Some(1 << 30),
        disk_read_bps: Some(1 << 20),
        disk_write_bps: Some(1 << 20),
        restarts: Some(round),
        peers: Some(40),
        min_peers: Some(5),
        stalled: Some(Span::ZERO),
        stall_warning: Some(Span::from_secs(180)),
        stall_critical: Some(Span::from_secs(300)),
        failed_checks: Some(0),
        dependency_timed_out: Some(false),
        ..Facts::default()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const SERVICES: u64 = 1_000;
    const ROUNDS: u64 = 20;
    let own = vec![own("Mine", r#"cpu_percent > 90 && kind == "relay""#), own("Few", "peers < 3 || restarts > 9")];
    let rules = Rules::new(own).map_err(|errors| format!("{errors:?}"))?;
    let count = rules.iter().count() as u64;
    let mut states: Vec<ServiceRules> = vec![ServiceRules::default(); usize::try_from(SERVICES)?];
    let mut best = f64::INFINITY;
    let mut changes = 0;
    for round in 0..ROUNDS {
        let now = Time::from_unix_millis(1_000_000_000).after(Span::from_secs(round * 30));
        let all: Vec<Facts> = (0..SERVICES).map(|number| facts(number, round)).collect();
        #[allow(clippy::disallowed_methods, reason = "this measures")]
        let begin = std::time::Instant::now();
        for (state, facts) in states.iter_mut().zip(&all) {
            changes += state.step(&rules, facts, now).len();
        }
        #[allow(clippy::disallowed_methods, reason = "this measures")]
        let spent = begin.elapsed().as_secs_f64() * 1_000.0;
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        let each = spent / (SERVICES * count) as f64 * 10_000.0;
        best = best.min(each);
    }
    let mut out = std::io::stdout();
    writeln!(out, "{SERVICES} services x {count} rules, {ROUNDS} rounds, {changes} changes")?;
    writeln!(out, "10,000 evaluations: {best:.2} ms at best (bound: 10 ms)")?;
    if best > 10.0 { Err("too slow".into()) } else { Ok(()) }
}
