//! Where a note goes over HTTP: a URL that was checked once and never shows more of itself than `scheme://host:port`.
//!
//! Rejected: `url::Url` in the channels. Its `Debug` and `Display` show it all, and for most channels the path is the key.

use crate::Secret;
use reqwest::Url;
use std::fmt;

/// The longest URL, in bytes.
const MAX_BYTES: usize = 2_048;

/// An `http` or `https` URL.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Place {
    url: Url,
    shown: String,
}

impl Place {
    /// # Errors
    /// What is wrong with it, without a word of it.
    pub(crate) fn parse(text: &Secret) -> Result<Self, String> {
        const HOW: &str = "write it as `https://host/path`";
        let text = text.expose().trim();
        if text.is_empty() {
            return Err(format!("is missing; {HOW}"));
        }
        if text.len() > MAX_BYTES {
            return Err(format!("is {} bytes long; at most {MAX_BYTES} are allowed", text.len()));
        }
        // A lenient parser drops line ends and turns backslashes: it would read another URL than is written there.
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err("holds a blank, a control character or a backslash".to_owned());
        }
        if !["http://", "https://"].iter().any(|scheme| text.to_ascii_lowercase().starts_with(scheme)) {
            return Err(format!("is not a URL of the web; {HOW}"));
        }
        let url = Url::parse(text).map_err(|_| format!("is not a URL; {HOW}"))?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(format!("names no host; {HOW}"));
        };
        let shown = format!("{}://{host}:{port}", url.scheme());
        Ok(Self { url, shown })
    }

    /// The URL itself. What takes it must not print it.
    pub(crate) fn url(&self) -> Url {
        self.url.clone()
    }

    /// The URL and `segments` below its path, each as one segment whatever it holds. Its query stays.
    pub(crate) fn below(&self, segments: &[&str]) -> Self {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Self { url, shown: self.shown.clone() }
    }

    /// The URL with one more pair in its query, in place of those of that name.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut url = self.url.clone();
        let others: Vec<(String, String)> = url.query_pairs().filter(|(key, _)| key != name).map(own).collect();
        url.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value);
        Self { url, shown: self.shown.clone() }
    }
}

fn own((name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)) -> (String, String) {
    (name.into_owned(), value.into_owned())
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Result<Place, String> {
        Place::parse(&Secret::new(text))
    }

    #[test]
    fn only_scheme_host_and_port_are_shown() {
        let place = place("https://hush:hush@Example.org/hush?hush#hush").unwrap();
        assert_eq!(format!("{place} {place:?}"), "https://example.org:443 https://example.org:443");
        for text in ["hush://hush", "https://hush hush", "hush", "https://hush:hush@", "http://hush:hush/"] {
            let error = super::Place::parse(&Secret::new(text)).unwrap_err();
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn what_goes_into_the_path_stays_one_segment() {
        let place = place("http://h/base/?key=1").unwrap();
        assert_eq!(place.below(&["a", "b/../c?d#e"]).url().as_str(), "http://h/base/a/b%2F..%2Fc%3Fd%23e?key=1");
    }

    #[test]
    fn a_pair_of_the_query_is_set_and_the_others_stay() {
        let place = place("http://h/?wait=false&thread_id=7").unwrap();
        assert_eq!(place.with("wait", "true").url().as_str(), "http://h/?thread_id=7&wait=true");
    }

    #[test]
    fn what_is_no_url_says_how_to_write_one() {
        for (text, part) in [
            ("", "is missing"),
            ("ftp://h/", "not a URL of the web"),
            ("http://h\\@x/", "backslash"),
            ("http://h/a\nb", "blank"),
            ("http://", "is not a URL"),
        ] {
            assert!(place(text).unwrap_err().contains(part), "{text}");
        }
        assert!(place(&format!("http://h/{}", "a".repeat(2_048))).unwrap_err().contains("bytes long"));
    }
}
