//! When a check is due: at its interval, from a place within it that is drawn, and never while it runs.
//!
//! A thousand checks that begin together fire apart. A run that takes longer than the interval costs the runs in between;
//! what was missed is not made up for, and the place within the interval stays, also if somebody is in a hurry meanwhile.
//! Places are tenths of a second of the clock, so that those who share one wake the host once.

use crate::rng::Rng;
use dixmgr_contract::{Span, Time};
use serde::{Deserialize, Serialize};

/// What places are whole multiples of, in milliseconds.
const GRAIN: u64 = 100;

/// What others wait for is looked at this often at first.
const EAGER: Span = Span::from_millis(200);

/// How soon to look again at what others wait for, `waited` for so far: often at first, and the longer it takes, the rarer:
/// a 64th of the wait is soon enough, and a node that needs a week is not asked five times a second.
pub(super) fn patience(waited: Span) -> Span {
    Span::from_millis(waited.as_millis() / 64).max(EAGER)
}

/// The times of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    interval: Span,
    /// The next place of the series.
    next: Time,
    /// Somebody wants to know earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hurried: Option<Time>,
    /// It runs now. Not kept: whoever reads this back runs nothing.
    #[serde(skip)]
    is_running: bool,
}

impl Schedule {
    /// A check that runs every `interval` (a millisecond or more), first within one interval and a tenth
    /// of a second from `now`.
    pub fn new(interval: Span, rng: &mut Rng, now: Time) -> Self {
        let millis = interval.as_millis().max(1);
        let drawn = now.after(Span::from_millis(rng.between(0, millis - 1)));
        let past_grain = drawn.since(Time::default()).as_millis() % GRAIN;
        let next = drawn.after(Span::from_millis((GRAIN - past_grain) % GRAIN));
        Self { interval: Span::from_millis(millis), next, hurried: None, is_running: false }
    }

    /// When it is due next; nothing while it runs.
    pub fn wake_at(&self) -> Option<Time> {
        (!self.is_running).then(|| self.due())
    }

    /// Whether a run begins now: it is due and does not run. Whoever gets `true` runs it and says so with
    /// [`Schedule::end`].
    pub fn begin(&mut self, now: Time) -> bool {
        let begins = !self.is_running && self.due() <= now;
        self.is_running |= begins;
        begins
    }

    /// The run is over. The next one is due at the first place of the series after `now`.
    pub fn end(&mut self, now: Time) {
        if std::mem::take(&mut self.is_running) {
            self.hurried = None;
            if self.next <= now {
                let interval = self.interval.as_millis();
                let passed = now.since(self.next).as_millis() / interval;
                self.next = self.next.after(Span::from_millis((passed + 1).saturating_mul(interval)));
            }
        }
    }

    /// It is due at that moment at the latest, whatever the series says: somebody wants to know.
    pub fn hurry(&mut self, at: Time) {
        self.hurried = Some(self.hurried.map_or(at, |before| before.min(at)));
    }

    fn due(&self) -> Time {
        self.hurried.map_or(self.next, |hurried| hurried.min(self.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    fn at(millis: u64) -> Time {
        Time::from_unix_millis(i64::try_from(millis).unwrap())
    }

    #[test]
    fn a_thousand_checks_do_not_fire_at_once() {
        let mut rng = Rng::new(7);
        let mut seconds = [0; 10];
        for _ in 0..1_000 {
            let schedule = Schedule::new(Span::from_secs(10), &mut rng, at(0));
            let first = schedule.wake_at().unwrap().unix_millis();
            seconds[usize::try_from(first / 1_000).unwrap().min(9)] += 1;
        }
        assert!(seconds.iter().all(|count| (60..140).contains(count)), "{seconds:?}");
    }

    #[test]
    fn it_never_runs_twice_at_a_time_and_keeps_its_place() {
        let mut schedule = Schedule::new(Span::from_secs(10), &mut Rng::new(1), at(0));
        let first = schedule.wake_at().unwrap();
        assert!(!schedule.begin(first.earlier(Span::from_millis(1))));
        assert!(schedule.begin(first));
        assert!(!schedule.begin(first.after(Span::from_secs(60))));
        assert_eq!(schedule.wake_at(), None);
        schedule.end(first.after(Span::from_secs(25)));
        assert_eq!(schedule.wake_at(), Some(first.after(Span::from_secs(30))));
        schedule.hurry(first.after(Span::from_secs(26)));
        assert!(schedule.begin(first.after(Span::from_secs(26))));
        schedule.end(first.after(Span::from_secs(27)));
        assert_eq!(schedule.wake_at(), Some(first.after(Span::from_secs(30))), "it was in a hurry once");
    }

    #[test]
    fn patience_grows_with_the_wait() {
        let after = |seconds| patience(Span::from_secs(seconds)).as_millis();
        assert_eq!([after(0), after(10), after(64), after(86_400)], [200, 200, 1_000, 1_350_000]);
    }

    proptest! {
        #[test]
        fn the_next_run_is_after_the_last_and_within_one_interval(
            interval in 1..100_000_u64, seed: u64, lates in prop::collection::vec((0..300_000_u64, 0..300_000_u64), 1..20),
        ) {
            let mut schedule = Schedule::new(Span::from_millis(interval), &mut Rng::new(seed), at(0));
            let phase = schedule.wake_at().unwrap().unix_millis();
            prop_assert!(phase % 100 == 0 && phase < i64::try_from(interval).unwrap() + 100);
            for (late, long) in lates {
                let begin = schedule.wake_at().unwrap().after(Span::from_millis(late));
                prop_assert!(schedule.begin(begin) && !schedule.begin(begin));
                let end = begin.after(Span::from_millis(long));
                schedule.end(end);
                let next = schedule.wake_at().unwrap();
                prop_assert!(next > end && next.since(end).as_millis() <= interval);
                prop_assert_eq!((next.unix_millis() - phase) % i64::try_from(interval).unwrap(), 0);
            }
        }
    }
}
