//! The dotidx format: which services a file of an existing deployment stands for.

use crate::{bad, good, names};
use dixmgr_contract::{Span, id::Origin};
use dixmgr_model::{Check, Service};

const FILE: &str = include_str!("../../../examples/dotidx.toml");

fn service<'a>(config: &'a dixmgr_model::Config, name: &str) -> &'a Service {
    config.services.iter().find(|service| service.spec.name.as_str() == name).unwrap()
}

fn after(service: &Service) -> Vec<&str> {
    service.after.iter().map(|name| name.as_str()).collect()
}

#[test]
fn a_file_stands_for_the_whole_tree() {
    let config = good(FILE);
    let lines: Vec<_> = config
        .services
        .iter()
        .map(|service| {
            let spec = &service.spec;
            let id = service.origin.workflow_id();
            format!("{} {} {} {:?} {id} {}", spec.name, spec.unit, spec.kind, spec.chain, after(service).join(","))
        })
        .collect();
    let nodes = "sidecar-polkadot-assethub-0,sidecar-polkadot-assethub-1,sidecar-polkadot-polkadot-0";
    assert_eq!(
        lines,
        [
            "relay-node-polkadot relay-node-archive@polkadot.service relay \"polkadot\" wf.node.relay.polkadot ",
            "para-node-polkadot-assethub chain-node-archive@polkadot-assethub.service parachain \"assethub\" wf.node.para.polkadot.assethub relay-node-polkadot",
            "sidecar-polkadot-polkadot-0 sidecar@polkadot-polkadot-0.service sidecar \"polkadot\" wf.sidecar.polkadot.polkadot.0 relay-node-polkadot",
            "sidecar-polkadot-assethub-0 sidecar@polkadot-assethub-0.service sidecar \"assethub\" wf.sidecar.polkadot.assethub.0 para-node-polkadot-assethub",
            "sidecar-polkadot-assethub-1 sidecar@polkadot-assethub-1.service sidecar \"assethub\" wf.sidecar.polkadot.assethub.1 para-node-polkadot-assethub",
            &format!("dix-nginx dix-nginx.service nginx \"\" wf.svc.dix-nginx {nodes}"),
            "dixbatch dixbatch.service app \"\" wf.svc.dixbatch dix-nginx",
            "dixcron dixcron.service app \"\" wf.svc.dixcron dix-nginx",
            "dixfe dixfe.service app \"\" wf.svc.dixfe dix-nginx",
            "dixlive dixlive.service app \"\" wf.svc.dixlive dix-nginx",
        ]
    );
}

#[test]
fn its_settings_are_taken() {
    let config = good(FILE);
    assert_eq!(config.watch_interval, Span::from_secs(30));
    assert_eq!(config.temporal.hostport.as_deref(), Some("localhost:7233"));
    assert_eq!(config.temporal.namespace.as_deref(), Some("dotidx"));
    assert_eq!(config.temporal.task_queue, "dotidx-watcher");
    let restart = &config.services[0].spec.policy.restart;
    assert_eq!((restart.max, restart.backoff), (5, Span::from_secs(10)));
}

#[test]
fn nodes_are_sync_checked_and_nothing_else_is() {
    let config = good(FILE);
    let relay = service(&config, "relay-node-polkadot");
    let Check::Node(node) = &relay.probes["node"].check else { panic!("not a node's probe") };
    assert_eq!(node.rpc.expose(), "http://localhost:9944");
    assert!(service(&config, "sidecar-polkadot-polkadot-0").probes.is_empty());
    assert!(service(&config, "dixlive").probes.is_empty());
    let config = good("[parachains.r.r]\nsidecar_count = 1");
    assert!(service(&config, "relay-node-r").probes.is_empty());
}

#[test]
fn a_parachain_without_its_relay_waits_for_nothing() {
    let config = good("[parachains.polkadot.assethub]\nport_rpc = 1");
    assert_eq!(after(service(&config, "para-node-polkadot-assethub")), [""; 0]);
    assert_eq!(after(service(&config, "dix-nginx")), ["para-node-polkadot-assethub"]);
}

#[test]
fn relays_do_not_wait_for_each_other() {
    let config = good("[parachains.a.a]\n[parachains.b.b]\n[parachains.b.c]\nsidecar_count = 1");
    assert_eq!(after(service(&config, "relay-node-b")), [""; 0]);
    assert_eq!(after(service(&config, "para-node-b-c")), ["relay-node-b"]);
    assert_eq!(after(service(&config, "dix-nginx")), ["sidecar-b-c-0"]);
}

#[test]
fn its_own_services_and_dixmgrs_make_one_plan() {
    let config = good(
        "[parachains.r.r]\n[services.api]\nunit = 'api.service'\nafter = ['dixlive']\n[defaults]\nhost = 'alpha'\nrestart.max = 9\n[watcher]\nmax_restarts = 2\nrestart_backoff = '10m'",
    );
    assert_eq!(names(&config).last(), Some(&"api"));
    assert!(
        config.services.iter().all(|service| service.spec.host.as_ref().is_some_and(|host| host.as_str() == "alpha"))
    );
    let restart = &config.services[0].spec.policy.restart;
    assert_eq!((restart.max, restart.backoff, restart.backoff_max), (9, Span::from_secs(600), Span::from_secs(600)));
    assert_eq!(service(&config, "api").origin, Origin::Service("api".parse().unwrap()));
}

#[test]
fn without_chains_it_stands_for_nothing() {
    assert!(bad("[parachains]").contains("supervises nothing"));
    assert!(bad("[parachains.polkadot]").contains("supervises nothing"));
    assert_eq!(names(&good("[watcher]\n[parachains]\n[services.a]\nunit = 'a.service'")), ["a"]);
}

#[test]
fn a_cycle_through_the_defaults_is_named() {
    assert_eq!(
        bad("[parachains.r.r]\n[defaults]\nafter = ['dixlive']"),
        "x.toml:3: defaults.after: dependency cycle: relay-node-r -> dixlive -> dix-nginx -> relay-node-r \
         (each waits for the next; remove one of these dependencies)"
    );
}

#[test]
fn more_services_than_a_plan_holds_are_refused() {
    let text: String = (0..60).map(|n| format!("[parachains.r.c{n}]\nsidecar_count = 1000\n")).collect();
    assert_eq!(bad(&text), "x.toml: more than 50000 services (spread them over several files)");
}
