//! `dixmgr`: a durable supervisor for the services of a fleet of Linux hosts.
//!
//! The composition root. It reads the command line and the configuration, opens what a host needs (state folder, bus,
//! admin server, Temporal session) and wires agent, activities and workflows together. Decisions are in `decide`.

mod admin;
mod agent;
mod breakers;
mod bus_watch;
mod cli;
mod control_groups;
mod exit;
mod file_systems;
mod history;
mod host;
mod host_watch;
mod notify;
mod parts;
mod resources;
mod runtime;
mod senses;
mod serve;
mod serving;
mod settings;
mod state_dir;
mod telling;
mod temporal;
mod up;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Fails only if there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
