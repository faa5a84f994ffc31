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
    /// How it is treated.
    #[serde(default)]
    pub policy: Policy,
}

/// The kind of a service that names none.
pub fn default_kind() -> String {
    "service".to_owned()
}

impl ServiceSpec {
    /// A service with nothing set but its name and unit.
    pub fn new(name: ServiceName, unit: UnitName) -> Self {
        Self { name, unit, host: None, kind: default_kind(), chain: String::new(), policy: Policy::default() }
    }
}
