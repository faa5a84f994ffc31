//! What happened is kept, and told by commands that need neither Temporal nor a dixmgr that runs.

use super::{API, SLEEP, WF_API, api_runs};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{
    Dixmgr, FOLDER, HOST_NAME, Host, Launch, Receiver, Sandbox, TemporalServer, dixmgr, in_sandbox, wait_for,
    wait_until,
};
use rustix::fs::{FlockOperation, fcntl_lock};
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A command about the past, and whether it succeeded; the text is what it said.
fn said(words: &[&str]) -> (bool, String) {
    let state_dir = format!("{FOLDER}/state");
    let output = dixmgr(&[words, &["-host", HOST_NAME, "-state-dir", &state_dir]].concat());
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// The answer of a command that may not know anything yet.
fn answer(words: &[&str]) -> Vec<Value> {
    let (well, text) = said(&[words, &["--output", "json"]].concat());
    if well { serde_json::from_str(&text).unwrap() } else { Vec::new() }
}

/// The phases that the service has been through.
pub(super) fn phases(words: &[&str]) -> Vec<String> {
    let transitions = answer(words).into_iter().filter(|line| line["kind"] == "transition");
    transitions.map(|line| line["phase"].as_str().unwrap().to_owned()).collect()
}

/// The words of a list in the order in which they must come, others between them.
fn come_in_order(found: &[String], wanted: &[&str]) -> bool {
    let mut found = found.iter();
    wanted.iter().all(|word| found.any(|one| one == word))
}

fn history_file() -> PathBuf {
    Path::new(FOLDER).join("state").join(HOST_NAME).join("history.db")
}

/// Kills `api` and waits until it has been restarted.
fn dies_once(host: &Host) {
    let before = host.kill("api");
    host.runs_anew("api", &before);
}

#[test]
fn a_killed_service_shows_down_and_up_with_its_restart() {
    in_sandbox(Sandbox::UserManager, |host| {
        let (well, text) = said(&["history"]);
        assert!(!well && text.contains("there is no history at"), "{text}");
        api_runs(host);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, &format!("[resources]\nsample_interval = \"1s\"\n{API}")).start();
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
        dies_once(host);
        wait_until("down and up", || come_in_order(&phases(&["history", "api"]), &["healthy", "down", "healthy"]));
        let restart =
            wait_for("the restart", || answer(&["history", "api"]).into_iter().find(|line| line["kind"] == "restart"));
        assert_eq!((&restart["reason"], &restart["result"]), (&"signal 9".into(), &"done".into()), "{restart}");
        let (_, text) = said(&["history", "api"]);
        assert!(text.contains("down         signal 9") && text.contains("(signal 9)"), "{text}");
        let uptime = answer(&["uptime", "api"]).remove(0);
        assert_eq!((&uptime["outages"], &uptime["restored"]), (&1.into(), &1.into()), "{uptime}");
        assert!(uptime["percent"].as_f64().is_some_and(|percent| percent < 100.0), "{uptime}");
        assert!(!said(&["uptime", "nobody"]).0);
        assert!(dixmgr.metric("dixmgr_history_rows_written_total", &[]) > Some(3.0));
        wait_until("it is measured", || dixmgr.metric("dixmgr_service_cpu_percent", &[("service", "api")]).is_some());
        wait_until("samples wait", || dixmgr.metric("dixmgr_history_rows_waiting", &[]) > Some(0.0));
        assert_eq!(dixmgr.metric("dixmgr_history_degraded", &[]), Some(0.0));
        assert_eq!(dixmgr.terminate().code(), Some(0));
        let (well, text) = said(&["export"]);
        assert!(well, "{text}");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for kind in ["transition", "interval", "restart", "usage"] {
            assert!(lines.iter().any(|line| line["kind"] == kind && line["service"] == "api"), "no {kind} in {text}");
        }
    });
}

#[test]
fn time_without_dixmgr_is_unknown_and_a_stop_on_command_is_no_outage() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let launch = Launch::exec(host, API);
        let first = launch.start();
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
        first.kill();
        // It dies, and nobody sees when.
        host.kill("api");
        let second = launch.start();
        wait_until("it runs", || host.is_running("api"));
        let known = || answer(&["uptime", "api"]).into_iter().next();
        let uptime = wait_for("unknown time", || known().filter(|one| one["unknown"] != "0s" && one["up"] != "0s"));
        assert_eq!(uptime["off"], "0s", "{uptime}");
        let outages = uptime["outages"].clone();
        super::commands::text(&["stop", "api"]);
        wait_until("it is off", || phases(&["history"]).last().is_some_and(|phase| phase == "stopped"));
        assert_eq!(second.terminate().code(), Some(0));
        let third = launch.start();
        super::commands::text(&["start", "api"]);
        wait_until("it is on", || phases(&["history"]).last().is_some_and(|phase| phase == "healthy"));
        let uptime = known().unwrap();
        assert_eq!(uptime["outages"], outages, "{uptime}: {:?}", answer(&["history", "api"]));
        assert_ne!(uptime["off"], "0s", "{uptime}");
        let actions: Vec<_> = answer(&["history", "api"]).into_iter().filter(|line| line["kind"] == "action").collect();
        let done: Vec<_> = actions.iter().map(|line| line["action"].as_str().unwrap()).collect();
        assert_eq!(done, ["stop", "start"], "{actions:?}");
        assert!(actions.iter().all(|line| line["who"].as_str().is_some_and(|who| who.contains('@'))), "{actions:?}");
        drop(third);
    });
}

#[test]
fn a_dry_run_leaves_the_live_history_alone() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let dry = Launch::watch(host, API).start();
        server.connect().wait_phase("dry.wf.svc.api", PhaseName::Healthy);
        host.kill("api");
        let seen = || phases(&["history", "--watch"]);
        wait_until("the dry run has its own", || come_in_order(&seen(), &["healthy", "down"]));
        let restart = answer(&["history", "--watch"])
            .into_iter()
            .find(|line| line["kind"] == "restart" && line["service"] == "api");
        assert!(restart.is_none_or(|line| line["result"] == "ObserveOnly"));
        assert!(!history_file().exists() && !said(&["history"]).0);
        assert_eq!(dry.terminate().code(), Some(0));
    });
}

/// Supervision goes on whatever is the matter with the history, and it is said.
fn goes_on<T>(host: &Host, spoil: impl FnOnce(&Path) -> T, said: &str, after: impl FnOnce(T, &Dixmgr)) {
    host.install([("api.service", SLEEP)]);
    host.start(&["api"]);
    std::fs::create_dir_all(history_file().parent().unwrap()).unwrap();
    let spoilt = spoil(&history_file());
    let server = TemporalServer::start();
    let config = format!("{API}\n[alerts]\ngroup_wait = \"0s\"\n{}", Receiver::channel());
    let dixmgr = Launch::exec(host, &config).start();
    server.connect().wait_phase(WF_API, PhaseName::Healthy);
    dies_once(host);
    dixmgr.wait_metric("dixmgr_service_restarts_total", "api", 1.0);
    dixmgr.wait_logged(&["history", said]);
    if said != "damaged" {
        assert_eq!(dixmgr.metric("dixmgr_history_degraded", &[]), Some(1.0));
        assert!(dixmgr.metric("dixmgr_history_rows_waiting", &[]) > Some(0.0));
    }
    after(spoilt, &dixmgr);
    assert_eq!(dixmgr.terminate().code(), Some(0));
}

#[test]
fn a_history_that_is_a_folder_stops_nothing() {
    in_sandbox(Sandbox::UserManager, |host| {
        goes_on(host, |file| std::fs::create_dir(file).unwrap(), "supervision goes on", |(), _| {});
    });
}

#[test]
fn a_history_that_another_process_holds_is_written_when_it_lets_go_and_people_are_told_of_both() {
    in_sandbox(Sandbox::UserManager, |host| {
        let receiver = Receiver::start(host);
        let incident = format!("history_degraded.host.{HOST_NAME}");
        let hold = |file: &Path| {
            let held = File::create(file).unwrap();
            fcntl_lock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
            held
        };
        goes_on(host, hold, "another process holds it", |held, dixmgr| {
            let note = receiver.wait(&incident, "firing");
            let text = note["message"].as_str().unwrap();
            assert!(text.contains("another process holds it") && text.contains("supervision goes on"), "{note}");
            drop(held);
            dixmgr.wait_logged(&["the history is written again"]);
            receiver.wait(&incident, "resolved");
            assert_eq!(receiver.told(&incident).len(), 2, "{:?}", receiver.inbox());
            assert_eq!(dixmgr.metric("dixmgr_history_degraded", &[]), Some(0.0));
        });
        assert!(come_in_order(&phases(&["history"]), &["healthy", "down", "healthy"]));
    });
}

#[test]
fn a_history_that_is_garbage_is_set_aside() {
    in_sandbox(Sandbox::UserManager, |host| {
        goes_on(host, |file| std::fs::write(file, "garbage ".repeat(2000)).unwrap(), "damaged", |(), _| {});
        assert!(come_in_order(&phases(&["history"]), &["healthy", "down", "healthy"]));
        let folder = history_file().parent().unwrap().to_owned();
        let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().any(|name| name.to_string_lossy().contains(".corrupt-")), "{names:?}");
    });
}
