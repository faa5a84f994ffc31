//! What of a unit's state matters to its workflow.
//!
//! Two states with the same sketch are the same news, and news is told once. Left out is what changes while nothing
//! happens: job numbers, the halves of a change that is still under way.

use dixmgr_contract::{ActiveState, Exit, LoadState, UnitState};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// A state on the way to another one is told only if it lasts this long.
pub(super) const HOLD: Duration = Duration::from_millis(250);
/// What falls with another one is told only if that is not mended within this: a thousand workflows need not hear of it then.
pub(super) const LINGER: Duration = Duration::from_secs(1);
/// So long is waited for the probes of what ran before dixmgr did: that nobody has looked yet is not to be told as news.
pub(super) const ASKING: Duration = Duration::from_secs(10);

/// A fingerprint of everything that matters. Kept on disk: should the hash function change with a new compiler, all
/// services are told once more, which harms nothing.
pub(super) type Digest = u64;

/// The fingerprint of a unit's state, and of what stands around it.
pub(super) fn digest(unit: &UnitState, context: impl Hash) -> Digest {
    let up = unit.is_up();
    let at_rest = matches!(unit.active, ActiveState::Inactive | ActiveState::Failed);
    let load = (!up).then_some(unit.load.as_str());
    let ending: Option<(&str, Option<Exit>, bool)> = at_rest.then_some((&unit.result, unit.exit, unit.stopped_by_job));
    let mut hasher = DefaultHasher::new();
    (load, if up { "up" } else { unit.active.as_str() }, &unit.invocation, unit.restarts).hash(&mut hasher);
    (ending.map(|(result, exit, by_job)| (result.to_owned(), exit.map(|exit| exit.to_string()), by_job)))
        .hash(&mut hasher);
    (!up && unit.is_held(), context).hash(&mut hasher);
    hasher.finish()
}

/// The fingerprint of anything that can be written down.
pub(super) fn digest_of(text: &str) -> Digest {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// True while the state is on its way to another one.
pub(super) fn is_passing(unit: &UnitState) -> bool {
    matches!(unit.active, ActiveState::Activating | ActiveState::Deactivating) || (!unit.is_up() && unit.job.is_some())
}

/// True if there is no such unit on this host.
pub(super) fn is_absent(unit: &UnitState) -> bool {
    !unit.is_up() && unit.load == LoadState::NotFound
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_contract::{ExitCode, Job};

    fn unit(active: ActiveState) -> UnitState {
        UnitState { invocation: Some("a".into()), ..UnitState::new(LoadState::Loaded, active) }
    }

    #[test]
    fn what_changes_while_nothing_happens_is_no_news() {
        let calm = unit(ActiveState::Active);
        let reloading =
            UnitState { active: ActiveState::Reloading, job: Some(Job { id: 3, ours: false }), ..calm.clone() };
        let half_way = UnitState { result: "signal".into(), ..calm.clone() };
        assert_eq!(digest(&calm, 1), digest(&reloading, 1));
        assert_eq!(digest(&calm, 1), digest(&half_way, 1));
    }

    #[test]
    fn another_run_another_ending_another_configuration_is_news() {
        let dead = unit(ActiveState::Failed);
        let signalled = UnitState { exit: Some(Exit { code: ExitCode::Killed, status: 9 }), ..dead.clone() };
        let other_run = UnitState { invocation: Some("b".into()), ..dead.clone() };
        let held = UnitState { job: Some(Job { id: 3, ours: false }), ..dead.clone() };
        let all = [&dead, &signalled, &other_run, &held].map(|unit| digest(unit, 1));
        let distinct: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(distinct.len(), 4);
        assert_ne!(digest(&dead, 1), digest(&dead, 2));
    }
}
