//! Several machines, each with a systemd and a network of its own: an order across them, and a cable that is pulled.

use super::SLEEP;
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Launch, Machine, Sandbox, Temporal, TemporalServer, in_sandbox, wait_until};
use serde_json::Value;

fn service(name: &str, host: &str, after: &str) -> String {
    format!("[services.{name}]\nunit = \"{name}.service\"\nhost = \"{host}\"\nafter = [{after}]\n")
}

fn host_status(temporal: &Temporal, host: &str) -> Value {
    temporal.try_query(&format!("wf.host.{host}"), "status").unwrap_or_default()
}

#[test]
fn a_chain_over_three_machines_comes_up_in_order_whichever_is_first() {
    in_sandbox(Sandbox::UserManager, |host| {
        let (beta, gamma) = (Machine::boot("beta", 1), Machine::boot("gamma", 2));
        host.install([("db.service", SLEEP)]);
        beta.host().install([("api.service", SLEEP)]);
        gamma.host().install([("web.service", SLEEP)]);
        let services =
            [service("db", "alpha", ""), service("api", "beta", "\"db\""), service("web", "gamma", "\"api\"")];
        let services = services.concat();
        let server = TemporalServer::start_for_all();
        let _last = Launch::exec(host, &services).on(&gamma).start();
        let _second = Launch::exec(host, &services).on(&beta).start();
        let temporal = server.connect();
        assert_eq!(temporal.wait_phase("wf.svc.web", PhaseName::Waiting).waiting_for[0].as_str(), "api");
        temporal.wait_phase("wf.svc.api", PhaseName::Waiting);
        assert!(!beta.host().is_running("api") && !gamma.host().is_running("web"));
        let _first = Launch::exec(host, &services).start();
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        let (db, api, web) = (host.stamps("db"), beta.host().stamps("api"), gamma.host().stamps("web"));
        assert!(db.1 < api.0 && api.1 < web.0, "one after the other: {db:?} {api:?} {web:?}");
        // A unit of the same name on a machine whose host does not supervise it is nobody's business.
        assert!(!host.is_running("api") && !host.is_running("web"));
    });
}

#[test]
fn a_host_behind_a_pulled_cable_is_lost_and_back_without_a_restart_of_anything_that_runs() {
    in_sandbox(Sandbox::UserManager, |host| {
        let beta = Machine::boot("beta", 1);
        host.install([("db.service", SLEEP)]);
        beta.host().install([("api.service", SLEEP), ("web.service", SLEEP)]);
        let services = [service("db", "alpha", ""), service("api", "beta", ""), service("web", "beta", "")].concat();
        let services = format!("[hosts]\nlease_timeout = \"2s\"\n{services}");
        let server = TemporalServer::start_for_all();
        let near = Launch::exec(host, &services).start();
        let far = Launch::exec(host, &services).on(&beta).start();
        let temporal = server.connect();
        for service in ["wf.svc.db", "wf.svc.api", "wf.svc.web"] {
            temporal.wait_phase(service, PhaseName::Healthy);
        }
        wait_until("beta is held", || host_status(&temporal, "beta")["phase"] == "held");
        let api = beta.host().invocation("api");
        beta.cut_off();
        near.wait_logged(&["beta", "lost"]);
        temporal.wait_phase("wf.svc.api", PhaseName::Unknown);
        temporal.wait_phase("wf.svc.web", PhaseName::Unknown);
        // Its dixmgr lives and watches; nobody acts.
        let web = beta.host().kill("web");
        far.wait_logged(&["service is down", "service=web"]);
        assert_eq!(temporal.wait_phase("wf.svc.db", PhaseName::Healthy).restarts.total, 0);
        beta.join_again();
        beta.host().runs_anew("web", &web);
        temporal.wait_phase("wf.svc.web", PhaseName::Healthy);
        temporal.wait_phase("wf.svc.api", PhaseName::Healthy);
        wait_until("beta is held again", || host_status(&temporal, "beta")["phase"] == "held");
        assert_eq!(host_status(&temporal, "beta")["lost_count"], 1);
        assert_eq!(beta.host().invocation("api"), api, "it has run all the time");
        assert_eq!(near.logged(&["ERROR", "events: host beta is lost"]), 1, "said once");
    });
}
