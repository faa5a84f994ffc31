//! Health checks, the deciding half: what an answer means, what many results mean, and when a check is due.
//!
//! The files: [`judge`] (one answer to one verdict), [`json_path`] (where the value is), [`machine`] (many verdicts to one
//! state, with thresholds and grace), [`schedule`] (when, and never twice at a time). Who looks is `activities/probe`;
//! [`crate::breaker`] keeps it from asking what never answers.

pub mod json_path;
pub mod judge;
pub mod machine;
pub mod schedule;

pub use json_path::{JsonPath, JsonPathError};
pub use judge::{Answer, Budget, Expectation};
pub use machine::{Change, CheckMachine, Thresholds};
pub use schedule::{Schedule, patience};
