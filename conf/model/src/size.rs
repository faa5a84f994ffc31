//! Sizes in bytes, as people write them: `"1GiB"`, `"500MB"`, or a number of bytes.

use crate::{form::shown, problem::Complaint};
use serde::{Deserialize, Deserializer, de::Error};

/// From the largest, those of 1024 before those of 1000.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

/// The bytes of a text; without a unit it counts bytes.
fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit.trim_start() {
        "" => 1,
        unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

/// Checks a text against bounds, both included; with `private` a complaint does not repeat it.
pub(crate) fn size(text: &str, private: bool, min: u64, max: u64) -> Result<u64, Complaint> {
    let range = || format!("{} to {}", plain(min), plain(max));
    let what = if private { "its value".to_owned() } else { shown(text) };
    match parse(text) {
        Some(bytes) if (min..=max).contains(&bytes) => Ok(bytes),
        Some(_) => Err(Complaint::new(format!("{what} is out of range")).hint(range())),
        None => Err(Complaint::new(format!("{what} is not a size")).hint("such as \"500MiB\" or \"2GiB\"")),
    }
}

/// A bound for people.
pub(crate) fn plain(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(_, scale)| bytes >= *scale && bytes.is_multiple_of(*scale));
    unit.map_or_else(|| format!("{bytes}B"), |(name, scale)| format!("{}{name}", bytes / scale))
}

/// A default is a text, what the file says was made a number.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(from)? {
        Either::Number(bytes) => Ok(bytes),
        Either::Text(text) => parse(&text).ok_or_else(|| D::Error::custom("is not a size")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_and_a_unit() {
        for (text, bytes) in [
            ("4096", Some(4_096)),
            ("1GiB", Some(1 << 30)),
            (" 500 MB ", Some(500_000_000)),
            ("3kB", Some(3_000)),
            ("7B", Some(7)),
            ("GiB", None),
            ("1.5GiB", None),
            ("-1", None),
            ("1 gib", None),
            ("99999999999TiB", None),
        ] {
            assert_eq!(parse(text), bytes, "{text}");
        }
    }

    #[test]
    fn a_bound_is_shown_in_its_largest_unit() {
        assert_eq!([4 << 20, 1 << 30, 1_500_000, 1, 0].map(plain), ["4MiB", "1GiB", "1500kB", "1B", "0B"]);
    }
}
