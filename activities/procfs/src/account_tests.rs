//! The accounting over a small kernel of our own: processes fork, work, end, and are waited for or not.

use crate::account::{Life, Spent, Totals, spent};
use crate::stat::Disk;
use proptest::prelude::*;
use std::collections::BTreeMap;

const NO_DISK: Disk = Disk { read: 0, written: 0 };

fn totals(own: u64, children: u64, read: u64) -> Option<Totals> {
    Some(Totals { own, children, disk: Some(Disk { read, written: 0 }) })
}

fn sum(lives: &[(u32, Life)]) -> Spent {
    spent(lives.iter().copied(), 0)
}

#[test]
fn one_that_ended_takes_nothing_from_the_others() {
    let lives = [
        (1, Life { parent: 0, before: totals(100, 0, 10), after: totals(150, 0, 15), is_born: false }),
        (2, Life { parent: 0, before: totals(9000, 0, 900), after: None, is_born: false }),
    ];
    assert_eq!(sum(&lives), Spent { cpu: 50, disk: Some(Disk { read: 5, ..NO_DISK }) });
}

#[test]
fn an_ended_childs_last_moments_are_counted_and_its_past_is_not() {
    // The child had 900 when it was last seen and 930 at its end.
    let lives = [
        (1, Life { parent: 0, before: totals(100, 0, 10), after: totals(150, 930, 10 + 93), is_born: false }),
        (2, Life { parent: 1, before: totals(900, 0, 90), after: None, is_born: false }),
    ];
    assert_eq!(sum(&lives), Spent { cpu: 80, disk: Some(Disk { read: 3, ..NO_DISK }) });
}

#[test]
fn a_child_that_nobody_waited_for_does_not_eat_its_parents_bytes() {
    let lives = [
        (1, Life { parent: 0, before: totals(0, 0, 10), after: totals(50, 0, 500), is_born: false }),
        (2, Life { parent: 1, before: totals(900, 0, 90), after: None, is_born: false }),
    ];
    assert_eq!(sum(&lives), Spent { cpu: 50, disk: Some(Disk { read: 490, ..NO_DISK }) });
}

#[test]
fn one_from_elsewhere_brings_no_past() {
    let lives = [(1, Life { parent: 0, before: None, after: totals(5000, 70, 9), is_born: false })];
    assert_eq!(sum(&lives), Spent { cpu: 0, disk: Some(NO_DISK) });
    let born = [(1, Life { is_born: true, ..lives[0].1 })];
    assert_eq!(sum(&born), Spent { cpu: 5070, disk: Some(Disk { read: 9, ..NO_DISK }) });
}

#[test]
fn bytes_that_are_denied_for_one_are_absent_for_all() {
    let denied = Some(Totals { own: 5, children: 0, disk: None });
    let lives = [
        (1, Life { parent: 0, before: totals(0, 0, 0), after: totals(5, 0, 5), is_born: false }),
        (2, Life { parent: 0, before: denied, after: denied, is_born: false }),
    ];
    assert_eq!(sum(&lives), Spent { cpu: 5, disk: None });
}

#[test]
fn a_pid_used_again_is_another_process() {
    let lives = [
        (7, Life { parent: 1, before: totals(900, 0, 90), after: None, is_born: false }),
        (7, Life { parent: 1, before: None, after: totals(3, 0, 1), is_born: true }),
        (1, Life { parent: 0, before: totals(0, 0, 0), after: totals(0, 900, 90), is_born: false }),
    ];
    assert_eq!(sum(&lives), Spent { cpu: 3, disk: Some(Disk { read: 1, ..NO_DISK }) });
}

#[test]
fn parents_in_a_ring_end_nothing() {
    let ended = |parent| Life { parent, before: totals(1, 1, 1), after: None, is_born: false };
    assert_eq!(sum(&[(1, ended(2)), (2, ended(1)), (3, ended(3))]), Spent { cpu: 0, disk: Some(NO_DISK) });
}

/// What happens to the process with this index among those that live.
#[derive(Clone, Copy, Debug)]
enum Step {
    Fork(usize),
    Work(usize, u64),
    /// It ends, and its parent waits for it at once; children of its own go to init, outside.
    End(usize),
    Look,
}

#[derive(Clone, Copy, Debug)]
struct Proc {
    parent: u32,
    totals: Totals,
}

/// The kernel's accounts, and what was really done.
#[derive(Default)]
struct World {
    next: u32,
    live: BTreeMap<u32, Proc>,
    done: u64,
}

impl World {
    fn pid(&self, index: usize) -> Option<u32> {
        self.live.keys().nth(index % self.live.len().max(1)).copied()
    }

    fn fork(&mut self, parent: u32) {
        self.next += 1;
        let totals = Totals { own: 0, children: 0, disk: Some(NO_DISK) };
        self.live.insert(self.next, Proc { parent, totals });
    }

    fn end(&mut self, pid: u32) {
        let Some(gone) = self.live.remove(&pid) else { return };
        for other in self.live.values_mut().filter(|other| other.parent == pid) {
            other.parent = 0;
        }
        if let Some(parent) = self.live.get_mut(&gone.parent) {
            parent.totals.children += gone.totals.own + gone.totals.children;
            let read = gone.totals.disk.unwrap().read;
            parent.totals.disk.as_mut().unwrap().read += read;
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => any::<usize>().prop_map(Step::Fork),
        4 => (any::<usize>(), 1..1000u64).prop_map(|(index, amount)| Step::Work(index, amount)),
        2 => any::<usize>().prop_map(Step::End),
        1 => Just(Step::Look),
    ];
    prop::collection::vec(step, 1..80)
}

/// Runs the steps. `ends_orphans` lets processes end whose parent is not of the unit, or has children of its own left.
fn run(steps: &[Step], ends_orphans: bool) -> (u64, u64, u64) {
    let mut world = World::default();
    world.fork(0);
    let (mut seen, mut cpu, mut read) = (BTreeMap::<u32, Proc>::new(), 0, 0);
    seen.clone_from(&world.live);
    for step in steps.iter().copied().chain([Step::Look]) {
        match step {
            Step::Fork(index) => world.pid(index).into_iter().for_each(|pid| world.fork(pid)),
            Step::Work(index, amount) => {
                let Some(pid) = world.pid(index) else { continue };
                let totals = &mut world.live.get_mut(&pid).unwrap().totals;
                totals.own += amount;
                totals.disk.as_mut().unwrap().read += amount;
                world.done += amount;
            }
            Step::End(index) => {
                let Some(pid) = world.pid(index) else { continue };
                let is_parent = world.live.values().any(|other| other.parent == pid);
                if ends_orphans || (world.live.contains_key(&world.live[&pid].parent) && !is_parent) {
                    world.end(pid);
                }
            }
            Step::Look => {
                let pids: std::collections::BTreeSet<u32> = seen.keys().chain(world.live.keys()).copied().collect();
                let lives: Vec<(u32, Life)> = pids
                    .into_iter()
                    .map(|pid| {
                        let (before, after) = (seen.get(&pid), world.live.get(&pid));
                        let parent = before.or(after).unwrap().parent;
                        let totals = |proc: Option<&Proc>| proc.map(|proc| proc.totals);
                        (pid, Life { parent, before: totals(before), after: totals(after), is_born: before.is_none() })
                    })
                    .collect();
                let spent = sum(&lives);
                cpu += spent.cpu;
                read += spent.disk.unwrap().read;
                seen.clone_from(&world.live);
            }
        }
    }
    (world.done, cpu, read)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_is_lost_where_every_parent_waits(steps in steps()) {
        let (done, cpu, read) = run(&steps, false);
        prop_assert_eq!((cpu, read), (done, done));
    }

    #[test]
    fn never_more_than_was_done(steps in steps()) {
        let (done, cpu, read) = run(&steps, true);
        prop_assert!(cpu <= done && read <= done, "{} {} {}", cpu, read, done);
    }
}
