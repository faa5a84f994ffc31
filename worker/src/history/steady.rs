//! Samples that are alike are one row.
//!
//! A service that rests uses the same for hours, and writing that down each time would cost as much as measuring it. The first sample
//! of a kind is a row at once; those after it that are the same are one row a minute, which says how many they are, so that
//! averages come out as if each had its own.

use dixmgr_contract::{Span, Time};
use dixmgr_history::Usage;

/// So long at most samples are gathered. A row counts to the five minutes in which its last sample was taken, which are summed up
/// later than that.
const GATHER: Span = Span::from_secs(60);
/// So many at most, whatever is done to the clock.
const MOST: u32 = 60;

/// What a service has used lately.
#[derive(Debug, Default)]
pub(crate) struct Steady {
    last: Option<Usage>,
    /// Samples like the last one that are not written down yet, and when the last of them was taken.
    more: u32,
    until: Time,
    /// When the last one was written down.
    written: Time,
}

/// Samples that are one row: when the last of them was taken, and how many they are.
pub(crate) type Row = (Time, Usage, u32);

impl Steady {
    /// Takes in a sample, or that there is none. What is to be written down now.
    pub(crate) fn take(&mut self, usage: Option<Usage>, at: Time) -> [Option<Row>; 2] {
        if usage.is_some() && usage == self.last {
            (self.more, self.until) = (self.more + 1, at);
            let is_enough = self.more >= MOST || at.since(self.written) >= GATHER;
            return [if is_enough { self.gathered() } else { None }, None];
        }
        let before = self.gathered();
        (self.last, self.written) = (usage, at);
        [before, usage.map(|usage| (at, usage, 1))]
    }

    fn gathered(&mut self) -> Option<Row> {
        let samples = std::mem::take(&mut self.more);
        let usage = self.last.filter(|_| samples > 0)?;
        self.written = self.until;
        Some((self.until, usage, samples))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(cpu_percent: f64) -> Option<Usage> {
        Some(Usage { cpu_percent, ..Usage::default() })
    }

    fn at(seconds: u64) -> Time {
        Time::default().after(Span::from_secs(seconds))
    }

    /// The rows that come of samples taken at these seconds: when, of how much, how many.
    fn rows(samples: impl IntoIterator<Item = (u64, Option<Usage>)>) -> Vec<(u64, f64, u32)> {
        let mut steady = Steady::default();
        let taken = samples.into_iter().flat_map(|(second, usage)| steady.take(usage, at(second)));
        let row =
            |(at, usage, samples): Row| (at.since(Time::default()).as_millis() / 1000, usage.cpu_percent, samples);
        taken.flatten().map(row).collect()
    }

    #[test]
    fn the_first_is_written_at_once_and_more_of_it_once_a_minute() {
        let same = (0..28).map(|number| (number * 5, usage(1.0)));
        assert_eq!(rows(same), [(0, 1.0, 1), (60, 1.0, 12), (120, 1.0, 12)]);
        assert_eq!(rows((0..3).map(|number| (number * 60, usage(1.0)))), [(0, 1.0, 1), (60, 1.0, 1), (120, 1.0, 1)]);
    }

    #[test]
    fn what_was_gathered_is_written_when_something_else_comes_or_nothing() {
        let then = |last| rows([(0, usage(1.0)), (5, usage(1.0)), (10, usage(1.0)), (15, last), (20, last)]);
        assert_eq!(then(None), [(0, 1.0, 1), (10, 1.0, 2)]);
        assert_eq!(then(usage(2.0)), [(0, 1.0, 1), (10, 1.0, 2), (15, 2.0, 1)]);
    }

    #[test]
    fn each_sample_is_counted_once_and_no_two_rows_are_of_one_moment() {
        // All ways to go through nothing and two figures, six samples long.
        for mut way in 0..3_u64.pow(6) {
            let mut samples = Vec::new();
            for number in 0..6 {
                samples.push((number * 35, [None, usage(1.0), usage(2.0)][usize::try_from(way % 3).unwrap()]));
                way /= 3;
            }
            let given: Vec<_> = samples.iter().filter_map(|(_, usage)| Some(usage.as_ref()?.cpu_percent)).collect();
            let rows = rows(samples.into_iter().chain([(999, None)]));
            let written: Vec<_> = rows.iter().flat_map(|(_, cpu, samples)| vec![*cpu; *samples as usize]).collect();
            assert_eq!(written, given);
            assert!(rows.windows(2).all(|two| two[0].0 < two[1].0), "{rows:?}");
        }
    }
}
