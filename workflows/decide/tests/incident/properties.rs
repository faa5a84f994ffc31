//! Random lives: whatever happens in whatever order, whoever heard the beginning hears the end, once.

use crate::common::lives;
use crate::world::{Mode, Receiver, World, is_end};
use crate::{begin, report};
use dixmgr_contract::alert::Silence;
use dixmgr_contract::incident::{AckArgs, Affected, Reach, SilenceArgs, UnsilenceArgs};
use dixmgr_contract::{
    AlertPolicy, EscalationStep, Maintenance, MaintenanceWindow, Matcher, MemberReport, Note, NoteKind, RateLimit,
    Route, ServiceName, Severity, Span, Time, TimeOfDay, Weekday,
};
use dixmgr_decide::incident::Event;
use dixmgr_decide::rng::Rng;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const FINGERPRINT: &str = "service_down.fleet";
const CAUSE: &str = "host_lost.host.alpha";
const SERVICES: [&str; 4] = ["api", "db", "node-1", "node-2"];

fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[usize::try_from(rng.between(0, of.len() as u64 - 1)).unwrap()]
}

fn spans(rng: &mut Rng, seconds: &[u64]) -> Span {
    Span::from_secs(pick(rng, seconds))
}

fn policy(rng: &mut Rng) -> AlertPolicy {
    let route = |name: &str| Route::new(name);
    let mut channels = vec![
        route("log"),
        Route { fallback: Some("mail".into()), fallback_after: spans(rng, &[0, 60, 300]), ..route("slack") },
        Route { min_severity: Severity::Critical, ..route("mail") },
        Route { matchers: vec![Matcher::is("service", "node-*")], fallback: Some("log".into()), ..route("nodes") },
        Route { min_severity: pick(rng, &[Severity::Info, Severity::Critical]), ..route("pager") },
    ];
    if rng.between(0, 1) == 0 {
        channels[0].resend = Some(Span::from_secs(60));
        channels[1].rate_limit = Some(RateLimit { notes: 2, per: Span::from_secs(120) });
    }
    let step = |wait: u64, names: &[&str]| EscalationStep {
        wait: Span::from_secs(wait),
        channels: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let escalation = match rng.between(0, 2) {
        0 => vec![],
        1 => vec![step(300, &["pager"]), step(600, &["pager", "mail"])],
        _ => vec![step(0, &["slack"]), step(60, &["pager"])],
    };
    let window = MaintenanceWindow {
        name: "nightly".into(),
        weekdays: vec![],
        start_minute: 30,
        length: Span::from_secs(1_800),
        zone: "Europe/Zurich".into(),
        services: vec!["node-*".into()],
    };
    AlertPolicy {
        group_wait: spans(rng, &[0, 10]),
        group_interval: spans(rng, &[0, 300]),
        repeat_interval: spans(rng, &[0, 900, 14_400]),
        dedupe_window: spans(rng, &[0, 300]),
        channels,
        escalation,
        maintenance: if rng.between(0, 1) == 0 { vec![window] } else { vec![] },
        ..AlertPolicy::default()
    }
}

/// Whose business something behind is, by what another machine says.
fn reach(rng: &mut Rng) -> Reach {
    let severities = [None, Some(Severity::Warning), Some(Severity::Critical)];
    let names = ["log", "mail", "nodes", "pager", "gone"];
    let mut reach = Reach::new();
    for name in names {
        if rng.between(0, 1) == 0 {
            reach.insert(name.to_owned(), pick(rng, &severities));
        }
    }
    reach
}

struct Life {
    world: World,
    revision: u64,
    requests: u64,
    firing: BTreeSet<&'static str>,
}

impl Life {
    fn new(rng: &mut Rng) -> Self {
        let mut world = World::new(policy(rng), begin());
        world.is_strict = true;
        for route in world.policy.channels.clone() {
            world.receiver(&route.name);
        }
        Self { world, revision: 0, requests: 0, firing: BTreeSet::new() }
    }

    fn member(&mut self, rng: &mut Rng) {
        let service = pick(rng, &SERVICES);
        let severities = [Severity::Info, Severity::Warning, Severity::Critical];
        let fires = rng.between(0, 2) > 0;
        let severity = fires.then(|| pick(rng, &severities));
        self.revision += 1;
        let mut told = report(service, "service_down", severity, self.revision);
        if rng.between(0, 5) == 0 {
            told.cause = Some(CAUSE.into());
        }
        if rng.between(0, 9) == 0 {
            told.paused_by = Some("eve".into());
        }
        for found in &mut told.alerts {
            found.rule = pick(rng, &["High", "Critical"]).to_owned();
            found.labels.insert("team".to_owned(), pick(rng, &["ops", "web"]).to_owned());
        }
        let fires = fires && !self.has_passed(rng, &mut told);
        if fires {
            self.firing.insert(service);
        } else {
            self.firing.remove(service);
        }
        let event = Event::Member(Box::new(told));
        self.world.send(FINGERPRINT, event.clone());
        if rng.between(0, 9) == 0 {
            self.world.send(FINGERPRINT, event);
        }
    }

    /// What a report says may be over already.
    fn has_passed(&self, rng: &mut Rng, told: &mut MemberReport) -> bool {
        let is_over = rng.between(0, 5) == 0;
        for found in told.alerts.iter_mut().filter(|_| is_over) {
            let ended = rng.between(0, 600_000);
            (found.age_ms, found.ended_ms) = (ended + rng.between(0, 600_000), Some(ended));
        }
        is_over
    }

    /// How the host stands that some of them fell with.
    fn cause(&mut self, rng: &mut Rng) {
        let severities = [None, Some(Severity::Info), Some(Severity::Warning), Some(Severity::Critical)];
        let paused_by = (rng.between(0, 4) == 0).then(|| "eve".to_owned());
        let told = self.host(pick(rng, &severities));
        self.world.send(CAUSE, Event::Member(Box::new(MemberReport { paused_by, ..told })));
    }

    fn host(&mut self, severity: Option<Severity>) -> MemberReport {
        self.revision += 1;
        MemberReport { service: None, ..report("host", "host_lost", severity, self.revision) }
    }

    fn id(&mut self) -> String {
        self.requests += 1;
        format!("r{}", self.requests)
    }

    fn person(&mut self, rng: &mut Rng) -> Event {
        let id = self.id();
        let matchers = if rng.between(0, 1) == 0 { vec![Matcher::is("service", "node-*")] } else { vec![] };
        let by = "ann".to_owned();
        match rng.between(0, 6) {
            0 | 1 => Event::Ack { id, args: AckArgs { by, comment: String::new() } },
            2 => {
                let span = (rng.between(0, 1) == 0).then(|| spans(rng, &[30, 3_600]));
                Event::Silence { id, args: SilenceArgs { matchers, by, span, ..SilenceArgs::default() } }
            }
            3 => Event::Unsilence { id, args: UnsilenceArgs::default() },
            4 => {
                let until = Some(self.world.now.after(spans(rng, &[60, 1_200])));
                let matchers = vec![Matcher::is("service", pick(rng, &["*", "db"]))];
                let silence = Silence { id, matchers, by, comment: String::new(), until, window: None };
                self.world.silences.retain(|one| one.window.is_some());
                self.world.silences.extend((rng.between(0, 1) == 0).then_some(silence));
                Event::Silences(self.world.silences.clone())
            }
            _ => self.window_of_the_fleet(rng),
        }
    }

    /// One of two names is set anew or removed; it is open, or soon will be, for a minute or an hour, or never is.
    fn window_of_the_fleet(&mut self, rng: &mut Rng) -> Event {
        let name = pick(rng, &["disks", "network"]);
        self.world.silences.retain(|one| one.id != name);
        if rng.between(0, 2) > 0 {
            let minutes = u64::try_from(self.world.now.unix_millis() / 60_000).unwrap() + pick(rng, &[0, 0, 2, 30]);
            let set = Maintenance {
                name: name.into(),
                weekdays: pick(rng, &[&[][..], &[], &[Weekday::Monday, Weekday::Tuesday], &[Weekday::Friday]]).to_vec(),
                start: TimeOfDay::from_minute(u16::try_from(minutes % 1_440).unwrap()).unwrap(),
                length: spans(rng, &[60, 300, 3_600]),
                zone: String::new(),
                services: pick(rng, &[&[][..], &["db", "api"], &["node-*"]])
                    .iter()
                    .map(|it| (*it).to_owned())
                    .collect(),
                by: "ann".into(),
                comment: String::new(),
            };
            self.world.silences.push(Silence::from(&set));
        }
        Event::Silences(self.world.silences.clone())
    }

    fn live(&mut self, rng: &mut Rng) {
        match rng.between(0, 13) {
            0..=4 => self.member(rng),
            5 => {
                let event = self.person(rng);
                if let Event::Silences(_) = event {
                    self.world.send(CAUSE, event.clone());
                }
                self.world.send(pick(rng, &[FINGERPRINT, FINGERPRINT, CAUSE]), event);
            }
            6 => {
                let cause = CAUSE.to_owned();
                let held = Event::Held { cause: cause.clone(), member: None };
                let event = if rng.between(0, 1) == 0 {
                    held
                } else {
                    Event::Released { cause, is_muted: rng.between(0, 1) == 0 }
                };
                self.world.send(FINGERPRINT, event);
            }
            7 => {
                let services =
                    (0..rng.between(0, 3)).filter_map(|n| ServiceName::new(format!("behind-{n}")).ok()).collect();
                let incident = "service_down.other".to_owned();
                let reach = reach(rng);
                self.world.send(FINGERPRINT, Event::Affected(Affected { incident, services, behind: vec![], reach }));
            }
            9 | 10 => self.cause(rng),
            8 => {
                if rng.between(0, 1) == 0 {
                    self.world.arrive();
                }
                self.world.restart();
            }
            _ => {
                let modes = [
                    Mode::Up,
                    Mode::Up,
                    Mode::Down,
                    Mode::Mute,
                    Mode::Busy(Span::from_secs(700)),
                    Mode::Full(Span::from_secs(70)),
                    Mode::Hangs,
                    Mode::Refuses,
                ];
                let name = pick(rng, &["log", "slack", "mail", "nodes", "pager"]);
                self.world.receiver(name).mode = pick(rng, &modes);
            }
        }
        let pause = [0, 1, 5, 12, 70, 301, 1_000, 5_000];
        self.world.run(Span::from_millis(pick(rng, &pause) * 1_000 + rng.between(0, 300)));
    }

    /// Every channel has answered for an hour: who heard an end last is known to have heard it, unless nobody is told for now.
    fn check_agreed(&self) {
        let last = |notes: &[(Time, Note)]| -> BTreeMap<String, Note> {
            notes.iter().map(|(_, note)| (note.incident.clone(), note.clone())).collect()
        };
        for incident in self.world.incidents.values() {
            let (id, status) = (incident.id(), incident.status(&self.world.policy));
            let is_muted = status.waiting_for.iter().any(|what| what.starts_with("nobody is told"));
            for (name, receiver) in self.world.receivers.iter().filter(|_| !is_muted) {
                let Some(note) = last(&receiver.inbox).remove(&id).filter(|note| is_end(note.kind)) else { continue };
                let known = last(&receiver.accepted).remove(&id);
                let agrees = known.is_none_or(|known| is_end(known.kind)) || receiver.given_up.contains(&note.id);
                assert!(agrees, "{name} believes that {id} is over: {status:?} {:?}", self.world.told);
            }
        }
    }

    /// Everything is well again, every channel answers, and time passes.
    fn end(&mut self) {
        for receiver in self.world.receivers.values_mut() {
            receiver.mode = Mode::Up;
        }
        self.world.restart();
        self.world.run(Span::from_secs(3_600));
        self.check_agreed();
        for service in SERVICES {
            self.revision += 1;
            self.world.send(FINGERPRINT, Event::Member(Box::new(report(service, "service_down", None, self.revision))));
        }
        let host = self.host(None);
        self.world.send(CAUSE, Event::Member(Box::new(host)));
        let nothing =
            Affected { incident: "service_down.other".into(), services: vec![], behind: vec![], reach: Reach::new() };
        self.world.send(FINGERPRINT, Event::Affected(nothing));
        self.world.run(Span::from_secs(86_400));
        assert!(self.world.incidents.is_empty(), "it closes in the end: {:?}", self.world.told);
    }
}

const fn is_beginning(kind: NoteKind) -> bool {
    matches!(kind, NoteKind::Firing | NoteKind::Escalation)
}

/// Notes that are known to be, and the ends that were given up, which are told as far as that is possible: in the order in which they
/// were made.
fn with_given_up_ends(receiver: &Receiver, notes: &[(Time, Note)]) -> Vec<Note> {
    // One that is told again and again may be known all the same.
    let known: BTreeSet<_> = notes.iter().map(|(_, note)| &note.id).collect();
    let is_lost = |note: &&Note| receiver.given_up.contains(&note.id) && is_end(note.kind) && !known.contains(&note.id);
    let mut log: Vec<Note> = notes.iter().map(|(_, note)| note.clone()).collect();
    log.extend(receiver.tried.values().filter(is_lost).cloned());
    log.sort_by_key(|note| (note.incident.clone(), note.sequence));
    log
}

/// What a channel accepted, as the machine knows it: beginning, anything, one end, and so on.
fn check_accepted(name: &str, receiver: &Receiver) {
    let log = with_given_up_ends(receiver, &receiver.accepted);
    let mut incident = "";
    let mut open = false;
    for note in &log {
        if note.incident != incident {
            assert!(!open, "{name} was not told the end of {incident}");
            incident = &note.incident;
        }
        match note.kind {
            NoteKind::Firing => assert!(!std::mem::replace(&mut open, true), "{name}: two beginnings"),
            NoteKind::Escalation => open = true,
            NoteKind::Resolved => assert!(std::mem::replace(&mut open, false), "{name}: an end without a beginning"),
            NoteKind::Late => assert!(!open, "{name}: a summary of what it knew"),
            kind => assert!(open, "{name}: {kind:?} of what it did not know"),
        }
    }
    assert!(!open, "{name} was not told the end of {incident}");
    let ids: BTreeSet<_> = receiver.accepted.iter().map(|(_, note)| &note.id).collect();
    assert_eq!(ids.len(), receiver.accepted.len(), "{name} accepted a note twice");
}

/// What really arrived, also where the answer was lost, or what was tried again was refused: it never stays without an end.
fn check_arrived(name: &str, receiver: &Receiver) {
    let mut open: Option<&str> = None;
    let log = with_given_up_ends(receiver, &receiver.inbox);
    for note in &log {
        assert!(open.is_none_or(|incident| incident == note.incident), "{name} is left without the end of {open:?}");
        if is_beginning(note.kind) {
            open = Some(&note.incident);
        } else if is_end(note.kind) {
            open = None;
        }
    }
    assert_eq!(open, None, "{name} is left without the end");
    assert!(receiver.alerts.is_empty(), "{name} is left with {:?}", receiver.alerts);
}

proptest! {
    #![proptest_config(lives(25))]

    #[test]
    fn whoever_heard_the_beginning_hears_the_end_once(seed: u64) {
        let mut rng = Rng::new(seed);
        let mut life = Life::new(&mut rng);
        for _ in 0..60 {
            life.live(&mut rng);
        }
        life.end();
        for (name, receiver) in &life.world.receivers {
            check_accepted(name, receiver);
            check_arrived(name, receiver);
        }
    }

    #[test]
    fn what_is_critical_reaches_who_is_woken_by_that_whatever_its_cause_is(seed: u64) {
        let mut rng = Rng::new(seed);
        let pager = Route { min_severity: Severity::Critical, matchers: vec![Matcher::is("service", "api")], ..Route::new("pager") };
        let policy = AlertPolicy { channels: vec![Route::new("log"), pager], dedupe_window: Span::from_secs(60), ..policy(&mut rng) };
        let mut life = Life::new(&mut rng);
        life.world.policy = AlertPolicy { escalation: vec![], maintenance: vec![], ..policy };
        let service = |cause: Option<&str>, severity, revision| {
            let cause = cause.map(str::to_owned);
            Event::Member(Box::new(MemberReport { cause, ..report("api", "service_down", severity, revision) }))
        };
        let pause = |life: &mut Life, rng: &mut Rng| life.world.run(Span::from_secs(pick(rng, &[0, 1, 30, 400])));
        // The cause, one in the middle, a silence of the cause for good or for a while, and the service, in any order.
        let mut what = [0, 1, 2, 3];
        (1..what.len()).for_each(|at| what.swap(at, usize::try_from(rng.between(0, at as u64)).unwrap()));
        let cause = pick(&mut rng, &[CAUSE, "service_down.db"]);
        for what in what {
            match what {
                0 => {
                    let host = life.host(Some(pick(&mut rng, &[Severity::Info, Severity::Warning, Severity::Critical])));
                    life.world.send(CAUSE, Event::Member(Box::new(host)));
                }
                1 => {
                    let told = MemberReport { cause: Some(CAUSE.into()), ..report("db", "service_down", Some(Severity::Warning), 1) };
                    life.world.send("service_down.db", Event::Member(Box::new(told)));
                }
                2 if rng.between(0, 1) == 0 => {
                    let span = pick(&mut rng, &[None, Some(Span::from_secs(100))]);
                    let args = SilenceArgs { span, ..SilenceArgs::default() };
                    let id = life.id();
                    life.world.send(CAUSE, Event::Silence { id, args });
                }
                2 => {}
                _ => life.world.send("service_down.api", service(Some(cause), Some(Severity::Critical), 1)),
            }
            pause(&mut life, &mut rng);
        }
        life.world.run(Span::from_secs(600));
        let kinds = |life: &Life| life.world.receivers["pager"].inbox.iter().map(|(_, note)| note.kind).collect::<Vec<_>>();
        let balance = kinds(&life).iter().fold(0, |open, kind| open + i32::from(is_beginning(*kind)) - i32::from(is_end(*kind)));
        prop_assert_eq!(balance, 1, "{:?} {:?}", kinds(&life), life.world.told);
        life.world.send("service_down.api", service(None, None, 2));
        life.world.send("service_down.db", Event::Member(Box::new(report("db", "service_down", None, 2))));
        life.end();
        for (name, receiver) in &life.world.receivers {
            check_accepted(name, receiver);
            check_arrived(name, receiver);
        }
    }

    #[test]
    fn a_dead_channel_delays_no_other(seed: u64, modes in prop::sample::select(vec![Mode::Down, Mode::Hangs, Mode::Refuses, Mode::Full(Span::from_secs(7))])) {
        let play = |others: bool| {
            let mut rng = Rng::new(seed);
            let policy = policy(&mut rng);
            let log = Route::new("log");
            let dead = Route { rate_limit: None, ..Route::new("dead") };
            let channels = if others { vec![dead.clone(), log, Route { name: "dead-too".into(), ..dead }] } else { vec![log] };
            let mut life = Life::new(&mut rng);
            life.world.policy = AlertPolicy { channels, escalation: vec![], ..policy };
            life.world.receiver("dead").mode = modes;
            life.world.receiver("dead-too").mode = modes;
            for _ in 0..25 {
                match rng.between(0, 2) {
                    0 => {
                        let event = life.person(&mut rng);
                        life.world.send(FINGERPRINT, event);
                    }
                    _ => life.member(&mut rng),
                }
                life.world.run(Span::from_secs(pick(&mut rng, &[0, 1, 12, 70, 400])));
            }
            let log = life.world.receiver("log");
            log.accepted.iter().map(|(at, note)| (*at, note.kind, note.title.clone())).collect::<Vec<_>>()
        };
        prop_assert_eq!(play(true), play(false));
    }

    #[test]
    fn nobody_hears_of_what_is_silenced_from_the_beginning(seed: u64, by_window: bool) {
        let mut rng = Rng::new(seed);
        let mut life = Life::new(&mut rng);
        // One that has begun again before it ends.
        let always = r#"{"name":"s","start":"00:00","length":"48h","by":"ann"}"#;
        let always: Maintenance = serde_json::from_str(always).unwrap();
        let plain = Silence { matchers: vec![Matcher::is("type", "service_down")], window: None, ..Silence::from(&always) };
        let silence = if by_window { Silence::from(&always) } else { plain };
        life.world.silences = vec![silence];
        for _ in 0..40 {
            life.member(&mut rng);
            life.world.run(Span::from_secs(pick(&mut rng, &[0, 12, 70, 400])));
        }
        prop_assert!(life.world.receivers.values().all(|receiver| receiver.tries == 0));
        // What is still wrong when the silence ends is told then.
        let is_heard = life.world.incidents.contains_key(FINGERPRINT) && !life.firing.is_empty();
        life.world.send(FINGERPRINT, Event::Silences(vec![]));
        life.world.run(Span::from_secs(20));
        let causes = |life: &Life| life.world.told.iter().any(|line| line.contains("behind it") || line.contains("paused"));
        if is_heard && life.world.policy.maintenance.is_empty() && !causes(&life) {
            let log = &life.world.receivers["log"];
            prop_assert!(log.tries > 0 || life.world.incidents[FINGERPRINT].status(&life.world.policy).waiting_for.iter().any(|line| line.contains("nobody")));
        }
    }
}
