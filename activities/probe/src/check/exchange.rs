//! One connection over HTTP/1.1, and one exchange on it after another.
//!
//! Nobody polls a connection between two runs: what the other end does meanwhile is seen when it is used again. So a run
//! costs no task and no wake-up, and an idle connection costs a descriptor. What is bounded: the head of an answer (64 KiB,
//! 100 lines), its body (by whoever asks), and the time of it all (by whoever waits). Nothing is unpacked.
//!
//! Rejected: a client with a pool (reqwest). It does not show the certificate of a connection that is used again, nor whether
//! a byte of an answer had come when it broke, which is what decides whether to ask once more; and it costs twice as much.

use super::{dial::BoxStream, failure::Failure};
use crate::text;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use std::{
    error::Error,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// That is all of the body.
    pub(crate) is_whole: bool,
}

/// Why nothing did.
pub(crate) struct Broken {
    pub(crate) failure: Failure,
    /// Not a byte of an answer had come.
    pub(crate) is_silent: bool,
}

/// A connection.
pub(crate) struct Live {
    sender: SendRequest<Full<Bytes>>,
    driver: Pin<Box<Connection<TokioIo<Watched>, Full<Bytes>>>>,
    /// Something was read since this was cleared.
    heard: Arc<AtomicBool>,
    /// The end of the server's certificate in Unix seconds, if there is one.
    pub(crate) certificate_ends: Option<i64>,
    /// When it was made.
    pub(crate) born: Instant,
}

impl Live {
    pub(crate) async fn over(stream: BoxStream, certificate_ends: Option<i64>) -> Result<Self, Failure> {
        let heard = Arc::new(AtomicBool::new(false));
        let io = TokioIo::new(Watched { stream, heard: heard.clone() });
        let shaken = Builder::new().max_buf_size(MAX_HEAD).handshake(io).await;
        let (sender, driver) = shaken.map_err(|error| Failure::of("HTTP", &error))?;
        Ok(Self { sender, driver: Box::pin(driver), heard, certificate_ends, born: Instant::now() })
    }

    /// Whether it can be used again: nothing has come since the last answer, neither its end nor a farewell (408, say), which would be
    /// taken for the answer to what is asked next.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        self.heard.store(false, Ordering::Relaxed);
        let is_over = poll_fn(|cx| Poll::Ready(self.driver.as_mut().poll(cx).is_ready())).await;
        !is_over && !self.heard.load(Ordering::Relaxed)
    }

    /// Sends `request` and reads the answer, up to `max_body` bytes of its body. With it comes the connection back, if it can
    /// be used again.
    pub(crate) async fn exchange(
        mut self,
        request: Request<Full<Bytes>>,
        max_body: usize,
    ) -> Result<(Reply, Option<Self>), Broken> {
        self.heard.store(false, Ordering::Relaxed);
        let mut is_over = false;
        let said = {
            let mut talk = pin!(talk(&mut self.sender, request, max_body));
            let driver = &mut self.driver;
            // Until the talk is over, or the connection is: then the talk finds what is left.
            poll_fn(|cx| {
                is_over = is_over || driver.as_mut().poll(cx).is_ready();
                talk.as_mut().poll(cx)
            })
            .await
        };
        let reply = said.map_err(|error| {
            let is_silent = !self.heard.load(Ordering::Relaxed);
            Broken { failure: told(&error), is_silent }
        })?;
        // One more look lets the connection see that the answer is over.
        is_over = is_over || poll_fn(|cx| Poll::Ready(self.driver.as_mut().poll(cx).is_ready())).await;
        let stays = reply.is_whole && !is_over && self.sender.is_ready();
        Ok((reply, stays.then_some(self)))
    }
}

async fn talk(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    max_body: usize,
) -> hyper::Result<Reply> {
    sender.ready().await?;
    let (head, mut incoming): (_, Incoming) = sender.send_request(request).await?.into_parts();
    let (mut body, mut is_whole) = (Vec::new(), true);
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = max_body - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            is_whole = false;
            break;
        }
    }
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body, is_whole })
}

fn told(error: &hyper::Error) -> Failure {
    // hyper has a method for it, with its server alone.
    if error.is_parse() && error.to_string().contains("too large") {
        return Failure::Theirs("the head of its answer is longer than 64 KiB or 100 lines".to_owned());
    }
    if error.is_parse() {
        return Failure::theirs("it does not speak HTTP/1.1", text::short(&error.to_string()));
    }
    let mut inner = std::iter::successors(error.source(), |inner| (*inner).source());
    let ends_early = inner.any(|inner| {
        inner.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
    });
    if error.is_incomplete_message() || ends_early {
        return Failure::Theirs("it closed the connection before its answer was complete".to_owned());
    }
    if error.is_canceled() || error.is_closed() {
        return Failure::Theirs("it closed the connection".to_owned());
    }
    Failure::of("the answer cannot be read", error)
}

/// A stream that remembers whether anything came.
struct Watched {
    stream: BoxStream,
    heard: Arc<AtomicBool>,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.heard.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
