//! Stories: what a cluster does from one event to the next, in words that a person can check.

use super::*;
use dixmgr_contract::CommandKind;
use dixmgr_contract::cluster::ClusterReportKind as Kind;
use dixmgr_contract::{Span, cluster::ClusterStatus};
use dixmgr_decide::cluster::Cluster;

/// A cluster and what has happened to it.
struct Story {
    cluster: Cluster,
    second: i64,
    revision: u64,
}

impl Story {
    fn of(members: &[&str], quorum: u32, mode: ClusterMode) -> Self {
        let mut story = Self { cluster: Cluster::new(spec(members, quorum, mode), at(0)), second: 0, revision: 0 };
        let asked = story.tick(0).iter().filter(|action| matches!(action, Action::Subscribe { .. })).count();
        assert_eq!(asked, members.len(), "everybody is asked at once");
        story
    }

    /// Three members that are ready.
    fn of_three() -> Self {
        let mut story = Self::of(&["a", "b", "c"], 2, ClusterMode::Active);
        for member in ["a", "b", "c"] {
            assert_eq!(story.ready(member, "run-1"), [], "nothing is said of what is well");
        }
        story
    }

    fn step(&mut self, event: Event) -> Vec<Action> {
        self.cluster.step(event, at(self.second))
    }

    /// Time passes, and the cluster is woken as often as it wants to be.
    fn tick(&mut self, seconds: i64) -> Vec<Action> {
        let end = self.second + seconds;
        let mut actions = Vec::new();
        while let Some(wake) = self.cluster.wake_at().filter(|wake| *wake < at(end)) {
            let wake = wake.max(at(self.second));
            actions.extend(self.cluster.step(Event::Tick, wake));
            assert!(self.cluster.wake_at().is_none_or(|next| next > wake), "it sleeps after it was woken");
        }
        self.second = end;
        actions.extend(self.step(Event::Tick));
        actions
    }

    fn told(&mut self, member: &str, ready: bool, phase: PhaseName, run: &str) -> Vec<Action> {
        self.revision += 1;
        self.step(Event::Readiness(readiness(member, ready, self.revision, phase, run)))
    }

    fn ready(&mut self, member: &str, run: &str) -> Vec<Action> {
        self.told(member, true, PhaseName::Healthy, run)
    }

    fn down(&mut self, member: &str, phase: PhaseName) -> Vec<Action> {
        self.told(member, false, phase, "gone")
    }

    fn status(&self) -> ClusterStatus {
        self.cluster.status()
    }
}

fn only_command(actions: &[Action]) -> (String, CommandKind, String) {
    let [(member, command)] = &commands(actions)[..] else { panic!("one command, not {actions:?}") };
    (member.clone(), command.command, command.id.clone())
}

#[test]
fn the_loss_and_the_return_of_the_quorum_are_said_once_with_names() {
    let mut story = Story::of_three();
    assert_eq!((story.status().quorum_ok, story.status().ready), (Some(true), 3));
    assert_eq!(kinds(&story.down("a", PhaseName::Restarting)), []);
    let lost = story.down("b", PhaseName::Exhausted);
    assert_eq!(
        reports(&lost)[0].text,
        "rpc is below its quorum: 1 of 3 ready, 2 needed; not ready: a (restarting), b (exhausted)"
    );
    assert_eq!(kinds(&story.down("c", PhaseName::Paused)), [], "it is lost already");
    assert_eq!(kinds(&story.ready("c", "run-1")), []);
    assert_eq!(kinds(&story.ready("a", "run-2")), [Kind::QuorumRegained]);
    assert_eq!(kinds(&story.ready("b", "run-2")), []);
    assert!(story.tick(120).contains(&Action::Checkpoint), "all is quiet");
    assert_eq!(story.tick(86_400), [], "and stays so");
}

#[test]
fn nothing_is_said_before_all_are_heard_of_or_had_time_to_be() {
    let mut story = Story::of(&["a", "b"], 2, ClusterMode::Active);
    assert_eq!(kinds(&story.ready("a", "run-1")), []);
    assert_eq!(kinds(&story.tick(29)), []);
    assert_eq!(story.status().quorum_ok, None);
    let said = story.tick(2);
    assert_eq!(
        reports(&said)[0].text,
        "rpc is below its quorum: 1 of 2 ready, 2 needed; not ready: b (never heard of)"
    );
    assert_eq!(kinds(&story.ready("b", "run-1")), [Kind::QuorumRegained]);
}

#[test]
fn a_member_that_cannot_be_reached_is_asked_again_and_less_and_less_often() {
    let mut story = Story::of(&["a"], 1, ClusterMode::Active);
    let mut waits = Vec::new();
    for _ in 0..8 {
        story.step(Event::SubscriptionFailed { member: name("a") });
        let wake = loop {
            let wake = story.cluster.wake_at().unwrap().max(at(story.second));
            if story.cluster.step(Event::Tick, wake).iter().any(|action| matches!(action, Action::Subscribe { .. })) {
                break wake;
            }
        };
        waits.push(wake.since(at(story.second)).as_millis() / 1000);
        story.second += i64::try_from(waits.last().copied().unwrap()).unwrap();
    }
    assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600]);
    story.ready("a", "run-1");
    assert_eq!(story.tick(3600), [Action::Checkpoint], "once it is known, it tells by itself");
}

#[test]
fn a_rolling_restart_goes_one_by_one_and_waits_until_each_has_stayed() {
    let mut story = Story::of_three();
    assert_eq!(only_command(&story.step(roll("r1"))), ("a".into(), CommandKind::Restart, "r1/a".into()));
    assert_eq!(story.step(roll("r1")), [], "the same request again");
    assert_eq!(commands(&story.down("a", PhaseName::Restarting)), []);
    assert_eq!(commands(&story.ready("a", "run-1")), []);
    assert_eq!(commands(&story.tick(29)), [], "the same run is not a restart");
    assert_eq!(only_command(&story.tick(1)).2, "r1/a/1", "whoever was to restart it has died with the order");
    story.down("a", PhaseName::Restarting);
    assert_eq!(commands(&story.tick(60)), [], "it is under way");
    story.ready("a", "run-2");
    assert_eq!(commands(&story.tick(9)), [], "it has to stay");
    assert_eq!(only_command(&story.tick(1)).0, "b");
    story.ready("b", "run-2");
    assert_eq!(only_command(&story.tick(10)).0, "c");
    assert_eq!(story.status().rollout.unwrap().done, [name("a"), name("b")]);
    story.ready("c", "run-2");
    let end = story.tick(10);
    assert_eq!(kinds(&end), [Kind::RolloutDone]);
    assert_eq!(answers(&end), [("r1".into(), Ok("rpc: 3 restarted one by one: a, b, c".into()))]);
    assert_eq!(story.status().rollout, None);
}

#[test]
fn a_member_that_does_not_come_back_halts_it_and_another_begins_anew() {
    let mut story = Story::of_three();
    story.step(roll("r1"));
    story.ready("a", "run-2");
    assert_eq!(only_command(&story.tick(10)).0, "b");
    story.down("b", PhaseName::Exhausted);
    let refused = answers(&story.step(roll("r2")));
    assert_eq!(
        refused[0].1.as_ref().unwrap_err(),
        "a rolling restart of rpc by alice is under way (1 of 3 done); wait for it"
    );
    let halt = story.tick(300);
    assert_eq!(kinds(&halt), [Kind::RolloutHalted]);
    assert_eq!(
        answers(&halt)[0].1.as_ref().unwrap_err(),
        "the rolling restart of rpc was halted (1 of 3 done): b (exhausted) was not back, ready and with another run, \
         within 5m; restarted: a; left alone: c"
    );
    assert!(story.status().rollout.unwrap().halted.is_some());
    // a cannot be spared while b is down; it goes first as soon as b is there.
    assert_eq!(commands(&story.step(roll("r3"))), []);
    assert_eq!(only_command(&story.ready("b", "run-3")).2, "r3/a");
}

#[test]
fn a_failure_elsewhere_that_costs_the_quorum_halts_it_at_once() {
    let mut story = Story::of_three();
    story.step(roll("r1"));
    story.down("a", PhaseName::Restarting);
    let halt = story.down("c", PhaseName::BackingOff);
    assert_eq!(kinds(&halt), [Kind::RolloutHalted, Kind::QuorumLost]);
    assert!(answers(&halt)[0].1.as_ref().unwrap_err().contains("a (restarting), c (backing_off)"));
    let refused = answers(&story.step(roll("r2")));
    assert!(refused[0].1.as_ref().unwrap_err().starts_with("rpc is below its quorum"), "{refused:?}");
}

#[test]
fn a_rolling_restart_that_could_never_go_is_refused_with_the_reason() {
    let refusal = |story: &mut Story| answers(&story.step(roll("r")))[0].1.clone().unwrap_err();
    let mut all_needed = Story::of(&["a", "b"], 2, ClusterMode::Active);
    assert_eq!(refusal(&mut all_needed), "nothing is heard of a yet; is dixmgr running on its host?");
    let mut all_needed = Story::of(&["a", "b"], 2, ClusterMode::Active);
    all_needed.ready("a", "run-1");
    all_needed.ready("b", "run-1");
    assert_eq!(refusal(&mut all_needed), "rpc needs 2 of its 2 members ready, so none may be restarted");
    let mut paused = Story::of_three();
    paused.told("b", true, PhaseName::Paused, "run-1");
    assert_eq!(refusal(&mut paused), "b is paused; resume it first");
}

#[test]
fn a_member_that_is_taken_out_is_forgotten_also_in_the_middle() {
    let mut story = Story::of_three();
    story.step(roll("r1"));
    story.step(Event::Configured(Box::new(spec(&["b", "c", "d"], 1, ClusterMode::Active))));
    let rollout = story.status().rollout.unwrap();
    assert_eq!((rollout.current, rollout.remaining), (Some(name("b")), vec![name("c")]));
    story.ready("b", "run-2");
    story.tick(10);
    story.ready("c", "run-2");
    assert_eq!(answers(&story.tick(10))[0].1, Ok("rpc: 2 restarted one by one: b, c".into()));
}

#[test]
fn in_standby_the_first_is_started_once_and_the_rest_is_left_to_its_supervisor() {
    let mut story = Story::of(&["a", "b"], 5, ClusterMode::Standby);
    assert_eq!(story.status().quorum, 1);
    story.down("a", PhaseName::Stopped);
    let start = story.down("b", PhaseName::Stopped);
    assert_eq!((only_command(&start).0, only_command(&start).1), ("a".into(), CommandKind::Start));
    assert_eq!(kinds(&start), [Kind::FirstStarted]);
    let late = story.tick(301);
    assert_eq!(commands(&late), [], "its restart budget is not given back");
    assert_eq!(
        reports(&late)[0].text,
        "rpc has no member that is ready: a (stopped) stays the active one, and its own supervisor restarts it; to make \
         another one active, send wf.cluster.rpc the update promote, such as {\"member\":\"b\"}"
    );
    assert_eq!(kinds(&story.ready("a", "run-1")), [Kind::QuorumRegained]);
    story.down("a", PhaseName::Exhausted);
    assert_eq!(commands(&story.tick(3600)), [], "no failover by itself");
    assert_eq!(story.status().active, Some(name("a")));
}

#[test]
fn two_that_are_ready_become_one() {
    let mut story = Story::of(&["a", "b", "c"], 1, ClusterMode::Standby);
    story.down("a", PhaseName::Stopped);
    story.ready("c", "run-1");
    let stop = story.ready("b", "run-1");
    assert_eq!(story.status().active, Some(name("b")), "the first in the list");
    assert_eq!((only_command(&stop).0, only_command(&stop).1), ("c".into(), CommandKind::Stop));
    assert_eq!(kinds(&stop), [Kind::SurplusStopped]);
    assert_eq!(commands(&story.tick(299)), []);
    let again = story.tick(2);
    assert_eq!((only_command(&again).0, kinds(&again)), ("c".into(), vec![]), "said once, tried again");
    story.down("c", PhaseName::Stopped);
    assert_eq!(story.tick(3600), [Action::Checkpoint]);
}

#[test]
fn a_promotion_starts_the_new_one_only_when_the_old_one_is_stopped() {
    let mut story = Story::of(&["a", "b"], 1, ClusterMode::Standby);
    story.ready("a", "run-1");
    story.down("b", PhaseName::Stopped);
    let stop = story.step(promote("p1", "b"));
    assert_eq!(only_command(&stop), ("a".into(), CommandKind::Stop, "p1/a".into()));
    assert_eq!(commands(&story.told("a", false, PhaseName::Degraded, "run-1")), [], "out of sync, but it runs");
    assert_eq!(answers(&story.step(promote("p2", "a"))).len(), 1, "one at a time");
    let start = story.down("a", PhaseName::Stopped);
    assert_eq!(only_command(&start), ("b".into(), CommandKind::Start, "p1/b".into()));
    assert_eq!(kinds(&start), [], "the gap is ours and not a loss");
    let end = story.ready("b", "run-1");
    assert_eq!(kinds(&end), [Kind::Promoted]);
    assert_eq!(answers(&end), [("p1".into(), Ok("b is the active member of rpc now".into()))]);
    assert_eq!(answers(&story.step(promote("p3", "b")))[0].1, Ok("b is the active member of rpc already".into()));
}

#[test]
fn a_promotion_that_cannot_stop_the_old_one_starts_nobody() {
    let mut story = Story::of(&["a", "b"], 1, ClusterMode::Standby);
    story.ready("a", "run-1");
    story.down("b", PhaseName::Stopped);
    story.step(promote("p1", "b"));
    let end = story.tick(300);
    assert!(commands(&end).iter().all(|(member, command)| member == "a" && command.command == CommandKind::Stop));
    assert_eq!(kinds(&end), [Kind::PromotionFailed]);
    assert_eq!(
        answers(&end)[0].1.as_ref().unwrap_err(),
        "b of rpc was not promoted: a (healthy) was not stopped within 5m, so b was not started; a is still the active \
         one and may be stopped"
    );
    assert_eq!(story.status().active, Some(name("a")));
}

#[test]
fn from_an_exhausted_member_it_is_promoted_away_though_it_says_nothing_more() {
    let mut story = Story::of(&["a", "b"], 1, ClusterMode::Standby);
    story.ready("a", "run-1");
    story.down("b", PhaseName::Stopped);
    story.down("a", PhaseName::Exhausted);
    assert_eq!(only_command(&story.step(promote("p1", "b"))).0, "a");
    assert_eq!(commands(&story.tick(9)), []);
    assert_eq!(only_command(&story.tick(1)).0, "b");
    let late = story.tick(300);
    assert_eq!(kinds(&late), [Kind::PromotionFailed], "that nobody is ready was said before");
    assert_eq!(story.status().active, Some(name("b")));
}

#[test]
fn a_crowd_is_cut_and_its_state_stays_small() {
    let members: Vec<_> = (0..1200).map(|index| name(&format!("member-{index}"))).collect();
    let mut cluster = Cluster::new(ClusterSpec::new(name("rpc"), members, 501), at(0));
    assert_eq!(cluster.step(Event::Tick, at(0)).len(), 1000);
    let said = cluster.step(Event::Tick, at(31));
    let text = &reports(&said)[0].text;
    assert!(text.ends_with("member-9 (never heard of) and 990 more"), "{text}");
    assert!(serde_json::to_string(&cluster).unwrap().len() < 500_000);
    assert_eq!(cluster.spec().healthy_for, Span::from_secs(10));
}
