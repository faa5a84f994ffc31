//! Recurring maintenance windows: times in which nobody is told of some services.
//!
//! One of the configuration travels with each incident's input. One of the fleet is set by a person and kept by the registry,
//! which carries it to the incidents in the way of its silences ([`crate::alert::Silence::window`]).

use crate::{ServiceName, Span, glob::glob};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The update of the registry that takes a [`Maintenance`], and sets or replaces the window of that name.
pub const UPDATE_SET_MAINTENANCE: &str = "set_maintenance";
/// The update of the registry that takes a [`RemoveMaintenance`].
pub const UPDATE_REMOVE_MAINTENANCE: &str = "remove_maintenance";
/// The query that answers the windows of the fleet: a list of [`Maintenance`], by name.
pub const QUERY_MAINTENANCE: &str = "maintenance";

/// Minutes of a day.
const DAY: u16 = 1_440;
/// Characters of a text that are repeated when it is none of what it should be.
const SHOWN: usize = 60;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    /// The first.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The seventh.
    Sunday,
}

impl Weekday {
    const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];

    /// The word on the wire and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }
}

impl fmt::Display for Weekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text is no day of the week.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no day of the week; write it as \"saturday\", or \"sat\"")]
pub struct WeekdayError(String);

/// As a person types it: the word, or its first three letters.
impl FromStr for Weekday {
    type Err = WeekdayError;

    fn from_str(text: &str) -> Result<Self, WeekdayError> {
        let is_it = |day: &Self| day.as_str() == text || day.as_str().get(..3) == Some(text);
        Self::ALL.into_iter().find(is_it).ok_or_else(|| WeekdayError(text.chars().take(SHOWN).collect()))
    }
}

/// A time of day to the minute, from `00:00` to `23:59`, written like that on every wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

/// A text is no time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time of day (from \"00:00\" to \"23:59\")")]
pub struct TimeOfDayError(String);

impl TimeOfDay {
    /// So many minutes after midnight; `None` from 1440 on.
    pub const fn from_minute(minute: u16) -> Option<Self> {
        if minute < DAY { Some(Self(minute)) } else { None }
    }

    /// Minutes since midnight, 0 to 1439.
    pub const fn minute(self) -> u16 {
        self.0
    }
}

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    fn from_str(text: &str) -> Result<Self, TimeOfDayError> {
        let number = |text: &str, end: u16| {
            let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>().ok().filter(|number| is_plain && *number < end)
        };
        let parts = text.split_once(':');
        let read = parts.and_then(|(hour, minute)| Some(number(hour, 24)? * 60 + number(minute, 60)?));
        read.map(Self).ok_or_else(|| TimeOfDayError(text.chars().take(SHOWN).collect()))
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = TimeOfDayError;

    fn try_from(text: String) -> Result<Self, TimeOfDayError> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A recurring time in which nobody is told of some services. What is still wrong when it ends is told then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceWindow {
    /// What it is called.
    pub name: String,
    /// The days on which it begins; empty: each day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<Weekday>,
    /// When it begins, in minutes since midnight, 0 to 1439. On a day on which the clock skips that minute, it begins when
    /// the clock has skipped.
    pub start_minute: u16,
    /// How long it lasts: at most a week.
    pub length: Span,
    /// The time zone's name in the IANA database, such as `Europe/Zurich`; empty: UTC.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// The services, as patterns; empty: all, and the hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
}

impl MaintenanceWindow {
    /// Whether it is about that service; `None` for something that is no service.
    pub fn covers(&self, service: Option<&ServiceName>) -> bool {
        let is_named = |service: &ServiceName| self.services.iter().any(|pattern| glob(pattern, service.as_str()));
        self.services.is_empty() || service.is_some_and(is_named)
    }
}

/// A window of the fleet: who sets it says this, and whoever asks for the windows is told this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// What it is called; there is one of each name.
    pub name: String,
    /// The days on which it begins; empty: each day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<Weekday>,
    /// When it begins, in its zone.
    pub start: TimeOfDay,
    /// How long it lasts: a minute to a week.
    pub length: Span,
    /// The time zone's name in the IANA database, such as `Europe/Zurich`; empty: UTC.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// The services, as patterns; empty: all, and the hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Who set it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

impl Maintenance {
    /// A window as it is listed with others, of which nobody has said who set it; `None` if its begin is no time of day.
    pub fn of(window: &MaintenanceWindow) -> Option<Self> {
        let MaintenanceWindow { name, weekdays, start_minute, length, zone, services } = window.clone();
        let start = TimeOfDay::from_minute(start_minute)?;
        Some(Self { name, weekdays, start, length, zone, services, by: String::new(), comment: String::new() })
    }

    /// It without who and why.
    pub fn window(&self) -> MaintenanceWindow {
        let Self { name, weekdays, start, length, zone, services, .. } = self.clone();
        MaintenanceWindow { name, weekdays, start_minute: start.minute(), length, zone, services }
    }

    /// What it is about, for people: `each day at 02:00 UTC for 2h, all services and hosts`.
    pub fn sentence(&self) -> String {
        let days: Vec<_> = self.weekdays.iter().map(|day| day.as_str()).collect();
        let days = if days.is_empty() { "day".to_owned() } else { days.join(", ") };
        let zone = if self.zone.is_empty() { "UTC" } else { &self.zone };
        let whom =
            if self.services.is_empty() { "all services and hosts".to_owned() } else { self.services.join(", ") };
        format!("each {days} at {} {zone} for {}, {whom}", self.start, self.length)
    }
}

/// A window of the fleet is not to come back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveMaintenance {
    /// Its name.
    pub name: String,
    /// Who says so.
    #[serde(default)]
    pub by: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_covers_the_services_that_it_names() {
        let mut window: MaintenanceWindow =
            serde_json::from_str(r#"{"name":"w","start_minute":60,"length":"1h","services":["db-*"]}"#).unwrap();
        let service = |name: &str| ServiceName::new(name).ok();
        assert!(window.covers(service("db-1").as_ref()));
        assert!(!window.covers(service("api").as_ref()) && !window.covers(None));
        window.services.clear();
        assert!(window.covers(service("api").as_ref()) && window.covers(None));
    }

    #[test]
    fn a_time_of_day_is_two_digits_each() {
        for (text, minute) in [("00:00", 0), ("02:30", 150), ("23:59", 1_439)] {
            let time: TimeOfDay = text.parse().unwrap();
            assert_eq!((time.minute(), time.to_string().as_str()), (minute, text));
            assert_eq!(TimeOfDay::from_minute(minute), Some(time));
        }
        for text in ["2:30", "24:00", "02:60", "0230", "02:30:00", "+2:30", "", "٠٢:٣٠"] {
            let said = text.parse::<TimeOfDay>().unwrap_err().to_string();
            assert!(said.contains("is not a time of day (from \"00:00\" to \"23:59\")"), "{said}");
        }
        assert_eq!(TimeOfDay::from_minute(1_440), None);
    }

    #[test]
    fn a_day_may_be_typed_short() {
        assert_eq!(("sat".parse(), "sunday".parse()), (Ok(Weekday::Saturday), Ok(Weekday::Sunday)));
        for text in ["s", "satur", "Sat", "someday", ""] {
            assert!(text.parse::<Weekday>().unwrap_err().to_string().contains("write it as \"saturday\""), "{text}");
        }
    }

    #[test]
    fn what_is_typed_by_hand_is_a_window_and_is_told_in_a_sentence() {
        let mut set: Maintenance = serde_json::from_str(
            r#"{"name":"disks","weekdays":["saturday","sunday"],"start":"02:00","length":"2h","zone":"Europe/Zurich","services":["api-*"],"by":"eve"}"#,
        )
        .unwrap();
        assert_eq!(set.sentence(), "each saturday, sunday at 02:00 Europe/Zurich for 2h, api-*");
        assert_eq!(set.window().start_minute, 120);
        assert_eq!(Maintenance::of(&set.window()), Some(Maintenance { by: String::new(), ..set.clone() }));
        (set.weekdays, set.zone, set.services) = (vec![], String::new(), vec![]);
        assert_eq!(set.sentence(), "each day at 02:00 UTC for 2h, all services and hosts");
        let bad = serde_json::from_str::<Maintenance>(r#"{"name":"disks","start":"2am","length":"2h"}"#).unwrap_err();
        assert!(bad.to_string().contains("\"2am\" is not a time of day"), "{bad}");
    }
}
