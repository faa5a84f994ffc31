//! What happened on a host, kept where it outlives restarts: a file of SQLite's, or a PostgreSQL server that hosts share.
//!
//! [`Recorder::record`] takes anything at any time and never waits. One task, the [`Writer`], gathers what comes and writes it
//! in batches (`writer` when, `desk` what, `write` the statements); it sums samples up and forgets what is old (`keep` the
//! plan, `upkeep` the steps). If the store cannot be written it says so ([`Notice`]), keeps a bounded part in memory (`ring`)
//! and tries again; a damaged file is moved away (`aside`). [`Store`] answers a [`Question`] with a connection of its own,
//! writes everything out (`export`), and takes what a person did from the command that did it (`append`).
//!
//! A service's time is a row of intervals (`tracker`): up, down, off by a person's wish, or unknown. What dixmgr did not see is
//! unknown, and never up: its own last sign of life is marked once a minute, and the next start accounts for the time between.
//! `uptime` adds intervals up, purely.
//!
//! Times are the host's clock. Every text is bounded before it is queued (`bounds`), every wait has an end (`db`).
//!
//! Rejected: rusqlite, which the worker has already, and a second driver for PostgreSQL: two sets of statements, of which one
//! would be tested less. Rejected: a time-series format of our own for samples. SQLite answers questions.

mod answer;
mod append;
mod aside;
mod bounds;
mod db;
mod desk;
mod error;
mod export;
mod keep;
mod notice;
mod question;
mod read;
mod record;
mod recorder;
mod ring;
mod schema;
mod store;
mod target;
mod text;
mod tracker;
mod upkeep;
mod uptime;
mod write;
mod writer;

pub use answer::{Entry, Line, ProbePoint, ServiceUptime, UsagePoint};
pub use error::{Error, Trouble};
pub use keep::{FIVE_MINUTES, Keep};
pub use notice::{Figures, Notice, Tell};
pub use question::{MOST, Question};
pub use record::{Action, Incident, Interval, Member, Record, Restart, State, Told, Transition, Usage};
pub use recorder::Recorder;
pub use store::Store;
pub use target::{FILE_NAME, Target, TargetError};
pub use uptime::Uptime;
pub use writer::{Clock, Options, Writer};
