//! The runs of a unit: how often it was restarted, and whether its last run was ended on purpose.
//!
//! A restart by systemd itself shows twice: `NRestarts` grows, and then there is a new run (`InvocationID`). It counts once.
//! What happened while nobody looked is not counted: a reboot or an upgrade is no loop.

use dixmgr_contract::{ActiveState, UnitState};
use serde::{Deserialize, Serialize};

/// The runs of one unit. Plain data, kept over a restart of dixmgr.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Runs {
    /// Restarts of a run that nobody had ended on purpose; only grows.
    restarts: u64,
    /// The last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// It was ended on purpose, or is about to be.
    on_purpose: bool,
    /// A probe has said that it has failed: whoever ends it then cures it.
    failed: bool,
    /// Its end has been counted by `NRestarts`.
    counted: bool,
    /// `NRestarts`, as it was last.
    by_systemd: u32,
}

impl Runs {
    /// Takes in a unit that nobody has looked at for a while.
    pub fn find(&mut self, unit: &UnitState) {
        if self.run != unit.invocation {
            self.run.clone_from(&unit.invocation);
            (self.on_purpose, self.failed, self.counted) = (false, false, false);
        }
        self.by_systemd = unit.restarts;
        self.judge_end(unit);
    }

    /// Takes in a change of the unit. `failed`: a probe says that the run before it has failed,
    /// so that we may end it for that.
    pub fn see(&mut self, unit: &UnitState, failed: bool) {
        let grown = grown(self.by_systemd, unit.restarts);
        self.by_systemd = unit.restarts;
        self.restarts = self.restarts.saturating_add(u64::from(grown));
        self.counted |= grown > 0;
        self.failed = failed || (self.failed && !unit.is_up());
        if unit.invocation.is_some() && self.run != unit.invocation && unit.has_begun() {
            let is_restart = self.run.is_some() && !self.counted && !self.on_purpose;
            self.restarts = self.restarts.saturating_add(u64::from(is_restart));
            self.run.clone_from(&unit.invocation);
            (self.on_purpose, self.failed, self.counted) = (false, false, false);
        }
        self.judge_end(unit);
    }

    /// A job of ours on a unit that runs ends the run: a command, a cluster, a lost dependency, or a probe that has failed.
    fn judge_end(&mut self, unit: &UnitState) {
        let by_us = unit.job.is_some_and(|job| job.ours) && !self.failed;
        if unit.is_up() {
            self.on_purpose = by_us;
        } else {
            self.on_purpose |= unit.stopped_by_job || (by_us && unit.active == ActiveState::Deactivating);
        }
    }

    /// Somebody has commanded that it be stopped, in this `run` (empty: in none), in which it was down already or is by now.
    pub fn stopped_on_command(&mut self, run: &str, unit: &UnitState) {
        let is_the_last = self.run.as_deref().unwrap_or_default() == run;
        self.on_purpose |= is_the_last && !unit.is_up();
    }

    /// How often it was restarted: each new run after one that was not ended on purpose, and each restart by systemd.
    pub const fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Whether its last run was ended on purpose: by somebody's job, or by one of ours that was no cure.
    pub const fn on_purpose(&self) -> bool {
        self.on_purpose
    }
}

/// How many restarts `NRestarts` tells of. A decrease is a reset (`ResetFailedUnit`), and it counts from nothing again.
pub const fn grown(before: u32, now: u32) -> u32 {
    if now >= before { now - before } else { now }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_contract::{Job, LoadState};

    fn unit(active: ActiveState, run: &str) -> UnitState {
        UnitState { invocation: Some(run.into()), ..UnitState::new(LoadState::Loaded, active) }
    }

    fn job(ours: bool, unit: UnitState) -> UnitState {
        UnitState { job: Some(Job { id: 7, ours }), ..unit }
    }

    fn found(unit: &UnitState) -> Runs {
        let mut runs = Runs::default();
        runs.find(unit);
        runs
    }

    fn play(units: &[UnitState]) -> Runs {
        let mut runs = found(&units[0]);
        units[1..].iter().for_each(|unit| runs.see(unit, false));
        runs
    }

    #[test]
    fn a_new_run_after_a_failure_is_a_restart_and_one_after_a_stop_is_none() {
        use ActiveState::{Active, Deactivating, Failed, Inactive};
        assert_eq!(play(&[unit(Active, "a"), unit(Failed, "a"), unit(Active, "b")]).restarts(), 1);
        let stopped = UnitState { stopped_by_job: true, ..unit(Inactive, "a") };
        assert!(play(&[unit(Active, "a"), stopped.clone()]).on_purpose());
        assert_eq!(play(&[unit(Active, "a"), stopped, unit(Active, "b"), unit(Active, "b")]).restarts(), 0);
        let stopped = UnitState { stopped_by_job: true, ..unit(Inactive, "a") };
        let starting = job(true, unit(Inactive, "b"));
        assert!(play(&[unit(Active, "a"), stopped.clone(), starting]).on_purpose(), "it has not begun");
        assert!(play(&[unit(Active, "a"), stopped, unit(Inactive, "b")]).on_purpose(), "nor has that");
        let ours = job(true, unit(Deactivating, "a"));
        let runs = play(&[unit(Active, "a"), ours, unit(Inactive, "a")]);
        assert!(runs.on_purpose());
        // A start of ours is the cure, not the end.
        let runs = play(&[unit(Active, "a"), unit(Failed, "a"), job(true, unit(Failed, "a")), unit(Active, "b")]);
        assert_eq!((runs.restarts(), runs.on_purpose()), (1, false));
    }

    #[test]
    fn a_job_of_ours_that_came_to_nothing_excuses_no_later_end() {
        let up = unit(ActiveState::Active, "a");
        let runs = play(&[up.clone(), job(true, up.clone()), up, unit(ActiveState::Failed, "a")]);
        assert!(!runs.on_purpose());
    }

    #[test]
    fn who_is_down_and_commanded_to_be_stopped_is_so_on_purpose_until_its_next_run() {
        let failed = unit(ActiveState::Failed, "a");
        let mut runs = play(&[unit(ActiveState::Active, "a"), failed.clone()]);
        runs.stopped_on_command("z", &failed);
        assert!(!runs.on_purpose(), "that was another run");
        runs.stopped_on_command("a", &failed);
        runs.see(&failed, false);
        assert!(runs.on_purpose());
        runs.see(&unit(ActiveState::Active, "b"), false);
        assert_eq!((runs.on_purpose(), runs.restarts()), (false, 0));
        runs.stopped_on_command("b", &unit(ActiveState::Active, "b"));
        assert!(!runs.on_purpose(), "it runs on");
        let never = UnitState::new(dixmgr_contract::LoadState::Loaded, ActiveState::Inactive);
        let mut runs = found(&never);
        runs.stopped_on_command("", &never);
        assert!(runs.on_purpose());
    }

    #[test]
    fn a_restart_for_a_probe_that_has_failed_counts() {
        let mut runs = found(&unit(ActiveState::Active, "a"));
        runs.see(&job(true, unit(ActiveState::Deactivating, "a")), true);
        runs.see(&job(true, unit(ActiveState::Deactivating, "a")), false);
        runs.see(&unit(ActiveState::Active, "b"), false);
        assert_eq!(runs.restarts(), 1);
    }

    #[test]
    fn a_restart_by_systemd_counts_once_however_it_is_told() {
        let waits = UnitState { restarts: 1, sub: "auto-restart".into(), ..unit(ActiveState::Activating, "a") };
        let back = UnitState { restarts: 1, ..unit(ActiveState::Active, "b") };
        assert_eq!(play(&[unit(ActiveState::Active, "a"), waits, back.clone()]).restarts(), 1);
        assert_eq!(play(&[unit(ActiveState::Active, "a"), back.clone()]).restarts(), 1);
        let thrice = UnitState { restarts: 3, ..back.clone() };
        assert_eq!(play(&[unit(ActiveState::Active, "a"), thrice]).restarts(), 3);
        // A reset is no restart, and what is counted after it is.
        let reset = UnitState { restarts: 0, ..back.clone() };
        assert_eq!(play(&[back.clone(), reset]).restarts(), 0);
        let again = UnitState { restarts: 1, ..unit(ActiveState::Active, "c") };
        assert_eq!(play(&[UnitState { restarts: 5, ..back }, again]).restarts(), 1);
    }

    #[test]
    fn what_happened_while_nobody_looked_is_not_counted_and_a_stop_is_remembered() {
        let stopped = UnitState { stopped_by_job: true, ..unit(ActiveState::Inactive, "a") };
        let kept = serde_json::to_string(&play(&[unit(ActiveState::Active, "a"), stopped])).unwrap();
        let mut runs: Runs = serde_json::from_str(&kept).unwrap();
        // After a restart of dixmgr nobody knows any more by which job it was stopped.
        runs.find(&unit(ActiveState::Inactive, "a"));
        assert!(runs.on_purpose());
        runs.find(&UnitState { restarts: 9, ..unit(ActiveState::Active, "b") });
        assert_eq!((runs.restarts(), runs.on_purpose()), (0, false));
    }
}
