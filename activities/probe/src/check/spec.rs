//! What a check asks, and what it expects: everything but when.

use super::{address::Address, tls::TlsOptions};
use crate::{Endpoint, EndpointError};
use dixmgr_contract::check::HttpCheckInput;
use dixmgr_decide::check::{Budget, Expectation, JsonPath, JsonPathError};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::{fmt, net::IpAddr, path::PathBuf, time::Duration};

/// How much of a body is judged where nobody says otherwise, in bytes.
pub const DEFAULT_MAX_BODY: usize = 1 << 20;

/// One check.
#[derive(Clone, Debug)]
pub struct CheckSpec {
    /// Whom it asks what.
    pub ask: Ask,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// Whom a check asks what.
#[derive(Clone, Debug)]
pub enum Ask {
    /// A request over HTTP/1.1.
    Http(Box<HttpAsk>),
    /// A connection, and with `tls` its handshake.
    Tcp {
        /// Whom.
        address: Address,
        /// Speak TLS.
        tls: Option<TlsOptions>,
        /// What is still good.
        budget: Budget,
    },
    /// The addresses of a name, as this host's resolver knows them.
    Dns {
        /// The name.
        name: String,
        /// Each of these must be among them.
        expect: Vec<IpAddr>,
        /// What is still good.
        budget: Budget,
    },
    /// `grpc.health.v1.Health/Check` over HTTP/2.
    Grpc {
        /// Whom.
        address: Address,
        /// The service that it is asked about; empty: the server as a whole.
        service: String,
        /// Speak TLS.
        tls: Option<TlsOptions>,
        /// What is still good.
        budget: Budget,
    },
}

/// A request over HTTP. `Debug` hides what may be secret.
#[derive(Clone)]
pub struct HttpAsk {
    /// Whom. User and password in it are sent as Basic credentials.
    pub endpoint: Endpoint,
    /// The method.
    pub method: Method,
    /// Sent along, to that host alone.
    pub headers: HeaderMap,
    /// The request's body.
    pub body: String,
    /// What the answer must be.
    pub expectation: Expectation,
    /// How much of the answer's body is judged, in bytes.
    pub max_body: usize,
    /// How many redirects are followed; none if a body would go to another host.
    pub redirects: u8,
    /// A proxy (`http://`); absent: none, whatever the environment says.
    pub proxy: Option<Endpoint>,
    /// The socket that is connected to instead of the endpoint's host.
    pub unix: Option<PathBuf>,
    /// Keep the connection for the next run.
    pub keep_alive: bool,
    /// For `https://`.
    pub tls: TlsOptions,
}

impl HttpAsk {
    /// `GET`, any 2xx, and the defaults of the configuration for the rest.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            method: Method::GET,
            headers: HeaderMap::new(),
            body: String::new(),
            expectation: Expectation::default(),
            max_body: DEFAULT_MAX_BODY,
            redirects: 0,
            proxy: None,
            unix: None,
            keep_alive: true,
            tls: TlsOptions::default(),
        }
    }

    /// Adds a header to send.
    ///
    /// # Errors
    /// The name or the value cannot be sent; it is not repeated.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), SpecError> {
        let name: HeaderName = name.parse().map_err(|_| SpecError::Header)?;
        let mut value: HeaderValue = value.parse().map_err(|_| SpecError::Header)?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }
}

impl fmt::Debug for HttpAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAsk")
            .field("endpoint", &self.endpoint)
            .field("method", &self.method)
            .field("headers", &self.headers.keys())
            .field("max_body", &self.max_body)
            .field("redirects", &self.redirects)
            .field("keep_alive", &self.keep_alive)
            .finish_non_exhaustive()
    }
}

/// Why an input is no check.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The URL.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The method.
    #[error("the method is not one of HTTP")]
    Method,
    /// A header. Neither its name nor its value is repeated.
    #[error("a header's name or value cannot be sent")]
    Header,
    /// The status.
    #[error("the expected status {0} is none of HTTP; 100 to 999, or 0 for any 2xx")]
    Status(u16),
    /// The path.
    #[error("the JSON path cannot be read: {0}")]
    JsonPath(#[from] JsonPathError),
}

impl TryFrom<&HttpCheckInput> for CheckSpec {
    type Error = SpecError;

    /// A check that is asked for by an activity. Its connection is for one run, so it is not kept.
    fn try_from(input: &HttpCheckInput) -> Result<Self, SpecError> {
        let mut ask = HttpAsk::new(Endpoint::parse(&input.url)?);
        let method = input.method.trim().to_ascii_uppercase();
        if !method.is_empty() {
            ask.method = method.parse().map_err(|_| SpecError::Method)?;
        }
        for (name, value) in &input.headers {
            ask.header(name, value)?;
        }
        ask.expectation.status = match input.expected_status {
            0 => None,
            status @ 100..=999 => Some(status),
            status => return Err(SpecError::Status(status)),
        };
        ask.expectation.contains.clone_from(&input.response_contains);
        if !input.json_path.is_empty() {
            ask.expectation.json_path = Some(JsonPath::parse(&input.json_path)?);
        }
        ask.keep_alive = false;
        Ok(Self { ask: Ask::Http(Box::new(ask)), timeout: input.timeout().duration() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(json: &serde_json::Value) -> Result<CheckSpec, SpecError> {
        CheckSpec::try_from(&serde_json::from_value::<HttpCheckInput>(json.clone()).unwrap())
    }

    #[test]
    fn gos_input_becomes_a_check() {
        let go = serde_json::json!({"URL": "http://a/h", "Method": "post", "Headers": {"X-Key": "hush"},
            "ExpectedStatus": 201, "Timeout": 2_000_000_000, "ResponseContains": "b", "JSONPath": "c.d"});
        let spec = spec(&go).unwrap();
        let Ask::Http(ask) = &spec.ask else { panic!("not HTTP") };
        assert_eq!((spec.timeout, &ask.method), (Duration::from_secs(2), &Method::POST));
        assert_eq!((ask.expectation.status, ask.expectation.contains.as_str()), (Some(201), "b"));
        assert_eq!(ask.expectation.json_path, Some(JsonPath::parse("c.d").unwrap()));
        assert!(!format!("{spec:?}").contains("hush"));
    }

    #[test]
    fn what_is_no_check_is_refused_without_its_secrets() {
        for (json, said) in [
            (serde_json::json!({}), "there is neither an endpoint"),
            (serde_json::json!({"URL": "ftp://hush"}), "the endpoint begins with `ftp://`"),
            (serde_json::json!({"URL": "http://a", "Method": "a b"}), "the method"),
            (serde_json::json!({"URL": "http://a", "Headers": {"a b": "hush"}}), "a header's name"),
            (serde_json::json!({"URL": "http://a", "Headers": {"a": "hush\n"}}), "a header's name"),
            (serde_json::json!({"URL": "http://a", "ExpectedStatus": 99}), "the expected status 99"),
            (serde_json::json!({"URL": "http://a", "JSONPath": "a["}), "the JSON path cannot be read"),
        ] {
            let error = spec(&json).unwrap_err();
            assert!(error.to_string().starts_with(said), "{error}");
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }
}
