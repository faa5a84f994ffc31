//! Blockchain nodes over time: stories of single nodes and of chains, and what holds in every story.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod chains;
#[allow(unreachable_pub, clippy::disallowed_methods, reason = "shared by the tests")]
#[path = "../common/mod.rs"]
mod common;
mod properties;
mod silence;
mod single;
mod world;
