//! The control of a dry run: it holds nothing through which it could act, so that no forgotten `if` can.

use crate::{ActError, UnitControl};
use dixmgr_contract::{FailureKind, Guard, UnitName, Verb};
use futures_util::future::BoxFuture;
use std::time::Duration;

/// Refuses, with a message that says what would be done.
#[derive(Clone, Copy, Debug, Default)]
pub struct ObserveOnly;

impl UnitControl for ObserveOnly {
    fn act<'a>(
        &'a self,
        unit: &'a UnitName,
        verb: Verb,
        _guard: Option<&'a Guard>,
        _timeout: Duration,
    ) -> BoxFuture<'a, Result<(), ActError>> {
        let message = format!("would {verb} {unit}, but -watch only observes; run with -exec to act");
        Box::pin(std::future::ready(Err(ActError::new(FailureKind::ObserveOnly, message))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn it_refuses_and_says_what_it_would_do() {
        let unit = UnitName::new("api.service").unwrap();
        let error = ObserveOnly.act(&unit, Verb::Start, None, Duration::ZERO).now_or_never().unwrap().unwrap_err();
        assert_eq!(error.kind, FailureKind::ObserveOnly);
        assert_eq!(error.message, "would start api.service, but -watch only observes; run with -exec to act");
    }
}
