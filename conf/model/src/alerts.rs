//! `[alerts]`: who is told what, when, and through which channels.

use crate::{
    Channel, ChannelSettings, Secret, SlackChannel, WebhookChannel,
    catalogue::ALERTS,
    channels::{self, unknown_channel},
    problem::Complaint,
    report::Report,
    rule,
    tree::{Object, fill, join},
};
use dixmgr_contract::{AlertPolicy, EscalationStep, GroupBy, MaintenanceWindow, Span, TimeOfDay, Weekday};
use dixmgr_decide::{incident::maintenance, rules::Rules};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The most steps of the escalation, and the most maintenance windows: they travel with each incident.
const MAX_STEPS: usize = 100;
/// No reminder comes more often.
const MIN_REPEAT: Span = Span::from_secs(1);

/// Alerting, checked.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// Whether anybody is told; absent: neither the file nor the flag says so. [`Alerts::is_enabled`] knows what holds then.
    pub enabled: Option<bool>,
    /// What incidents know: waits, routes of the enabled channels, escalation, maintenance.
    pub policy: AlertPolicy,
    /// The rules, compiled, and which are on.
    pub rules: Rules,
    /// The channels in the order of the file, also those that are not enabled; [`crate::ChannelSettings::Log`] is always
    /// among them.
    pub channels: Vec<Channel>,
}

impl Alerts {
    /// Whether anybody is told: they are, unless somebody has said no.
    pub fn is_enabled(&self) -> bool {
        self.enabled.unwrap_or(true)
    }

    /// A dry run says what people would be told, where it says everything else: in its log.
    pub fn tell_log_alone(&mut self) {
        for channel in &mut self.channels {
            channel.enabled &= matches!(channel.settings, ChannelSettings::Log);
        }
        self.route();
    }

    /// The flag `-slack-webhook`: the channel `slack` tells this webhook, whatever the file says of it.
    pub fn use_slack_webhook(&mut self, url: Secret) {
        self.set("slack", ChannelSettings::Slack(SlackChannel { webhook_url: Some(url), ..SlackChannel::default() }));
    }

    /// The flag `-webhook-url`: the channel `webhook` posts there. Headers and signature of a webhook in the file stay.
    pub fn use_webhook(&mut self, url: Secret) {
        let known = self.channels.iter().find(|channel| channel.name() == "webhook");
        let settings = match known.map(|channel| &channel.settings) {
            Some(ChannelSettings::Webhook(webhook)) => WebhookChannel { url, ..webhook.clone() },
            _ => WebhookChannel { url, headers: BTreeMap::new(), secrets: Vec::new() },
        };
        self.set("webhook", ChannelSettings::Webhook(settings));
    }

    fn set(&mut self, name: &str, settings: ChannelSettings) {
        match self.channels.iter_mut().find(|channel| channel.name() == name) {
            Some(channel) => {
                channel.enabled = true;
                channel.settings = settings;
            }
            None => self.channels.push(Channel::new(name, settings)),
        }
        self.route();
    }

    /// The policy knows the channels that are enabled.
    fn route(&mut self) {
        let enabled = self.channels.iter().filter(|channel| channel.enabled);
        self.policy.channels = enabled.map(|channel| channel.route.clone()).collect();
    }
}

#[derive(Deserialize)]
struct Raw {
    enabled: Option<bool>,
    group_wait: Span,
    group_interval: Span,
    repeat_interval: Span,
    dedupe_window: Span,
    consequence_grace: Span,
    give_up: Span,
    #[serde(default)]
    group_by: BTreeMap<String, GroupBy>,
    enabled_rules: Vec<String>,
    disabled_rules: Vec<String>,
    rules: Vec<Value>,
    escalation: Vec<Value>,
    maintenance: Vec<Value>,
}

#[derive(Deserialize)]
struct RawWindow {
    name: String,
    weekdays: Vec<Weekday>,
    start: TimeOfDay,
    length: Span,
    zone: String,
    services: Vec<String>,
}

/// Alerting of what `[alerts]` holds; nothing if something of it was refused.
pub(crate) fn alerts(mut given: Object, base: &Path, report: &mut Report<'_>) -> Option<Alerts> {
    let channels = channels::channels(given.remove("channels"), base, report);
    fill(&ALERTS, &mut given);
    let raw: Raw = report.typed(given.into(), "alerts")?;
    if !raw.repeat_interval.is_zero() && raw.repeat_interval < MIN_REPEAT {
        let complaint = Complaint::new(format!("{} is too short", raw.repeat_interval));
        report.complain("alerts.repeat_interval", complaint.hint(format!("{MIN_REPEAT} or more, or 0: never")));
    }
    let built = rule::rules(&raw.rules, &raw.enabled_rules, &raw.disabled_rules, report);
    let escalation = escalation(raw.escalation, &channels.names, report);
    let maintenance = windows(raw.maintenance, report);
    check_groups(&raw.group_by, &built.types, report);
    let policy = AlertPolicy {
        group_wait: raw.group_wait,
        group_interval: raw.group_interval,
        repeat_interval: raw.repeat_interval,
        dedupe_window: raw.dedupe_window,
        consequence_grace: raw.consequence_grace,
        give_up: raw.give_up,
        group_by: raw.group_by,
        channels: Vec::new(),
        escalation,
        maintenance,
    };
    let mut alerts = Alerts { enabled: raw.enabled, policy, rules: built.rules?, channels: channels.list };
    alerts.route();
    Some(alerts)
}

fn check_groups(given: &BTreeMap<String, GroupBy>, types: &BTreeSet<String>, report: &mut Report<'_>) {
    for name in given.keys().filter(|name| !types.contains(*name)) {
        let message = format!("no rule has the type {name}");
        let hint = "it is the type of a rule, such as high_cpu";
        report.unknown(&join("alerts.group_by", name), message, name, types, hint);
    }
}

fn escalation(given: Vec<Value>, names: &BTreeSet<String>, report: &mut Report<'_>) -> Vec<EscalationStep> {
    let mut steps = Vec::new();
    if given.len() > MAX_STEPS {
        report.complain("alerts.escalation", Complaint::new(format!("more than {MAX_STEPS} steps")));
        return steps;
    }
    for (index, value) in given.into_iter().enumerate() {
        let path = format!("alerts.escalation[{index}]");
        // Without channels (refused, and told) there is nothing to check.
        if value.get("channels").is_none() {
            continue;
        }
        let Some(step) = report.typed::<EscalationStep>(value, &path) else { continue };
        let path = join(&path, "channels");
        if step.channels.is_empty() {
            report.complain(&path, Complaint::new("is empty").hint("name the channels that are told then"));
        }
        for (index, name) in step.channels.iter().enumerate().filter(|(_, name)| !names.contains(*name)) {
            unknown_channel(&format!("{path}[{index}]"), name, names, report);
        }
        steps.push(step);
    }
    steps
}

fn windows(given: Vec<Value>, report: &mut Report<'_>) -> Vec<MaintenanceWindow> {
    let mut windows = Vec::new();
    if given.len() > MAX_STEPS {
        report.complain("alerts.maintenance", Complaint::new(format!("more than {MAX_STEPS} windows")));
        return windows;
    }
    for (index, value) in given.into_iter().enumerate() {
        let path = format!("alerts.maintenance[{index}]");
        if ["name", "start", "length"].iter().any(|key| value.get(key).is_none()) {
            continue;
        }
        let Some(raw) = report.typed::<RawWindow>(value, &path) else { continue };
        let window = MaintenanceWindow {
            name: raw.name,
            weekdays: raw.weekdays,
            start_minute: raw.start.minute(),
            length: raw.length,
            zone: raw.zone,
            services: raw.services,
        };
        // Of what it looks at, only the zone has not been checked.
        if let Err(why) = maintenance::check(&window) {
            report.complain(&join(&path, "zone"), Complaint::new(why));
        }
        windows.push(window);
    }
    windows
}
