//! The crate seen from outside: files in, configurations or messages out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "clippy knows only functions marked #[test] as tests")]

mod alerts;
mod bad_input;
mod dotidx;
mod examples;
mod outside;
mod plan;
mod probes;
mod robust;
mod schema;
mod services;

use dixmgr_model::{Config, ConfigErrors};

/// Checks a text in an environment of one variable, `PORT`.
fn parse(text: &str) -> Result<Config, ConfigErrors> {
    dixmgr_model::parse(text, "x.toml", &|name| (name == "PORT").then(|| "8080".to_owned()))
}

/// The configuration of a text that must be good.
fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// All that is said about a text that must be bad, without the line of the count.
fn bad(text: &str) -> String {
    let errors = parse(text).map(|_| ()).unwrap_err();
    let said = errors.to_string();
    let (problems, _count) = said.rsplit_once('\n').unwrap();
    problems.to_owned()
}

/// The names of the services, in start order.
fn names(config: &Config) -> Vec<&str> {
    config.services.iter().map(|service| service.spec.name.as_str()).collect()
}
