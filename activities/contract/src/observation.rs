//! What a host tells a service's workflow: the whole present state, never a change.
//!
//! Because each observation is complete, losing one, sending it twice or out of order harms nothing: a higher revision
//! replaces what was known, a lower one is ignored.

use crate::{Alert, Cause, ServiceName, ServiceSpec, UnitState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The rule of a [`Verdict`] that says whether a node is in sync: until it is, it runs and is not ready. No probe is told under
/// this name, not even one that is called so: see [`Verdict::of_probe`].
pub const RULE_SYNC: &str = "sync";

/// So many alerts that have passed are told of a service.
pub const MAX_PASSED: usize = 8;

/// What is put before a probe's name where it could be taken for another's, as in the path of its key in the configuration.
const PROBES: &str = "probes.";

/// The opinion of one rule or probe about a service that systemd says is up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The rule, or the probe under a name that is no rule's ([`Verdict::of_probe`]).
    pub rule: String,
    /// Whether it is content.
    pub healthy: bool,
    /// What it saw, for people.
    #[serde(default)]
    pub detail: String,
    /// Those that depend on the service have to wait because of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unready: bool,
    /// It is a failure of the service, where its owner says so (`restart_on`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// Nothing is known now: it is content for want of knowledge, or as it was when something was known last in this run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
}

impl Verdict {
    /// The opinion of a rule, and nothing more.
    pub fn new(rule: &str, healthy: bool, detail: String) -> Self {
        Self { rule: rule.to_owned(), healthy, detail, unready: false, failed: false, unknown: false }
    }

    /// The opinion of the probe of that name in the configuration, under a name that is no other's: that of a probe called `sync` is
    /// told as `probes.sync`.
    ///
    /// Rejected: another name for the rule. Two versions of dixmgr work on one workflow, and what one has decided the other replays,
    /// so both have to read the same in one observation. Whatever says `sync` is that rule for each of them, for ever. A version that
    /// told probes under it cannot be told apart from it, and is read as it reads itself: one waits for a service that may be ready,
    /// but never relies on a node that is not in sync.
    pub fn of_probe(name: &str, healthy: bool, detail: String) -> Self {
        if name == RULE_SYNC || name.starts_with(PROBES) {
            Self::new(&format!("{PROBES}{name}"), healthy, detail)
        } else {
            Self::new(name, healthy, detail)
        }
    }

    /// True if those that depend on the service have to wait because of it.
    pub fn holds_back(&self) -> bool {
        self.unready || (self.rule == RULE_SYNC && !self.healthy)
    }

    /// True if nothing was known of this run yet: neither that it is well nor that it is not.
    pub fn is_blank(&self) -> bool {
        self.unknown && self.holds_back() && (self.healthy || self.rule == RULE_SYNC)
    }

    /// What is not known is as it was when it was known last, `before` in the same run; but on that alone nothing is done.
    pub fn remember(&mut self, before: &[Self]) {
        let last = before.iter().find(|verdict| self.unknown && verdict.rule == self.rule);
        if let Some(last) = last {
            *self = Self { failed: false, unknown: true, ..last.clone() };
        }
    }
}

/// An alert that began and ended while nobody could be told of it.
///
/// It is sent until an observation with it is accepted, which may be later than it is heard: an answer that is lost costs nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Names it, and grows from one of the service to the next. What was heard is not told again.
    pub number: u64,
    /// It, as it was when it began, with [`Alert::ended_ms`].
    pub alert: Alert,
}

/// One look at a service, as its host's agent sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The service as the host's configuration has it now.
    pub spec: ServiceSpec,
    /// Grows with everything the host sends about this service, across restarts of dixmgr.
    pub revision: u64,
    /// One start of dixmgr on that host; whatever was asked of an earlier one is lost with it.
    pub epoch: String,
    /// The kernel's boot id: after a reboot, a stop of before means nothing.
    #[serde(default)]
    pub boot: String,
    /// How long ago the state began, in milliseconds, when this was sent.
    #[serde(default)]
    pub age_ms: u64,
    /// How long its host has held it back, in milliseconds, at most 1000: what falls with its cause may be mended with it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held_ms: u64,
    /// What systemd says.
    pub unit: UnitState,
    /// Dependencies on the same host that are not ready. Of a service that runs, works and does not mind
    /// their loss: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<ServiceName>,
    /// The runs (`InvocationID`) of those that are ready, of a service that is restarted after their loss.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<ServiceName, String>,
    /// What rules and probes say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
    /// The rules that fire. Absent: nobody evaluates rules there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Vec<Alert>>,
    /// What began and ended while Temporal was away, and was told to nobody; at most [`MAX_PASSED`], the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<Passed>,
    /// What fires for the dependencies on the same host that are in trouble themselves, where a rule fires here: what is wrong
    /// here is told as their consequence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// The highest generation that the host has acted on for this service.
    #[serde(default)]
    pub generation: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_as_it_was_known_last() {
        let failed = Verdict { unready: true, failed: true, ..Verdict::new("http", false, "503".into()) };
        let blank = Verdict { unready: true, unknown: true, ..Verdict::new("http", true, "not asked".into()) };
        let after = |mut now: Verdict, before: &[Verdict]| {
            now.remember(before);
            now
        };
        assert_eq!(after(blank.clone(), &[]), blank);
        assert_eq!(after(failed.clone(), std::slice::from_ref(&blank)), failed, "what is known needs no memory");
        let kept = Verdict { failed: false, unknown: true, ..failed.clone() };
        assert_eq!(after(blank.clone(), std::slice::from_ref(&failed)), kept);
        assert_eq!(after(blank.clone(), std::slice::from_ref(&kept)), kept, "for however long");
        let other = Verdict { rule: "tcp".into(), ..failed };
        assert_eq!(after(blank.clone(), &[other]), blank);
        assert!(blank.is_blank() && !kept.is_blank());
    }

    #[test]
    fn a_probe_of_the_name_of_a_rule_is_told_and_remembered_as_itself() {
        let slow = Verdict::of_probe("sync", false, "slow".into());
        assert_eq!(slow.rule, "probes.sync");
        assert!(!slow.holds_back(), "what is slow holds nobody back");
        assert!(Verdict { unready: true, ..slow.clone() }.holds_back(), "unless it is to");
        let syncs = Verdict::new(RULE_SYNC, false, "is syncing".into());
        let before = [syncs.clone(), slow.clone()];
        let after = |verdict: Verdict| {
            let mut now = Verdict { unknown: true, ..verdict };
            now.remember(&before);
            now
        };
        assert_eq!(after(Verdict::of_probe("sync", true, String::new())), Verdict { unknown: true, ..slow });
        assert_eq!(after(Verdict::new(RULE_SYNC, false, String::new())), Verdict { unknown: true, ..syncs });
    }

    #[test]
    fn no_two_probes_are_told_under_one_name() {
        let names = ["sync", "probes.sync", "probes.probes.sync", "probes.rpc", "rpc", "probes", "Sync", ""];
        let told: std::collections::BTreeSet<_> =
            names.iter().map(|name| Verdict::of_probe(name, true, String::new()).rule).collect();
        assert_eq!(told.len(), names.len(), "{told:?}");
        assert!(told.contains("rpc") && !told.contains(RULE_SYNC), "{told:?}");
    }

    /// A version that told a probe called `sync` under that very name has decided so, and what it has decided is replayed.
    #[test]
    fn what_says_sync_is_read_as_each_version_has_read_it() {
        for told in [r#"{"rule":"sync","healthy":false}"#, r#"{"rule":"sync","healthy":false,"failed":true}"#] {
            assert!(serde_json::from_str::<Verdict>(told).unwrap().holds_back());
        }
        assert!(!serde_json::from_str::<Verdict>(r#"{"rule":"sync","healthy":true}"#).unwrap().holds_back());
    }

    #[test]
    fn what_has_passed_is_left_out_where_nothing_has_and_read_back() {
        let old = r#"{"spec":{"name":"api","unit":"api.service"},"revision":1,"epoch":"e","unit":{"load":"loaded","active":"active"}}"#;
        let mut observation: Observation = serde_json::from_str(old).unwrap();
        assert!(observation.passed.is_empty());
        assert!(!serde_json::to_string(&observation).unwrap().contains("passed"));
        let told =
            r#"{"number":7,"alert":{"rule":"R","type":"service_down","severity":"critical","age_ms":9,"ended_ms":3}}"#;
        observation.passed.push(serde_json::from_str(told).unwrap());
        let text = serde_json::to_string(&observation).unwrap();
        assert_eq!(serde_json::from_str::<Observation>(&text).unwrap(), observation);
        assert_eq!(observation.passed[0].alert.ended_ms, Some(3));
    }

    #[test]
    fn a_verdict_of_an_earlier_version_is_one_that_knows() {
        let old: Verdict = serde_json::from_str(r#"{"rule":"http","healthy":true}"#).unwrap();
        assert!(!old.unknown);
        assert!(!serde_json::to_string(&old).unwrap().contains("unknown"));
    }
}
