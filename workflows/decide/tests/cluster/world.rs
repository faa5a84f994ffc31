//! A world that answers honestly, but late and out of order: services with supervisors of their own, as the service
//! machine has them. Here the truth can be asked, not only what the cluster was told.

use super::*;
use dixmgr_contract::{CommandKind, Span};
use dixmgr_decide::cluster::Cluster;
use dixmgr_decide::rng::Rng;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A service and its supervisor.
struct Service {
    phase: PhaseName,
    run: u64,
    revision: u64,
    /// When the phase goes on by itself.
    due: Option<Time>,
    obeyed: BTreeSet<String>,
}

enum Post {
    Told(Readiness),
    Obey(String, Command),
}

struct World {
    cluster: Cluster,
    services: BTreeMap<String, Service>,
    post: BTreeMap<(Time, u64), Post>,
    posted: u64,
    now: Time,
    rng: Rng,
    answers: Vec<(String, Result<String, String>)>,
}

impl World {
    fn new(spec: ClusterSpec, seed: u64, up: usize) -> Self {
        let services = spec.members.iter().enumerate().map(|(index, member)| {
            let phase = if index < up { PhaseName::Healthy } else { PhaseName::Stopped };
            (member.to_string(), Service { phase, run: 1, revision: 1, due: None, obeyed: BTreeSet::new() })
        });
        let services: BTreeMap<_, _> = services.collect();
        let cluster = Cluster::new(spec, at(0));
        let (post, answers) = (BTreeMap::new(), Vec::new());
        let mut world = Self { cluster, services, post, posted: 0, now: at(0), rng: Rng::new(seed), answers };
        world.cluster_hears(Event::Tick);
        world
    }

    /// Up to two seconds on the way: messages overtake each other, but commands to the same member do not.
    fn send(&mut self, post: Post) {
        self.posted += 1;
        let mut arrival = self.now.after(Span::from_millis(self.rng.between(0, 2000)));
        if let Post::Obey(member, _) = &post {
            let earlier = self.post.iter().filter(|(_, other)| matches!(other, Post::Obey(to, _) if to == member));
            arrival = earlier.map(|((at, _), _)| *at).chain([arrival]).max().unwrap();
        }
        self.post.insert((arrival, self.posted), post);
    }

    fn tell(&mut self, member: &str) {
        let service = &self.services[member];
        let ready = service.phase == PhaseName::Healthy;
        let told = readiness(member, ready, service.revision, service.phase, &format!("run-{}", service.run));
        self.send(Post::Told(told));
    }

    fn cluster_hears(&mut self, event: Event) {
        for action in self.cluster.step(event, self.now) {
            match action {
                Action::Subscribe { member, .. } => self.tell(member.as_str()),
                Action::Command { member, command, .. } => self.send(Post::Obey(member.to_string(), command)),
                Action::Answer(answer) => self.answers.push((answer.id, answer.result)),
                Action::Report(_) | Action::Checkpoint => {}
            }
        }
    }

    fn enter(&mut self, member: &str, phase: PhaseName) {
        let delay = Span::from_millis(self.rng.between(500, 8000));
        let service = self.services.get_mut(member).unwrap();
        let moving = matches!(phase, PhaseName::Starting | PhaseName::Restarting | PhaseName::BackingOff);
        service.due = moving.then(|| self.now.after(delay));
        service.phase = phase;
        service.revision += 1;
        if phase == PhaseName::Healthy {
            service.run += 1;
        }
        self.tell(member);
    }

    fn obey(&mut self, member: &str, command: Command) {
        let service = self.services.get_mut(member).unwrap();
        let busy = matches!(service.phase, PhaseName::Starting | PhaseName::Restarting);
        if !service.obeyed.insert(command.id) || busy {
            return;
        }
        match (command.command, service.phase) {
            (CommandKind::Start, PhaseName::Healthy) | (CommandKind::Stop, PhaseName::Stopped) => {}
            (CommandKind::Stop, _) => self.enter(member, PhaseName::Stopped),
            (CommandKind::Start, _) => self.enter(member, PhaseName::Starting),
            (CommandKind::Restart, _) => self.enter(member, PhaseName::Restarting),
            other => panic!("a cluster never sends {other:?}"),
        }
    }

    /// One that runs dies; its supervisor brings it up again, or has given up.
    fn crash(&mut self) {
        let up: Vec<_> = self.services.iter().filter(|(_, service)| service.phase == PhaseName::Healthy).collect();
        if up.is_empty() {
            return;
        }
        let victim = up[self.rng.between(0, up.len() as u64 - 1) as usize].0.clone();
        let phases = [PhaseName::Restarting, PhaseName::BackingOff, PhaseName::Exhausted];
        let phase = phases[self.rng.between(0, 2) as usize];
        self.enter(&victim, phase);
    }

    /// Goes to the next thing that happens, at most `limit` later.
    fn go_on(&mut self, limit: Span) {
        let limit = self.now.after(limit);
        let post = self.post.keys().next().map(|(at, _)| *at);
        let due = self.services.values().filter_map(|service| service.due).min();
        let wake = self.cluster.wake_at();
        self.now = [post, due, wake, Some(limit)].into_iter().flatten().min().unwrap().max(self.now);
        if let Some(entry) = self.post.first_entry().filter(|entry| entry.key().0 <= self.now) {
            match entry.remove() {
                Post::Told(told) => self.cluster_hears(Event::Readiness(told)),
                Post::Obey(member, command) => self.obey(&member, command),
            }
        } else if let Some(member) = self.due() {
            let next = match self.services[&member].phase {
                PhaseName::BackingOff => PhaseName::Restarting,
                _ => PhaseName::Healthy,
            };
            self.enter(&member, next);
        } else if wake.is_some_and(|wake| wake <= self.now) {
            self.cluster_hears(Event::Tick);
        }
    }

    fn due(&self) -> Option<String> {
        let mut due = self.services.iter().filter(|(_, service)| service.due.is_some_and(|due| due <= self.now));
        due.next().map(|(member, _)| member.clone())
    }

    /// How many processes there are, ready or on their way.
    fn running(&self) -> usize {
        let runs = |service: &&Service| {
            matches!(service.phase, PhaseName::Healthy | PhaseName::Starting | PhaseName::Restarting)
        };
        self.services.values().filter(runs).count()
    }

    fn healthy(&self) -> usize {
        self.services.values().filter(|service| service.phase == PhaseName::Healthy).count()
    }
}

proptest! {
    #![proptest_config(crate::common::lives(100))]

    /// Members die, people promote one after another, messages are late: there are never two.
    #[test]
    fn a_standby_cluster_never_runs_two(seed: u64, up in 0..2_usize) {
        let mut world = World::new(spec(&["a", "b", "c"], 1, ClusterMode::Standby), seed, up);
        for round in 0..600_u32 {
            match world.rng.between(0, 40) {
                0 => world.crash(),
                1 => {
                    let member = ["a", "b", "c"][world.rng.between(0, 2) as usize];
                    world.cluster_hears(promote(&format!("p{round}"), member));
                }
                _ => world.go_on(Span::from_secs(5)),
            }
            prop_assert!(world.running() <= 1, "{} run", world.running());
        }
        for _ in 0..300 {
            world.go_on(Span::from_secs(60));
            prop_assert!(world.running() <= 1, "{} run", world.running());
        }
        prop_assert!(world.cluster.status().promotion.is_none());
    }

    /// With nobody dying, a rolling restart restarts all and never takes the truth below the quorum.
    #[test]
    fn a_rolling_restart_among_the_living_is_not_noticed(seed: u64, quorum in 1..4_u32) {
        let mut world = World::new(spec(&["a", "b", "c", "d"], quorum, ClusterMode::Active), seed, 4);
        while !world.post.is_empty() {
            world.go_on(Span::from_secs(5));
        }
        world.cluster_hears(roll("r1"));
        for _ in 0..2000 {
            world.go_on(Span::from_secs(5));
            prop_assert!(world.healthy() >= 3, "one at a time");
            if !world.answers.is_empty() {
                break;
            }
        }
        prop_assert_eq!(&world.answers, &[("r1".to_owned(), Ok("rpc: 4 restarted one by one: a, b, c, d".to_owned()))]);
        prop_assert!(world.services.values().all(|service| service.run == 2));
    }

    /// With members dying, it is answered all the same, and members that it did not reach are left alone.
    #[test]
    fn a_rolling_restart_among_the_dying_is_answered(seed: u64) {
        let mut world = World::new(spec(&["a", "b", "c"], 2, ClusterMode::Active), seed, 3);
        while !world.post.is_empty() {
            world.go_on(Span::from_secs(5));
        }
        world.cluster_hears(roll("r1"));
        for _ in 0..2000 {
            if world.rng.between(0, 30) == 0 {
                world.crash();
            }
            world.go_on(Span::from_secs(5));
        }
        prop_assert_eq!(world.answers.len(), 1);
    }
}
