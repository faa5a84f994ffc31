//! Telling the programs that people run beside dixmgr: a real Alertmanager, a mail server, PostgreSQL.

use super::{SLEEP, file};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{FOLDER, Host, Launch, Sandbox, TemporalServer, dixmgr, get, in_sandbox, wait_for, wait_until};
use serde_json::Value;
use std::net::TcpStream;
use std::path::PathBuf;

/// `api`, which stays down once it fell, and these channels.
fn config(channels: &str) -> String {
    format!(
        "[alerts]\ngroup_wait = \"0s\"\ndedupe_window = \"1s\"\n{channels}\n\
         [services.api]\nunit = \"api.service\"\nrestart = {{ max = 0 }}\n"
    )
}

/// Starts a program of somebody else's as a unit, and waits until it listens.
fn serves(host: &Host, unit: &str, service: &str, port: u16) {
    host.install([(format!("{unit}.service").as_str(), service)]);
    host.start(&[unit]);
    wait_until(&format!("{unit} listens"), || TcpStream::connect(("127.0.0.1", port)).is_ok());
}

/// Starts dixmgr, and waits until `api` is known to be well.
fn supervise(host: &Host, server: &TemporalServer, config: &str) -> dixmgr_tests::Dixmgr {
    host.install([("api.service", SLEEP)]);
    host.start(&["api"]);
    let running = Launch::exec(host, config).start();
    server.connect().wait_phase("wf.svc.api", PhaseName::Healthy);
    running
}

/// Starts an Alertmanager that tells nobody, and returns the configuration of a channel to it.
fn alertmanager(host: &Host, resend: &str) -> String {
    let file = file("alertmanager.yml");
    std::fs::write(&file, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n").unwrap();
    let arguments = "--web.listen-address=127.0.0.1:9093 --cluster.listen-address=";
    let start = format!(
        "ExecStart={} --config.file={} --storage.path={FOLDER}/alertmanager {arguments}",
        program("prometheus-alertmanager").display(),
        file.display()
    );
    serves(host, "alertmanager", &start, 9093);
    format!(
        "[[alerts.channels]]\ntype = \"alertmanager\"\nname = \"am\"\nurl = \"http://127.0.0.1:9093\"\nresend = \"{resend}\"\n"
    )
}

/// What Alertmanager says is not over; none if it does not answer.
fn active_alerts() -> Option<Vec<Value>> {
    let (_, text) = get("http://127.0.0.1:9093/api/v2/alerts")?;
    serde_json::from_str(&text).ok()
}

#[test]
fn a_real_alertmanager_knows_what_fires_and_what_is_over() {
    in_sandbox(Sandbox::UserManager, |host| {
        let channel = alertmanager(host, "1s");
        let server = TemporalServer::start();
        let dixmgr = supervise(host, &server, &config(&channel));
        host.kill("api");
        let fires = |alerts: Vec<Value>| alerts.into_iter().find(|one| one["labels"]["service"] == "api");
        let alert = wait_for("it fires there", || fires(active_alerts()?));
        assert_eq!(alert["labels"]["severity"], "critical", "{alert}");
        let ends = |alert: &Value| alert["endsAt"].as_str().unwrap_or_default().to_owned();
        // Alertmanager forgets what it is not told again.
        let (first, sent) = (ends(&alert), || dixmgr.metric("dixmgr_notes_sent_total", &[("channel", "am")]));
        wait_until("it is told again", || active_alerts().is_some_and(|all| all.iter().any(|one| ends(one) > first)));
        assert_eq!((sent(), dixmgr.logged(&["told", "channel=\"am\""])), (Some(1.0), 1), "which is no news");
        host.systemctl(&["start", "api"]);
        wait_until("it is over there", || active_alerts().is_some_and(|all| all.is_empty()));
    });
}

/// The milder rule fires first and lasts longest. Nothing here is over because it was not told again: that takes four minutes.
#[test]
fn a_real_alertmanager_knows_one_alert_whichever_rule_of_its_type_fires() {
    in_sandbox(Sandbox::UserManager, |host| {
        let mut text = config(&alertmanager(host, "1m"));
        text = text.replace("[alerts]\n", "[alerts]\ndisabled_rules = [\"ServiceDown\"]\n");
        for (name, severity, rest) in
            [("Mild", "warning", "clear = \"5s\""), ("Grave", "critical", "for = \"3s\"\nclear = \"health != 'down'\"")]
        {
            text += &format!(
                "[[alerts.rules]]\nname = \"{name}\"\ntype = \"trouble\"\nseverity = \"{severity}\"\n\
                 when = \"health == 'down'\"\n{rest}\nlabels = {{ of = \"{name}\" }}\n"
            );
        }
        let server = TemporalServer::start();
        let _dixmgr = supervise(host, &server, &text);
        let severities = || {
            let all = active_alerts()?;
            Some(
                all.iter()
                    .map(|one| one["labels"]["severity"].as_str().unwrap_or_default().to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        host.kill("api");
        wait_until("the milder rule fires there", || severities().is_some_and(|all| all == ["warning"]));
        wait_until("it is critical, and nothing else", || severities().is_some_and(|all| all == ["critical"]));
        let alert = active_alerts().and_then(|all| all.into_iter().next()).unwrap();
        assert_eq!(
            (&alert["labels"]["of"], &alert["annotations"]["rule"]),
            (&"Mild".into(), &"Grave".into()),
            "{alert}"
        );
        host.systemctl(&["start", "api"]);
        wait_until("all is over there, and at once", || {
            let Some(known) = severities() else { return false };
            assert!(known.is_empty() || known == ["critical"], "{known:?}");
            known.is_empty()
        });
    });
}

#[test]
fn a_mail_says_it_and_the_next_one_is_in_its_thread() {
    in_sandbox(Sandbox::UserManager, |host| {
        let box_file = file("mails");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/mailbox.py");
        let start = format!("ExecStart=/usr/bin/python3 {script} 2525 {} ops hush", box_file.display());
        serves(host, "mailbox", &start, 2525);
        let password = file("password");
        std::fs::write(&password, "hush\n").unwrap();
        let server = TemporalServer::start();
        let channel = format!(
            "[[alerts.channels]]\ntype = \"email\"\nname = \"mail\"\nsmtp_host = \"127.0.0.1\"\nsmtp_port = 2525\ntls = \"none\"\n\
             from = \"dixmgr@example.org\"\nto = [\"ops@example.org\"]\nusername = \"ops\"\npassword_file = \"{}\"\n",
            password.display()
        );
        let dixmgr = supervise(host, &server, &config(&channel));
        let mails = || {
            let text = std::fs::read_to_string(&box_file).unwrap_or_default();
            text.split_inclusive('\n').filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Value>>()
        };
        host.kill("api");
        wait_until("a mail has come", || !mails().is_empty());
        host.systemctl(&["start", "api"]);
        wait_until("the second mail has come", || mails().len() == 2);
        let [first, second] = <[Value; 2]>::try_from(mails()).unwrap();
        assert!(first["headers"]["subject"].as_str().unwrap().contains("api is down"), "{first}");
        assert_eq!(first["to"], serde_json::json!(["ops@example.org"]));
        assert_eq!(first["kinds"], serde_json::json!(["multipart/alternative", "text/html", "text/plain"]));
        // Both hang on the incident, of which there is no mail.
        assert!(first["headers"]["references"].as_str().is_some_and(|root| root.contains(".incident@")), "{first}");
        assert_eq!(first["headers"]["references"], second["headers"]["references"], "one thread");
        assert_ne!(first["headers"]["message-id"], second["headers"]["message-id"]);
        assert!(!dixmgr.log().contains("hush"), "the password is nowhere");
    });
}

/// A program on the PATH, which systemd does not look at.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join(name)).filter(|file| file.is_file());
    found.next().unwrap_or_else(|| panic!("no {name} on the PATH; `make setup` gets it"))
}

/// The folder of PostgreSQL's programs, where Debian has them.
fn postgres() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL: `make setup` installs it");
    let mut folders: Vec<_> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.pop().expect("a version of PostgreSQL")
}

#[test]
fn the_history_is_kept_by_a_postgresql_server() {
    in_sandbox(Sandbox::UserManager, |host| {
        let (programs, data) = (postgres().display().to_string(), "/run/dixmgr-test/pg");
        std::fs::create_dir_all(data).unwrap();
        std::fs::write(file("pg-password"), "hush-hush").unwrap();
        std::os::unix::fs::chown(data, Some(65_534), Some(65_534)).unwrap();
        // It refuses to run as root.
        let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        let start = format!(
            "ExecStartPre={nobody} {programs}/initdb --username=dixmgr --auth=scram-sha-256 --pwfile={FOLDER}/pg-password --no-sync --locale=C.UTF-8 {data}/data\n\
             ExecStart={nobody} {programs}/postgres -D {data}/data -k {data} -c listen_addresses=127.0.0.1 -p 5433 -c fsync=off"
        );
        serves(host, "postgres", &start, 5433);
        let server = TemporalServer::start();
        let history = "[history]\nurl = \"postgres://dixmgr:hush-hush@127.0.0.1:5433/postgres\"\n";
        let running = supervise(host, &server, &format!("{history}{}", config("")));
        host.kill("api");
        server.connect().wait_phase("wf.svc.api", PhaseName::Exhausted);
        host.systemctl(&["start", "api"]);
        let (state, conf) = (file("state").display().to_string(), file("exec.toml").display().to_string());
        let asked = |command: &str| {
            let arguments = [command, "-host", "alpha", "-state-dir", &state, "-conf", &conf, "--output", "json"];
            String::from_utf8_lossy(&dixmgr(&arguments).stdout).into_owned()
        };
        wait_until("the outage is counted", || {
            serde_json::from_str::<Value>(&asked("uptime")).is_ok_and(|all| all[0]["outages"] == 1)
        });
        wait_until("the incident and its notes are there", || {
            let text = asked("history");
            ["\"transition\"", "\"incident\"", "\"note\""].iter().all(|kind| text.contains(kind))
        });
        assert!(!file("state/alpha/history.db").exists(), "there is no second history");
        assert!(!running.log().contains("hush-hush"));
    });
}
