//! Looks at nodes of every protocol: at servers that answer as such nodes do (`fixtures/`), at servers that answer as
//! nobody should, and at real nodes where their programs are installed, whose answers can be recorded.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[allow(dead_code, reason = "the other test uses the rest")]
#[path = "../common/mod.rs"]
mod common;
mod fixture;
mod hostile;
mod partial;
mod real;
mod record;
