//! What came back over HTTP, and what it means for the note: accepted, later, or refused.
//!
//! The rule of all channels: 2xx is accepted; 408, 425, 429 and 5xx may be tried again, not before the channel says; the
//! rest is a refusal, of which time alone is no cure. (As Alertmanager has it, but for 429, which it gives up on, and people's notes
//! with it; and but for what a refusal means, which is for the incident to say.) A redirect is a refusal too: where it leads was not
//! configured, and our key is not for whoever is there.

use dixmgr_contract::{Delivery, Span, Time};
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::Value;

/// The longest time that a channel may ask for, between two tries.
const LONGEST: Span = Span::from_secs(86_400);
/// The longest `Retry-After` that is read, in bytes.
const MAX_HEADER: usize = 64;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status, 100 to 999.
    pub(crate) status: u16,
    /// Its header `Retry-After`, if it can be read.
    pub(crate) after: Option<Span>,
    /// The body; none if it broke off or is longer than is read.
    pub(crate) body: Option<Vec<u8>>,
}

impl Answer {
    pub(crate) fn is_accepted(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON; null if it is none.
    pub(crate) fn json(&self) -> Value {
        self.body.as_deref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default()
    }

    /// The body, if it is a short text.
    pub(crate) fn text(&self) -> &str {
        let body = self.body.as_deref().filter(|body| body.len() <= 256).unwrap_or_default();
        std::str::from_utf8(body).unwrap_or_default().trim()
    }

    /// What it means, if nothing more is known; `why` is what the channel says in words of ours, or nothing.
    pub(crate) fn judge(&self, who: &str, why: &str) -> Delivery {
        let status = self.status;
        let why = if why.is_empty() { meaning(status) } else { why };
        let reason = format!("{who} answered {status}{}{why}", if why.is_empty() { "" } else { ": " });
        match status {
            200..=299 => sent(""),
            408 | 425 | 429 | 500..=599 => Delivery::Retry { reason, after: self.after },
            _ => refused(reason),
        }
    }
}

const fn meaning(status: u16) -> &'static str {
    match status {
        300..=399 => "it has moved; redirects are not followed, put the new URL into the configuration",
        400 => "it does not understand the note",
        401 | 403 => "it does not accept the credentials",
        404 => "there is nothing at that URL",
        410 => "it is gone for good",
        413 => "the note is too long for it",
        429 => "too many notes",
        _ => "",
    }
}

pub(crate) fn sent(thread: impl Into<String>) -> Delivery {
    Delivery::Sent { thread: thread.into() }
}

pub(crate) fn retry(reason: impl Into<String>) -> Delivery {
    Delivery::Retry { reason: reason.into(), after: None }
}

pub(crate) fn refused(reason: impl Into<String>) -> Delivery {
    Delivery::Refused { reason: reason.into() }
}

/// The `Retry-After` of RFC 9110, section 10.2.3: seconds or a date; at most a day.
pub(crate) fn retry_after(header: &str, now: Time) -> Option<Span> {
    let header = header.trim();
    if header.is_empty() || header.len() > MAX_HEADER {
        return None;
    }
    if header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(header.parse().map_or(LONGEST, Span::from_secs).min(LONGEST));
    }
    // Some send a fraction.
    if let Ok(number) = header.parse::<f64>() {
        return seconds(number);
    }
    let date = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(header).ok()?;
    Some(Time::from_unix_millis(date.as_millisecond()).since(now).min(LONGEST))
}

/// Seconds that may have a fraction, rounded up to milliseconds; at most a day.
pub(crate) fn seconds(number: f64) -> Option<Span> {
    if !number.is_finite() || number < 0.0 {
        return None;
    }
    let millis = (number * 1_000.0).ceil().min(86_400_000.0);
    // In range: 0 to a day.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Some(Span::from_millis(millis as u64))
}

/// The later of what the header and the body ask for.
pub(crate) fn later(header: Option<Span>, body: Option<Span>) -> Option<Span> {
    header.max(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: &str = "2015-10-21T07:27:00.000Z";

    fn after(header: &str) -> Option<u64> {
        retry_after(header, Time::try_from(NOW.to_owned()).unwrap()).map(Span::as_millis)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        for (header, millis) in [
            ("0", Some(0)),
            (" 30 ", Some(30_000)),
            ("1.5", Some(1_500)),
            ("86401", Some(86_400_000)),
            ("99999999999999999999999", Some(86_400_000)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(60_000)),
            // The weekday is wrong, the date is not.
            ("Mon, 21 Oct 2015 07:28:00 GMT", Some(60_000)),
            ("Wed, 21 Oct 2015 07:26:00 GMT", Some(0)),
            ("Thu, 31 Dec 9998 23:59:59 GMT", Some(86_400_000)),
            ("", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("soon", None),
            ("Wed, 21 Oct", None),
            ("0x10", None),
        ] {
            assert_eq!(after(header), millis, "{header}");
        }
        assert_eq!(after(&format!("{}1", "0".repeat(64))), None);
    }

    #[test]
    fn seconds_in_a_body_are_rounded_up_and_bounded() {
        for (number, millis) in [
            (0.0, Some(0)),
            (0.0001, Some(1)),
            (1.25, Some(1_250)),
            (1e300, Some(86_400_000)),
            (-0.5, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(seconds(number).map(Span::as_millis), millis, "{number}");
        }
    }

    #[test]
    fn the_status_says_whether_to_try_again() {
        let judge = |status| Answer { status, after: Some(Span::from_secs(7)), body: None }.judge("it", "");
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(judge(status), sent(""), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            let Delivery::Retry { reason, after } = judge(status) else { panic!("{status}") };
            assert_eq!(after, Some(Span::from_secs(7)));
            assert!(reason.starts_with(&format!("it answered {status}")), "{reason}");
        }
        for status in [100, 301, 302, 307, 308, 400, 401, 403, 404, 405, 410, 413, 422, 600, 999] {
            assert!(matches!(judge(status), Delivery::Refused { .. }), "{status}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_ignored(header in "\\PC{0,40}", now in any::<i64>()) {
            let after = retry_after(&header, Time::from_unix_millis(now));
            prop_assert!(after.is_none_or(|after| after <= LONGEST));
        }

        #[test]
        fn any_number_is_read_or_ignored(number in any::<f64>()) {
            prop_assert!(seconds(number).is_none_or(|span| span <= LONGEST));
        }
    }
}
