//! What is played of the fleet's workflows: waits, clusters, hosts, the registry.

use crate::flows::{Actor, Flow, flows};
use futures_util::FutureExt;
use serde_json::json;

/// Waits for dependencies.
pub(crate) const WAITS: &[Flow] = flows!["DependencyWaitWorkflow": wait_satisfied 1 true, wait_in_vain 1 true];
/// Clusters.
pub(crate) const CLUSTERS: &[Flow] = flows!["ClusterWorkflow": cluster_rollout 1 true];
/// Hosts.
pub(crate) const HOSTS: &[Flow] = flows!["HostWorkflow": host_lease 1 true, host_lost 1 true];
/// The registry.
pub(crate) const REGISTRIES: &[Flow] =
    flows!["InfrastructureWorkflow": registry 1 true, silenced 1 true, maintenance 1 true];

async fn ready(actor: &Actor, service: &str, revision: u64, run: &str, is_ready: bool) {
    let phase = if is_ready { "healthy" } else { "down" };
    let readiness = json!({"service": service, "ready": is_ready, "revision": revision, "phase": phase, "run": run});
    actor.signal("readiness", &readiness).await;
}

async fn wait_satisfied(actor: Actor) -> Vec<String> {
    actor.start(&json!({"service": "api", "dependencies": ["db", "cache"]})).await;
    actor.wait_query("waiting_for", "both are missing", |list| *list == json!(["db", "cache"])).await;
    ready(&actor, "cache", 1, "a", true).await;
    actor.signal("readiness", &json!("nonsense")).await;
    actor.wait_query("waiting_for", "one is missing", |list| *list == json!(["db"])).await;
    ready(&actor, "db", 2, "a", false).await;
    ready(&actor, "db", 1, "a", true).await;
    ready(&actor, "db", 3, "b", true).await;
    let result = actor.result().await;
    assert_eq!((&result["satisfied"], &result["missing"]), (&json!(true), &json!([])));
    assert_eq!(actor.host().asked().calls("SubscribeActivity"), 2);
    vec![actor.run_id().await]
}

async fn wait_in_vain(actor: Actor) -> Vec<String> {
    let input = json!({"service": "api", "dependencies": ["db"], "timeout": "1s", "notify": "wf.svc.nobody"});
    actor.start(&input).await;
    let result = actor.result().await;
    assert_eq!((&result["satisfied"], &result["missing"]), (&json!(false), &json!(["db"])));
    vec![actor.run_id().await]
}

async fn cluster_rollout(actor: Actor) -> Vec<String> {
    let input = json!({"name": "rpc", "members": ["a", "b"], "quorum": 1, "mode": "active", "healthy_for": "0s"});
    actor.start(&input).await;
    ready(&actor, "a", 1, "a1", true).await;
    ready(&actor, "b", 1, "b1", true).await;
    actor.wait_query("status", "well", |status| status["quorum_ok"] == true).await;
    let restarted = actor.update("rolling_restart", Some(json!({"by": "ops"})));
    let members = async {
        for member in ["a", "b"] {
            actor.wait_query("status", "its turn", |status| status["rollout"]["current"] == member).await;
            ready(&actor, member, 2, "", false).await;
            ready(&actor, member, 3, &format!("{member}2"), true).await;
        }
    };
    let (answer, ()) = futures_util::future::join(restarted, members).await;
    assert!(answer.is_ok(), "{answer:?}");
    ready(&actor, "a", 4, "", false).await;
    ready(&actor, "b", 4, "", false).await;
    actor.wait_query("status", "lost", |status| status["quorum_ok"] == false).await;
    ready(&actor, "b", 5, "b3", true).await;
    actor.wait_query("status", "regained", |status| status["quorum_ok"] == true).await;
    let refused = actor.update("promote", Some(json!({"member": "a"}))).await.unwrap_err();
    assert!(refused.contains("rpc is in active mode"), "{refused}");
    vec![actor.run_id().await]
}

async fn host_lease(actor: Actor) -> Vec<String> {
    actor.start(&json!({"host": "alpha"})).await;
    let holder = |machine: &str| json!({"holder": {"machine": machine, "epoch": format!("{machine}-1")}});
    let granted = actor.update("claim", Some(holder("m1"))).await.unwrap();
    assert!(granted.contains("\"granted\":true"), "{granted}");
    actor.wait_query("status", "held", |status| status["phase"] == "held").await;
    let refused = actor.update("claim", Some(holder("m2"))).await.unwrap();
    assert!(refused.contains("\"granted\":false"), "{refused}");
    actor.host().release();
    actor.wait_query("status", "stopped", |status| status["phase"] == "stopped").await;
    vec![actor.run_id().await]
}

/// Recorded by a version that owed nobody the report of a loss.
async fn host_lost(actor: Actor) -> Vec<String> {
    actor.start(&json!({"host": "alpha"})).await;
    let claim = json!({"holder": {"machine": "m1", "epoch": "m1-1"}, "lease_timeout": "1s"});
    actor.update("claim", Some(claim)).await.unwrap();
    actor.wait_query("status", "held", |status| status["phase"] == "held").await;
    let reports = async |count: usize| {
        let told = async || (actor.host().asked().calls("ReportHostActivity") >= count).then_some(());
        crate::stage::wait_for("it is told", told).await;
    };
    actor.host().be_silent(true);
    actor.wait_query("status", "lost", |status| status["phase"] == "lost").await;
    reports(1).await;
    actor.host().be_silent(false);
    actor.wait_query("status", "held again", |status| status["phase"] == "held").await;
    reports(2).await;
    vec![actor.run_id().await]
}

async fn registry(actor: Actor) -> Vec<String> {
    actor.start(&json!({})).await;
    let service =
        |name: &str| json!({"name": name, "workflow_id": format!("wf.svc.{name}"), "unit": format!("{name}.service")});
    let both = json!({"host": "alpha", "generation": "g1", "services": [service("api"), service("db")]});
    actor.signal("apply_plan", &both).await;
    actor.signal("apply_plan", &json!(7)).await;
    actor.wait_query("status", "both", |status| status["services"] == 2).await;
    let answer = actor.update("pause_all", Some(json!({"by": "ops"}))).await;
    assert!(answer.is_ok(), "{answer:?}");
    let one = json!({"host": "alpha", "generation": "g2", "services": [service("api")]});
    actor.signal("apply_plan", &one).await;
    actor.wait_query("status", "one", |status| status["services"] == 1).await;
    let claim = json!({"host": "beta", "generation": "h1", "services": [service("api")]});
    actor.signal("apply_plan", &claim).await;
    actor.wait_query("status", "a conflict", |status| status["conflicts"][0]["claimed_by"] == "beta").await;
    let answer = actor.update("forget_host", Some(json!({"host": "alpha"}))).await;
    assert!(answer.is_ok(), "{answer:?}");
    actor.wait_query("status", "beta has it", |status| status["hosts"][0]["host"] == "beta").await;
    actor.wait_query("plan", "its plan", |plan| plan["services"][0]["name"] == "api").await;
    assert_eq!(actor.host().asked().calls("RetireServicesActivity"), 1);
    vec![actor.run_id().await]
}

async fn silenced(actor: Actor) -> Vec<String> {
    actor.start(&json!({})).await;
    let refused = actor.update("silence", Some(json!({"by": "eve", "for": "2h"}))).await.unwrap_err();
    assert!(refused.contains("says what it is about"), "{refused}");
    // What says when it ends in words that are not known here.
    let endless = json!({"matchers": ["service=api"], "ends": "2026-12-01T00:00:00Z"});
    let refused = actor.update("silence", Some(endless)).await.unwrap_err();
    assert!(refused.contains("say for how long"), "{refused}");
    let both = json!({"matchers": ["service=api"], "until": "2026-12-01T00:00:00Z", "for": "2h"});
    let refused = actor.update("silence", Some(both)).await.unwrap_err();
    assert!(refused.contains("not both"), "{refused}");
    let over = json!({"matchers": ["service=api"], "until": "2001-01-01T00:00:00Z"});
    let refused = actor.update("silence", Some(over)).await.unwrap_err();
    assert!(refused.contains("nothing would be silenced"), "{refused}");
    let answer = actor.update("silence", Some(json!({"matchers": ["service=api"], "for": "2h", "by": "eve"}))).await;
    assert!(answer.is_ok(), "{answer:?}");
    actor.wait_query("silences", "one", |silences| silences[0]["by"] == "eve").await;
    // Once more a little later, for whoever began meanwhile.
    crate::stage::wait_for("both", async || (actor.host().asked().calls("SpreadSilencesActivity") == 2).then_some(()))
        .await;
    vec![actor.run_id().await]
}

async fn maintenance(actor: Actor) -> Vec<String> {
    actor.start(&json!({})).await;
    let window = |zone: &str| json!({"name": "disks", "start": "02:00", "length": "2h", "zone": zone, "by": "eve"});
    let refused = actor.update("set_maintenance", Some(window("Mars/Olympus"))).await.unwrap_err();
    assert!(refused.contains("is no time zone; write it as in"), "{refused}");
    let refused = actor.update("set_maintenance", Some(json!({"name": "disks", "start": "2am"}))).await.unwrap_err();
    assert!(
        refused.contains("the argument of set_maintenance is") && refused.contains("is not a time of day"),
        "{refused}"
    );
    let refused = actor.update("remove_maintenance", Some(json!({"name": "disks"}))).await.unwrap_err();
    assert!(refused.contains("there are none"), "{refused}");
    let set = actor.update("set_maintenance", Some(window("Europe/Zurich"))).await.unwrap();
    assert!(set.contains("disks is set: each day at 02:00 Europe/Zurich for 2h"), "{set}");
    let listed = json!([window("Europe/Zurich")]);
    actor.wait_query("maintenance", "it is listed", |windows| *windows == listed).await;
    actor.wait_query("silences", "it is carried", |silences| silences[0]["window"]["start_minute"] == 120).await;
    let removed = actor.update("remove_maintenance", Some(json!({"name": "disks", "by": "eve"}))).await;
    assert!(removed.is_ok(), "{removed:?}");
    actor.wait_query("maintenance", "it is gone", |windows| *windows == json!([])).await;
    // At once each time, and once more a little later.
    crate::stage::wait_for("all", async || (actor.host().asked().calls("SpreadSilencesActivity") == 3).then_some(()))
        .await;
    vec![actor.run_id().await]
}
