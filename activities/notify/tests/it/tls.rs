//! Certificates for servers on loopback, and a [`Net`] that trusts one authority.

use dixmgr_notify::{ConfigError, Net};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use std::{io::Write, sync::Arc};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Leaf {
    /// The certificate and its key, for a server that reads files.
    pub(crate) fn pem(&self) -> (String, String) {
        (self.certificate.pem(), self.key.serialize_pem())
    }
}

pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(crate) fn leaf(name: &str, authority: &Authority) -> Leaf {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    Leaf { certificate: params.signed_by(&key, authority).unwrap(), key }
}

pub(crate) fn acceptor(leaf: &Leaf) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(leaf.key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.certificate.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

pub(crate) fn trusting(authority: &Authority) -> Net {
    net(&authority.pem()).unwrap()
}

fn net(pem: &str) -> Result<Net, ConfigError> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(pem.as_bytes()).unwrap();
    Net::trusting(file.path())
}

#[test]
fn a_file_without_a_certificate_is_no_authority() {
    for (pem, part) in [
        (String::new(), "there is no certificate in it"),
        ("hush".to_owned(), "there is no certificate in it"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), "cannot be read"),
        ("x".repeat((1 << 20) + 1), "longer than 1 MiB"),
    ] {
        let error = net(&pem).unwrap_err();
        assert!(error.key == "tls_ca" && error.reason.contains(part), "{error}");
    }
    assert!(Net::trusting("/nowhere/ca.pem".as_ref()).unwrap_err().reason.contains("/nowhere/ca.pem"));
}
