//! The harness of the end-to-end tests: a real systemd, a real Temporal server and the real `dixmgr`.
//!
//! A test starts itself again inside a sandbox with processes, mounts, cgroups and a network of its own. So ports and
//! paths are fixed, tests run side by side, and whatever a test leaves behind dies with its sandbox, panic or not.
//!
//! Rejected: a library of mocks. What these tests are for is the joints between programs that others wrote.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "it is part of tests: a panic is how they fail")]

mod dixmgr;
mod host;
mod http;
mod machine;
mod receiver;
mod sandbox;
mod server;
mod temporal;
mod wait;

pub use dixmgr::{Dixmgr, HOST_NAME, Launch, binary, dixmgr};
pub use host::Host;
pub use http::get;
pub use machine::Machine;
pub use receiver::{RETRY_AFTER, Receiver};
pub use sandbox::{FOLDER, Sandbox, in_sandbox, in_sandbox_with};
pub use server::{ADDRESS, NAMESPACE, TemporalServer};
pub use temporal::{Temporal, Workflow};
pub use wait::{wait_for, wait_until};
