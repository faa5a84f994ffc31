//! Telling people, where the configuration changes, nobody is to be told, or the receiver has a bad day.

use super::WF_API;
use super::alerts::{config, kinds, runs};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Launch, RETRY_AFTER, Receiver, Sandbox, TemporalServer, in_sandbox, wait_until};
use serde_json::Value;

const INCIDENT: &str = "service_down.api";

/// What the channels were told of the incident: each one's name in the notes' ids, and the kind of note.
pub(super) fn told_by(receiver: &Receiver, channel: &str) -> Vec<String> {
    let is_by = |id: &str| id.contains(&format!("-{channel}-"));
    let notes = receiver.inbox().into_iter().filter(|note| note["id"].as_str().is_some_and(is_by));
    notes.map(|note| note["kind"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn an_open_incident_follows_the_dixmgr_that_was_started_last() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let first = config(&["api"], "");
        let dixmgr = Launch::exec(host, &first).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        host.kill("api");
        let note = receiver.wait(INCIDENT, "firing");
        assert_eq!(dixmgr.terminate().code(), Some(0));
        let second = first.replace("name = \"hook\"", "name = \"other\"");
        let _dixmgr = Launch::exec(host, &second).start();
        wait_until("the other channel is told", || told_by(&receiver, "other") == ["firing"]);
        host.systemctl(&["start", "api"]);
        wait_until("the other channel hears the end", || told_by(&receiver, "other") == ["firing", "resolved"]);
        assert_eq!(told_by(&receiver, "hook"), ["firing"], "it is not there any more");
        for other in receiver.inbox() {
            assert_eq!(other["incident_id"], note["incident_id"], "it is one incident");
        }
        assert_eq!(temporal.signals(&format!("wf.incident.{INCIDENT}"), "configure"), 1);
    });
}

#[test]
fn a_dry_run_tells_its_log_alone() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let dixmgr = Launch::watch(host, &config(&["api"], "")).start();
        let temporal = server.connect();
        temporal.wait_phase(&format!("dry.{WF_API}"), PhaseName::Healthy);
        host.kill("api");
        dixmgr.wait_logged(&["status=\"firing\"", "alert=\"service_down\"", "service=\"api\""]);
        let status = temporal.query(&format!("dry.wf.incident.{INCIDENT}"), "status");
        let channels = status["channels"].as_array().unwrap();
        assert!(channels.len() == 1 && channels[0]["name"] == "log", "{status}");
        host.systemctl(&["start", "api"]);
        dixmgr.wait_logged(&["status=\"resolved\"", "alert=\"service_down\"", "service=\"api\""]);
        assert_eq!(receiver.tries(), 0, "{:?}", receiver.tried());
    });
}

/// It is busy, breaks off, and does not answer; each time the same note comes again, and whoever falls meanwhile is restarted.
#[test]
fn a_receiver_with_a_bad_day_is_told_once() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api", "web"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let services = config(&["api", "web"], "") + "restart = { max = 3 }\n";
        let services = services.replace("name = \"hook\"\n", "name = \"hook\"\nmatch = [\"service=api\"]\n");
        let _dixmgr = Launch::exec(host, &services).start();
        let temporal = server.connect();
        for service in ["api", "web"] {
            temporal.wait_phase(&format!("wf.svc.{service}"), PhaseName::Healthy);
        }
        receiver.answers("429");
        host.kill("api");
        for (tries, next) in [(1, "reset"), (2, "hang")] {
            wait_until("it is tried", || receiver.tries() == tries);
            receiver.answers(next);
        }
        wait_until("it hangs", || receiver.tries() == 3);
        let before = host.kill("web");
        host.runs_anew("web", &before);
        assert_eq!(receiver.tries(), 3, "it hangs still, and has delayed nothing");
        receiver.answers("ok");
        receiver.wait(INCIDENT, "firing");
        let tried = receiver.tried();
        let modes: Vec<_> = tried.iter().map(|one| one["mode"].as_str().unwrap()).collect();
        assert_eq!(modes, ["429", "reset", "hang", "ok"]);
        assert!(tried.iter().all(|one| one["id"] == tried[0]["id"]), "{tried:?}");
        let at = |index: usize| tried[index]["at"].as_f64().unwrap();
        assert!(at(1) - at(0) >= RETRY_AFTER, "not before it has asked to: {tried:?}");
        host.systemctl(&["start", "api"]);
        receiver.wait(INCIDENT, "resolved");
        assert_eq!(kinds(&receiver, INCIDENT), ["firing", "resolved"]);
    });
}

/// It takes the note and says nothing: that try is given up in the channel's own time, and nobody else waits for it.
#[test]
fn a_receiver_that_never_answers_keeps_its_own_note_waiting_and_no_other() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let services = config(&["api"], &Receiver::channel().replace("name = \"hook\"", "name = \"ops\""));
        let services = services.replace("name = \"hook\"\n", "name = \"hook\"\ntimeout = \"2s\"\n");
        let dixmgr = Launch::exec(host, &services).start();
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
        let tried = |channel: &str| -> Vec<Value> {
            let is_by = |one: &Value| one["id"].as_str().is_some_and(|id| id.contains(&format!("-{channel}-")));
            receiver.tried().into_iter().filter(is_by).collect()
        };
        receiver.answers("hang hook");
        host.kill("api");
        dixmgr.wait_logged(&["no answer of the webhook within 2s", "channel=\"hook\""]);
        assert_eq!(told_by(&receiver, "ops"), ["firing"], "nor has the other one waited for that");
        assert_eq!(tried("hook").len(), 1, "the same note comes later");
        receiver.answers("ok");
        wait_until("it is told", || told_by(&receiver, "hook") == ["firing"]);
        let (hook, ops) = (tried("hook"), tried("ops"));
        let at = |one: &Value| one["at"].as_f64().unwrap();
        assert!(at(&ops[0]) < at(&hook[0]) + 2.0, "{hook:?} {ops:?}");
        assert!(at(&hook[1]) >= at(&hook[0]) + 2.0, "{hook:?}");
        assert_eq!((hook.len(), &hook[1]["id"]), (2, &hook[0]["id"]), "the same note, with its key: {hook:?}");
        host.systemctl(&["start", "api"]);
        for channel in ["hook", "ops"] {
            wait_until("the end is told", || told_by(&receiver, channel) == ["firing", "resolved"]);
        }
    });
}
