//! Alerting as a configuration has it: policy, rules, channels, and the flags over them.

use crate::good;
use dixmgr_contract::{AlertPolicy, RateLimit, Route, Severity, Span, Time};
use dixmgr_decide::rules::{Facts, ServiceRules, defaults};
use dixmgr_model::{Alerts, ChannelSettings, Secret};
use std::path::Path;

fn alerts(text: &str) -> Alerts {
    good(&format!("[services.api]\nunit = 'api.service'\n{text}")).alerts
}

fn names(alerts: &Alerts) -> Vec<&str> {
    alerts.channels.iter().map(|channel| channel.name()).collect()
}

fn routes(alerts: &Alerts) -> Vec<&str> {
    alerts.policy.channels.iter().map(|route| route.name.as_str()).collect()
}

#[test]
fn a_file_that_says_nothing_of_it_tells_the_log_by_the_default_rules() {
    let alerts = alerts("");
    let expected = AlertPolicy { channels: vec![Route::new("log")], ..AlertPolicy::default() };
    assert_eq!(alerts.policy, expected);
    assert_eq!(alerts.enabled, None);
    assert_eq!(alerts.rules.iter().count(), defaults().len());
    assert_eq!(alerts.channels[0].settings, ChannelSettings::Log);
}

#[test]
fn everything_of_the_policy_is_read() {
    let alerts = alerts(
        "[alerts]\nenabled = false\ngroup_wait = '1s'\ngroup_interval = '2s'\nrepeat_interval = 0\ndedupe_window = '4s'\n\
         consequence_grace = '5s'\ngive_up = '6m'\ngroup_by = { high_cpu = 'fleet', own = 'host' }\n\
         [[alerts.rules]]\nname = 'Own'\ntype = 'own'\nwhen = 'restarts > 9'\n\
         [[alerts.escalation]]\nchannels = ['log']\n[[alerts.escalation]]\nwait = '7m'\nchannels = ['log']\n\
         [[alerts.maintenance]]\nname = 'w'\nweekdays = ['sunday']\nstart = '23:59'\nlength = '8h'\nzone = 'Europe/Zurich'\nservices = ['a*']",
    );
    let policy = serde_json::to_value(&alerts.policy).unwrap();
    let expected = serde_json::json!({
        "group_wait": "1s", "group_interval": "2s", "repeat_interval": "0s", "dedupe_window": "4s",
        "consequence_grace": "5s", "give_up": "6m",
        "group_by": {"high_cpu": "fleet", "own": "host"},
        "channels": [{"name": "log", "min_severity": "info", "fallback_after": "5m"}],
        "escalation": [{"wait": "0s", "channels": ["log"]}, {"wait": "7m", "channels": ["log"]}],
        "maintenance": [{"name": "w", "weekdays": ["sunday"], "start_minute": 1439, "length": "8h",
                         "zone": "Europe/Zurich", "services": ["a*"]}],
    });
    assert_eq!(policy, expected);
    assert_eq!(alerts.enabled, Some(false));
}

#[test]
fn a_channel_has_a_route_if_it_is_enabled() {
    let alerts = alerts(
        "[[alerts.channels]]\ntype = 'discord'\nname = 'ops'\nwebhook_url = 'https://h'\nmin_severity = 'critical'\n\
         match = ['chain=polkadot', 'service!=test-*']\nrate_limit = { notes = 10 }\nfallback = 'log'\nfallback_after = '1m'\n\
         rate = { every = '2s' }\ntls_ca = 'ca.pem'\n\
         [[alerts.channels]]\ntype = 'discord'\nname = 'off'\nwebhook_url = 'https://h'\nenabled = false",
    );
    assert_eq!((names(&alerts), routes(&alerts)), (vec!["ops", "off", "log"], vec!["ops", "log"]));
    let route = Route {
        min_severity: Severity::Critical,
        matchers: vec!["chain=polkadot".parse().unwrap(), "service!=test-*".parse().unwrap()],
        rate_limit: Some(RateLimit { notes: 10, per: Span::from_secs(60) }),
        fallback: Some("log".to_owned()),
        fallback_after: Span::from_secs(60),
        ..Route::new("ops")
    };
    assert_eq!(alerts.policy.channels[0], route);
    let channel = &alerts.channels[0];
    assert_eq!(channel.rate.map(|rate| (rate.every, rate.burst)), Some((Span::from_secs(2), 1)));
    assert_eq!(channel.tls_ca.as_deref(), Some(Path::new("ca.pem")));
    assert_eq!(
        (channel.path.as_str(), channel.line_of("match"), channel.line_of("x")),
        ("alerts.channels[0]", Some(8), Some(3))
    );
    assert_eq!((&alerts.channels[1].rate, &alerts.channels[1].route.rate_limit), (&None, &None));
}

#[test]
fn a_channel_of_the_log_with_another_name_or_none_is_ones_own_choice() {
    let alerts = alerts("[[alerts.channels]]\ntype = 'log'\nname = 'journal'\nenabled = false");
    assert_eq!((names(&alerts), routes(&alerts)), (vec!["journal"], vec![]));
}

#[test]
fn a_rule_without_a_condition_is_the_built_in_one_of_its_type_but_for_what_it_says() {
    let alerts = alerts(
        "[[alerts.rules]]\nname = 'Late'\ntype = 'service_down'\nfor = '30s'\nservices = ['api']\n\
         [[alerts.rules]]\nname = 'Cpu'\ntype = 'high_cpu'\nseverity = 'critical'\n\
         [[alerts.rules]]\nname = 'CriticalCPUUsage'\ntype = 'high_cpu'\nseverity = 'info'\n\
         [[alerts.rules]]\nname = 'Own'\ntype = 'high_cpu'\nwhen = 'cpu_percent > 50'\nof = [2, 3]\nlabels = { team = 'x' }",
    );
    let spec = |name: &str| alerts.rules.iter().find(|rule| rule.name() == name).unwrap().spec().clone();
    let late = spec("Late");
    assert_eq!(
        (late.severity, late.hold, late.when.as_str()),
        (Severity::Critical, Span::from_secs(30), "health == 'down'")
    );
    assert_eq!((late.message.as_str(), late.services.as_slice()), ("{service} is down", &["api".to_owned()][..]));
    assert_eq!((spec("Cpu").when.as_str(), spec("Cpu").hold), ("cpu_percent > 95", Span::from_secs(60)));
    let changed = spec("CriticalCPUUsage");
    assert_eq!((changed.when.as_str(), changed.severity), ("cpu_percent > 95", Severity::Info));
    let own = spec("Own");
    assert_eq!((own.severity, own.hold, own.clear.as_str(), own.of), (Severity::Warning, Span::ZERO, "", (2, 3)));
    assert_eq!(alerts.rules.iter().count(), defaults().len() + 3, "one took the place of the built-in one");
}

#[test]
fn rules_are_switched_by_name_and_fire() {
    let text = "[alerts]\nenabled_rules = ['Busy', 'ServiceDown']\ndisabled_rules = ['ServiceDown']\n\
                [[alerts.rules]]\nname = 'Busy'\ntype = 'busy'\nwhen = 'cpu_percent > 50'\nclear = '1m'";
    let alerts = alerts(text);
    let on: Vec<_> = alerts.rules.iter().map(|rule| rule.name()).filter(|name| alerts.rules.is_on(name)).collect();
    assert_eq!(on, ["Busy"]);
    let facts = Facts { service: "api".into(), cpu_percent: Some(60.0), ..Facts::default() };
    let changes = ServiceRules::default().step(&alerts.rules, &facts, Time::from_unix_millis(1_000_000));
    assert_eq!(changes.len(), 1);
    assert!(changes[0].firing && changes[0].alert == "busy", "{changes:?}");
}

#[test]
fn the_flags_add_a_channel_or_take_the_place_of_its_url() {
    let mut plain = alerts("");
    plain.use_slack_webhook(Secret::new("https://h/1"));
    plain.use_webhook(Secret::new("https://h/2"));
    assert_eq!(routes(&plain), ["log", "slack", "webhook"]);
    let mut given = alerts(
        "[[alerts.channels]]\ntype = 'webhook'\nname = 'webhook'\nurl = 'https://old'\nheaders = { X-A = 'b' }\nenabled = false\n\
         min_severity = 'critical'\n[[alerts.channels]]\ntype = 'slack'\nname = 'slack'\nbot_token = 'x'\nchannel = '#c'",
    );
    given.use_slack_webhook(Secret::new("https://h/1"));
    given.use_webhook(Secret::new("https://h/2"));
    assert_eq!(routes(&given), ["webhook", "slack", "log"]);
    assert_eq!(given.policy.channels[0].min_severity, Severity::Critical);
    let ChannelSettings::Webhook(webhook) = &given.channels[0].settings else { panic!("no webhook") };
    assert_eq!((webhook.url.expose(), webhook.headers["X-A"].expose()), ("https://h/2", "b"));
    let ChannelSettings::Slack(slack) = &given.channels[1].settings else { panic!("no slack") };
    assert_eq!(slack.webhook_url.as_ref().map(Secret::expose), Some("https://h/1"));
    assert_eq!((&slack.bot_token, &slack.channel), (&None, &None));
}

#[test]
fn history_is_in_the_state_directory_for_a_month_unless_the_file_says_otherwise() {
    let history = good("[services.api]\nunit = 'api.service'").history;
    assert_eq!(
        (history.url.expose(), history.retention, history.max_size),
        ("sqlite", Span::from_secs(30 * 86_400), 1 << 30)
    );
    assert_eq!((history.raw, history.five_minutes), (Span::from_secs(7_200), Span::from_secs(7 * 86_400)));
    let text = "[services.api]\nunit = 'api.service'\n[history]\nurl = 'postgres://u:hush@h/d'\nretention = '1h'\nmax_size = '4 MiB'";
    let config = good(text);
    assert_eq!((config.history.url.expose(), config.history.max_size), ("postgres://u:hush@h/d", 4 << 20));
    assert!(!format!("{config:?}").contains("hush"));
    assert_eq!(good(&text.replace("'4 MiB'", "0x40_0001")).history.max_size, (4 << 20) + 1);
    assert_eq!(
        good(&text.replace("postgres://u:hush@h/d", "sqlite:/srv/h.db")).history.url.expose(),
        "sqlite:/srv/h.db"
    );
}
