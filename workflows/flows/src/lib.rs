//! Temporal workflows: thin shells over the machines in `decide`.
//!
//! A shell feeds events in, performs the actions that come out, answers queries, and starts a new run when the history
//! gets long. It decides nothing, logs nothing and counts nothing: all of that would happen again on replay. Of the SDK
//! it knows the workflow half alone, so that no socket or clock can be reached from here.

pub mod calls;
pub mod cluster;
pub mod dependency_wait;
mod desk;
pub mod host;
pub mod incident;
mod inflight;
pub mod infrastructure;
mod perform;
pub mod service_watch;
mod shell;
mod wait;
pub mod wire;

pub use cluster::{ClusterInput, ClusterWorkflow};
pub use dependency_wait::{DependencyWaitWorkflow, WaitInput};
pub use host::{HostInput, HostWorkflow};
pub use incident::{IncidentInput, IncidentWorkflow};
pub use infrastructure::{InfrastructureInput, InfrastructureWorkflow};
pub use service_watch::{ServiceWatchWorkflow, WatchInput};
