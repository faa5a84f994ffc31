//! A thousand failures at a time: how many notes, and whether their counts are right.

use crate::world::{Mode, World};
use crate::{begin, report};
use dixmgr_contract::incident::{
    AckArgs, Affected, IncidentPhase, IncidentSpec, MAX_AFFECTED, MAX_REACH, Reach, ResolveArgs, SilenceArgs,
};
use dixmgr_contract::{
    AlertPolicy, Delivery, GroupBy, MemberReport, NoteKind, Route, ServiceName, Severity, Span, Time,
};
use dixmgr_decide::incident::{Action, Event, Incident, MAX_MEMBERS, Skill};
use std::collections::BTreeMap;

const MANY: u64 = 1_000;

fn policy() -> AlertPolicy {
    AlertPolicy { channels: vec![Route::new("slack"), Route::new("log")], ..AlertPolicy::default() }
}

fn fire(world: &mut World, fingerprint: &str, service: &str, cause: Option<&str>, revision: u64) {
    let mut told = report(service, "service_down", Some(Severity::Critical), revision);
    told.cause = cause.map(str::to_owned);
    world.send(fingerprint, Event::Member(Box::new(told)));
}

fn well(world: &mut World, fingerprint: &str, service: &str, revision: u64) {
    world.send(fingerprint, Event::Member(Box::new(report(service, "service_down", None, revision))));
}

#[test]
fn a_thousand_failures_behind_one_cause_are_one_note() {
    let mut world = World::new(policy(), begin());
    // The consequences are noticed before their cause.
    for number in 0..MANY {
        let name = format!("node-{number}");
        fire(&mut world, &format!("service_down.{name}"), &name, Some("service_down.relay"), 1);
    }
    world.run(Span::from_secs(2));
    fire(&mut world, "service_down.relay", "relay", None, 1);
    world.run(Span::from_secs(1_200));
    let inbox = &world.receivers["slack"].inbox;
    assert_eq!(inbox.len(), 1);
    let note = &inbox[0].1;
    assert_eq!(
        (note.kind, note.members.len(), note.affected.len(), note.more_affected),
        (NoteKind::Firing, 1, 100, 900)
    );
    assert_eq!(note.text, "1000 services behind it are affected.");
    // It comes back, and they with it: one more note.
    well(&mut world, "service_down.relay", "relay", 2);
    world.run(Span::from_secs(30));
    for number in 0..MANY {
        let name = format!("node-{number}");
        well(&mut world, &format!("service_down.{name}"), &name, 2);
    }
    world.run(Span::from_secs(3_600));
    let kinds: Vec<_> = world.receivers["slack"].inbox.iter().map(|(_, note)| note.kind).collect();
    assert_eq!(kinds, [NoteKind::Firing, NoteKind::Resolved]);
    assert!(world.incidents.is_empty(), "all are closed");
}

/// As the workflow of a host that is lost does.
#[test]
fn what_goes_on_and_is_told_again_each_hour_is_told_once_and_anew_after_it_was_ended_by_hand() {
    let quiet = AlertPolicy { repeat_interval: Span::from_secs(30 * 24 * 3_600), ..policy() };
    let mut world = World::new(quiet, begin());
    let mut revision = 0;
    let mut hours = |world: &mut World, count: u64| {
        for _ in 0..count {
            revision += 1;
            fire(world, "service_down.api", "api", None, revision);
            world.run(Span::from_secs(3_600));
        }
    };
    hours(&mut world, 24);
    assert_eq!(world.receivers["slack"].inbox.len(), 1);
    world.send("service_down.api", Event::Resolve(ResolveArgs::default()));
    world.run(Span::from_secs(1_800));
    hours(&mut world, 3);
    let kinds: Vec<_> = world.receivers["slack"].inbox.iter().map(|(_, note)| note.kind).collect();
    assert_eq!(kinds, [NoteKind::Firing, NoteKind::Resolved, NoteKind::Firing]);
}

#[test]
fn a_thousand_independent_failures_in_one_group_are_a_few_notes_with_right_counts() {
    let mut policy = policy();
    policy.group_by.insert("service_down".into(), GroupBy::Fleet);
    let mut world = World::new(policy, begin());
    let fingerprint = "service_down.fleet";
    // Over a quarter of an hour, in order of their numbers; then they come back, the first half first.
    for number in 0..MANY {
        fire(&mut world, fingerprint, &format!("node-{number:04}"), None, 1);
        world.run(Span::from_millis(900));
    }
    world.run(Span::from_secs(600));
    let firing: Vec<u64> =
        world.receivers["slack"].inbox.iter().map(|(_, note)| note.members.len() as u64 + note.more_members).collect();
    assert!(firing.len() <= 5, "{firing:?}");
    assert!(firing.windows(2).all(|pair| pair[0] < pair[1]) && firing.last() == Some(&MANY), "{firing:?}");
    for number in 0..MANY {
        well(&mut world, fingerprint, &format!("node-{number:04}"), 2);
    }
    world.run(Span::from_secs(600));
    let (_, last) = world.receivers["slack"].inbox.last().unwrap();
    assert_eq!((last.kind, last.members.len(), last.more_members), (NoteKind::Resolved, 100, 900));
    assert!(last.members.iter().all(|member| member.over) && world.incidents.is_empty());
    assert_eq!(world.receivers["slack"].inbox.len(), world.receivers["log"].inbox.len());
}

#[test]
fn members_beyond_the_bound_are_counted_and_an_old_report_changes_nothing() {
    let mut world = World::new(AlertPolicy::default(), begin());
    for number in 0..MAX_MEMBERS as u64 + 3 {
        fire(&mut world, "service_down.fleet", &format!("n{number}"), None, 5);
    }
    let status = world.incidents["service_down.fleet"].status(&world.policy);
    assert_eq!((status.firing, status.refused_members, status.members.len()), (MAX_MEMBERS as u64, 3, 100));
    well(&mut world, "service_down.fleet", "n1", 4);
    assert_eq!(world.incidents["service_down.fleet"].status(&world.policy).firing, MAX_MEMBERS as u64);
    well(&mut world, "service_down.fleet", "n1", 0);
    assert_eq!(world.incidents["service_down.fleet"].status(&world.policy).firing, MAX_MEMBERS as u64 - 1);
}

/// One is in trouble all the time; the others come and go, more of them than there is room for.
#[test]
fn who_is_well_makes_room_for_who_is_not() {
    let mut policy = AlertPolicy { group_wait: Span::ZERO, group_interval: Span::ZERO, ..policy() };
    policy.group_by.insert("service_down".into(), GroupBy::Fleet);
    let fingerprint = "service_down.fleet";
    for has in [true, false] {
        let mut world = World::new(policy.clone(), begin());
        fire(&mut world, fingerprint, "first", None, 1);
        world.incidents.get_mut(fingerprint).unwrap().learn(Skill::MakesRoom, has);
        for number in 0..MAX_MEMBERS + 50 {
            let name = format!("n{number}");
            fire(&mut world, fingerprint, &name, None, 1);
            world.run(Span::from_secs(1));
            well(&mut world, fingerprint, &name, 2);
        }
        let incident = &world.incidents[fingerprint];
        let status = incident.status(&world.policy);
        assert_eq!((status.firing, status.refused_members == 0), (1, has));
        let last = format!("n{}", MAX_MEMBERS + 49);
        let told = |(_, note): &(Time, dixmgr_contract::Note)| note.text.contains(&format!("New: {last}."));
        assert_eq!(world.receivers["slack"].inbox.iter().any(told), has);
        // What is well and was not known takes nobody's place.
        let parts = incident.parts();
        well(&mut world, fingerprint, "stranger", 1);
        assert_eq!(world.incidents[fingerprint].parts(), parts);
        well(&mut world, fingerprint, "first", 2);
        world.run(Span::from_secs(3_600));
        assert!(world.incidents.is_empty());
        assert_eq!(world.receivers["slack"].inbox.last().unwrap().1.kind, NoteKind::Resolved);
    }
}

#[test]
fn a_note_says_that_there_may_be_more_than_there_is_room_for() {
    let mut policy = AlertPolicy { group_wait: Span::from_secs(1), ..policy() };
    policy.group_by.insert("service_down".into(), GroupBy::Fleet);
    let mut world = World::new(policy, begin());
    for number in 0..=MAX_MEMBERS {
        fire(&mut world, "service_down.fleet", &format!("n{number}"), None, 1);
    }
    world.run(Span::from_secs(2));
    let text = &world.receivers["slack"].inbox[0].1.text;
    assert!(text.ends_with("1100 are in trouble. There may be more: an incident has room for 1100."), "{text}");
}

#[test]
fn requests_are_answered_once_and_refused_with_the_reason() {
    let (policy, now) = (policy(), begin());
    let spec = dixmgr_contract::IncidentSpec { fingerprint: "service_down.api".into(), alert: "service_down".into() };
    let mut incident = Incident::new(spec, 1, now);
    let answers = |actions: &[Action]| -> Vec<Result<String, String>> {
        let of = |action: &Action| match action {
            Action::Answer(answer) => Some(answer.result.clone()),
            _ => None,
        };
        actions.iter().filter_map(of).collect()
    };
    let ack = |id: &str| Event::Ack { id: id.into(), args: AckArgs { by: "ann".into(), comment: String::new() } };
    assert_eq!(answers(&incident.step(ack("1"), &policy, now)), [Err("it is over".to_owned())]);
    incident.step(Event::Member(Box::new(report("api", "service_down", Some(Severity::Critical), 1))), &policy, now);
    assert!(answers(&incident.step(ack("2"), &policy, now))[0].is_ok());
    assert!(answers(&incident.step(ack("2"), &policy, now)).is_empty());
    let unsilence = Event::Unsilence { id: "3".into(), args: dixmgr_contract::incident::UnsilenceArgs::default() };
    assert!(answers(&incident.step(unsilence, &policy, now))[0].is_err());
    let silence = |n: u32| Event::Silence { id: format!("s{n}"), args: SilenceArgs::default() };
    let results: Vec<_> = (0..51).flat_map(|n| answers(&incident.step(silence(n), &policy, now))).collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 50);
    assert!(incident.status(&policy).waiting_for.iter().any(|line| line.contains("silenced by somebody")));
}

#[test]
fn two_incidents_that_name_each_other_as_their_cause_are_told() {
    let mut world = World::new(policy(), begin());
    fire(&mut world, "service_down.a", "a", Some("service_down.b"), 1);
    fire(&mut world, "service_down.b", "b", Some("service_down.a"), 1);
    world.run(Span::from_secs(120));
    let told: BTreeMap<_, _> =
        world.receivers["slack"].inbox.iter().map(|(_, note)| (note.service.clone(), note.kind)).collect();
    assert!(!told.is_empty() && told.values().all(|kind| *kind == NoteKind::Firing), "{told:?} {:?}", world.told);
}

#[test]
fn a_cause_that_nobody_knows_holds_nothing_for_long() {
    let mut world = World::new(policy(), begin());
    fire(&mut world, "service_down.api", "api", Some("service_down.db"), 1);
    world.run(Span::from_secs(85));
    assert!(world.receivers.is_empty(), "half a minute for the cause, a minute for itself");
    world.run(Span::from_secs(20));
    assert_eq!(world.receivers["slack"].inbox.len(), 1);
}

#[test]
fn a_channel_that_forgets_is_told_again_while_it_lasts_and_a_while_after() {
    let forgets = Route { resend: Some(Span::from_secs(60)), ..Route::new("am") };
    let policy = AlertPolicy { group_wait: Span::ZERO, channels: vec![forgets], ..AlertPolicy::default() };
    let mut world = World::new(policy, begin());
    fire(&mut world, "service_down.api", "api", None, 1);
    world.run(Span::from_secs(150));
    // The beginning, and again after one and two minutes.
    assert_eq!(world.receiver("am").tries, 3);
    well(&mut world, "service_down.api", "api", 2);
    world.run(Span::from_secs(3_600));
    assert_eq!(world.receiver("am").tries, 3 + 1 + 14, "the end, and again each minute for a quarter of an hour");
    assert_eq!(world.receiver("am").inbox.len(), 2);
    assert!(world.incidents.is_empty(), "nothing keeps it open for ever");
}

/// What a report says of one service with these rules: name and severity.
fn rules(world: &mut World, fingerprint: &str, rules: &[(&str, Severity)], revision: u64) {
    let mut told = report("api", "high_cpu", None, revision);
    for (rule, severity) in rules {
        let mut one = report("api", "high_cpu", Some(*severity), revision).alerts;
        one.iter_mut().for_each(|alert| alert.rule = (*rule).to_owned());
        told.alerts.extend(one);
    }
    world.send(fingerprint, Event::Member(Box::new(told)));
}

#[test]
fn the_graver_of_two_rules_clears_first_and_a_channel_that_keeps_alerts_keeps_none() {
    let am = Route { resend: Some(Span::from_secs(60)), ..Route::new("am") };
    let mut world = World::new(AlertPolicy { channels: vec![am], ..policy() }, begin());
    let both = [("HighCPU", Severity::Warning), ("CriticalCPU", Severity::Critical)];
    for (revision, found) in [(1, &both[..1]), (2, &both[..]), (3, &both[..1]), (4, &[])] {
        rules(&mut world, "high_cpu.api", found, revision);
        world.run(Span::from_secs(400));
        let alerts = &world.receiver("am").alerts;
        let severities: Vec<Severity> = alerts.iter().map(|(.., severity)| *severity).collect();
        match revision {
            1 => assert_eq!(severities, [Severity::Warning]),
            2 | 3 => assert_eq!(severities, [Severity::Critical]),
            _ => assert_eq!(severities, []),
        }
    }
    let labels: Vec<_> = world.receiver("am").inbox.iter().filter_map(|(_, note)| note.identity.clone()).collect();
    assert!(labels.len() >= 3 && labels.iter().all(|one| one.labels == labels[0].labels), "{labels:?}");
    assert_eq!(labels[0].labels.get("service").map(String::as_str), Some("api"));
}

#[test]
fn what_refuses_everything_for_a_while_is_told_again_all_the_same() {
    let forgets = Route { resend: Some(Span::from_secs(60)), ..Route::new("am") };
    let policy = AlertPolicy { group_wait: Span::ZERO, channels: vec![forgets], ..AlertPolicy::default() };
    let mut world = World::new(policy, begin());
    fire(&mut world, "service_down.api", "api", None, 1);
    world.run(Span::from_secs(50));
    world.receiver("am").mode = Mode::Refuses;
    world.run(Span::from_secs(60));
    assert_eq!(world.receiver("am").tries, 2, "refused once");
    world.receiver("am").mode = Mode::Up;
    world.run(Span::from_secs(240));
    assert_eq!(world.receiver("am").tries, 6, "each minute as before");
    // The end is refused as well: it is told, not the beginning.
    world.receiver("am").mode = Mode::Refuses;
    well(&mut world, "service_down.api", "api", 2);
    world.run(Span::from_secs(200));
    assert_eq!(world.receiver("am").inbox.len(), 1, "it has not heard of it");
    world.receiver("am").mode = Mode::Up;
    world.run(Span::from_secs(60));
    assert_eq!(world.receiver("am").inbox.len(), 2, "the end");
    world.run(Span::from_secs(3_600));
    assert!(world.incidents.is_empty(), "nothing keeps it open for ever");
}

#[test]
fn a_beginning_that_may_have_arrived_before_it_was_refused_gets_an_end() {
    let policy = AlertPolicy { group_wait: Span::ZERO, channels: vec![Route::new("slack")], ..AlertPolicy::default() };
    let kinds = |world: &World| world.receivers["slack"].inbox.iter().map(|(_, note)| note.kind).collect::<Vec<_>>();
    for mode in [Mode::Mute, Mode::Up] {
        let mut world = World::new(policy.clone(), begin());
        // It arrives, and its answer is lost: on the way, or with dixmgr.
        world.receiver("slack").mode = mode;
        fire(&mut world, "service_down.api", "api", None, 1);
        world.run(Span::from_secs(if mode == Mode::Mute { 1 } else { 0 }));
        if mode == Mode::Up {
            world.arrive();
            world.receiver("slack").mode = Mode::Refuses;
            world.restart();
        }
        world.receiver("slack").mode = Mode::Refuses;
        world.run(Span::from_secs(600));
        world.receiver("slack").mode = Mode::Up;
        assert_eq!(kinds(&world), [NoteKind::Firing]);
        well(&mut world, "service_down.api", "api", 2);
        world.run(Span::from_secs(1));
        assert_eq!(kinds(&world), [NoteKind::Firing, NoteKind::Late], "{mode:?}");
        world.run(Span::from_secs(3_600));
        assert!(world.incidents.is_empty());
    }
}

#[test]
fn more_reaches_than_are_told_apart_wake_rather_too_many_than_too_few() {
    let pager = Route { min_severity: Severity::Critical, ..Route::new("pager") };
    let mut world = World::new(AlertPolicy { channels: vec![pager], ..policy() }, begin());
    let told = report("db", "service_down", Some(Severity::Warning), 1);
    world.send("service_down.db", Event::Member(Box::new(told)));
    for number in 0..100 {
        let mut reach = Reach::from([(format!("channel-{number}"), Some(Severity::Critical))]);
        if number == 99 {
            reach.insert("pager".into(), Some(Severity::Critical));
        }
        let incident = format!("service_down.node-{number}");
        let behind = Affected { services: vec![], behind: vec![incident.clone()], incident, reach };
        world.send("service_down.db", Event::Affected(behind));
    }
    world.run(Span::from_secs(60));
    let note = &world.receivers["pager"].inbox[0].1;
    assert_eq!((note.kind, note.severity, note.service.as_str()), (NoteKind::Firing, Severity::Critical, "db"));
}

/// As many members as are taken in, told to five channels, with as much behind them, and then all of them held.
fn full(detail: &str, labels: usize) -> Incident {
    let channels = ["log", "slack", "mail", "hook", "pager"].map(Route::new).to_vec();
    let policy = AlertPolicy { channels, group_wait: Span::ZERO, ..AlertPolicy::default() };
    let spec = IncidentSpec { fingerprint: "service_down.fleet".into(), alert: "service_down".into() };
    let mut incident = Incident::new(spec, 7, begin());
    let name = |number: usize| format!("parachain-collator-of-some-length-{number:05}");
    let step = |incident: &mut Incident, event: Event, now: Time| {
        let mut actions = incident.step(event, &policy, now);
        while let Some(action) = actions.pop() {
            if let Action::Deliver { channel, note, .. } = action {
                let outcome = Delivery::Sent { thread: String::new() };
                actions.extend(incident.step(Event::Delivered { channel, note: note.id, outcome }, &policy, now));
            }
        }
    };
    let services = (0..MAX_AFFECTED).filter_map(|number| ServiceName::new(name(number + MAX_MEMBERS)).ok()).collect();
    let behind = Affected { incident: "service_down.other".into(), services, behind: vec![], reach: Reach::new() };
    step(&mut incident, Event::Affected(behind), begin());
    // Each of these is another one's business.
    for number in 0..60 {
        let reach: Reach = (0..MAX_REACH).map(|channel| (format!("a-channel-{channel}-{number}"), None)).collect();
        let incident_behind = format!("service_down.other-{number}");
        let behind =
            Affected { incident: incident_behind.clone(), services: vec![], behind: vec![incident_behind], reach };
        step(&mut incident, Event::Affected(behind), begin());
    }
    for number in 0..MAX_MEMBERS {
        let mut told = report(&name(number), "service_down", Some(Severity::Critical), 1);
        for alert in &mut told.alerts {
            alert.detail = detail.to_owned();
            alert.labels = (0..labels).map(|label| (format!("label-{label}"), "x".repeat(30))).collect();
        }
        step(&mut incident, Event::Member(Box::new(told)), begin());
    }
    let later = begin().after(Span::from_secs(3_600));
    step(&mut incident, Event::Tick, later);
    step(&mut incident, Event::Held { cause: "host_lost.host.alpha".into(), member: None }, later);
    incident
}

#[test]
fn a_run_of_a_dixmgr_that_knew_of_no_windows_of_the_fleet_takes_them_for_nothing() {
    let policy = AlertPolicy { group_wait: Span::ZERO, ..policy() };
    let always = r#"[{"id": "w", "window": {"name": "w", "start_minute": 0, "length": "48h"}}]"#;
    for (heeds, expected) in [(true, IncidentPhase::Silenced), (false, IncidentPhase::Firing)] {
        let mut incident = Incident::new(IncidentSpec::from_fingerprint("service_down.api".to_owned()), 1, begin());
        incident.learn(Skill::HeedsReachAndPeace, heeds);
        incident.step(Event::Silences(serde_json::from_str(always).unwrap()), &policy, begin());
        let down = report("api", "service_down", Some(Severity::Critical), 1);
        incident.step(Event::Member(Box::new(down)), &policy, begin());
        assert_eq!(incident.status(&policy).phase, expected);
    }
}

/// Whoever looks at it then is to hear that nobody is told of it, and until when.
#[test]
fn a_window_of_the_file_that_opens_while_it_fires_is_looked_at_then() {
    let opens = begin().after(Span::from_secs(3_600));
    let minute = opens.unix_millis() / 60_000 % (24 * 60);
    let window = format!(r#"{{"name": "disks", "start_minute": {minute}, "length": "2h"}}"#);
    let window = serde_json::from_str(&window).unwrap();
    let policy = AlertPolicy { group_wait: Span::ZERO, maintenance: vec![window], ..policy() };
    for foresees in [true, false] {
        let mut incident = Incident::new(IncidentSpec::from_fingerprint("service_down.api".to_owned()), 1, begin());
        incident.learn(Skill::ForeseesWindows, foresees);
        let down = report("api", "service_down", Some(Severity::Critical), 1);
        incident.step(Event::Member(Box::new(down)), &policy, begin());
        assert_eq!(incident.status(&policy).phase, IncidentPhase::Firing);
        assert_eq!(incident.wake_at().is_some_and(|at| at <= opens), foresees, "{:?}", incident.wake_at());
        if foresees {
            incident.step(Event::Tick, &policy, opens);
            let status = incident.status(&policy);
            let waits = status.waiting_for.join("; ");
            assert!(waits.contains("the maintenance window disks is open until"), "{waits}");
        }
    }
}

/// Temporal takes no payload of more than 2 MB.
#[test]
fn a_full_incident_fits_into_a_payload() {
    for (detail, labels) in
        [("It was killed by signal 9, and has not come back within five minutes.", 4), (&"d".repeat(300), 32)]
    {
        let incident = full(detail, labels);
        let bytes = serde_json::to_string(&incident).unwrap().len();
        let members = incident.status(&AlertPolicy::default()).firing;
        assert!((500_000..1_500_000).contains(&bytes), "{bytes} bytes of {members} members with {labels} labels");
        assert!(labels > 4 || members == MAX_MEMBERS as u64, "{members}");
    }
}

#[test]
fn what_fires_and_what_has_passed_in_one_report_is_what_fires() {
    let policy = AlertPolicy { group_wait: Span::ZERO, channels: vec![Route::new("slack")], ..AlertPolicy::default() };
    let mut world = World::new(policy, begin());
    let mut told = report("api", "service_down", Some(Severity::Warning), 1);
    let mut over = told.alerts[0].clone();
    (over.rule, over.age_ms, over.ended_ms) = ("Other".to_owned(), 600_000, Some(300_000));
    told.alerts.push(over);
    world.send("service_down.api", Event::Member(Box::new(told.clone())));
    world.run(Span::from_secs(60));
    let passed = told.alerts.remove(1);
    told = MemberReport { alerts: vec![passed], revision: 2, ..told };
    world.send("service_down.api", Event::Member(Box::new(told)));
    world.run(Span::from_secs(600));
    let kinds: Vec<NoteKind> = world.receiver("slack").inbox.iter().map(|(_, note)| note.kind).collect();
    assert_eq!(kinds, [NoteKind::Firing, NoteKind::Resolved]);
    let (_, end) = world.receiver("slack").inbox.last().unwrap();
    assert_eq!((end.began, end.ended), (begin(), Some(begin().after(Span::from_secs(60)))));
}
