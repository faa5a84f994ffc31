//! When a certificate ends: the one thing of it that we want to know, read out of its DER (RFC 5280, 4.1; X.690).
//!
//! `Certificate ::= SEQUENCE { TBSCertificate ::= SEQUENCE { [0] version OPTIONAL, serialNumber, signature, issuer,
//! validity ::= SEQUENCE { notBefore, notAfter }, … } … }`. Only certificates that rustls has verified get here.
//!
//! Rejected: a crate for X.509. It reads forty structures for the sake of one date, and none is in the tree.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of its validity in Unix seconds; nothing if it is no certificate.
pub(crate) fn not_after(certificate: &[u8]) -> Option<i64> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest, VERSION)?.1;
    }
    let (_serial, rest) = element(rest, INTEGER)?;
    let (_signature, rest) = element(rest, SEQUENCE)?;
    let (_issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, after_begin) = read(validity)?;
    let kind = *after_begin.first()?;
    let (end, _) = read(after_begin)?;
    time(kind, end)
}

/// The content of the element that `input` begins with, which is of that kind, and what follows it.
fn element(input: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    (input.first() == Some(&kind)).then(|| read(input)).flatten()
}

fn read(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = input.get(1..)?.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// `YYMMDDHHMMSSZ` (years 1950 to 2049) or `YYYYMMDDHHMMSSZ`.
fn time(kind: u8, text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |at: usize, length: usize| -> Option<i64> {
        std::str::from_utf8(digits.get(at..at + length)?).ok()?.parse().ok()
    };
    let (year, at) = match (kind, digits.len()) {
        (UTC_TIME, 12) => {
            let year = number(0, 2)?;
            (if year < 50 { 2_000 + year } else { 1_900 + year }, 2)
        }
        (GENERALIZED_TIME, 14) => (number(0, 4)?, 4),
        _ => return None,
    };
    let (month, day) = (number(at, 2)?, number(at + 2, 2)?);
    let (hour, minute, second) = (number(at + 4, 2)?, number(at + 6, 2)?, number(at + 8, 2)?);
    let is_time = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    is_time.then(|| days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Days since 1970-01-01 (Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn certificate(year: i32, month: u8, day: u8) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, month, day);
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_of_a_certificate_is_found() {
        for (year, month, day, seconds) in [
            (2030, 1, 2, 1_893_542_400),
            (2049, 12, 31, 2_524_521_600_i64),
            (2050, 1, 1, 2_524_608_000),
            (2400, 2, 29, 13_574_563_200),
        ] {
            assert_eq!(not_after(&certificate(year, month, day)), Some(seconds), "{year}");
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(time(UTC_TIME, b"700101000000Z"), Some(0));
        assert_eq!(time(UTC_TIME, b"500101000000Z"), Some(-631_152_000));
        assert_eq!(time(GENERALIZED_TIME, b"99991231235959Z"), Some(253_402_300_799));
        for bad in [&b"700101000000"[..], b"701301000000Z", b"700100000000Z", b"70010100000+Z", b"", b"Z"] {
            assert_eq!(time(UTC_TIME, bad), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            not_after(&bytes);
        }

        #[test]
        fn no_damage_to_a_certificate_panics(at in 0..200_usize, to: u8, cut in 0..300_usize) {
            let mut bytes = certificate(2030, 1, 2);
            bytes[at] = to;
            not_after(&bytes);
            bytes.truncate(cut);
            not_after(&bytes);
        }

        #[test]
        fn a_day_later_is_a_day_more(year in 1_000..9_999_i64, month in 1..13_i64, day in 1..28_i64) {
            prop_assert_eq!(days(year, month, day + 1), days(year, month, day) + 1);
        }
    }
}
