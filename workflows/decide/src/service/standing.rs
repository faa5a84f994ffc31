//! How a service's time counts, from what its host sees: for the history, which is written without Temporal, and at once.
//!
//! What a host cannot see by itself is whether a person has wanted a stop that dixmgr carried out; that is an argument. It is not the
//! reading of the alert rules (`rules/health.rs`): there a service on its way up is no trouble yet, here its time is lost.

use super::reading::{Reading, complaint};
use dixmgr_contract::{OnOperatorStop, PhaseName, Policy, UnitState, Verdict};

/// As what its time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// It runs, content or not.
    Up,
    /// It should run and does not.
    Down,
    /// It does not run because a person wants it so.
    Off,
    /// Nobody knows.
    Unknown,
}

/// How a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How its time counts.
    pub counts: Counts,
    /// Where it stands, in one word.
    pub phase: &'static str,
    /// Why, in a line; empty for one that is well.
    pub reason: String,
}

impl Standing {
    fn new(counts: Counts, phase: &'static str, reason: impl Into<String>) -> Self {
        Self { counts, phase, reason: reason.into() }
    }

    /// Nobody knows.
    pub fn unknown(reason: &str) -> Self {
        Self::new(Counts::Unknown, PhaseName::Unknown.as_str(), reason)
    }

    /// How a service is now, with what its probes say of this run. `before` is how it counted; `is_wanted`: a person has wanted the end
    /// of its last run.
    pub fn of(
        unit: &UnitState,
        verdicts: &[Verdict],
        policy: &Policy,
        is_wanted: bool,
        before: Option<Counts>,
    ) -> Self {
        let respects_stops = policy.restart.on_operator_stop != OnOperatorStop::Restart;
        let is_off = is_wanted || (unit.stopped_by_job && respects_stops);
        let (off, down) = (Counts::Off, Counts::Down);
        match Reading::of(unit, verdicts) {
            Reading::Up => Self::new(Counts::Up, PhaseName::Healthy.as_str(), ""),
            Reading::Impaired => {
                Self::new(Counts::Up, PhaseName::Degraded.as_str(), complaint(verdicts).unwrap_or_default())
            }
            // Until it is up, or has failed, it is as it was: the start of what was switched off is no outage.
            Reading::Coming | Reading::AutoRestart => {
                let state = if before == Some(Counts::Off) { off } else { down };
                Self::new(state, PhaseName::Starting.as_str(), coming(unit))
            }
            Reading::Going => Self::new(if is_off { off } else { down }, "stopping", ""),
            Reading::Dead | Reading::Idle | Reading::StoppedByJob if is_off => {
                Self::new(off, PhaseName::Stopped.as_str(), stopped(unit))
            }
            // A start of what was switched off shows its new run before it is up.
            Reading::Idle if before == Some(off) && !unit.has_begun() => {
                Self::new(off, PhaseName::Stopped.as_str(), stopped(unit))
            }
            Reading::Idle if !policy.start && !matches!(before, Some(Counts::Up | Counts::Down)) => {
                Self::new(off, PhaseName::Stopped.as_str(), "not to be started")
            }
            Reading::Dead | Reading::Idle | Reading::StoppedByJob => {
                Self::new(down, PhaseName::Down.as_str(), down_because(unit))
            }
            Reading::Masked => Self::new(off, PhaseName::Stopped.as_str(), "masked"),
            Reading::Broken => Self::new(down, PhaseName::Down.as_str(), "systemd cannot load the unit"),
            Reading::Absent => Self::new(Counts::Unknown, "absent", "systemd has no such unit on this host"),
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
    use dixmgr_contract::{ActiveState, LoadState};

    fn unit(active: ActiveState) -> UnitState {
        UnitState { invocation: Some("a".into()), ..UnitState::new(LoadState::Loaded, active) }
    }

    fn told(unit: &UnitState, is_wanted: bool, before: Option<Counts>) -> (Counts, &'static str, String) {
        let Standing { counts, phase, reason } = Standing::of(unit, &[], &Policy::default(), is_wanted, before);
        (counts, phase, reason)
    }

    #[test]
    fn one_that_runs_is_up_content_or_not() {
        let one = unit(ActiveState::Active);
        assert_eq!(told(&one, false, None), (Counts::Up, "healthy", String::new()));
        let refused = [Verdict::new("port", false, "refused".into())];
        let degraded = Standing::of(&one, &refused, &Policy::default(), false, None);
        assert_eq!((degraded.counts, degraded.reason.as_str()), (Counts::Up, "port: refused"));
    }

    #[test]
    fn one_that_failed_is_down_and_on_its_way_up_it_still_is() {
        let mut one = unit(ActiveState::Failed);
        one.result = "exit-code".into();
        assert_eq!(told(&one, false, Some(Counts::Up)), (Counts::Down, "down", "exit-code".into()));
        let coming = unit(ActiveState::Activating);
        assert_eq!(told(&coming, false, Some(Counts::Down)).0, Counts::Down);
        assert_eq!(told(&coming, false, None).0, Counts::Down);
    }

    #[test]
    fn what_a_person_stops_is_off_and_starting_it_again_is_no_outage() {
        let mut one = unit(ActiveState::Inactive);
        one.stopped_by_job = true;
        assert_eq!(told(&one, false, Some(Counts::Up)), (Counts::Off, "stopped", "stopped through systemd".into()));
        let mut fights = Policy::default();
        fights.restart.on_operator_stop = OnOperatorStop::Restart;
        assert_eq!(Standing::of(&one, &[], &fights, false, Some(Counts::Up)).counts, Counts::Down);
        one.stopped_by_job = false;
        assert_eq!(told(&one, true, Some(Counts::Up)), (Counts::Off, "stopped", "stopped on command".into()));
        assert_eq!(told(&one, false, Some(Counts::Up)).0, Counts::Down, "it has ended by itself");
        assert_eq!(told(&one, false, Some(Counts::Off)).0, Counts::Off, "its start shows the new run before it is up");
        assert_eq!(told(&unit(ActiveState::Activating), true, Some(Counts::Off)).0, Counts::Off);
        assert_eq!(told(&unit(ActiveState::Deactivating), true, Some(Counts::Up)).0, Counts::Off);
        assert_eq!(told(&unit(ActiveState::Deactivating), false, Some(Counts::Up)).0, Counts::Down);
    }

    #[test]
    fn one_that_nobody_wants_to_run_is_not_down_before_it_has_run() {
        let idle = unit(ActiveState::Inactive);
        let policy = Policy { start: false, ..Policy::default() };
        assert_eq!(Standing::of(&idle, &[], &policy, false, None).counts, Counts::Off);
        assert_eq!(Standing::of(&idle, &[], &policy, false, Some(Counts::Up)).counts, Counts::Down);
        assert_eq!(told(&idle, false, None).0, Counts::Down);
    }

    #[test]
    fn what_is_not_there_is_unknown() {
        let mut one = unit(ActiveState::Inactive);
        one.load = LoadState::NotFound;
        assert_eq!(told(&one, false, Some(Counts::Up)).0, Counts::Unknown);
        one.load = LoadState::Masked;
        assert_eq!(told(&one, false, Some(Counts::Up)).0, Counts::Off);
    }
}
