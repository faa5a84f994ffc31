//! What people rely on at night: a rule switched off, a channel tried out, who is told next, and when nobody is.

use super::alerts::{config, kinds, runs, statuses};
use super::telling::told_by;
use super::{WF_API, file};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Dixmgr, Host, Launch, Receiver, Sandbox, Temporal, TemporalServer, dixmgr, in_sandbox, wait_until};
use std::time::{SystemTime, UNIX_EPOCH};

const INCIDENT: &str = "service_down.api";
/// Nobody listens there.
const DEAD: &str = "[[alerts.channels]]\ntype = \"webhook\"\nname = \"dead\"\nurl = \"http://127.0.0.1:1/in\"\n";

/// A second channel, which is told when nobody has acknowledged within a second.
pub(super) fn escalation() -> String {
    let boss = Receiver::channel().replace("name = \"hook\"", "name = \"boss\"");
    boss + "[[alerts.escalation]]\nwait = \"1s\"\nchannels = [\"boss\"]\n"
}

/// What a command says, which must end with this code.
#[track_caller]
pub(super) fn says(arguments: &[&str], code: i32) -> String {
    let output = dixmgr(arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    text
}

/// The same, about the dixmgr that runs here.
#[track_caller]
pub(super) fn says_here(arguments: &[&str], code: i32) -> String {
    let state = file("state").display().to_string();
    says(&[arguments, &["-host", "alpha", "-state-dir", &state]].concat(), code)
}

/// Starts dixmgr, and waits until `api` is known to be well.
fn supervise(host: &Host, server: &TemporalServer, config: &str) -> (Dixmgr, Temporal) {
    let running = Launch::exec(host, config).start();
    let temporal = server.connect();
    temporal.wait_phase(WF_API, PhaseName::Healthy);
    (running, temporal)
}

#[test]
fn a_rule_that_is_switched_off_ends_what_fires_until_it_is_on_again() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let (_running, _) = supervise(host, &server, &config(&["api"], ""));
        host.kill("api");
        receiver.wait(INCIDENT, "firing");
        says_here(&["rules", "ServiceDown", "off"], 0);
        wait_until("its end is told", || statuses(&receiver, INCIDENT) == ["firing", "resolved"]);
        let shown = says_here(&["rules"], 0);
        let line = shown.lines().find(|line| line.starts_with("ServiceDown ")).unwrap();
        assert!(line.contains(" off "), "{line}");
        says_here(&["rules", "ServiceDown", "on"], 0);
        wait_until("it is told again", || statuses(&receiver, INCIDENT) == ["firing", "resolved", "firing"]);
        let unknown = says_here(&["rules", "ServiceDwn", "off"], 1);
        assert!(unknown.contains("ServiceDwn"), "{unknown}");
        let past = says_here(&["history"], 0);
        for (what, rule) in
            [("rule-off", "done (ServiceDown)"), ("rule-on", "done (ServiceDown)"), ("rule-off", "(ServiceDwn)")]
        {
            assert!(past.lines().any(|line| line.contains(what) && line.contains(rule)), "no {what} {rule} in {past}");
        }
        host.systemctl(&["start", "api"]);
        wait_until("the end", || statuses(&receiver, INCIDENT).last().is_some_and(|last| last == "resolved"));
    });
}

#[test]
fn a_channel_is_tried_out_and_says_what_came_of_it() {
    in_sandbox(Sandbox::UserManager, |host| {
        let receiver = Receiver::start(host);
        let conf = file("people.toml");
        std::fs::write(&conf, config(&["api"], DEAD)).unwrap();
        let conf = conf.display().to_string();
        let tries = |channel: &str, code| says(&["test-alert", channel, "-conf", &conf], code);
        assert!(tries("hook", 0).contains("hook has accepted it"));
        let told = receiver.inbox();
        assert_eq!((told.len(), &told[0]["kind"]), (1, &"test".into()), "{told:?}");
        let unknown = tries("hok", 1);
        assert!(unknown.contains("there is no channel \"hok\"") && unknown.contains("dead, hook"), "{unknown}");
        let dead = tries("dead", 1);
        assert!(dead.contains("dead did not accept it this time: ") && dead.contains("connect"), "{dead}");
        assert!(!dead.contains("/in"), "the address is nobody's business: {dead}");
        // Of a dixmgr that is told by flags alone whom to tell.
        let unsigned = says(&["test-alert", "webhook", "-webhook-url", &Receiver::url()], 1);
        assert!(unsigned.contains("webhook refuses it: ") && unsigned.contains("401"), "{unsigned}");
        assert!(says(&["test-alert", "webhook"], 2).contains("-conf FILE"));
    });
}

#[test]
fn incidents_are_listed_by_how_bad_they_are() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let (_running, temporal) = supervise(host, &server, &config(&["api"], ""));
        host.kill("api");
        receiver.wait(INCIDENT, "firing");
        let listed = |severity: &str| {
            let query = format!("WorkflowType = \"IncidentWorkflow\" and DixSeverity = \"{severity}\"");
            temporal.cli(&["workflow", "list", "--query", &query])
        };
        wait_until("it is found", || listed("critical").contains(&format!("wf.incident.{INCIDENT}")));
        assert!(!listed("warning").contains("wf.incident."));
    });
}

#[test]
fn another_channel_is_told_when_the_first_has_failed_for_a_while() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        // By itself it is told of nothing here.
        let text = config(&["api"], &format!("{DEAD}fallback = \"hook\"\nfallback_after = \"1s\"\n"));
        let text = text.replace("name = \"hook\"\n", "name = \"hook\"\nmatch = [\"service=nobody\"]\n");
        let (running, _) = supervise(host, &server, &text);
        host.kill("api");
        receiver.wait(INCIDENT, "firing");
        running.wait_logged(&["another channel is told in its place", "channel=\"dead\"", "to=\"hook\""]);
        host.systemctl(&["start", "api"]);
        receiver.wait(INCIDENT, "resolved");
        assert_eq!(kinds(&receiver, INCIDENT), ["firing", "resolved"]);
    });
}

#[test]
fn who_is_next_is_told_when_nobody_acknowledges() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let (_running, _) = supervise(host, &server, &config(&["api"], &escalation()));
        host.kill("api");
        wait_until("the second one is told", || told_by(&receiver, "boss").len() == 1);
        assert_eq!(told_by(&receiver, "hook").first().map(String::as_str), Some("firing"));
        let at = |channel: &str| {
            let tried = receiver.tried();
            let is_by = |id: &str| id.contains(&format!("-{channel}-"));
            let first = tried.iter().find(|one| one["id"].as_str().is_some_and(is_by)).unwrap();
            first["at"].as_f64().unwrap()
        };
        assert!(at("boss") > at("hook"), "the first one is told first");
        host.systemctl(&["start", "api"]);
        for channel in ["hook", "boss"] {
            wait_until("both hear the end", || told_by(&receiver, channel).last().is_some_and(|it| it == "resolved"));
        }
    });
}

/// Of two incidents of a service nobody was told of the one that is asked first.
#[test]
fn an_incident_that_refuses_keeps_nobody_from_the_others() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let rule = "[[alerts.rules]]\nname = \"Gone\"\ntype = \"gone\"\nwhen = \"health == 'down'\"\n";
        let (_running, _) = supervise(host, &server, &config(&["api"], rule));
        says_here(&["silence", "--match", "type=gone", "--for", "1h"], 0);
        host.kill("api");
        receiver.wait(INCIDENT, "firing");
        wait_until("both are known", || {
            let shown = says_here(&["alerts"], 0);
            let is = |name: &str, phase: &str| shown.lines().any(|it| it.starts_with(name) && it.contains(phase));
            is("gone.api ", " silenced ") && is("service_down.api ", " firing ")
        });
        let said = says_here(&["ack", "api", "--comment", "on it"], 1);
        assert!(said.contains("gone.api: nobody was told of it: "), "{said}");
        assert!(said.contains("service_down.api: acknowledged; "), "{said}");
        receiver.wait(INCIDENT, "acknowledged");
    });
}

/// A window that began a minute ago or more, and ends in so many seconds; and when that is.
fn window(ends_in: u64) -> (String, u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (begins, ends) = ((now / 60 - 1) * 60, now + ends_in);
    let (hour, minute) = (begins / 3_600 % 24, begins / 60 % 60);
    let (start, length) = (format!("{hour:02}:{minute:02}"), ends - begins);
    (format!("[[alerts.maintenance]]\nname = \"disks\"\nstart = \"{start}\"\nlength = \"{length}s\"\n"), ends)
}

#[test]
fn what_is_still_wrong_when_the_maintenance_ends_is_told_then() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let (running, temporal) = supervise(host, &server, &config(&["api"], &window(7_200).0));
        host.kill("api");
        let id = format!("wf.incident.{INCIDENT}");
        wait_until("it is silenced", || {
            temporal.try_query(&id, "status").is_some_and(|status| status["phase"] == "silenced")
        });
        let status = temporal.query(&id, "status");
        assert!(status["waiting_for"].to_string().contains("the maintenance window disks is open until"), "{status}");
        assert_eq!(receiver.tries(), 0, "{:?}", receiver.tried());
        assert_eq!(running.terminate().code(), Some(0));
        // The same window, with an end that can be waited for.
        let (shorter, ends) = window(15);
        let _running = Launch::exec(host, &config(&["api"], &shorter)).start();
        receiver.wait(INCIDENT, "firing");
        let told = receiver.tried()[0]["at"].as_f64().unwrap();
        assert!(told >= ends as f64, "it is told at {told}, and the window was open until {ends}");
    });
}
