//! The standard output stream: answers go there, and nothing else does.

use crate::exit::Failure;
use anyhow::Context;
use std::io::{ErrorKind, Write};

/// Prints a text as it is. A reader that has seen enough (`| head`) is no failure.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::from(error).context("cannot print").into())
        }
        _ => Ok(()),
    }
}

/// Prints JSON for machines.
pub(super) fn json(value: &serde_json::Value) -> Result<(), Failure> {
    text(&(serde_json::to_string_pretty(value).context("cannot be written as JSON")? + "\n"))
}
