//! Scenarios as text, and what came of them as text: the difference is what a reviewer reads.
//!
//! One statement a line; `at 5m …` lets time pass first. `{1..20}` in a line stands for as many lines.

use crate::world::{Mode, World, clock};
use crate::{begin, golden, report};
use dixmgr_contract::alert::Silence;
use dixmgr_contract::incident::{AckArgs, SilenceArgs};
use dixmgr_contract::{AlertPolicy, EscalationStep, Maintenance, MaintenanceWindow, RateLimit, Route, Span, TimeOfDay};
use dixmgr_decide::incident::Event;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Words; those in quotes keep their blanks.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// `{1..20}` as twenty lines.
fn repeated(line: &str) -> Vec<String> {
    let Some((range, numbers)) = line.find('{').and_then(|from| {
        let to = line[from..].find('}')? + from;
        let (low, high) = line[from + 1..to].split_once("..")?;
        Some((&line[from..=to], low.parse::<u32>().ok()?..=high.parse::<u32>().ok()?))
    }) else {
        return vec![line.to_owned()];
    };
    numbers.map(|number| line.replace(range, &number.to_string())).collect()
}

/// `key=value` words, and the others.
fn keys(words: &[String]) -> (Vec<&str>, BTreeMap<&str, &str>) {
    let (with, without): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| word.contains('='));
    (without.into_iter().map(String::as_str).collect(), with.iter().filter_map(|word| word.split_once('=')).collect())
}

fn span(text: &str) -> Span {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn channel(name: &str, keys: &BTreeMap<&str, &str>) -> Route {
    let mut route = Route::new(name);
    for (key, value) in keys {
        match *key {
            "min" => route.min_severity = serde_json::from_value((*value).into()).unwrap(),
            "match" => route.matchers.push(value.replace(':', "=").parse().unwrap()),
            "fallback" => route.fallback = Some((*value).to_owned()),
            "resend" => route.resend = Some(span(value)),
            "after" => route.fallback_after = span(value),
            "rate" => {
                let (notes, per) = value.split_once('/').unwrap();
                route.rate_limit = Some(RateLimit { notes: notes.parse().unwrap(), per: span(per) });
            }
            key => panic!("a channel has no {key}"),
        }
    }
    route
}

fn window(name: &str, keys: &BTreeMap<&str, &str>) -> MaintenanceWindow {
    let list = |key: &str| keys.get(key).into_iter().flat_map(|list| list.split(',')).map(str::to_owned);
    MaintenanceWindow {
        name: name.to_owned(),
        weekdays: list("days").map(|day| serde_json::from_value(day.into()).unwrap()).collect(),
        start_minute: keys["start"].parse::<TimeOfDay>().unwrap().minute(),
        length: span(keys["length"]),
        zone: keys.get("zone").map_or_else(String::new, |zone| (*zone).to_owned()),
        services: list("services").collect(),
    }
}

struct Script {
    world: World,
    revision: u64,
}

impl Script {
    fn play(script: &str) -> String {
        let mut this = Self { world: World::new(AlertPolicy::default(), begin()), revision: 0 };
        let mut out = String::new();
        for line in script.lines().filter(|line| !line.trim().is_empty()) {
            writeln!(out, "{line}").unwrap();
            if line.starts_with('#') {
                continue;
            }
            let mut rest = line.to_owned();
            if let Some(at) = rest.strip_prefix("at ") {
                let (when, statement) = at.split_once(' ').unwrap_or((at, ""));
                this.world.run_to(begin().after(span(when)));
                rest = statement.to_owned();
            }
            for statement in repeated(&rest) {
                this.statement(&split(&statement), &mut out);
            }
            this.world.run(Span::ZERO);
            for told in this.world.told.drain(..) {
                writeln!(out, "    {told}").unwrap();
            }
        }
        out
    }

    fn statement(&mut self, words: &[String], out: &mut String) {
        let (plain, keys) = keys(words);
        match plain.as_slice() {
            [] => {}
            ["policy"] => self.policy(&keys),
            ["channel", name] => self.world.policy.channels.push(channel(name, &keys)),
            ["escalate", wait, channels] => self
                .world
                .policy
                .escalation
                .push(EscalationStep { wait: span(wait), channels: channels.split(',').map(str::to_owned).collect() }),
            ["window", name] => self.world.policy.maintenance.push(window(name, &keys)),
            ["alert", alert, service, severity, detail @ ..] => {
                let severity = serde_json::from_value((*severity).into()).unwrap();
                self.revision += 1;
                let mut told = report(service, alert, Some(severity), self.revision);
                if let [detail] = detail {
                    (*detail).clone_into(&mut told.alerts[0].detail);
                }
                if let Some(host) = service.strip_prefix("host:") {
                    (told.service, told.host) = (None, host.parse().ok());
                }
                told.cause = keys.get("cause").map(|cause| (*cause).to_owned());
                told.paused_by = keys.get("paused").map(|by| (*by).to_owned());
                told.chain = keys.get("chain").map_or_else(String::new, |chain| (*chain).to_owned());
                self.tell(alert, told);
            }
            ["passed", alert, service, severity, began, ended, detail] => {
                let severity = serde_json::from_value((*severity).into()).unwrap();
                self.revision += 1;
                let mut told = report(service, alert, Some(severity), self.revision);
                let found = &mut told.alerts[0];
                (*detail).clone_into(&mut found.detail);
                (found.age_ms, found.ended_ms) = (span(began).as_millis(), Some(span(ended).as_millis()));
                told.cause = keys.get("cause").map(|cause| (*cause).to_owned());
                self.tell(alert, told);
            }
            ["well", alert, service] => {
                self.revision += 1;
                let mut told = report(service, alert, None, self.revision);
                if let Some(host) = service.strip_prefix("host:") {
                    (told.service, told.host) = (None, host.parse().ok());
                }
                self.tell(alert, told);
            }
            ["ack", incident, by, comment @ ..] => {
                let args = AckArgs { by: (*by).to_owned(), comment: comment.join(" ") };
                self.ask(incident, |id| Event::Ack { id, args });
            }
            ["silence", incident, by] => {
                let args = SilenceArgs {
                    by: (*by).to_owned(),
                    span: keys.get("for").map(|text| span(text)),
                    ..SilenceArgs::default()
                };
                self.ask(incident, |id| Event::Silence { id, args });
            }
            ["silences", rest @ ..] => self.silences(rest, &keys),
            ["maintenance", name] => self.maintenance(name, &keys),
            ["status", incident] => self.status(incident, out),
            ["restart"] => self.world.restart(),
            [name, mode] => {
                self.world.receiver(name).mode = match *mode {
                    "up" => Mode::Up,
                    "down" => Mode::Down,
                    "mute" => Mode::Mute,
                    "refuses" => Mode::Refuses,
                    "hangs" => Mode::Hangs,
                    full if full.starts_with("full:") => Mode::Full(span(&full[5..])),
                    busy => Mode::Busy(span(busy.strip_prefix("busy:").unwrap())),
                }
            }
            other => panic!("what is {other:?}?"),
        }
    }

    fn policy(&mut self, keys: &BTreeMap<&str, &str>) {
        let policy = &mut self.world.policy;
        for (key, value) in keys {
            match *key {
                "group_wait" => policy.group_wait = span(value),
                "group_interval" => policy.group_interval = span(value),
                "repeat_interval" => policy.repeat_interval = span(value),
                "dedupe_window" => policy.dedupe_window = span(value),
                "group_by" => {
                    let by = serde_json::from_value((*value).into()).unwrap();
                    policy.group_by.insert("service_down".into(), by);
                }
                key => panic!("a policy has no {key}"),
            }
        }
    }

    fn tell(&mut self, alert: &str, told: dixmgr_contract::MemberReport) {
        let by = self.world.policy.grouping(alert);
        let fingerprint = by.fingerprint(alert, told.service.as_ref(), told.host.as_ref(), &told.chain);
        self.world.send(&fingerprint, Event::Member(Box::new(told)));
    }

    fn ask(&mut self, incident: &str, event: impl FnOnce(String) -> Event) {
        self.revision += 1;
        let event = event(format!("r{}", self.revision));
        self.world.send(incident, event);
    }

    fn silences(&mut self, matchers: &[&str], keys: &BTreeMap<&str, &str>) {
        let silence = Silence {
            id: "s1".into(),
            matchers: matchers.iter().map(|text| text.replace(':', "=").parse().unwrap()).collect(),
            by: "eve".into(),
            comment: String::new(),
            until: keys.get("for").map(|text| self.world.now.after(span(text))),
            window: None,
        };
        self.world.silences.retain(|one| one.window.is_some());
        self.world.silences.push(silence);
        self.tell_silences();
    }

    /// Set with its keys, and removed without.
    fn maintenance(&mut self, name: &str, keys: &BTreeMap<&str, &str>) {
        self.world.silences.retain(|one| one.id != name);
        if !keys.is_empty() {
            let set = Maintenance { by: "eve".into(), ..Maintenance::of(&window(name, keys)).unwrap() };
            self.world.silences.push(Silence::from(&set));
        }
        self.tell_silences();
    }

    /// As the registry does.
    fn tell_silences(&mut self) {
        let all: Vec<String> = self.world.incidents.keys().cloned().collect();
        for incident in all {
            self.world.send(&incident, Event::Silences(self.world.silences.clone()));
        }
    }

    fn status(&self, incident: &str, out: &mut String) {
        let Some(found) = self.world.incidents.get(incident) else {
            writeln!(out, "    there is no incident {incident}").unwrap();
            return;
        };
        let status = found.status(&self.world.policy);
        let next = status.next_at.map_or_else(|| "never".to_owned(), clock);
        writeln!(
            out,
            "    {} {}, {} firing, {} affected, {} notes; looks again {next}",
            status.phase, status.severity, status.firing, status.affected, status.notes
        )
        .unwrap();
        for reason in status.waiting_for {
            writeln!(out, "    waits for: {reason}").unwrap();
        }
        for channel in status.channels.iter().filter(|channel| !channel.last_error.is_empty()) {
            writeln!(out, "    {}: {} tries, {}", channel.name, channel.attempts, channel.last_error).unwrap();
        }
    }
}

#[test]
fn every_scenario_ends_in_the_notes_that_were_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/incident/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    assert!(files.len() >= 12, "only {} scenarios were found", files.len());
    let check = |file: &std::path::PathBuf| {
        let script = std::fs::read_to_string(file).unwrap();
        golden::check(&file.with_extension("out"), &Script::play(&script))
    };
    let problems: Vec<_> = files.iter().filter_map(check).collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}
