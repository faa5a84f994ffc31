//! Where a request goes next, and what goes along: a redirect to another host takes nothing of ours with it.

use super::{dial, spec::HttpAsk};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use reqwest::Url;

/// One request on its way: the first one, or what a redirect made of it.
#[derive(Clone)]
pub(crate) struct Hop {
    pub(crate) url: Url,
    method: Method,
    body: Bytes,
    /// It goes where the configuration says; our headers, credentials and certificate go along.
    pub(crate) is_home: bool,
}

impl Hop {
    pub(crate) fn first(ask: &HttpAsk) -> Self {
        let body = Bytes::copy_from_slice(ask.body.as_bytes());
        Self { url: ask.endpoint.url(), method: ask.method.clone(), body, is_home: true }
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Host and port, as the URL has them: an IPv6 address in brackets.
    pub(crate) fn place(&self) -> (&str, u16) {
        (self.url.host_str().unwrap_or_default(), self.url.port_or_known_default().unwrap_or_default())
    }

    /// What the answer leads to (RFC 9110, 15.4); nothing if it leads nowhere that we follow.
    pub(crate) fn next(&self, status: u16, location: Option<&HeaderValue>, ask: &HttpAsk) -> Option<Self> {
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let mut url = self.url.join(location?.to_str().ok()?).ok()?;
        // A user in a redirect would be whom the answer wants us to be.
        let had_user = url.set_username("").is_err() || url.set_password(None).is_err();
        if had_user || !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return None;
        }
        let home = ask.endpoint.url();
        // Once away, nothing of ours is picked up again: the way back was somebody else's idea.
        let is_home = self.is_home && url.origin() == home.origin();
        let turns_to_get =
            status == 303 && self.method != Method::HEAD || matches!(status, 301 | 302) && self.method == Method::POST;
        let (method, body) =
            if turns_to_get { (Method::GET, Bytes::new()) } else { (self.method.clone(), self.body.clone()) };
        // A socket of this host has no other host, and what we had to say is not for another one.
        if !is_home && (ask.unix.is_some() || !body.is_empty()) {
            return None;
        }
        Some(Self { url, method, body, is_home })
    }

    /// The request, `absolute` for a proxy that is asked to fetch it.
    pub(crate) fn request(&self, ask: &HttpAsk, absolute: bool) -> Result<Request<Full<Bytes>>, http::Error> {
        // Written by hand, so that no user of the URL goes to a proxy.
        let mut target = String::with_capacity(self.url.as_str().len());
        if absolute {
            let (host, port) = self.place();
            target += &format!("{}://{host}:{port}", self.url.scheme());
        }
        target += self.url.path();
        if let Some(query) = self.url.query() {
            target.push('?');
            target += query;
        }
        let mut request =
            Request::builder().method(self.method.clone()).uri(target).body(Full::new(self.body.clone()))?;
        *request.headers_mut() = self.headers(ask, absolute)?;
        Ok(request)
    }

    fn headers(&self, ask: &HttpAsk, absolute: bool) -> Result<HeaderMap, http::Error> {
        let mut headers = if self.is_home { ask.headers.clone() } else { HeaderMap::new() };
        let mut unless_given = |name: HeaderName, value: HeaderValue| {
            headers.entry(name).or_insert(value);
        };
        let (host, port) = self.place();
        let host = match self.url.port() {
            Some(_) => HeaderValue::from_str(&format!("{host}:{port}"))?,
            None => HeaderValue::from_str(host)?,
        };
        unless_given(header::HOST, host);
        unless_given(header::USER_AGENT, HeaderValue::from_static(concat!("dixmgr/", env!("CARGO_PKG_VERSION"))));
        unless_given(header::ACCEPT, HeaderValue::from_static("*/*"));
        unless_given(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if !ask.keep_alive || !self.is_home {
            unless_given(header::CONNECTION, HeaderValue::from_static("close"));
        }
        // A redirect at home has lost the user whom the configuration names.
        if self.is_home
            && let Some(credentials) = dial::basic(&ask.endpoint.url())
        {
            unless_given(header::AUTHORIZATION, HeaderValue::from_str(&credentials)?);
        }
        if absolute && let Some(credentials) = ask.proxy.as_ref().and_then(|proxy| dial::basic(&proxy.url())) {
            unless_given(header::PROXY_AUTHORIZATION, HeaderValue::from_str(&credentials)?);
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoint;
    use http_body_util::BodyExt;
    use proptest::prelude::*;

    fn ask(url: &str) -> HttpAsk {
        let mut ask = HttpAsk::new(Endpoint::parse(url).unwrap());
        ask.header("authorization", "Bearer hush").unwrap();
        ask.header("x-key", "hush").unwrap();
        ask.header("cookie", "hush").unwrap();
        ask
    }

    fn follow(ask: &HttpAsk, status: u16, location: &str) -> Option<Hop> {
        Hop::first(ask).next(status, Some(&HeaderValue::from_str(location).unwrap()), ask)
    }

    #[test]
    fn a_request_has_the_headers_that_it_needs_and_ours_win() {
        let mut ask = ask("http://u:p@[::1]:8080/a/b?c=d#e");
        let request = Hop::first(&ask).request(&ask, false).unwrap();
        assert_eq!(request.uri(), "/a/b?c=d");
        assert_eq!(request.headers()["host"], "[::1]:8080");
        assert_eq!(request.headers()["accept-encoding"], "identity");
        assert_eq!(request.headers()["authorization"], "Bearer hush");
        assert!(!request.headers().contains_key("connection"));
        ask.headers.clear();
        (ask.keep_alive, ask.proxy) = (false, Some(Endpoint::parse("http://x:y@proxy:3128").unwrap()));
        let request = Hop::first(&ask).request(&ask, true).unwrap();
        assert_eq!(request.uri(), "http://[::1]:8080/a/b?c=d");
        assert_eq!(request.headers()["authorization"], "Basic dTpw");
        assert_eq!(request.headers()["proxy-authorization"], "Basic eDp5");
        assert_eq!(request.headers()["connection"], "close");
    }

    #[test]
    fn a_redirect_on_the_same_host_keeps_what_is_ours() {
        let ask = ask("http://u:p@node-1/a");
        for (location, url) in
            [("/b", "http://node-1/b"), ("b?c", "http://node-1/b?c"), ("http://NODE-1:80/", "http://node-1/")]
        {
            let hop = follow(&ask, 302, location).unwrap();
            assert_eq!((hop.url.as_str(), hop.is_home), (url, true));
            assert_eq!(hop.request(&ask, false).unwrap().headers()["x-key"], "hush");
        }
    }

    #[test]
    fn a_redirect_to_another_host_takes_nothing_of_ours() {
        let ask = ask("https://u:hush@node-1/a");
        for location in ["https://node-2/", "http://node-1/", "https://node-1:444/", "//node-2/x"] {
            let hop = follow(&ask, 307, location).unwrap();
            assert!(!hop.is_home, "{location}");
            let request = hop.request(&ask, false).unwrap();
            assert!(!format!("{:?} {:?}", request.uri(), request.headers()).contains("hush"), "{location}");
            for name in ["authorization", "x-key", "cookie"] {
                assert!(!request.headers().contains_key(name), "{location} {name}");
            }
            // Back home by way of a stranger.
            let back = hop.next(302, Some(&HeaderValue::from_static("https://node-1/a")), &ask).unwrap();
            assert!(!back.request(&ask, false).unwrap().headers().contains_key("x-key"));
        }
    }

    #[test]
    fn what_leads_nowhere_is_not_followed() {
        let mut ask = ask("http://node-1/a");
        for (status, location) in
            [(200, "/b"), (304, "/b"), (302, "ftp://node-1/"), (302, "file:///etc/passwd"), (302, "http://")]
        {
            assert!(follow(&ask, status, location).is_none(), "{status} {location}");
        }
        assert!(Hop::first(&ask).next(302, None, &ask).is_none());
        ask.unix = Some("/run/x".into());
        assert!(follow(&ask, 302, "/b").is_some() && follow(&ask, 302, "http://node-2/").is_none());
    }

    #[tokio::test]
    async fn a_body_goes_on_as_the_status_says_and_never_elsewhere() {
        let mut ask = ask("http://node-1/a");
        (ask.method, ask.body) = (Method::POST, "hush".into());
        for (status, location, sent) in [
            (302, "/b", Some((Method::GET, ""))),
            (303, "/b", Some((Method::GET, ""))),
            (307, "/b", Some((Method::POST, "hush"))),
            (302, "http://node-2/", Some((Method::GET, ""))),
            (308, "http://node-2/", None),
        ] {
            let request = follow(&ask, status, location).map(|hop| hop.request(&ask, false).unwrap());
            let Some(request) = request else {
                assert_eq!(sent, None, "{status} {location}");
                continue;
            };
            let method = request.method().clone();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(Some((method, std::str::from_utf8(&body).unwrap())), sent, "{status} {location}");
        }
    }

    proptest! {
        #[test]
        fn no_location_panics_or_takes_a_secret_elsewhere(location in "(https?:)?[/a-z0-9@:.#?%\\[\\]-]{0,30}") {
            let ask = ask("http://u:hush@node-1/a");
            let Ok(value) = HeaderValue::from_str(&location) else { return Ok(()) };
            if let Some(hop) = Hop::first(&ask).next(302, Some(&value), &ask)
                && let Ok(request) = hop.request(&ask, false)
                && hop.url.host_str() != Some("node-1")
            {
                prop_assert!(!request.headers().contains_key("authorization") && !hop.is_home);
            }
        }
    }
}
