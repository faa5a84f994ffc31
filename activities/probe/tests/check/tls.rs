//! Certificates: good ones, those of nobody, for somebody else, of yesterday; ours; and how long one is still good.

use crate::{LONG, ask, assert_healthy, assert_unhealthy, assert_unknown, server::*, spec};
use dixmgr_contract::{CheckResult, CheckState, Span};
use dixmgr_decide::{
    check::{Budget, Expectation, judge::NAMES},
    condition::Condition,
};
use dixmgr_probe::{
    CheckSpec, Prober,
    check::{Address, Ask, HttpAsk, TlsOptions},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ConfigBuilder, RootCertStore, ServerConfig, SupportedProtocolVersion,
    pki_types::PrivateKeyDer,
    server::{WantsServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(crate) fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

pub(crate) struct Leaf {
    pub(crate) certificate: rcgen::Certificate,
    pub(crate) key: KeyPair,
}

impl Leaf {
    pub(crate) fn secret(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }
}

pub(crate) fn leaf(params: CertificateParams, authority: &Authority) -> Leaf {
    let key = KeyPair::generate().unwrap();
    Leaf { certificate: params.signed_by(&key, authority).unwrap(), key }
}

/// A file of its own in the folder for tests.
pub(crate) fn file(content: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("tls-{}-{}.pem", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn acceptor(leaf: &Leaf, clients: Option<Arc<dyn ClientCertVerifier>>) -> TlsAcceptor {
    let config = config(rustls::DEFAULT_VERSIONS, clients);
    let config = config.with_single_cert(vec![leaf.certificate.der().clone()], leaf.secret()).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

pub(crate) fn config(
    versions: &[&'static SupportedProtocolVersion],
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> ConfigBuilder<ServerConfig, WantsServerCert> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    }
}

/// Lets those in whom the authority vouches for.
pub(crate) fn those_of(clients: &Authority) -> Arc<dyn ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(clients.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap()
}

pub(crate) async fn start(acceptor: TlsAcceptor) -> Server {
    let wrap = move |stream: TcpStream| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(stream).await.ok() as Option<TlsStream<TcpStream>> }
    };
    Server::over(|_, _| ok("fine"), wrap).await
}

pub(crate) fn trusting(server: &Server, authority: &Authority) -> HttpAsk {
    let tls = TlsOptions { ca: Some(file(&authority.pem())), ..TlsOptions::default() };
    HttpAsk { tls, ..ask(&format!("https://127.0.0.1:{}/", server.port)) }
}

async fn run(ask: HttpAsk) -> CheckResult {
    Prober::new().once(spec(ask, LONG)).await
}

#[tokio::test]
async fn a_certificate_of_a_named_authority_is_trusted_and_its_end_is_known() {
    let authority = authority();
    let mut params = params("127.0.0.1");
    params.not_after = date_time_ymd(2999, 1, 1);
    let server = start(acceptor(&leaf(params, &authority), None)).await;
    let mut check = Prober::new().check(spec(trusting(&server, &authority), LONG));
    for _ in 0..2 {
        let result = check.run().await;
        assert_healthy(&result);
        assert!(result.certificate_expires_in > Some(Span::from_secs(300 * 365 * 86_400)), "{result:?}");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_degraded_and_a_condition_sees_it() {
    let authority = authority();
    let server = start(acceptor(&leaf(params("127.0.0.1"), &authority), None)).await;
    let mut ask = trusting(&server, &authority);
    // rcgen's own end is in the year 4096.
    ask.expectation.budget.certificate_min = Some(Span::from_secs(2_500 * 365 * 86_400));
    let result = run(ask.clone()).await;
    assert_eq!(result.state, CheckState::Degraded, "{}", result.reason);
    assert!(result.reason.starts_with("the certificate ends in "), "{}", result.reason);
    let condition = Some(Condition::compile("certificate_expires_in > 14d", &NAMES).unwrap());
    ask.expectation = Expectation { condition, ..Expectation::default() };
    assert_healthy(&run(ask).await);
}

#[tokio::test]
async fn a_certificate_that_is_not_good_is_told_apart() {
    let authority = authority();
    let (other, mut expired, mut early) = (self::authority(), params("127.0.0.1"), params("127.0.0.1"));
    (expired.not_before, expired.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    early.not_before = date_time_ymd(2999, 1, 1);
    let key = KeyPair::generate().unwrap();
    let alone = Leaf { certificate: params("127.0.0.1").self_signed(&key).unwrap(), key };
    for (leaf, why) in [
        (leaf(expired, &authority), "its certificate has expired"),
        (leaf(early, &authority), "its certificate is not valid yet"),
        (leaf(params("elsewhere.example"), &authority), "its certificate is for another name"),
        (leaf(params("127.0.0.1"), &other), "signed by nobody whom this host trusts"),
        (alone, "signed by nobody whom this host trusts"),
    ] {
        let server = start(acceptor(&leaf, None)).await;
        let result = run(trusting(&server, &authority)).await;
        assert_unhealthy(&result, why);
        let is_over = result.certificate_expires_in == Some(Span::ZERO);
        assert_eq!(is_over, why.contains("expired"), "{result:?}");
        assert!(result.answered, "who shows a certificate is there: {result:?}");
    }
}

#[tokio::test]
async fn the_name_that_a_certificate_is_for_can_be_given() {
    let authority = authority();
    let server = start(acceptor(&leaf(params("elsewhere.example"), &authority), None)).await;
    let mut ask = trusting(&server, &authority);
    ask.tls.server_name = Some("elsewhere.example".into());
    assert_healthy(&run(ask).await);
}

#[tokio::test]
async fn our_own_certificate_is_shown_where_it_is_asked_for_and_nowhere_else() {
    let (authority, clients) = (authority(), authority());
    let server = start(acceptor(&leaf(params("127.0.0.1"), &authority), Some(those_of(&clients)))).await;
    let own = leaf(params("me"), &clients);
    let mut ask = trusting(&server, &authority);
    assert_unhealthy(&run(ask.clone()).await, "");
    ask.tls.cert = Some(file(&own.certificate.pem()));
    ask.tls.key = Some(file(&own.key.serialize_pem()));
    assert_healthy(&run(ask.clone()).await);
    // A redirect from elsewhere does not bring it along.
    let location = format!("Location: https://127.0.0.1:{}/\r\n", server.port);
    let leading = Server::start(move |_, _| http("302 Found", &location, "")).await;
    let redirected = HttpAsk { redirects: 1, tls: ask.tls, ..crate::ask(&leading.url("/")) };
    assert_unhealthy(&run(redirected).await, "");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn files_that_cannot_be_read_are_our_own_fault() {
    let authority = authority();
    let server = start(acceptor(&leaf(params("127.0.0.1"), &authority), None)).await;
    let with = |tls: TlsOptions| run(HttpAsk { tls, ..ask(&format!("https://127.0.0.1:{}/", server.port)) });
    let none = TlsOptions { ca: Some(file(&authority.pem())), ..TlsOptions::default() };
    let missing = PathBuf::from("/nowhere/ca.pem");
    assert_unknown(&with(TlsOptions { ca: Some(missing.clone()), ..none.clone() }).await, "No such file");
    assert_unknown(&with(TlsOptions { ca: Some(file("")), ..none.clone() }).await, "there is no certificate in it");
    let other = KeyPair::generate().unwrap();
    let (cert, key) = (Some(file(&authority.pem())), Some(file(&other.serialize_pem())));
    assert_unknown(
        &with(TlsOptions { cert: cert.clone(), key, ..none.clone() }).await,
        "not the key of the certificate",
    );
    assert_unknown(&with(TlsOptions { cert, key: Some(file("x")), ..none }).await, "there is no key in it");
}

#[tokio::test]
async fn what_speaks_no_tls_is_told() {
    let server = Server::start(|_, _| ok("fine")).await;
    let authority = authority();
    // It waits for the end of a line, as we wait for its handshake.
    let result = Prober::new().once(spec(trusting(&server, &authority), crate::SHORT)).await;
    assert_eq!(result.state, CheckState::Unhealthy, "{}", result.reason);
    let server = start(acceptor(&leaf(params("127.0.0.1"), &authority), None)).await;
    assert_unhealthy(&run(ask(&server.url("/"))).await, "");
}

#[tokio::test]
async fn a_connection_with_tls_is_a_check_of_its_certificate() {
    let authority = authority();
    let server = start(acceptor(&leaf(params("127.0.0.1"), &authority), None)).await;
    let tls = TlsOptions { ca: Some(file(&authority.pem())), ..TlsOptions::default() };
    let tcp = |certificate_min| {
        let address = Address { host: "127.0.0.1".into(), port: server.port };
        let budget = Budget { certificate_min, ..Budget::default() };
        CheckSpec { ask: Ask::Tcp { address, tls: Some(tls.clone()), budget }, timeout: LONG }
    };
    let result = Prober::new().once(tcp(None)).await;
    assert_healthy(&result);
    assert!(result.certificate_expires_in.is_some());
    let result = Prober::new().once(tcp(Some(Span::from_secs(2_500 * 365 * 86_400)))).await;
    assert_eq!(result.state, CheckState::Degraded, "{}", result.reason);
}
