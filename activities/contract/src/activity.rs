//! Activity types: names, arguments and answers, as the Go version had them.
//!
//! Positional arguments, Go's field names: a workflow in any language calls these by name. The one argument that is new,
//! [`Guard`], is an optional last one; with it an action is refused when the world has moved on since it was decided.

use crate::{ServiceName, Span, Time, UnitState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `CheckSystemdServiceActivity(unit)` → [`SystemdServiceStatus`].
pub const CHECK_SYSTEMD_SERVICE: &str = "CheckSystemdServiceActivity";
/// `StartSystemdServiceActivity(unit[, guard])` → null.
pub const START_SYSTEMD_SERVICE: &str = "StartSystemdServiceActivity";
/// `StopSystemdServiceActivity(unit[, guard])` → null.
pub const STOP_SYSTEMD_SERVICE: &str = "StopSystemdServiceActivity";
/// `RestartSystemdServiceActivity(unit[, guard])` → null.
pub const RESTART_SYSTEMD_SERVICE: &str = "RestartSystemdServiceActivity";
/// `CheckNodeSyncActivity(endpoint, port)` → bool: a blockchain node of this host is in sync. An empty endpoint is
/// `http://localhost:<port>`.
pub const CHECK_NODE_SYNC: &str = "CheckNodeSyncActivity";
/// `CheckResourceUsageActivity(unit)` → [`ResourceUsage`]: what all processes of the unit use, over a tenth of a second.
pub const CHECK_RESOURCE_USAGE: &str = "CheckResourceUsageActivity";
/// `SubscribeActivity(subscription)` → null: subscribes a workflow to the readiness of a service. Any host does it.
pub const SUBSCRIBE: &str = "SubscribeActivity";
/// `ReportClusterActivity(report)` → null: any host writes down what happened to a cluster.
pub const REPORT_CLUSTER: &str = "ReportClusterActivity";
/// `ReportServiceActivity(report)` → null: the host writes down, once, what its people should know.
pub const REPORT_SERVICE: &str = "ReportServiceActivity";

/// Every activity type that a host's own queue serves.
pub const HOST_ACTIVITIES: [&str; 7] = [
    CHECK_SYSTEMD_SERVICE,
    START_SYSTEMD_SERVICE,
    STOP_SYSTEMD_SERVICE,
    RESTART_SYSTEMD_SERVICE,
    REPORT_SERVICE,
    CHECK_NODE_SYNC,
    CHECK_RESOURCE_USAGE,
];

/// The argument of [`SUBSCRIBE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The workflow of the service.
    pub to: String,
    /// The workflow that wants to hear of it.
    pub subscriber: String,
}

/// What to do to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Start it; a failed state is reset first.
    Start,
    /// Stop it.
    Stop,
    /// Stop it if it runs, then start it.
    Restart,
}

impl Verb {
    /// The activity that does it.
    pub const fn activity(self) -> &'static str {
        match self {
            Self::Start => START_SYSTEMD_SERVICE,
            Self::Stop => STOP_SYSTEMD_SERVICE,
            Self::Restart => RESTART_SYSTEMD_SERVICE,
        }
    }

    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an action was decided on. The host compares it with what is true just before it acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The service, for the records.
    pub service: ServiceName,
    /// Grows with each decision; a lower one than the host has seen is stale.
    pub generation: u64,
    /// The unit's `InvocationID` when it was decided; absent if it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<String>,
    /// True if this restarts a service that failed (metric `service_restarts_total`).
    #[serde(default)]
    pub restarts_failure: bool,
    /// How long systemd may take, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// Why, for the records.
    #[serde(default)]
    pub reason: String,
    /// How long each dependency that was not ready was waited for (metric `dependency_wait_time_seconds`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waited: BTreeMap<ServiceName, Span>,
}

const fn default_timeout_ms() -> u64 {
    120_000
}

/// The answer of [`CHECK_SYSTEMD_SERVICE`], with Go's field names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SystemdServiceStatus {
    /// `ActiveState` is `active`.
    pub is_active: bool,
    /// systemd's word.
    pub active_state: String,
    /// systemd's word.
    pub sub_state: String,
    /// systemd's word.
    pub load_state: String,
}

impl From<&UnitState> for SystemdServiceStatus {
    fn from(unit: &UnitState) -> Self {
        Self {
            is_active: unit.active == crate::ActiveState::Active,
            active_state: unit.active.to_string(),
            sub_state: unit.sub.clone(),
            load_state: unit.load.to_string(),
        }
    }
}

/// The answer of [`CHECK_RESOURCE_USAGE`], with Go's field names. A figure that the host cannot tell (the unit does not
/// run, the kernel denies it) is left out, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourceUsage {
    /// 100 is one core, so several cores give more.
    #[serde(default, rename = "CPUPercent", skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Resident memory in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes per second read from disks. Whole, so that an integer in any language takes it.
    #[serde(default, rename = "DiskReadBPS", skip_serializing_if = "Option::is_none")]
    pub disk_read_bps: Option<u64>,
    /// Bytes per second written to disks.
    #[serde(default, rename = "DiskWriteBPS", skip_serializing_if = "Option::is_none")]
    pub disk_write_bps: Option<u64>,
    /// When it was measured.
    pub timestamp: Time,
}

/// What a service's people should hear of once. More kinds come with time; an unknown one is shown as its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// The restart budget is spent.
    Exhausted,
    /// It came back, or the window allows restarts again, after the budget was spent.
    Recovered,
    /// It ended with an exit code after which it must not be restarted.
    Prevented,
    /// The host refused to act.
    Refused,
    /// Dependencies were not ready in time.
    DependencyTimeout,
}

/// The argument of [`REPORT_SERVICE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The service.
    pub service: ServiceName,
    /// What happened.
    pub kind: ReportKind,
    /// It in a sentence.
    pub text: String,
    /// The dependencies that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<ServiceName>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ActiveState, LoadState};

    #[test]
    fn the_answer_has_gos_field_names() {
        let mut unit = UnitState::new(LoadState::Loaded, ActiveState::Active);
        unit.sub = "running".into();
        assert_eq!(
            serde_json::to_value(SystemdServiceStatus::from(&unit)).unwrap(),
            serde_json::json!({"IsActive": true, "ActiveState": "active", "SubState": "running", "LoadState": "loaded"})
        );
    }
    #[test]
    fn usage_has_gos_field_names_and_leaves_out_what_is_not_known() {
        let mut usage = ResourceUsage {
            cpu_percent: Some(150.5),
            memory_bytes: Some(1024),
            disk_read_bps: Some(0),
            disk_write_bps: Some(7),
            timestamp: Time::from_unix_millis(1_700_000_000_123),
        };
        let stamp = "2023-11-14T22:13:20.123Z";
        assert_eq!(
            serde_json::to_value(usage).unwrap(),
            serde_json::json!({"CPUPercent": 150.5, "MemoryBytes": 1024, "DiskReadBPS": 0, "DiskWriteBPS": 7, "Timestamp": stamp})
        );
        (usage.cpu_percent, usage.memory_bytes, usage.disk_read_bps, usage.disk_write_bps) = (None, None, None, None);
        let text = serde_json::to_string(&usage).unwrap();
        assert_eq!(text, format!("{{\"Timestamp\":\"{stamp}\"}}"));
        assert_eq!(serde_json::from_str::<ResourceUsage>(&text).unwrap(), usage);
    }
}
