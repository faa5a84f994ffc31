//! `check`, `plan` and what the documentation is made of: nothing is started.

use crate::exit::Failure;
use anyhow::Context;
use dixmgr_model::plan::Plan;
use std::path::Path;

/// Prints all errors of a file, or that there are none.
pub(super) fn check(file: &Path, json: bool) -> Result<(), Failure> {
    match dixmgr_model::load(file) {
        Ok(config) if json => {
            print(&serde_json::json!({"ok": true, "services": config.services.len(), "problems": []}))
        }
        Ok(config) => {
            println!("{}: {} services, no errors", file.display(), config.services.len());
            Ok(())
        }
        Err(errors) => {
            if json {
                print(&serde_json::json!({"ok": false, "source": errors.source, "problems": errors.problems}))?;
                return Err(Failure::Config(format!("{}: {} errors", file.display(), errors.problems.len())));
            }
            Err(Failure::Config(errors.to_string()))
        }
    }
}

/// Prints what a file supervises, in start order.
pub(super) fn plan(file: &Path, json: bool) -> Result<(), Failure> {
    let config = dixmgr_model::load(file).map_err(|errors| Failure::Config(errors.to_string()))?;
    let plan = Plan::new(&config);
    if json {
        return print(&serde_json::to_value(&plan).context("the plan cannot be written as JSON")?);
    }
    print!("{plan}");
    Ok(())
}

pub(super) fn schema() -> Result<(), Failure> {
    print(&dixmgr_model::schema::json_schema())
}

/// The generated part of the README.
pub(super) fn reference() -> Result<(), Failure> {
    print!("{}", dixmgr_model::reference());
    println!("\n{}", dixmgr_telemetry::catalogue::metrics_reference());
    Ok(())
}

pub(super) fn print(value: &serde_json::Value) -> Result<(), Failure> {
    println!("{}", serde_json::to_string_pretty(value).context("cannot be written as JSON")?);
    Ok(())
}
