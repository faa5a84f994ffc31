//! JSON that somebody else wrote, who may be hostile: what is small as text may be a hundred times as large in memory.
//!
//! An object of one field is 7 bytes of text (`{"":0},`) and some 640 in memory, so a body of a megabyte would take a hundred. What it
//! would take at most is counted over the text before anything is made of it. How deep it may be is bounded by the parser.

use serde_json::Value;

/// Most that a text may take in memory once it is read, in bytes.
pub const MAX_JSON: usize = 64 << 20;
/// How deep the parser goes.
const DEEPEST: usize = 128;
/// The least that an object with anything in it takes: a node of a `BTreeMap` for eleven names and values.
const OBJECT: usize = 640;
/// What a list takes beside its values.
const LIST: usize = 128;
/// A value in a list that has just grown to twice its size.
const VALUE: usize = 64;

/// Why a text is nothing that could be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotJson {
    /// It is not JSON, or too deep.
    Broken,
    /// It would take more than [`MAX_JSON`].
    TooLarge,
}

/// Reads it.
///
/// # Errors
/// It is not JSON, or would take too much memory.
pub fn json(text: &[u8]) -> Result<Value, NotJson> {
    if size(text) > MAX_JSON {
        return Err(NotJson::TooLarge);
    }
    serde_json::from_slice(text).map_err(|_| NotJson::Broken)
}

/// What a text would take at most, in bytes, roughly. What is deeper than the parser goes is not made.
fn size(text: &[u8]) -> usize {
    let (mut size, mut depth, mut is_text, mut is_escaped) = (text.len(), 0_usize, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'{' | b'[' if depth >= DEEPEST => return size,
            b'{' => (size, depth) = (size.saturating_add(OBJECT), depth + 1),
            b'[' => (size, depth) = (size.saturating_add(LIST), depth + 1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => size = size.saturating_add(VALUE),
            _ => {}
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_large_in_memory_is_not_read() {
        let many = |what: &str| format!("[{}0]", what.repeat((1 << 20) / what.len()));
        assert_eq!(json(many(r#"{"":0},"#).as_bytes()), Err(NotJson::TooLarge));
        assert_eq!(json(many("[],").as_bytes()), Err(NotJson::TooLarge));
        assert!(json(many("0,").as_bytes()).is_ok(), "half a million numbers");
        assert!(
            json(many(r#"{"name": "a service", "state": "up", "since": 1790000000, "peers": [1, 2, 3]},"#).as_bytes())
                .is_ok()
        );
    }

    #[test]
    fn what_stands_in_a_text_is_a_text() {
        let text = format!(r#"{{"log": "\\\"{}"}}"#, "{[,".repeat(100_000));
        assert!(json(text.as_bytes()).is_ok());
        assert_eq!(json(b"{"), Err(NotJson::Broken));
        assert_eq!(json("[".repeat(1 << 20).as_bytes()), Err(NotJson::Broken));
    }
}
