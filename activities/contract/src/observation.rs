//! What a host tells a service's workflow: the whole present state, never a change.
//!
//! Because each observation is complete, losing one, sending it twice or out of order harms nothing: a higher revision
//! replaces what was known, a lower one is ignored.

use crate::{Alert, Cause, ServiceName, ServiceSpec, UnitState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The rule of a [`Verdict`] that says whether a node is in sync: until it is, it runs and is not ready.
pub const RULE_SYNC: &str = "sync";

/// The opinion of one rule or probe about a service that systemd says is up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The rule or probe.
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
    /// Dependencies on the same host that are not ready. Of a service that runs and does not mind their loss: none.
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
    fn a_verdict_of_an_earlier_version_is_one_that_knows() {
        let old: Verdict = serde_json::from_str(r#"{"rule":"http","healthy":true}"#).unwrap();
        assert!(!old.unknown);
        assert!(!serde_json::to_string(&old).unwrap().contains("unknown"));
    }
}
