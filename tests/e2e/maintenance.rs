//! Maintenance windows that people set while all goes on: what they cover is not told, and what is left of it is told afterwards.

use super::alerts::{config, runs, statuses};
use super::people::{says, says_here};
use super::{WF_API, file};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Launch, Receiver, Sandbox, TemporalServer, in_sandbox, wait_until};
use serde_json::{Value, json};

const API: &str = "service_down.api";
const WEB: &str = "service_down.web";
/// Two days from midnight on, each day: always open.
const ALWAYS: [&str; 4] = ["--start", "00:00", "--length", "48h"];
/// One of the configuration, which is about nothing here.
const WRITTEN: &str =
    "[[alerts.maintenance]]\nname = \"backup\"\nstart = \"03:00\"\nlength = \"1h\"\nservices = [\"none\"]\n";

#[test]
fn a_window_that_is_set_by_command_covers_a_service_until_it_is_removed() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api", "web"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let _running = Launch::exec(host, &config(&["api", "web"], WRITTEN)).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        // Of this one people are told before.
        host.kill("web");
        receiver.wait(WEB, "firing");
        let swap = ["maintenance", "set", "disks", "--services", "api,web", "--comment", "swap"];
        let said = says_here(&[&swap[..], &ALWAYS].concat(), 0);
        assert!(said.contains("disks is set: each day at 00:00 UTC for 48h, api, web; it is open until"), "{said}");
        host.kill("api");
        let id = format!("wf.incident.{API}");
        let waits_for = |id: &str| temporal.try_query(id, "status").map(|it| it["waiting_for"].to_string());
        wait_until("both are covered", || {
            let covered =
                |id: &str| waits_for(id).is_some_and(|it| it.contains("the maintenance window disks is open"));
            covered(&id) && covered(&format!("wf.incident.{WEB}"))
        });
        // An end is told all the same.
        host.systemctl(&["start", "web"]);
        receiver.wait(WEB, "resolved");
        assert_eq!(statuses(&receiver, API), [""; 0]);
        assert_eq!(temporal.query(&id, "status")["phase"], "silenced");

        let listed: Vec<Value> = serde_json::from_str(&says_here(&["maintenance", "-output", "json"], 0)).unwrap();
        assert_eq!((&listed[0]["name"], &listed[0]["comment"]), (&json!("disks"), &json!("swap")));
        assert!(listed[0]["open_until"].is_string() && !listed[0]["by"].as_str().unwrap().is_empty(), "{listed:?}");
        assert!(listed[1]["name"] == "backup" && listed[1]["file"].as_str().unwrap().ends_with(".toml"), "{listed:?}");
        assert!(!says_here(&["silences"], 0).contains("disks"), "a window is no silence");

        says_here(&["maintenance", "remove", "disks"], 0);
        receiver.wait(API, "firing");
        host.systemctl(&["start", "api"]);
        receiver.wait(API, "resolved");
        assert_eq!((statuses(&receiver, API), statuses(&receiver, WEB)), (told_once(), told_once()));
        let past = says_here(&["history"], 0);
        for what in ["set disks, each day at 00:00 UTC for 48h, api, web: swap", "remove disks"] {
            assert!(past.lines().any(|line| line.contains("maintenance") && line.contains(what)), "{what}: {past}");
        }
    });
}

fn told_once() -> Vec<String> {
    ["firing", "resolved"].map(str::to_owned).to_vec()
}

#[test]
fn a_window_that_cannot_be_set_or_removed_says_why() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, _receiver) = (TemporalServer::start(), Receiver::start(host));
        let _running = Launch::exec(host, &config(&["api"], WRITTEN)).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let nothing = says_here(&["maintenance", "remove", "disk"], 1);
        assert!(nothing.contains("the fleet has no maintenance window \"disk\"; there are none"), "{nothing}");
        let written = says_here(&["maintenance", "remove", "backup"], 1);
        assert!(written.contains("\"backup\" is one of ") && written.contains("take it out there"), "{written}");
        let zone = says(&[&["maintenance", "set", "disks", "--zone", "Mars"], &ALWAYS[..]].concat(), 2);
        assert!(zone.contains("\"Mars\" is no time zone; write it as in \"Europe/Zurich\""), "{zone}");

        // The `temporal` command line is enough.
        let update = |name: &str, input: &Value| {
            let (input, wf) = (input.to_string(), "wf.infra");
            let command = ["workflow", "update", "execute", "--workflow-id", wf, "--name", name, "--input", &input];
            let output = temporal.try_cli(&command);
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
        };
        let disks = |zone: &str| json!({"name": "disks", "start": "02:00", "length": "2h", "zone": zone, "by": "me"});
        let refused = update("set_maintenance", &disks("Mars"));
        assert!(refused.contains("is no time zone; write it as in"), "{refused}");
        let refused = update("set_maintenance", &json!({"name": "disks", "start": "2am", "length": "2h"}));
        assert!(refused.contains("the argument of set_maintenance is {"), "{refused}");
        let set = update("set_maintenance", &disks("Europe/Zurich"));
        assert!(set.contains("disks is set: each day at 02:00 Europe/Zurich for 2h"), "{set}");
        assert_eq!(temporal.query("wf.infra", "maintenance"), json!([disks("Europe/Zurich")]));
        let unknown = says_here(&["maintenance", "remove", "disk"], 1);
        assert!(unknown.contains("there are disks"), "{unknown}");
        let conf = file("maintenance.toml");
        std::fs::write(&conf, config(&["api"], &WRITTEN.replace("backup", "elsewhere"))).unwrap();
        let shown = says_here(&["maintenance", "list", "-conf", &conf.display().to_string()], 0);
        let names: Vec<_> = shown.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, ["disks", "elsewhere"], "{shown}");
    });
}
