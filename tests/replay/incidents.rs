//! What is played of incidents: told, tried again, acknowledged, silenced, held because of another one.

use crate::flows::{Actor, Flow, flows};
use futures_util::FutureExt;
use serde_json::{Value, json};

/// Incidents.
pub(crate) const INCIDENTS: &[Flow] =
    flows!["IncidentWorkflow": incident_told 1 true, incident_held 1 true, incident_in_a_window 1 true];

fn input() -> Value {
    let policy = json!({
        "group_wait": "0s", "dedupe_window": "1s", "consequence_grace": "1s",
        "channels": [{"name": "log"}, {"name": "pager", "min_severity": "critical"}],
    });
    json!({"fingerprint": "service_down.api", "type": "service_down", "policy": policy})
}

fn report(service: &str, revision: u64, severity: Option<&str>) -> Value {
    let alert = |severity: &str| json!([{"rule": "ServiceDown", "type": "service_down", "severity": severity, "detail": format!("{service} is down")}]);
    json!({"service": service, "host": "alpha", "revision": revision, "alerts": severity.map_or(json!([]), alert)})
}

async fn incident_told(actor: Actor) -> Vec<String> {
    actor.host().next_notes(&[json!({"outcome": "retry", "reason": "HTTP 503"})]);
    actor.start(&input()).await;
    actor.signal("member", &json!(7)).await;
    actor.signal("member", &report("api", 1, Some("warning"))).await;
    // The first try fails; the second comes after five seconds.
    actor.wait_query("status", "told", |status| status["channels"][0]["told"] == true).await;
    let answer = actor.update("ack", Some(json!({"by": "ann", "comment": "on it"}))).await;
    assert!(answer.is_ok(), "{answer:?}");
    actor.signal("member", &report("web", 1, Some("critical"))).await;
    actor.wait_query("status", "the pager", |status| status["channels"][1]["told"] == true).await;
    let answer = actor.update("silence", Some(json!({"by": "ann", "for": "1h"}))).await;
    assert!(answer.is_ok(), "{answer:?}");
    // A month is the longest; what matters is that it has an end.
    let answer = actor.update("silence", Some(json!({"by": "ann", "until": "2099-01-01T00:00:00Z"}))).await.unwrap();
    assert!(answer.starts_with("silenced until 20"), "{answer}");
    let answer = actor.update("unsilence", Some(json!({"by": "ann"}))).await;
    assert!(answer.is_ok(), "{answer:?}");
    actor.signal("affected", &json!({"incident": "service_down.app", "services": ["app"]})).await;
    actor.wait_query("status", "one behind it", |status| status["affected"] == 1).await;
    actor.signal("affected", &json!({"incident": "service_down.app"})).await;
    actor.signal("member", &report("api", 2, None)).await;
    actor.signal("resolve", &json!({"member": "web", "by": "ann"})).await;
    actor.result().await;
    let asked = actor.host().asked();
    let kinds: Vec<String> = asked.notes.iter().map(|note| note["note"]["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "resolved").count(), 2, "an end for each channel: {kinds:?}");
    assert_eq!(asked.notes[0]["note"], asked.notes[1]["note"], "it is tried again as it was");
    vec![actor.run_id().await]
}

async fn incident_held(actor: Actor) -> Vec<String> {
    actor.start(&input()).await;
    let mut held = report("api", 1, Some("critical"));
    held["cause"] = json!("service_down.db");
    actor.signal("member", &held).await;
    actor.wait_query("status", "held", |status| status["phase"] == "held").await;
    assert_eq!(actor.host().asked().calls("NotifyActivity"), 0);
    // One that is behind it is told that it need not wait for it any more.
    actor.signal("affected", &json!({"incident": "service_down.nobody", "services": ["web"]})).await;
    actor.signal("configure", &input()["policy"]).await;
    actor.signal("silences", &json!([{"id": "s", "matchers": ["service=other"], "by": "eve"}])).await;
    actor.signal("released", &json!({"cause": "service_down.db"})).await;
    actor.wait_query("status", "told", |status| status["phase"] == "firing").await;
    actor.signal("member", &report("api", 2, None)).await;
    actor.result().await;
    assert!(actor.host().asked().calls("TellCauseActivity") >= 1);
    vec![actor.run_id().await]
}

/// It begins under a window of the fleet, which is removed; another one is set, and does not keep the end from anybody.
async fn incident_in_a_window(actor: Actor) -> Vec<String> {
    let always =
        || json!([{"id": "disks", "by": "eve", "window": {"name": "disks", "start_minute": 0, "length": "48h"}}]);
    let mut input = input();
    input["silences"] = always();
    actor.start(&input).await;
    actor.signal("member", &report("api", 1, Some("critical"))).await;
    actor.wait_query("status", "silenced", |status| status["phase"] == "silenced").await;
    assert_eq!(actor.host().asked().calls("NotifyActivity"), 0);
    actor.signal("silences", &json!([])).await;
    actor.wait_query("status", "told", |status| status["channels"][1]["told"] == true).await;
    actor.signal("silences", &always()).await;
    actor.wait_query("status", "silenced again", |status| status["waiting_for"].to_string().contains("disks")).await;
    actor.signal("member", &report("api", 2, None)).await;
    actor.result().await;
    let ends = |channel: &str| {
        let asked = actor.host().asked();
        asked.notes.iter().filter(|one| one["channel"] == channel && one["note"]["kind"] == "resolved").count()
    };
    assert_eq!((ends("log"), ends("pager")), (1, 1));
    vec![actor.run_id().await]
}
