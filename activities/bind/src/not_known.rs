//! Why nothing is known of what was to be asked. It is no answer: whoever takes it for a "no" acts on what nobody has seen.

use crate::unit::failure;
use dixmgr_contract::FailureKind;
use dixmgr_probe::LeftAlone;
use dixmgr_systemd::ActError;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::ActivityError;

/// Why it is not known.
#[derive(Debug)]
pub(crate) enum NotKnown {
    /// It may not be asked.
    Failed(ActError),
    /// It was asked, and nothing was learnt.
    Unseen(ActError),
    LeftAlone(LeftAlone),
}

impl From<ActError> for NotKnown {
    fn from(error: ActError) -> Self {
        Self::Failed(error)
    }
}

impl From<NotKnown> for ActivityError {
    /// Temporal may ask again: whoever calls says how often. One that is left alone, when it is not any more.
    fn from(why: NotKnown) -> Self {
        let alone = match why {
            NotKnown::Failed(error) => return failure(error),
            NotKnown::Unseen(error) => {
                let kind = error.kind.as_str().to_owned();
                return Self::application(ApplicationFailure::builder(error).type_name(kind).build());
            }
            NotKnown::LeftAlone(alone) => alone,
        };
        let kind = FailureKind::CircuitOpen.as_str().to_owned();
        let retry_after = alone.retry_after;
        let failure = ApplicationFailure::builder(alone).type_name(kind).maybe_next_retry_delay(retry_after);
        Self::application(failure.build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_contract::Time;
    use std::time::Duration;

    #[test]
    fn temporal_may_ask_again_unless_the_node_may_not_be_asked_at_all() {
        let retry = |why: NotKnown| match ActivityError::from(why) {
            ActivityError::Application(failure) => (!failure.is_non_retryable(), failure.next_retry_delay()),
            other => panic!("{other:?}"),
        };
        let (place, minute) = ("http://a:9944".to_owned(), Some(Duration::from_secs(60)));
        let alone = LeftAlone { place, until: Some(Time::from_unix_millis(60_000)), retry_after: minute };
        assert_eq!(retry(NotKnown::LeftAlone(alone)), (true, minute));
        let silent = ActError::new(FailureKind::Unexpected, "http://a:9944 does not answer");
        assert_eq!(retry(NotKnown::Unseen(silent)), (true, None));
        let refused = ActError::new(FailureKind::NotAllowed, "no such node");
        assert_eq!(retry(refused.into()), (false, None));
    }
}
