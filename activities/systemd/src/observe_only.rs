//! The control of a dry run: it holds nothing through which it could act, so that no forgotten `if` can.

use crate::{ActError, UnitControl};
use dixmgr_contract::{FailureKind, Guard, UnitName, Verb};
use futures_util::future::BoxFuture;
use std::time::Duration;

/// Says what would be done, and does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct ObserveOnly;

impl UnitControl for ObserveOnly {
    fn act<'a>(
        &'a self,
        unit: &'a UnitName,
        verb: Verb,
        guard: Option<&'a Guard>,
        _timeout: Duration,
    ) -> BoxFuture<'a, Result<(), ActError>> {
        let reason = guard.map_or("asked for", |guard| guard.reason.as_str());
        tracing::info!(%unit, %verb, reason, "would {verb} {unit}");
        let message = format!("would {verb} {unit}, but -watch only observes; run with -exec to act");
        Box::pin(std::future::ready(Err(ActError::new(FailureKind::ObserveOnly, message))))
    }
}
