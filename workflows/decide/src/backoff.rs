//! How long to wait before the next restart: decorrelated jitter.
//!
//! Each wait is drawn between the base and three times the last one, up to a cap (Brooker, "Exponential Backoff And
//! Jitter", AWS Architecture Blog, 2015): it grows exponentially on average, and services that died together do not come
//! back together. The first restart does not wait at all.

use crate::rng::Rng;
use dixmgr_contract::{RestartPolicy, Span};
use serde::{Deserialize, Serialize};

/// The waits of one series of failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The last wait; absent before the first restart of a series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Span>,
}

impl Backoff {
    /// The wait before the next restart; each call moves the series on.
    pub fn next(&mut self, policy: &RestartPolicy, rng: &mut Rng) -> Span {
        let Some(last) = self.last else {
            self.last = Some(Span::ZERO);
            return Span::ZERO;
        };
        let base = policy.backoff.as_millis();
        let cap = policy.backoff_max.as_millis().max(base);
        let high = last.as_millis().max(base).saturating_mul(3).min(cap);
        let wait = if last.is_zero() { base } else { rng.between(base, high) };
        let wait = Span::from_millis(wait.min(cap));
        self.last = Some(wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    fn policy(backoff: u64, backoff_max: u64) -> RestartPolicy {
        RestartPolicy {
            backoff: Span::from_millis(backoff),
            backoff_max: Span::from_millis(backoff_max),
            ..RestartPolicy::default()
        }
    }

    #[test]
    fn the_first_restart_is_immediate_and_the_second_waits_the_base() {
        let (mut backoff, mut rng) = (Backoff::default(), Rng::new(1));
        let policy = policy(1_000, 300_000);
        assert_eq!(backoff.next(&policy, &mut rng), Span::ZERO);
        assert_eq!(backoff.next(&policy, &mut rng), Span::from_secs(1));
    }

    #[test]
    fn the_waits_grow_on_average() {
        let policy = policy(1_000, 300_000);
        let mut sums = [0_u64; 8];
        for seed in 0..500 {
            let (mut backoff, mut rng) = (Backoff::default(), Rng::new(seed));
            sums.iter_mut().for_each(|sum| *sum += backoff.next(&policy, &mut rng).as_millis());
        }
        assert!(sums.windows(2).all(|pair| pair[0] < pair[1]), "{sums:?}");
    }

    proptest! {
        #[test]
        fn every_wait_but_the_first_is_between_base_and_cap(seed: u64, base in 1..10_000_u64, cap in 1..1_000_000_u64) {
            let policy = policy(base, cap);
            let (mut backoff, mut rng) = (Backoff::default(), Rng::new(seed));
            prop_assert_eq!(backoff.next(&policy, &mut rng), Span::ZERO);
            for _ in 0..50 {
                let wait = backoff.next(&policy, &mut rng).as_millis();
                prop_assert!((base..=cap.max(base)).contains(&wait));
            }
        }
    }
}
