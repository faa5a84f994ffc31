//! Waiting for a condition: nothing in these tests waits for time to pass.

use std::time::{Duration, Instant};

/// A loaded machine may take this long for anything. No test asserts how long something takes.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until `is` holds.
///
/// # Panics
/// If it does not within a minute.
#[track_caller]
pub fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    wait_for(what, || is().then_some(()));
}

/// Waits until `find` finds something.
///
/// # Panics
/// If it does not within a minute.
#[track_caller]
pub fn wait_for<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the waiting for a condition with a deadline")]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}
