//! Services, their layers and their order.

use crate::{bad, good, names};
use dixmgr_contract::{ClusterMode, DependencyMode, OnDependencyLoss, OnTimeout};
use dixmgr_contract::{OnOperatorStop, Span};
use dixmgr_model::{Bus, Check, Protocol};

#[test]
fn dependencies_come_first_then_names() {
    let config = good(
        "[services.web]\nunit = 'web.service'\nafter = ['db', 'cache', 'db']\n[services.db]\nunit = 'db.service'\n\
         [services.zoo]\nunit = 'zoo.service'\n[services.cache]\nunit = 'cache.service'\nafter = ['zoo']",
    );
    assert_eq!(names(&config), ["db", "zoo", "cache", "web"]);
    let after: Vec<_> = config.services[3].after.iter().map(|name| name.as_str()).collect();
    assert_eq!(after, ["db", "cache"]);
}

#[test]
fn a_services_own_keys_win_over_the_defaults_and_these_over_the_watchers() {
    let config = good(
        "[watcher]\nmax_restarts = 1\nrestart_backoff = '2s'\noperation_timeout = '1m'\n\
         [defaults]\nkind = 'node'\nrestart = { backoff = '3s', settle = '1s' }\nresources.enabled = false\n\
         probes.http = { url = 'http://localhost', interval = '1m' }\n\
         [services.a]\nunit = 'a.service'\n\
         [services.b]\nunit = 'b.service'\nrestart.backoff = '4s'\nkind = 'api'\nprobes.http.url = 'http://b'",
    );
    let [a, b] = &config.services[..] else { panic!("two services") };
    assert_eq!(a.spec.kind, "node");
    let restart = &a.spec.policy.restart;
    assert_eq!((restart.max, restart.backoff, restart.settle), (1, Span::from_secs(3), Span::from_secs(1)));
    assert_eq!(a.spec.policy.operation_timeout, Span::from_secs(60));
    assert_eq!((b.spec.policy.restart.backoff, b.spec.kind.as_str()), (Span::from_secs(4), "api"));
    assert_eq!(b.spec.policy.restart.settle, Span::from_secs(1));
    assert!(!b.resources);
    let Check::Http(http) = &b.probes["http"].check else { panic!("not HTTP") };
    assert_eq!((http.url.expose(), b.probes["http"].interval), ("http://b", Span::from_secs(60)));
}

#[test]
fn every_word_means_something() {
    let config = good(
        "[systemd]\nbus = 'session'\n[services.a]\nunit = 'a.service'\non_dependency_loss = 'restart'\nstart = false\n\
         dependency = { mode = 'any', timeout = '1m', on_timeout = 'proceed' }\n\
         restart = { on_operator_stop = 'restart', prevent_exit_codes = [78, 3] }\n\
         [clusters.c]\nmembers = ['a', 'b', 'd']\nmode = 'standby'\n[services.b]\nunit = 'b.service'\n[services.d]\nunit = 'd.service'",
    );
    assert_eq!(config.systemd.bus, Bus::Session);
    let a = &config.services[0];
    assert_eq!(a.spec.policy.on_dependency_loss, OnDependencyLoss::Restart);
    assert_eq!(
        (a.spec.policy.dependency.mode, a.spec.policy.dependency.on_timeout),
        (DependencyMode::Any, OnTimeout::Proceed)
    );
    assert_eq!(a.spec.policy.restart.on_operator_stop, OnOperatorStop::Restart);
    assert_eq!(a.spec.policy.restart.prevent_exit_codes, [3, 78].into());
    assert!(!a.spec.policy.start);
    let cluster = &config.clusters[0];
    assert_eq!((cluster.quorum, cluster.mode), (2, ClusterMode::Standby));
}

#[test]
fn what_flags_may_override_stays_open() {
    let config = good("[services.a]\nunit = 'a.service'");
    assert!(config.temporal.hostport.is_none() && config.temporal.namespace.is_none());
    assert!(config.metrics.enabled.is_none() && config.metrics.port.is_none());
    assert_eq!(config.metrics.listen.to_string(), "127.0.0.1");
    assert_eq!((config.temporal.task_queue.as_str(), config.metrics.namespace.as_str()), ("dotidx-watcher", "dixmgr"));
    assert_eq!((config.watch_interval, config.hosts.lease_timeout), (Span::from_secs(30), Span::from_secs(15)));
}

#[test]
fn a_host_takes_its_own_services_and_those_of_no_host() {
    let config = good(
        "[services.a]\nunit = 'a.service'\n[services.b]\nunit = 'a.service'\nhost = 'beta'\n\
         [services.c]\nunit = 'c.service'\nhost = 'gamma'",
    );
    let of = |host: &str| {
        let host = host.parse().unwrap();
        config.services_of(&host).map(|service| service.spec.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((of("alpha"), of("beta")), (vec!["a"], vec!["a", "b"]));
    assert!(config.check_host(&"alpha".parse().unwrap()).is_ok());
    assert_eq!(
        config.check_host(&"beta".parse().unwrap()).unwrap_err().to_string(),
        "x.toml: services.b.unit: on host beta, unit a.service is already that of service a \
         (one unit, one service: remove b or a, or give one another host)\nx.toml: 1 problem"
    );
}

#[test]
fn numbers_of_any_base_and_days_are_read() {
    let config = good("[metrics]\nport = 0x1F90\n[services.a]\nunit = 'a.service'\nrestart.window = '2d'");
    assert_eq!(config.metrics.port, Some(8080));
    assert_eq!(config.services[0].spec.policy.restart.window, Span::from_secs(172_800));
}

#[test]
fn ten_thousand_services_in_a_row_are_ordered() {
    let mut text = String::from("[services.s0]\nunit = 's0.service'\n");
    for n in 1..10_000 {
        text += &format!("[services.s{n}]\nunit = 's{n}.service'\nafter = ['s{}']\n", n - 1);
    }
    let config = good(&text);
    assert_eq!((names(&config)[0], names(&config)[9_999]), ("s0", "s9999"));
    let plan = dixmgr_model::plan::Plan::new(&config).to_string();
    assert_eq!(plan.lines().count(), 10_001);
    assert!(plan.len() < 3_000_000, "{}", plan.len());
}

#[test]
fn what_grows_by_multiplication_is_bounded() {
    let list = |n: usize| (0..n).map(|n| format!("'s{n}',")).collect::<String>();
    let many = |n: usize, after: &str| -> String {
        (0..n).map(|n| format!("[services.t{n}]\nunit = 't{n}.service'\n{after}\n")).collect()
    };
    assert_eq!(
        bad(&format!("[defaults]\nafter = [{}]\n{}", list(3_000), many(1, ""))),
        "x.toml:1: defaults: holds more than 16384 bytes (move what is long to the services that need it)"
    );
    let all: String = (0..1_000).map(|n| format!("[services.s{n}]\nunit = 's{n}.service'\nafter = []\n")).collect();
    assert_eq!(
        bad(&format!("[defaults]\nafter = [{}]\n{all}{}", list(1_000), many(1_001, ""))),
        "x.toml: more than 1000000 dependencies (let services wait for one that waits for the others)"
    );
}

#[test]
fn what_is_normal_for_a_node_depends_on_its_protocol() {
    let node = |keys: &str| {
        let config = good(&format!("[services.a]\nunit = 'a.service'\nprobes.node = {{ rpc = 'http://a' {keys} }}"));
        let Check::Node(node) = &config.services[0].probes["node"].check else { panic!("not a node") };
        (node.protocol, node.max_lag, node.stall_warning, node.stall_critical)
    };
    let secs = Span::from_secs;
    assert_eq!(node(""), (Protocol::Substrate, 20, secs(180), secs(300)));
    for protocol in Protocol::ALL {
        let limits = protocol.limits();
        let expected = (protocol, limits.max_lag, limits.stall_warning, limits.stall_critical);
        assert_eq!(node(&format!(", protocol = '{protocol}'")), expected);
    }
    assert_eq!(node(", protocol = 'bitcoin', max_lag = 9"), (Protocol::Bitcoin, 9, secs(5_400), secs(10_800)));
    // One stall alone never contradicts the other.
    assert_eq!(node(", stall_warning = '1h'"), (Protocol::Substrate, 20, secs(3_600), secs(3_600)));
    assert_eq!(node(", stall_critical = '1m'"), (Protocol::Substrate, 20, secs(60), secs(60)));
}
