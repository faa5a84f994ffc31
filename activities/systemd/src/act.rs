//! May we act, and how did it go: the decisions around an action, without any I/O.

use crate::{ActError, error};
use dixmgr_contract::{ActiveState, FailureKind, Guard, LoadState, UnitName, UnitState, Verb};

/// What to do after the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Go {
    /// Ask systemd.
    Act,
    /// It is as it should be.
    Nothing,
}

/// The last check before acting on a unit in this `state`.
pub(crate) fn check(
    unit: &UnitName,
    verb: Verb,
    guard: Option<&Guard>,
    state: &UnitState,
    host_stopping: bool,
) -> Result<Go, ActError> {
    let refuse = |kind, message: String| Err(ActError { kind, message });
    match &state.load {
        LoadState::NotFound => return refuse(FailureKind::NoSuchUnit, error::no_such_unit(unit)),
        LoadState::Masked => return refuse(FailureKind::Masked, error::masked(unit)),
        LoadState::Error | LoadState::BadSetting => {
            return refuse(FailureKind::NoSuchUnit, error::cannot_load(unit, state.load.as_str()));
        }
        _ => {}
    }
    if host_stopping {
        return refuse(FailureKind::HostStopping, format!("will not {verb} {unit}: the system is shutting down"));
    }
    if state.is_held() {
        let job = state.job.map_or(0, |job| job.id);
        let message =
            format!("will not {verb} {unit}: somebody else's job {job} is on it; `systemctl list-jobs` shows it");
        return refuse(FailureKind::ForeignJob, message);
    }
    if let Some(guard) = guard
        && state.invocation.is_some()
        && state.invocation != guard.invocation
    {
        return refuse(
            FailureKind::Stale,
            format!("will not {verb} {unit}: it has been started again since this was decided"),
        );
    }
    match (verb, state.is_up(), guard) {
        (Verb::Start, true, Some(_)) => refuse(FailureKind::Stale, format!("will not start {unit}: it is already up")),
        (Verb::Start, true, None) => Ok(Go::Nothing),
        // A job that stops what is down would stop what requires it, and change nothing else.
        (Verb::Stop, _, _)
            if matches!(state.active, ActiveState::Inactive | ActiveState::Failed) && state.job.is_none() =>
        {
            Ok(Go::Nothing)
        }
        _ => Ok(Go::Act),
    }
}

/// What a job's result (`JobRemoved`) means; `unit_result` is the unit's `Result` at that time.
pub(crate) fn judge(unit: &UnitName, verb: Verb, result: &str, state: Option<&UnitState>) -> Result<(), ActError> {
    let (kind, message) = match result {
        "done" | "skipped" => return Ok(()),
        "timeout" => {
            (FailureKind::JobTimeout, format!("systemd gave up: the {verb} of {unit} took longer than the unit allows"))
        }
        "canceled" => {
            (FailureKind::JobCanceled, format!("the {verb} of {unit} was cancelled or replaced by another job"))
        }
        "dependency" => {
            let message = format!(
                "the {verb} of {unit} failed: a unit that it requires did not start; `systemctl list-dependencies {unit}` shows which"
            );
            (FailureKind::JobFailed, message)
        }
        other => {
            let ending = state.map_or_else(|| other.to_owned(), UnitState::ending);
            (
                FailureKind::JobFailed,
                format!("the {verb} of {unit} failed ({ending}); `systemctl status {unit}` shows its last lines"),
            )
        }
    };
    Err(ActError { kind, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_contract::{Job, ServiceName};

    fn unit() -> UnitName {
        UnitName::new("api.service").unwrap()
    }

    fn state(active: ActiveState) -> UnitState {
        UnitState::new(LoadState::Loaded, active)
    }

    fn guard(invocation: Option<&str>) -> Guard {
        Guard {
            service: ServiceName::new("api").unwrap(),
            generation: 1,
            invocation: invocation.map(str::to_owned),
            restarts_failure: true,
            timeout_ms: 1000,
            reason: String::new(),
            waited: Default::default(),
        }
    }

    fn kind(verb: Verb, guard: Option<&Guard>, state: &UnitState, stopping: bool) -> Result<Go, FailureKind> {
        check(&unit(), verb, guard, state, stopping).map_err(|error| error.kind)
    }

    #[test]
    fn what_cannot_be_loaded_is_not_started() {
        let with = |load| UnitState::new(load, ActiveState::Inactive);
        assert_eq!(kind(Verb::Start, None, &with(LoadState::NotFound), false), Err(FailureKind::NoSuchUnit));
        assert_eq!(kind(Verb::Start, None, &with(LoadState::BadSetting), false), Err(FailureKind::NoSuchUnit));
        assert_eq!(kind(Verb::Restart, None, &with(LoadState::Masked), true), Err(FailureKind::Masked));
    }

    #[test]
    fn a_job_of_somebody_elses_or_a_shutdown_is_not_fought() {
        let mut held = state(ActiveState::Inactive);
        held.job = Some(Job { id: 7, ours: false });
        assert_eq!(kind(Verb::Start, None, &held, false), Err(FailureKind::ForeignJob));
        held.job = Some(Job { id: 7, ours: true });
        assert_eq!(kind(Verb::Start, None, &held, false), Ok(Go::Act));
        assert_eq!(kind(Verb::Start, None, &held, true), Err(FailureKind::HostStopping));
    }

    #[test]
    fn another_run_than_decided_on_is_stale_and_an_unloaded_unit_is_not() {
        let mut failed = state(ActiveState::Failed);
        assert_eq!(kind(Verb::Start, Some(&guard(Some("aa"))), &failed, false), Ok(Go::Act));
        failed.invocation = Some("aa".into());
        assert_eq!(kind(Verb::Start, Some(&guard(Some("aa"))), &failed, false), Ok(Go::Act));
        assert_eq!(kind(Verb::Start, Some(&guard(Some("bb"))), &failed, false), Err(FailureKind::Stale));
        assert_eq!(kind(Verb::Restart, Some(&guard(None)), &failed, false), Err(FailureKind::Stale));
    }

    #[test]
    fn a_start_of_what_is_up_is_stale_with_a_guard_and_nothing_without() {
        let up = state(ActiveState::Active);
        assert_eq!(kind(Verb::Start, Some(&guard(None)), &up, false), Err(FailureKind::Stale));
        assert_eq!(kind(Verb::Start, None, &up, false), Ok(Go::Nothing));
        assert_eq!(kind(Verb::Restart, Some(&guard(None)), &up, false), Ok(Go::Act));
        assert_eq!(kind(Verb::Stop, None, &state(ActiveState::Inactive), false), Ok(Go::Nothing));
    }

    #[test]
    fn a_jobs_result_is_told_with_the_units() {
        let mut failed = state(ActiveState::Failed);
        failed.result = "exit-code".into();
        let verdict = |result| judge(&unit(), Verb::Start, result, Some(&failed)).map_err(|error| error.kind);
        assert_eq!(verdict("done"), Ok(()));
        assert_eq!(verdict("skipped"), Ok(()));
        assert_eq!(verdict("timeout"), Err(FailureKind::JobTimeout));
        assert_eq!(verdict("canceled"), Err(FailureKind::JobCanceled));
        assert_eq!(verdict("dependency"), Err(FailureKind::JobFailed));
        let message = judge(&unit(), Verb::Start, "failed", Some(&failed)).unwrap_err().message;
        assert!(message.contains("exit-code"), "{message}");
    }
}
