//! TLS towards an endpoint: whom we trust, who we are, and what is wrong with a certificate in words.
//!
//! A certificate is always verified. Rejected: a switch that turns it off. Whoever needs it names the authority (`tls_ca`),
//! or the name that the certificate is for (`tls_server_name`), and then knows whom they speak to.

use super::{der, failure::Failure};
use crate::{authorities::Authorities, text};
use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    client::{Resumption, WantsClientCert},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The longest file of certificates, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// How TLS is spoken; by default, with the host's own authorities, as nobody in particular.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// A PEM file of the authorities that are trusted instead of the host's.
    pub ca: Option<PathBuf>,
    /// A PEM file of our own certificate, and those up to its authority.
    pub cert: Option<PathBuf>,
    /// A PEM file of its key.
    pub key: Option<PathBuf>,
    /// The name that the server's certificate must be for; absent: the host that is asked.
    pub server_name: Option<String>,
}

impl TlsOptions {
    /// The same trust, without our certificate: for a host that nobody meant to show it to.
    pub(crate) fn anonymous(&self) -> Self {
        Self { ca: self.ca.clone(), ..Self::default() }
    }
}

/// Makes connectors.
#[derive(Debug, Default)]
pub(crate) struct TlsMaker {
    of_host: Authorities,
}

impl TlsMaker {
    /// Reads the files anew. It blocks for as long as that takes.
    pub(crate) fn connector(&self, options: &TlsOptions, protocol: Option<&str>) -> Result<TlsConnector, Failure> {
        let ours = |error: rustls::Error| Failure::Ours(format!("cannot set up TLS: {error}"));
        let roots = match &options.ca {
            Some(path) => Arc::new(authorities(path)?),
            // A host without any can still be asked for what its own files vouch for.
            None => self
                .of_host
                .get()
                .map_err(|why| Failure::Ours(format!("cannot set up TLS: {why}; `tls_ca` may name the authority")))?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().map_err(ours)?.with_root_certificates(roots);
        let mut config = match (&options.cert, &options.key) {
            (Some(cert), Some(key)) => with_own(builder, cert, key)?,
            _ => builder.with_no_client_auth(),
        };
        // A session that is taken up again shows, and trusts, the certificate of its beginning.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = protocol.into_iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn unreadable(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::Ours(format!("cannot set up TLS: {}: {why}", text::short(&path.to_string_lossy())))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| unreadable(path, error))?;
    if bytes.len() as u64 > MAX_FILE { Err(unreadable(path, "it is longer than 1 MiB")) } else { Ok(bytes) }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(unreadable(path, "there is no certificate in it")),
        Ok(found) => Ok(found),
        Err(_) => Err(unreadable(path, "it is not PEM")),
    }
}

fn authorities(path: &Path) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|_| unreadable(path, "a certificate in it cannot be read"))?;
    }
    Ok(roots)
}

fn with_own(
    builder: rustls::ConfigBuilder<ClientConfig, WantsClientCert>,
    cert: &Path,
    key: &Path,
) -> Result<ClientConfig, Failure> {
    let chain = certificates(cert)?;
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| unreadable(key, "there is no key in it"))?;
    builder.with_client_auth_cert(chain, secret).map_err(|_| unreadable(key, "it is not the key of the certificate"))
}

/// The handshake, and when the server's certificate ends, in Unix seconds.
pub(crate) async fn shake_hands<S>(
    connector: &TlsConnector,
    server_name: &str,
    stream: S,
) -> Result<(TlsStream<S>, Option<i64>), Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let bare = server_name.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|_| Failure::Ours("TLS: the host has no valid name".to_owned()))?;
    let stream = connector.connect(name, stream).await.map_err(|error| told(&error))?;
    let ends = stream.get_ref().1.peer_certificates().and_then(|chain| der::not_after(chain.first()?));
    Ok((stream, ends))
}

/// What is wrong with the handshake, in words that name the way out.
fn told(error: &io::Error) -> Failure {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return Failure::io("TLS", error);
    };
    let rustls::Error::InvalidCertificate(wrong) = error else {
        return Failure::theirs("TLS", text::short(&error.to_string()));
    };
    let theirs = |why: &str| Failure::answered("TLS", why);
    match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Failure::Expired("TLS: its certificate has expired".to_owned())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            theirs("its certificate is not valid yet; is this host's clock right?")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            theirs("its certificate is for another name; tls_server_name may name it")
        }
        // The latter is that of another authority of the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            theirs("its certificate is signed by nobody whom this host trusts; tls_ca may name the authority")
        }
        other => theirs(&text::short(&format!("its certificate is not valid: {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorities::found;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_shortage_at_the_first_look_is_ours_and_over_when_it_is_over() {
        static READS: AtomicUsize = AtomicUsize::new(0);
        let of_host = Authorities::read_by(|| found(READS.fetch_add(1, Ordering::SeqCst) > 0, None));
        let maker = TlsMaker { of_host };
        let connector = || maker.connector(&TlsOptions::default(), None);
        let Err(Failure::Ours(why)) = connector() else { panic!("not ours") };
        assert!(why.starts_with("cannot set up TLS: this host's authorities cannot be read: "), "{why}");
        assert!(connector().is_ok());
    }
}
