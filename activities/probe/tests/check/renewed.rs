//! Certificates that are renewed while a check runs.

use crate::{LONG, assert_healthy, assert_unhealthy, server::Server, spec, tls::*};
use dixmgr_contract::{CheckResult, CheckState, Span};
use dixmgr_probe::{Prober, check::HttpAsk};
use rcgen::date_time_ymd;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio_rustls::TlsAcceptor;

/// What a server shows. Its sessions outlive a change of it.
#[derive(Debug)]
struct Shown(Mutex<Arc<CertifiedKey>>);

impl Shown {
    fn first(leaf: &Leaf) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Self::key(leaf))))
    }

    fn renew(&self, leaf: &Leaf) {
        *self.0.lock().unwrap() = Self::key(leaf);
    }

    fn key(leaf: &Leaf) -> Arc<CertifiedKey> {
        let key = rustls::crypto::ring::sign::any_supported_type(&leaf.secret()).unwrap();
        Arc::new(CertifiedKey::new(vec![leaf.certificate.der().clone()], key))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.lock().unwrap().clone())
    }
}

async fn server(shown: &Arc<Shown>) -> Server {
    let config = config(rustls::DEFAULT_VERSIONS, None).with_cert_resolver(shown.clone());
    start(TlsAcceptor::from(Arc::new(config))).await
}

fn ending_in(year: i32, authority: &Authority) -> Leaf {
    let mut params = params("127.0.0.1");
    params.not_after = date_time_ymd(year, 1, 1);
    leaf(params, authority)
}

fn years(years: u64) -> Span {
    Span::from_secs(years * 365 * 86_400)
}

/// Between the ends of certificates until 2500 and until 2900.
fn is_the_renewed_one(result: &CheckResult) -> bool {
    result.certificate_expires_in.unwrap() > years(700)
}

async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_certificate_renewed_behind_a_kept_connection_is_seen_in_ten_minutes() {
    let authority = authority();
    let shown = Shown::first(&ending_in(2500, &authority));
    let server = server(&shown).await;
    let mut check = Prober::new().check(spec(trusting(&server, &authority), LONG));
    assert!(!is_the_renewed_one(&check.run().await));
    shown.renew(&ending_in(2900, &authority));
    pass(Duration::from_mins(9)).await;
    assert!(!is_the_renewed_one(&check.run().await));
    assert_eq!(server.connections(), 1);
    pass(Duration::from_mins(1)).await;
    let result = check.run().await;
    assert_healthy(&result);
    assert!(is_the_renewed_one(&result), "{result:?}");
    assert_eq!(server.connections(), 2);
    // The new one is kept in its turn.
    assert_healthy(&check.run().await);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_whose_certificate_ends_too_soon_is_not_kept() {
    let authority = authority();
    let shown = Shown::first(&ending_in(2500, &authority));
    let server = server(&shown).await;
    let mut ask = trusting(&server, &authority);
    ask.expectation.budget.certificate_min = Some(years(700));
    let mut check = Prober::new().check(spec(ask, LONG));
    assert_eq!(check.run().await.state, CheckState::Degraded);
    shown.renew(&ending_in(2900, &authority));
    for _ in 0..2 {
        assert_healthy(&check.run().await);
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn our_own_certificate_is_read_anew_after_it_was_refused() {
    let (authority, clients) = (authority(), authority());
    // Its refusal comes when the handshake is over.
    let config = config(&[&rustls::version::TLS13], Some(those_of(&clients)));
    let shown = Shown::first(&leaf(params("127.0.0.1"), &authority));
    let server = start(TlsAcceptor::from(Arc::new(config.with_cert_resolver(shown)))).await;
    let mut ask = trusting(&server, &authority);
    let refused = leaf(params("me"), &authority);
    let (cert, key) = (file(&refused.certificate.pem()), file(&refused.key.serialize_pem()));
    (ask.tls.cert, ask.tls.key) = (Some(cert.clone()), Some(key.clone()));
    let mut check = Prober::new().check(spec(ask, LONG));
    assert_unhealthy(&check.run().await, "");
    let renewed = leaf(params("me"), &clients);
    std::fs::write(cert, renewed.certificate.pem()).unwrap();
    std::fs::write(key, renewed.key.serialize_pem()).unwrap();
    assert_healthy(&check.run().await);
}

#[tokio::test]
async fn files_that_nobody_complains_of_are_read_anew_in_ten_minutes() {
    let (old, new) = (authority(), authority());
    let shown = Shown::first(&leaf(params("127.0.0.1"), &old));
    let server = server(&shown).await;
    let ask = HttpAsk { keep_alive: false, ..trusting(&server, &old) };
    let ca = ask.tls.ca.clone().unwrap();
    let mut check = Prober::new().check(spec(ask, LONG));
    assert_healthy(&check.run().await);
    // The old authority is trusted no more.
    std::fs::write(ca, new.pem()).unwrap();
    assert_healthy(&check.run().await);
    pass(Duration::from_mins(10)).await;
    assert_unhealthy(&check.run().await, "signed by nobody whom this host trusts");
}
