//! Whatever systemd, or somebody who pretends to be it, sends in whatever order: merging does not panic and keeps to
//! its rules.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use zbus::zvariant::{ObjectPath, Value};

const NAMES: [&str; 14] = [
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "InvocationID",
    "MainPID",
    "ExecMainCode",
    "ExecMainStatus",
    "NRestarts",
    "Job",
    "Type",
    "Restart",
    "RemainAfterExit",
    "ExecMainStartTimestampMonotonic",
];

const WORDS: [&str; 14] = [
    "loaded",
    "not-found",
    "active",
    "inactive",
    "failed",
    "activating",
    "deactivating",
    "reloading",
    "auto-restart",
    "success",
    "exit-code",
    "no",
    "always",
    "oneshot",
];

fn job(id: u32) -> Value<'static> {
    Value::from((id, ObjectPath::from_static_str_unchecked("/")))
}

fn value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        6 => prop::sample::select(&WORDS[..]).prop_map(Value::from),
        2 => (0_u32..5).prop_map(Value::from),
        2 => (-1_i32..5).prop_map(Value::from),
        2 => (0_u32..4).prop_map(job),
        2 => prop::collection::vec(0_u8..2, 16).prop_map(Value::from),
        1 => prop::collection::vec(0_u8..2, 0..20).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => ".{0,80}".prop_map(Value::from),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Stage(Patch),
    Apply(Patch),
    ApplyAll(Patch),
    JobIsOurs(u32),
    JobRemoved(u32),
    ForgetConnection,
}

fn patch() -> impl Strategy<Value = Patch> {
    prop::collection::vec((prop::sample::select(&NAMES[..]), value()), 0..14)
        .prop_map(|pairs| Patch::read(&pairs.into_iter().collect::<HashMap<_, _>>()))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => patch().prop_map(Step::Stage),
        8 => patch().prop_map(Step::Apply),
        2 => patch().prop_map(Step::ApplyAll),
        1 => (0_u32..4).prop_map(Step::JobIsOurs),
        1 => (0_u32..4).prop_map(Step::JobRemoved),
        1 => Just(Step::ForgetConnection),
    ]
}

proptest! {
    #[test]
    fn no_sequence_of_messages_breaks_the_rules(steps in prop::collection::vec(step(), 0..60)) {
        let now = Instant::now();
        let mut row = Row::new(true, now);
        let mut ours = BTreeSet::new();
        for step in steps {
            let before = row.snapshot(&ours);
            match step {
                Step::Stage(patch) => {
                    row.stage(patch);
                    prop_assert_eq!(&row.snapshot(&ours), &before, "half a change shows nothing");
                }
                Step::Apply(patch) => row.apply(patch, &ours, now),
                Step::ApplyAll(patch) => {
                    row.apply_all(patch, &ours, now);
                    prop_assert!(row.is_presentable());
                }
                Step::JobIsOurs(id) => {
                    ours.insert(id);
                    row.job_is_ours(id);
                }
                Step::JobRemoved(id) => {
                    ours.remove(&id);
                    row.job_removed(id);
                }
                Step::ForgetConnection => {
                    ours.clear();
                    row.forget_connection();
                    prop_assert!(!row.is_presentable());
                }
            }
            let state = row.snapshot(&ours);
            prop_assert!(!state.is_up() || (state.exit.is_none() && !state.stopped_by_job), "{state:?}");
            prop_assert!(state.invocation.iter().all(|hex| hex.len() == 32), "{state:?}");
            prop_assert!(state.job.is_none_or(|job| job.id != 0), "{state:?}");
            prop_assert!(state.result.len() <= 4 * 64 && state.sub.len() <= 4 * 64, "{state:?}");
        }
    }
}

fn told(row: &mut Row, unit: Patch) {
    row.apply(unit, &BTreeSet::new(), Instant::now());
}

fn word(active: &str, job: u32) -> Patch {
    Patch { active: Some(active.into()), job: Some(job), ..Patch::default() }
}

#[test]
fn a_stop_that_is_told_late_is_still_a_stop() {
    let mut row = Row::new(true, Instant::now());
    told(&mut row, word("active", 0));
    row.stage(Patch { result: Some("exit-code".into()), exit_code: Some(1), exit_status: Some(1), ..Patch::default() });
    told(&mut row, word("failed", 7));
    assert!(row.snapshot(&BTreeSet::new()).stopped_by_job);
    told(&mut row, word("failed", 0));
    assert!(row.snapshot(&BTreeSet::new()).stopped_by_job);
    told(&mut row, word("activating", 8));
    assert!(!row.snapshot(&BTreeSet::new()).stopped_by_job);
}

#[test]
fn a_start_that_fails_is_not_a_stop() {
    let mut row = Row::new(true, Instant::now());
    told(&mut row, word("activating", 7));
    row.stage(Patch { result: Some("timeout".into()), ..Patch::default() });
    told(&mut row, word("deactivating", 7));
    assert!(!row.snapshot(&BTreeSet::new()).stopped_by_job);
}

#[test]
fn a_job_that_turns_out_to_be_ours_stopped_nothing() {
    let mut row = Row::new(true, Instant::now());
    told(&mut row, word("active", 0));
    told(&mut row, word("deactivating", 7));
    row.job_is_ours(7);
    let state = row.snapshot(&BTreeSet::from([7]));
    assert!(!state.stopped_by_job && state.job.is_some_and(|job| job.ours));
}

#[test]
fn a_unit_found_on_its_way_down_with_a_job_was_stopped() {
    let mut row = Row::new(true, Instant::now());
    row.apply_all(word("deactivating", 7), &BTreeSet::new(), Instant::now());
    assert!(row.snapshot(&BTreeSet::new()).stopped_by_job);
}
