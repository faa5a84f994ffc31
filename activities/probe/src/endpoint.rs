//! Where a look goes: a URL that was checked once and never shows more of itself than `scheme://host:port`.
//!
//! Rejected: passing `url::Url` around. Its `Debug` and `Display` show the password, and so would every error, log line
//! and struct that holds one.

use reqwest::Url;
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// The longest endpoint, in bytes.
const MAX_BYTES: usize = 2048;
/// The longest name of a scheme that an error repeats, in characters.
const MAX_SCHEME: usize = 10;

/// An `http` or `https` URL. `Debug` and `Display` show `scheme://host:port`: user info, path and query may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
    place: String,
}

impl Endpoint {
    /// Reads `text`, at most 2048 bytes: a URL, or one without its `http://`. Without a port it gets its scheme's own.
    ///
    /// # Errors
    /// [`EndpointError`], which does not repeat `text`.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        endpoint_url(text, 0)
    }

    /// `scheme://host:port`, for people.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// True if it stands for whichever host asks: `localhost`, a loopback address, or the one that means all.
    pub fn is_local(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
        host == "localhost" || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
    }

    /// True if both ask for the same, whoever asks: all but user, password and fragment.
    pub fn is_same(&self, other: &Self) -> bool {
        let parts = |endpoint: &Self| (endpoint.url.path().to_owned(), endpoint.url.query().map(str::to_owned));
        self.place == other.place && parts(self) == parts(other)
    }

    /// True if both are on the host that asks, at the same port and in the same scheme.
    pub fn is_beside(&self, other: &Self) -> bool {
        let port = |endpoint: &Self| (endpoint.url.scheme().to_owned(), endpoint.url.port_or_known_default());
        self.is_local() && other.is_local() && port(self) == port(other)
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub(crate) fn url(&self) -> Url {
        self.url.clone()
    }

    /// False if the URL holds what may be secret. Then an answer may repeat it (`invalid key 1234`), in whatever
    /// encoding, and no word of the answer may be shown.
    pub(crate) fn may_quote(&self) -> bool {
        let url = &self.url;
        let has_user = !url.username().is_empty() || url.password().is_some();
        !has_user && url.path() == "/" && url.query().is_none()
    }

    fn new(url: Url) -> Result<Self, EndpointError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EndpointError::Scheme(url.scheme().chars().take(MAX_SCHEME).collect()));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(malformed("it names no host"));
        };
        let place = format!("{}://{host}:{port}", url.scheme());
        Ok(Self { url, place })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// Why a text is not an [`Endpoint`]. The text itself is not repeated, since it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Neither an endpoint nor a port.
    #[error("there is neither an endpoint nor a port; write `http://host:port`")]
    Empty,
    /// Too long to be meant.
    #[error("the endpoint is {0} bytes long; at most {MAX_BYTES} are allowed")]
    TooLong(usize),
    /// Not a URL.
    #[error("the endpoint is not a URL ({0}); write `http://host:port`")]
    Malformed(String),
    /// A URL of another kind.
    #[error(
        "the endpoint begins with `{0}://`; write `http://` or `https://` (a node answers it on its WebSocket port)"
    )]
    Scheme(String),
}

/// The URL of a node: `endpoint`, completed with `port` where it names none.
///
/// An empty endpoint is this machine. Port 0 is no port: the scheme's own one (80 or 443) is taken instead. A port in
/// the endpoint wins, the scheme's own one too. Without a scheme, it is `http`.
///
/// ```
/// # use dixmgr_probe::endpoint_url;
/// for (endpoint, port, asked) in [
///     ("", 9944, "http://localhost:9944"),
///     ("node-1", 9944, "http://node-1:9944"),
///     ("10.0.0.7:9933", 9944, "http://10.0.0.7:9933"),
///     ("::1", 9944, "http://[::1]:9944"),
///     ("http://node-1", 9944, "http://node-1:9944"),
///     ("https://node-1:443/rpc", 9944, "https://node-1:443"),
///     ("https://rpc.example.org", 0, "https://rpc.example.org:443"),
/// ] {
///     assert_eq!(endpoint_url(endpoint, port)?.place(), asked);
/// }
/// assert!(endpoint_url("ws://node-1:9944", 0).is_err());
/// # Ok::<(), dixmgr_probe::EndpointError>(())
/// ```
///
/// # Errors
/// [`EndpointError`], which does not repeat `endpoint`.
pub fn endpoint_url(endpoint: &str, port: u16) -> Result<Endpoint, EndpointError> {
    let text = endpoint.trim();
    if text.len() > MAX_BYTES {
        return Err(EndpointError::TooLong(text.len()));
    }
    let text = match text {
        "" if port == 0 => return Err(EndpointError::Empty),
        "" => "http://localhost".to_owned(),
        bare if bare.parse::<Ipv6Addr>().is_ok() => format!("http://[{bare}]"),
        whole if has_scheme(whole) => whole.to_owned(),
        bare => format!("http://{bare}"),
    };
    let has_port = has_port(&text)?;
    let mut url = Url::parse(&text).map_err(|error| malformed(error.to_string()))?;
    if port != 0 && !has_port && url.set_port(Some(port)).is_err() {
        return Err(malformed("it cannot have a port"));
    }
    Endpoint::new(url)
}

fn malformed(why: impl Into<String>) -> EndpointError {
    EndpointError::Malformed(why.into())
}

/// `host/?next=http://…` has none.
fn has_scheme(text: &str) -> bool {
    let is_scheme = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    text.split_once("://").is_some_and(|(before, _)| is_scheme(before))
}

/// True if `text`, which has a scheme, names a port. A parsed URL no longer tells: it forgets its scheme's own one.
///
/// What a lenient parser would read as another URL than is written there is refused: it skips slashes, turns
/// backslashes and drops line ends.
fn has_port(text: &str) -> Result<bool, EndpointError> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(malformed("it holds a blank, a control character or a backslash"));
    }
    let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    if host_and_port.is_empty() {
        return Err(malformed("it names no host"));
    }
    // Colons within brackets are those of an IPv6 address.
    let after_address = host_and_port.rsplit_once(']').map_or(host_and_port, |(_, rest)| rest);
    match after_address.split_once(':') {
        None => Ok(false),
        Some((_, "")) => Err(malformed("its port is empty")),
        Some(_) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_means_this_host_everywhere_is_known() {
        let is_local = |text| Endpoint::parse(text).unwrap().is_local();
        assert!(
            ["localhost:1", "127.0.0.2:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "0.0.0.0:1"].into_iter().all(is_local)
        );
        assert!(!["10.0.0.1:1", "localhost.example:1", "[fd00::1]:1"].into_iter().any(is_local));
    }

    #[track_caller]
    fn asks(endpoint: &str, port: u16) -> String {
        endpoint_url(endpoint, port).unwrap().url().to_string()
    }

    #[test]
    fn an_endpoint_without_a_port_gets_the_port() {
        for (endpoint, url) in [
            ("", "http://localhost:9944/"),
            ("  ", "http://localhost:9944/"),
            ("node-1", "http://node-1:9944/"),
            ("10.0.0.7/rpc", "http://10.0.0.7:9944/rpc"),
            ("::1", "http://[::1]:9944/"),
            ("[::1]", "http://[::1]:9944/"),
            ("http://node-1", "http://node-1:9944/"),
            ("HTTPS://node-1/a:1/", "https://node-1:9944/a:1/"),
            ("me:1234@node-1", "http://me:1234@node-1:9944/"),
            ("node-1?next=http://a:1", "http://node-1:9944/?next=http://a:1"),
        ] {
            assert_eq!(asks(endpoint, 9944), url, "{endpoint}");
        }
    }

    #[test]
    fn a_port_in_the_endpoint_wins_and_so_does_the_schemes_own() {
        for (endpoint, url) in [
            ("node-1:9933", "http://node-1:9933/"),
            ("[::1]:9933", "http://[::1]:9933/"),
            ("http://node-1:80", "http://node-1/"),
            ("https://node-1:443/rpc", "https://node-1/rpc"),
            ("https://me:pw@node-1:443", "https://me:pw@node-1/"),
        ] {
            assert_eq!(asks(endpoint, 9944), url, "{endpoint}");
        }
        assert_eq!(asks("https://node-1", 0), "https://node-1/");
        assert_eq!(Endpoint::parse("node-1").unwrap().place(), "http://node-1:80");
    }

    #[test]
    fn what_is_not_an_http_url_is_refused() {
        let scheme = |name: &str| EndpointError::Scheme(name.to_owned());
        assert_eq!(Endpoint::parse(""), Err(EndpointError::Empty));
        assert_eq!(Endpoint::parse("ws://node-1:9944"), Err(scheme("ws")));
        assert_eq!(Endpoint::parse("file:///etc/passwd"), Err(malformed("it names no host")));
        assert_eq!(Endpoint::parse("file://node-1/etc/passwd"), Err(scheme("file")));
        assert_eq!(Endpoint::parse(&"a".repeat(2049)), Err(EndpointError::TooLong(2049)));
        for text in [
            "http://",
            "http:///node-1",
            "http:/node-1",
            "http:node-1",
            "http://a\\@node-1",
            "http://no de-1",
            "ht\ntp://node-1",
            "node-1:",
            "node-1:99999",
            "node-1:9944:1",
            "http://[::1",
            "user@",
        ] {
            assert!(matches!(Endpoint::parse(text), Err(EndpointError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn only_the_place_is_shown() {
        let endpoint = Endpoint::parse("https://hush:hush@node-1/hush?hush=hush#hush").unwrap();
        assert_eq!(format!("{endpoint} {endpoint:?}"), "https://node-1:443 https://node-1:443");
        assert!(!endpoint.may_quote());
        for text in ["http://node-1/hush", "http://node-1/?hush", "http://hush@node-1", "http://:hush@node-1"] {
            assert!(!Endpoint::parse(text).unwrap().may_quote(), "{text}");
        }
        assert!(Endpoint::parse("http://node-1:9944").unwrap().may_quote());
        for text in ["hush:hush@node-1:x", "hush:hush@", "hush:hush@a/://b:x y"] {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_nothing_but_the_place_is_ever_shown(
            scheme in prop::sample::select(vec!["", "http://", "https://", "ws://", "http:", "//"]),
            user in prop::option::of("[a-z%:@/]{0,6}"),
            rest in "[a-z0-9.:\\[\\]/?#@ %\\\\-]{0,40}|\\PC{0,40}",
        ) {
            let user = user.map(|user| format!("hush{user}hush@")).unwrap_or_default();
            let text = format!("{scheme}{user}{rest}");
            match Endpoint::parse(&text) {
                Ok(endpoint) => {
                    let (place, shown) = (endpoint.place().to_owned(), format!("{endpoint} {endpoint:?}"));
                    prop_assert!(place.starts_with("http"), "{}", place);
                    // With a slash in it, it is no user but a host.
                    prop_assert!(!shown.contains("hush") || user.contains('/'), "{}", shown);
                    prop_assert_eq!(Endpoint::parse(&place).map(|again| again.place().to_owned()), Ok(place));
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
