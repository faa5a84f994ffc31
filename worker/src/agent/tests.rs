//! The agent against a fake systemd and a fake courier: what is told, how often, in which order.

#[path = "alerts_tests.rs"]
mod alerts;

use super::{Agent, Courier, DeliveryError, Handle, Memory, Message, Options, Parcel};
use crate::history::History;
use crate::senses::Runs;
use dixmgr_contract::{ActiveState, LoadState, Observation, Span, UnitName, UnitState, Verdict};
use dixmgr_decide::rules::{Rules, Waits};
use dixmgr_systemd::FakeSystemd;
use dixmgr_telemetry::{Metrics, Room};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// Keeps what is delivered. Each delivery takes a permit first; `refuse` of them are refused before that.
struct FakeCourier {
    delivered: Mutex<Vec<Parcel>>,
    refuse: Mutex<usize>,
    permits: Semaphore,
}

impl FakeCourier {
    fn new(permits: usize, refuse: usize) -> Arc<Self> {
        Arc::new(Self { delivered: Mutex::default(), refuse: Mutex::new(refuse), permits: Semaphore::new(permits) })
    }

    fn of(&self, service: &str) -> Vec<Observation> {
        let delivered = self.delivered.lock().unwrap();
        delivered
            .iter()
            .map(|parcel| parcel.observation.clone())
            .filter(|told| told.spec.name.as_str() == service)
            .collect()
    }

    fn count(&self) -> usize {
        self.delivered.lock().unwrap().len()
    }
}

struct Post(Arc<FakeCourier>);

impl Courier for Post {
    fn deliver(&self, parcel: Parcel) -> BoxFuture<'static, Result<(), DeliveryError>> {
        let courier = Arc::clone(&self.0);
        async move {
            {
                let mut refuse = courier.refuse.lock().unwrap();
                if *refuse > 0 {
                    *refuse -= 1;
                    return Err(DeliveryError("not now".into()));
                }
            }
            courier.permits.acquire().await.map_err(|error| DeliveryError(error.to_string()))?.forget();
            courier.delivered.lock().unwrap().push(parcel);
            Ok(())
        }
        .boxed()
    }
}

/// A running agent with its fakes.
struct Bench {
    systemd: FakeSystemd,
    agent: Handle,
    metrics: Metrics,
    history: History,
    folder: PathBuf,
    task: JoinHandle<()>,
}

impl Bench {
    async fn start(name: &str, config: &str, epoch: &str) -> Self {
        Self::start_with(name, config, epoch, None).await
    }

    async fn start_with(name: &str, config: &str, epoch: &str, rules: Option<Rules>) -> Self {
        let config = dixmgr_model::parse(config, "test.toml", &|_| None).unwrap();
        let services: Vec<_> = config.services.iter().map(|one| (one.clone(), one.origin.workflow_id())).collect();
        let units: Vec<_> = services.iter().map(|(one, _)| one.spec.unit.clone()).collect();
        let (systemd, feed) = FakeSystemd::new(&units);
        let folder = std::env::temp_dir().join(format!("dixmgr-agent-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let memory = Memory::open(&folder.join("agent.db")).unwrap();
        let metrics = Metrics::new("dixmgr", Room::of(10_000)).unwrap();
        let history = History::in_folder(&folder).0;
        let options = Options {
            host: "alpha".parse().unwrap(),
            epoch: epoch.into(),
            boot: "boot".into(),
            services,
            runs: Runs::default(),
            rules,
            waits: Waits { group_wait: Span::ZERO, consequence_grace: Span::from_secs(60) },
            backlog: Arc::default(),
            history: history.clone(),
            generation: Box::new(|_| 0),
        };
        let (ready, _) = watch::channel(false);
        let (agent, mailbox) = Handle::new();
        let task = tokio::spawn(Agent::new(options, memory, metrics.clone(), "fake", ready).run(feed, mailbox));
        Self { systemd, agent, metrics, history, folder, task }
    }

    async fn link(&self, courier: &Arc<FakeCourier>, open: &[&str]) {
        let open: BTreeSet<_> = open.iter().map(|id| (*id).to_owned()).collect();
        self.agent.say(Message::Linked(Arc::new(Post(Arc::clone(courier))), open)).await;
    }

    /// Everything said so far has been heard.
    async fn settle(&self) {
        until("the agent has heard", async || self.agent.ping().await).await;
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn until<F: AsyncFn()>(what: &str, wait: F) {
    tokio::time::timeout(Duration::from_secs(20), wait()).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

async fn wait_for(what: &str, condition: impl Fn() -> bool) {
    until(what, async || {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn unit(active: ActiveState, run: &str) -> UnitState {
    UnitState { invocation: Some(run.into()), ..UnitState::new(LoadState::Loaded, active) }
}

fn api() -> UnitName {
    "api.service".parse().unwrap()
}

const API: &str = "[services.api]\nunit = \"api.service\"\n";

#[tokio::test]
async fn what_flaps_faster_than_it_is_delivered_is_told_once_and_last() {
    let bench = Bench::start("flap", API, "e1").await;
    let courier = FakeCourier::new(0, 0);
    bench.systemd.set(&api(), unit(ActiveState::Active, "run-0"));
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    bench.settle().await;
    for run in 1..=500 {
        bench.systemd.set(&api(), unit(ActiveState::Failed, &format!("run-{run}")));
        bench.settle().await;
    }
    courier.permits.add_permits(100);
    wait_for("the last state", || {
        courier.of("api").last().is_some_and(|told| told.unit.invocation.as_deref() == Some("run-500"))
    })
    .await;
    let told = courier.of("api");
    assert!(told.len() <= 3, "{} deliveries", told.len());
    assert!(told.windows(2).all(|pair| pair[0].revision < pair[1].revision), "revisions grow");
}

/// One with another after it, and one that has nothing to do with them; all have fallen.
#[tokio::test]
async fn what_fell_with_another_is_told_last_and_says_how_long_it_was_held_back() {
    const ALL: &str = "[services.db]\nunit = \"db.service\"\n[services.web]\nunit = \"web.service\"\n\
                       [services.api]\nunit = \"api.service\"\nafter = [\"db\"]\n";
    let bench = Bench::start("behind", ALL, "e1").await;
    let courier = FakeCourier::new(100, 0);
    for service in ["api", "db", "web"] {
        bench.systemd.set(&format!("{service}.service").parse().unwrap(), unit(ActiveState::Failed, "a"));
    }
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    wait_for("all", || courier.count() == 3).await;
    let held = |service| courier.of(service)[0].held_ms;
    assert_eq!((held("db"), held("web"), held("api")), (0, 0, 1_000));
    assert_eq!(courier.delivered.lock().unwrap()[2].workflow_id, "wf.svc.api");
    // Who waits for nobody any more waits for nothing.
    bench.systemd.set(&"db.service".parse().unwrap(), unit(ActiveState::Active, "b"));
    wait_for("the return", || courier.of("api").len() == 2).await;
    let freed = courier.of("api").pop().unwrap();
    assert!(freed.waiting_for.is_empty() && freed.held_ms == 0, "{freed:?}");
}

#[tokio::test]
async fn it_is_retried_until_it_is_accepted() {
    let bench = Bench::start("retry", API, "e1").await;
    let courier = FakeCourier::new(100, 3);
    bench.systemd.set(&api(), unit(ActiveState::Failed, "a"));
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    wait_for("a delivery", || courier.count() == 1).await;
    assert!(bench.metrics.render().unwrap().contains("dixmgr_agent_deliveries_total{status=\"failed\"} 3"));
}

#[tokio::test]
async fn after_a_restart_only_what_differs_or_is_not_well_is_told() {
    let config = "[services.well]\nunit = \"well.service\"\n[services.ill]\nunit = \"ill.service\"\n";
    let (well, ill): (UnitName, UnitName) = ("well.service".parse().unwrap(), "ill.service".parse().unwrap());
    let open = ["wf.svc.well", "wf.svc.ill"];
    let first = Bench::start("restart", config, "e1").await;
    let courier = FakeCourier::new(100, 0);
    first.systemd.set(&well, unit(ActiveState::Active, "a"));
    first.systemd.set(&ill, unit(ActiveState::Failed, "b"));
    first.systemd.sync();
    first.link(&courier, &[]).await;
    wait_for("both", || courier.count() == 2).await;
    let kept = first.folder.clone();
    let revision = courier.of("ill")[0].revision;
    // Its memory is written when it ends.
    let database = kept.join("agent.db");
    wait_for("the memory", || {
        Memory::open(&database).is_ok_and(|memory| memory.get(&"ill".parse().unwrap()).is_some())
    })
    .await;

    let second = Bench::start("restart", config, "e2").await;
    second.systemd.set(&well, unit(ActiveState::Active, "a"));
    second.systemd.set(&ill, unit(ActiveState::Failed, "b"));
    second.systemd.sync();
    second.link(&courier, &open).await;
    wait_for("the ill one again", || courier.of("ill").len() == 2).await;
    second.settle().await;
    assert_eq!(courier.of("well").len(), 1, "the one that is well is not told again");
    let again = &courier.of("ill")[1];
    assert!(again.revision > revision && again.epoch == "e2", "{again:?}");
}

#[tokio::test]
async fn a_missing_workflow_is_started_by_telling_it() {
    let bench = Bench::start("missing", API, "e1").await;
    let courier = FakeCourier::new(100, 0);
    bench.systemd.set(&api(), unit(ActiveState::Active, "a"));
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    wait_for("a delivery", || courier.count() == 1).await;
    bench.link(&courier, &["wf.svc.api"]).await;
    bench.settle().await;
    assert_eq!(courier.count(), 1, "an open one that knows is left alone");
    bench.link(&courier, &[]).await;
    wait_for("another delivery", || courier.count() == 2).await;
}

#[tokio::test]
async fn a_service_waits_for_its_dependencies_and_hears_when_they_are_up() {
    let config = "[services.db]\nunit = \"db.service\"\n[services.api]\nunit = \"api.service\"\nafter = [\"db\"]\n";
    let bench = Bench::start("after", config, "e1").await;
    let courier = FakeCourier::new(100, 0);
    let db: UnitName = "db.service".parse().unwrap();
    bench.systemd.set(&db, UnitState::new(LoadState::Loaded, ActiveState::Inactive));
    bench.systemd.set(&api(), UnitState::new(LoadState::Loaded, ActiveState::Inactive));
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    wait_for("both", || courier.count() == 2).await;
    assert_eq!(courier.of("api")[0].waiting_for, vec!["db".parse().unwrap()]);
    bench.systemd.set(&db, unit(ActiveState::Active, "a"));
    wait_for("the news for api", || courier.of("api").len() == 2).await;
    assert!(courier.of("api")[1].waiting_for.is_empty());
}

#[tokio::test]
async fn who_runs_and_does_not_work_hears_of_its_dependencies_where_it_is_to_be_healed() {
    let config = "[services.db]\nunit = \"db.service\"\n[services.api]\nunit = \"api.service\"\nafter = [\"db\"]\n\
                  restart.restart_on = [\"probe\"]\nprobes.http = { tcp = \"127.0.0.1:1\" }\n";
    let bench = Bench::start("heals", config, "e1").await;
    let courier = FakeCourier::new(100, 0);
    let db: UnitName = "db.service".parse().unwrap();
    bench.systemd.set(&db, UnitState::new(LoadState::Loaded, ActiveState::Inactive));
    bench.systemd.set(&api(), unit(ActiveState::Active, "a"));
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    let run = Some("a".to_owned());
    let says = |failed| vec![Verdict { unready: failed, failed, ..Verdict::new("http", !failed, String::new()) }];
    let missing = || courier.of("api").last().map(|last| last.waiting_for.clone()).unwrap_or_default();
    bench.agent.say(Message::Sensed { index: 1, run: run.clone(), verdicts: says(false) }).await;
    wait_for("api is told", || !courier.of("api").is_empty()).await;
    bench.settle().await;
    assert!(missing().is_empty(), "one that works does not mind");
    bench.agent.say(Message::Sensed { index: 1, run, verdicts: says(true) }).await;
    wait_for("what is behind it is told with its failure", || missing() == ["db".parse().unwrap()]).await;
    assert!(
        courier
            .of("api")
            .iter()
            .all(|told| told.verdicts.iter().all(|one| !one.failed) || !told.waiting_for.is_empty())
    );
    bench.systemd.set(&db, unit(ActiveState::Active, "a"));
    wait_for("it is there", || missing().is_empty()).await;
    assert!(courier.of("api").last().unwrap().verdicts[0].failed);
}

#[tokio::test]
async fn who_runs_has_lost_nothing_while_nobody_has_looked() {
    let config = "[services.db]\nunit = \"db.service\"\nprobes.port = { tcp = \"127.0.0.1:1\" }\n\
                  [services.api]\nunit = \"api.service\"\nafter = [\"db\"]\non_dependency_loss = \"stop\"\n";
    let bench = Bench::start("unasked", config, "e1").await;
    let courier = FakeCourier::new(100, 0);
    let db: UnitName = "db.service".parse().unwrap();
    bench.systemd.set(&db, unit(ActiveState::Active, "a"));
    bench.systemd.set(&api(), unit(ActiveState::Active, "a"));
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    wait_for("api is told", || courier.of("api").len() == 1).await;
    assert!(courier.of("api")[0].waiting_for.is_empty(), "a start of dixmgr is no loss");
    let run = Some("a".to_owned());
    let says = |failed| vec![Verdict { unready: failed, failed, ..Verdict::new("port", !failed, String::new()) }];
    let nothing = Verdict { unready: true, unknown: true, ..Verdict::new("port", true, "too many open files".into()) };
    bench.agent.say(Message::Sensed { index: 0, run: run.clone(), verdicts: vec![nothing] }).await;
    bench.settle().await;
    assert_eq!(courier.count(), 1, "a look that could not be made is none either");
    bench.agent.say(Message::Sensed { index: 0, run: run.clone(), verdicts: says(false) }).await;
    wait_for("db is told", || courier.of("db").len() == 1).await;
    assert!(courier.of("db")[0].verdicts.iter().all(|verdict| verdict.healthy && !verdict.unready));
    assert_eq!(courier.of("api").len(), 1);
    bench.agent.say(Message::Sensed { index: 0, run, verdicts: says(true) }).await;
    wait_for("the loss", || courier.of("api").len() == 2).await;
    assert_eq!(courier.of("api")[1].waiting_for, vec!["db".parse().unwrap()]);
}

#[tokio::test]
async fn a_job_on_a_unit_that_is_up_is_not_told_since_its_end_would_not_be() {
    let bench = Bench::start("job", API, "e1").await;
    let courier = FakeCourier::new(100, 0);
    let job = Some(dixmgr_contract::Job { id: 7, ours: false });
    bench.systemd.set(&api(), UnitState { job, ..unit(ActiveState::Active, "a") });
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    wait_for("a delivery", || courier.count() == 1).await;
    assert_eq!(courier.of("api")[0].unit.job, None);
}

#[tokio::test]
async fn nothing_is_told_while_the_machine_shuts_down() {
    let bench = Bench::start("stopping", API, "e1").await;
    let courier = FakeCourier::new(100, 0);
    bench.systemd.set(&api(), unit(ActiveState::Active, "a"));
    bench.systemd.sync();
    bench.link(&courier, &[]).await;
    wait_for("a delivery", || courier.count() == 1).await;
    bench.systemd.stopping(true);
    bench.settle().await;
    bench.systemd.set(&api(), unit(ActiveState::Failed, "a"));
    bench.settle().await;
    assert_eq!(courier.count(), 1);
    bench.systemd.stopping(false);
    wait_for("the news", || courier.count() == 2).await;
}

/// Ten thousand services flap while Temporal is away: one slot each, and each is told once when it is back.
#[tokio::test]
async fn ten_thousand_flapping_services_fill_ten_thousand_slots() {
    const SERVICES: usize = 10_000;
    let config: String = (0..SERVICES).map(|n| format!("[services.s{n}]\nunit = \"s{n}.service\"\n")).collect();
    let bench = Bench::start("many", &config, "e1").await;
    let units: Vec<UnitName> = (0..SERVICES).map(|n| format!("s{n}.service").parse().unwrap()).collect();
    bench.systemd.sync();
    for round in 0..5 {
        for name in &units {
            bench.systemd.set(name, unit(ActiveState::Failed, &format!("run-{round}")));
        }
        bench.settle().await;
    }
    let depth = format!("dixmgr_agent_outbox_depth {SERVICES}\n");
    wait_for("full slots", || bench.metrics.render().unwrap().contains(&depth)).await;
    let courier = FakeCourier::new(10 * SERVICES, 0);
    bench.link(&courier, &[]).await;
    wait_for("all told", || courier.count() >= SERVICES).await;
    bench.settle().await;
    assert_eq!(courier.count(), SERVICES, "each is told once");
}
