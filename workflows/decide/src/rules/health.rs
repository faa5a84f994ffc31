//! How a service stands, as its host sees it: the words of the service machine, without its memory.
//!
//! The machine knows more (why it waits, what was commanded), but it lives in a workflow, which may be out of reach when
//! people have to be told. What the host cannot know is left to time: a service that nobody has seen end and that is to be
//! brought up is on its way up for as long as that may take, and down after it.
//!
//! Rejected: the phase of the workflow, told back to the host. It would be late, and absent while Temporal is.

use super::Health;
use crate::service::{Reading, is_unclear};
use dixmgr_contract::observation::RULE_SYNC;
use dixmgr_contract::{OnOperatorStop, Policy, Span, UnitState, Verdict};

/// What a host knows of a service's unit.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// What systemd says.
    pub unit: &'a UnitState,
    /// What probes say of this run.
    pub verdicts: &'a [Verdict],
    /// What its owner wants.
    pub policy: &'a Policy,
    /// It waits for dependencies on this host.
    pub waits: bool,
    /// It has dependencies on other hosts, of which this one knows nothing.
    pub may_wait: bool,
    /// Its last run was ended on purpose (see [`super::Runs`]).
    pub on_purpose: bool,
    /// A person has commanded that this run be its last, whoever ended it.
    pub is_wanted: bool,
    /// It is as it was when somebody first looked: nobody saw its last run end.
    pub found: bool,
    /// For how long it has been so.
    pub lasts: Span,
}

impl Sight<'_> {
    /// How it stands (absent: not known), and after how long to look again though nothing changes.
    pub fn health(&self) -> (Option<Health>, Option<Span>) {
        let respects = self.policy.restart.on_operator_stop == OnOperatorStop::Respect;
        let known = |health| (Some(health), None);
        match Reading::of(self.unit, self.verdicts) {
            Reading::Absent => (None, None),
            Reading::Going | Reading::Idle | Reading::Dead | Reading::StoppedByJob if self.is_wanted => {
                known(Health::Stopped)
            }
            Reading::Up => known(Health::Up),
            // It ran before anybody looked: whether it works was known to somebody else.
            Reading::Impaired if self.found && is_unclear(self.verdicts) => (None, None),
            // Its start grace is not over, or no look could be made yet.
            Reading::Impaired if is_unclear(self.verdicts) => known(Health::Unclear),
            Reading::Impaired => known(Health::Degraded),
            Reading::Coming => known(Health::Coming),
            Reading::Masked => known(Health::Stopped),
            Reading::StoppedByJob if respects => known(Health::Stopped),
            Reading::Going if self.unit.stopped_by_job && respects => known(Health::Stopped),
            Reading::Going | Reading::Idle | Reading::Dead if self.on_purpose && !self.unit.stopped_by_job => {
                known(Health::Stopped)
            }
            Reading::Idle if self.found || self.unit.invocation.is_none() => self.bring_up(),
            // A start shows its run for a moment before anything of it has begun.
            Reading::Idle if self.unit.job.is_some() && !self.unit.has_begun() => known(Health::Coming),
            Reading::Idle
            | Reading::Dead
            | Reading::StoppedByJob
            | Reading::Going
            | Reading::AutoRestart
            | Reading::Broken => known(Health::Down),
        }
    }

    fn bring_up(&self) -> (Option<Health>, Option<Span>) {
        if !self.policy.start {
            return (Some(Health::Stopped), None);
        }
        if self.waits {
            return (Some(Health::Coming), None);
        }
        let patience = if self.may_wait { self.policy.dependency.timeout } else { self.policy.operation_timeout };
        let left = patience.as_millis().saturating_sub(self.lasts.as_millis());
        if left == 0 { (Some(Health::Down), None) } else { (Some(Health::Coming), Some(Span::from_millis(left))) }
    }
}

/// How many checks say no after as many failures as each is allowed, and what the first of them says. Absent if none does and
/// one does not know. That a node synchronises is no failure of a check.
pub fn failed_checks(verdicts: &[Verdict]) -> (Option<u64>, Option<String>) {
    let of_health = || verdicts.iter().filter(|verdict| verdict.failed || verdict.rule != RULE_SYNC);
    let mut failed = of_health().filter(|verdict| !verdict.unknown && (verdict.failed || !verdict.healthy));
    let words = |verdict: &Verdict| match verdict.detail.as_str() {
        "" => verdict.rule.clone(),
        detail => format!("{}: {detail}", verdict.rule),
    };
    match failed.next().map(words) {
        None if of_health().any(|verdict| verdict.unknown) => (None, None),
        None => (Some(0), None),
        first => (Some(1 + failed.count() as u64), first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Belief, Thresholds};
    use crate::node::NodeVerdict;
    use dixmgr_contract::{ActiveState, CheckResult, CheckState, LoadState, RestartPolicy, Time};

    fn unit(active: ActiveState) -> UnitState {
        UnitState { invocation: Some("a".into()), ..UnitState::new(LoadState::Loaded, active) }
    }

    fn sight<'a>(unit: &'a UnitState, policy: &'a Policy) -> Sight<'a> {
        Sight {
            unit,
            policy,
            verdicts: &[],
            waits: false,
            may_wait: false,
            on_purpose: false,
            is_wanted: false,
            found: false,
            lasts: Span::ZERO,
        }
    }

    fn health(unit: &UnitState) -> Option<Health> {
        sight(unit, &Policy::default()).health().0
    }

    #[test]
    fn each_state_of_a_unit_has_its_word() {
        let loaded_as = |load: LoadState| UnitState { load, ..unit(ActiveState::Inactive) };
        let coming_back = UnitState { sub: "auto-restart".into(), ..unit(ActiveState::Activating) };
        let oneshot = UnitState { oneshot: true, ..unit(ActiveState::Inactive) };
        for (unit, expected) in [
            (unit(ActiveState::Active), Some(Health::Up)),
            (unit(ActiveState::Reloading), Some(Health::Up)),
            (unit(ActiveState::Activating), Some(Health::Coming)),
            (coming_back, Some(Health::Down)),
            (unit(ActiveState::Failed), Some(Health::Down)),
            (unit(ActiveState::Inactive), Some(Health::Down)), // ended by itself
            (unit(ActiveState::Deactivating), Some(Health::Down)),
            (oneshot, Some(Health::Up)),
            (loaded_as(LoadState::NotFound), None),
            (loaded_as(LoadState::Masked), Some(Health::Stopped)),
            (loaded_as(LoadState::BadSetting), Some(Health::Down)),
        ] {
            assert_eq!(health(&unit), expected, "{unit:?}");
        }
    }

    #[test]
    fn a_start_that_has_shown_its_run_and_not_begun_is_no_end() {
        let job = Some(dixmgr_contract::Job { id: 7, ours: true });
        assert_eq!(health(&UnitState { job, ..unit(ActiveState::Inactive) }), Some(Health::Coming));
        assert_eq!(health(&UnitState { job, ..unit(ActiveState::Failed) }), Some(Health::Down));
    }

    #[test]
    fn what_was_stopped_on_purpose_is_stopped_unless_its_owner_fights_it() {
        let by_job = UnitState { stopped_by_job: true, ..unit(ActiveState::Inactive) };
        let going = UnitState { stopped_by_job: true, ..unit(ActiveState::Deactivating) };
        let on_operator_stop = OnOperatorStop::Restart;
        let fights =
            Policy { restart: RestartPolicy { on_operator_stop, ..RestartPolicy::default() }, ..Policy::default() };
        for unit in [&by_job, &going] {
            assert_eq!(health(unit), Some(Health::Stopped));
            assert_eq!(sight(unit, &fights).health().0, Some(Health::Down));
        }
        for active in [ActiveState::Deactivating, ActiveState::Inactive, ActiveState::Failed] {
            let unit = unit(active);
            let ours = Sight { on_purpose: true, ..sight(&unit, &fights) };
            assert_eq!(ours.health().0, Some(Health::Stopped));
        }
        // And a command outdoes whatever ended it, also where the unit is not loaded any more.
        let unloaded = UnitState::new(LoadState::Loaded, ActiveState::Inactive);
        for unit in [&by_job, &going, &unit(ActiveState::Failed), &unloaded] {
            let wanted = Sight { is_wanted: true, found: true, ..sight(unit, &fights) };
            assert_eq!(wanted.health(), (Some(Health::Stopped), None));
        }
    }

    #[test]
    fn who_is_bring_up_is_coming_for_as_long_as_that_may_take() {
        let (never, before) = (UnitState::new(LoadState::Loaded, ActiveState::Inactive), unit(ActiveState::Inactive));
        let (starts, not) = (Policy::default(), Policy { start: false, ..Policy::default() });
        for (unit, found) in [(&never, false), (&never, true), (&before, true)] {
            let of = |policy, lasts| Sight { found, lasts, ..sight(unit, policy) };
            assert_eq!(of(&not, Span::ZERO).health(), (Some(Health::Stopped), None));
            let (health, again) = of(&starts, Span::from_secs(20)).health();
            assert_eq!((health, again), (Some(Health::Coming), Some(Span::from_secs(100))));
            assert_eq!(of(&starts, Span::from_secs(120)).health(), (Some(Health::Down), None));
            let waits = Sight { waits: true, ..of(&starts, Span::from_secs(7_200)) };
            assert_eq!(waits.health(), (Some(Health::Coming), None));
            let elsewhere = Sight { may_wait: true, ..of(&starts, Span::from_secs(7_200)) };
            assert_eq!(elsewhere.health().0, Some(Health::Coming));
        }
    }

    #[test]
    fn who_runs_is_degraded_by_a_verdict_that_is_not_content() {
        let (unit, policy) = (unit(ActiveState::Active), Policy::default());
        let with = |verdict: Verdict| Sight { verdicts: &[verdict], ..sight(&unit, &policy) }.health().0;
        assert_eq!(with(Verdict::new("http", true, String::new())), Some(Health::Up));
        assert_eq!(with(Verdict::new("http", false, String::new())), Some(Health::Degraded));
        assert_eq!(with(Verdict::new(RULE_SYNC, false, String::new())), Some(Health::Degraded));
    }

    #[test]
    fn failed_checks_are_counted_and_the_first_is_named() {
        let no = |rule| Verdict { failed: true, ..Verdict::new(rule, false, "503".into()) };
        let yes = Verdict::new("tcp", true, String::new());
        let syncs = Verdict::new(RULE_SYNC, false, "is syncing".into());
        assert_eq!(failed_checks(&[yes.clone(), syncs]), (Some(0), None));
        assert_eq!(failed_checks(&[yes, no("http"), no("grpc")]), (Some(2), Some("http: 503".into())));
    }

    #[test]
    fn a_probe_called_sync_is_counted_as_any_other() {
        let refuses = NodeVerdict { reachable: Some(false), detail: "refused".into(), ..NodeVerdict::default() };
        assert_eq!(failed_checks(&refuses.verdicts("sync")), (Some(1), Some("probes.sync: refused".into())));
        let syncs = NodeVerdict { reachable: Some(true), in_sync: Some(false), ..NodeVerdict::default() };
        assert_eq!(failed_checks(&syncs.verdicts("sync")), (Some(0), None));
        let mut http = Belief::new(Time::default());
        let once = Thresholds { failures: 1, successes: 1, start_grace: Span::ZERO };
        for (state, expected) in [
            (CheckState::Healthy, (Some(0), None, false)),
            (CheckState::Degraded, (Some(1), Some("probes.sync: slow".to_owned()), false)),
            (CheckState::Unhealthy, (Some(1), Some("probes.sync: slow".to_owned()), true)),
        ] {
            let look = CheckResult { state, reason: "slow".into(), ..CheckResult::default() };
            http.hear(look, &once, Time::default().after(Span::from_secs(1)));
            let verdict = http.verdict("sync");
            let (failed, first) = failed_checks(std::slice::from_ref(&verdict));
            assert_eq!((failed, first, verdict.holds_back()), expected, "{state:?}");
        }
    }

    #[test]
    fn who_runs_is_not_degraded_by_what_is_not_known_yet() {
        let (unit, policy) = (unit(ActiveState::Active), Policy::default());
        let blank = |rule, healthy| Verdict { unknown: true, unready: true, ..Verdict::new(rule, healthy, "".into()) };
        for (found, verdicts, expected) in [
            (true, vec![blank("http", true)], None),
            (true, vec![blank(RULE_SYNC, false), blank("rpc", true)], None),
            (true, vec![blank("http", true), Verdict::new("tcp", true, String::new())], None),
            (true, vec![blank("http", true), Verdict::new("tcp", false, String::new())], Some(Health::Degraded)),
            (true, vec![blank("http", false)], Some(Health::Degraded)), // as it was known last
            (false, vec![blank("http", true)], Some(Health::Unclear)),  // it has begun just now: its start grace
        ] {
            let sight = Sight { verdicts: &verdicts, found, ..sight(&unit, &policy) };
            assert_eq!(sight.health().0, expected, "{found} {verdicts:?}");
        }
    }

    #[test]
    fn a_check_that_does_not_know_is_no_success() {
        let unknown = |rule, healthy| Verdict { unknown: true, ..Verdict::new(rule, healthy, String::new()) };
        let yes = Verdict::new("tcp", true, String::new());
        let no = Verdict::new("http", false, "503".into());
        for healthy in [true, false] {
            assert_eq!(failed_checks(&[yes.clone(), unknown("dns", healthy)]), (None, None));
            assert_eq!(failed_checks(&[unknown("dns", healthy), no.clone()]), (Some(1), Some("http: 503".into())));
        }
        assert_eq!(failed_checks(&[yes, unknown(RULE_SYNC, false)]), (Some(0), None));
    }
}
