//! What an observation means, in the few words that the machine decides by.

use dixmgr_contract::{ActiveState, Cause, LoadState, Observation, ServiceName, Span, Time, UnitState, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is kept of the last observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What systemd said.
    pub unit: UnitState,
    /// Which start of dixmgr said so.
    pub epoch: String,
    /// In which boot.
    pub boot: String,
    /// When the state began.
    pub at: Time,
    /// How long its host has waited with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Span>,
    /// Dependencies that are not ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<ServiceName>,
    /// The runs of those that are, if it follows them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<ServiceName, String>,
    /// What rules and probes said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
    /// What fires for dependencies that are in trouble themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
}

/// The meaning of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// It runs, and every rule is content.
    Up,
    /// It runs, and a rule is not content.
    Impaired,
    /// On its way up.
    Coming,
    /// systemd waits to restart it by itself (`Restart=`).
    AutoRestart,
    /// On its way down.
    Going,
    /// It does not run: it failed, or its process ended by itself.
    Dead,
    /// It does not run and has not failed.
    Idle,
    /// It does not run because a job of somebody else's stopped it.
    StoppedByJob,
    /// There is no such unit.
    Absent,
    /// It is masked.
    Masked,
    /// systemd cannot load it.
    Broken,
}

impl Seen {
    /// Keeps an observation that arrived at `now`.
    pub fn new(observation: Observation, now: Time) -> Self {
        Self {
            unit: observation.unit,
            epoch: observation.epoch,
            boot: observation.boot,
            at: now.earlier(Span::from_millis(observation.age_ms)),
            held: Some(Span::from_millis(observation.held_ms)).filter(|held| !held.is_zero()),
            waiting_for: observation.waiting_for,
            runs: observation.runs,
            verdicts: observation.verdicts,
            causes: observation.causes,
        }
    }

    /// The run that it was seen in.
    pub const fn run(&self) -> &Option<String> {
        &self.unit.invocation
    }

    /// What it means.
    pub fn reading(&self) -> Reading {
        Reading::of(&self.unit, &self.verdicts)
    }

    /// The first rule that is not content, in words.
    pub fn complaint(&self) -> Option<String> {
        complaint(&self.verdicts)
    }
}

/// The first of them that is not content, in words.
pub(super) fn complaint(verdicts: &[Verdict]) -> Option<String> {
    let verdict = complaints(verdicts).next()?;
    Some(format!("{}: {}", verdict.rule, verdict.detail))
}

fn complaints(verdicts: &[Verdict]) -> impl Iterator<Item = &Verdict> {
    verdicts.iter().filter(|verdict| !verdict.healthy || verdict.holds_back())
}

/// True if all that speaks against a service is that nothing was known of it yet.
pub(crate) fn is_unclear(verdicts: &[Verdict]) -> bool {
    let mut complaints = complaints(verdicts).peekable();
    complaints.peek().is_some() && complaints.all(Verdict::is_blank)
}

impl Reading {
    /// What a unit's state means, and what rules and probes say of it if it runs.
    pub fn of(unit: &UnitState, verdicts: &[Verdict]) -> Self {
        match &unit.active {
            ActiveState::Activating if unit.sub.starts_with("auto-restart") => Self::AutoRestart,
            ActiveState::Activating => Self::Coming,
            ActiveState::Deactivating => Self::Going,
            ActiveState::Inactive | ActiveState::Failed => Self::at_rest(unit),
            _ if complaints(verdicts).next().is_none() => Self::Up,
            _ => Self::Impaired,
        }
    }

    fn at_rest(unit: &UnitState) -> Self {
        match &unit.load {
            LoadState::NotFound => Self::Absent,
            LoadState::Masked => Self::Masked,
            LoadState::Error | LoadState::BadSetting => Self::Broken,
            _ if unit.stopped_by_job => Self::StoppedByJob,
            _ if unit.active == ActiveState::Failed => Self::Dead,
            _ if unit.oneshot && unit.invocation.is_some() && unit.result == "success" => Self::Up,
            _ => Self::Idle,
        }
    }
}
