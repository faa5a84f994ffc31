//! Random lives: any events in any order, and what has to hold after each.

use super::*;
use dixmgr_contract::{CommandKind, Span};
use dixmgr_decide::cluster::Cluster;
use dixmgr_decide::rng::Rng;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "stranger"];

/// What a bystander knows of a member who reads the same messages.
#[derive(Clone, Default)]
struct Known {
    heard: bool,
    revision: Option<u64>,
    ready: bool,
    run: String,
    since: Time,
}

/// The last restart of a rolling restart.
struct Flight {
    rollout: String,
    member: String,
    run: String,
    /// It was seen back with another run, and had stayed.
    back: bool,
}

struct Life {
    cluster: Cluster,
    now: Time,
    revision: u64,
    runs: BTreeMap<&'static str, u64>,
    requests: u64,
    known: BTreeMap<String, Known>,
    flight: Option<Flight>,
    lost: bool,
    asked: BTreeSet<String>,
    answered: BTreeSet<String>,
    commands: BTreeSet<String>,
}

impl Life {
    fn new(spec: ClusterSpec) -> Self {
        let known = spec.members.iter().map(|name| (name.to_string(), Known::default())).collect();
        let mut life = Self {
            cluster: Cluster::new(spec, at(0)),
            now: at(0),
            revision: 0,
            runs: BTreeMap::new(),
            requests: 0,
            known,
            flight: None,
            lost: false,
            asked: BTreeSet::new(),
            answered: BTreeSet::new(),
            commands: BTreeSet::new(),
        };
        life.step(Event::Tick).unwrap();
        life
    }

    fn event(&mut self, rng: &mut Rng) -> Event {
        let member = NAMES[rng.between(0, 4) as usize];
        match rng.between(0, 19) {
            0 | 1 => Event::Tick,
            2 => Event::SubscriptionFailed { member: name(member) },
            3 => Event::Configured(Box::new(any_spec(rng))),
            4 | 5 => {
                self.requests += rng.between(0, 3).min(1);
                let id = format!("r{}", self.requests);
                self.asked.insert(id.clone());
                if rng.between(0, 1) == 0 { roll(&id) } else { promote(&id, member) }
            }
            draw => {
                self.revision += 1;
                let stale = rng.between(0, 9) == 0;
                let revision = if stale { self.revision / 2 } else { self.revision };
                let phase = PhaseName::ALL[rng.between(0, PhaseName::ALL.len() as u64 - 1) as usize];
                // Mostly what it was before, so that rolling restarts come further than their first member.
                let runs = self.runs.entry(member).or_default();
                *runs += u64::from(rng.between(0, 2) == 0);
                let run = format!("run-{runs}");
                let ready = draw > 8;
                Event::Readiness(readiness(
                    member,
                    ready,
                    revision,
                    if ready { PhaseName::Healthy } else { phase },
                    &run,
                ))
            }
        }
    }

    /// Reads the event as a bystander would. False if it must change nothing.
    fn learn(&mut self, event: &Event) -> bool {
        match event {
            Event::Readiness(told) => {
                let Some(known) = self.known.get_mut(told.service.as_str()) else { return false };
                if known.revision.is_some_and(|revision| told.revision <= revision) {
                    return false;
                }
                let run = told.run.clone().unwrap();
                let same = known.heard && known.ready == told.ready && known.run == run;
                let since = if same { known.since } else { self.now };
                *known = Known { heard: true, revision: Some(told.revision), ready: told.ready, run, since };
            }
            Event::SubscriptionFailed { member } => {
                let Some(known) = self.known.get_mut(member.as_str()) else { return false };
                known.revision = None;
            }
            Event::Configured(spec) => {
                self.known.retain(|known, _| spec.members.iter().any(|member| member.as_str() == known));
                for member in &spec.members {
                    self.known.entry(member.to_string()).or_default();
                }
                // One that was taken out in the middle is not waited for.
                self.flight.take_if(|flight| !self.known.contains_key(&flight.member));
            }
            _ => {}
        }
        true
    }

    fn step(&mut self, event: Event) -> Result<(), TestCaseError> {
        let fresh = self.learn(&event);
        if let Some(flight) = &mut self.flight {
            let known = &self.known[&flight.member];
            let stay = match &event {
                Event::Configured(spec) => spec.healthy_for,
                _ => self.cluster.spec().healthy_for,
            };
            flight.back |= known.ready && known.run != flight.run && self.now.since(known.since) >= stay;
        }
        let json = serde_json::to_string(&self.cluster).unwrap();
        let mut twin: Cluster = serde_json::from_str(&json).unwrap();
        let mut ticked = self.cluster.clone();
        let actions = self.cluster.step(event.clone(), self.now);
        prop_assert_eq!(&twin.step(event, self.now), &actions, "the state survives JSON");
        prop_assert_eq!(&twin, &self.cluster);
        prop_assert!(json.len() < 20_000, "the state stays small");
        if !fresh {
            prop_assert_eq!(&ticked.step(Event::Tick, self.now), &actions, "old news is no news");
            prop_assert_eq!(&ticked, &self.cluster);
        }
        prop_assert!(self.cluster.wake_at().is_none_or(|at| at > self.now), "it sleeps");
        for (member, command) in commands(&actions) {
            self.check_command(&member, &command)?;
        }
        for (id, _) in answers(&actions) {
            prop_assert!(self.asked.contains(&id), "answers what was asked");
            prop_assert!(self.answered.insert(id.clone()), "answers {} once", id);
        }
        for kind in kinds(&actions) {
            match kind {
                ClusterReportKind::QuorumLost => prop_assert!(!std::mem::replace(&mut self.lost, true), "lost twice"),
                ClusterReportKind::QuorumRegained => {
                    prop_assert!(std::mem::replace(&mut self.lost, false), "never lost")
                }
                _ => {}
            }
        }
        let ready = self.known.values().filter(|known| known.ready).count();
        prop_assert_eq!(self.cluster.status().ready as usize, ready);
        Ok(())
    }

    fn check_command(&mut self, member: &str, command: &Command) -> Result<(), TestCaseError> {
        prop_assert!(self.commands.insert(command.id.clone()), "{} is sent once", command.id);
        let spec = self.cluster.spec().clone();
        let others = self.known.iter().filter(|(name, known)| *name != member && known.ready).count();
        match (spec.mode, command.command) {
            (ClusterMode::Active, CommandKind::Restart) => {
                prop_assert!(others >= spec.effective_quorum() as usize, "below the quorum by our doing");
                let rollout = command.id.split('/').next().unwrap().to_owned();
                let run = self.known[member].run.clone();
                let before = self.flight.replace(Flight {
                    rollout: rollout.clone(),
                    member: member.to_owned(),
                    run,
                    back: false,
                });
                match before.filter(|flight| flight.rollout == rollout) {
                    Some(before) if before.member == member => {
                        prop_assert_eq!(&before.run, &self.known[member].run, "told again only while in the same run");
                        prop_assert!(!before.back && self.known[member].ready);
                    }
                    Some(before) => prop_assert!(before.back, "{} was not back", before.member),
                    None => {}
                }
            }
            (ClusterMode::Standby, CommandKind::Start) => prop_assert_eq!(others, 0, "two by our doing"),
            (ClusterMode::Standby, CommandKind::Stop) => {
                let promoted = command.id.starts_with('r');
                prop_assert!(promoted || others > 0, "only what is too many is stopped unasked");
            }
            other => prop_assert!(false, "{:?} was never asked for", other),
        }
        Ok(())
    }

    /// Nothing happens any more but time.
    fn wait(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..200 {
            let Some(wake) = self.cluster.wake_at() else { break };
            self.now = self.now.max(wake);
            self.step(Event::Tick)?;
        }
        prop_assert_eq!(&self.asked, &self.answered, "everybody is answered in the end");
        let rollout = self.cluster.status().rollout;
        prop_assert!(rollout.is_none_or(|rollout| rollout.halted.is_some()), "every rolling restart ends");
        Ok(())
    }
}

fn any_spec(rng: &mut Rng) -> ClusterSpec {
    let members: Vec<_> = NAMES[..4].iter().copied().filter(|_| rng.between(0, 5) > 0).collect();
    let mode = if rng.between(0, 2) == 0 { ClusterMode::Standby } else { ClusterMode::Active };
    let quorum = u32::try_from(rng.between(0, 3)).unwrap();
    let timeout = Span::from_secs(rng.between(0, 200));
    ClusterSpec {
        member_timeout: timeout,
        healthy_for: Span::from_secs(rng.between(0, 15)),
        ..spec(&members, quorum, mode)
    }
}

proptest! {
    #![proptest_config(crate::common::lives(300))]

    #[test]
    fn every_life_keeps_the_invariants(seed: u64) {
        let mut rng = Rng::new(seed);
        let mut life = Life::new(any_spec(&mut rng));
        for _ in 0..150 {
            let pause = [100, 3_000, 20_000, 90_000][rng.between(0, 3) as usize];
            life.now = life.now.after(Span::from_millis(rng.between(0, pause)));
            let event = life.event(&mut rng);
            life.step(event)?;
        }
        life.wait()?;
    }
}
