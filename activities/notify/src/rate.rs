//! How often a channel may be told: a token bucket, with time as an argument.
//!
//! It is the generic cell rate algorithm (ITU-T I.371, annex A): instead of counting tokens it keeps the one moment at
//! which the bucket is full again. Who finds it empty is told when to come back, each one a turn later than the one
//! before: a thousand notes that wait do not come back all at once.
//!
//! Rejected: waiting here. A note that waits in memory is lost with the process; whoever asked waits durably.

use dixmgr_contract::{Span, Time};

/// The longest that a channel is left alone because it asked for it.
const LONGEST_HOLD: Span = Span::from_secs(3_600);
/// For how many turns ahead those that wait are given different ones.
const MAX_TURNS: u64 = 1_000;

/// How often: `burst` at once, and then one in `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time between two in the long run, from 1 ms.
    pub every: Span,
    /// How many at once after a quiet time, from 1.
    pub burst: u32,
}

/// What is left of a [`Rate`].
#[derive(Clone, Debug)]
pub struct Bucket {
    every: u64,
    /// The time to fill it.
    whole: u64,
    full_at: Time,
    /// The last turn that was given away.
    promised: Time,
    /// The channel asked to be left alone until then.
    held: Time,
}

impl Bucket {
    /// A full one.
    pub fn new(rate: Rate) -> Self {
        let every = rate.every.as_millis().clamp(1, LONGEST_HOLD.as_millis());
        let whole = every * u64::from(rate.burst.max(1));
        Self { every, whole, full_at: Time::default(), promised: Time::default(), held: Time::default() }
    }

    /// Takes one.
    ///
    /// # Errors
    /// How long from `now` to wait, at least 1 ms, if there is none.
    pub fn take(&mut self, now: Time) -> Result<(), Span> {
        let turn = Span::from_millis(self.every);
        let whole = Span::from_millis(self.whole);
        // A clock that was set back must not close it for as long as that.
        let full_at = self.full_at.max(now).min(now.after(whole));
        self.full_at = full_at;
        self.held = self.held.min(now.after(LONGEST_HOLD));
        let next = full_at.after(turn).earlier(whole).max(self.held);
        if next <= now {
            self.full_at = full_at.after(turn);
            return Ok(());
        }
        let last = next.after(Span::from_millis(self.every.saturating_mul(MAX_TURNS)));
        let is_ahead = self.promised >= next && self.promised < last;
        let promised = if is_ahead { self.promised.after(turn) } else { next };
        self.promised = promised;
        Err(promised.since(now))
    }

    /// Whether the channel asked to be left alone at that time.
    pub fn is_held(&self, now: Time) -> bool {
        self.held > now
    }

    /// The channel asked to be left alone until `until`; for longer than an hour it is not.
    pub fn hold(&mut self, until: Time) {
        self.held = self.held.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Time {
        Time::from_unix_millis(1_700_000_000_000 + millis)
    }

    fn bucket(every: u64, burst: u32) -> Bucket {
        Bucket::new(Rate { every: Span::from_millis(every), burst })
    }

    fn wait(bucket: &mut Bucket, now: i64) -> u64 {
        bucket.take(at(now)).map_or_else(Span::as_millis, |()| 0)
    }

    #[test]
    fn a_burst_and_then_one_at_a_time() {
        let mut bucket = bucket(1_000, 3);
        assert_eq!([0, 0, 0, 10].map(|now| wait(&mut bucket, now)), [0, 0, 0, 990]);
        assert_eq!([1_000, 1_001, 2_000].map(|now| wait(&mut bucket, now)), [0, 999, 0]);
        assert_eq!([60_000, 60_000, 60_000, 60_000].map(|now| wait(&mut bucket, now)), [0, 0, 0, 1_000]);
    }

    #[test]
    fn those_that_wait_get_different_turns() {
        let mut bucket = bucket(1_000, 1);
        assert_eq!([0, 0, 0, 0, 500].map(|now| wait(&mut bucket, now)), [0, 1_000, 2_000, 3_000, 3_500]);
        assert_eq!([1_000, 2_000, 3_000, 4_000].map(|now| wait(&mut bucket, now)), [0; 4]);
    }

    #[test]
    fn a_channel_that_asked_for_it_is_left_alone() {
        let mut bucket = bucket(1_000, 5);
        bucket.hold(at(30_000));
        assert_eq!([0, 0, 29_999, 30_000].map(|now| wait(&mut bucket, now)), [30_000, 31_000, 2_001, 0]);
        bucket.hold(at(100 * 3_600_000));
        assert!(wait(&mut bucket, 40_000) <= 3_600_000);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_close_it() {
        let mut bucket = bucket(1_000, 1);
        assert_eq!(wait(&mut bucket, 100 * 3_600_000), 0);
        assert!(wait(&mut bucket, 0) <= 1_000);
        assert_eq!(wait(&mut bucket, 1_000), 0);
    }

    proptest! {
        #[test]
        fn no_more_than_the_rate_and_nobody_waits_for_ever(
            every in 1..5_000_u64,
            burst in 1..10_u32,
            steps in proptest::collection::vec(0..3_000_i64, 1..200),
        ) {
            let mut bucket = bucket(every, burst);
            let (mut now, mut taken) = (0, Vec::new());
            for step in steps {
                now += step;
                match bucket.take(at(now)) {
                    Ok(()) => taken.push(now),
                    Err(wait) => {
                        prop_assert!(!wait.is_zero());
                        // Whoever comes when it was said, and nobody else did, is let in.
                        let mut alone = bucket.clone();
                        prop_assert!(alone.take(at(now).after(wait)).is_ok());
                    }
                }
            }
            for (index, first) in taken.iter().enumerate() {
                let within = i64::try_from(every).unwrap() * 20;
                let count = taken[index..].iter().filter(|other| **other < first + within).count();
                prop_assert!(count <= burst as usize + 20, "{count} within 20 turns");
            }
        }
    }
}
