//! One height over time: does it move, and for how long has it not?
//!
//! Time is counted from sighting to sighting, each step at most as long as a sighting is news. A host that slept, a clock
//! that jumped or a node that could not be asked for an hour therefore makes no stall of an hour out of nothing.
//!
//! A height moves when it exceeds the highest one that was counted. It may fall, by a reorganisation or a
//! synchronisation from scratch: then two rises in a row count as well, which the nodes behind a load balancer that all
//! stand still, and answer in turns, do not have unless they are three.
//!
//! Rejected: any change is a move. A node that dies and is rolled back to the same block again and again would move.

use dixmgr_contract::{Motion, Span, Time};
use serde::{Deserialize, Serialize};

/// What is higher is nobody's height: a gauge could not even hold it exactly.
pub(super) const MAX_HEIGHT: u64 = 1 << 53;

/// A height over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Track {
    /// The last one seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<u64>,
    /// What has to be exceeded.
    #[serde(default)]
    mark: u64,
    /// How often in a row it rose without exceeding that.
    #[serde(default)]
    rises: u8,
    /// It was seen to move.
    #[serde(default)]
    pub(super) grew: bool,
    /// How long it has not moved.
    #[serde(default)]
    pub(super) standing: Span,
    /// When it was seen last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<Time>,
}

impl Track {
    /// Takes in a sighting. `works`: something else says that the node makes progress. True if the height moved.
    pub(super) fn see(&mut self, height: Option<u64>, works: bool, now: Time, longest_step: Span) -> bool {
        let Some(height) = sane(height) else { return false };
        let moved = self.moves_to(height);
        self.grew |= moved;
        let step = self.seen.map_or(Span::ZERO, |seen| now.since(seen)).min(longest_step);
        self.standing = if moved || works { Span::ZERO } else { plus(self.standing, step) };
        self.seen = Some(now);
        moved
    }

    /// When it was seen last, if that is news.
    pub(super) fn is_news(&self, now: Time, valid_for: Span) -> bool {
        self.seen.is_some_and(|seen| now.since(seen) <= valid_for)
    }

    /// Whether it moves, if it has not moved for `since` and `stall` is too long.
    pub(super) fn motion(&self, since: Span, stall: Span) -> Motion {
        match (since >= stall, self.grew) {
            (true, _) => Motion::Stands,
            (false, true) => Motion::Moves,
            (false, false) => Motion::Unknown,
        }
    }

    fn moves_to(&mut self, height: u64) -> bool {
        let Some(last) = self.last.replace(height) else {
            self.mark = height;
            return false;
        };
        self.rises = if height > last {
            self.rises.saturating_add(1)
        } else if height < last {
            0
        } else {
            self.rises
        };
        let moved = height > self.mark || (height > last && self.rises >= 2);
        if moved {
            self.mark = height;
        }
        moved
    }
}

/// The height, if it can be one.
pub(super) fn sane(height: Option<u64>) -> Option<u64> {
    height.filter(|height| *height <= MAX_HEIGHT)
}

pub(super) fn plus(one: Span, other: Span) -> Span {
    one.duration().saturating_add(other.duration()).into()
}

pub(super) fn minus(one: Span, other: Span) -> Span {
    one.duration().saturating_sub(other.duration()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Span = Span::from_secs(1_000);

    /// How long it stands after these heights, one a minute.
    fn after(heights: &[u64]) -> u64 {
        let (mut track, mut now) = (Track::default(), Time::from_unix_millis(1_000));
        for height in heights {
            now = now.after(Span::from_secs(60));
            track.see(Some(*height), false, now, LONG);
        }
        track.standing.as_millis() / 60_000
    }

    #[test]
    fn what_grows_moves_and_what_does_not_stands() {
        assert_eq!(after(&[5]), 0);
        assert_eq!(after(&[5, 6]), 0);
        assert_eq!(after(&[5, 6, 6, 6]), 2);
        assert_eq!(after(&[5, 6, 6, 7]), 0);
        assert_eq!(after(&[7, 6, 5]), 2);
    }

    #[test]
    fn after_a_fall_two_rises_are_a_move() {
        assert_eq!(after(&[100, 90, 91]), 2);
        assert_eq!(after(&[100, 90, 91, 92]), 0);
        assert_eq!(after(&[100, 90, 91, 92, 93, 94]), 0);
        assert_eq!(after(&[100, 90, 91, 91, 92]), 0);
    }

    #[test]
    fn two_nodes_that_stand_behind_a_balancer_do_not_move() {
        assert_eq!(after(&[100, 101, 100, 101, 100, 101, 100]), 5);
    }

    #[test]
    fn a_long_silence_is_no_long_stall_and_a_clock_that_goes_back_is_harmless() {
        let (mut track, start) = (Track::default(), Time::from_unix_millis(1_000_000));
        let longest = Span::from_secs(120);
        track.see(Some(5), false, start, longest);
        track.see(Some(5), false, start.after(Span::from_secs(36_000)), longest);
        assert_eq!(track.standing, longest);
        track.see(Some(5), false, start, longest);
        assert_eq!(track.standing, longest);
    }

    #[test]
    fn an_absurd_height_is_not_seen() {
        let (mut track, now) = (Track::default(), Time::from_unix_millis(1_000));
        assert!(!track.see(Some(u64::MAX), false, now, LONG) && !track.see(None, false, now, LONG));
        assert_eq!(track, Track::default());
    }
}
