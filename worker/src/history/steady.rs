//! Samples that are alike are one row.
//!
//! A service that rests uses the same for hours, and writing that down each time would cost as much as measuring it. The first sample
//! of a kind is a row at once; those after it that are the same are one row a minute, which says how many they are. None is of two
//! of the five minutes that are summed up, so that averages come out as if each sample had a row.

use dixmgr_contract::{Span, Time};
use dixmgr_history::{FIVE_MINUTES, Usage};

/// So long at most samples are gathered.
const GATHER: Span = Span::from_secs(60);

/// What a service has used lately.
#[derive(Debug, Default)]
pub(super) struct Steady {
    last: Option<Usage>,
    /// Samples like the last one that are not written down yet.
    more: u32,
    /// When the last one was taken.
    until: Time,
    /// When the last one was written down.
    written: Time,
}

/// Samples that are one row: when the last of them was taken, and how many they are.
pub(super) type Row = (Time, Usage, u32);

impl Steady {
    /// Takes in a sample, or that there is none. What is to be written down now.
    pub(super) fn take(&mut self, usage: Option<Usage>, at: Time) -> [Option<Row>; 2] {
        let five_minutes = |at: Time| at.unix_millis().div_euclid(FIVE_MINUTES);
        let before =
            if usage != self.last || five_minutes(at) != five_minutes(self.until) { self.gather() } else { None };
        self.until = at;
        if usage.is_none() || usage != self.last {
            (self.last, self.written) = (usage, at);
            return [before, usage.map(|usage| (at, usage, 1))];
        }
        self.more += 1;
        // The clock may be set back.
        let is_enough = at < self.written || at.since(self.written) >= GATHER;
        [before, if is_enough { self.gather() } else { None }]
    }

    /// What waits to be written down.
    pub(super) fn gather(&mut self) -> Option<Row> {
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
    fn a_clock_that_is_set_back_does_not_hold_it_up() {
        let times = [0, 100, 10, 15, 20, 75];
        let expected = [(0, 1.0, 1), (100, 1.0, 1), (10, 1.0, 1), (75, 1.0, 3)];
        assert_eq!(rows(times.map(|second| (second, usage(1.0)))), expected);
    }

    #[test]
    fn each_sample_counts_once_in_its_own_five_minutes() {
        let bucket = |second: u64| second / 300;
        // All ways to go through nothing and two figures, seven samples long.
        for (mut way, apart) in (0..3_u64.pow(7)).flat_map(|way| [25, 70, 110].map(|apart| (way, apart))) {
            let mut samples = Vec::new();
            for number in 0..7 {
                let second = 200 + number * apart;
                samples.push((second, [None, usage(1.0), usage(2.0)][usize::try_from(way % 3).unwrap()]));
                way /= 3;
            }
            let given = samples.iter().filter_map(|(at, usage)| Some((bucket(*at), usage.as_ref()?.cpu_percent)));
            let given: Vec<_> = given.collect();
            let rows = rows(samples.into_iter().chain([(9_999, None)]));
            let one = |(at, cpu, samples): &(u64, f64, u32)| vec![(bucket(*at), *cpu); *samples as usize];
            assert_eq!(rows.iter().flat_map(one).collect::<Vec<_>>(), given);
            assert!(rows.windows(2).all(|two| two[0].0 < two[1].0), "{rows:?}");
        }
    }
}
