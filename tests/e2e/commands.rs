//! Commands of people: through `dixmgr`, and through the `temporal` CLI as documented.

use super::{API, SLEEP, WF_API, api_runs};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{ADDRESS, FOLDER, HOST_NAME, Launch, Sandbox, TemporalServer, dixmgr, in_sandbox, wait_until};
use serde_json::Value;
use std::process::Output;

/// `dixmgr <words>`, to the dixmgr of this test.
fn ask(words: &[&str]) -> Output {
    let state_dir = format!("{FOLDER}/state");
    dixmgr(&[words, &["-host", HOST_NAME, "-state-dir", &state_dir]].concat())
}

/// Asks, must succeed, and reads the JSON.
#[track_caller]
fn answer(words: &[&str]) -> Value {
    let output = ask(&[words, &["--output", "json"]].concat());
    assert!(output.status.success(), "{words:?}: {output:?}");
    serde_json::from_slice::<Vec<Value>>(&output.stdout).unwrap().remove(0)
}

/// Asks, must succeed; the text is the answer.
#[track_caller]
pub(crate) fn text(words: &[&str]) -> String {
    let output = ask(words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asks, must be refused with exit code 1; the text is the answer.
#[track_caller]
pub(crate) fn refusal(words: &[&str]) -> String {
    let output = ask(words);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn dixmgr_commands_are_answered_when_they_are_done() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, API).start();
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
        let status = answer(&["status"]);
        assert_eq!(status["service"], "api");
        assert_eq!(status["workflow_id"], WF_API);
        assert_eq!(status["status"]["phase"], "healthy");
        assert_eq!(status["status"]["host"], HOST_NAME);
        let text = ask(&["status", "api"]);
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.starts_with("api ") && text.contains("healthy"), "{text}");

        let before = host.invocation("api");
        assert_eq!(answer(&["restart", "api"])["answer"], "api is running");
        assert!(host.is_running("api") && host.invocation("api") != before);
        assert_eq!(answer(&["stop", "api"])["answer"], "api is stopped");
        assert!(!host.is_running("api"));
        assert_eq!(answer(&["status", "api"])["status"]["phase"], "stopped");
        assert_eq!(answer(&["start", "api"])["answer"], "api is running");
        assert!(host.is_running("api"));
        assert_eq!(answer(&["start", "api"])["answer"], "api is running already");

        let text = refusal(&["resume", "api"]);
        assert!(text.contains("api is not paused"), "{text}");
        let text = refusal(&["status", "apu"]);
        assert!(text.contains("did you mean api?"), "{text}");
    });
}

#[test]
fn while_paused_a_dead_service_stays_dead() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, API).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let said = answer(&["pause", "api", "--reason", "moving house"]);
        assert_eq!(said["answer"], "api is paused");
        let text = refusal(&["pause", "api"]);
        assert!(text.contains("paused already, by "), "{text}");
        let text = refusal(&["restart", "api"]);
        assert!(text.contains("resume it first"), "{text}");
        let paused = temporal.wait_phase(WF_API, PhaseName::Paused);
        assert_eq!(paused.detail, "moving house");
        let before = host.kill("api");
        temporal.wait_status(WF_API, "has heard of the death", |status| status.revision > paused.revision);
        dixmgr.wait_metric("dixmgr_service_health", "api", 0.0);
        assert!(!host.is_running("api"));
        assert!(answer(&["resume", "api"])["answer"].as_str().unwrap().contains("supervised again"));
        host.runs_anew("api", &before);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
    });
}

#[test]
fn the_temporal_cli_is_enough() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, API).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let text =
            temporal.cli(&["workflow", "query", "--workflow-id", WF_API, "--type", "status", "--output", "json"]);
        assert!(text.contains("\"healthy\""), "{text}");
        let update = |name: &str, more: &[&str]| {
            let words = ["workflow", "update", "execute", "--workflow-id", WF_API, "--name", name];
            temporal.try_cli(&[&words, more].concat())
        };
        let text =
            |output: Output| String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();

        let output = update("pause", &["--input", r#"{"by":"eve","reason":"test"}"#]);
        assert!(output.status.success(), "{}", text(output));
        assert_eq!(temporal.wait_phase(WF_API, PhaseName::Paused).paused_by.as_deref(), Some("eve"));
        let output = update("restart", &[]);
        assert!(!output.status.success());
        let said = text(output);
        assert!(said.contains("paused by eve"), "{said}");
        let output = update("resume", &[]);
        assert!(output.status.success(), "{}", text(output));
        let before = host.invocation("api");
        let output = update("restart", &[]);
        assert!(output.status.success(), "{}", text(output));
        assert!(host.is_running("api") && host.invocation("api") != before);
        let output = update("pause", &["--input", "7"]);
        assert!(!output.status.success());
        let said = text(output);
        assert!(said.contains("the argument of pause is"), "{said}");
    });
}

#[test]
fn a_signal_that_cannot_be_read_harms_nothing() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, API).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let signal = |name: &str, input: &str| {
            let words = ["workflow", "signal", "--workflow-id", WF_API, "--name", name, "--input", input];
            temporal.cli(&words);
        };
        for (name, input, part) in [
            ("observe", r#"{"x":1}"#, "observe: missing field"),
            ("observe", "[7]", "observe: "),
            ("command", r#"{"id":"c0","command":"explode"}"#, "unknown variant `explode`"),
        ] {
            signal(name, input);
            temporal.wait_status(WF_API, part, |status| {
                status.input_error.as_ref().is_some_and(|error| error.contains(part))
            });
        }
        signal("nonsense", "1");
        let before = host.invocation("api");
        signal("command", r#"{"id":"c1","command":"restart","by":"another workflow"}"#);
        host.runs_anew("api", &before);
        // The same command again is not obeyed again.
        let status = temporal.wait_phase(WF_API, PhaseName::Healthy);
        signal("command", r#"{"id":"c1","command":"restart"}"#);
        signal("command", r#"{"id":"c2","command":"pause"}"#);
        let paused = temporal.wait_phase(WF_API, PhaseName::Paused);
        assert_eq!(paused.generation, status.generation);
        signal("command", r#"{"id":"c3","command":"resume"}"#);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let before = host.kill("api");
        host.runs_anew("api", &before);
    });
}

#[test]
fn a_workflow_that_somebody_ended_comes_back() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, API).start();
        let temporal = server.connect();
        for (word, status) in [("terminate", "Terminated"), ("cancel", "Canceled")] {
            temporal.wait_phase(WF_API, PhaseName::Healthy);
            temporal.wait_open(WF_API);
            temporal.cli(&["workflow", word, "--workflow-id", WF_API]);
            wait_until("it has ended", || temporal.workflows().iter().any(|one| one.status == status));
            let before = host.kill("api");
            host.runs_anew("api", &before);
            temporal.wait_open(WF_API);
        }
    });
}

#[test]
fn when_nobody_works_a_question_ends_with_the_reason() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, API).start();
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
        dixmgr.kill();
        let text = refusal(&["status", "api", "-temporal-host", ADDRESS]);
        assert!(text.contains("is one running?"), "{text}");
        server.kill();
        let text = refusal(&["status", "api", "-temporal-host", ADDRESS]);
        assert!(text.contains("cannot ask Temporal at") && text.contains(ADDRESS), "{text}");
    });
}

#[test]
fn many_are_stopped_dependants_first_in_whatever_order_they_are_named() {
    in_sandbox(Sandbox::UserManager, |host| {
        host.install([("db.service", SLEEP), ("api.service", SLEEP), ("web.service", SLEEP)]);
        let server = TemporalServer::start();
        let service =
            |name: &str, after: &str| format!("[services.{name}]\nunit = \"{name}.service\"\nafter = [{after}]\n");
        let services = [service("db", ""), service("api", "\"db\""), service("web", "\"api\"")].concat();
        let _dixmgr = Launch::exec(host, &services).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        text(&["stop", "db", "web", "api"]);
        let stamp = |unit: &str, property: &str| host.show(unit, property).parse::<u64>().unwrap();
        let begins = |unit: &str| stamp(unit, "ActiveExitTimestampMonotonic");
        let ends = |unit: &str| stamp(unit, "InactiveEnterTimestampMonotonic");
        assert!(ends("web") <= begins("api") && ends("api") <= begins("db"), "one after the other");
        assert!(["db", "api", "web"].iter().all(|unit| !host.is_running(unit)));
        text(&["start", "db", "api", "web"]);
        assert!(["db", "api", "web"].iter().all(|unit| host.is_running(unit)));
    });
}
