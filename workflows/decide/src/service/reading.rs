//! What an observation means, in the few words that the machine decides by.

use dixmgr_contract::{ActiveState, LoadState, Observation, ServiceName, Time, UnitState, Verdict};
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
    /// Dependencies that are not ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<ServiceName>,
    /// The runs of those that are, if it follows them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<ServiceName, String>,
    /// What rules and probes said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
    /// Dependencies that are in trouble themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<ServiceName>,
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
            at: now.earlier(dixmgr_contract::Span::from_millis(observation.age_ms)),
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
        let unit = &self.unit;
        match &unit.active {
            ActiveState::Activating if unit.sub.starts_with("auto-restart") => Reading::AutoRestart,
            ActiveState::Activating => Reading::Coming,
            ActiveState::Deactivating => Reading::Going,
            ActiveState::Inactive | ActiveState::Failed => self.reading_at_rest(),
            _ if self.complaints().next().is_none() => Reading::Up,
            _ => Reading::Impaired,
        }
    }

    fn reading_at_rest(&self) -> Reading {
        let unit = &self.unit;
        match &unit.load {
            LoadState::NotFound => Reading::Absent,
            LoadState::Masked => Reading::Masked,
            LoadState::Error | LoadState::BadSetting => Reading::Broken,
            _ if unit.stopped_by_job => Reading::StoppedByJob,
            _ if unit.active == ActiveState::Failed => Reading::Dead,
            _ if unit.oneshot && unit.invocation.is_some() && unit.result == "success" => Reading::Up,
            _ => Reading::Idle,
        }
    }

    /// The first rule that is not content, in words.
    pub fn complaint(&self) -> Option<String> {
        let verdict = self.complaints().next()?;
        Some(format!("{}: {}", verdict.rule, verdict.detail))
    }

    fn complaints(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| !verdict.healthy || verdict.holds_back())
    }
}
