//! One exchange over HTTP with whoever answers: bounded in size and time, and told without what is secret in the URL.
//!
//! No proxies (a probe asks the endpoint, not its way there), no redirects (they would lead to where nobody meant to
//! ask, with our credentials), no compression (a small body could be a huge one), HTTP/1.1 alone (its parser bounds a
//! head to about 400 KiB and 100 lines).
//!
//! Rejected: keeping connections for the next look. A server that closes an idle one just then makes a failure out of
//! nothing, and this client does not tell whether it may ask again; `check` has one of its own, which does.
//!
//! Rejected: `reqwest::Error` in our errors. It holds the URL.

use crate::check::{failure, resolve::Resolver};
use crate::{Endpoint, authorities::Authorities, text, way::Way};
use reqwest::{Client, RequestBuilder, redirect::Policy};
use rustls::{ClientConfig, RootCertStore};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::sync::OnceCell;

/// The longest body that is read, in bytes.
pub const MAX_BODY: usize = 64 << 10;
/// How long a connection may take. It is shared by the addresses of a host: one that swallows packets leaves time for
/// the next.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The client itself.
    #[error("cannot set up an HTTP client: {0}")]
    Setup(String),
    /// Not reached: nobody took the connection.
    #[error("cannot connect to {place}: {reason}")]
    Connect {
        /// `scheme://host:port`.
        place: String,
        /// What the system says.
        reason: String,
    },
    /// Not asked: its name has no address, or TLS found no agreement.
    #[error("cannot connect to {place}: {reason}")]
    Mismatch {
        /// `scheme://host:port`.
        place: String,
        /// What the resolver or TLS says.
        reason: String,
    },
    /// Not asked, by a fault of ours: nothing is known of it.
    #[error("cannot ask {place} from here: {reason}")]
    Ours {
        /// `scheme://host:port`.
        place: String,
        /// What the system or the resolver says.
        reason: String,
    },
    /// Reached, but not finished in time.
    #[error("{place} did not answer in full within {after:?}")]
    Timeout {
        /// `scheme://host:port`.
        place: String,
        /// The time-out.
        after: Duration,
    },
    /// The answer broke off, or is not HTTP.
    #[error("the answer of {place} cannot be read: {reason}")]
    Broken {
        /// `scheme://host:port`.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The body is longer than [`MAX_BODY`].
    #[error("the answer of {place} is longer than {MAX_BODY} bytes")]
    TooLong {
        /// `scheme://host:port`.
        place: String,
    },
}

impl HttpError {
    /// It is a fault of ours, and says nothing of whoever was asked.
    pub(crate) const fn is_ours(&self) -> bool {
        matches!(self, Self::Ours { .. } | Self::Setup(_))
    }

    /// Nobody answered: no connection, or nothing in time.
    pub(crate) const fn is_in_vain(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Timeout { .. })
    }
}

/// What came back.
pub(crate) struct Answer {
    /// The HTTP status, 100 to 999.
    pub(crate) status: u16,
    /// The body, at most [`MAX_BODY`] long; not read, and so empty, unless the status is a 2xx.
    pub(crate) body: Vec<u8>,
}

/// The clients of every look that this process makes.
#[derive(Debug)]
pub(crate) struct Clients {
    plain: Client,
    /// Made when it is first needed. A host without authorities can still ask `http://`.
    secure: OnceCell<Client>,
    authorities: Arc<Authorities>,
    resolver: Resolver,
}

impl Clients {
    /// Names are resolved so.
    pub(crate) fn new(authorities: Authorities, resolver: Resolver) -> Result<Self, HttpError> {
        let plain = client(RootCertStore::empty(), resolver.clone())?;
        Ok(Self { plain, secure: OnceCell::new(), authorities: Arc::new(authorities), resolver })
    }

    /// The one to ask `endpoint` with.
    ///
    /// # Errors
    /// [`HttpError::Setup`]. The next call tries again.
    pub(crate) async fn of(&self, endpoint: &Endpoint) -> Result<&Client, HttpError> {
        if !endpoint.is_tls() {
            return Ok(&self.plain);
        }
        let make = || async {
            let authorities = self.authorities.clone();
            // Reading them blocks.
            let read = tokio::task::spawn_blocking(move || authorities.get()).await;
            let authorities = read.unwrap_or_else(|error| Err(error.to_string())).map_err(HttpError::Setup)?;
            client(authorities, self.resolver.clone())
        };
        self.secure.get_or_try_init(make).await
    }
}

/// One that trusts these authorities and has its names resolved so.
pub(crate) fn client(authorities: impl Into<Arc<RootCertStore>>, resolver: Resolver) -> Result<Client, HttpError> {
    Client::builder()
        .dns_resolver(Arc::new(Way(resolver)))
        .tls_backend_preconfigured(tls(authorities.into())?)
        .user_agent(concat!("dixmgr/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| HttpError::Setup(root_cause(&error)))
}

/// With ring.
fn tls(authorities: Arc<RootCertStore>) -> Result<ClientConfig, HttpError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|error| HttpError::Setup(error.to_string()))?;
    Ok(builder.with_root_certificates(authorities).with_no_client_auth())
}

/// Sends `request` to `endpoint` and reads the answer, all of it within `timeout`.
pub(crate) async fn exchange(
    endpoint: &Endpoint,
    request: RequestBuilder,
    timeout: Duration,
) -> Result<Answer, HttpError> {
    let in_time = tokio::time::timeout(timeout, send_and_read(endpoint, request)).await;
    in_time.unwrap_or_else(|_| Err(HttpError::Timeout { place: endpoint.place().to_owned(), after: timeout }))
}

async fn send_and_read(endpoint: &Endpoint, request: RequestBuilder) -> Result<Answer, HttpError> {
    let place = || endpoint.place().to_owned();
    let failed = |error| told(place(), &error);
    let mut response = request.send().await.map_err(failed)?;
    let mut answer = Answer { status: response.status().as_u16(), body: Vec::new() };
    if !response.status().is_success() {
        return Ok(answer);
    }
    if response.content_length().is_some_and(|announced| announced > MAX_BODY as u64) {
        return Err(HttpError::TooLong { place: place() });
    }
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if answer.body.len() + chunk.len() > MAX_BODY {
            return Err(HttpError::TooLong { place: place() });
        }
        answer.body.extend_from_slice(&chunk);
    }
    Ok(answer)
}

/// Why there is no answer of `place`, and whose fault that is.
pub(crate) fn told(place: String, error: &reqwest::Error) -> HttpError {
    if error.is_connect() && error.is_timeout() {
        return HttpError::Connect { place, reason: format!("no connection within {CONNECT_TIMEOUT:?}") };
    }
    let reason = root_cause(error);
    if failure::is_ours(error) {
        return HttpError::Ours { place, reason };
    }
    match (error.is_connect(), failure::is_of_the_system(error)) {
        (true, true) => HttpError::Connect { place, reason },
        (true, false) => HttpError::Mismatch { place, reason },
        (false, _) => HttpError::Broken { place, reason },
    }
}

/// The innermost error in a few words. The outermost one is reqwest's, which holds the URL.
fn root_cause(error: &reqwest::Error) -> String {
    let sources = std::iter::successors(error.source(), |inner| (*inner).source());
    sources.last().map_or_else(|| "no reason was given".to_owned(), |cause| text::short(&cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorities::found;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_shortage_at_the_first_look_is_told_and_over_when_it_is_over() {
        static READS: AtomicUsize = AtomicUsize::new(0);
        let authorities = Authorities::read_by(|| found(READS.fetch_add(1, Ordering::SeqCst) > 0, None));
        let clients = Clients::new(authorities, Resolver::of_host()).unwrap();
        let (plain, secure) = (Endpoint::parse("http://a").unwrap(), Endpoint::parse("https://a").unwrap());
        assert!(clients.of(&plain).await.is_ok());
        let Err(HttpError::Setup(why)) = clients.of(&secure).await else { panic!("none is missing") };
        assert!(why.starts_with("this host's authorities cannot be read: "), "{why}");
        assert!(clients.of(&secure).await.is_ok() && clients.of(&secure).await.is_ok());
        assert_eq!(READS.load(Ordering::SeqCst), 2);
    }
}
