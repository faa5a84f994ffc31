//! Tokens that go into a header or a path: what would break either is said at the start.

use crate::secret::Secret;

/// The longest token, in bytes.
const MAX_BYTES: usize = 1_024;

/// # Errors
/// What is wrong with it, without a word of it.
pub(crate) fn check(token: &Secret) -> Result<(), String> {
    let text = token.expose();
    if text.is_empty() {
        return Err("is missing".to_owned());
    }
    if text.len() > MAX_BYTES {
        return Err(format!("is {} bytes long; at most {MAX_BYTES} are allowed", text.len()));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("holds a blank, a line end or another character that no token holds".to_owned());
    }
    Ok(())
}
