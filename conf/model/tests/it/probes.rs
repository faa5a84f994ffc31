//! Probes: what is read of them, and what follows from that.

use crate::good;
use dixmgr_contract::{RestartOn, Span};
use dixmgr_decide::check::{Budget, JsonPath};
use dixmgr_model::{Check, Config, Outside, Probe};
use std::path::{Path, PathBuf};

fn probe(keys: &str) -> Probe {
    let config = good(&format!("[services.a]\nunit = 'a.service'\n[services.a.probes.p]\n{keys}"));
    config.services[0].probes["p"].clone()
}

#[test]
fn an_http_probe_knows_what_it_expects() {
    let probe = probe(
        "url = 'https://x/h'\nmethod = 'POST'\nbody = '{}'\nexpect_status = 201\njson_path = 'a.b'\nlatency = '200ms'\n\
         condition = 'duration < 1s'\nmax_body = 10\nredirects = 3\nproxy = 'http://p:1'\nkeep_alive = false\n\
         certificate_min = '14d'\nfailures = 2\nsuccesses = 4\nstart_grace = '7s'",
    );
    let Check::Http(http) = &probe.check else { panic!("not HTTP") };
    let fourteen_days = Some(Span::from_secs(14 * 86_400));
    assert_eq!(probe.budget(), Budget { latency: Some(Span::from_millis(200)), certificate_min: fourteen_days });
    let expected = http.expectation(probe.budget());
    assert_eq!((expected.status, expected.json_path), (Some(201), Some(JsonPath::parse("a.b").unwrap())));
    assert!(expected.condition.is_some_and(|condition| condition.to_string() == "duration < 1s"));
    assert_eq!((http.max_body, http.redirects, http.keep_alive, http.body.expose()), (10, 3, false, "{}"));
    assert_eq!(http.proxy.as_ref().map(|proxy| proxy.expose()), Some("http://p:1"));
    let thresholds = probe.thresholds();
    assert_eq!((thresholds.failures, thresholds.successes), (2, 4));
    assert_eq!(thresholds.start_grace, Span::from_secs(7));
}

#[test]
fn what_is_not_said_of_an_http_probe_has_its_default() {
    let probe = probe("url = 'http://x'\njson_path = ''\ncondition = ' '");
    let Check::Http(http) = &probe.check else { panic!("not HTTP") };
    assert!(http.json_path.is_none() && http.condition.is_none() && http.proxy.is_none() && http.unix.is_none());
    assert_eq!((http.max_body, http.redirects, http.keep_alive), (1 << 20, 0, true));
    assert_eq!(probe.budget(), Budget::default());
}

#[test]
fn tls_is_spoken_where_it_is_wanted_or_one_of_its_keys_is_there() {
    let is_on = |keys| match probe(keys).check {
        Check::Tcp(check) => check.tls.is_on(),
        Check::Grpc(check) => check.tls.is_on(),
        _ => panic!("neither TCP nor gRPC"),
    };
    assert!(!is_on("tcp = 'x:1'") && !is_on("grpc = 'x:1'\ntls = false"));
    assert!(is_on("tcp = 'x:1'\ntls = true") && is_on("grpc = '[::1]:1'\ntls_ca = 'ca.pem'"));
    assert!(is_on("tcp = 'x:1'\ncertificate_min = '1d'") && is_on("tcp = 'x:1'\ntls_server_name = 'y'"));
}

#[test]
fn a_name_may_have_addresses() {
    let Check::Dns(dns) = probe("dns = 'x.example'\ndns_expect = ['192.0.2.1', '::1']").check else {
        panic!("not DNS")
    };
    assert_eq!((dns.dns.as_str(), dns.dns_expect.len()), ("x.example", 2));
}

#[test]
fn files_are_beside_the_configuration() {
    let text = "[services.a]\nunit = 'a.service'\nprobes.p = { url = 'https://x', tls_ca = 'ca.pem', unix = '/run/x' }";
    let outside = Outside { base: Path::new("/etc/dixmgr"), env: &|_| None, file: &|_| unreachable!() };
    let config: Config = dixmgr_model::parse_with(text, "x.toml", &outside).unwrap();
    let Check::Http(http) = &config.services[0].probes["p"].check else { panic!("not HTTP") };
    assert_eq!(http.tls.ca, Some(PathBuf::from("/etc/dixmgr/ca.pem")));
    assert_eq!(http.unix, Some(PathBuf::from("/run/x")));
}

#[test]
fn secrets_of_a_probe_are_not_shown() {
    let probe = probe(
        "url = 'http://u:hush@x'\nbody = 'hush'\nproxy = 'http://u:hush@p'\nheaders = { Authorization = 'hush' }",
    );
    assert!(!format!("{probe:?}").contains("hush"));
}

#[test]
fn what_restarts_a_service_is_its_end_unless_it_is_said() {
    let config = good(
        "[services.a]\nunit = 'a.service'\n[services.b]\nunit = 'b.service'\nrestart.restart_on = ['probe', 'exit']",
    );
    let on = |at: usize| &config.services[at].spec.policy.restart.restart_on;
    assert_eq!(*on(0), [RestartOn::Exit].into());
    assert_eq!(*on(1), [RestartOn::Exit, RestartOn::Probe].into());
}
