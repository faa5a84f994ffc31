//! End to end: the real `dixmgr` between a real systemd and a real Temporal server.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod activities;
mod alerts;
mod at_each_step;
mod bring_up;
mod budget;
mod bus;
mod causes;
mod clusters;
mod commands;
mod crash;
mod dependencies;
mod dotidx;
mod endpoints;
mod file_systems;
mod go_version;
mod grpc;
mod history;
mod hosts;
mod hosts_lost;
mod lease;
mod machines;
mod maintenance;
mod nodes;
mod operator;
mod order;
mod outage;
mod outside;
mod people;
mod probes;
mod resources;
mod rest;
mod restart;
mod start;
mod telling;
mod units;
mod up;
mod upgrade;
mod watch;

use dixmgr_tests::{FOLDER, Host};
use std::path::PathBuf;

/// A unit that runs until it is killed.
const SLEEP: &str = "ExecStart=/bin/sleep 1000";
/// A configuration with one service, `api`.
const API: &str = "[services.api]\nunit = \"api.service\"";
/// Its workflow.
const WF_API: &str = "wf.svc.api";

/// A file of the test.
fn file(name: &str) -> PathBuf {
    PathBuf::from(FOLDER).join(name)
}

/// A switch that units look at: whether a file is there.
fn set(name: &str, on: bool) {
    if on { std::fs::write(file(name), "").unwrap() } else { std::fs::remove_file(file(name)).unwrap() }
}

/// A `[Service]` line that waits while the switch is off.
fn waits_for(key: &str, switch: &str) -> String {
    format!("{key}=/bin/sh -c 'until [ -e {FOLDER}/{switch} ]; do sleep 0.02; done'")
}

/// A `[Service]` line that writes each start down.
fn counts_starts(list: &str) -> String {
    format!("ExecStartPre=/bin/sh -c 'echo $INVOCATION_ID >>{FOLDER}/{list}'")
}

/// How many starts were written down.
fn starts(list: &str) -> usize {
    std::fs::read_to_string(file(list)).unwrap_or_default().lines().count()
}

/// Installs and starts `api`.
fn api_runs(host: &Host) {
    host.install([("api.service", SLEEP)]);
    host.start(&["api"]);
}
