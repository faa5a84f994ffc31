//! A service that runs and does not work: seen by its probe, told to those who depend on it, restarted where its owner says so.

use super::alerts::kinds;
use super::{SLEEP, file, set, waits_for};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{FOLDER, Host, Launch, Receiver, Sandbox, TemporalServer, in_sandbox, wait_until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;

const INCIDENT: &str = "health_check_failed.web";

/// `web` with a health endpoint, and `app`, which comes after it.
fn install(host: &Host, more: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/health.py");
    // It is up when it listens: how long that takes is not what is tested here.
    let listens =
        "ExecStartPost=/bin/bash -c 'until (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null; do sleep 0.02; done'";
    let web = format!("{more}\nExecStart=python3 {script} 8080 {}\n{listens}", file("sick").display());
    host.install([("web.service", web.as_str()), ("app.service", SLEEP)]);
}

fn services(restart: &str) -> String {
    let probe = "url = \"http://127.0.0.1:8080/health\", json_path = \"status\", interval = \"1s\", failures = 2";
    format!(
        "[services.web]\nunit = \"web.service\"\n{restart}\nprobes.http = {{ {probe}, start_grace = \"0s\" }}\n\
         [services.app]\nunit = \"app.service\"\nafter = [\"web\"]\n"
    )
}

#[test]
fn what_runs_and_does_not_work_is_degraded_and_those_after_it_wait() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host, "");
        set("sick", true);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, &services("")).start();
        let temporal = server.connect();
        let web = temporal.wait_phase("wf.svc.web", PhaseName::Degraded);
        assert!(web.detail.contains("http"), "{}", web.detail);
        dixmgr.wait_logged(&["probe has failed", "service=web", "probe=\"http\""]);
        assert_eq!(temporal.wait_phase("wf.svc.app", PhaseName::Waiting).waiting_for[0].as_str(), "web");
        assert_eq!(dixmgr.metric("dixmgr_probe_healthy", &[("service", "web"), ("probe", "http")]), Some(0.0));
        let run = host.invocation("web");
        set("sick", false);
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        temporal.wait_phase("wf.svc.app", PhaseName::Healthy);
        assert_eq!(host.invocation("web"), run, "nobody has restarted it");
        wait_until("it is shown", || {
            dixmgr.metric("dixmgr_probe_healthy", &[("service", "web"), ("probe", "http")]) == Some(1.0)
        });
    });
}

/// The whole story: `app` waits for an endpoint and not for a unit, loses it while the unit still runs, and has it back when the
/// policy has brought it back.
#[test]
fn who_comes_after_an_endpoint_waits_for_its_yes_and_sees_it_fail_be_restarted_by_policy_and_recover() {
    in_sandbox(Sandbox::UserManager, |host| {
        // A start takes as long as the gate is closed; later ones make it well again.
        let cures = format!("ExecStartPre=/bin/sh -c '[ ! -e {0}/cures ] || rm -f {0}/sick'", FOLDER);
        install(host, &[waits_for("ExecStartPre", "gate"), cures].join("\n"));
        set("gate", true);
        set("sick", true);
        let server = TemporalServer::start();
        let restart = "restart = { restart_on = [\"exit\", \"probe\"], settle = \"5s\" }";
        let story = services(restart)
            .replace("start_grace = \"0s\"", "start_grace = \"10s\"")
            .replace("after = [\"web\"]", "after = [\"web\"]\non_dependency_loss = \"stop\"");
        let dixmgr = Launch::exec(host, &story).start();
        let temporal = server.connect();
        let probe_says = || dixmgr.metric("dixmgr_probe_healthy", &[("service", "web"), ("probe", "http")]);

        // The unit is up; its endpoint has not said yes.
        wait_until("web runs", || host.is_running("web"));
        assert_eq!(temporal.wait_phase("wf.svc.app", PhaseName::Waiting).waiting_for[0].as_str(), "web");
        assert_eq!(host.state("app"), "inactive/dead");
        set("sick", false);
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        temporal.wait_phase("wf.svc.app", PhaseName::Healthy);
        let (web, app) = (host.invocation("web"), host.invocation("app"));

        // The unit is up and its endpoint fails: degraded, and lost to those after it.
        set("cures", true);
        set("gate", false);
        set("sick", true);
        let degraded = temporal.wait_phase("wf.svc.web", PhaseName::Degraded);
        assert!(degraded.detail.contains("http"), "{}", degraded.detail);
        assert_eq!((host.is_running("web"), host.invocation("web")), (true, web.clone()));
        assert_eq!(probe_says(), Some(0.0));
        assert_eq!(temporal.wait_phase("wf.svc.app", PhaseName::Waiting).waiting_for[0].as_str(), "web");
        assert_eq!(host.state("app"), "inactive/dead");

        // It is restarted by policy; a restart under way is no recovery.
        wait_until("web is restarted", || host.state("web") == "activating/start-pre");
        assert_eq!(host.state("app"), "inactive/dead");
        set("gate", true);
        host.runs_anew("web", &web);
        let healed = temporal.wait_status("wf.svc.web", "is healthy again", |status| {
            status.phase == PhaseName::Healthy && status.restarts.total == 1
        });
        assert!(healed.last_failure.is_some_and(|failure| failure.reason.contains("probe http has failed")));
        dixmgr.wait_metric("dixmgr_service_restarts_total", "web", 1.0);

        // It is back for those after it, which have not failed.
        host.runs_anew("app", &app);
        assert!(host.stamps("app").0 > host.stamps("web").1);
        assert_eq!(temporal.wait_phase("wf.svc.app", PhaseName::Healthy).restarts.total, 0);
        assert_eq!(probe_says(), Some(1.0));
    });
}

/// A dependency that is down is no reason to restart who runs: that mends nothing. When the other one is back it has its time to come
/// round by itself.
#[test]
fn whose_probe_fails_while_what_it_comes_after_is_down_waits_for_it_and_for_its_own_next_try() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host, "");
        host.install([("db.service", SLEEP)]);
        host.start(&["db", "web"]);
        let server = TemporalServer::start();
        let keys = "after = [\"db\"]\nrestart = { restart_on = [\"probe\"] }";
        let config = services(keys) + "[services.db]\nunit = \"db.service\"\n";
        let dixmgr = Launch::exec(host, &config).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        let run = host.invocation("web");
        host.systemctl(&["stop", "db.service"]);
        temporal.wait_phase("wf.svc.db", PhaseName::Stopped);
        set("sick", true);
        let waits = temporal.wait_phase("wf.svc.web", PhaseName::Waiting);
        assert_eq!(waits.waiting_for.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["db"]);
        assert!(waits.detail.contains("http"), "{}", waits.detail);
        assert_eq!((waits.restarts.total, host.invocation("web")), (0, run.clone()));

        // It comes round by itself: no restart.
        set("sick", false);
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        set("sick", true);
        temporal.wait_phase("wf.svc.web", PhaseName::Waiting);
        let waits =
            || temporal.all_workflows().into_iter().find(|one| one.id == "wf.wait.web" && one.status == "Running");
        wait_until("it waits in a workflow of its own", || waits().is_some());
        assert_eq!((host.is_running("web"), host.invocation("web")), (true, run.clone()));

        // What it waited for is there, and it comes round a little later.
        host.start(&["db"]);
        temporal.wait_phase("wf.svc.db", PhaseName::Healthy);
        let comes_round =
            temporal.wait_status("wf.svc.web", "has its time", |status| status.phase == PhaseName::BackingOff);
        assert_eq!(comes_round.restarts.total, 0);
        set("sick", false);
        let healed = temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        assert_eq!((healed.restarts.total, host.invocation("web")), (0, run));
        dixmgr.wait_logged(&["probe is content again", "service=web"]);
    });
}

/// What is asked of endpoints that do not answer is little, and nothing more for the others.
#[test]
fn an_endpoint_that_does_not_answer_is_left_alone_for_a_while() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host, "");
        host.install([("dead.service", SLEEP)]);
        let server = TemporalServer::start();
        let dead = "[services.dead]\nunit = \"dead.service\"\n\
                    probes.port = { tcp = \"127.0.0.1:9\", interval = \"1s\", failures = 2, start_grace = \"0s\" }\n";
        let dixmgr = Launch::exec(host, &format!("{}{dead}", services(""))).start();
        let temporal = server.connect();
        let dead = temporal.wait_phase("wf.svc.dead", PhaseName::Degraded);
        assert!(dead.detail.contains("port"), "{}", dead.detail);
        let breaker =
            |service, probe| dixmgr.metric("dixmgr_probe_breaker_state", &[("service", service), ("probe", probe)]);
        wait_until("it is left alone", || breaker("dead", "port") == Some(2.0));
        assert_eq!(breaker("web", "http"), Some(0.0));
        assert_eq!(dixmgr.metric("dixmgr_systemd_breaker_state", &[]), Some(0.0));
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        // A new run of it is asked at once.
        let run = host.invocation("dead");
        host.systemctl(&["restart", "dead.service"]);
        host.runs_anew("dead", &run);
        wait_until("it is asked again", || breaker("dead", "port") == Some(0.0));
    });
}

/// What says why is told; that the service is degraded for it is held, and over with it.
#[test]
fn a_failing_probe_is_told_once_though_the_service_is_degraded_for_it() {
    const DEGRADED: &str = "service_degraded.web";
    in_sandbox(Sandbox::UserManager, |host| {
        install(host, "");
        host.start(&["web"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let soon = "[[alerts.rules]]\nname = \"ServiceDegraded\"\ntype = \"service_degraded\"\nfor = \"1s\"\n";
        let alerts = format!("[alerts]\ngroup_wait = \"0s\"\ndedupe_window = \"1s\"\n{}{soon}", Receiver::channel());
        let dixmgr = Launch::exec(host, &format!("{alerts}{}", services(""))).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.app", PhaseName::Healthy);
        set("sick", true);
        receiver.wait(INCIDENT, "firing");
        let id = format!("wf.incident.{DEGRADED}");
        wait_until("it is held", || temporal.try_query(&id, "status").is_some_and(|status| status["phase"] == "held"));
        for alert in ["health_check_failed", "service_degraded"] {
            assert_eq!(dixmgr.metric("dixmgr_alerts_active", &[("alert_type", alert)]), Some(1.0), "{alert} fires");
        }
        assert_eq!(temporal.query(&format!("wf.incident.{INCIDENT}"), "status")["affected"], 0);
        set("sick", false);
        receiver.wait(INCIDENT, "resolved");
        wait_until("both are over", || {
            let is_over =
                |id: &str| temporal.all_workflows().iter().any(|one| one.id == id && one.status == "Completed");
            is_over(&id) && is_over(&format!("wf.incident.{INCIDENT}"))
        });
        assert_eq!(kinds(&receiver, INCIDENT), ["firing", "resolved"]);
        assert_eq!(kinds(&receiver, DEGRADED), [""; 0]);
    });
}

/// What a new dixmgr sees in its first looks is not believed yet: that ends no alert, and begins none.
#[test]
fn a_restart_of_dixmgr_neither_ends_the_alert_of_a_failing_probe_nor_tells_it_again() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host, "");
        host.start(&["web"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let alerts = format!("[alerts]\ngroup_wait = \"0s\"\ndedupe_window = \"1s\"\n{}", Receiver::channel());
        let services = services("").replace("start_grace = \"0s\"", "start_grace = \"5s\"");
        let launch = Launch::exec(host, &format!("{alerts}{services}"));
        let first = launch.start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.app", PhaseName::Healthy);
        set("sick", true);
        receiver.wait(INCIDENT, "firing");
        assert_eq!(first.terminate().code(), Some(0));
        let second = launch.start();
        // Once its grace is over it is believed again.
        second.wait_logged(&["probe has failed", "service=web"]);
        assert_eq!(second.metric("dixmgr_alerts_active", &[("alert_type", "health_check_failed")]), Some(1.0));
        assert_eq!(temporal.status("wf.svc.web").unwrap().phase, PhaseName::Degraded);
        set("sick", false);
        receiver.wait(INCIDENT, "resolved");
        assert_eq!(kinds(&receiver, INCIDENT), ["firing", "resolved"]);
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
    });
}

#[test]
fn what_the_environment_says_of_proxies_is_not_heard() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host, "");
        let config = services("") + &super::nodes::install(host, &[("node", 9944)]);
        let server = TemporalServer::start();
        let mut launch = Launch::exec(host, &config);
        for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            // Nobody listens there.
            launch = launch.env(name, "http://127.0.0.1:9");
        }
        let _dixmgr = launch.start();
        let temporal = server.connect();
        // By way of the proxy neither would ever be.
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        temporal.wait_phase("wf.svc.node", PhaseName::Healthy);
    });
}

/// The folder's `ca.pem`, and `server.pem`: a certificate of that authority for a name that is not the host's, with its key.
fn make_certificates() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["health.example".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    std::fs::write(file("ca.pem"), authority.pem()).unwrap();
    std::fs::write(file("server.pem"), certificate.pem() + &key.serialize_pem()).unwrap();
}

#[test]
fn an_endpoint_with_an_authority_of_its_own_is_asked_by_its_probe_and_by_name() {
    in_sandbox(Sandbox::UserManager, |host| {
        make_certificates();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/health.py");
        let (sick, pem) = (file("sick"), file("server.pem"));
        let unit = format!("ExecStart=python3 {script} 8443 {} {}", sick.display(), pem.display());
        host.install([("web.service", unit.as_str())]);
        let server = TemporalServer::start();
        let url = "https://127.0.0.1:8443/health";
        let often = "interval = \"1s\", failures = 2, start_grace = \"0s\"";
        let condition = "status < 600 && body.status == \"ok\" && certificate_expires_in > 1d";
        let config = format!(
            "[services.web]\nunit = \"web.service\"\n\
             probes.tls = {{ url = \"{url}\", tls_ca = \"{}\", tls_server_name = \"health.example\", \
             condition = '{condition}', {often} }}\n\
             probes.name = {{ dns = \"localhost\", dns_expect = [\"127.0.0.1\"], {often} }}\n",
            file("ca.pem").display()
        );
        let dixmgr = Launch::exec(host, &config).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        let metric = |name, probe| dixmgr.metric(name, &[("service", "web"), ("probe", probe)]);
        assert_eq!(metric("dixmgr_probe_healthy", "name"), Some(1.0));
        let left = metric("dixmgr_probe_certificate_expiry_seconds", "tls");
        assert!(left.is_some_and(|seconds| seconds > 86_400.0), "{left:?}");
        let by_name = [("CheckHTTPEndpointSimpleActivity", url.into())];
        assert_eq!(super::activities::call(&temporal, &by_name), [json!({ "ok": true })]);
        set("sick", true);
        dixmgr.wait_logged(&["probe has failed", "service=web", "the condition is false"]);
        temporal.wait_phase("wf.svc.web", PhaseName::Degraded);
        set("sick", false);
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
    });
}
