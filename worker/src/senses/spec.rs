//! From a probe of the configuration to a check. What could be wrong with it was said when the file was read.

use dixmgr_contract::Span;
use dixmgr_model::{self as model, Probe};
use dixmgr_probe::check::{Address, Ask, HttpAsk, TlsOptions};
use dixmgr_probe::{CheckSpec, Endpoint};

/// The check of a probe; nothing for a blockchain node, which is asked otherwise.
pub(super) fn check_spec(probe: &Probe) -> Option<CheckSpec> {
    let budget = probe.budget();
    let ask = match &probe.check {
        model::Check::Http(check) => Ask::Http(Box::new(http(probe, check)?)),
        model::Check::Tcp(check) => Ask::Tcp { address: Address::parse(&check.tcp)?, tls: tls_if_on(&check.tls), budget },
        model::Check::Dns(check) => Ask::Dns { name: check.dns.clone(), expect: check.dns_expect.clone(), budget },
        model::Check::Grpc(check) => Ask::Grpc {
            address: Address::parse(&check.grpc)?,
            service: check.grpc_service.clone(),
            tls: tls_if_on(&check.tls),
            budget,
        },
        model::Check::Node(_) => return None,
    };
    Some(CheckSpec { ask, timeout: Span::duration(probe.timeout) })
}

fn http(probe: &Probe, check: &model::HttpCheck) -> Option<HttpAsk> {
    let mut ask = HttpAsk::new(Endpoint::parse(check.url.expose()).ok()?);
    ask.method = check.method.parse().ok()?;
    for (name, value) in &check.headers {
        ask.header(name, value.expose()).ok()?;
    }
    ask.body = check.body.expose().to_owned();
    ask.expectation = check.expectation(probe.budget());
    ask.max_body = check.max_body;
    ask.redirects = check.redirects;
    ask.proxy = check.proxy.as_ref().and_then(|proxy| Endpoint::parse(proxy.expose()).ok());
    ask.unix.clone_from(&check.unix);
    ask.keep_alive = check.keep_alive;
    ask.tls = tls(&check.tls);
    Some(ask)
}

fn tls(tls: &model::Tls) -> TlsOptions {
    TlsOptions {
        ca: tls.ca.clone(),
        cert: tls.cert.clone(),
        key: tls.key.clone(),
        server_name: tls.server_name.clone(),
    }
}

fn tls_if_on(options: &model::Tls) -> Option<TlsOptions> {
    options.is_on().then(|| tls(options))
}
