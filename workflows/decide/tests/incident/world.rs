//! A fleet of incidents with channels that may be slow, dead, or answer into the void: what a driver does, on a simulated clock.

use dixmgr_contract::alert::Silence;
use dixmgr_contract::incident::{Affected, IncidentRecord, IncidentSpec};
use dixmgr_contract::{AlertPolicy, Delivery, Note, NoteKind, Severity, Span, Time};
use dixmgr_decide::incident::{Action, Event, Incident};
use std::collections::{BTreeMap, BTreeSet};

/// How a channel answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Up,
    /// Nothing arrives.
    Down,
    /// It arrives, and the answer is lost.
    Mute,
    /// It is not taken, for a reason of which time is no cure.
    Refuses,
    /// Nothing arrives, and it says when to come again.
    Busy(Span),
    /// Our own rate has no room for it.
    Full(Span),
    /// The answer never comes, until dixmgr is restarted.
    Hangs,
}

/// A channel's other end. It honours the idempotency key.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) mode: Mode,
    /// What arrived, each id once.
    pub(crate) inbox: Vec<(Time, Note)>,
    /// What it accepted as far as the machine knows, each id once.
    pub(crate) accepted: Vec<(Time, Note)>,
    /// Notes that were given up, because it did not take them for too long.
    pub(crate) given_up: BTreeSet<String>,
    /// Each id that was ever tried, with what it said.
    pub(crate) tried: BTreeMap<String, Note>,
    pub(crate) tries: u64,
    /// What it knows as Alertmanager does: each set of labels that was begun and has not ended.
    pub(crate) alerts: BTreeSet<Alert>,
}

/// The incident, its labels, and the severity.
pub(crate) type Alert = (String, BTreeMap<String, String>, Severity);

impl Receiver {
    /// A note arrives, perhaps again.
    fn keep(&mut self, note: &Note) {
        self.alerts.retain(|alert| !is_over_with(note, alert));
        let identity = note.identity.clone().unwrap();
        assert!(!identity.labels.contains_key("severity") && !identity.former.contains(&identity.severity));
        if !is_end(note.kind) {
            self.alerts.insert((note.incident.clone(), identity.labels, identity.severity));
        }
    }

    /// An end that was given up is told as far as that is possible.
    fn give_up(&mut self, id: &str) {
        self.given_up.insert(id.to_owned());
        if let Some(note) = self.tried.get(id).filter(|note| is_end(note.kind)) {
            self.alerts.retain(|alert| !is_over_with(note, alert));
        }
    }
}

/// What is known by these labels is over with that note, or is the same.
fn is_over_with(note: &Note, (incident, labels, severity): &Alert) -> bool {
    let identity = note.identity.as_ref().unwrap();
    let is_named = identity.former.contains(severity) || identity.severity == *severity;
    *incident == note.incident && *labels == identity.labels && is_named
}

pub(crate) const fn is_end(kind: NoteKind) -> bool {
    matches!(kind, NoteKind::Resolved | NoteKind::Late)
}

pub(crate) struct World {
    pub(crate) policy: AlertPolicy,
    pub(crate) now: Time,
    pub(crate) incidents: BTreeMap<String, Incident>,
    pub(crate) receivers: BTreeMap<String, Receiver>,
    /// Answers on their way: when, from which channel, to which incident, about which note.
    answers: Vec<(Time, String, String, Note)>,
    /// The fleet's, which each incident is started with.
    pub(crate) silences: Vec<Silence>,
    pub(crate) told: Vec<String>,
    /// Looks at the machine just before each alarm.
    pub(crate) is_strict: bool,
    pub(crate) steps: u64,
}

pub(crate) const LATENCY: Span = Span::from_millis(100);

pub(crate) fn type_of(fingerprint: &str) -> String {
    fingerprint.split('.').next().unwrap().to_owned()
}

impl World {
    pub(crate) fn new(policy: AlertPolicy, now: Time) -> Self {
        Self {
            policy,
            now,
            incidents: BTreeMap::new(),
            receivers: BTreeMap::new(),
            answers: Vec::new(),
            silences: Vec::new(),
            told: Vec::new(),
            is_strict: false,
            steps: 0,
        }
    }

    pub(crate) fn receiver(&mut self, channel: &str) -> &mut Receiver {
        self.receivers.entry(channel.to_owned()).or_insert_with(|| Receiver {
            mode: Mode::Up,
            inbox: Vec::new(),
            accepted: Vec::new(),
            given_up: BTreeSet::new(),
            tried: BTreeMap::new(),
            tries: 0,
            alerts: BTreeSet::new(),
        })
    }

    /// Signal with start.
    pub(crate) fn send(&mut self, fingerprint: &str, event: Event) {
        let now = self.now;
        let spec = || IncidentSpec { fingerprint: fingerprint.to_owned(), alert: type_of(fingerprint) };
        if !self.incidents.contains_key(fingerprint) {
            self.incidents.insert(fingerprint.to_owned(), Incident::new(spec(), 7, now));
            if !self.silences.is_empty() {
                self.step(fingerprint, Event::Silences(self.silences.clone()));
            }
        }
        self.step(fingerprint, event);
    }

    /// Whatever happens, the state is written down and read back before.
    fn step(&mut self, fingerprint: &str, event: Event) {
        let Some(incident) = self.incidents.get_mut(fingerprint) else { return };
        self.steps += 1;
        if self.is_strict && self.steps.is_multiple_of(3) {
            let text = serde_json::to_string(incident).unwrap();
            let copy: Incident = serde_json::from_str(&text).unwrap();
            assert_eq!(&copy, incident, "what is written is read back");
        }
        let actions = incident.step(event, &self.policy, self.now);
        assert!(incident.wake_at().is_none_or(|at| at > self.now), "an alarm in the past");
        if self.is_strict {
            let again = incident.clone().step(Event::Tick, &self.policy, self.now);
            assert_eq!(again, [], "a second look finds nothing more");
        }
        for action in actions {
            self.perform(fingerprint, action);
        }
    }

    fn perform(&mut self, fingerprint: &str, action: Action) {
        let now = self.now;
        match action {
            Action::Deliver { channel, note, attempt, again, .. } => {
                let receiver = self.receiver(&channel);
                receiver.tries += 1;
                let is_known = receiver.accepted.iter().any(|(_, known)| known.id == note.id);
                assert!(!again || is_known || receiver.given_up.contains(&note.id), "it was told before");
                assert!(again || !is_known, "it is told again, and does not say so");
                let known = receiver.tried.entry(note.id.clone()).or_insert_with(|| (*note).clone());
                assert_eq!(known, &*note, "a note is the same in each try");
                assert!(attempt >= 1 && note.id.len() <= 255 && note.members.len() <= 100);
                if receiver.mode != Mode::Hangs {
                    self.answers.push((now.after(LATENCY), channel, fingerprint.to_owned(), *note));
                }
            }
            Action::TellCause { cause, affected } => {
                let Affected { services, .. } = &affected;
                self.say(&format!("{fingerprint} tells {cause}: {} behind it", services.len()));
                self.send(&cause, Event::Affected(affected));
            }
            Action::Release { incidents, is_muted } => {
                let why = if is_muted { ", for nobody is told of it" } else { "" };
                self.say(&format!("{fingerprint} releases {}{why}", incidents.len()));
                for incident in incidents {
                    self.step(&incident, Event::Released { cause: fingerprint.to_owned(), is_muted });
                }
            }
            Action::Record(record) => {
                if let IncidentRecord::GaveUp { channel, note, .. } = &record {
                    let tried = &self.receiver(channel).tried[note];
                    let is_vital = !matches!(tried.kind, NoteKind::Acknowledged | NoteKind::Reminder);
                    assert!(!is_vital || now.since(tried.at) >= self.policy.give_up, "it was given up early");
                    self.receiver(channel).give_up(note);
                }
                self.say(&format!("{fingerprint}: {}", recorded(&record)));
            }
            Action::Answer(answer) => self.say(&format!("{fingerprint} answers: {:?}", answer.result)),
            Action::Close => {
                self.say(&format!("{fingerprint} closes"));
                assert!(self.incidents.remove(fingerprint).unwrap().is_closed());
            }
        }
    }

    fn say(&mut self, what: &str) {
        self.told.push(format!("{}  {what}", clock(self.now)));
    }

    /// It arrives, perhaps again.
    fn receive(&mut self, channel: &str, note: &Note) {
        let now = self.now;
        let receiver = self.receiver(channel);
        if !matches!(receiver.mode, Mode::Up | Mode::Mute) {
            return;
        }
        receiver.keep(note);
        if receiver.inbox.iter().all(|(_, known)| known.id != note.id) {
            receiver.inbox.push((now, note.clone()));
            self.say(&shown(channel, note));
        }
    }

    /// What is on its way arrives, and the answers to it are lost.
    pub(crate) fn arrive(&mut self) {
        for (_, channel, _, note) in std::mem::take(&mut self.answers) {
            self.receive(&channel, &note);
        }
    }

    fn answer(&mut self, channel: &str, incident: &str, note: Note) {
        self.receive(channel, &note);
        let now = self.now;
        let receiver = self.receiver(channel);
        let outcome = match receiver.mode {
            Mode::Up => {
                if receiver.accepted.iter().all(|(_, known)| known.id != note.id) {
                    receiver.accepted.push((now, note.clone()));
                }
                Delivery::Sent { thread: String::new() }
            }
            Mode::Down => Delivery::Retry { reason: "connection refused".into(), after: None },
            Mode::Mute => Delivery::Retry { reason: "no answer within 10s".into(), after: None },
            Mode::Busy(after) => Delivery::Retry { reason: "HTTP 429".into(), after: Some(after) },
            Mode::Full(after) => Delivery::Later { after },
            Mode::Refuses => Delivery::Refused { reason: "HTTP 404".into() },
            // It was asked before it began to hang.
            Mode::Hangs => Delivery::Retry { reason: "reset".into(), after: None },
        };
        let id = note.id;
        self.step(incident, Event::Delivered { channel: channel.to_owned(), note: id, outcome });
    }

    /// dixmgr is killed and started again: answers on their way are lost.
    pub(crate) fn restart(&mut self) {
        self.answers.clear();
        let all: Vec<String> = self.incidents.keys().cloned().collect();
        for fingerprint in all {
            self.step(&fingerprint, Event::Interrupted);
        }
    }

    fn next(&self) -> Option<Time> {
        let alarms = self.incidents.values().filter_map(Incident::wake_at);
        self.answers.iter().map(|(at, ..)| *at).chain(alarms).min()
    }

    /// Lets time pass, with what is due on the way.
    pub(crate) fn run_to(&mut self, until: Time) {
        let mut steps = 0;
        while let Some(at) = self.next().filter(|at| *at <= until) {
            steps += 1;
            assert!(steps < 200_000, "it never comes to rest");
            self.now = self.now.max(at);
            if let Some(index) = self.answers.iter().position(|(due, ..)| *due <= self.now) {
                let (_, channel, incident, note) = self.answers.remove(index);
                self.answer(&channel, &incident, note);
                continue;
            }
            let due = |(_, incident): &(&String, &Incident)| incident.wake_at().is_some_and(|at| at <= self.now);
            let Some(fingerprint) = self.incidents.iter().find(due).map(|(name, _)| name.clone()) else { continue };
            if self.is_strict {
                let early = Time::from_unix_millis(self.now.unix_millis() - 1);
                let actions = self.incidents[&fingerprint].clone().step(Event::Tick, &self.policy, early);
                assert_eq!(actions, [], "something was due before its alarm");
            }
            self.step(&fingerprint, Event::Tick);
        }
        self.now = self.now.max(until);
    }

    pub(crate) fn run(&mut self, span: Span) {
        self.run_to(self.now.after(span));
    }
}

/// The time of the day, and the day if it is not the first.
pub(crate) fn clock(now: Time) -> String {
    let text = now.to_string();
    let (date, time) = text.split_once('T').unwrap();
    let day = if date.ends_with("-05") { String::new() } else { format!("{} ", &date[5..]) };
    format!("{day}{}", time.trim_end_matches('Z'))
}

fn recorded(record: &IncidentRecord) -> String {
    match record {
        IncidentRecord::Began { severity } => format!("began, {severity}"),
        IncidentRecord::Worse { from, to } => format!("worse, {from} -> {to}"),
        IncidentRecord::Ended { severity, lasted, .. } => format!("ended after {lasted}, {severity}"),
        IncidentRecord::GaveUp { channel, reason, .. } => format!("gave up on {channel}: {reason}"),
        IncidentRecord::FellBack { channel, to } => format!("{to} is told in the place of {channel}"),
        IncidentRecord::Operator { by, text } => format!("{by}: {text}"),
    }
}

pub(crate) fn shown(channel: &str, note: &Note) -> String {
    let mut line =
        format!("{channel} <- {} {} \"{}\"", format!("{:?}", note.kind).to_uppercase(), note.severity, note.title);
    if note.for_all {
        line += " for all";
    }
    if !note.text.is_empty() {
        line += &format!(" ({})", note.text);
    }
    let total = note.members.len() as u64 + note.more_members;
    if total != 1 {
        let over = note.members.iter().filter(|member| member.over).count();
        line += &format!(" [{total} members, {over} of those listed well]");
    }
    let affected = note.affected.len() as u64 + note.more_affected;
    if affected > 0 {
        let names: Vec<_> = note.affected.iter().take(3).map(ToString::to_string).collect();
        line += &format!(" [affected: {}{} of {affected}]", names.join(" "), if affected > 3 { " …" } else { "" });
    }
    line
}
