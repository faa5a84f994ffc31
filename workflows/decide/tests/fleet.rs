//! The registry of the fleet against a simple model of it, its limits, and orders to everybody.

#![allow(clippy::unwrap_used)]

mod common;

use dixmgr_contract::host::HostReportKind;
use dixmgr_contract::plan::{FannedOut, PARTS, PlanPart, PlanQuery, PlannedService};
use dixmgr_contract::{CommandKind, HostName, ServiceName, Span, Time};
use dixmgr_decide::fleet::{Action, Event, Fleet, GIVE_UP, HOSTS, QUIET};
use dixmgr_decide::rng::Rng;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn host(name: impl Into<String>) -> HostName {
    HostName::new(name).unwrap()
}

fn service(name: &str) -> PlannedService {
    PlannedService {
        name: ServiceName::new(name).unwrap(),
        workflow_id: format!("wf.svc.{name}"),
        unit: format!("{name}.service").parse().unwrap(),
        kind: "service".into(),
        chain: String::new(),
        after: vec![],
    }
}

fn part(host: &HostName, generation: &str, services: Vec<PlannedService>) -> PlanPart {
    PlanPart { host: host.clone(), generation: generation.into(), part: 0, parts: 1, services, clusters: vec![] }
}

/// A slice in parts of `size` services.
fn parts(host: &HostName, generation: &str, services: &[PlannedService], size: usize) -> Vec<PlanPart> {
    let chunks: Vec<_> = services.chunks(size).collect();
    let count = u32::try_from(chunks.len().max(1)).unwrap();
    let chunks = if chunks.is_empty() { vec![&[][..]] } else { chunks };
    let number = |(index, chunk): (u32, &[PlannedService])| PlanPart {
        part: index,
        parts: count,
        ..part(host, generation, chunk.to_vec())
    };
    (0..).zip(chunks).map(number).collect()
}

fn tell(fleet: &mut Fleet, host: &HostName, generation: &str, names: &[&str], now: Time) -> Vec<Action> {
    let services = names.iter().map(|name| service(name)).collect();
    fleet.step(Event::Part(Box::new(part(host, generation, services))), now)
}

fn at(seconds: i64) -> Time {
    Time::from_unix_millis(1_000_000_000 + seconds * 1_000)
}

/// Who has what: host by name of service.
fn holders(fleet: &Fleet) -> BTreeMap<ServiceName, (HostName, String)> {
    let plan = fleet.plan(&PlanQuery::default());
    assert_eq!(plan.total as usize, plan.services.len());
    let found: BTreeMap<_, _> =
        plan.services.into_iter().map(|on| (on.service.name, (on.host, on.service.workflow_id))).collect();
    assert_eq!(found.len(), plan.total as usize, "each name is held once");
    let ids: BTreeSet<_> = found.values().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), found.len(), "each workflow id is held once");
    found
}

fn retired(actions: &[Action]) -> Vec<String> {
    let of = |action: &Action| match action {
        Action::Retire(retire) => retire.workflow_ids.clone(),
        _ => vec![],
    };
    actions.iter().flat_map(of).collect()
}

fn conflicts_told(actions: &[Action]) -> usize {
    let is = |action: &&Action| matches!(action, Action::Report(report) if report.kind == HostReportKind::PlanConflict);
    actions.iter().filter(is).count()
}

/// Hosts that tell random slices of a small pool of services, and what the registry should make of it.
struct World {
    fleet: Fleet,
    now: Time,
    generations: u64,
    /// What each host tells at the moment.
    telling: BTreeMap<HostName, Vec<PlanPart>>,
    /// The model: the last whole generation of each host, and the parts of the next.
    whole: BTreeMap<HostName, (String, BTreeMap<ServiceName, PlannedService>)>,
    got: BTreeMap<HostName, (String, BTreeMap<u32, PlanPart>)>,
}

impl World {
    fn new() -> Self {
        let (telling, whole, got) = Default::default();
        Self { fleet: Fleet::default(), now: at(0), generations: 0, telling, whole, got }
    }

    /// The host's file changes: some of eight services, now and then under another workflow id.
    fn change(&mut self, host: &HostName, rng: &mut Rng) {
        self.generations += 1;
        let mut ids = BTreeSet::new();
        let mut services = Vec::new();
        for index in 0..8 {
            let mut service = service(&format!("s{index}"));
            if rng.between(0, 9) == 0 {
                service.workflow_id = format!("wf.svc.s{}", rng.between(0, 7));
            }
            if rng.between(0, 2) == 0 && ids.insert(service.workflow_id.clone()) {
                services.push(service);
            }
        }
        let size = usize::try_from(rng.between(1, 4)).unwrap();
        self.telling.insert(host.clone(), parts(host, &format!("g{}", self.generations), &services, size));
    }

    fn model(&mut self, part: &PlanPart) -> bool {
        let PlanPart { host, generation, .. } = part;
        if self.whole.get(host).is_some_and(|(applied, _)| applied == generation) {
            return false;
        }
        let got = self.got.entry(host.clone()).or_default();
        if got.0 != *generation {
            *got = (generation.clone(), BTreeMap::new());
        }
        got.1.insert(part.part, part.clone());
        if got.1.len() < part.parts as usize {
            return false;
        }
        let (generation, parts) = self.got.remove(host).unwrap();
        let services = parts.into_values().flat_map(|part| part.services);
        self.whole.insert(host.clone(), (generation, services.map(|s| (s.name.clone(), s)).collect()));
        true
    }

    fn live(&mut self, rng: &mut Rng) {
        self.now = self.now.after(Span::from_millis(rng.between(0, 20_000)));
        let host = host(format!("h{}", rng.between(0, 3)));
        if rng.between(0, 3) == 0 || !self.telling.contains_key(&host) {
            self.change(&host, rng);
        }
        let before = holders(&self.fleet);
        if rng.between(0, 29) == 0 {
            let known = self.whole.remove(&host).is_some() | self.got.remove(&host).is_some();
            let actions = self.fleet.step(Event::ForgetHost { id: self.now.to_string(), host: host.clone() }, self.now);
            let is_ok = |action: &&Action| matches!(action, Action::Answer(answer) if answer.result.is_ok() == known);
            assert_eq!(actions.iter().filter(is_ok).count(), 1);
            return self.check(&host, &before, &actions);
        }
        let telling = &self.telling[&host];
        let part = telling[usize::try_from(rng.between(0, telling.len() as u64 - 1)).unwrap()].clone();
        let is_whole = self.model(&part);
        let actions = self.fleet.step(Event::Part(Box::new(part)), self.now);
        if !is_whole {
            assert_eq!(holders(&self.fleet), before, "half a plan changes nothing");
            assert_eq!(retired(&actions), [""; 0]);
        }
        self.check(&host, &before, &actions);
    }

    fn check(&self, host: &HostName, before: &BTreeMap<ServiceName, (HostName, String)>, actions: &[Action]) {
        let (status, held) = (self.fleet.status(), holders(&self.fleet));
        let applied: BTreeMap<_, _> = status.hosts.iter().map(|slice| (&slice.host, &slice.generation)).collect();
        let whole: BTreeMap<_, _> = self.whole.iter().map(|(host, (generation, _))| (host, generation)).collect();
        assert_eq!(applied, whole, "what is applied is the last whole generation");
        let mut waiting = BTreeSet::new();
        for conflict in &status.conflicts {
            assert_ne!(conflict.held_by, conflict.claimed_by);
            let claimed = &self.whole[&conflict.claimed_by].1[&conflict.service];
            let of = |(name, (owner, id)): (&ServiceName, &(HostName, String))| {
                *owner == conflict.held_by && (*name == claimed.name || *id == claimed.workflow_id)
            };
            assert!(held.iter().any(of), "{conflict:?}: the other host has it");
            assert!(waiting.insert((&conflict.claimed_by, &conflict.service)));
        }
        let mut planned = 0;
        for (host, (_, services)) in &self.whole {
            for service in services.values() {
                planned += 1;
                let has_it = held.get(&service.name) == Some(&(host.clone(), service.workflow_id.clone()));
                assert_ne!(has_it, waiting.contains(&(host, &service.name)), "{host} has {} or waits", service.name);
            }
        }
        assert_eq!(planned, held.len() + waiting.len(), "nothing else is there");
        for (name, (owner, id)) in before {
            let still = owner != host
                || self.whole.get(host).is_some_and(|(_, all)| all.get(name).is_some_and(|s| s.workflow_id == *id));
            assert!(!still || held.get(name) == Some(&(owner.clone(), id.clone())), "{owner} keeps {name}");
        }
        let all_ids: BTreeSet<_> =
            self.whole.values().flat_map(|(_, all)| all.values()).map(|service| &service.workflow_id).collect();
        let gone = retired(actions);
        assert!(gone.iter().all(|id| !all_ids.contains(id)), "retired what is planned");
        for (_, id) in before.values() {
            assert!(all_ids.contains(id) || gone.contains(id), "{id} is watched by nobody's plan");
        }
        let json = serde_json::to_string(&self.fleet).unwrap();
        assert_eq!(serde_json::from_str::<Fleet>(&json).unwrap(), self.fleet, "the state survives JSON");
        assert!(self.fleet.wake_at().is_none_or(|at| at > self.now), "would tick for ever");
    }
}

proptest! {
    #![proptest_config(common::lives(60))]

    #[test]
    fn the_registry_is_what_the_hosts_last_told_as_a_whole(seed: u64) {
        let mut rng = Rng::new(seed);
        let mut world = World::new();
        for _ in 0..150 {
            world.live(&mut rng);
        }
    }

    #[test]
    fn order_and_repetition_of_parts_do_not_matter(seed: u64, count in 0..40_usize, size in 1..9_usize) {
        let services: Vec<_> = (0..count).map(|index| service(&format!("s{index:02}"))).collect();
        let alpha = host("alpha");
        let told = parts(&alpha, "g", &services, size);
        let mut rng = Rng::new(seed);
        let (mut straight, mut mixed) = (Fleet::default(), Fleet::default());
        for part in &told {
            straight.step(Event::Part(Box::new(part.clone())), at(0));
        }
        let mut waiting = told.clone();
        while !waiting.is_empty() {
            let index = usize::try_from(rng.between(0, waiting.len() as u64 - 1)).unwrap();
            let part = if rng.between(0, 2) == 0 { waiting[index].clone() } else { waiting.remove(index) };
            mixed.step(Event::Part(Box::new(part)), at(0));
        }
        prop_assert_eq!(&mixed, &straight);
        prop_assert_eq!(holders(&mixed).len(), count);
    }
}

#[test]
fn a_service_stays_with_the_host_that_has_it_until_it_is_given_up() {
    let (mut fleet, alpha, beta) = (Fleet::default(), host("alpha"), host("beta"));
    tell(&mut fleet, &alpha, "a1", &["api", "db"], at(0));
    assert_eq!(conflicts_told(&tell(&mut fleet, &beta, "b1", &["api", "web"], at(1))), 1);
    assert_eq!(conflicts_told(&tell(&mut fleet, &beta, "b2", &["api"], at(2))), 0, "said once");
    assert_eq!(fleet.status().conflicts.len(), 1);
    let actions = tell(&mut fleet, &alpha, "a2", &["db"], at(3));
    assert_eq!(retired(&actions), [""; 0], "it is beta's now");
    assert_eq!(fleet.status().conflicts, []);
    assert_eq!(holders(&fleet)[&ServiceName::new("api").unwrap()].0, beta);
    assert_eq!(conflicts_told(&tell(&mut fleet, &alpha, "a3", &["api"], at(4))), 1, "a new conflict");
    assert_eq!(retired(&tell(&mut fleet, &beta, "b3", &[], at(5))), [""; 0]);
    let actions = fleet.step(Event::ForgetHost { id: "1".into(), host: alpha }, at(6));
    assert_eq!(retired(&actions), ["wf.svc.api"]);
}

#[test]
fn what_is_refused_is_noted_and_harms_nothing() {
    let (mut fleet, alpha) = (Fleet::default(), host("alpha"));
    tell(&mut fleet, &alpha, "a1", &["api"], at(0));
    let before = holders(&fleet);
    let bad = PlanPart { parts: PARTS + 1, ..part(&alpha, "a2", vec![]) };
    fleet.step(Event::Part(Box::new(bad.clone())), at(1));
    fleet.step(Event::Part(Box::new(bad)), at(2));
    let many = (0..501).map(|index| service(&format!("s{index}"))).collect();
    fleet.step(Event::Part(Box::new(part(&alpha, "a2", many))), at(3));
    fleet.step(Event::Unreadable { message: "x".repeat(10_000) }, at(4));
    let notes = fleet.status().notes;
    assert_eq!((notes.len(), notes[0].at), (3, at(2)));
    assert!(notes.iter().all(|note| note.text.len() <= 300));
    let twin = PlannedService { workflow_id: "wf.svc.api".into(), ..service("twin") };
    fleet.step(Event::Part(Box::new(part(&alpha, "a3", vec![service("api"), service("api"), twin]))), at(5));
    assert_eq!(holders(&fleet), before);
    assert!(fleet.status().notes[3].text.contains("2 are left out"));
}

#[test]
fn a_plan_that_never_becomes_whole_is_given_up() {
    let (mut fleet, alpha) = (Fleet::default(), host("alpha"));
    let half = PlanPart { parts: 2, ..part(&alpha, "a1", vec![service("api")]) };
    fleet.step(Event::Part(Box::new(half.clone())), at(0));
    assert_eq!(fleet.wake_at(), Some(at(0).after(QUIET)));
    assert_eq!(fleet.step(Event::Tick, at(60)), [Action::Checkpoint]);
    assert_eq!(fleet.wake_at(), Some(at(0).after(GIVE_UP)));
    fleet.step(Event::Tick, at(3_600));
    assert!(fleet.status().notes[0].text.contains("1 of 2 parts"));
    fleet.step(Event::Part(Box::new(PlanPart { part: 1, ..half })), at(3_601));
    assert_eq!(fleet.status().services, 0);
}

#[test]
fn the_fleet_has_a_largest_size() {
    let mut fleet = Fleet::default();
    for index in 0..HOSTS {
        tell(&mut fleet, &host(format!("h{index}")), "g", &[], at(0));
    }
    tell(&mut fleet, &host("one-more"), "g", &["api"], at(0));
    assert_eq!((fleet.status().hosts.len(), fleet.status().services), (HOSTS, 0));
    let name = |index: usize| format!("s{index:05}");
    for (who, count) in [("h0", 20_000), ("h1", 1)] {
        let all: Vec<_> = (0..count).map(|index| service(&format!("{who}-{}", name(index)))).collect();
        for part in parts(&host(who), "g2", &all, 500) {
            fleet.step(Event::Part(Box::new(part)), at(1));
        }
    }
    assert_eq!(fleet.status().services, 20_000);
    assert!(fleet.status().notes.last().unwrap().text.contains("20001 services"));
    assert!(serde_json::to_string(&fleet.status()).unwrap().len() < 1_000_000);
}

/// The node, three sidecars and more of 100 hosts with 100 services each, named as dotidx names them.
fn dotidx(host_index: usize) -> Vec<PlannedService> {
    let one = |index: usize| {
        let chain = format!("assethub{host_index:03}x{}", index / 4);
        let node = ServiceName::new(format!("para-node-polkadot-{chain}")).unwrap();
        if index.is_multiple_of(4) {
            return PlannedService {
                workflow_id: format!("wf.node.para.polkadot.{chain}"),
                unit: format!("chain-node-archive@polkadot-{chain}.service").parse().unwrap(),
                kind: "parachain".into(),
                after: vec![ServiceName::new("relay-node-polkadot").unwrap()],
                name: node,
                chain,
            };
        }
        PlannedService {
            name: ServiceName::new(format!("sidecar-polkadot-{chain}-{}", index % 4)).unwrap(),
            workflow_id: format!("wf.sidecar.polkadot.{chain}.{}", index % 4),
            unit: format!("sidecar@polkadot-{chain}-{}.service", index % 4).parse().unwrap(),
            kind: "sidecar".into(),
            after: vec![node],
            chain,
        }
    };
    (0..100).map(one).collect()
}

#[test]
fn ten_thousand_services_fit_a_payload_and_are_read_page_by_page() {
    let mut fleet = Fleet::default();
    for index in 0..100 {
        let hash = format!("{index:064x}");
        fleet.step(Event::Part(Box::new(part(&host(format!("host-{index:03}")), &hash, dotidx(index)))), at(0));
    }
    let json = serde_json::to_string(&fleet).unwrap();
    assert!(json.len() < 1_000_000, "{} bytes", json.len());
    assert_eq!(serde_json::from_str::<Fleet>(&json).unwrap(), fleet);
    let (mut query, mut seen) = (PlanQuery::default(), BTreeSet::new());
    loop {
        let page = fleet.plan(&query);
        assert!(serde_json::to_string(&page).unwrap().len() < 1_200_000);
        seen.extend(page.services.into_iter().map(|on| on.service.name));
        let Some(next) = page.next else { break };
        query.offset = next;
    }
    assert_eq!(seen.len(), 10_000);
    let one = fleet.plan(&PlanQuery { host: Some(host("host-007")), offset: 90, limit: 1_000 });
    assert_eq!((one.total, one.services.len(), one.next), (100, 10, None));
    assert!(fleet.plan(&PlanQuery { offset: u32::MAX, ..PlanQuery::default() }).services.is_empty());
}

#[test]
fn large_services_make_small_pages() {
    let mut fleet = Fleet::default();
    let large = |index: usize| PlannedService {
        after: (0..64).map(|other| ServiceName::new(format!("{other:-<190}{index:03}")).unwrap()).collect(),
        ..service(&format!("s{index:03}"))
    };
    let all: Vec<_> = (0..200).map(large).collect();
    for part in parts(&host("alpha"), "g", &all, 50) {
        fleet.step(Event::Part(Box::new(part)), at(0));
    }
    let stored = fleet.status();
    assert_eq!(stored.services, 0, "2.5 MB of names are more than can be stored");
    assert!(stored.notes[0].text.contains("too large"));
    for part in parts(&host("alpha"), "g2", &all[..100], 50) {
        fleet.step(Event::Part(Box::new(part)), at(0));
    }
    assert_eq!(fleet.status().services, 100);
    assert!(serde_json::to_string(&fleet).unwrap().len() < 1_700_000);
    let page = fleet.plan(&PlanQuery::default());
    let next = page.next.unwrap();
    assert!(serde_json::to_string(&page).unwrap().len() < 1_100_000);
    assert_eq!(fleet.plan(&PlanQuery { offset: next, ..PlanQuery::default() }).services.len(), 100 - next as usize);
}

fn pause(fleet: &mut Fleet, id: &str, now: Time) -> Vec<Action> {
    fleet.step(Event::PauseAll { id: id.into(), by: "ann".into(), reason: "kernel".into() }, now)
}

fn resume(fleet: &mut Fleet, id: &str, now: Time) -> Vec<Action> {
    fleet.step(Event::ResumeAll { id: id.into(), by: "ann".into(), reason: String::new() }, now)
}

/// Answers every chunk of an order; the last one's actions.
fn serve(fleet: &mut Fleet, actions: &[Action], failed: u32, now: Time) -> Vec<Action> {
    let mut last = Vec::new();
    for action in actions {
        if let Action::FanOut(order) = action {
            assert!(order.workflow_ids.len() <= 500);
            let done = u32::try_from(order.workflow_ids.len()).unwrap() - failed;
            let event =
                Event::FannedOut { id: order.id.clone(), chunk: order.chunk, result: FannedOut { done, failed } };
            last = fleet.step(event.clone(), now);
            assert_eq!(fleet.step(event, now), [], "a repeated answer means nothing");
        }
    }
    last
}

fn answer(actions: &[Action]) -> Result<String, String> {
    let of = |action: &Action| match action {
        Action::Answer(answer) => Some(answer.result.clone()),
        _ => None,
    };
    let answers: Vec<_> = actions.iter().filter_map(of).collect();
    assert_eq!(answers.len(), 1, "{actions:?}");
    answers[0].clone()
}

#[test]
fn everybody_is_paused_in_chunks_and_answered_once() {
    let mut fleet = Fleet::default();
    for name in ["alpha", "beta"] {
        let all: Vec<_> = (0..600).map(|index| service(&format!("{name}-{index}"))).collect();
        for part in parts(&host(name), "g", &all, 500) {
            fleet.step(Event::Part(Box::new(part)), at(0));
        }
    }
    assert_eq!(answer(&resume(&mut fleet, "r0", at(1))), Err("the fleet is not paused".into()));
    let actions = pause(&mut fleet, "p1", at(2));
    assert_eq!(actions.len(), 3);
    assert_eq!(pause(&mut fleet, "p1", at(2)), [], "it is under way");
    assert!(answer(&resume(&mut fleet, "r1", at(2))).is_err());
    assert!(fleet.objection(CommandKind::Pause).is_some());
    assert_eq!(fleet.step(Event::Tick, at(200)), [], "no rest while an order is under way");
    let done = answer(&serve(&mut fleet, &actions, 0, at(201)));
    assert_eq!(done, Ok("the fleet is paused: 1200 services".into()));
    assert_eq!(answer(&pause(&mut fleet, "p1", at(202))), done, "the same answer");
    assert_eq!(fleet.status().paused.unwrap().by, "ann");
    let actions = resume(&mut fleet, "r2", at(203));
    let done = answer(&serve(&mut fleet, &actions, 2, at(204)));
    assert!(done.unwrap_err().starts_with("6 services could not be reached, 1194 are"));
    assert_eq!(fleet.status().paused, None);
}

#[test]
fn an_empty_fleet_is_paused_at_once() {
    let mut fleet = Fleet::default();
    assert!(answer(&pause(&mut fleet, "p", at(0))).is_ok());
    assert!(answer(&pause(&mut fleet, "p2", at(9))).is_ok(), "again, for those that were not reached");
    assert_eq!(fleet.status().paused.unwrap().since, at(0));
}

#[test]
fn a_service_that_comes_during_a_pause_is_paused_too() {
    let (mut fleet, alpha) = (Fleet::default(), host("alpha"));
    pause(&mut fleet, "p", at(0));
    assert_eq!(tell(&mut fleet, &alpha, "a1", &["api"], at(1)), []);
    assert_eq!(fleet.wake_at(), Some(at(6)), "its workflow may not be there yet");
    let actions = fleet.step(Event::Tick, at(6));
    assert!(matches!(&actions[..], [Action::FanOut(order)] if order.command == CommandKind::Pause));
    assert_eq!(serve(&mut fleet, &actions, 1, at(6)), []);
    assert_eq!(fleet.wake_at(), Some(at(16)));
    let actions = fleet.step(Event::Tick, at(16));
    assert_eq!(serve(&mut fleet, &actions, 0, at(16)), []);
    tell(&mut fleet, &alpha, "a2", &[], at(17));
    assert_eq!(fleet.wake_at(), Some(at(17).after(QUIET)), "nobody new came");
    tell(&mut fleet, &alpha, "a3", &["db"], at(18));
    for _ in 0..10 {
        let now = fleet.wake_at().unwrap();
        let actions = fleet.step(Event::Tick, now);
        serve(&mut fleet, &actions, 1, now);
        if actions == [Action::Checkpoint] {
            break;
        }
    }
    assert_eq!(fleet.status().notes.len(), 0, "it goes on trying");
    let mut now = at(18);
    while let Some(at) = fleet.wake_at() {
        now = at;
        let actions = fleet.step(Event::Tick, now);
        serve(&mut fleet, &actions, 1, now);
    }
    assert!(now < at(1_200) && fleet.status().notes[0].text.contains("could not be paused"));
}
