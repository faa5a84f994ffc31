//! What a unit's state means for its history. Pure.
//!
//! The host's view, not the workflow's: it is there without Temporal, and at once. What it cannot see by itself is whether a
//! person has wanted a stop that dixmgr carried out; that is an argument.

use dixmgr_contract::{OnOperatorStop, PhaseName, Policy, UnitState};
use dixmgr_decide::service::{Reading, Seen};
use dixmgr_history::State;

/// How a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// How its time counts.
    pub(crate) state: State,
    /// Where it stands, in one word.
    pub(crate) phase: &'static str,
    /// Why, in a line; empty for one that is well.
    pub(crate) reason: String,
}

impl Health {
    fn new(state: State, phase: &'static str, reason: impl Into<String>) -> Self {
        Self { state, phase, reason: reason.into() }
    }

    /// Nobody knows.
    pub(crate) fn unknown(reason: &str) -> Self {
        Self::new(State::Unknown, PhaseName::Unknown.as_str(), reason)
    }

    /// How a service is now. `before` is how it was; `is_wanted`: a person has wanted the end of its last run.
    pub(crate) fn of(seen: &Seen, policy: &Policy, is_wanted: bool, before: Option<State>) -> Self {
        let respects_stops = policy.restart.on_operator_stop != OnOperatorStop::Restart;
        let is_off = is_wanted || (seen.unit.stopped_by_job && respects_stops);
        let (off, down) = (State::Off, State::Down);
        match seen.reading() {
            Reading::Up => Self::new(State::Up, PhaseName::Healthy.as_str(), ""),
            Reading::Impaired => {
                Self::new(State::Up, PhaseName::Degraded.as_str(), seen.complaint().unwrap_or_default())
            }
            // Until it is up, or has failed, it is as it was: the start of what was switched off is no outage.
            Reading::Coming | Reading::AutoRestart => {
                let state = if before == Some(State::Off) { off } else { down };
                Self::new(state, PhaseName::Starting.as_str(), coming(&seen.unit))
            }
            Reading::Going => Self::new(if is_off { off } else { down }, "stopping", ""),
            Reading::Dead | Reading::Idle | Reading::StoppedByJob if is_off => {
                Self::new(off, PhaseName::Stopped.as_str(), stopped(&seen.unit))
            }
            // A start of what was switched off shows its new run before it is up.
            Reading::Idle if before == Some(off) && (seen.unit.exit.is_none() || seen.unit.job.is_some()) => {
                Self::new(off, PhaseName::Stopped.as_str(), stopped(&seen.unit))
            }
            Reading::Idle if !policy.start && !matches!(before, Some(State::Up | State::Down)) => {
                Self::new(off, PhaseName::Stopped.as_str(), "not to be started")
            }
            Reading::Dead | Reading::Idle | Reading::StoppedByJob => {
                Self::new(down, PhaseName::Down.as_str(), down_because(&seen.unit))
            }
            Reading::Masked => Self::new(off, PhaseName::Stopped.as_str(), "masked"),
            Reading::Broken => Self::new(down, PhaseName::Down.as_str(), "systemd cannot load the unit"),
            Reading::Absent => Self::new(State::Unknown, "absent", "systemd has no such unit on this host"),
        }
    }
}

fn coming(unit: &UnitState) -> &'static str {
    if unit.sub.starts_with("auto-restart") { "systemd restarts it" } else { "" }
}

fn stopped(unit: &UnitState) -> &'static str {
    if unit.stopped_by_job { "stopped through systemd" } else { "stopped on command" }
}

fn down_because(unit: &UnitState) -> String {
    if unit.invocation.is_none() { "not running".to_owned() } else { unit.ending() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_contract::{ActiveState, LoadState, Time, Verdict};
    use std::collections::BTreeMap;

    fn seen(active: ActiveState) -> Seen {
        let unit = UnitState { invocation: Some("a".into()), ..UnitState::new(LoadState::Loaded, active) };
        let (epoch, boot, at) = (String::new(), String::new(), Time::default());
        Seen {
            unit,
            epoch,
            boot,
            at,
            waiting_for: Vec::new(),
            runs: BTreeMap::new(),
            verdicts: Vec::new(),
            causes: Vec::new(),
        }
    }

    fn told(seen: &Seen, is_wanted: bool, before: Option<State>) -> (State, &'static str, String) {
        let Health { state, phase, reason } = Health::of(seen, &Policy::default(), is_wanted, before);
        (state, phase, reason)
    }

    #[test]
    fn one_that_runs_is_up_content_or_not() {
        let mut unit = seen(ActiveState::Active);
        assert_eq!(told(&unit, false, None), (State::Up, "healthy", String::new()));
        unit.verdicts = vec![Verdict::new("port", false, "refused".into())];
        assert_eq!(told(&unit, false, None), (State::Up, "degraded", "port: refused".into()));
    }

    #[test]
    fn one_that_failed_is_down_and_on_its_way_up_it_still_is() {
        let mut unit = seen(ActiveState::Failed);
        unit.unit.result = "exit-code".into();
        assert_eq!(told(&unit, false, Some(State::Up)), (State::Down, "down", "exit-code".into()));
        let coming = seen(ActiveState::Activating);
        assert_eq!(told(&coming, false, Some(State::Down)).0, State::Down);
        assert_eq!(told(&coming, false, None).0, State::Down);
    }

    #[test]
    fn what_a_person_stops_is_off_and_starting_it_again_is_no_outage() {
        let mut unit = seen(ActiveState::Inactive);
        unit.unit.stopped_by_job = true;
        assert_eq!(told(&unit, false, Some(State::Up)), (State::Off, "stopped", "stopped through systemd".into()));
        let mut fights = Policy::default();
        fights.restart.on_operator_stop = OnOperatorStop::Restart;
        assert_eq!(Health::of(&unit, &fights, false, Some(State::Up)).state, State::Down);
        unit.unit.stopped_by_job = false;
        assert_eq!(told(&unit, true, Some(State::Up)), (State::Off, "stopped", "stopped on command".into()));
        assert_eq!(told(&unit, false, Some(State::Up)).0, State::Down, "it has ended by itself");
        assert_eq!(told(&unit, false, Some(State::Off)).0, State::Off, "its start shows the new run before it is up");
        assert_eq!(told(&seen(ActiveState::Activating), true, Some(State::Off)).0, State::Off);
        assert_eq!(told(&seen(ActiveState::Deactivating), true, Some(State::Up)).0, State::Off);
        assert_eq!(told(&seen(ActiveState::Deactivating), false, Some(State::Up)).0, State::Down);
    }

    #[test]
    fn one_that_nobody_wants_to_run_is_not_down_before_it_has_run() {
        let idle = seen(ActiveState::Inactive);
        let policy = Policy { start: false, ..Policy::default() };
        assert_eq!(Health::of(&idle, &policy, false, None).state, State::Off);
        assert_eq!(Health::of(&idle, &policy, false, Some(State::Up)).state, State::Down);
        assert_eq!(told(&idle, false, None).0, State::Down);
    }

    #[test]
    fn what_is_not_there_is_unknown() {
        let mut unit = seen(ActiveState::Inactive);
        unit.unit.load = LoadState::NotFound;
        assert_eq!(told(&unit, false, Some(State::Up)).0, State::Unknown);
        unit.unit.load = LoadState::Masked;
        assert_eq!(told(&unit, false, Some(State::Up)).0, State::Off);
    }
}
