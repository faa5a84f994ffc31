//! A service as its workflow knows it: who it is, where it runs, what its owner wants.

use crate::{HostName, Policy, ServiceName, UnitName};
use serde::{Deserialize, Serialize};

/// The version of the decisions in `decide`; a change that would move a running workflow differently raises it.
pub const LOGIC_VERSION: u32 = 1;

/// A supervised service. Holds no probe, no URL, no secret: those stay on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Its name in the plan.
    pub name: ServiceName,
    /// Its unit on the host.
    pub unit: UnitName,
    /// The host it runs on; absent until its dixmgr has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// What it is: `relay`, `parachain`, `sidecar`, `nginx`, `app`, `service` (metrics label `type`).
    #[serde(default = "default_kind")]
    pub kind: String,
    /// The chain it serves, or empty (metrics label `chain`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chain: String,
    /// What has to be ready before it is started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Dependency>,
    /// How it is treated.
    #[serde(default)]
    pub policy: Policy,
}

/// A service that another one depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// Its name.
    pub name: ServiceName,
    /// Its workflow, which is asked if it runs elsewhere.
    pub workflow_id: String,
    /// It runs on another host: what is known of it comes from its workflow, not with the observation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remote: bool,
}

/// The kind of a service that names none.
pub fn default_kind() -> String {
    "service".to_owned()
}

impl ServiceSpec {
    /// A service with nothing set but its name and unit.
    pub fn new(name: ServiceName, unit: UnitName) -> Self {
        Self {
            name,
            unit,
            host: None,
            kind: default_kind(),
            chain: String::new(),
            after: Vec::new(),
            policy: Policy::default(),
        }
    }
}
