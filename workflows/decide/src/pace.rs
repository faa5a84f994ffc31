//! How fast a host tells what can wait: as fast as the workflows can take it, and no faster.
//!
//! A thousand services that fall with one are a thousand workflows to be told, each with a dozen tasks behind it, and none of them
//! can do anything until the one is back. Told at once they make a line in front of the workers, in which the next real failure waits
//! its turn too. How long the tasks lie in that line is known ([`Pace::waited`]); the rate grows slowly while they do not, and is cut
//! when they do: additive increase, multiplicative decrease, as TCP finds its share (Chiu and Jain, "Analysis of the increase and
//! decrease algorithms for congestion avoidance", 1989).
//!
//! Rejected: a fixed rate. It is too fast for an embedded server with a slow disk, and a minute's wait for nothing in front of a
//! cluster.

use dixmgr_contract::{Span, Time};

/// So many go at once after a rest: one relay with its dependants.
const BURST: i64 = 20 * ONE;
/// In a second, after a rest.
const FIRST: i64 = 40;
/// Never slower: what can wait is told some time, whatever the line.
const SLOWEST: i64 = 4;
const FASTEST: i64 = 1_000;
/// Each second adds so many a second, as long as there is something to tell.
const GROWTH: i64 = 8;
/// What a cut leaves, in percent.
const CUT: i64 = 60;
/// A task that lay for longer lay in a line.
const LONG: Span = Span::from_millis(200);
/// One line is one cut: the tasks that were in it come out for a while.
const CUT_APART: Span = Span::from_millis(500);
/// The unit of tokens: a millisecond at a rate in thousandths a second makes a whole number of them.
const ONE: i64 = 1_000_000;
/// Longer than a bucket takes to be full.
const REST: Span = Span::from_secs(60);

/// A bucket of tokens whose rate follows the line. Times are of any clock that does not jump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// In millionths.
    tokens: i64,
    /// Thousandths a second.
    rate: i64,
    at: Time,
    cut_at: Option<Time>,
}

impl Pace {
    /// A rested one.
    pub const fn new(now: Time) -> Self {
        Self { tokens: BURST, rate: FIRST * 1_000, at: now, cut_at: None }
    }

    /// A task lay for so long before it was taken.
    pub fn waited(&mut self, waited: Span, now: Time) {
        self.follow(now);
        let is_another = self.cut_at.is_none_or(|at| now.since(at) >= CUT_APART);
        if waited > LONG && is_another {
            self.rate = (self.rate * CUT / 100).max(SLOWEST * 1_000);
            self.tokens = self.tokens.min(0);
            self.cut_at = Some(now);
        }
    }

    /// Whether one may go now; if so, it has gone.
    pub fn take(&mut self, now: Time) -> bool {
        self.follow(now);
        let may = self.tokens >= ONE;
        if may {
            self.tokens -= ONE;
        }
        may
    }

    /// When the next one may go, if nothing is heard of the line before.
    pub fn next_at(&self) -> Time {
        let missing = (ONE - self.tokens).max(0);
        let millis = u64::try_from(missing).unwrap_or(0).div_ceil(u64::try_from(self.rate).unwrap_or(1));
        self.at.after(Span::from_millis(millis))
    }

    fn follow(&mut self, now: Time) {
        let passed = i64::try_from(now.since(self.at).min(REST).as_millis()).unwrap_or(0);
        self.at = self.at.max(now);
        self.tokens += passed * self.rate;
        self.rate = (self.rate + passed * GROWTH).min(FASTEST * 1_000);
        if self.tokens >= BURST {
            (self.tokens, self.rate) = (BURST, FIRST * 1_000);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Time {
        Time::from_unix_millis(millis)
    }

    /// How many go within these milliseconds, tried at each of them.
    fn gone(pace: &mut Pace, from: i64, to: i64) -> usize {
        (from..to).map(|now| (0..).take_while(|_| pace.take(at(now))).count()).sum()
    }

    #[test]
    fn a_relay_with_its_dependants_goes_at_once_and_the_rest_after_and_after() {
        let mut pace = Pace::new(at(0));
        assert_eq!(gone(&mut pace, 0, 1), 20);
        assert!(!pace.take(at(0)));
        assert_eq!(pace.next_at(), at(25));
        assert!(pace.take(pace.next_at()));
        let first = gone(&mut pace, 26, 1_026);
        assert!((40..50).contains(&first), "{first}");
        gone(&mut pace, 1_026, 4_026);
        let fifth = gone(&mut pace, 4_026, 5_026);
        assert!(fifth > first + 20, "{fifth} is more than {first}");
    }

    #[test]
    fn a_line_slows_it_down_and_one_line_counts_once() {
        let mut pace = Pace::new(at(0));
        for _ in 0..100 {
            pace.waited(Span::from_secs(3), at(100));
        }
        let slower = gone(&mut pace, 100, 1_100);
        assert!((20..35).contains(&slower), "{slower}");
        for half in 3..40 {
            pace.waited(Span::from_secs(3), at(half * 500));
            gone(&mut pace, half * 500, (half + 1) * 500);
        }
        let slowest = gone(&mut pace, 20_000, 21_000);
        assert!((4..16).contains(&slowest), "{slowest}: it never stands");
    }

    #[test]
    fn after_a_rest_all_is_forgotten() {
        let mut pace = Pace::new(at(0));
        gone(&mut pace, 0, 60_000);
        assert!(gone(&mut pace, 60_000, 61_000) > 400);
        pace.waited(Span::from_millis(200), at(61_000));
        assert!(gone(&mut pace, 61_000, 62_000) > 400, "so long is no line");
        pace.follow(at(100_000));
        assert_eq!(pace, Pace::new(at(100_000)));
    }

    proptest! {
        #[test]
        fn the_next_one_may_go_when_it_says(steps in prop::collection::vec((0..5_000_i64, 0..1_000_u64, any::<bool>()), 1..200)) {
            let (mut pace, mut now) = (Pace::new(at(0)), 0);
            for (passed, waited, takes) in steps {
                now += passed;
                if takes {
                    while pace.take(at(now)) {}
                    prop_assert!(pace.next_at() > at(now));
                    prop_assert!(pace.next_at().since(at(now)) <= Span::from_millis(251), "never slower than four a second");
                    let next = pace.next_at();
                    prop_assert!(pace.clone().take(next));
                    prop_assert!(!pace.clone().take(next.earlier(Span::from_millis(1))));
                } else {
                    pace.waited(Span::from_millis(waited), at(now));
                }
            }
        }
    }
}
