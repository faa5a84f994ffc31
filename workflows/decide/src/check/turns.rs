//! Whose turn it is: which of the probes that are due are asked now, while others are being asked.
//!
//! So many are asked at a time, and no more. An endpoint that does not answer keeps its place until its time-out, which may be
//! minutes: some hundreds of them would keep all places from those that answer at once. So whoever hung when it was last asked
//! waits in a line of its own, for a few places that are kept for that line.
//!
//! Rejected: one line in which those that hung come last. They would still take what is free, and then keep it.

use dixmgr_contract::Time;
use std::collections::BTreeSet;

/// Where a probe waits for its turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Line {
    /// Nothing is known against it.
    #[default]
    Prompt,
    /// Its last look ended without an answer, and took long.
    Hung,
}

/// Looks that are made at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Of the line of the prompt; 1 or more.
    pub prompt: usize,
    /// Of those that hung; 1 or more.
    pub hung: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self { prompt: 256, hung: 128 }
    }
}

/// Both lines. Probes are known by a number.
#[derive(Clone, Debug)]
pub struct Turns {
    prompt: Waiting,
    hung: Waiting,
}

#[derive(Clone, Debug)]
struct Waiting {
    due: BTreeSet<(Time, usize)>,
    free: usize,
}

impl Waiting {
    const fn new(places: usize) -> Self {
        Self { due: BTreeSet::new(), free: places }
    }

    /// Who is next, if there is a place.
    fn first(&self) -> Option<(Time, usize)> {
        self.due.first().copied().filter(|_| self.free > 0)
    }
}

impl Turns {
    /// Nobody waits, and all places are free.
    pub const fn new(places: Places) -> Self {
        Self { prompt: Waiting::new(places.prompt), hung: Waiting::new(places.hung) }
    }

    /// A probe is due at that moment. To say it twice is as good as once.
    pub fn plan(&mut self, probe: usize, line: Line, at: Time) {
        self.of(line).due.insert((at, probe));
    }

    /// The next that is due and has a place, which is taken with it: [`Turns::end`] gives it back, also if it is not asked
    /// after all.
    pub fn begin(&mut self, now: Time) -> Option<(usize, Line)> {
        let (first, line) = self.next().filter(|((at, _), _)| *at <= now)?;
        let waiting = self.of(line);
        waiting.due.remove(&first);
        waiting.free -= 1;
        Some((first.1, line))
    }

    /// A place of the line is free again.
    pub fn end(&mut self, line: Line) {
        self.of(line).free += 1;
    }

    /// When somebody is due who has a place; nothing if nobody is before a look ends.
    pub fn wake_at(&self) -> Option<Time> {
        self.next().map(|((at, _), _)| at)
    }

    fn next(&self) -> Option<((Time, usize), Line)> {
        let prompt = self.prompt.first().map(|first| (first, Line::Prompt));
        let hung = self.hung.first().map(|first| (first, Line::Hung));
        prompt.into_iter().chain(hung).min_by_key(|(first, _)| *first)
    }

    const fn of(&mut self, line: Line) -> &mut Waiting {
        match line {
            Line::Prompt => &mut self.prompt,
            Line::Hung => &mut self.hung,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_contract::Span;

    fn at(seconds: u64) -> Time {
        Time::from_unix_millis(1_000_000).after(Span::from_secs(seconds))
    }

    fn begun(turns: &mut Turns, now: Time) -> Vec<usize> {
        std::iter::from_fn(|| turns.begin(now)).map(|(probe, _)| probe).collect()
    }

    #[test]
    fn those_that_hung_wait_for_each_other_and_nobody_else_does() {
        let mut turns = Turns::new(Places { prompt: 2, hung: 1 });
        for probe in 0..5 {
            turns.plan(probe, Line::Hung, at(0));
        }
        turns.plan(7, Line::Prompt, at(1));
        assert_eq!(begun(&mut turns, at(0)), [0]);
        assert_eq!(turns.wake_at(), Some(at(1)), "those that wait for a place wake nobody");
        assert_eq!(turns.begin(at(1)), Some((7, Line::Prompt)));
        assert_eq!(turns.wake_at(), None);
        turns.end(Line::Prompt);
        assert_eq!(turns.begin(at(2)), None, "its place is not for them");
        turns.end(Line::Hung);
        assert_eq!(begun(&mut turns, at(2)), [1]);
    }

    #[test]
    fn the_one_that_is_due_first_is_asked_first() {
        let mut turns = Turns::new(Places::default());
        for (probe, line, seconds) in
            [(1, Line::Prompt, 3), (2, Line::Hung, 2), (3, Line::Prompt, 1), (4, Line::Hung, 9)]
        {
            turns.plan(probe, line, at(seconds));
            turns.plan(probe, line, at(seconds));
        }
        assert_eq!(turns.wake_at(), Some(at(1)));
        assert_eq!(begun(&mut turns, at(3)), [3, 2, 1]);
        assert_eq!(turns.wake_at(), Some(at(9)));
    }

    #[test]
    fn no_more_are_asked_at_a_time_than_there_are_places() {
        let mut turns = Turns::new(Places { prompt: 3, hung: 2 });
        for probe in 0..10 {
            turns.plan(probe, if probe < 5 { Line::Hung } else { Line::Prompt }, at(0));
        }
        assert_eq!(begun(&mut turns, at(0)), [0, 1, 5, 6, 7]);
        assert_eq!(turns.wake_at(), None);
    }
}
