//! The registry of the fleet: what each host tells `wf.infra` that it supervises, and what can be asked of it.
//!
//! A host tells its slice in parts, because a signal has a limit (2 MB on the server, far less to be kind to it). A slice
//! has a generation, the hash of its content, so a part that is sent twice or late belongs somewhere or nowhere. No probe,
//! no secret and no policy is in it: the registry answers "who has what" and needs no more for it.

use crate::{CommandKind, HostName, ServiceName, Time, UnitName};
use serde::{Deserialize, Serialize};

/// The workflow type of the registry.
pub const INFRASTRUCTURE_WORKFLOW: &str = "InfrastructureWorkflow";
/// Its one id.
pub const INFRASTRUCTURE_ID: &str = "wf.infra";
/// The signal that carries a [`PlanPart`].
pub const SIGNAL_APPLY_PLAN: &str = "apply_plan";
/// The query that takes a [`PlanQuery`] and answers a [`FleetPlan`].
pub const QUERY_PLAN: &str = "plan";
/// The update that pauses every service; takes [`crate::command::CommandArgs`].
pub const UPDATE_PAUSE_ALL: &str = "pause_all";
/// The update that resumes every service; takes [`crate::command::CommandArgs`].
pub const UPDATE_RESUME_ALL: &str = "resume_all";
/// The update, and the signal, that takes a [`ForgetHost`].
pub const FORGET_HOST: &str = "forget_host";
/// `FanOutActivity(order)` → [`FannedOut`]: takes a [`FanOut`] and signals the command to each service.
pub const FAN_OUT: &str = "FanOutActivity";
/// `RetireServicesActivity(retire)` → null: takes a [`Retire`] and ends the watching of each.
pub const RETIRE_SERVICES: &str = "RetireServicesActivity";

/// Services in one part, and in one order to many services, at most.
pub const PART_SERVICES: usize = 500;
/// Parts of one slice, at most.
pub const PARTS: u32 = 40;
/// Cluster names in one part, at most.
pub const PART_CLUSTERS: usize = 100;
/// Services in one answer of the query `plan`, at most.
pub const PAGE: u32 = 1_000;

/// One service of a host, as far as the fleet needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedService {
    /// Its name, unique in the fleet.
    pub name: ServiceName,
    /// The id of its workflow, unique in the fleet; 1 to 255 bytes.
    pub workflow_id: String,
    /// Its unit.
    pub unit: UnitName,
    /// What kind of service, at most 64 bytes.
    #[serde(default = "crate::spec::default_kind")]
    pub kind: String,
    /// The chain it serves, or empty; at most 64 bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chain: String,
    /// What it waits for, at most 64 names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<ServiceName>,
}

impl PlannedService {
    /// What is too long about it; `None` if it can be taken.
    pub fn objection(&self) -> Option<String> {
        let long = |what: &str, max: usize| Some(format!("{}: its {what} has more than {max}", self.name));
        match self {
            _ if self.workflow_id.is_empty() => Some(format!("{} has no workflow id", self.name)),
            _ if self.workflow_id.len() > 255 => long("workflow id", 255),
            _ if self.kind.len() > 64 => long("kind", 64),
            _ if self.chain.len() > 64 => long("chain", 64),
            _ if self.after.len() > 64 => long("dependencies", 64),
            _ => None,
        }
    }
}

/// The argument of the signal `apply_plan`: a part of what a host supervises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanPart {
    /// Whose.
    pub host: HostName,
    /// The hash of the whole slice's content, 1 to 128 bytes.
    pub generation: String,
    /// Which part, from 0.
    #[serde(default)]
    pub part: u32,
    /// How many there are, 1 to [`PARTS`].
    #[serde(default = "one")]
    pub parts: u32,
    /// The services in it, at most [`PART_SERVICES`].
    #[serde(default)]
    pub services: Vec<PlannedService>,
    /// The names of clusters in it, at most [`PART_CLUSTERS`] of at most 200 bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
}

const fn one() -> u32 {
    1
}

impl PlanPart {
    /// What is wrong with it; `None` if it can be taken.
    pub fn objection(&self) -> Option<String> {
        let Self { part, parts, generation, .. } = self;
        match self.services.len() {
            _ if !(1..=PARTS).contains(parts) => Some(format!("a plan of {parts} parts; it has 1 to {PARTS}")),
            _ if part >= parts => Some(format!("part {part} of a plan of {parts} parts")),
            _ if !(1..=128).contains(&generation.len()) => Some("its generation is not 1 to 128 bytes long".to_owned()),
            count if count > PART_SERVICES => Some(format!("{count} services in one part; at most {PART_SERVICES}")),
            _ if self.clusters.len() > PART_CLUSTERS => Some(format!("more than {PART_CLUSTERS} clusters in one part")),
            _ if self.clusters.iter().any(|name| name.len() > 200) => Some("a cluster's name is too long".to_owned()),
            _ => self.services.iter().find_map(PlannedService::objection),
        }
    }
}

/// The argument of `forget_host`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetHost {
    /// The host that is gone for good. Should it still live, its next start brings it back.
    pub host: HostName,
}

/// The argument of [`FAN_OUT`]: one command for many services. The command's id for a service is `<id>`, so that it may be
/// sent twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanOut {
    /// The order that this is a part of.
    pub id: String,
    /// Which part of it, from 0.
    #[serde(default)]
    pub chunk: u32,
    /// Pause or resume.
    pub command: CommandKind,
    /// Who asks, for the record.
    #[serde(default)]
    pub by: String,
    /// Why, for the record.
    #[serde(default)]
    pub reason: String,
    /// The services' workflows, at most [`PART_SERVICES`].
    pub workflow_ids: Vec<String>,
}

/// The result of [`FAN_OUT`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FannedOut {
    /// How many took the command.
    #[serde(default)]
    pub done: u32,
    /// How many could not be reached.
    #[serde(default)]
    pub failed: u32,
}

/// The argument of [`RETIRE_SERVICES`]: a host's plan does not name these any more. The units stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retire {
    /// Whose they were. A service that reports from another host by now is not meant.
    pub host: HostName,
    /// Their workflows, at most [`PART_SERVICES`].
    pub workflow_ids: Vec<String>,
}

/// One host in a [`FleetStatus`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSlice {
    /// The host.
    pub host: HostName,
    /// The generation that is applied.
    pub generation: String,
    /// How many services it has; those that another host has do not count.
    pub services: u32,
    /// Since when this generation is applied.
    pub applied_at: Time,
}

/// Two hosts want one service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Conflict {
    /// The service.
    pub service: ServiceName,
    /// The host that has it, or has a service with its workflow id.
    pub held_by: HostName,
    /// The host that wants it too, and gets it when the other gives it up.
    pub claimed_by: HostName,
}

/// The whole fleet is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetPaused {
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Time,
}

/// Something that was refused or given up, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanNote {
    /// When.
    pub at: Time,
    /// What, and why.
    pub text: String,
}

/// The answer of the query `status` of `InfrastructureWorkflow`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetStatus {
    /// The hosts, by name.
    pub hosts: Vec<HostSlice>,
    /// How many services there are.
    pub services: u32,
    /// The first 1,000 conflicts, by service.
    pub conflicts: Vec<Conflict>,
    /// How many conflicts there are.
    #[serde(default)]
    pub conflicts_total: u32,
    /// By whom the fleet is paused.
    pub paused: Option<FleetPaused>,
    /// What was refused last, oldest first, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<PlanNote>,
}

/// The argument of the query `plan`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanQuery {
    /// This host's services only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// How many to leave out; [`FleetPlan::next`] of the page before.
    #[serde(default)]
    pub offset: u32,
    /// How many at most, 1 to [`PAGE`].
    #[serde(default = "page")]
    pub limit: u32,
}

const fn page() -> u32 {
    PAGE
}

impl Default for PlanQuery {
    fn default() -> Self {
        Self { host: None, offset: 0, limit: PAGE }
    }
}

/// A service and its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedOn {
    /// The host that has it.
    pub host: HostName,
    /// The service.
    #[serde(flatten)]
    pub service: PlannedService,
}

/// The answer of the query `plan`: a page of at most [`PAGE`] services and about 1 MB, by host and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetPlan {
    /// The services.
    pub services: Vec<PlannedOn>,
    /// How many there are on all pages.
    pub total: u32,
    /// The offset of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// The clusters, by name; on the first page, up to 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(json: &str) -> PlanPart {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_small_plan_is_one_part() {
        let service = r#"{"name":"api","workflow_id":"wf.svc.api","unit":"api.service","kind":"app"}"#;
        let part = part(&format!(r#"{{"host":"alpha","generation":"g","services":[{service}]}}"#));
        assert_eq!((part.part, part.parts, part.objection()), (0, 1, None));
        assert_eq!(serde_json::to_string(&part.services[0]).unwrap(), service);
    }

    #[test]
    fn what_is_too_much_is_refused_with_the_reason() {
        let good = part(r#"{"host":"alpha","generation":"g"}"#);
        assert!(PlanPart { parts: 0, ..good.clone() }.objection().is_some());
        assert!(PlanPart { parts: 41, ..good.clone() }.objection().is_some());
        assert!(PlanPart { part: 1, ..good.clone() }.objection().is_some());
        assert!(PlanPart { generation: String::new(), ..good.clone() }.objection().is_some());
        let service = PlannedService {
            name: ServiceName::new("api").unwrap(),
            workflow_id: "wf.svc.api".into(),
            unit: UnitName::new("api.service").unwrap(),
            kind: "x".repeat(65),
            chain: String::new(),
            after: vec![],
        };
        assert_eq!(
            PlanPart { services: vec![service], ..good.clone() }.objection().as_deref(),
            Some("api: its kind has more than 64")
        );
        assert!(PlanPart { clusters: vec!["x".repeat(201)], ..good }.objection().is_some());
    }

    #[test]
    fn the_query_needs_nothing() {
        assert_eq!(serde_json::from_str::<PlanQuery>("{}").unwrap(), PlanQuery::default());
    }
}
