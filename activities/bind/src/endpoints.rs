//! The endpoints that this host may check on demand: those that its own configuration names, and no others.
//!
//! Whoever can write to the Temporal namespace could else have this host fetch any URL of its network. What may be asked is
//! what a probe asks: its whole URL, with its method or one that only reads. It is asked the way that the probe asks it,
//! through its socket or proxy and trusting whom it trusts; what is sent along and expected is the caller's. One that has not
//! answered several times in a row is left alone for a while, and the caller told so ([`Breakers`]).

use crate::not_known::NotKnown;
use dixmgr_contract::check::{HttpCheckAnswer, HttpCheckInput};
use dixmgr_contract::{CheckState, FailureKind, Time};
use dixmgr_probe::check::{Ask, HttpAsk};
use dixmgr_probe::{Breakers, CheckSpec, Prober, Target};
use dixmgr_systemd::ActError;
use std::sync::Arc;
use std::time::SystemTime;

/// Checks endpoints. Cheap to clone.
#[derive(Clone)]
pub struct Endpoints {
    prober: Prober,
    breakers: Breakers,
    known: Arc<Vec<HttpAsk>>,
}

impl Endpoints {
    /// What the probes of the configuration ask. Where two ask the same URL, a probe of the caller's method goes before one
    /// that the method is harmless for, and then the first.
    pub fn new(breakers: Breakers, known: impl IntoIterator<Item = HttpAsk>) -> Self {
        Self { prober: Prober::new(), breakers, known: Arc::new(known.into_iter().collect()) }
    }

    /// One look at an endpoint, unless it is left alone.
    ///
    /// # Errors
    /// The input is no check, or not one that the configuration knows; or nothing is known of the endpoint, since it is left alone or
    /// could not be asked by a fault of ours. That it is ill, or does not answer, is no error.
    pub(crate) async fn check(&self, input: &HttpCheckInput) -> Result<HttpCheckAnswer, NotKnown> {
        let mut spec =
            CheckSpec::try_from(input).map_err(|error| ActError::new(FailureKind::BadInput, error.to_string()))?;
        let Ask::Http(ask) = &mut spec.ask else {
            return Err(ActError::new(FailureKind::BadInput, "only a check over HTTP can be asked for").into());
        };
        let known = self.admit(ask)?;
        go_as(known, ask);
        let pass = self.breakers.pass(Target::from(known)).map_err(NotKnown::LeftAlone)?;
        let timeout = spec.timeout;
        let result = self.prober.once(spec).await;
        pass.checked(&result, timeout);
        if result.state == CheckState::Unknown {
            return Err(NotKnown::Unseen(ActError::new(FailureKind::Unexpected, result.reason)));
        }
        Ok(result.answer(Time::from(SystemTime::now())))
    }

    /// The probe that `ask` is one of.
    fn admit(&self, ask: &HttpAsk) -> Result<&HttpAsk, ActError> {
        let refused = |text| ActError::new(FailureKind::NotAllowed, text);
        let mut same = self.known.iter().filter(|known| known.endpoint.is_same(&ask.endpoint)).peekable();
        let Some(first) = same.peek().copied() else {
            let place = &ask.endpoint;
            let text =
                format!("no such URL at {place} is in this host's configuration; give a service a probe with `url`");
            return Err(refused(text));
        };
        let known = same.find(|known| known.method == ask.method).or(ask.method.is_safe().then_some(first));
        known.ok_or_else(|| refused(format!("no probe of this host's configuration asks that URL with {}", ask.method)))
    }
}

/// The way of a probe. Its URL may hold a password that the caller does not know.
fn go_as(known: &HttpAsk, ask: &mut HttpAsk) {
    let HttpAsk { endpoint, max_body, redirects, proxy, unix, tls, .. } = known.clone();
    *ask = HttpAsk { endpoint, max_body, redirects, proxy, unix, tls, ..ask.clone() };
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_probe::Endpoint;
    use dixmgr_probe::check::TlsOptions;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    fn known(url: &str, method: &str) -> HttpAsk {
        HttpAsk { method: method.parse().unwrap(), ..HttpAsk::new(Endpoint::parse(url).unwrap()) }
    }

    fn input(url: &str, method: &str) -> HttpCheckInput {
        HttpCheckInput { url: url.to_owned(), method: method.to_owned(), ..HttpCheckInput::default() }
    }

    /// What is asked in the end.
    fn admitted(endpoints: &Endpoints, url: &str, method: &str) -> Result<HttpAsk, FailureKind> {
        let Ask::Http(mut ask) = CheckSpec::try_from(&input(url, method)).unwrap().ask else { panic!("not HTTP") };
        go_as(endpoints.admit(&ask).map_err(|error| error.kind)?, &mut ask);
        Ok(*ask)
    }

    #[test]
    fn only_what_a_probe_asks() {
        let endpoints = Endpoints::new(
            Breakers::default(),
            [known("http://u:p@a:8080/health?x=1", "GET"), known("http://a:8080/test", "POST")],
        );
        for (url, method) in [("http://a:8080/health?x=1", ""), ("a:8080/test", "POST"), ("http://a:8080/test", "HEAD")]
        {
            assert!(admitted(&endpoints, url, method).is_ok(), "{method} {url}");
        }
        for (url, method) in [
            ("http://a:8080/health", ""),
            ("http://a:8080/health?x=2", ""),
            ("https://a:8080/health?x=1", ""),
            ("http://a:8081/health?x=1", ""),
            ("http://a:8080/health?x=1", "DELETE"),
            ("http://169.254.169.254/", ""),
        ] {
            assert_eq!(admitted(&endpoints, url, method).err(), Some(FailureKind::NotAllowed), "{method} {url}");
        }
    }

    #[test]
    fn it_is_asked_as_its_probe_asks_and_sends_what_the_caller_says() {
        let tls = TlsOptions { ca: Some("/ca.pem".into()), ..TlsOptions::default() };
        let proxy = Some(Endpoint::parse("http://proxy:3128").unwrap());
        let mut probe = HttpAsk { max_body: 7, redirects: 3, proxy, tls, ..known("https://u:p@a/health", "POST") };
        probe.header("X-Key", "hush").unwrap();
        let other = HttpAsk { unix: Some("/a.sock".into()), ..known("https://a/health", "GET") };
        let endpoints = Endpoints::new(Breakers::default(), [probe.clone(), other.clone()]);
        let way = |ask: &HttpAsk| {
            (ask.endpoint.clone(), ask.max_body, ask.redirects, ask.proxy.clone(), ask.unix.clone(), ask.tls.clone())
        };
        for (method, like) in [("POST", &probe), ("GET", &other), ("", &other), ("HEAD", &probe)] {
            let ask = admitted(&endpoints, "https://a/health", method).unwrap();
            assert_eq!(way(&ask), way(like), "{method}");
            assert!(ask.headers.is_empty() && !ask.keep_alive);
        }
    }

    #[tokio::test]
    async fn what_could_not_be_asked_is_not_said_to_be_ill() {
        // The kernel connects to no group, wherever its routes lead: that is a fault of ours.
        let url = "http://224.0.0.1:1/health";
        let endpoints = Endpoints::new(Breakers::default(), [known(url, "GET")]);
        for _ in 0..7 {
            let unknown = endpoints.check(&input(url, "GET")).await.unwrap_err();
            let NotKnown::Unseen(error) = unknown else { panic!("{unknown:?}") };
            assert!(error.kind == FailureKind::Unexpected && error.message.contains("224.0.0.1"), "{error:?}");
        }
        // Who takes no connection is ill, and after several times left alone.
        let url = "http://127.0.0.1:9/health";
        let endpoints = Endpoints::new(Breakers::default(), [known(url, "GET")]);
        for _ in 0..5 {
            let answer = endpoints.check(&input(url, "GET")).await.unwrap();
            assert!(!answer.healthy && answer.error.contains("cannot connect"), "{answer:?}");
        }
        let alone = endpoints.check(&input(url, "GET")).await.unwrap_err();
        assert!(matches!(alone, NotKnown::LeftAlone(_)), "{alone:?}");
    }

    #[tokio::test]
    async fn a_socket_is_asked_where_the_probe_asks_one() {
        let path = std::env::temp_dir().join(format!("endpoints-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut asked).await.unwrap() > 0);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine").await.unwrap();
        });
        let url = "http://nowhere.invalid/health";
        let endpoints =
            Endpoints::new(Breakers::default(), [HttpAsk { unix: Some(path.clone()), ..known(url, "GET") }]);
        let answer = endpoints.check(&input(url, "GET")).await.unwrap();
        assert!(answer.healthy, "{answer:?}");
        server.await.unwrap();
        std::fs::remove_file(path).unwrap();
    }
}
