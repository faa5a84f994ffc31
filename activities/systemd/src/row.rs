//! One unit: what is known of it, and how a message changes that. Pure; the one place that reads systemd's habits.
//!
//! - systemd sends a change as two messages, the type's own (`…Service`) and then `…Unit`, "in this order to get atomic
//!   behaviour" (`bus_unit_send_change_signal`, systemd 252): the first is staged until the second is there.
//! - An inactive unit is soon unloaded; whoever asks afterwards gets a fresh one with zeros. What is known of its last
//!   run is then kept.
//! - With `Restart=` set, a death is told twice: first as `failed` or `inactive`, then at once as `auto-restart`. The
//!   first is held back until systemd has been asked again, or we would race systemd's own restart.
//! - A job's type is not told. A way down that begins while somebody's job is on the unit is taken for a stop, unless
//!   the unit was coming up and ended by itself: then the job was its start.

use crate::properties::Patch;
use dixmgr_contract::{ActiveState, Exit, ExitCode, Job, LoadState, UnitState};
use std::{collections::BTreeSet, num::NonZeroU32, time::Instant};

/// What is known of a unit.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// False until systemd has told us everything once since we connected.
    pub(crate) known: bool,
    /// When it last changed.
    pub(crate) at: Instant,
    /// Calls of ours about it that have no answer yet, by serial.
    pub(crate) asking: BTreeSet<NonZeroU32>,
    load: LoadState,
    active: ActiveState,
    sub: String,
    result: String,
    invocation: Option<String>,
    main_pid: u32,
    exit_code: i32,
    exit_status: i32,
    restarts: u32,
    job: Option<u32>,
    is_service: bool,
    kind: String,
    remain_after_exit: bool,
    restart: String,
    /// It is down, and systemd may be about to say that it restarts it.
    unsettled: bool,
    /// The job by which systemd itself restarts the unit: it comes with a higher `NRestarts`.
    restart_job: Option<u32>,
    /// The job, not ours, that was on the unit when its way down began.
    down_job: Option<u32>,
    staged: Patch,
}

impl Row {
    pub(crate) fn new(is_service: bool, at: Instant) -> Self {
        Self {
            known: false,
            at,
            asking: BTreeSet::new(),
            load: LoadState::Stub,
            active: ActiveState::Inactive,
            sub: String::new(),
            result: "success".to_owned(),
            invocation: None,
            main_pid: 0,
            exit_code: 0,
            exit_status: 0,
            restarts: 0,
            job: None,
            is_service,
            kind: String::new(),
            remain_after_exit: false,
            restart: String::new(),
            unsettled: false,
            restart_job: None,
            down_job: None,
            staged: Patch::default(),
        }
    }

    /// The first message of a change, or the first answers about a unit: kept until the one that completes them.
    pub(crate) fn stage(&mut self, patch: Patch) {
        self.staged.merge(patch);
    }

    /// The second message of a change.
    pub(crate) fn apply(&mut self, patch: Patch, ours: &BTreeSet<u32>, at: Instant) {
        let mut whole = std::mem::take(&mut self.staged);
        whole.merge(patch);
        let was_down = self.is_down();
        self.merge(whole, ours);
        let restarts_itself = !matches!(self.restart.as_str(), "" | "no");
        self.unsettled = restarts_itself && self.is_down() && self.job.is_none() && (self.unsettled || !was_down);
        self.at = at;
    }

    /// The last of the answers about a unit: with what was staged it is everything, and the last word.
    pub(crate) fn apply_all(&mut self, patch: Patch, ours: &BTreeSet<u32>, at: Instant) {
        self.apply(patch, ours, at);
        self.known = true;
        self.unsettled = false;
    }

    fn is_down(&self) -> bool {
        matches!(self.active, ActiveState::Inactive | ActiveState::Failed)
    }

    /// A line of systemd's list differs from what is known.
    pub(crate) fn differs(&self, listed: &Listed) -> bool {
        self.load != listed.load || self.active != listed.active || self.sub != listed.sub || self.job != listed.job
    }

    /// The connection was lost: what a half-told change said is void, and so are job numbers.
    pub(crate) fn forget_connection(&mut self) {
        self.staged = Patch::default();
        self.unsettled = false;
        self.known = false;
        self.asking.clear();
        self.restart_job = None;
        self.job = None;
    }

    /// What was staged is a unit that has not run since it was loaded: it has no invocation, there is no need to ask.
    pub(crate) fn staged_is_fresh(&self) -> bool {
        self.staged.active.as_deref() == Some("inactive") && self.staged.ran == Some(false)
    }

    /// It may not be the last word.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// It is something that a unit which could not be loaded cannot be; load states are not signalled.
    pub(crate) fn seems_loaded_since(&self) -> bool {
        let could_not =
            matches!(self.load, LoadState::NotFound | LoadState::Error | LoadState::BadSetting | LoadState::Stub);
        could_not && self.active != ActiveState::Inactive
    }

    /// The consumer may see it.
    pub(crate) fn is_presentable(&self) -> bool {
        self.known && self.asking.is_empty() && !self.unsettled
    }

    /// Somebody asked for a job, and it was us.
    pub(crate) fn job_is_ours(&mut self, id: u32) {
        if self.down_job == Some(id) {
            self.down_job = None;
        }
    }

    /// The job is done; the message that says so of the unit follows.
    pub(crate) fn job_removed(&mut self, id: u32) {
        self.job = self.job.filter(|job| *job != id);
    }

    /// The state for others; `ours` are the jobs that we asked for.
    pub(crate) fn snapshot(&self, ours: &BTreeSet<u32>) -> UnitState {
        UnitState {
            load: self.load.clone(),
            active: self.active.clone(),
            sub: self.sub.clone(),
            result: self.result.clone(),
            invocation: self.invocation.clone(),
            exit: self.exit(),
            restarts: self.restarts,
            job: self.job.map(|id| Job { id, ours: ours.contains(&id) }),
            stopped_by_job: self.down_job.is_some(),
            oneshot: self.is_service && self.kind == "oneshot" && !self.remain_after_exit,
        }
    }

    fn exit(&self) -> Option<Exit> {
        let over = match self.active {
            ActiveState::Inactive | ActiveState::Failed | ActiveState::Deactivating => true,
            ActiveState::Activating => self.waits_for_restart(),
            _ => false,
        };
        if !over || self.main_pid != 0 {
            return None;
        }
        // `CLD_EXITED`, `CLD_KILLED`, `CLD_DUMPED` of <signal.h>
        let code = match self.exit_code {
            1 => ExitCode::Exited,
            2 => ExitCode::Killed,
            3 => ExitCode::Dumped,
            _ => return None,
        };
        Some(Exit { code, status: self.exit_status })
    }

    /// systemd's own `Restart=` is at work (`auto-restart`; 254 and later also `auto-restart-queued`).
    fn waits_for_restart(&self) -> bool {
        self.sub.contains("auto-restart")
    }

    fn merge(&mut self, patch: Patch, ours: &BTreeSet<u32>) {
        if let Some(load) = patch.load {
            self.load = LoadState::from(load);
        }
        if let Some(kind) = patch.kind {
            self.kind = kind;
        }
        if let Some(restart) = patch.restart {
            self.restart = restart;
        }
        if let Some(remain) = patch.remain_after_exit {
            self.remain_after_exit = remain;
        }
        let restarts_before = self.restarts;
        let active = patch.active.map_or_else(|| self.active.clone(), ActiveState::from);
        let unloaded_since = active == ActiveState::Inactive
            && self.active == ActiveState::Inactive
            && self.invocation.is_some()
            && patch.invocation == Some(None);
        if !unloaded_since {
            self.result = patch.result.unwrap_or_else(|| std::mem::take(&mut self.result));
            self.invocation = patch.invocation.unwrap_or_else(|| self.invocation.take());
            self.main_pid = patch.main_pid.unwrap_or(self.main_pid);
            self.exit_code = patch.exit_code.unwrap_or(self.exit_code);
            self.exit_status = patch.exit_status.unwrap_or(self.exit_status);
            self.restarts = patch.restarts.unwrap_or(self.restarts);
        }
        let job = patch.job.map_or(self.job, |id| (id != 0).then_some(id));
        if self.restarts > restarts_before {
            self.restart_job = job;
        }
        let sub = patch.sub.unwrap_or_else(|| self.sub.clone());
        self.set_active(active, sub, job, ours);
    }

    /// A unit that was coming up is on its way to `active`: did its start end, rather than somebody stop it?
    /// A stop finds the main process alive, or not started yet, and ends it with a signal.
    fn ended_by_itself(&self, active: &ActiveState) -> bool {
        let signalled = matches!(self.exit_code, 2 | 3);
        let cut_short = *active == ActiveState::Deactivating && self.exit_code == 0;
        self.result != "success" || !(signalled || cut_short)
    }

    fn set_active(&mut self, active: ActiveState, sub: String, job: Option<u32>, ours: &BTreeSet<u32>) {
        let found_going_down = !self.known && active == ActiveState::Deactivating;
        let goes_down = found_going_down || is_way_down(&active) && !is_way_down(&self.active);
        if goes_down {
            let by_itself = match self.active {
                ActiveState::Activating if !self.waits_for_restart() => self.ended_by_itself(&active),
                ActiveState::Reloading => self.result != "success",
                _ => false,
            };
            self.down_job =
                job.or(self.job).filter(|id| !by_itself && !ours.contains(id) && self.restart_job != Some(*id));
        } else if !is_way_down(&active) {
            self.down_job = None;
        }
        self.active = active;
        self.sub = sub;
        self.job = job;
    }
}

fn is_way_down(active: &ActiveState) -> bool {
    matches!(active, ActiveState::Deactivating | ActiveState::Inactive | ActiveState::Failed)
}

/// What `ListUnitsByNames` says of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) load: LoadState,
    pub(crate) active: ActiveState,
    pub(crate) sub: String,
    pub(crate) job: Option<u32>,
}

impl Listed {
    /// A unit that does not exist.
    pub(crate) fn absent() -> Self {
        Self { load: LoadState::NotFound, active: ActiveState::Inactive, sub: "dead".to_owned(), job: None }
    }
}

impl From<Listed> for Patch {
    fn from(listed: Listed) -> Self {
        Self {
            load: Some(listed.load.into()),
            active: Some(listed.active.into()),
            sub: Some(listed.sub),
            job: Some(listed.job.unwrap_or(0)),
            ..Self::default()
        }
    }
}

#[cfg(test)]
#[path = "row_tests.rs"]
mod tests;
