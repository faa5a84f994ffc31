//! Talking to the service manager that runs us (sd_notify(3)): ready, watchdog, stopping.

use sd_notify::NotifyState;
use std::time::Duration;

/// Tells that dixmgr is ready and begins to feed the watchdog, if there is one.
pub(crate) fn ready(status: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells that dixmgr is on its way down.
pub(crate) fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// Feeds the watchdog for as long as `alive` answers in time. Returns at once where there is no watchdog.
pub(crate) async fn watchdog<F: Future>(alive: impl Fn() -> F) {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let interval = interval / 2;
    loop {
        if tokio::time::timeout(interval, alive()).await.is_ok() {
            say(&[NotifyState::Watchdog]);
        } else {
            tracing::error!("the agent does not answer; the watchdog goes hungry");
        }
        tokio::time::sleep(interval.min(Duration::from_secs(10))).await;
    }
}

fn say(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("cannot tell the service manager: {error}");
    }
}
