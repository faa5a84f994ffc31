//! A check over HTTP: connect or take the connection of the last run, ask, follow, judge.
//!
//! A request that fails on a kept connection before a byte of an answer has come is sent once more on a fresh one: a server
//! that closes an idle connection just then is not down, nor is one that has said goodbye on it before. That holds for `POST` too: what asks for health may be asked twice.
//!
//! A server may keep a connection open for months. Its certificate, address and backend are those of the beginning, so it is
//! kept for a while only, and not at all once its certificate is nothing to be content with: the next one may be renewed.

use super::{
    Shared,
    address::Address,
    body::Secrets,
    clock::Clock,
    dial::{self, BoxStream},
    exchange::{Live, Reply},
    failure::Failure,
    hop::Hop,
    spec::HttpAsk,
    tls,
};
use dixmgr_contract::{CheckState, Span};
use dixmgr_decide::check::Answer;
use http::HeaderMap;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    net::TcpStream,
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_rustls::TlsConnector;

/// A body of this length is judged where it keeps nobody waiting.
const LONG_BODY: usize = 64 << 10;
/// Whose turn it is to judge one: for a moment it may take as much memory as `dixmgr_decide::check::json` allows.
static LONG: Semaphore = Semaphore::const_new(2);
/// How long one may wait for its turn and take in it: that is our time, and not the endpoint's.
const JUDGING: Duration = Duration::from_secs(5);
/// How long a connection is used, and the files that its certificates are in.
const MAX_AGE: Duration = Duration::from_mins(10);

/// What a check over HTTP keeps from run to run.
pub(crate) struct HttpCheck {
    ask: Arc<HttpAsk>,
    secrets: Secrets,
    live: Option<Live>,
    /// And when its files were read.
    connector: Option<(TlsConnector, Instant)>,
}

/// What a run has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) state: CheckState,
    pub(crate) reason: String,
    pub(crate) duration: Duration,
    pub(crate) answered: bool,
    pub(crate) status: Option<u16>,
    pub(crate) body: String,
    pub(crate) certificate_expires_in: Option<Duration>,
}

impl HttpCheck {
    pub(crate) fn new(ask: HttpAsk) -> Self {
        Self { secrets: Secrets::of(&ask), ask: Arc::new(ask), live: None, connector: None }
    }

    pub(crate) async fn run(&mut self, shared: &Shared, mut clock: Clock) -> Result<Seen, Failure> {
        let limit = clock.limit();
        let (reply, certificate_ends) = Clock::in_time(limit, self.fetch(shared, &mut clock)).await?;
        let duration = clock.took();
        let body = self.secrets.kept(&reply.body);
        let certificate_expires_in = certificate_ends.map(left);
        let status = Some(reply.status);
        let (state, reason) = self.judge(reply, duration, certificate_expires_in).await?;
        Ok(Seen { state, reason, duration, answered: true, status, body, certificate_expires_in })
    }

    /// The answer at the end of all redirects, and the end of the certificate of whoever gave it.
    async fn fetch(&mut self, shared: &Shared, clock: &mut Clock) -> Result<(Reply, Option<i64>), Failure> {
        let mut hop = Hop::first(&self.ask);
        let (mut reply, mut ends) = self.at_home(&hop, shared, clock).await?;
        for _ in 0..self.ask.redirects {
            let Some(next) = hop.next(reply.status, reply.headers.get(http::header::LOCATION), &self.ask) else {
                break;
            };
            hop = next;
            (reply, ends) = if hop.is_home {
                self.at_home(&hop, shared, clock).await?
            } else {
                let live = self.connect(&hop, shared, clock).await?;
                self.send(live, &hop).await?
            };
        }
        Ok((reply, ends))
    }

    /// An exchange with the host of the configuration, over the kept connection if there is one.
    async fn at_home(
        &mut self,
        hop: &Hop,
        shared: &Shared,
        clock: &mut Clock,
    ) -> Result<(Reply, Option<i64>), Failure> {
        let kept = self.live.take();
        if let Some(mut live) = kept.filter(|live| self.may_keep(live))
            && live.is_quiet().await
        {
            let ends = live.certificate_ends;
            match live.exchange(self.request(hop)?, self.ask.max_body).await {
                Ok((reply, live)) => {
                    self.live = live;
                    return Ok((reply, ends));
                }
                Err(broken) if !broken.is_silent => return Err(broken.failure),
                Err(_) => {}
            }
        }
        let live = self.connect(hop, shared, clock).await?;
        self.send(live, hop).await
    }

    async fn send(&mut self, live: Live, hop: &Hop) -> Result<(Reply, Option<i64>), Failure> {
        let ends = live.certificate_ends;
        let sent = live.exchange(self.request(hop)?, self.ask.max_body).await;
        if sent.is_err() && hop.is_home {
            // With TLS 1.3, only the first answer tells that our certificate is refused.
            self.connector = None;
        }
        let (reply, live) = sent.map_err(|broken| broken.failure)?;
        if hop.is_home && self.ask.keep_alive {
            self.live = live.filter(|live| self.may_keep(live));
        }
        Ok((reply, ends))
    }

    /// It is young, and nobody minds when its certificate ends.
    fn may_keep(&self, live: &Live) -> bool {
        let certificate_min = self.ask.expectation.budget.certificate_min.map(Span::duration);
        let is_content = |left: Duration| !left.is_zero() && certificate_min.is_none_or(|min| left >= min);
        live.born.elapsed() < MAX_AGE && live.certificate_ends.is_none_or(|ends| is_content(left(ends)))
    }

    fn is_fetched_by_proxy(&self, hop: &Hop) -> bool {
        self.ask.proxy.is_some() && self.ask.unix.is_none() && !hop.is_tls()
    }

    fn request(&self, hop: &Hop) -> Result<http::Request<http_body_util::Full<bytes::Bytes>>, Failure> {
        let request = hop.request(&self.ask, self.is_fetched_by_proxy(hop));
        request.map_err(|_| Failure::Ours("the request cannot be made of the URL and the headers".to_owned()))
    }

    async fn connect(&mut self, hop: &Hop, shared: &Shared, clock: &mut Clock) -> Result<Live, Failure> {
        let stream = self.stream(hop, shared, clock).await?;
        if !hop.is_tls() {
            return Live::over(stream, None).await;
        }
        let connector = self.connector(hop, shared).await?;
        let own_name = self.ask.tls.server_name.as_deref().filter(|_| hop.is_home);
        let shaken = tls::shake_hands(&connector, own_name.unwrap_or(hop.place().0), stream).await;
        if shaken.is_err() {
            // The files may have changed.
            self.connector = None;
        }
        let (stream, ends) = shaken?;
        Live::over(Box::new(stream), ends).await
    }

    async fn stream(&self, hop: &Hop, shared: &Shared, clock: &mut Clock) -> Result<BoxStream, Failure> {
        if let Some(path) = &self.ask.unix {
            return Ok(Box::new(dial::unix(path).await?));
        }
        let (host, port) = hop.place();
        let Some(proxy) = &self.ask.proxy else {
            return Ok(Box::new(dial::tcp(&shared.resolver, bare(host), port, clock).await?));
        };
        let proxy = proxy.url();
        let proxy_host = proxy.host_str().unwrap_or_default();
        let proxy_port = proxy.port_or_known_default().unwrap_or_default();
        // Whoever cannot get at the proxy has learnt nothing of the endpoint.
        let dialled = dial::tcp(&shared.resolver, bare(proxy_host), proxy_port, clock).await;
        let stream: TcpStream = dialled.map_err(|failure| Failure::Ours(format!("the proxy: {failure}")))?;
        if self.is_fetched_by_proxy(hop) {
            return Ok(Box::new(stream));
        }
        Ok(Box::new(dial::tunnel(stream, &proxy, host, port).await?))
    }

    /// Whoever a redirect leads to does not get to see our certificate.
    async fn connector(&mut self, hop: &Hop, shared: &Shared) -> Result<TlsConnector, Failure> {
        if !hop.is_home {
            return shared.connector(self.ask.tls.anonymous(), None).await;
        }
        if let Some((connector, _)) = self.connector.as_ref().filter(|(_, read)| read.elapsed() < MAX_AGE) {
            return Ok(connector.clone());
        }
        let connector = shared.connector(self.ask.tls.clone(), None).await?;
        self.connector = Some((connector.clone(), Instant::now()));
        Ok(connector)
    }

    async fn judge(
        &self,
        reply: Reply,
        duration: Duration,
        certificate_expires_in: Option<Duration>,
    ) -> Result<(CheckState, String), Failure> {
        let ask = self.ask.clone();
        let is_long = reply.body.len() > LONG_BODY && ask.expectation.needs_body();
        let judge = move || {
            let headers = if ask.expectation.needs_headers() { by_name(&reply.headers) } else { BTreeMap::new() };
            ask.expectation.judge(&Answer {
                status: reply.status,
                headers: &headers,
                body: &reply.body,
                is_whole: reply.is_whole,
                duration,
                certificate_expires_in,
            })
        };
        if !is_long {
            return Ok(judge());
        }
        let judged = timeout(JUDGING, async {
            // Two at a time: what they take in memory is bounded for each.
            let turn = LONG.acquire().await;
            let judge_in_turn = move || {
                // Until it ends, also if nobody waits for it any more.
                let _turn = turn;
                judge()
            };
            tokio::task::spawn_blocking(judge_in_turn).await
        });
        let judged = judged.await.map_err(|_| Failure::Ours("the answer could not be judged in time".to_owned()))?;
        judged.map_err(|_| Failure::Ours("the answer could not be judged".to_owned()))
    }
}

fn by_name(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut named = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let entry = named.entry(name.as_str().to_owned());
        entry.and_modify(|all: &mut String| *all += &format!(", {value}")).or_insert_with(|| value.into_owned());
    }
    named
}

/// A host of a URL without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// From now until then; zero if it is past.
pub(crate) fn left(ends: i64) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(u64::try_from(ends).unwrap_or(0)).saturating_sub(now)
}

/// A connection to an address, with TLS if wanted, and the end of the certificate.
pub(crate) async fn connect(
    shared: &Shared,
    address: &Address,
    tls: Option<&tls::TlsOptions>,
    protocol: Option<&'static str>,
    clock: &mut Clock,
) -> Result<(BoxStream, Option<i64>), Failure> {
    let stream = dial::tcp(&shared.resolver, &address.host, address.port, clock).await?;
    let Some(tls) = tls else { return Ok((Box::new(stream), None)) };
    let connector = shared.connector(tls.clone(), protocol).await?;
    let name = tls.server_name.as_deref().unwrap_or(&address.host);
    let (stream, ends) = tls::shake_hands(&connector, name, stream).await?;
    Ok((Box::new(stream), ends))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoint;

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_its_turn_to_be_judged_is_not_at_fault() {
        let _busy = LONG.acquire_many(2).await.unwrap();
        let mut ask = HttpAsk::new(Endpoint::parse("http://node-1/").unwrap());
        ask.expectation.contains = "fine".into();
        let reply = Reply { status: 200, headers: HeaderMap::new(), body: vec![b' '; LONG_BODY + 1], is_whole: true };
        let judged = HttpCheck::new(ask).judge(reply, Duration::ZERO, None).await;
        assert_eq!(judged, Err(Failure::Ours("the answer could not be judged in time".into())));
    }
}
