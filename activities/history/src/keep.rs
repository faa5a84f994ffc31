//! What is kept, for how long and in how much space. Pure: answers when to sum up, what to forget, and what to forget first
//! when the bound is reached.
//!
//! Samples age in three steps: as they came, five minutes, an hour. Each step is forgotten only after it was summed up.
//! Rejected: forgetting the oldest of everything when space runs short. A month of outages is smaller than an hour of
//! samples, and is what people come for.

use dixmgr_contract::{Span, Time};

/// Milliseconds in the first step of summing up.
pub const FIVE_MINUTES: i64 = 300_000;
/// Milliseconds in the second.
pub(crate) const HOUR: i64 = 3_600_000;
/// A sample may be written this much later than it was taken and is still summed up: who takes them may gather a minute's, and the
/// writer does half a minute's.
const GRACE: i64 = 120_000;
/// At most so much is summed up in one transaction.
const AT_ONCE: i64 = 6;
const DAY: i64 = 24 * HOUR;

/// How long and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Everything: `[history] retention`. At least an hour.
    pub all: Span,
    /// Samples as they came.
    pub raw: Span,
    /// Samples summed up to five minutes.
    pub five_minutes: Span,
    /// What the file may have, in bytes; at least 4 MiB. For SQLite alone: a server does not give back the space of what
    /// is deleted, and has an owner of its own.
    pub bytes: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            all: Span::from_secs(30 * 86_400),
            raw: Span::from_secs(2 * 3_600),
            five_minutes: Span::from_secs(7 * 86_400),
            bytes: 1 << 30,
        }
    }
}

impl Keep {
    pub(crate) fn bounded(self) -> Self {
        Self { all: self.all.max(Span::from_secs(3_600)), bytes: self.bytes.max(4 << 20), ..self }
    }
}

/// What is forgotten together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Raw,
    FiveMinutes,
    Hours,
    /// Everything but samples.
    Events,
}

impl Part {
    /// In the order in which they are given up.
    pub(crate) const ALL: [Self; 4] = [Self::Raw, Self::FiveMinutes, Self::Hours, Self::Events];

    /// The `step` of its samples.
    pub(crate) const fn step(self) -> Option<i64> {
        match self {
            Self::Raw => Some(0),
            Self::FiveMinutes => Some(FIVE_MINUTES),
            Self::Hours => Some(HOUR),
            Self::Events => None,
        }
    }

    /// How much of it is deleted in one transaction: with a thousand services some ten thousand rows.
    const fn slice(self) -> i64 {
        match self {
            Self::Raw => FIVE_MINUTES,
            Self::FiveMinutes => 6 * HOUR,
            Self::Hours => 3 * DAY,
            Self::Events => DAY,
        }
    }

    /// What stays even if space is short.
    const fn least(self) -> i64 {
        match self {
            Self::Raw => 2 * FIVE_MINUTES,
            Self::FiveMinutes => 3 * HOUR,
            Self::Hours | Self::Events => DAY,
        }
    }
}

/// Up to where samples are summed up, exclusive; absent if nothing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rolled {
    pub(crate) five_minutes: Option<i64>,
    pub(crate) hours: Option<i64>,
}

/// What is to be summed up next to `step` (from, to), if anything is. `oldest` is the first of what it is summed up from.
pub(crate) fn due(step: i64, rolled: Rolled, oldest: Option<i64>, now: Time) -> Option<(i64, i64)> {
    let floor = |at: i64| at - at.rem_euclid(step);
    let (done, complete) = match step {
        HOUR => (rolled.hours, rolled.five_minutes?),
        _ => (rolled.five_minutes, now.unix_millis() - GRACE),
    };
    let from = floor(oldest?).max(done.unwrap_or(i64::MIN));
    let to = floor(complete).min(from.saturating_add(AT_ONCE * step));
    (from < to).then_some((from, to))
}

/// Before when a part is forgotten.
pub(crate) fn cut(part: Part, keep: &Keep, rolled: Rolled, now: Time) -> i64 {
    let age = |span: Span| now.earlier(span.min(keep.all)).unix_millis();
    match part {
        Part::Raw => age(keep.raw).min(rolled.five_minutes.unwrap_or(0)),
        Part::FiveMinutes => age(keep.five_minutes).min(rolled.hours.unwrap_or(0)),
        Part::Hours | Part::Events => age(keep.all),
    }
}

/// How far to go in one transaction on the way to `before`.
pub(crate) fn slice(part: Part, oldest: i64, before: i64) -> i64 {
    before.min(oldest.saturating_add(part.slice()))
}

/// What to give up when the bound is reached: a quarter of the first part that has more than the least. `oldest` is in the
/// order of [`Part::ALL`].
pub(crate) fn shrink(oldest: [Option<i64>; 4], now: Time) -> Option<(Part, i64)> {
    Part::ALL.into_iter().zip(oldest).find_map(|(part, oldest)| {
        let (oldest, end) = (oldest?, now.unix_millis() - part.least());
        let quarter = end.saturating_sub(oldest) / 4;
        (oldest < end).then(|| (part, (oldest + quarter.max(part.slice())).min(end)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Time {
        Time::from_unix_millis(millis)
    }

    #[test]
    fn only_what_is_over_is_summed_up() {
        let none = Rolled::default();
        assert_eq!(due(FIVE_MINUTES, none, Some(650_000), at(899_999 + GRACE)), None);
        assert_eq!(due(FIVE_MINUTES, none, Some(650_000), at(900_000 + GRACE)), Some((600_000, 900_000)));
        let rolled = Rolled { five_minutes: Some(HOUR + FIVE_MINUTES), hours: None };
        assert_eq!(due(HOUR, rolled, Some(600_000), at(9 * HOUR)), Some((0, HOUR)));
    }

    #[test]
    fn samples_are_not_forgotten_before_they_are_summed_up() {
        let (keep, now) = (Keep::default(), at(100 * DAY));
        assert_eq!(cut(Part::Raw, &keep, Rolled::default(), now), 0);
        let rolled = Rolled { five_minutes: Some(100 * DAY - HOUR), hours: Some(DAY) };
        assert_eq!(cut(Part::Raw, &keep, rolled, now), 100 * DAY - 2 * HOUR);
        assert_eq!(cut(Part::FiveMinutes, &keep, rolled, now), DAY);
        assert_eq!(cut(Part::Events, &keep, rolled, now), 70 * DAY);
    }

    #[test]
    fn samples_go_before_anything_else() {
        let now = at(100 * DAY);
        let old = Some(DAY);
        assert_eq!(shrink([old; 4], now).map(|(part, _)| part), Some(Part::Raw));
        assert_eq!(shrink([Some(100 * DAY), None, None, old], now).map(|(part, _)| part), Some(Part::Events));
        assert_eq!(shrink([Some(100 * DAY); 4], now), None);
    }

    proptest! {
        #[test]
        fn everything_is_summed_up_once_and_in_order(
            first in 0..HOUR,
            spans in proptest::collection::vec(1..20 * FIVE_MINUTES, 1..20),
        ) {
            let (mut rolled, mut now) = (Rolled::default(), first);
            let mut next = None;
            for span in spans {
                now += span;
                while let Some((from, to)) = due(FIVE_MINUTES, rolled, Some(first), at(now)) {
                    prop_assert_eq!(from, next.unwrap_or(first - first % FIVE_MINUTES));
                    prop_assert!(to <= now - GRACE && to % FIVE_MINUTES == 0);
                    next = Some(to);
                    rolled.five_minutes = next;
                }
                prop_assert!(now - next.unwrap_or(now) < FIVE_MINUTES + GRACE);
            }
        }

        #[test]
        fn giving_up_ends_and_leaves_the_newest(ages in proptest::array::uniform4(proptest::option::of(0..400 * DAY))) {
            let now = at(400 * DAY);
            let mut oldest = ages.map(|age| age.map(|age| 400 * DAY - age));
            let mut rounds = 0;
            while let Some((part, before)) = shrink(oldest, now) {
                let index = Part::ALL.iter().position(|it| *it == part).unwrap();
                prop_assert!(oldest[index].unwrap() < before && before <= now.unix_millis() - part.least());
                oldest[index] = Some(before);
                rounds += 1;
                prop_assert!(rounds < 200);
            }
        }
    }
}
