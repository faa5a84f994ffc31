//! The endpoints that this host may check on demand: those that its own configuration names, and no others.
//!
//! Whoever can write to the Temporal namespace could else have this host fetch any URL of its network. What may be asked is
//! what a probe asks: its whole URL, with its method or one that only reads.

use dixmgr_contract::check::{HttpCheckAnswer, HttpCheckInput};
use dixmgr_contract::{FailureKind, Time};
use dixmgr_probe::check::{Ask, HttpAsk};
use dixmgr_probe::{CheckSpec, Endpoint, Prober};
use dixmgr_systemd::ActError;
use std::sync::Arc;
use std::time::SystemTime;

/// Checks endpoints. Cheap to clone.
#[derive(Clone)]
pub struct Endpoints {
    prober: Prober,
    /// With the method of the probe that names it.
    known: Arc<Vec<(Endpoint, String)>>,
}

impl Endpoints {
    /// Those of the configuration, with the methods that it asks them with.
    pub fn new(known: impl IntoIterator<Item = (Endpoint, String)>) -> Self {
        Self { prober: Prober::new(), known: Arc::new(known.into_iter().collect()) }
    }

    /// One look at an endpoint.
    ///
    /// # Errors
    /// The input is no check, or not one that the configuration knows. That the endpoint is ill is no error.
    pub(crate) async fn check(&self, input: &HttpCheckInput) -> Result<HttpCheckAnswer, ActError> {
        let mut spec =
            CheckSpec::try_from(input).map_err(|error| ActError::new(FailureKind::BadInput, error.to_string()))?;
        if let Ask::Http(ask) = &mut spec.ask {
            // The configuration may know a password that the caller does not.
            ask.endpoint = self.admit(ask)?.clone();
        }
        let result = self.prober.once(spec).await;
        Ok(result.answer(Time::from(SystemTime::now())))
    }

    fn admit(&self, ask: &HttpAsk) -> Result<&Endpoint, ActError> {
        let refused = |text| ActError::new(FailureKind::NotAllowed, text);
        let same = || self.known.iter().filter(|(known, _)| known.is_same(&ask.endpoint));
        if same().next().is_none() {
            let place = &ask.endpoint;
            let text =
                format!("no such URL at {place} is in this host's configuration; give a service a probe with `url`");
            return Err(refused(text));
        }
        let reads = ask.method.is_safe();
        let known = same().find(|(_, method)| reads || method.eq_ignore_ascii_case(ask.method.as_str()));
        known
            .map(|(endpoint, _)| endpoint)
            .ok_or_else(|| refused(format!("no probe of this host's configuration asks that URL with {}", ask.method)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(url: &str, method: &str) -> Result<String, FailureKind> {
        let known = |url: &str, method: &str| (Endpoint::parse(url).unwrap(), method.to_owned());
        let endpoints =
            Endpoints::new([known("http://u:p@a:8080/health?x=1", "GET"), known("http://a:8080/test", "POST")]);
        let input = HttpCheckInput { url: url.to_owned(), method: method.to_owned(), ..HttpCheckInput::default() };
        let spec = CheckSpec::try_from(&input).unwrap();
        let Ask::Http(ask) = spec.ask else { panic!("not HTTP") };
        endpoints.admit(&ask).map(ToString::to_string).map_err(|error| error.kind)
    }

    #[test]
    fn only_what_a_probe_asks() {
        assert_eq!(admitted("http://a:8080/health?x=1", "").as_deref(), Ok("http://a:8080"));
        assert_eq!(admitted("a:8080/test", "POST").as_deref(), Ok("http://a:8080"));
        assert_eq!(admitted("http://a:8080/test", "HEAD").as_deref(), Ok("http://a:8080"));
        for (url, method) in [
            ("http://a:8080/health", ""),
            ("http://a:8080/health?x=2", ""),
            ("https://a:8080/health?x=1", ""),
            ("http://a:8081/health?x=1", ""),
            ("http://a:8080/health?x=1", "DELETE"),
            ("http://169.254.169.254/", ""),
        ] {
            assert_eq!(admitted(url, method), Err(FailureKind::NotAllowed), "{method} {url}");
        }
    }
}
