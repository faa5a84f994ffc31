//! The store as its users see it: what is recorded comes out again, on either database, whatever happens on the way.
//!
//! `suite` runs on both; `file` and `trouble` are about a file alone, `server` about a server, `versions` about files of
//! earlier releases.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod file;
mod postgres;
mod scene;
mod server;
mod suite;
mod trouble;
mod versions;
