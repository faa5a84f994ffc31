//! What dixmgr tells the world about itself: metrics, log lines, and the events that are both.
//!
//! One place each: [`catalogue`] names every metric there is, [`Metrics`] feeds and renders them, [`ServiceBoard`] holds
//! the series that live and die with a service, [`events`] pairs a log line with its metric so that the two cannot
//! disagree, and [`log`] sets up the tracing subscriber. Nothing here decides or acts.
//!
//! Rejected: the `prometheus` crate's own instruments. The Temporal SDK speaks OpenTelemetry, and two registries on one
//! endpoint would mean two sets of rules for names, limits and removal.

mod alerts;
mod board;
pub mod catalogue;
mod endpoints;
pub mod events;
mod figures;
mod history;
mod host;
mod instruments;
mod label;
pub mod log;
mod metrics;
mod outcome;
mod probes;
#[cfg(test)]
mod testing;

pub use board::{ServiceBoard, ServiceLabels};
pub use endpoints::EndpointBoard;
pub use events::Event;
pub use figures::{Figures, NodeFigures, PressureFigures};
pub use history::{HistoryBoard, HistoryFigures};
pub use host::{FileSystemFigures, HostBoard, HostFigures};
pub use metrics::{Metrics, MetricsError, Room};
pub use outcome::{ActivityOutcome, BreakerPosition, DeliveryOutcome, WorkflowOutcome};
pub use probes::{ProbeBoard, ProbeFigures};
