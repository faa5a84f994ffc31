//! Rules: what fires, what clears, what cannot be told, and what a restart does to it.

use super::*;
use crate::rng::Rng;
use proptest::prelude::*;

fn at(seconds: u64) -> Time {
    Time::from_unix_millis(1_000_000_000).after(Span::from_secs(seconds))
}

fn facts() -> Facts {
    Facts {
        service: "api".into(),
        host: "alpha".into(),
        kind: "relay".into(),
        health: Some(Health::Up),
        cpu_percent: Some(10.0),
        ..Facts::default()
    }
}

fn own(name: &str, when: &str) -> RuleSpec {
    RuleSpec { name: name.into(), alert: "custom".into(), when: when.into(), ..RuleSpec::default() }
}

fn only(spec: RuleSpec) -> Rules {
    let name = spec.name.clone();
    let mut rules = Rules::new(vec![spec]).unwrap();
    rules.select(&[name], &[]).unwrap();
    rules
}

/// Looks at each moment with these facts; says `+Rule` and `-Rule` with the second.
fn play(rules: &Rules, looks: impl IntoIterator<Item = (u64, Facts)>) -> Vec<String> {
    let mut state = ServiceRules::default();
    let mut told = Vec::new();
    for (second, facts) in looks {
        // A restart between any two looks changes nothing.
        let text = serde_json::to_string(&state).unwrap();
        state = serde_json::from_str(&text).unwrap();
        for change in state.step(rules, &facts, at(second)) {
            told.push(format!("{second}{}{}", if change.firing { '+' } else { '-' }, change.rule));
        }
        let on: Vec<_> = state.firing(rules, at(second)).into_iter().map(|alert| alert.rule).collect();
        assert_eq!(on.iter().collect::<BTreeSet<_>>().len(), on.len());
    }
    told
}

fn cpu(percent: impl Into<Option<f64>>) -> Facts {
    Facts { cpu_percent: percent.into(), ..facts() }
}

#[test]
fn a_threshold_fires_after_its_time_and_clears_ten_percent_below() {
    let rules = Rules::new(vec![]).unwrap();
    let looks = [
        (0, cpu(81.0)),
        (59, cpu(81.0)),
        (60, cpu(79.0)), // too early: it begins anew
        (70, cpu(96.0)),
        (130, cpu(96.0)),
        (140, cpu(80.0)), // neither
        (150, cpu(75.0)), // critical clears below 85.5, the warning not yet
        (160, cpu(71.9)),
    ];
    assert_eq!(
        play(&rules, looks),
        ["130+HighCPUUsage", "130+CriticalCPUUsage", "140-CriticalCPUUsage", "160-HighCPUUsage"]
    );
}

/// A default rule, what makes it fire, after how many seconds, what is neither here nor there, and what clears it.
type Default = (&'static str, Facts, u64, Facts, Facts);

fn defaults() -> [Default; 11] {
    let with = |change: fn(&mut Facts)| {
        let mut facts = facts();
        change(&mut facts);
        facts
    };
    let span = |seconds| Some(Span::from_secs(seconds));
    let stalled =
        |seconds| Facts { stalled: span(seconds), stall_warning: span(180), stall_critical: span(300), ..facts() };
    [
        ("ServiceDown", with(|f| f.health = Some(Health::Down)), 0, with(|f| f.health = Some(Health::Coming)), facts()),
        (
            "ServiceDegraded",
            with(|f| f.health = Some(Health::Degraded)),
            60,
            with(|f| f.health = Some(Health::Coming)),
            facts(),
        ),
        (
            "HighMemoryUsage",
            with(|f| f.memory_bytes = Some(5 << 29)),
            60,
            with(|f| f.memory_bytes = Some(2_000_000_000)),
            with(|f| f.memory_bytes = Some(1)),
        ),
        (
            "CriticalMemoryUsage",
            with(|f| f.memory_bytes = Some(5 << 30)),
            60,
            with(|f| f.memory_bytes = Some(4_000_000_000)),
            with(|f| f.memory_bytes = Some(1)),
        ),
        (
            "HighDiskIO",
            with(|f| (f.disk_read_bps, f.disk_write_bps) = (Some(60 << 20), Some(60 << 20))),
            60,
            with(|f| (f.disk_read_bps, f.disk_write_bps) = (Some(95 << 20), Some(0))),
            with(|f| (f.disk_read_bps, f.disk_write_bps) = (Some(0), Some(0))),
        ),
        ("SyncStalled", stalled(180), 0, stalled(170), stalled(1)),
        ("CriticalSyncStalled", stalled(300), 0, stalled(280), stalled(1)),
        (
            "LowPeerCount",
            with(|f| (f.peers, f.min_peers) = (Some(4), Some(5))),
            120,
            with(|f| (f.peers, f.min_peers) = (Some(5), Some(5))),
            with(|f| (f.peers, f.min_peers) = (Some(6), Some(5))),
        ),
        (
            "DependencyTimeout",
            with(|f| f.dependency_timed_out = Some(true)),
            0,
            facts(),
            with(|f| f.dependency_timed_out = Some(false)),
        ),
        ("HealthCheckFailed", with(|f| f.failed_checks = Some(1)), 0, facts(), with(|f| f.failed_checks = Some(0))),
        ("CriticalCPUUsage", cpu(99.0), 60, cpu(90.0), cpu(85.0)),
    ]
}

#[test]
fn each_default_fires_and_clears_as_it_says() {
    for (name, bad, hold, between, good) in defaults() {
        let mut rules = Rules::new(vec![]).unwrap();
        rules.select(&[name.to_owned()], &[]).unwrap();
        let early = hold.saturating_sub(1);
        let looks = [
            (0, bad.clone()),
            (early, bad.clone()),
            (hold, bad),
            (hold + 1, between.clone()),
            (hold + 500, between),
            (hold + 600, good),
        ];
        assert_eq!(play(&rules, looks), [format!("{hold}+{name}"), format!("{}-{name}", hold + 600)], "{name}");
    }
}

#[test]
fn a_restart_loop_says_the_window_of_its_rule() {
    let own = super::defaults().into_iter().find(|spec| spec.name == "RestartLoop").unwrap();
    let rules = Rules::new(vec![RuleSpec { window: Span::from_secs(600), ..own }]).unwrap();
    let mut state = ServiceRules::default();
    for (second, count) in [(0, 0), (400, 3)] {
        state.step(&rules, &Facts { restarts: Some(count), ..facts() }, at(second));
    }
    assert_eq!(state.firing(&rules, at(400))[0].detail, "api was restarted 3 times within 10m");
}

#[test]
fn a_restart_loop_counts_restarts_within_its_window() {
    let rules = Rules::new(vec![]).unwrap();
    let restarts = |count: u64| Facts { restarts: Some(count), ..facts() };
    let looks = [
        (0, restarts(40)), // what was before nobody has seen
        (10, restarts(41)),
        (200, restarts(42)),
        (320, restarts(43)), // the first one is out of the window
        (330, restarts(44)),
        (331, restarts(0)), // systemd's counter was reset
        (630, restarts(0)),
        (631, restarts(0)),
    ];
    assert_eq!(play(&rules, looks), ["330+RestartLoop", "631-RestartLoop"]);
    let mut state = ServiceRules::default();
    for (second, count) in [(0, 0), (5, 3)] {
        state.step(&rules, &restarts(count), at(second));
    }
    assert_eq!(state.firing(&rules, at(65))[0].detail, "api was restarted 3 times within 5m");
    assert_eq!(state.firing(&rules, at(65))[0].age_ms, 60_000);
    let wake = state.wake_at(&rules).unwrap();
    assert_eq!(wake, at(305).after(Span::from_millis(1)), "it looks when they leave the window");
    assert_eq!(state.step(&rules, &restarts(3), wake).len(), 1);
}

#[test]
fn what_cannot_be_told_neither_fires_nor_clears_and_its_time_does_not_count() {
    let rules = Rules::new(vec![]).unwrap();
    let looks = [
        (0, cpu(90.0)),
        (30, cpu(None)),
        (90, cpu(None)),
        (100, cpu(90.0)), // 30 s of 60 are known
        (129, cpu(90.0)),
        (130, cpu(90.0)),
        (140, cpu(None)),
        (9_000, cpu(None)),
        (9_001, cpu(1.0)),
    ];
    assert_eq!(play(&rules, looks), ["130+HighCPUUsage", "9001-HighCPUUsage"]);
    let unknown = Facts { health: None, ..facts() };
    assert!(play(&rules, [(0, unknown.clone()), (999, unknown)]).is_empty());
    // A restart counter that nobody knows is not zero.
    assert!(play(&only(own("r", "restarts != 7")), [(0, facts()), (9, facts())]).is_empty());
}

#[test]
fn k_of_n_counts_each_sample_once() {
    let rules = only(RuleSpec { of: (3, 5), ..own("r", "cpu_percent > 50") });
    let sample = |sample, percent: f64| Facts { sample, ..cpu(percent) };
    let looks = [
        (1, sample(1, 90.0)),
        (2, sample(1, 90.0)),
        (3, sample(1, 90.0)),
        (4, sample(2, 10.0)),
        (5, sample(3, 90.0)),
        (6, sample(4, 10.0)),
        (7, sample(5, 90.0)), // 3 of the last 5
        (8, sample(6, 10.0)), // 2 of 5
        (9, sample(7, 10.0)),
    ];
    assert_eq!(play(&rules, looks), ["7+r", "8-r"]);
}

#[test]
fn k_of_n_of_what_is_not_measured_counts_a_look_each_interval() {
    let rules = only(RuleSpec { of: (3, 5), ..own("r", "health == 'degraded'") });
    let (ill, well) =
        (Facts { health: Some(Health::Degraded), ..facts() }, Facts { health: Some(Health::Up), ..facts() });
    let mut state = ServiceRules::default();
    let mut step = |seconds: u64, facts: &Facts| {
        let changes = state.step(&rules, facts, at(seconds));
        (changes.len(), state.wake_at(&rules))
    };
    assert_eq!(step(0, &ill), (0, Some(at(5))), "somebody has to look then");
    assert_eq!(step(1, &ill), (0, Some(at(5))), "no sample");
    assert_eq!(step(5, &ill), (0, Some(at(10))));
    assert_eq!(step(10, &ill).0, 1, "three of three");
    for seconds in [15, 20] {
        assert_eq!(step(seconds, &well).0, 0);
    }
    assert_eq!(step(25, &well).0, 1, "two of the last five");
    // It fell ill between two samples.
    let mut state = ServiceRules::default();
    state.step(&rules, &well, at(0));
    assert!(state.step(&rules, &ill, at(1)).is_empty());
    assert_eq!(state.wake_at(&rules), Some(at(5)));
    state.step(&rules, &well, at(2));
    assert_eq!(state.wake_at(&rules), None, "it was nothing");
}

/// Nobody measures any more, or there is no node any more: what fired would never end.
#[test]
fn what_can_never_be_known_again_ends() {
    let rules = Rules::new(vec![]).unwrap();
    let well = Facts { health: Some(Health::Up), cpu_percent: None, ..facts() };
    for (fires, beyond) in [
        (Facts { cpu_percent: Some(99.0), ..well.clone() }, Facts { is_unmeasured: true, ..well.clone() }),
        (Facts { peers: Some(0), min_peers: Some(3), ..well.clone() }, Facts { has_no_node: true, ..well.clone() }),
    ] {
        for (next, ends) in [(&well, false), (&beyond, true)] {
            let mut state = ServiceRules::default();
            for seconds in 0..100 {
                state.step(&rules, &fires, at(seconds * 10));
            }
            assert!(!state.firing(&rules, at(1_000)).is_empty(), "{fires:?}");
            for seconds in 100..200 {
                state.step(&rules, next, at(seconds * 10));
            }
            assert_eq!(state.firing(&rules, at(2_000)).is_empty(), ends, "{fires:?}");
        }
    }
    // What is known all the same is heeded.
    let rules =
        only(RuleSpec { clear: "health == 'up' && peers > 3".into(), ..own("r", "health == 'degraded' || peers < 3") });
    let mut state = ServiceRules::default();
    let ill = Facts { health: Some(Health::Degraded), has_no_node: true, ..facts() };
    for seconds in 0..50 {
        state.step(&rules, &ill, at(seconds * 10));
    }
    assert_eq!(state.firing(&rules, at(500)).len(), 1);
}

#[test]
fn a_span_as_clear_waits_that_long_and_a_condition_waits_for_itself() {
    let looks =
        || [(0, cpu(90.0)), (10, cpu(10.0)), (20, cpu(90.0)), (30, cpu(10.0)), (59, cpu(10.0)), (60, cpu(10.0))];
    let spec = |clear: &str| RuleSpec { clear: clear.into(), ..own("r", "cpu_percent > 50") };
    assert_eq!(play(&only(spec("30s")), looks()), ["0+r", "60-r"]);
    assert_eq!(play(&only(spec("")), looks()), ["0+r", "10-r", "20+r", "30-r"]);
    assert!(play(&only(spec("cpu_percent < 5")), looks()) == ["0+r"]);
}

#[test]
fn rules_are_about_the_services_that_they_name_and_replace_defaults_of_their_name() {
    let spec = RuleSpec {
        services: vec!["db-*".into(), "api".into()],
        labels: BTreeMap::from([("team".into(), "core".into())]),
        message: "{service} ({kind}): {cpu_percent} %, {severity}".into(),
        ..own("HighCPUUsage", r#"cpu_percent > 5 && kind == "relay""#)
    };
    let rules = Rules::new(vec![spec]).unwrap();
    assert_eq!(rules.iter().filter(|rule| rule.name() == "HighCPUUsage").count(), 1);
    let mut state = ServiceRules::default();
    let changes = state.step(&rules, &facts(), at(0));
    assert_eq!(changes[0].detail, "api (relay): 10.0 %, warning");
    assert_eq!(state.firing(&rules, at(2))[0].labels["team"], "core");
    let other = Facts { service: "web".into(), ..facts() };
    assert!(ServiceRules::default().step(&rules, &other, at(0)).is_empty());
}

#[test]
fn a_rule_is_switched_off_and_on_while_it_runs() {
    let mut rules = Rules::new(vec![]).unwrap();
    let down = Facts { health: Some(Health::Down), ..facts() };
    let mut state = ServiceRules::default();
    assert_eq!(state.step(&rules, &down, at(0)).len(), 1);
    rules.switch("ServiceDown", false).unwrap();
    let changes = state.step(&rules, &down, at(1));
    assert_eq!((changes.len(), changes[0].firing), (1, false));
    assert!(state.firing(&rules, at(1)).is_empty() && state.step(&rules, &down, at(2)).is_empty());
    rules.switch("ServiceDown", true).unwrap();
    assert!(state.step(&rules, &down, at(3))[0].firing);
    rules.select(&["HighCPUUsage".into()], &[]).unwrap();
    assert!(!rules.is_on("ServiceDown"));
    rules.switch("ServiceDown", true).unwrap();
    assert!(rules.is_on("ServiceDown") && rules.is_on("HighCPUUsage") && !rules.is_on("RestartLoop"));
    let error = rules.select(&["Nonsense".into()], &[]).unwrap_err();
    assert!(error.to_string().starts_with("there is no rule \"Nonsense\"; there are ServiceDown, "), "{error}");
}

#[test]
fn a_restart_neither_loses_a_pending_alert_nor_fires_one_anew() {
    let rules = Rules::new(vec![]).unwrap();
    // Each look of `play` is after a restart; here nobody looked for a while as well.
    assert_eq!(play(&rules, [(0, cpu(90.0)), (70, cpu(90.0)), (9_999, cpu(90.0))]), ["70+HighCPUUsage"]);
    // After more than an hour nobody knows what was meanwhile.
    assert_eq!(play(&rules, [(0, cpu(90.0)), (3_700, cpu(90.0)), (3_760, cpu(90.0))]), ["3760+HighCPUUsage"]);
}

#[test]
fn what_cannot_be_told_of_a_service_that_does_not_run_is_over() {
    let rules = Rules::new(vec![]).unwrap();
    let at_rest = Facts { health: Some(Health::Stopped), at_rest: true, ..cpu(None) };
    let looks = [(0, cpu(90.0)), (60, cpu(90.0)), (70, cpu(None)), (80, at_rest)];
    assert_eq!(play(&rules, looks), ["60+HighCPUUsage", "80-HighCPUUsage"]);
}

#[test]
fn a_long_time_is_looked_at_now_and_then_and_counts_in_full() {
    let rules = only(RuleSpec { hold: Span::from_secs(9_000), ..own("Long", "cpu_percent > 90") });
    let (mut state, mut now, mut looks) = (ServiceRules::default(), at(0), 0);
    while state.step(&rules, &cpu(95.0), now).is_empty() {
        now = state.wake_at(&rules).unwrap();
        looks += 1;
    }
    assert_eq!((now, looks), (at(9_000), 5));
}

#[test]
fn what_matters_after_a_restart_is_kept_and_a_look_alone_is_not() {
    let rules = Rules::new(vec![]).unwrap();
    let mut state = ServiceRules::default();
    let mut differs_after = |seconds, facts: Facts| {
        let kept = state.clone();
        state.step(&rules, &facts, at(seconds));
        state.differs_from(&kept)
    };
    assert!(!differs_after(0, cpu(10.0)), "a look");
    assert!(differs_after(5, cpu(90.0)), "something is pending");
    assert!(!differs_after(10, cpu(91.0)));
    assert!(differs_after(65, cpu(91.0)), "it fires");
    assert!(!differs_after(5_000, cpu(91.0)));
    assert!(differs_after(5_005, Facts { restarts: Some(1), ..cpu(91.0) }), "the counter of restarts");
}

#[test]
fn samples_are_kept_over_a_restart_but_not_over_a_long_time() {
    let rules = only(RuleSpec { of: (2, 3), ..own("Busy", "cpu_percent > 90") });
    let mut state = ServiceRules::default();
    let mut sample = 0;
    let mut differs_after = |seconds, percent: f64| {
        let kept = state.clone();
        sample += 1;
        let changes = state.step(&rules, &Facts { sample, ..cpu(percent) }, at(seconds));
        (state.differs_from(&kept), changes.len())
    };
    assert_eq!(differs_after(0, 10.0), (false, 0), "nothing of it counts");
    assert_eq!(differs_after(5, 95.0), (true, 0), "the first of two");
    assert_eq!(differs_after(10_000, 95.0), (false, 0), "nobody has looked for long: again the first of two");
    assert_eq!(differs_after(10_005, 95.0), (true, 1), "it fires");
    assert_eq!(differs_after(10_010, 95.0), (true, 0));
    assert_eq!(differs_after(10_015, 95.0), (false, 0), "all of the last ones are so");
}

#[test]
fn a_rule_that_looks_at_nothing_fires_too() {
    let rules = only(own("watchdog", "true"));
    assert_eq!(play(&rules, [(0, facts()), (1, facts())]), ["0+watchdog"]);
}

#[test]
fn a_message_counts_restarts_in_the_window_of_its_rule() {
    let spec =
        RuleSpec { message: "{restarts} in {window}".into(), window: Span::from_secs(60), ..own("r", "in_sync") };
    let (rules, mut state) = (only(spec), ServiceRules::default());
    for (second, restarts) in [(0, 0), (10, 1), (50, 2)] {
        assert!(state.step(&rules, &Facts { restarts: Some(restarts), ..facts() }, at(second)).is_empty());
    }
    let changes = state.step(&rules, &Facts { restarts: Some(2), in_sync: Some(true), ..facts() }, at(80));
    assert_eq!(changes[0].detail, "1 in 1m");
}

#[test]
fn what_is_wrong_with_a_rule_is_said_with_its_key_and_place() {
    let error = |spec: RuleSpec| Rule::compile(spec).unwrap_err();
    for (spec, key, at, what) in [
        (own("", "true"), "name", None, "must be 1 to 64"),
        (RuleSpec { alert: "a b".into(), ..own("r", "up") }, "type", None, "must be 1 to 64"),
        (own("r", "cpu > 5"), "when", Some((1, 1)), "cpu"),
        (own("r", "cpu_percent >"), "when", Some((1, 14)), ""),
        (own("r", "cpu_percent"), "when", None, ""),
        (RuleSpec { clear: "peers < x".into(), ..own("r", "in_sync") }, "clear", Some((1, 9)), "x"),
        (RuleSpec { clear: "8d".into(), ..own("r", "in_sync") }, "clear", None, "too long"),
        (RuleSpec { hold: Span::from_secs(700_000), ..own("r", "in_sync") }, "for", None, "too long"),
        (RuleSpec { of: (3, 2), ..own("r", "in_sync") }, "of", None, "3 of 2"),
        (RuleSpec { of: (1, 65), ..own("r", "in_sync") }, "of", None, "1 of 65"),
        (RuleSpec { message: "a {b}".into(), ..own("r", "in_sync") }, "message", Some((1, 3)), "no fact `b`"),
        (
            RuleSpec { labels: BTreeMap::from([("a-b".into(), String::new())]), ..own("r", "in_sync") },
            "labels",
            None,
            "a-b",
        ),
    ] {
        let found = error(spec.clone());
        assert_eq!(found.key, key, "{found}");
        assert!(at.is_none() || found.at == at, "{found}: {:?}", found.at);
        assert!(found.to_string().contains(what), "{found}");
    }
    let errors = Rules::new(vec![own("a", "in_sync"), own("a", "in_sync"), own("b", "nothing")]).unwrap_err();
    assert_eq!(errors.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn firing_and_clearing_alternate_and_what_fires_is_what_was_said(seed: u64, of in 1..5_u32) {
        let spec = RuleSpec { of: (of.min(3), of.max(3)), hold: Span::from_secs(7), ..own("k", "cpu_percent > 50") };
        let rules = Rules::new(vec![spec]).unwrap();
        let (mut state, mut rng, mut now) = (ServiceRules::default(), Rng::new(seed), 0);
        let mut on: BTreeSet<String> = BTreeSet::new();
        for _ in 0..200 {
            now += rng.between(0, 40);
            let maybe = |rng: &mut Rng, value: f64| (rng.between(0, 4) > 0).then_some(value);
            let percent = [5.0, 60.0, 78.0, 90.0, 99.0][rng.between(0, 4) as usize];
            let health = [Health::Up, Health::Down, Health::Degraded, Health::Unclear, Health::Coming, Health::Stopped]
                [rng.between(0, 5) as usize];
            let facts = Facts {
                sample: rng.between(1, 9),
                cpu_percent: maybe(&mut rng, percent),
                health: maybe(&mut rng, 0.0).map(|_| health),
                restarts: maybe(&mut rng, 0.0).map(|_| now / 30),
                ..facts()
            };
            let copy: ServiceRules = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
            prop_assert_eq!(&copy, &state);
            for change in state.step(&rules, &facts, at(now)) {
                let turned = if change.firing { on.insert(change.rule) } else { on.remove(&change.rule) };
                prop_assert!(turned);
                if facts.cpu_percent.is_none() {
                    prop_assert!(!["high_cpu", "custom"].contains(&change.alert.as_str()), "no data is no news");
                }
                if facts.health.is_none() {
                    prop_assert!(!["service_down", "service_degraded"].contains(&change.alert.as_str()));
                }
            }
            let firing: BTreeSet<String> = state.firing(&rules, at(now)).into_iter().map(|alert| alert.rule).collect();
            prop_assert_eq!(&firing, &on);
            // To look again with the same facts changes nothing, and before the alarm neither.
            prop_assert!(state.clone().step(&rules, &facts, at(now)).is_empty());
            if let Some(wake) = state.wake_at(&rules) {
                let early = Time::from_unix_millis(wake.unix_millis() - 1);
                prop_assert!(early < at(now) || state.clone().step(&rules, &facts, early).is_empty());
            }
        }
    }
}
