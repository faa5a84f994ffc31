//! What a service's owner wants done: the part of the configuration that decisions depend on.
//!
//! It travels with every observation, so a workflow follows a changed configuration at once, and defaults are those of
//! the configuration file: a workflow started by hand from `{"name","unit"}` behaves like a service with no keys set.

use crate::Span;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What to do when somebody stops the unit through systemd (`systemctl stop`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnOperatorStop {
    /// Leave it alone until somebody starts it again.
    #[default]
    Respect,
    /// Treat it as a failure.
    Restart,
}

/// What counts as a failure that a restart may mend. A word of a later version is no reason to refuse an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RestartOn {
    /// The unit ended.
    Exit,
    /// A probe says that it is unhealthy.
    Probe,
    /// Another word; it means nothing here.
    #[serde(other)]
    Other,
}

fn exit_alone() -> BTreeSet<RestartOn> {
    BTreeSet::from([RestartOn::Exit])
}

fn is_exit_alone(on: &BTreeSet<RestartOn>) -> bool {
    *on == exit_alone()
}

/// How often and how fast a failed service is restarted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestartPolicy {
    /// Restarts within `window`, 0 to 1000; 0 means never.
    pub max: u32,
    /// The sliding window that `max` counts in.
    pub window: Span,
    /// The first wait. The first restart is immediate; the waits grow from here, with jitter.
    pub backoff: Span,
    /// No wait is longer.
    pub backoff_max: Span,
    /// Healthy for this long: the count and the waits start again.
    pub reset_after: Span,
    /// Never restart after the main process ended with one of these exit codes, 0 to 255.
    pub prevent_exit_codes: BTreeSet<i32>,
    /// A `systemctl stop` is left alone, or fought.
    pub on_operator_stop: OnOperatorStop,
    /// Wait this long before acting on a failure.
    pub settle: Span,
    /// What counts as a failure; the unit's end alone is not written.
    #[serde(skip_serializing_if = "is_exit_alone")]
    pub restart_on: BTreeSet<RestartOn>,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            max: 5,
            window: Span::from_secs(600),
            backoff: Span::from_secs(1),
            backoff_max: Span::from_secs(300),
            reset_after: Span::from_secs(600),
            prevent_exit_codes: BTreeSet::new(),
            on_operator_stop: OnOperatorStop::Respect,
            settle: Span::ZERO,
            restart_on: exit_alone(),
        }
    }
}

/// How many dependencies must be ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DependencyMode {
    /// Every one.
    #[default]
    All,
    /// At least one.
    Any,
}

impl DependencyMode {
    /// True if `missing` of `all` dependencies keep it from being satisfied.
    pub const fn is_blocked(self, missing: usize, all: usize) -> bool {
        match self {
            Self::All => missing > 0,
            Self::Any => missing > 0 && missing >= all,
        }
    }
}

/// What happens when dependencies are not ready in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnTimeout {
    /// Stays down, alerts, waits on.
    #[default]
    Fail,
    /// Starts anyway, alerts.
    Proceed,
}

/// What happens to a running service when a dependency is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDependencyLoss {
    /// Nothing.
    #[default]
    Ignore,
    /// It is stopped, and started again when the dependency is back.
    Stop,
    /// It is restarted once the dependency is back, in another run than the one that it was started on.
    Restart,
}

/// How a service waits for its dependencies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DependencyPolicy {
    /// All of them or one of them.
    pub mode: DependencyMode,
    /// How long it waits before `on_timeout`.
    pub timeout: Span,
    /// What then.
    pub on_timeout: OnTimeout,
}

impl Default for DependencyPolicy {
    fn default() -> Self {
        Self { mode: DependencyMode::All, timeout: Span::from_secs(24 * 3600), on_timeout: OnTimeout::Fail }
    }
}

/// Everything that decides how a service is treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Bring it up at start if it is inactive.
    pub start: bool,
    /// How it is restarted.
    pub restart: RestartPolicy,
    /// How long systemd may take for one job before it counts as failed.
    pub operation_timeout: Span,
    /// How it waits for its dependencies.
    pub dependency: DependencyPolicy,
    /// What becomes of it when one is lost while it runs.
    pub on_dependency_loss: OnDependencyLoss,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            start: true,
            restart: RestartPolicy::default(),
            operation_timeout: Span::from_secs(120),
            dependency: DependencyPolicy::default(),
            on_dependency_loss: OnDependencyLoss::Ignore,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_after_the_units_end_alone_is_not_written() {
        let text = serde_json::to_string(&RestartPolicy::default()).unwrap();
        assert!(!text.contains("restart_on"), "{text}");
        assert_eq!(serde_json::from_str::<RestartPolicy>(&text).unwrap(), RestartPolicy::default());
        let restart_on = BTreeSet::from([RestartOn::Exit, RestartOn::Probe]);
        let policy = RestartPolicy { restart_on, ..RestartPolicy::default() };
        let text = serde_json::to_string(&policy).unwrap();
        assert!(text.contains(r#""restart_on":["exit","probe"]"#), "{text}");
        assert_eq!(serde_json::from_str::<RestartPolicy>(&text).unwrap(), policy);
    }

    #[test]
    fn a_word_of_a_later_version_is_read() {
        let policy: RestartPolicy = serde_json::from_str(r#"{"restart_on":["exit","moon"]}"#).unwrap();
        assert_eq!(policy.restart_on, BTreeSet::from([RestartOn::Exit, RestartOn::Other]));
    }
}
