//! `check`, `plan` and what the documentation is made of: nothing is started.

use super::print::{self, json};
use crate::exit::Failure;
use crate::telling;
use anyhow::Context;
use dixmgr_model::ConfigErrors;
use dixmgr_model::plan::Plan;
use std::path::Path;

/// Prints all errors of a file, or that there are none.
pub(super) fn check(file: &Path, as_json: bool) -> Result<(), Failure> {
    match telling::load(file) {
        Ok((config, _)) if as_json => {
            json(&serde_json::json!({"ok": true, "services": config.services.len(), "problems": []}))
        }
        Ok((config, _)) => print::text(&format!("{}: {} services, no errors\n", file.display(), config.services.len())),
        Err(errors) => Err(refuse(&errors, as_json)?),
    }
}

/// A file with errors: said in the form that was asked for.
fn refuse(errors: &ConfigErrors, as_json: bool) -> Result<Failure, Failure> {
    if as_json {
        json(&serde_json::json!({"ok": false, "source": errors.source, "problems": errors.problems}))?;
    }
    Ok(Failure::Config(errors.to_string()))
}

/// Prints what a file supervises, in start order.
pub(super) fn plan(file: &Path, as_json: bool) -> Result<(), Failure> {
    let config = match telling::load(file) {
        Ok((config, _)) => config,
        Err(errors) => return Err(refuse(&errors, as_json)?),
    };
    let plan = Plan::new(&config);
    if as_json {
        return json(&serde_json::to_value(&plan).context("the plan cannot be written as JSON")?);
    }
    print::text(&plan.to_string())
}

pub(super) fn schema() -> Result<(), Failure> {
    json(&dixmgr_model::schema::json_schema())
}

/// The generated part of the README.
pub(super) fn reference() -> Result<(), Failure> {
    print::text(&format!("{}\n{}\n", dixmgr_model::reference(), dixmgr_telemetry::catalogue::metrics_reference()))
}
