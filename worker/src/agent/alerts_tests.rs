//! The agent and its rules: what fires, what is told of it, what a restart of dixmgr makes of it.

use super::*;
use crate::agent::{Alerting, Round};
use dixmgr_bind::{OrderEnd, OrderNews};
use dixmgr_contract::{Alert, Guard, Severity, Span, Verb};
use dixmgr_decide::node::NodeVerdict;
use dixmgr_decide::rules::RuleSpec;
use dixmgr_telemetry::Figures;
use std::time::Instant;

async fn bench(name: &str, config: &str) -> Bench {
    Bench::start_with(name, config, "e1", Some(Rules::new(vec![]).unwrap())).await
}

/// The rules that fire, as they were told last.
fn told(courier: &FakeCourier, service: &str) -> Vec<String> {
    let alerts = courier.of(service).last().and_then(|told| told.alerts.clone()).unwrap_or_default();
    alerts.into_iter().map(|alert: Alert| alert.rule).collect()
}

impl Bench {
    fn shows(&self, series: &str) -> bool {
        self.metrics.render().unwrap().contains(&format!("{series}\n"))
    }

    fn fired(&self, alert: &str, severity: &str, count: usize) -> bool {
        let labels = format!("{{alert_type=\"{alert}\",service=\"api\",severity=\"{severity}\"}}");
        let fired = format!("dixmgr_alerts_fired_total{labels}");
        if count == 0 {
            !self.metrics.render().unwrap().contains(&fired)
        } else {
            self.shows(&format!("{fired} {count}"))
        }
    }

    fn active(&self, alert: &str, severity: &str, count: usize) -> bool {
        self.shows(&format!("dixmgr_alerts_active{{alert_type=\"{alert}\",severity=\"{severity}\"}} {count}"))
    }

    /// A round of figures, which has been judged when this returns.
    async fn measured(&self, number: u64, cpu_percent: f64) {
        let figures = Figures { cpu_percent: Some(cpu_percent), ..Figures::default() };
        let round = Round { number, interval: Span::from_secs(5), figures: vec![(0, figures)] };
        self.agent.say(Message::Alerting(Alerting::Measured(round))).await;
        self.settle().await;
        // A slice is judged after what is heard.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.settle().await;
    }

    async fn waited_in_vain(&self, missing: &str) {
        let missing = vec![missing.parse().unwrap()];
        self.agent.say(Message::Alerting(Alerting::WaitedInVain("api".parse().unwrap(), missing))).await;
    }

    /// Ends it; returns when its memory has been written, and where that is.
    async fn end(mut self) -> PathBuf {
        let folder = std::mem::take(&mut self.folder);
        let task = std::mem::replace(&mut self.task, tokio::spawn(async {}));
        drop(self);
        task.await.unwrap();
        folder
    }
}

#[tokio::test]
async fn a_service_that_fails_is_told_with_its_alert_at_once_and_without_it_when_it_is_back() {
    let bench = bench("fires", API).await;
    let courier = FakeCourier::new(100, 0);
    bench.systemd.set(&api(), unit(ActiveState::Active, "a"));
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    wait_for("it is told", || courier.count() == 1).await;
    assert_eq!(courier.of("api")[0].alerts, Some(vec![]));
    bench.systemd.set(&api(), unit(ActiveState::Failed, "a"));
    wait_for("the failure", || courier.count() == 2).await;
    let alerts = courier.of("api")[1].alerts.clone().unwrap();
    let [alert] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!((alert.rule.as_str(), alert.alert.as_str()), ("ServiceDown", "service_down"));
    assert_eq!((alert.severity, alert.detail.as_str()), (Severity::Critical, "api is down"));
    assert!(bench.fired("service_down", "critical", 1) && bench.active("service_down", "critical", 1));
    bench.systemd.set(&api(), unit(ActiveState::Active, "b"));
    wait_for("the recovery", || courier.count() == 3).await;
    assert!(told(&courier, "api").is_empty());
    assert!(bench.fired("service_down", "critical", 1) && bench.active("service_down", "critical", 0));
}

#[tokio::test]
async fn without_rules_no_alerts_are_told() {
    let bench = Bench::start("off", API, "e1").await;
    let courier = FakeCourier::new(100, 0);
    bench.systemd.set(&api(), unit(ActiveState::Failed, "a"));
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    wait_for("it is told", || courier.count() == 1).await;
    assert_eq!(courier.of("api")[0].alerts, None);
    assert_eq!(bench.agent.rules().await, None);
    assert!(bench.agent.switch_rule("ServiceDown".into(), true).await.unwrap_err().contains("off"));
}

#[tokio::test(start_paused = true)]
async fn a_processor_in_use_for_a_minute_is_told_once_and_by_itself() {
    let bench = bench("cpu", API).await;
    let courier = FakeCourier::new(100, 0);
    bench.systemd.set(&api(), unit(ActiveState::Active, "a"));
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    wait_for("it is told", || courier.count() == 1).await;
    let began = tokio::time::Instant::now();
    for number in 1..=30 {
        bench.measured(number, 85.0).await;
        let fires = began.elapsed() >= Duration::from_secs(60);
        assert_eq!(bench.active("high_cpu", "warning", 1), fires, "after {:?}", began.elapsed());
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert!(bench.fired("high_cpu", "warning", 1) && courier.count() == 2, "{} told", courier.count());
    assert_eq!(told(&courier, "api"), ["HighCPUUsage"]);
    bench.measured(31, 10.0).await;
    wait_for("its end", || courier.count() == 3).await;
    assert!(told(&courier, "api").is_empty());
}

#[tokio::test(start_paused = true)]
async fn figures_that_are_too_old_neither_fire_nor_clear() {
    let bench = bench("old", API).await;
    bench.systemd.set(&api(), unit(ActiveState::Active, "a"));
    bench.systemd.sync();
    bench.measured(1, 85.0).await;
    tokio::time::sleep(Duration::from_secs(90)).await;
    bench.settle().await;
    assert!(bench.active("high_cpu", "warning", 0), "one sample of a minute and a half ago");
}

#[tokio::test]
async fn a_restart_of_dixmgr_neither_fires_anew_nor_loses_what_is_pending() {
    let first = bench("again", API).await;
    first.systemd.set(&api(), unit(ActiveState::Active, "a"));
    first.systemd.sync();
    first.systemd.set(&api(), unit(ActiveState::Failed, "a"));
    wait_for("it fires", || first.active("service_down", "critical", 1)).await;
    let folder = first.end().await;

    let second = bench("again", API).await;
    assert!(second.active("service_down", "critical", 1), "it counts before anything is seen");
    second.systemd.set(&api(), unit(ActiveState::Failed, "a"));
    second.systemd.sync();
    let courier = FakeCourier::new(100, 0);
    second.link(&courier, &[]).await;
    wait_for("it is told", || courier.count() == 1).await;
    assert_eq!(told(&courier, "api"), ["ServiceDown"]);
    assert!(second.fired("service_down", "critical", 0) && second.active("service_down", "critical", 1));
    second.systemd.set(&api(), unit(ActiveState::Active, "b"));
    wait_for("its end", || second.active("service_down", "critical", 0)).await;
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn a_probe_that_does_not_know_ends_no_alert_and_begins_none() {
    let config = format!("{API}probes.port = {{ tcp = \"127.0.0.1:1\" }}");
    let says = |unready: bool, unknown: bool| {
        let failed = unready && !unknown;
        let verdict = Verdict { unready, failed, unknown, ..Verdict::new("port", !failed, String::new()) };
        Message::Sensed { index: 0, run: Some("a".to_owned()), verdicts: vec![verdict] }
    };
    let fails = |bench: &Bench| bench.active("health_check_failed", "warning", 1);
    let first = bench("unknown", &config).await;
    first.systemd.set(&api(), unit(ActiveState::Active, "a"));
    first.systemd.sync();
    first.settle().await;
    first.agent.say(says(true, false)).await;
    wait_for("it fires", || fails(&first)).await;
    first.agent.say(says(true, true)).await;
    first.settle().await;
    assert!(fails(&first), "nothing is known any more");
    let folder = first.end().await;

    let second = bench("unknown", &config).await;
    second.systemd.set(&api(), unit(ActiveState::Active, "a"));
    second.systemd.sync();
    second.settle().await;
    for (unready, unknown) in [(true, true), (true, false)] {
        second.agent.say(says(unready, unknown)).await;
        second.settle().await;
        assert!(fails(&second) && second.fired("health_check_failed", "warning", 0), "{unready} {unknown}");
    }
    second.agent.say(says(false, false)).await;
    wait_for("its end", || second.active("health_check_failed", "warning", 0)).await;
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn a_node_that_refuses_is_told_whatever_its_probe_is_called() {
    for probe in ["sync", "rpc"] {
        let bench = bench("sync", &format!("{API}probes.{probe} = {{ rpc = \"http://127.0.0.1:1\" }}")).await;
        bench.systemd.set(&api(), unit(ActiveState::Active, "a"));
        bench.systemd.sync();
        bench.settle().await;
        let says = |reachable| {
            let stands = NodeVerdict { reachable: Some(reachable), in_sync: Some(true), ..NodeVerdict::default() };
            Message::Sensed { index: 0, run: Some("a".to_owned()), verdicts: stands.verdicts(probe).into() }
        };
        bench.agent.say(says(true)).await;
        bench.agent.say(says(false)).await;
        wait_for("it fires", || bench.active("health_check_failed", "warning", 1)).await;
        bench.agent.say(says(true)).await;
        wait_for("its end", || bench.active("health_check_failed", "warning", 0)).await;
        let _ = std::fs::remove_dir_all(bench.end().await);
    }
}

#[tokio::test]
async fn what_is_pending_goes_on_after_a_restart_and_a_switched_rule_stays_so() {
    // It has been pending since the last dixmgr, and fires in this one although its time has passed mostly in that one.
    let hold = Span::from_millis(1_500);
    let slow = RuleSpec {
        name: "Slow".into(),
        alert: "slow".into(),
        when: "health == 'down'".into(),
        hold,
        ..RuleSpec::default()
    };
    let rules = || Some(Rules::new(vec![slow.clone()]).unwrap());
    let first = Bench::start_with("pending", API, "e1", rules()).await;
    first.systemd.set(&api(), unit(ActiveState::Failed, "a"));
    first.systemd.sync();
    first.agent.switch_rule("ServiceDown".into(), false).await.unwrap();
    assert!(first.agent.switch_rule("Nonsense".into(), false).await.unwrap_err().contains("no rule"));
    wait_for("it is off", || first.active("service_down", "critical", 0)).await;
    let began = Instant::now();
    let folder = first.end().await;

    let second = Bench::start_with("pending", API, "e2", rules()).await;
    second.systemd.set(&api(), unit(ActiveState::Failed, "a"));
    second.systemd.sync();
    let views = second.agent.rules().await.unwrap();
    assert!(views.iter().any(|rule| rule.name == "ServiceDown" && !rule.on && rule.firing == 0), "{views:?}");
    wait_for("it fires", || second.active("slow", "warning", 1)).await;
    assert!(began.elapsed() < Duration::from_secs(3), "not begun anew: {:?}", began.elapsed());
    assert!(second.fired("service_down", "critical", 0));
    second.agent.switch_rule("ServiceDown".into(), true).await.unwrap();
    wait_for("it is on again", || second.active("service_down", "critical", 1)).await;
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn a_wait_in_vain_is_an_alert_until_it_waits_no_more() {
    let config = "[services.api]\nunit = \"api.service\"\nafter = [\"db\"]\n[services.db]\nunit = \"db.service\"\n";
    let bench = bench("vain", config).await;
    let db: UnitName = "db.service".parse().unwrap();
    let courier = FakeCourier::new(100, 0);
    bench.systemd.set(&db, unit(ActiveState::Failed, "a"));
    bench.systemd.set(&api(), UnitState::new(LoadState::Loaded, ActiveState::Inactive));
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    bench.waited_in_vain("db").await;
    wait_for("it is told", || told(&courier, "api") == ["DependencyTimeout"]).await;
    let alert = courier.of("api").last().and_then(|told| told.alerts.clone()).unwrap().remove(0);
    assert_eq!(alert.detail, "api waited in vain for db");
    assert!(bench.fired("dependency_timeout", "critical", 1));
    let folder = bench.end().await;

    // Its workflow does not say so once more.
    let again = self::bench("vain", config).await;
    again.systemd.set(&db, unit(ActiveState::Failed, "a"));
    again.systemd.set(&api(), unit(ActiveState::Failed, "a"));
    again.systemd.sync();
    again.settle().await;
    assert!(again.active("dependency_timeout", "critical", 1) && again.fired("dependency_timeout", "critical", 0));
    again.systemd.set(&db, unit(ActiveState::Active, "b"));
    wait_for("it is over", || again.active("dependency_timeout", "critical", 0)).await;
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn three_restarts_are_a_loop_and_a_stop_by_somebody_is_none() {
    let bench = bench("loop", API).await;
    bench.systemd.set(&api(), unit(ActiveState::Active, "run-0"));
    bench.systemd.sync();
    bench.settle().await;
    for run in 1..=4 {
        let stopped = UnitState { stopped_by_job: true, ..unit(ActiveState::Inactive, &format!("run-{}", run - 1)) };
        bench.systemd.set(&api(), stopped);
        bench.settle().await;
        bench.systemd.set(&api(), unit(ActiveState::Active, &format!("run-{run}")));
        bench.settle().await;
    }
    assert!(bench.active("restart_loop", "critical", 0) && bench.fired("service_down", "critical", 0));
    for run in 5..=7 {
        bench.systemd.set(&api(), unit(ActiveState::Failed, &format!("run-{}", run - 1)));
        bench.settle().await;
        assert!(bench.active("restart_loop", "critical", 0));
        bench.systemd.set(&api(), unit(ActiveState::Active, &format!("run-{run}")));
        bench.settle().await;
    }
    wait_for("the loop", || bench.active("restart_loop", "critical", 1)).await;
}

/// A stop on command, as the host's activity tells of it.
fn stopped_on_command(bench: &Bench, run: &str) {
    let guard = serde_json::json!({"service": "api", "generation": 1, "invocation": run, "restarts_failure": false,
        "timeout_ms": 1000, "reason": "command c1"});
    let guard: Guard = serde_json::from_value(guard).unwrap();
    let service = "api".parse().unwrap();
    let order = OrderNews { service: &service, verb: Verb::Stop, guard: Some(&guard), end: None };
    let done = OrderNews { end: Some(OrderEnd { failure: None, took: Duration::ZERO }), ..order };
    for news in [order, done] {
        bench.history.ordered(&news);
        bench.agent.ordered(&news);
    }
}

/// systemd unloads what does not run, and forgets its run. Beside it, one that nobody has stopped.
#[tokio::test]
async fn who_is_down_and_stopped_on_command_is_no_alert_any_more_nor_for_the_next_dixmgr() {
    let config = "[watcher]\noperation_timeout = \"1s\"\n[services.api]\nunit = \"api.service\"\n\
                  [services.db]\nunit = \"db.service\"\n";
    let first = bench("commanded", config).await;
    let db: UnitName = "db.service".parse().unwrap();
    first.systemd.set(&api(), unit(ActiveState::Failed, "a"));
    first.systemd.set(&db, unit(ActiveState::Active, "a"));
    first.systemd.sync();
    wait_for("it fires", || first.active("service_down", "critical", 1)).await;
    stopped_on_command(&first, "a");
    wait_for("it is over", || first.active("service_down", "critical", 0)).await;
    let folder = first.end().await;

    let second = bench("commanded", config).await;
    for unit in [&api(), &db] {
        second.systemd.set(unit, UnitState::new(LoadState::Loaded, ActiveState::Inactive));
    }
    second.systemd.sync();
    wait_for("the other is down", || second.active("service_down", "critical", 1)).await;
    second.settle().await;
    assert!(second.active("service_down", "critical", 1) && second.fired("service_down", "critical", 0));
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn while_systemd_cannot_be_seen_nothing_clears_and_nothing_fires() {
    let bench = bench("blind", API).await;
    bench.systemd.set(&api(), unit(ActiveState::Failed, "a"));
    bench.systemd.sync();
    wait_for("it fires", || bench.active("service_down", "critical", 1)).await;
    bench.systemd.disconnect("gone");
    bench.systemd.set(&api(), unit(ActiveState::Active, "b"));
    bench.settle().await;
    assert!(bench.active("service_down", "critical", 1));
    bench.systemd.sync();
    wait_for("its end", || bench.active("service_down", "critical", 0)).await;
}

/// It falls and is back, as the agent knows it.
async fn falls_and_is_back(bench: &Bench, run: &str) {
    bench.systemd.set(&api(), unit(ActiveState::Failed, run));
    bench.settle().await;
    bench.systemd.set(&api(), unit(ActiveState::Active, run));
    bench.settle().await;
}

fn passed(told: &Observation) -> Vec<&str> {
    told.passed.iter().map(|one| one.alert.rule.as_str()).collect()
}

#[tokio::test]
async fn what_came_and_went_while_temporal_was_away_is_told_when_it_is_back_also_by_the_next_dixmgr() {
    let first = bench("passed", API).await;
    first.systemd.set(&api(), unit(ActiveState::Active, "a"));
    first.systemd.sync();
    falls_and_is_back(&first, "a").await;
    let folder = first.end().await;

    let second = bench("passed", API).await;
    second.systemd.set(&api(), unit(ActiveState::Active, "a"));
    second.systemd.sync();
    let courier = FakeCourier::new(100, 2);
    second.link(&courier, &[]).await;
    wait_for("it is told", || courier.count() == 1).await;
    let told = courier.of("api").remove(0);
    assert_eq!((passed(&told), told.alerts.as_deref()), (vec!["ServiceDown"], Some(&[][..])));
    assert!(told.passed[0].alert.ended_ms.is_some_and(|ended| ended <= told.passed[0].alert.age_ms));
    second.systemd.set(&api(), unit(ActiveState::Active, "b"));
    wait_for("the next run", || courier.count() == 2).await;
    assert!(courier.of("api")[1].passed.is_empty(), "once");
    second.agent.say(Message::Unlinked).await;
    second.settle().await;
    falls_and_is_back(&second, "b").await;
    second.link(&courier, &["wf.svc.api"]).await;
    wait_for("what has passed", || courier.count() == 3).await;
    assert_eq!(passed(&courier.of("api")[2]), ["ServiceDown"], "though all else is as it was told last");
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn what_comes_and_goes_faster_than_it_is_delivered_is_told_only_if_the_delivery_fails() {
    for fails in [false, true] {
        let bench = bench("faster", API).await;
        let courier = FakeCourier::new(1, 0);
        bench.systemd.set(&api(), unit(ActiveState::Active, "a"));
        bench.systemd.sync();
        bench.link(&courier, &[]).await;
        wait_for("it is told", || courier.count() == 1).await;
        // The delivery of the next run waits, and meanwhile it falls.
        bench.systemd.set(&api(), unit(ActiveState::Active, "b"));
        bench.settle().await;
        falls_and_is_back(&bench, "b").await;
        bench.systemd.set(&api(), unit(ActiveState::Active, "c"));
        bench.settle().await;
        if fails {
            courier.permits.close();
            let courier = FakeCourier::new(100, 0);
            bench.link(&courier, &["wf.svc.api"]).await;
            wait_for("what has passed", || courier.of("api").iter().any(|told| passed(told) == ["ServiceDown"])).await;
        } else {
            courier.permits.add_permits(100);
            wait_for("the last run", || courier.count() == 3).await;
            assert!(courier.of("api").iter().all(|told| told.passed.is_empty()));
        }
        let _ = std::fs::remove_dir_all(bench.end().await);
    }
}

#[tokio::test]
async fn what_fell_with_its_cause_while_temporal_was_away_is_not_told_to_have_passed() {
    let config = "[services.api]\nunit = \"api.service\"\nafter = [\"db\"]\n[services.db]\nunit = \"db.service\"\n";
    let bench = bench("behind", config).await;
    let db: UnitName = "db.service".parse().unwrap();
    for unit_of in [&api(), &db] {
        bench.systemd.set(unit_of, unit(ActiveState::Active, "a"));
    }
    bench.systemd.sync();
    // What hangs on it falls first, and is back last.
    for (unit_of, active) in [(&api(), ActiveState::Failed), (&db, ActiveState::Failed)] {
        bench.systemd.set(unit_of, unit(active, "a"));
        bench.settle().await;
    }
    for unit_of in [&db, &api()] {
        bench.systemd.set(unit_of, unit(ActiveState::Active, "b"));
        bench.settle().await;
    }
    let courier = FakeCourier::new(100, 0);
    bench.link(&courier, &[]).await;
    wait_for("they are told", || courier.count() == 2).await;
    assert_eq!(passed(&courier.of("db")[0]), ["ServiceDown"]);
    assert!(courier.of("api")[0].passed.is_empty(), "{:?}", courier.of("api")[0].passed);
}
