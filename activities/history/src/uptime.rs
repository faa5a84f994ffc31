//! How long a service was up, out of the times that are kept of it. Pure: the window is an argument.
//!
//! Time of which nothing is known is neither up nor down: it is counted apart and left out of the percentage, and so is what
//! a person has switched off. An outage goes on over unknown time until something says that the service is up again: a
//! restart of dixmgr in the middle of an outage does not make two of it.
//!
//! Terms as in IEC 60050-192: mean operating time between failures (192-05-13), mean time to restoration (192-07-23).

use crate::State;
use dixmgr_contract::{Span, Time};
use serde::Serialize;

/// A service's time in a window, in parts that add up to the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Uptime {
    /// It ran.
    pub up: Span,
    /// It should have run and did not.
    pub down: Span,
    /// It was watched, but nobody knows: dixmgr did not run, or could not ask.
    pub unknown: Span,
    /// It was switched off by a person.
    pub off: Span,
    /// Before it was first watched, and after it was last.
    pub unwatched: Span,
    /// Outages that began in the window.
    pub outages: u64,
    /// Outages that ended in the window with the service up again.
    pub restored: u64,
    /// How long those lasted together, from their beginning on, even where that was before the window.
    pub outage_time: Span,
}

impl Uptime {
    /// Up, of the time in which it was known to be up or down; 0 to 100. Absent if nothing is known.
    pub fn percent(&self) -> Option<f64> {
        let (up, down) = (self.up.as_millis(), self.down.as_millis());
        #[expect(clippy::cast_precision_loss, reason = "exact up to 285,000 years")]
        (up + down > 0).then(|| up as f64 * 100.0 / (up + down) as f64)
    }

    /// Mean operating time between failures: up time by outages that began. Absent without an outage.
    pub fn mtbf(&self) -> Option<Span> {
        self.up.as_millis().checked_div(self.outages).map(Span::from_millis)
    }

    /// Mean time to restoration, of the outages that ended. Absent if none has.
    pub fn mttr(&self) -> Option<Span> {
        self.outage_time.as_millis().checked_div(self.restored).map(Span::from_millis)
    }
}

/// Adds up intervals, which come in the order of their beginnings. Where they overlap, the earlier one counts.
pub(crate) struct Meter {
    from: i64,
    to: i64,
    /// All before it is counted.
    cursor: i64,
    watched: bool,
    /// Up, down, unknown, off, unwatched: milliseconds.
    parts: [i64; 5],
    outage: Option<Outage>,
    sum: Uptime,
}

struct Outage {
    began: i64,
    /// The end of its last part that is known to be down.
    ended: i64,
}

const UNKNOWN: usize = 2;
const UNWATCHED: usize = 4;

impl Meter {
    /// A window; empty if `to` is not after `from`.
    pub(crate) fn new(from: Time, to: Time) -> Self {
        let (from, to) = (from.unix_millis(), to.unix_millis().max(from.unix_millis()));
        Self { from, to, cursor: from, watched: false, parts: [0; 5], outage: None, sum: Uptime::default() }
    }

    /// The next interval. One that lasts still has no end. One that ended before the window counts for nothing, but an outage goes on
    /// from there if nobody knows what came next.
    pub(crate) fn add(&mut self, state: State, began: Time, ended: Option<Time>) {
        let (began, ended) = (began.unix_millis(), ended.map_or(self.to, Time::unix_millis));
        if began < self.from && ended <= self.from {
            self.outage = (state == State::Down).then_some(Outage { began, ended });
            return;
        }
        let (start, end) = (began.max(self.cursor).min(self.to), ended.min(self.to));
        if end < start || (end == start && began < start) || began >= self.to {
            return;
        }
        self.parts[if self.watched { UNKNOWN } else { UNWATCHED }] += start - self.cursor;
        self.watched = true;
        self.follow(state, start, began, ended);
        self.parts[match state {
            State::Up => 0,
            State::Down => 1,
            State::Unknown => UNKNOWN,
            State::Off => 3,
        }] += end - start;
        self.cursor = end;
    }

    fn follow(&mut self, state: State, start: i64, began: i64, ended: i64) {
        match (state, self.outage.as_mut()) {
            (State::Down, Some(outage)) => outage.ended = ended,
            (State::Down, None) => {
                self.sum.outages += u64::from(began >= self.from);
                self.outage = Some(Outage { began, ended });
            }
            (State::Up, Some(outage)) => {
                // It may have been up since before the window.
                if began >= self.from {
                    let lasted = span(outage.ended.min(start) - outage.began);
                    self.sum.restored += 1;
                    self.sum.outage_time = span_sum(self.sum.outage_time, lasted);
                }
                self.outage = None;
            }
            (State::Off, _) => self.outage = None,
            (State::Unknown, _) | (State::Up, None) => {}
        }
    }

    /// Anything is known of the window.
    pub(crate) const fn is_watched(&self) -> bool {
        self.watched
    }

    /// What it comes to.
    pub(crate) fn done(mut self) -> Uptime {
        self.parts[UNWATCHED] += self.to - self.cursor;
        let [up, down, unknown, off, unwatched] = self.parts.map(span);
        Uptime { up, down, unknown, off, unwatched, ..self.sum }
    }
}

fn span(millis: i64) -> Span {
    Span::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn span_sum(a: Span, b: Span) -> Span {
    Span::from_millis(a.as_millis().saturating_add(b.as_millis()))
}

#[cfg(test)]
#[path = "uptime_tests.rs"]
mod tests;
