//! The channels of a file: keys that fit their type, names that are there once, fallbacks that end.

use crate::{
    Channel, ChannelRate, ChannelSettings,
    catalogue::{CHANNEL, CHANNEL_BELONGS, CHANNEL_NEEDS},
    problem::Complaint,
    report::Report,
    tree::{Object, fill, join},
};
use dixmgr_contract::{Matcher, RateLimit, Route, Severity, Span};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The most channels.
const MAX_CHANNELS: usize = 100;
/// The name of the channel that there always is.
const LOG: &str = "log";

#[derive(Deserialize)]
struct Raw {
    name: String,
    enabled: bool,
    min_severity: Severity,
    #[serde(rename = "match")]
    matchers: Vec<Matcher>,
    rate_limit: RawLimit,
    fallback: Option<String>,
    fallback_after: Span,
    rate: RawRate,
    timeout: Option<Span>,
    tls_ca: Option<PathBuf>,
}

/// A table that is not there is filled in like one that is, and has no required key.
#[derive(Deserialize)]
struct RawLimit {
    notes: Option<u32>,
    per: Span,
}

#[derive(Deserialize)]
struct RawRate {
    every: Option<Span>,
    burst: u32,
}

/// The channels that could be made, and the names of all.
pub(crate) struct Channels {
    pub(crate) list: Vec<Channel>,
    pub(crate) names: BTreeSet<String>,
}

/// A channel as it is written, and where.
struct Item {
    path: String,
    object: Object,
}

impl Item {
    fn text(&self, key: &str) -> Option<&str> {
        self.object.get(key)?.as_str()
    }

    /// Whether the file has the key, right or wrong, or the file of it.
    fn has(&self, key: &str, report: &Report<'_>) -> bool {
        let path = join(&self.path, key);
        self.object.contains_key(key) || report.places.has(&path) || report.places.has(&format!("{path}_file"))
    }
}

/// Makes channels of what `[[alerts.channels]]` holds.
pub(crate) fn channels(given: Option<Value>, base: &Path, report: &mut Report<'_>) -> Channels {
    let Some(Value::Array(given)) = given else { return finish(Vec::new(), &[], report) };
    let items: Vec<Item> = given
        .into_iter()
        .enumerate()
        .filter_map(|(index, value)| match value {
            Value::Object(object) => Some(Item { path: format!("alerts.channels[{index}]"), object }),
            _ => None,
        })
        .collect();
    if items.len() > MAX_CHANNELS {
        report.complain("alerts.channels", Complaint::new(format!("more than {MAX_CHANNELS} channels")));
        return finish(Vec::new(), &items, report);
    }
    let list = items.iter().filter_map(|item| channel(item, base, report)).collect();
    finish(list, &items, report)
}

fn channel(item: &Item, base: &Path, report: &mut Report<'_>) -> Option<Channel> {
    let kind = item.text("type")?;
    foreign_keys(item, kind, report);
    contradictions(item, kind, report);
    let needs = CHANNEL_NEEDS.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, keys)| *keys);
    for key in needs {
        if item.has(key, report) {
            continue;
        }
        let doc = CHANNEL.key(key).map_or("", |key| key.doc).trim_end_matches('.');
        // A doc says for each type what the key is there: `webhook: where to post. alertmanager: where it is.`
        let mut parts = doc.split(". ").filter_map(|part| part.strip_prefix(kind)?.strip_prefix(": "));
        let doc = parts.next().unwrap_or(doc);
        report.complain(&join(&item.path, key), Complaint::new("is missing").hint(doc));
    }
    // What is missing or was refused has been told.
    if !needs.iter().chain(&["name"]).all(|key| item.object.contains_key(*key)) {
        return None;
    }
    let mut object = item.object.clone();
    fill(&CHANNEL, &mut object);
    let settings: ChannelSettings = report.typed(object.clone().into(), &item.path)?;
    let raw: Raw = report.typed(object.into(), &item.path)?;
    let rate_limit = raw.rate_limit.notes.map(|notes| RateLimit { notes, per: raw.rate_limit.per });
    let route = Route {
        name: raw.name,
        min_severity: raw.min_severity,
        matchers: raw.matchers,
        rate_limit,
        resend: resend(&settings),
        fallback: raw.fallback,
        fallback_after: raw.fallback_after,
    };
    Some(Channel {
        route,
        enabled: raw.enabled,
        settings,
        rate: raw.rate.every.map(|every| ChannelRate { every, burst: raw.rate.burst }),
        timeout: raw.timeout,
        tls_ca: raw.tls_ca.map(|path| base.join(path)),
        path: item.path.clone(),
        lines: report.places.keys_of(&item.path),
    })
}

/// How often Prometheus tells Alertmanager the same again (`--rules.alert.resend-delay`).
const RESEND: Span = Span::from_secs(60);

/// Alertmanager forgets what it is not told again.
fn resend(settings: &ChannelSettings) -> Option<Span> {
    match settings {
        ChannelSettings::Alertmanager(alertmanager) => Some(alertmanager.resend.unwrap_or(RESEND)),
        _ => None,
    }
}

/// Keys that only other types have.
fn foreign_keys(item: &Item, kind: &str, report: &mut Report<'_>) {
    let own: Vec<_> = CHANNEL_BELONGS
        .iter()
        .filter(|(_, kinds)| kinds.contains(&kind))
        .flat_map(|(keys, _)| *keys)
        .copied()
        .collect();
    for (keys, kinds) in CHANNEL_BELONGS.iter().filter(|(_, kinds)| !kinds.contains(&kind)) {
        for key in keys.iter().filter(|key| item.object.contains_key(**key)) {
            let complaint = Complaint::new(format!("belongs to a channel of type {}", either(kinds)));
            let hint =
                if own.is_empty() { String::new() } else { format!("one of type {kind} has {}", own.join(", ")) };
            let complaint = if hint.is_empty() { complaint } else { complaint.hint(hint) };
            report.complain(&join(&item.path, key), complaint);
        }
    }
}

/// `a`, `a or b`, `a, b or c`.
fn either(words: &[&str]) -> String {
    match words {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        words => words.concat(),
    }
}

/// Keys that cannot stand beside each other, or alone.
fn contradictions(item: &Item, kind: &str, report: &mut Report<'_>) {
    let has = |key: &str, report: &Report<'_>| item.has(key, report);
    let mut found: Vec<(&str, Complaint)> = Vec::new();
    if kind == "email" {
        for (key, other) in [("username", "password"), ("password", "username")] {
            if has(key, report) && !has(other, report) {
                found.push((key, Complaint::new(format!("needs {other} as well"))));
            }
        }
    }
    if kind == "slack" {
        match (has("webhook_url", report), has("bot_token", report)) {
            (false, false) => {
                found
                    .push(("webhook_url", Complaint::new("is missing").hint("or give bot_token and channel of a bot")));
            }
            (true, true) => {
                found.push(("bot_token", Complaint::new("stands beside webhook_url").hint("keep one of the two")));
            }
            (true, false) => {
                for key in ["channel", "api_url"].into_iter().filter(|key| has(key, report)) {
                    let hint = "an incoming webhook has a channel of its own";
                    found.push((key, Complaint::new("needs bot_token in place of webhook_url").hint(hint)));
                }
            }
            (false, true) if !has("channel", report) => {
                found.push(("channel", Complaint::new("is missing").hint("the bot's channel, C0123456789 or #name")));
            }
            (false, true) => {}
        }
    }
    for (key, complaint) in found {
        report.complain(&join(&item.path, key), complaint);
    }
}

/// What only all of them together show: names, fallbacks, the channel `log`.
fn finish(mut list: Vec<Channel>, items: &[Item], report: &mut Report<'_>) -> Channels {
    let mut names = BTreeSet::new();
    let has_log = items.iter().any(|item| item.text("type") == Some(LOG));
    for item in items {
        let Some(name) = item.text("name") else { continue };
        let path = join(&item.path, "name");
        if name == LOG && !has_log {
            let complaint = Complaint::new("log is the name of the channel that writes to the log");
            report.complain(&path, complaint.hint("give this one another name"));
        }
        if !names.insert(name.to_owned()) {
            let complaint = Complaint::new(format!("{name} is already a channel"));
            report.complain(&path, complaint.hint("give this one another name"));
        }
    }
    if !has_log {
        names.insert(LOG.to_owned());
        list.push(Channel::new(LOG, ChannelSettings::Log));
    }
    fallbacks(items, &names, report);
    Channels { list, names }
}

/// A fallback is another channel, and does not come back to where it began.
fn fallbacks(items: &[Item], names: &BTreeSet<String>, report: &mut Report<'_>) {
    let next: BTreeMap<&str, &str> =
        items.iter().filter_map(|item| item.text("name").zip(item.text("fallback"))).collect();
    let mut told = BTreeSet::new();
    for item in items {
        let (Some(name), Some(fallback)) = (item.text("name"), item.text("fallback")) else { continue };
        let path = join(&item.path, "fallback");
        if !names.contains(fallback) {
            unknown_channel(&path, fallback, names, report);
            continue;
        }
        let mut circle = vec![name];
        let mut at = fallback;
        while !circle.contains(&at) {
            circle.push(at);
            match next.get(at) {
                Some(further) => at = *further,
                None => break,
            }
        }
        let closes = at == name && next.get(circle[circle.len() - 1]) == Some(&name);
        if closes && circle.iter().all(|name| told.insert(*name)) {
            let complaint = match circle.as_slice() {
                [_] => Complaint::new(format!("{name} is its own fallback")),
                circle => Complaint::new(format!("fallbacks in a circle: {} -> {name}", circle.join(" -> "))),
            };
            report.complain(&path, complaint.hint("name a channel that is told when this one fails, or none"));
        }
    }
}

pub(crate) fn unknown_channel(path: &str, name: &str, names: &BTreeSet<String>, report: &mut Report<'_>) {
    let hint = format!("there are {}", names.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
    report.unknown(path, format!("there is no channel {name}"), name, names, &hint);
}
