//! Numbers, flags and times as nodes write them. A number that does not fit 64 bits is refused, not cut.

use dixmgr_contract::{Span, Time};
use serde_json::Value;

/// The longest number that is read, in digits: 64 bits with some leading zeros.
const MAX_DIGITS: usize = 66;

/// A number: itself, `"0x1f"`, or `"31"`.
pub(crate) fn number(value: &Value, what: &'static str) -> Result<u64, &'static str> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => match text.strip_prefix("0x") {
            Some(digits) => digits_of(digits, 16),
            None => digits_of(text, 10),
        },
        _ => None,
    }
    .ok_or(what)
}

/// [`number`], where the value is there.
pub(crate) fn maybe_number(value: Option<&Value>, what: &'static str) -> Result<Option<u64>, &'static str> {
    value.filter(|value| !value.is_null()).map(|value| number(value, what)).transpose()
}

/// True or false.
pub(crate) fn flag(value: Option<&Value>, what: &'static str) -> Result<bool, &'static str> {
    value.and_then(Value::as_bool).ok_or(what)
}

/// [`flag`], where the value is there.
pub(crate) fn maybe_flag(value: Option<&Value>, what: &'static str) -> Result<Option<bool>, &'static str> {
    value.filter(|value| !value.is_null()).map(|value| flag(Some(value), what)).transpose()
}

/// How long ago a block was made whose stamp is `seconds` since 1970; none for a block without one. A stamp of the future
/// is of now: clocks differ.
pub(crate) fn age(seconds: Option<u64>, now: Time) -> Option<Span> {
    let seconds = seconds.filter(|seconds| *seconds > 0)?;
    let millis = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
    Some(now.since(Time::from_unix_millis(millis)))
}

/// It, if it is a hash of 32 bytes.
pub(crate) fn hash(value: &Value) -> Option<&str> {
    let text = value.as_str()?;
    let digits = text.strip_prefix("0x")?;
    (digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

/// `from_str_radix` would take a sign too.
fn digits_of(text: &str, radix: u32) -> Option<u64> {
    let is_plain = text.len() <= MAX_DIGITS && text.chars().all(|c| c.is_digit(radix));
    is_plain.then(|| u64::from_str_radix(text, radix).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn numbers_are_read_as_nodes_write_them() {
        for (value, read) in [
            (json!(7), Some(7)),
            (json!("0x1f"), Some(31)),
            (json!("0x00000000000000000000001F"), Some(31)),
            (json!("31"), Some(31)),
            (json!(u64::MAX), Some(u64::MAX)),
            (json!("0xffffffffffffffff"), Some(u64::MAX)),
            (json!("0x10000000000000000"), None),
            (json!("18446744073709551616"), None),
            (json!("0x"), None),
            (json!(""), None),
            (json!("+1"), None),
            (json!("0x-1"), None),
            (json!(" 1"), None),
            (json!("1f"), None),
            (json!("٣"), None),
            (json!(-1), None),
            (json!(1.5), None),
            (json!(1e30), None),
            (json!(true), None),
            (json!(null), None),
            (json!([1]), None),
            (json!("0".repeat(67)), None),
        ] {
            assert_eq!(number(&value, "no").ok(), read, "{value}");
        }
    }

    #[test]
    fn ages_are_bounded() {
        let now = Time::from_unix_millis(1_700_000_000_000);
        assert_eq!(age(Some(1_699_999_990), now), Some(Span::from_secs(10)));
        assert_eq!(age(Some(u64::MAX), now), Some(Span::ZERO));
        assert_eq!((age(Some(0), now), age(None, now)), (None, None));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(number_ in any::<u64>()) {
            for value in [json!(number_), json!(number_.to_string()), json!(format!("{number_:#x}"))] {
                prop_assert_eq!(number(&value, "no"), Ok(number_));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = number(&json!(text), "no");
            let _ = hash(&json!(text));
        }
    }
}
