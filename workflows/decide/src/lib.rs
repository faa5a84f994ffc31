//! Every decision that dixmgr takes, as pure state machines.
//!
//! `step(event, now) -> Vec<Action>`: time and randomness come in, actions go out, nothing else happens. A Temporal
//! workflow drives a machine today and a local driver can drive the same one, with the same state, when Temporal is
//! away: that is why the state is plain data that serialises, and why no clock, socket, thread or hash map is in here
//! (`workflows/clippy.toml` keeps it so).

pub mod backoff;
pub mod breaker;
pub mod budget;
pub mod check;
pub mod cluster;
pub mod condition;
pub mod fleet;
pub mod host;
pub mod incident;
pub mod node;
pub mod pace;
pub mod peers;
pub mod rng;
pub mod rules;
pub mod service;
pub mod wait;

pub use service::{Action, Answer, Event, Order, Outcome, Service};
