//! What a unit uses, on demand: two samples a tenth of a second apart, as the Go version took them.

use dixmgr_contract::activity::ResourceUsage;
use dixmgr_contract::{FailureKind, Time};
use dixmgr_procfs::{Options, Roots, Sampler};
use dixmgr_systemd::ActError;
use std::time::{Duration, Instant, SystemTime};

/// How far apart the samples are.
const WINDOW: Duration = Duration::from_millis(100);

/// Measures the processes of a control group. What cannot be told is absent.
///
/// # Errors
/// `Unexpected`: the measuring itself has failed.
pub(crate) async fn over_a_moment(control_group: String) -> Result<ResourceUsage, ActError> {
    let sampled = tokio::task::spawn_blocking(move || {
        let mut sampler = Sampler::with(Roots::default(), Options { details_every: 0, ..Options::default() });
        sampler.sample([((), control_group.as_str())], Instant::now);
        std::thread::sleep(WINDOW);
        sampler.sample([((), control_group.as_str())], Instant::now).pop()
    });
    match sampled.await {
        Ok(Some(((), usage))) => Ok(usage.answer(Time::from(SystemTime::now()))),
        _ => Err(ActError::new(FailureKind::Unexpected, "the unit could not be measured".to_owned())),
    }
}
