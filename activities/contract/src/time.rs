//! A moment, given from outside. There is no `now()` here on purpose.

use crate::Span;
use serde::{Deserialize, Serialize};
use std::{fmt, time::SystemTime};

/// A moment with millisecond resolution, written as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Time(i64);

impl Time {
    /// From milliseconds since 1970-01-01T00:00:00Z, kept within the years 1970 to 9999.
    pub fn from_unix_millis(millis: i64) -> Self {
        const YEAR_9999: i64 = 253_402_207_200_000;
        Self(millis.clamp(0, YEAR_9999))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// This moment and `span` later.
    pub fn after(self, span: Span) -> Self {
        Self::from_unix_millis(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment and `span` earlier.
    pub fn earlier(self, span: Span) -> Self {
        Self::from_unix_millis(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Span {
        Span::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let millis = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis());
        Self::from_unix_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(stamp) => write!(f, "{stamp:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl TryFrom<String> for Time {
    type Error = jiff::Error;
    fn try_from(text: String) -> Result<Self, jiff::Error> {
        Ok(Self::from_unix_millis(text.parse::<jiff::Timestamp>()?.as_millisecond()))
    }
}

impl From<Time> for String {
    fn from(time: Time) -> String {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn is_written_as_rfc_3339() {
        assert_eq!(Time::from_unix_millis(1_700_000_000_123).to_string(), "2023-11-14T22:13:20.123Z");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in any::<i64>()) {
            let time = Time::from_unix_millis(millis);
            prop_assert_eq!(Time::try_from(String::from(time)).unwrap(), time);
        }
    }
}
