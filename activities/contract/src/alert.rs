//! What a rule has found wrong: the alerts of a service or a host, whole and never as a change.
//!
//! The host evaluates its rules and sends what fires at present with each observation; the service's workflow passes it on
//! to the incident of each type. Losing, repeating or reordering harms nothing, as with observations.
//!
//! Rejected: "has begun" and "has ended" as two messages. One that is lost leaves an alert that never ends.

use crate::{HostName, Maintenance, MaintenanceWindow, ServiceName, Severity, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// It is not running though it should.
pub const SERVICE_DOWN: &str = "service_down";
/// It runs, and not as it should.
pub const SERVICE_DEGRADED: &str = "service_degraded";
/// It uses too much of the processor.
pub const HIGH_CPU: &str = "high_cpu";
/// It uses too much memory.
pub const HIGH_MEMORY: &str = "high_memory";
/// It reads and writes too much.
pub const HIGH_DISK_IO: &str = "high_disk_io";
/// It is restarted again and again.
pub const RESTART_LOOP: &str = "restart_loop";
/// A node does not follow its chain.
pub const SYNC_STALLED: &str = "sync_stalled";
/// A node has too few peers.
pub const LOW_PEER_COUNT: &str = "low_peer_count";
/// It waited for a dependency in vain.
pub const DEPENDENCY_TIMEOUT: &str = "dependency_timeout";
/// A health check says no.
pub const HEALTH_CHECK_FAILED: &str = "health_check_failed";
/// Somebody has paused it, and it was forgotten.
pub const SERVICE_PAUSED: &str = "service_paused";
/// Nobody runs dixmgr on a host any more.
pub const HOST_LOST: &str = "host_lost";

/// What happens on a host cannot be written down.
pub const HISTORY_DEGRADED: &str = "history_degraded";

/// The types of alerts that there are without rules of one's own.
pub const TYPES: [&str; 13] = [
    SERVICE_DOWN,
    SERVICE_DEGRADED,
    HIGH_CPU,
    HIGH_MEMORY,
    HIGH_DISK_IO,
    RESTART_LOOP,
    SYNC_STALLED,
    LOW_PEER_COUNT,
    DEPENDENCY_TIMEOUT,
    HEALTH_CHECK_FAILED,
    SERVICE_PAUSED,
    HOST_LOST,
    HISTORY_DEGRADED,
];

/// The most characters of [`Alert::detail`].
pub const MAX_DETAIL: usize = 300;
/// The most labels of an alert.
pub const MAX_LABELS: usize = 32;

/// A rule that fires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The rule's name, such as `HighCPUUsage`.
    pub rule: String,
    /// Its type, such as `high_cpu`: rules of one type are one incident.
    #[serde(rename = "type")]
    pub alert: String,
    /// How bad it is.
    pub severity: Severity,
    /// For how long it has been firing, in milliseconds, when this was sent.
    #[serde(default)]
    pub age_ms: u64,
    /// For how long it has been over, in milliseconds, when this was sent; absent: it fires. So is told what came and went while
    /// nobody could be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// What is wrong, in a line; at most [`MAX_DETAIL`] characters.
    #[serde(default)]
    pub detail: String,
    /// The labels of the rule; at most [`MAX_LABELS`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// How a member of an incident stands (signal `member`): all of its alerts of the incident's type. None: it is well again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberReport {
    /// The service; absent where the host itself, or a chain, is the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// The kind of service, such as `relay`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its chain, or the chain that is the member.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chain: String,
    /// Grows with everything that is said of this member; an older one is ignored. 0 is always believed.
    #[serde(default)]
    pub revision: u64,
    /// What fires.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
    /// The fingerprint of the incident that this is a consequence of, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Who has paused the service, if somebody has: then nobody is told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<String>,
}

impl MemberReport {
    /// The member's name in its incident: of the service, else of the host, else of the chain.
    pub fn member(&self) -> String {
        match (&self.service, &self.host) {
            (Some(service), _) => service.to_string(),
            (None, Some(host)) => format!("host {host}"),
            (None, None) if !self.chain.is_empty() => format!("chain {}", self.chain),
            (None, None) => "the fleet".to_owned(),
        }
    }
}

/// Somebody does not want to be told of something for a time, or whenever it is that time again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its name.
    pub id: String,
    /// Alerts whose labels fit all of these: `type`, `rule`, `service`, `host`, `kind`, `chain`, and the rule's own.
    #[serde(default)]
    pub matchers: Vec<crate::glob::Matcher>,
    /// Who.
    #[serde(default)]
    pub by: String,
    /// Why.
    #[serde(default)]
    pub comment: String,
    /// When it ends; absent: when what it silences is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Of what this window covers, while it is open; then `id` is its name and there are no matchers, by which a dixmgr that
    /// does not know this field takes it for nothing at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<MaintenanceWindow>,
}

impl From<&Maintenance> for Silence {
    /// A window of the fleet, as incidents are told of it.
    fn from(set: &Maintenance) -> Self {
        Self {
            id: set.name.clone(),
            matchers: Vec::new(),
            by: set.by.clone(),
            comment: set.comment.clone(),
            until: None,
            window: Some(set.window()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_left_out_and_read_back() {
        let report = MemberReport { service: ServiceName::new("api").ok(), ..MemberReport::default() };
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(text, r#"{"service":"api","revision":0}"#);
        assert_eq!(serde_json::from_str::<MemberReport>(&text).unwrap(), report);
    }
}
