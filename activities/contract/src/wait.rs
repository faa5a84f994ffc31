//! A wait for dependencies: the input and the result of `DependencyWaitWorkflow`.
//!
//! One line of JSON starts one by hand: `{"service":"api","dependencies":["db"]}`.

use crate::{DependencyMode, OnTimeout, ServiceName, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitSpec {
    /// Who waits.
    pub service: ServiceName,
    /// For whom: 1 to 1000.
    pub dependencies: Vec<ServiceName>,
    /// All of them or one of them.
    #[serde(default)]
    pub mode: DependencyMode,
    /// How long.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// What the service does then; the wait itself ends either way.
    #[serde(default)]
    pub on_timeout: OnTimeout,
    /// The dependencies' workflows, where they are not `wf.svc.<name>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub workflow_ids: BTreeMap<ServiceName, String>,
    /// The service's workflow, which is told by the signal `waited` if the time runs out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<String>,
    /// Those that are not ready, where the service's workflow knows and tells of each change by the signal `missing`. Absent: the
    /// wait asks the dependencies by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<ServiceName>>,
}

fn default_timeout() -> Span {
    Span::from_secs(24 * 3600)
}

/// What came of a wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitResult {
    /// The dependencies are ready.
    pub satisfied: bool,
    /// How long it took, in whole seconds.
    pub waited_seconds: u64,
    /// Those that are not ready; with mode `any` there may be some although it is satisfied.
    pub missing: Vec<ServiceName>,
}
