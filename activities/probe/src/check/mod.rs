//! Health checks, the looking half: HTTP, TCP, DNS, gRPC.
//!
//! A [`Prober`] is made once; it makes a [`Check`] of each [`CheckSpec`], and `check.run().await` is one look, which always
//! ends with a [`CheckResult`], within its timeout but for the judging of a long answer. A run takes the check for itself, so one check never runs twice at a time.
//! When to run, what many results mean, and when to leave an endpoint alone is `dixmgr_decide::check` and `breaker`.
//!
//! The files: `spec` (what is asked), `http` with `hop` (where next), `exchange` (one connection) and `body` (what is kept),
//! `grpc`, `dial` (the way there), `resolve` (names), `clock` (whose time),
//! `tls` with `der` (certificates), `failure` (whose fault).
//!
//! Everything that answers is taken for hostile: bounded in time and memory, nothing unpacked, nothing repeated that may be
//! secret. What is our own fault is [`CheckState::Unknown`], never unhealthy.

mod address;
mod body;
mod clock;
mod der;
mod dial;
mod exchange;
pub(crate) mod failure;
mod grpc;
mod hop;
mod http;
pub(crate) mod resolve;
mod spec;
mod tls;

pub use address::Address;
pub use spec::{Ask, CheckSpec, DEFAULT_MAX_BODY, HttpAsk, SpecError};
pub use tls::TlsOptions;

use self::http::{HttpCheck, Seen, left};
use clock::Clock;
use dixmgr_contract::{CheckResult, CheckState, Span};
use dixmgr_decide::check::Budget;
use failure::Failure;
use resolve::{Resolver, Unresolved};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tls::TlsMaker;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

/// Makes checks, which share the resolver and the host's TLS authorities. A clone shares them too.
#[derive(Clone)]
pub struct Prober(Arc<Shared>);

/// What all checks share.
pub(crate) struct Shared {
    pub(crate) resolver: Resolver,
    tls: Arc<TlsMaker>,
}

impl Shared {
    /// Reading files and authorities blocks, so it is done elsewhere.
    pub(crate) async fn connector(
        &self,
        options: TlsOptions,
        protocol: Option<&'static str>,
    ) -> Result<TlsConnector, Failure> {
        let tls = self.tls.clone();
        let made = tokio::task::spawn_blocking(move || tls.connector(&options, protocol)).await;
        made.unwrap_or_else(|_| Err(Failure::Ours("cannot set up TLS".to_owned())))
    }
}

impl Default for Prober {
    fn default() -> Self {
        Self::new()
    }
}

impl Prober {
    /// One for the whole process. It does nothing yet: what is missing on this host is told by the check that needs it.
    pub fn new() -> Self {
        Self::over(Resolver::of_host())
    }

    /// One whose names are looked up by `lookup`, which may block: for tests, and for hosts with a resolver of their own.
    pub fn with_lookup(lookup: impl Fn(&str) -> std::io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self::over(Resolver::over(lookup))
    }

    fn over(resolver: Resolver) -> Self {
        Self(Arc::new(Shared { resolver, tls: Arc::default() }))
    }

    /// A check, which keeps its connection from run to run if its spec says so.
    pub fn check(&self, spec: CheckSpec) -> Check {
        let CheckSpec { ask, timeout } = spec;
        let ask = match ask {
            Ask::Http(ask) => Asking::Http(Box::new(HttpCheck::new(*ask))),
            Ask::Tcp { address, tls, budget } => Asking::Tcp { address, tls, budget },
            Ask::Dns { name, expect, budget } => Asking::Dns { name, expect, budget },
            Ask::Grpc { address, service, tls, budget } => Asking::Grpc { address, service, tls, budget },
        };
        Check { shared: self.0.clone(), ask, timeout }
    }

    /// One run of a check that is not needed again.
    pub async fn once(&self, spec: CheckSpec) -> CheckResult {
        self.check(spec).run().await
    }
}

/// One configured check.
pub struct Check {
    shared: Arc<Shared>,
    ask: Asking,
    timeout: Duration,
}

enum Asking {
    Http(Box<HttpCheck>),
    Tcp { address: Address, tls: Option<TlsOptions>, budget: Budget },
    Dns { name: String, expect: Vec<IpAddr>, budget: Budget },
    Grpc { address: Address, service: String, tls: Option<TlsOptions>, budget: Budget },
}

impl Check {
    /// Looks once. It ends within the check's timeout, whatever the endpoint does, or a few seconds later where a long answer waits
    /// to be judged; to drop it midway loses the kept connection and nothing else.
    pub async fn run(&mut self) -> CheckResult {
        let begun = Instant::now();
        let seen = self.look().await;
        let took = begun.elapsed();
        let failed = |state, reason, certificate_expires_in| Seen {
            state,
            reason,
            duration: took,
            certificate_expires_in,
            ..Seen::default()
        };
        let seen = seen.unwrap_or_else(|failure| match failure {
            Failure::Ours(reason) => failed(CheckState::Unknown, reason, None),
            Failure::Theirs(reason) => failed(CheckState::Unhealthy, reason, None),
            Failure::Answered(reason) => Seen { answered: true, ..failed(CheckState::Unhealthy, reason, None) },
            Failure::Expired(reason) => {
                Seen { answered: true, ..failed(CheckState::Unhealthy, reason, Some(Duration::ZERO)) }
            }
        });
        CheckResult {
            state: seen.state,
            reason: seen.reason,
            duration: Span::from(seen.duration),
            answered: seen.answered,
            status: seen.status,
            body: seen.body,
            certificate_expires_in: seen.certificate_expires_in.map(Span::from),
        }
    }

    async fn look(&mut self) -> Result<Seen, Failure> {
        let (shared, limit) = (&self.shared, self.timeout);
        let mut clock = Clock::start(limit);
        match &mut self.ask {
            Asking::Http(check) => check.run(shared, clock).await,
            Asking::Tcp { address, tls, budget } => {
                let connected = http::connect(shared, address, tls.as_ref(), None, &mut clock);
                let (_stream, ends) = Clock::in_time(limit, connected).await?;
                Ok(good(*budget, clock.took(), ends))
            }
            Asking::Dns { name, expect, budget } => {
                Clock::in_time(limit, resolves(shared, name, expect, &clock)).await?;
                Ok(good(*budget, clock.took(), None))
            }
            Asking::Grpc { address, service, tls, budget } => {
                let asked = async {
                    let (stream, ends) = http::connect(shared, address, tls.as_ref(), Some("h2"), &mut clock).await?;
                    grpc::ask(stream, &address.to_string(), tls.is_some(), service, clock.left()).await?;
                    Ok(ends)
                };
                let ends = Clock::in_time(limit, asked).await?;
                Ok(good(*budget, clock.took(), ends))
            }
        }
    }
}

/// What is as it should be, unless it was slow or ends soon.
fn good(budget: Budget, duration: Duration, certificate_ends: Option<i64>) -> Seen {
    let certificate_expires_in = certificate_ends.map(left);
    let (state, reason) = budget.judge(duration, certificate_expires_in);
    Seen { state, reason, duration, answered: true, certificate_expires_in, ..Seen::default() }
}

/// Here the resolver is what is asked about: its silence is its own fault, but for a shortage of ours.
async fn resolves(shared: &Shared, name: &str, expect: &[IpAddr], clock: &Clock) -> Result<(), Failure> {
    let patience = clock.left().mul_f64(0.95);
    let found = shared.resolver.ask(name, patience).await.map_err(|unresolved| match unresolved {
        Unresolved::Nothing(why) => Failure::Answered(why),
        Unresolved::Silent(why) => Failure::Theirs(why),
        Unresolved::NotAsked(why) => Failure::Ours(why),
    })?;
    match expect.iter().find(|address| !found.contains(address)) {
        Some(missing) => Err(Failure::Answered(format!("{name} does not resolve to {missing}"))),
        None => Ok(()),
    }
}
