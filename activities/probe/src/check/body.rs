//! What is kept of a body: its beginning, as text, with our own secrets blotted out.
//!
//! An endpoint may repeat what we sent, and what is kept goes to people and to Temporal. What it encodes in a way of its own
//! (Base64, say) is not recognised.

use super::{dial, spec::HttpAsk};
use dixmgr_contract::check::MAX_KEPT_BODY;
use std::borrow::Cow;

/// Texts shorter than this are not looked for: they would blot out half of every body.
const SHORTEST: usize = 4;
/// A part of a URL's path of this length may be a token.
const TOKEN: usize = 16;
/// Headers whose values everybody knows.
const PLAIN: [&str; 8] =
    ["accept", "accept-language", "cache-control", "connection", "content-type", "host", "origin", "user-agent"];
const BLOT: &str = "***";

/// What a request holds that may be secret.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn of(ask: &HttpAsk) -> Self {
        let url = ask.endpoint.url();
        let mut found: Vec<String> = Vec::new();
        let mut add = |text: &[u8]| {
            if text.len() >= SHORTEST {
                found.extend(std::str::from_utf8(text).ok().map(str::to_owned));
            }
        };
        for (name, value) in &ask.headers {
            if !PLAIN.contains(&name.as_str()) {
                let value = value.as_bytes();
                add(value);
                // `Bearer TOKEN`, without its first word.
                add(value.splitn(2, |byte| *byte == b' ').nth(1).unwrap_or_default());
            }
        }
        for part in [url.username(), url.password().unwrap_or_default(), url.query().unwrap_or_default()] {
            add(part.as_bytes());
            add(&dial::decoded(part));
        }
        url.query_pairs().for_each(|(_, value)| add(value.as_bytes()));
        if let Some(credentials) = dial::basic(&url) {
            add(credentials.trim_start_matches("Basic ").as_bytes());
        }
        url.path_segments()
            .into_iter()
            .flatten()
            .filter(|part| part.len() >= TOKEN)
            .for_each(|part| add(part.as_bytes()));
        found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        found.dedup();
        Self(found)
    }

    /// The beginning of `body`, at most [`MAX_KEPT_BODY`] bytes.
    pub(crate) fn kept(&self, body: &[u8]) -> String {
        let longest = self.0.first().map_or(0, String::len);
        let mut kept = String::new();
        let mut rest = body;
        while !rest.is_empty() && kept.len() < MAX_KEPT_BODY {
            let window = &rest[..rest.len().min(MAX_KEPT_BODY + longest)];
            let found = self.0.iter().filter_map(|secret| Some((position(window, secret.as_bytes())?, secret.len())));
            match found.min_by_key(|(at, length)| (*at, std::cmp::Reverse(*length))) {
                Some((at, length)) => {
                    kept.push_str(&lossy(&window[..at]));
                    kept.push_str(BLOT);
                    rest = &rest[at + length..];
                }
                None => {
                    kept.push_str(&lossy(&window[..window.len().min(MAX_KEPT_BODY)]));
                    break;
                }
            }
        }
        let end = (0..=kept.len().min(MAX_KEPT_BODY)).rev().find(|end| kept.is_char_boundary(*end)).unwrap_or(0);
        kept.truncate(end);
        kept
    }
}

/// As text. A character that was cut at the end is left out.
fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => String::from_utf8_lossy(&bytes[..error.valid_up_to()]),
        _ => String::from_utf8_lossy(bytes),
    }
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoint;
    use proptest::prelude::*;

    fn secrets(url: &str, headers: &[(&str, &str)]) -> Secrets {
        let mut ask = HttpAsk::new(Endpoint::parse(url).unwrap());
        for (name, value) in headers {
            ask.header(name, value).unwrap();
        }
        Secrets::of(&ask)
    }

    #[test]
    fn the_beginning_is_kept_as_text() {
        let none = Secrets::default();
        assert_eq!(none.kept(b"ok"), "ok");
        assert_eq!(none.kept(&b"x".repeat(5_000)), "x".repeat(1_024));
        assert_eq!(none.kept("ü".repeat(2_000).as_bytes()), "ü".repeat(512));
        assert_eq!(none.kept(format!("x{}", "ü".repeat(2_000)).as_bytes()), format!("x{}", "ü".repeat(511)));
        assert_eq!(none.kept(b"a\xffb"), "a\u{fffd}b");
        assert!(none.kept(&[0xff; 5_000]).len() <= 1_024);
    }

    #[test]
    fn our_secrets_are_blotted_out() {
        let secrets = secrets(
            "http://user-1:pass%20word@a/api/0123456789abcdef?key=query-key",
            &[("Authorization", "Bearer token-1"), ("X-Key", "header-key"), ("Content-Type", "text/plain")],
        );
        let body = b"user-1 pass word token-1 header-key query-key 0123456789abcdef text/plain api ok";
        assert_eq!(secrets.kept(body), "*** *** *** *** *** *** text/plain api ok");
        assert_eq!(secrets.kept(b"Bearer token-1; dXNlci0xOnBhc3Mgd29yZA=="), "***; ***");
    }

    proptest! {
        #[test]
        fn no_part_of_a_secret_is_left_at_the_cut(before in 900..1_100_usize, times in 0..600_usize, after in 0..20_usize) {
            let secrets = secrets("http://a", &[("X-Key", "QRSTUVWX")]);
            let body = ["x".repeat(before), "QRSTUVWX".repeat(times), "y".repeat(after)].concat();
            let kept = secrets.kept(body.as_bytes());
            prop_assert!(kept.len() <= 1_024 && !kept.contains(['Q', 'R', 'X']), "{}", kept);
        }
    }
}
