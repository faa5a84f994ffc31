//! Everything that crosses a wire: names, ids, observations, commands, failures.
//!
//! Workflows (any language, any version of dixmgr), hosts and the files on their disks exchange exactly these types, so
//! this crate is the one place to look for a field's name, and the one to change with care: what Temporal stored last
//! year is read back through it. It is pure: no clock, no network, no randomness. New fields are optional and carry
//! `#[serde(default)]`; recorded histories in `tests/histories` prove that old ones still read.
//!
//! Rejected: sharing the machine's internal types on the wire. The machine must be free to change; this must not.

pub mod activity;
pub mod alert;
pub mod alerting;
pub mod cause;
pub mod check;
pub mod cluster;
pub mod command;
pub mod failure;
pub mod glob;
pub mod group;
pub mod host;
pub mod id;
pub mod incident;
pub mod maintenance;
pub mod name;
pub mod node;
pub mod note;
pub mod observation;
pub mod plan;
pub mod policy;
pub mod readiness;
pub mod span;
pub mod spec;
pub mod status;
pub mod telling;
pub mod time;
pub mod unit;
pub mod wait;

pub use activity::{Guard, Verb};
pub use alert::{Alert, MemberReport, Silence};
pub use alerting::{AlertPolicy, EscalationStep, RateLimit, Route};
pub use cause::Cause;
pub use check::{CheckResult, CheckState};
pub use cluster::{ClusterMode, ClusterSpec, ClusterStatus};
pub use command::{Command, CommandKind};
pub use failure::FailureKind;
pub use glob::Matcher;
pub use group::{Group, GroupBy};
pub use incident::{IncidentPhase, IncidentRecord, IncidentSpec, IncidentStatus};
pub use maintenance::{Maintenance, MaintenanceWindow, RemoveMaintenance, TimeOfDay, Weekday};
pub use name::{HostName, NameError, ServiceName, UnitName};
pub use node::{Motion, NodeProblem, NodeSighting, NodeStanding, Protocol};
pub use note::{Delivery, Identity, Note, NoteKind, NoteMember, Severity};
pub use observation::{Observation, Passed, Verdict};
pub use policy::{
    DependencyMode, DependencyPolicy, OnDependencyLoss, OnOperatorStop, OnTimeout, Policy, RestartOn, RestartPolicy,
};
pub use readiness::{Readiness, Subscribe};
pub use span::Span;
pub use spec::{Dependency, LOGIC_VERSION, ServiceSpec};
pub use status::{PhaseName, RestartCount, ServiceStatus};
pub use telling::{IncidentNews, IncidentStart, NotifyArgs, Raise, TellCause};
pub use time::Time;
pub use unit::{ActiveState, Exit, ExitCode, Job, LoadState, UnitState};
pub use wait::{WaitResult, WaitSpec};
