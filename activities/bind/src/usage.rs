//! What a unit uses, on demand: two samples a tenth of a second apart, as the Go version took them.

use dixmgr_contract::activity::ResourceUsage;
use dixmgr_contract::{FailureKind, Time};
use dixmgr_procfs::{Options, Roots, Sampler, Usage};
use dixmgr_systemd::ActError;
use std::time::{Duration, Instant, SystemTime};

/// How far apart the samples are.
const WINDOW: Duration = Duration::from_millis(100);

/// Measures the processes of a control group. What cannot be told is absent.
///
/// # Errors
/// `Unexpected`: the measuring itself has failed.
pub(crate) async fn over_a_moment(control_group: String) -> Result<ResourceUsage, ActError> {
    let sampler = Sampler::with(Roots::default(), Options { details_every: 0, ..Options::default() });
    let failed = || ActError::new(FailureKind::Unexpected, "the unit could not be measured".to_owned());
    let (sampler, _) = sample(sampler, control_group.clone()).await.ok_or_else(failed)?;
    tokio::time::sleep(WINDOW).await;
    let (_, usage) = sample(sampler, control_group).await.ok_or_else(failed)?;
    Ok(usage.ok_or_else(failed)?.answer(Time::from(SystemTime::now())))
}

/// One sample; reading files blocks.
async fn sample(mut sampler: Sampler<()>, control_group: String) -> Option<(Sampler<()>, Option<Usage>)> {
    let sampled = tokio::task::spawn_blocking(move || {
        let usage = sampler.sample([((), control_group.as_str())], Instant::now).pop();
        (sampler, usage.map(|((), usage)| usage))
    });
    sampled.await.ok()
}
