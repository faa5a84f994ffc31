//! Serving HTTP to strangers, within bounds: so many connections at a time, each for so long.
//!
//! Who does not say what they want, does not read the answer, or asks for what never comes must not keep the others out for
//! ever, nor cost memory without end. Beyond the bound, connections wait in the kernel until one of the others has ended.
//!
//! Rejected: `axum::serve`, which bounds neither.

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// After it was refused a connection, for want of files.
const PAUSE: Duration = Duration::from_secs(1);

/// What strangers may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Connections at a time.
    pub(crate) connections: usize,
    /// For a request's head to come, from the connect or the last answer on.
    pub(crate) head: Duration,
    /// After that, a connection takes no new request.
    pub(crate) life: Duration,
    /// What it was asked before may take so much longer.
    pub(crate) grace: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 64,
            head: Duration::from_secs(10),
            life: Duration::from_secs(60),
            grace: Duration::from_secs(10),
        }
    }
}

/// Serves for as long as it is polled. Handlers may ask who the peer is (`ConnectInfo<SocketAddr>`).
pub(crate) async fn serve(listener: TcpListener, router: Router, bounds: Bounds) {
    let room = Arc::new(Semaphore::new(bounds.connections));
    // Nobody closes it.
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let (stream, peer) = accept(&listener).await;
        let router = router.clone().layer(Extension(ConnectInfo(peer)));
        tokio::spawn(async move {
            answer(stream, router, bounds).await;
            drop(place);
        });
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::debug!("a connection was not accepted: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// How it ends is the other side's business.
async fn answer(stream: TcpStream, router: Router, bounds: Bounds) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.head).max_buf_size(MAX_HEAD);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    if timeout(bounds.life, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(bounds.grace, connection).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(3_600);
    const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";

    /// A server of one handler; it ends with the test.
    async fn start(router: Router, bounds: Bounds) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, bounds));
        address
    }

    /// What comes back before the server hangs up.
    async fn ask(address: std::net::SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        let read = timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await;
        read.expect("the server hangs up").unwrap();
        answer
    }

    #[tokio::test]
    async fn who_says_nothing_or_only_half_of_it_makes_room_for_the_others() {
        let bounds = Bounds { connections: 1, head: SHORT, life: LONG, grace: LONG };
        let address = start(Router::new().route("/", get(async || "here")), bounds).await;
        let (silent, half, whole) = tokio::join!(ask(address, b""), ask(address, &ASK[..20]), ask(address, ASK));
        assert!(!silent.contains("200") && !half.contains("200"), "{silent} {half}");
        assert!(whole.ends_with("here"), "{whole}");
    }

    #[tokio::test]
    async fn what_never_comes_is_given_up() {
        let bounds = Bounds { connections: 1, head: LONG, life: SHORT, grace: SHORT };
        let router = Router::new().route("/", get(std::future::pending::<&str>));
        let address = start(router, bounds).await;
        assert_eq!(ask(address, ASK).await, "");
        assert_eq!(ask(address, ASK).await, "", "the one place is free again");
    }

    #[tokio::test]
    async fn no_more_are_served_at_a_time_than_there_are_places() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&most);
        let handler = async move || {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            "here"
        };
        let bounds = Bounds { connections: 2, ..Bounds::default() };
        let address = start(Router::new().route("/", get(handler)), bounds).await;
        let asked: Vec<_> = (0..16).map(|_| tokio::spawn(ask(address, ASK))).collect();
        for answer in asked {
            assert!(answer.await.unwrap().ends_with("here"));
        }
        assert!(seen.load(Ordering::SeqCst) <= 2, "{seen:?}");
    }

    #[tokio::test]
    async fn a_long_head_is_refused() {
        let address = start(Router::new().route("/", get(async || "here")), Bounds::default()).await;
        let long = format!("GET / HTTP/1.1\r\nHost: here\r\nX: {}\r\n\r\n", "x".repeat(MAX_HEAD));
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may hang up before it has read all of it.
        let _ = stream.write_all(long.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("the server hangs up");
        assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
    }
}
