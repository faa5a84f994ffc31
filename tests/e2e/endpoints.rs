//! Endpoints that do not answer those who ask for them by name: left alone for a while, so that they cost nobody anything.

use super::activities::{call, serves_health};
use super::{API, SLEEP, WF_API};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Launch, Sandbox, TemporalServer, get, in_sandbox, wait_until};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn a_hanging_endpoint_costs_five_callers_their_patience_and_the_sixth_nothing_until_it_runs_anew() {
    const PATIENCE: Duration = Duration::from_secs(50);
    in_sandbox(Sandbox::UserManager, |host| {
        serves_health(host);
        let server = TemporalServer::start();
        let url = "http://127.0.0.1:8080/health";
        let probe = format!("probes.http = {{ url = \"{url}\", interval = \"10m\" }}");
        let dixmgr = Launch::exec(host, &format!("{API}\n{probe}\n")).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let breaker = || dixmgr.metric("dixmgr_endpoint_breaker_state", &[("service", "api"), ("probe", "http")]);
        assert_eq!(breaker(), Some(0.0));
        // It takes connections and says nothing.
        host.systemctl(&["kill", "--signal=STOP", "api.service"]);
        let (check, simple) = ("CheckHTTPEndpointActivity", "CheckHTTPEndpointSimpleActivity");
        let ask = |timeout: Duration| (check, json!({ "URL": url, "Timeout": timeout.as_nanos() as u64 }));
        for answer in call(&temporal, &vec![ask(Duration::from_secs(1)); 5]) {
            let seen = &answer["ok"];
            assert_eq!((&seen["Healthy"], &seen["StatusCode"]), (&json!(false), &json!(0)), "{answer}");
            assert!(seen["ResponseTime"].as_u64() >= Some(1_000_000_000), "{answer}");
        }
        assert_eq!(breaker(), Some(2.0));
        let began = Instant::now();
        let answers = call(&temporal, &[ask(PATIENCE), (simple, json!(url)), ask(PATIENCE)]);
        assert!(began.elapsed() < PATIENCE, "nobody has waited for it");
        for told in &answers {
            let why = told["message"].as_str().unwrap_or_default();
            assert_eq!(told["error"], "CircuitOpen", "nobody has looked: {told}");
            assert!(why.contains("has not answered several times in a row, and is left alone until 20"), "{told}");
        }
        let run = host.invocation("api");
        host.systemctl(&["restart", "api.service"]);
        host.runs_anew("api", &run);
        wait_until("it is asked again", || breaker() == Some(0.0));
        wait_until("it answers", || get(url).is_some());
        assert_eq!(call(&temporal, &[(simple, json!(url))]), [json!({ "ok": true })]);
    });
}

#[test]
fn a_node_that_is_not_there_is_asked_five_times_and_then_not_for_a_while() {
    in_sandbox(Sandbox::UserManager, |host| {
        host.install([("node.service", SLEEP)]);
        host.start(&["node"]);
        let server = TemporalServer::start();
        // Nobody listens there.
        let probe = "probes.rpc = { rpc = \"http://127.0.0.1:9\" }";
        let dixmgr = Launch::exec(host, &format!("[services.node]\nunit = \"node.service\"\n{probe}\n")).start();
        let temporal = server.connect();
        let its = |name| dixmgr.metric(name, &[("service", "node"), ("probe", "rpc")]);
        wait_until("its run is known", || its("dixmgr_probe_breaker_state").is_some());
        let answers = call(&temporal, &vec![("CheckNodeSyncActivity", json!(["127.0.0.1", 9])); 6]);
        let errors: Vec<_> = answers.iter().map(|answer| answer["error"].as_str().unwrap_or_default()).collect();
        assert_eq!(errors[..5], ["Unexpected"; 5], "{answers:?}");
        assert_eq!(errors[5], "CircuitOpen", "{answers:?}");
        assert!(answers[5]["message"].as_str().is_some_and(|why| why.contains("left alone until")), "{answers:?}");
        assert_eq!(its("dixmgr_endpoint_breaker_state"), Some(2.0));
    });
}
