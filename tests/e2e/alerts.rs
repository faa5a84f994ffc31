//! Telling people: rules, incidents and notes, to a receiver that checks signatures and may be away.

use super::people::says_here;
use super::{SLEEP, counts_starts, file, set};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Host, Launch, Receiver, Sandbox, TemporalServer, in_sandbox, wait_for, wait_until};
use serde_json::Value;
use std::{collections::BTreeSet, iter};

/// Nobody restarts what falls, so that it stays down until the test says so; what is told is told at once.
pub(super) fn config(services: &[&str], alerts: &str) -> String {
    let mut text = format!(
        "[defaults]\nrestart = {{ max = 0 }}\n[alerts]\ngroup_wait = \"0s\"\ndedupe_window = \"1s\"\n{alerts}\n{}",
        Receiver::channel()
    );
    for service in services {
        text += &format!("[services.{service}]\nunit = \"{service}.service\"\n");
    }
    text
}

pub(super) fn runs(host: &Host, services: &[&str]) {
    let files: Vec<String> = services.iter().map(|service| format!("{service}.service")).collect();
    host.install(files.iter().map(|file| (file.as_str(), SLEEP)));
    host.start(services);
}

pub(super) fn kinds(receiver: &Receiver, incident: &str) -> Vec<String> {
    receiver.told(incident).into_iter().map(|(kind, _)| kind).collect()
}

/// Whether each note about an incident said that something is wrong, or that it is over.
pub(super) fn statuses(receiver: &Receiver, incident: &str) -> Vec<String> {
    let said = |note: &Value| note["status"].as_str().unwrap_or_default().to_owned();
    receiver.about(incident).iter().map(said).collect()
}

#[test]
fn a_service_that_falls_is_told_and_its_return_too() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let dixmgr = Launch::exec(host, &config(&["api"], "")).start();
        server.connect().wait_phase("wf.svc.api", PhaseName::Healthy);
        host.kill("api");
        let note = receiver.wait("service_down.api", "firing");
        assert_eq!((&note["severity"], &note["service"]), (&Value::from("critical"), &Value::from("api")));
        assert_eq!(note["labels"]["host"], "alpha");
        host.systemctl(&["start", "api"]);
        let end = receiver.wait("service_down.api", "resolved");
        assert_eq!(end["incident_id"], note["incident_id"]);
        assert_eq!(kinds(&receiver, "service_down.api"), ["firing", "resolved"]);
        assert_eq!(dixmgr.metric("dixmgr_alerts_fired_total", &[("alert_type", "service_down")]), Some(1.0));
        assert_eq!(dixmgr.metric("dixmgr_alerts_active", &[("alert_type", "service_down")]), Some(0.0));
        // The receiver knows of a note before dixmgr knows that it does.
        wait_until("both notes are counted", || {
            dixmgr.metric("dixmgr_notes_sent_total", &[("channel", "hook")]) == Some(2.0)
        });
        // It closes by itself when nothing comes back.
        let temporal = server.connect();
        wait_until("it is over", || {
            let all = temporal.all_workflows();
            all.iter().any(|one| one.id == "wf.incident.service_down.api" && one.status == "Completed")
        });
    });
}

/// One message that names the cause and all that is behind it, none that repeats it, and one end.
#[test]
fn a_relay_that_takes_twenty_with_it_is_told_once() {
    in_sandbox(Sandbox::UserManager, |host| {
        let apps: Vec<String> = (1..20).map(|number| format!("app-{number}")).collect();
        let behind: Vec<&str> = iter::once("para").chain(apps.iter().map(String::as_str)).collect();
        let all = [&["relay"][..], &behind].concat();
        runs(host, &all);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        // What a slow machine learns too late for the first note is in one more.
        let waits = "group_wait = \"5s\"\ngroup_interval = \"1s\"";
        let mut services = config(&all, "").replace("group_wait = \"0s\"", waits);
        for service in &behind {
            let after = if *service == "para" { "relay" } else { "para" };
            let head = format!("[services.{service}]\n");
            services = services.replace(&head, &format!("{head}after = [\"{after}\"]\n"));
        }
        let _dixmgr = Launch::exec(host, &services).start();
        let temporal = server.connect();
        for service in &all {
            temporal.wait_phase(&format!("wf.svc.{service}"), PhaseName::Healthy);
        }
        // Those that hang on it fall first.
        let falling: Vec<&str> = all.iter().rev().copied().collect();
        host.systemctl(&[&["kill", "--signal=KILL"], &falling[..]].concat());
        let note = wait_for("a note of all that is behind it", || {
            let told = receiver.about("service_down.relay").into_iter();
            told.rev().find(|note| note["affected"].as_array().is_some_and(|it| it.len() == behind.len()))
        });
        assert!(note["message"].as_str().unwrap().contains("relay"), "{note}");
        assert!(note["text"].as_str().unwrap().contains("20 services behind it are affected"), "{note}");
        let affected: BTreeSet<&str> = note["affected"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(affected, behind.iter().copied().collect(), "{note}");
        host.start(&all);
        let end = receiver.wait("service_down.relay", "resolved");
        for service in &all {
            wait_until(&format!("all is over with {service}"), || {
                let status = temporal.try_query(&format!("wf.incident.service_down.{service}"), "status");
                status.is_some_and(|status| status["phase"] == "over")
            });
        }
        assert_eq!(end["incident_id"], note["incident_id"]);
        let mut kinds = kinds(&receiver, "service_down.relay");
        assert_eq!(receiver.inbox().len(), kinds.len(), "nobody else is told of: {:?}", receiver.inbox());
        kinds.retain(|kind| kind != "update");
        assert_eq!(kinds, ["firing", "resolved"]);
    });
}

/// The channel is away: whatever happens to dixmgr meanwhile, the note arrives, once, and so does the end.
#[test]
fn a_note_survives_its_channel_and_dixmgr() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let launch = Launch::exec(host, &config(&["api"], ""));
        let dixmgr = launch.start();
        server.connect().wait_phase("wf.svc.api", PhaseName::Healthy);
        for mode in ["500", "mute"] {
            receiver.answers(mode);
            let tries = receiver.tries();
            if mode == "500" {
                host.kill("api");
            }
            wait_until("it is tried", || receiver.tries() > tries);
        }
        wait_until("it has it, and has not said so", || kinds(&receiver, "service_down.api") == ["firing"]);
        receiver.answers("hang");
        let tries = receiver.tries();
        wait_until("it is tried again", || receiver.tries() > tries);
        dixmgr.kill();
        receiver.answers("ok");
        let _dixmgr = launch.start();
        let temporal = server.connect();
        wait_until("it is accepted", || {
            temporal.try_query("wf.incident.service_down.api", "status").is_some_and(|status| {
                status["channels"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|one| one["name"] == "hook" && one["told"] == true)
            })
        });
        host.systemctl(&["start", "api"]);
        receiver.wait("service_down.api", "resolved");
        assert_eq!(kinds(&receiver, "service_down.api"), ["firing", "resolved"]);
    });
}

#[test]
fn people_acknowledge_and_silence_from_the_command_line() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api", "db"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let running = Launch::exec(host, &config(&["api", "db"], "")).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        temporal.wait_phase("wf.svc.db", PhaseName::Healthy);
        let run = |arguments: &[&str]| says_here(arguments, 0);
        let quiet = run(&["silence", "--match", "service=d*", "--for", "1h", "--comment", "disk swap"]);
        assert!(quiet.contains("silence "), "{quiet}");
        assert!(run(&["silences"]).contains("service=d*"));
        host.kill("db");
        host.kill("api");
        receiver.wait("service_down.api", "firing");
        assert!(run(&["ack", "api", "--comment", "on it"]).contains("acknowledged"));
        receiver.wait("service_down.api", "acknowledged");
        wait_until("the silenced one is known", || run(&["alerts"]).contains("service_down.db"));
        let alerts = run(&["alerts"]);
        assert!(alerts.contains("acknowledged") && alerts.contains("silenced"), "{alerts}");
        assert_eq!(kinds(&receiver, "service_down.db"), [""; 0], "nobody is told");
        // What is still wrong when the silence ends is told then.
        let id = run(&["silences"]).split_whitespace().next().unwrap().to_owned();
        run(&["unsilence", &id]);
        receiver.wait("service_down.db", "firing");
        let done = run(&["history"]);
        assert!(done.contains("service=d*: disk swap") && done.contains("unsilence"), "{done}");
        host.systemctl(&["start", "api", "db"]);
        receiver.wait("service_down.api", "resolved");
        receiver.wait("service_down.db", "resolved");
        drop(running);
    });
}

#[test]
fn who_restarts_what_falls_is_told_of_a_loop() {
    in_sandbox(Sandbox::UserManager, |host| {
        set("well", true);
        let dies = format!(
            "{}\nExecStart=/bin/sh -c 'while [ -e {} ]; do sleep 0.02; done'",
            counts_starts("starts"),
            file("well").display()
        );
        host.install([("api.service", dies.as_str())]);
        host.start(&["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let services = config(&["api"], "")
            .replace("restart = { max = 0 }", "restart = { max = 4, backoff = \"10ms\", backoff_max = \"20ms\" }");
        let _dixmgr = Launch::exec(host, &services).start();
        server.connect().wait_phase("wf.svc.api", PhaseName::Healthy);
        set("well", false);
        let note = receiver.wait("restart_loop.api", "firing");
        assert!(note["members"][0]["detail"].as_str().unwrap().contains("restarted 3 times"), "{note}");
    });
}

#[test]
fn a_lost_host_is_told_by_another_one_and_its_return_too() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api", "web"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let services = format!(
            "[hosts]\nlease_timeout = \"3s\"\n[alerts]\ngroup_wait = \"0s\"\n{}\
             [services.api]\nunit = \"api.service\"\nhost = \"alpha\"\n[services.web]\nunit = \"web.service\"\nhost = \"beta\"\n",
            Receiver::channel()
        );
        let launch = |name| Launch::exec(host, &services).on_host(name);
        let alpha = launch("alpha");
        let (dies, _beta) = (alpha.start(), launch("beta").start());
        let temporal = server.connect();
        for service in ["api", "web"] {
            temporal.wait_phase(&format!("wf.svc.{service}"), PhaseName::Healthy);
        }
        dies.kill();
        let note = receiver.wait("host_lost.host.alpha", "firing");
        assert!(note["members"][0]["detail"].as_str().unwrap().contains("host alpha is lost"), "{note}");
        assert_eq!((&note["severity"], &note["service"]), (&Value::from("critical"), &Value::from("")));
        let _back = alpha.start();
        receiver.wait("host_lost.host.alpha", "resolved");
        assert_eq!(kinds(&receiver, "service_down.api"), [""; 0], "what nobody sees is not down");
    });
}

/// A dependency on a lost host is not down, and yet it is why something else cannot be started.
#[test]
fn what_falls_because_of_a_lost_host_is_told_with_it() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api", "web"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let services = format!(
            "[hosts]\nlease_timeout = \"3s\"\n[alerts]\ngroup_wait = \"2s\"\n{}\
             [services.api]\nunit = \"api.service\"\nhost = \"alpha\"\n\
             [services.web]\nunit = \"web.service\"\nhost = \"beta\"\nafter = [\"api\"]\n",
            Receiver::channel()
        );
        let launch = |name| Launch::exec(host, &services).on_host(name);
        let alpha = launch("alpha");
        let (dies, _beta) = (alpha.start(), launch("beta").start());
        let temporal = server.connect();
        for service in ["api", "web"] {
            temporal.wait_phase(&format!("wf.svc.{service}"), PhaseName::Healthy);
        }
        dies.kill();
        receiver.wait("host_lost.host.alpha", "firing");
        host.kill("web");
        wait_until("what is behind the loss is known", || {
            temporal.query("wf.incident.host_lost.host.alpha", "status")["affected"] == 1
        });
        let _back = alpha.start();
        receiver.wait("host_lost.host.alpha", "resolved");
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        assert_eq!(kinds(&receiver, "service_down.web"), [""; 0], "{:?}", receiver.inbox());
    });
}
