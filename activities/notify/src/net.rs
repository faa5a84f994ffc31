//! What the channels share of the network: one HTTP client and one TLS set-up, bounded and with nobody's help.
//!
//! No proxies from the environment (a note goes where the configuration says), no redirects (they would take our keys to
//! where nobody meant to send them), no compression (a small body could be a huge one), HTTP/1.1 alone (its parser bounds
//! a head to about 400 KiB and 100 lines). Connections are not kept: notes are rare, and one that a server has just
//! closed makes a failure out of nothing.
//!
//! Rejected: `reqwest::Error` in our reasons. It holds the URL.

use crate::answer::{Answer, retry, retry_after};
use crate::config::ConfigError;
use crate::place::Place;
use crate::text::line;
use dixmgr_contract::{Delivery, Time};
use http::Method;
use reqwest::{Client, RequestBuilder, Response, header, redirect::Policy};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::{error::Error, fs::File, io::Read, path::Path, sync::Arc, time::Duration, time::SystemTime};

/// The longest body that is read, in bytes.
const MAX_BODY: usize = 64 << 10;
/// The longest file of certificates, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// How long a connection may take; shared by the addresses of a host, so that one that swallows packets leaves time for the
/// next.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The way out to the network. A clone shares what the original has.
#[derive(Clone, Debug)]
pub struct Net {
    http: Client,
    pub(crate) tls: Arc<ClientConfig>,
}

impl Net {
    /// One that trusts the host's own authorities. It reads their files. A host without any can still use `http://`.
    ///
    /// # Errors
    /// [`ConfigError`], if TLS cannot be set up at all.
    pub fn new() -> Result<Self, ConfigError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::with(roots)
    }

    /// One that trusts the authorities of the PEM file `path`, at most 1 MiB long, and nobody else. It reads the file.
    ///
    /// # Errors
    /// [`ConfigError`], if the file cannot be read or holds no certificate.
    pub fn trusting(path: &Path) -> Result<Self, ConfigError> {
        let wrong = |why: &str| ConfigError::new("tls_ca", format!("{}: {why}", path.display()));
        let mut pem = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut pem));
        read.map_err(|error| wrong(&error.to_string()))?;
        if pem.len() as u64 > MAX_FILE {
            return Err(wrong("it is longer than 1 MiB"));
        }
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|_| wrong("it is not PEM"))?;
            roots.add(certificate).map_err(|_| wrong("a certificate in it cannot be read"))?;
        }
        if roots.is_empty() {
            return Err(wrong("there is no certificate in it"));
        }
        Self::with(roots)
    }

    fn with(roots: RootCertStore) -> Result<Self, ConfigError> {
        let wrong = |why: String| ConfigError::new("tls_ca", format!("TLS cannot be set up: {why}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| wrong(error.to_string()))?;
        let tls = builder.with_root_certificates(roots).with_no_client_auth();
        let http = client(tls.clone()).map_err(|error| wrong(root_cause(&error)))?;
        Ok(Self { http, tls: Arc::new(tls) })
    }

    /// A request to `place` with `body` as JSON.
    pub(crate) fn json(&self, method: Method, place: &Place, body: Vec<u8>) -> RequestBuilder {
        let request = self.http.request(method, place.url()).header(header::CONTENT_TYPE, "application/json");
        request.body(body)
    }
}

fn client(tls: ClientConfig) -> Result<Client, reqwest::Error> {
    Client::builder()
        .tls_backend_preconfigured(tls)
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
}

/// Sends `request` to `place` and reads the answer. The caller bounds the time.
///
/// # Errors
/// [`Delivery::Retry`], if there is no answer.
pub(crate) async fn exchange(place: &Place, request: RequestBuilder) -> Result<Answer, Delivery> {
    let response = request.send().await.map_err(|error| unreached(place, &error))?;
    let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = after.and_then(|text| retry_after(text, Time::from(SystemTime::now())));
    Ok(Answer { status: response.status().as_u16(), after, body: body(response).await })
}

/// What was accepted stays accepted, whatever becomes of the body.
async fn body(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > MAX_BODY {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

fn unreached(place: &Place, error: &reqwest::Error) -> Delivery {
    let reason = root_cause(error);
    if error.is_connect() && error.is_timeout() {
        return retry(format!("cannot connect to {place}: no connection within {CONNECT_TIMEOUT:?}"));
    }
    if error.is_connect() {
        return retry(format!("cannot connect to {place}: {reason}"));
    }
    retry(format!("the answer of {place} broke off: {reason}"))
}

/// The innermost error in a few words. The outermost one is reqwest's, which holds the URL.
fn root_cause(error: &reqwest::Error) -> String {
    let sources = std::iter::successors(error.source(), |inner| (*inner).source());
    sources.last().map_or_else(|| "no reason was given".to_owned(), |cause| line(&cause.to_string(), 100))
}
