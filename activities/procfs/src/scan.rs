//! The few forms in which the kernel writes numbers, read from bytes.
//!
//! Bytes, because a process may give itself a name that is no text. Nothing here fails loudly: what cannot be read is
//! `None`, and the caller leaves it out.

/// The decimal number that makes up all of `text`; none if it is empty, holds anything else or passes `u64::MAX`.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// The words of a line, between blanks.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The lines of a file, without empty ones.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The number after `key`, which begins a line: `key 5`, `key: 5`, `key:\t5 kB`.
pub(crate) fn value(text: &[u8], key: &[u8]) -> Option<u64> {
    lines(text).find_map(|line| {
        let rest = line.strip_prefix(key)?;
        let rest = rest.strip_prefix(b":").unwrap_or(rest);
        rest.first().is_some_and(u8::is_ascii_whitespace).then(|| words(rest).next().and_then(number))?
    })
}
