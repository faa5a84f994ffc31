//! Health checks, the deciding half: what an answer means, what many results mean, and when a check is due.
//!
//! The files: [`judge`] (one answer to one verdict), [`json`] (what is read of it), [`json_path`] (where the value is), [`machine`] (many verdicts to one
//! state, with thresholds and grace), [`belief`] (what others are told of it), [`schedule`] (when, and never twice at a time),
//! [`asking`] (whether it is asked at all: its service runs, and [`crate::breaker`] does not keep it from asking what never
//! answers), [`turns`] (who comes first where many are due: what hangs keeps nobody waiting). Who looks is `activities/probe`; who
//! asks for it, the senses in `worker`.

pub mod asking;
pub mod belief;
pub mod json;
pub mod json_path;
pub mod judge;
pub mod machine;
pub mod schedule;
pub mod turns;

pub use asking::{Asking, if_patient, sign_of_life};
pub use belief::{Belief, mean_the_same};
pub use json_path::{JsonPath, JsonPathError};
pub use judge::{Answer, Budget, Expectation};
pub use machine::{Change, CheckMachine, Thresholds};
pub use schedule::Schedule;
pub use turns::{Line, Places, Turns};
