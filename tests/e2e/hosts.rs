//! Hosts: lost and back, stopped on purpose, an outage that is nobody's loss, two machines with one name, plans that change.

use super::{SLEEP, commands, counts_starts, starts};
use dixmgr_contract::PhaseName;
use dixmgr_contract::activity::RESTART_SYSTEMD_SERVICE;
use dixmgr_tests::{
    ADDRESS, Dixmgr, Host, Launch, NAMESPACE, Sandbox, Temporal, TemporalServer, dixmgr, in_sandbox, wait_until,
};
use serde_json::{Value, json};
use std::process::Output;
use std::time::{Duration, Instant};

/// A short lease, so that a loss is known soon.
const LEASE: &str = "[hosts]\nlease_timeout = \"2s\"\n";
const LEASE_TIMEOUT: Duration = Duration::from_secs(2);
pub(super) const FLEET: &str = "[services.api]\nunit = \"api.service\"\nhost = \"alpha\"\n[services.web]\nunit = \"web.service\"\nhost = \"beta\"\n";

pub(super) fn install(host: &Host) {
    host.install([("api.service", SLEEP), ("web.service", SLEEP), ("db.service", SLEEP)]);
    host.start(&["api", "web", "db"]);
}

pub(super) fn launch(host: &Host, name: &'static str, services: &str) -> Launch {
    Launch::exec(host, &format!("{LEASE}{services}")).on_host(name)
}

/// Waits until both hosts have their names and both services are healthy.
pub(super) fn all_is_well(temporal: &Temporal) {
    for (host, service) in [("alpha", "wf.svc.api"), ("beta", "wf.svc.web")] {
        temporal.wait_phase(service, PhaseName::Healthy);
        wait_until(&format!("{host} is held"), || status(temporal, host)["phase"] == "held");
    }
}

pub(super) fn status(temporal: &Temporal, host: &str) -> Value {
    temporal.try_query(&format!("wf.host.{host}"), "status").unwrap_or_default()
}

/// `dixmgr <words>` on a machine without one that runs.
fn from_afar(words: &[&str]) -> Output {
    dixmgr(&[words, &["-temporal-host", ADDRESS, "-temporal-namespace", NAMESPACE]].concat())
}

fn registry(temporal: &Temporal) -> Value {
    temporal.try_query("wf.infra", "status").unwrap_or_default()
}

/// alpha, which may die, how it is started again, and beta; both are known to all.
fn two_hosts(host: &Host, server: &TemporalServer) -> (Dixmgr, Launch, Dixmgr, Temporal) {
    let (alpha, beta) = (launch(host, "alpha", FLEET), launch(host, "beta", FLEET).start());
    let (dies, temporal) = (alpha.start(), server.connect());
    all_is_well(&temporal);
    wait_until("the registry knows", || registry(&temporal)["services"] == 2);
    (dies, alpha, beta, temporal)
}

#[test]
fn a_host_that_dies_is_lost_and_its_services_are_unknown_until_it_is_back() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let (dies, alpha, beta, temporal) = two_hosts(host, &server);
        dies.kill();
        beta.wait_logged(&["alpha", "lost"]);
        let lost = temporal.wait_phase("wf.svc.api", PhaseName::Unknown);
        assert_eq!(lost.detail, "host alpha is lost");
        assert!(host.is_running("api"), "what nobody sees is left alone");
        assert_eq!(temporal.status("wf.svc.web").unwrap().phase, PhaseName::Healthy);
        let output = from_afar(&["hosts"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("alpha") && text.contains("lost") && text.contains("up"), "{text}");
        let output = from_afar(&["restart", "api"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(1) && text.contains("the host of api is lost"), "{text}");
        let back = alpha.start();
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        wait_until("it is said", || [&beta, &back].iter().any(|one: &&Dixmgr| one.logged(&["alpha", "back"]) > 0));
        assert_eq!(status(&temporal, "alpha")["lost_count"], 1);
        let before = host.kill("api");
        host.runs_anew("api", &before);
    });
}

/// The unit is up and unchanged, so the next dixmgr has no news of it: the missing beats tell.
#[test]
fn an_order_that_died_with_its_dixmgr_is_given_up_soon() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        // The lease must not end first: then the host would be lost, and the order with it.
        let slow = |name| Launch::exec(host, FLEET).on_host(name);
        let (alpha, _beta) = (slow("alpha"), slow("beta").start());
        let frozen = alpha.start();
        let temporal = server.connect();
        all_is_well(&temporal);
        let run = host.invocation("api");
        frozen.freeze();
        let update = ["workflow", "update", "start", "--workflow-id", "wf.svc.api", "--name", "restart"];
        temporal.cli(&[&update[..], &["--wait-for-stage", "accepted"]].concat());
        wait_until("the order is taken", || temporal.is_taken("wf.svc.api", RESTART_SYSTEMD_SERVICE));
        frozen.kill();
        let _again = alpha.start();
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        assert_eq!(host.invocation("api"), run, "nobody has done it");
        commands::text(&["restart", "api"]);
        assert_ne!(host.invocation("api"), run);
    });
}

#[test]
fn what_was_queued_for_a_lost_host_is_not_done_when_it_is_back() {
    in_sandbox(Sandbox::UserManager, |host| {
        let counted = [counts_starts("starts"), SLEEP.to_owned()].join("\n");
        host.install([("api.service", counted.as_str()), ("web.service", SLEEP)]);
        let server = TemporalServer::start();
        let (dies, alpha, beta, temporal) = two_hosts(host, &server);
        let run = host.invocation("api");
        dies.kill();
        // Nobody is there to take the order: it waits in the host's queue.
        let update = ["workflow", "update", "start", "--workflow-id", "wf.svc.api", "--name", "restart"];
        temporal.cli(&[&update[..], &["--wait-for-stage", "accepted", "--update-id", "late"]].concat());
        wait_until("it is ordered", || temporal.scheduled("wf.svc.api", RESTART_SYSTEMD_SERVICE) == 1);
        beta.wait_logged(&["alpha", "lost"]);
        temporal.wait_phase("wf.svc.api", PhaseName::Unknown);
        let result = ["workflow", "update", "result", "--workflow-id", "wf.svc.api", "--update-id", "late"];
        let answer = temporal.try_cli(&result);
        let answer = String::from_utf8_lossy(&answer.stderr).into_owned() + &String::from_utf8_lossy(&answer.stdout);
        assert!(answer.contains("host alpha is lost"), "{answer}");
        let _again = alpha.start();
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        // New orders are done: whatever was before them in the queue has been taken by then.
        commands::text(&["stop", "api"]);
        commands::text(&["start", "api"]);
        assert_ne!(host.invocation("api"), run);
        assert_eq!(starts("starts"), 2, "at first, and now");
    });
}

#[test]
fn a_stop_on_purpose_is_no_loss_and_a_restart_is_none_either() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let (alpha, beta) = (launch(host, "alpha", FLEET), launch(host, "beta", FLEET).start());
        let first = alpha.start();
        let temporal = server.connect();
        all_is_well(&temporal);
        assert_eq!(first.terminate().code(), Some(0));
        wait_until("alpha is stopped", || status(&temporal, "alpha")["phase"] == "stopped");
        let second = alpha.start();
        wait_until("alpha is held", || status(&temporal, "alpha")["phase"] == "held");
        // Killed and started at once: the same machine has its name back before anybody misses it.
        second.kill();
        let _third = alpha.start();
        wait_until("alpha is held anew", || status(&temporal, "alpha")["phase"] == "held");
        let before = host.kill("api");
        host.runs_anew("api", &before);
        assert_eq!(status(&temporal, "alpha")["lost_count"], 0);
        assert_eq!(beta.logged(&["lost"]), 0);
    });
}

#[test]
fn an_outage_of_temporal_is_not_the_loss_of_every_host() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let (alpha, beta) = (launch(host, "alpha", FLEET).start(), launch(host, "beta", FLEET).start());
        all_is_well(&server.connect());
        server.kill();
        let gone = Instant::now();
        for one in [&alpha, &beta] {
            one.wait_logged(&["Temporal cannot be reached"]);
        }
        wait_until("it was longer than any lease", || gone.elapsed() > 2 * LEASE_TIMEOUT);
        let server = TemporalServer::start();
        let temporal = server.connect();
        all_is_well(&temporal);
        for name in ["api", "web"] {
            let before = host.kill(name);
            host.runs_anew(name, &before);
        }
        for (name, one) in [("alpha", &alpha), ("beta", &beta)] {
            assert_eq!(status(&temporal, name)["lost_count"], 0, "{name}");
            assert_eq!(one.logged(&["lost", "host"]), 0);
        }
    });
}

#[test]
fn another_machine_with_the_same_name_is_refused() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let api = "[services.api]\nunit = \"api.service\"";
        let first = launch(host, "alpha", api).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        wait_until("alpha is held", || status(&temporal, "alpha")["phase"] == "held");
        let other = launch(host, "alpha", api).on_machine("0123456789abcdef0123456789abcdef");
        let refused = other.run();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(69), "{said}");
        assert!(said.contains("alpha") && said.contains("machine") && said.contains("-host"), "{said}");
        let before = host.kill("api");
        host.runs_anew("api", &before);
        // When the first one is gone on purpose, the name is free.
        assert_eq!(first.terminate().code(), Some(0));
        let _second = other.start();
        let before = host.kill("api");
        host.runs_anew("api", &before);
    });
}

#[test]
fn what_is_not_in_the_plan_any_more_is_not_watched_and_the_rest_is_untouched() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let (api, db) = ("[services.api]\nunit = \"api.service\"\n", "[services.db]\nunit = \"db.service\"\n");
        let both = launch(host, "alpha", &format!("{api}{db}")).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.db", PhaseName::Healthy);
        wait_until("the registry knows both", || registry(&temporal)["services"] == 2);
        let run = temporal.history("wf.svc.api").len();
        assert_eq!(both.terminate().code(), Some(0));
        let one = launch(host, "alpha", api).start();
        wait_until("db is not watched", || {
            temporal.workflows().iter().any(|flow| flow.id == "wf.svc.db" && flow.status == "Completed")
        });
        assert!(host.is_running("db"), "the unit stays as it is");
        assert_eq!(registry(&temporal)["services"], 1);
        assert_eq!(one.metric("dixmgr_service_health", &[("service", "db")]), None);
        assert_eq!(temporal.history("wf.svc.api").len(), run, "api was not told anything");
    });
}

#[test]
fn a_service_that_two_hosts_claim_stays_with_the_first() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let api = "[services.api]\nunit = \"api.service\"\n";
        let _alpha = launch(host, "alpha", api).start();
        let temporal = server.connect();
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        wait_until("the registry knows", || registry(&temporal)["services"] == 1);
        let beta = launch(host, "beta", api).start();
        wait_until("the conflict is known", || {
            let conflicts = registry(&temporal)["conflicts"].clone();
            conflicts[0]["held_by"] == "alpha" && conflicts[0]["claimed_by"] == "beta"
        });
        let status = temporal.wait_status("wf.svc.api", "says who wants it too", |one| one.detail.contains("beta"));
        assert_eq!(status.host.map(|host| host.to_string()).as_deref(), Some("alpha"));
        let before = host.kill("api");
        host.runs_anew("api", &before);
        assert_eq!(beta.logged(&["restarted"]), 0, "only alpha acts");
    });
}

#[test]
fn a_host_that_is_forgotten_leaves_nothing_behind() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let _alpha = launch(host, "alpha", FLEET).start();
        let beta = launch(host, "beta", FLEET).start();
        let temporal = server.connect();
        all_is_well(&temporal);
        wait_until("the registry knows both", || registry(&temporal)["hosts"].as_array().map(Vec::len) == Some(2));
        let refusal = commands::refusal(&["forget-host", "beta"]);
        assert!(refusal.contains("beta is up"), "{refusal}");
        assert_eq!(beta.terminate().code(), Some(0));
        commands::text(&["forget-host", "beta"]);
        wait_until("nothing of it is open", || {
            let open: Vec<_> = temporal.all_workflows().into_iter().filter(|one| one.is_running).collect();
            !open.iter().any(|one| one.id == "wf.svc.web" || one.id == "wf.host.beta")
        });
        assert_eq!(registry(&temporal)["hosts"].as_array().map(Vec::len), Some(1));
        assert!(host.is_running("web"));
        let text = commands::text(&["hosts"]);
        assert!(!text.contains("beta"), "{text}");
    });
}

#[test]
fn the_whole_fleet_is_paused_and_resumed() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let _alpha = launch(host, "alpha", FLEET).start();
        let _beta = launch(host, "beta", FLEET).start();
        let temporal = server.connect();
        all_is_well(&temporal);
        wait_until("the registry knows both", || registry(&temporal)["services"] == 2);
        let pause = ["workflow", "update", "execute", "--workflow-id", "wf.svc.api", "--name", "pause"];
        temporal.cli(&pause);
        commands::text(&["pause-all", "--reason", "maintenance"]);
        for id in ["wf.svc.api", "wf.svc.web"] {
            temporal.wait_phase(id, PhaseName::Paused);
        }
        assert_eq!(registry(&temporal)["paused"]["reason"], "maintenance");
        let before = host.kill("web");
        commands::text(&["resume-all"]);
        host.runs_anew("web", &before);
        // What was paused by itself before is not resumed with all.
        assert_eq!(temporal.status("wf.svc.api").map(|status| status.phase), Some(PhaseName::Paused));
        commands::text(&["resume", "api"]);
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        let refusal = commands::refusal(&["resume-all"]);
        assert!(refusal.contains("the fleet is not paused"), "{refusal}");
    });
}

/// Simulated hosts: only their plans are told.
#[test]
fn ten_thousand_services_on_a_hundred_hosts_fit_into_the_registry() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let launch = launch(host, "alpha", "[services.api]\nunit = \"api.service\"");
        let alpha = launch.start();
        let temporal = server.connect();
        wait_until("the registry knows alpha", || registry(&temporal)["services"] == 1);
        for number in 0..100 {
            let name = |index: usize| format!("para-node-polkadot-{number:02}-{index:02}");
            let service = |index: usize| {
                let name = name(index);
                json!({"name": name, "workflow_id": format!("wf.svc.{name}"), "unit": format!("{name}.service"),
                       "kind": "parachain", "chain": "polkadot"})
            };
            let services: Vec<_> = (0..100).map(service).collect();
            let part = json!({"host": format!("host-{number:02}"), "generation": "g", "services": services});
            temporal.signal("wf.infra", "apply_plan", &part);
        }
        wait_until("the registry knows all", || registry(&temporal)["services"] == 10_001);
        assert_eq!(registry(&temporal)["hosts"].as_array().map(Vec::len), Some(101));
        let page = temporal.query("wf.infra", "plan");
        assert_eq!((&page["total"], page["services"].as_array().map(Vec::len)), (&json!(10_001), Some(1_000)));
        // Whoever comes next reads all of it from the history.
        alpha.kill();
        let _again = launch.start();
        wait_until("it is known still", || registry(&temporal)["services"] == 10_001);
    });
}
