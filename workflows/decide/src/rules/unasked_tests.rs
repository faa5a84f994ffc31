//! To ask only those rules of which something has changed comes to the same as to ask all.

use super::*;
use crate::rng::Rng;
use proptest::prelude::*;

/// Rules that look at everything, and some that wait, count samples, or fire and clear over the same fact.
fn rules() -> Rules {
    let own = |name: &str, when: &str| RuleSpec {
        name: name.into(),
        alert: "custom".into(),
        when: when.into(),
        ..RuleSpec::default()
    };
    let of_each = NAMES.iter().map(|(name, kind)| {
        let when = match kind {
            crate::condition::Kind::Bool => (*name).to_owned(),
            crate::condition::Kind::Number => format!("{name} > 1.0"),
            _ => format!("size({name}) > 2"),
        };
        own(&format!("each-{name}"), &when)
    });
    let others = [
        RuleSpec { of: (2, 3), ..own("counts", "health == 'degraded' || cpu_percent > 1.0") },
        RuleSpec { hold: Span::from_secs(9), clear: "4s".into(), ..own("waits", "memory_bytes > 1") },
        RuleSpec { clear: "peers > 0".into(), ..own("both", "peers > 1") },
        RuleSpec { window: Span::from_secs(20), ..own("quiet", "restarts == 0 && cpu_percent > 1.0") },
        own("always", "true"),
        RuleSpec { message: "after {restarts} restarts".into(), ..own("tells", "in_sync") },
        own("either", "in_sync || failed_checks > 1 || dependency_timed_out"),
    ];
    Rules::new(of_each.chain(others).collect()).unwrap()
}

/// Others than before in some of what is known.
fn another(facts: &Facts, rng: &mut Rng, seconds: u64) -> Facts {
    let mut facts = facts.clone();
    for _ in 0..rng.between(0, 2) {
        let small = Some(rng.between(0, 3)).filter(|number| *number < 3);
        let is = Some(rng.between(0, 1) == 1).filter(|_| small.is_some());
        let span = small.map(Span::from_secs);
        let word = ["", "ab", "abc"][rng.between(0, 2) as usize];
        let health = [Health::Up, Health::Degraded, Health::Down, Health::Unclear][rng.between(0, 3) as usize];
        match rng.between(0, 19) {
            0 => facts.health = small.map(|_| health),
            1 => facts.at_rest = !facts.at_rest,
            2 => facts.cpu_percent = small.map(|number| number as f64),
            3 => facts.memory_bytes = small,
            4 => facts.disk_read_bps = small,
            5 => facts.disk_write_bps = small,
            6 => facts.restarts = small.map(|number| seconds / 20 + number),
            7 => facts.peers = small,
            8 => facts.min_peers = small,
            9 => facts.in_sync = is,
            10 => facts.stalled = span,
            11 => facts.stall_warning = span,
            12 => facts.stall_critical = span,
            13 => facts.failed_checks = small,
            14 => facts.failed_check = small.map(|_| word.to_owned()),
            15 => facts.dependency_timed_out = is,
            16 => facts.missing_dependencies = small.map(|_| word.to_owned()),
            17 => facts.kind = word.into(),
            18 => facts.chain = word.into(),
            _ => facts.host = word.into(),
        }
    }
    facts.sample += rng.between(0, 1);
    facts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn who_is_not_asked_would_have_said_nothing_new(seed: u64) {
        let (rules, mut rng) = (rules(), Rng::new(seed));
        let (mut all, mut some) = (ServiceRules::default(), ServiceRules::default());
        let (mut facts, mut seconds) = (Facts { service: "api".into(), sample: 1, ..Facts::default() }, 0);
        let mut before: Option<Facts> = None;
        for _ in 0..200 {
            seconds += rng.between(0, 6);
            facts = another(&facts, &mut rng, seconds);
            let now = Time::from_unix_millis(1_000_000_000).after(Span::from_secs(seconds));
            let expected = all.step(&rules, &facts, now);
            let said = match &before {
                Some(before) => some.step_from(before, &rules, &facts, now),
                None => some.step(&rules, &facts, now),
            };
            prop_assert_eq!(&said, &expected);
            prop_assert_eq!(&some, &all);
            before = said.is_empty().then(|| facts.clone());
        }
    }
}
