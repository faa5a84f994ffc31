//! A server that does with each request as it is told.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::AbortHandle,
};

/// What is done next on a connection.
#[derive(Clone)]
pub(crate) enum Act {
    Send(Vec<u8>),
    /// Again and again, with a pause before each, until the client goes.
    Repeat(Vec<u8>, Duration),
    /// Nothing, until the client goes.
    Hang,
    /// The end of the connection; without it, the next request is read.
    Close,
}

/// A whole answer with that status line, and headers that end in a line end each.
pub(crate) fn http(status: &str, headers: &str, body: &str) -> Vec<Act> {
    vec![Act::Send(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes())]
}

pub(crate) fn ok(body: &str) -> Vec<Act> {
    http("200 OK", "", body)
}

/// Bytes, then the end.
pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Vec<Act> {
    vec![Act::Send(bytes.into()), Act::Close]
}

/// The server; it stops when it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    shared: Arc<Told>,
    accepting: AbortHandle,
}

#[derive(Default)]
struct Told {
    asked: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

impl Server {
    /// `answer` gets the request's number, from 0, and all of it: head in its own case, and body.
    pub(crate) async fn start(answer: impl Fn(usize, &str) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::over(answer, async |stream| Some(stream)).await
    }

    /// With something between TCP and HTTP.
    pub(crate) async fn over<S, F>(
        answer: impl Fn(usize, &str) -> Vec<Act> + Send + Sync + 'static,
        wrap: impl Fn(tokio::net::TcpStream) -> F + Send + Sync + Clone + 'static,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = Option<S>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (shared, answer) = (Arc::new(Told::default()), Arc::new(answer));
        let told = shared.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                told.connections.fetch_add(1, Ordering::SeqCst);
                let (told, answer, wrap) = (told.clone(), answer.clone(), wrap.clone());
                tokio::spawn(async move {
                    if let Some(stream) = wrap(stream).await {
                        serve(stream, answer, told).await;
                    }
                });
            }
        });
        Self { port, shared, accepting: accepting.abort_handle() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves one connection to its end.
async fn serve<S>(mut stream: S, answer: Arc<impl Fn(usize, &str) -> Vec<Act>>, told: Arc<Told>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(request) = read(&mut stream).await {
        let number = {
            let mut asked = told.asked.lock().unwrap();
            asked.push(request.clone());
            asked.len() - 1
        };
        for act in answer(number, &request) {
            // A client that is gone is the end of it.
            match act {
                Act::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Act::Repeat(bytes, pause) => loop {
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                },
                Act::Hang => {
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                    return;
                }
                Act::Close => {
                    let _ = stream.shutdown().await;
                    return;
                }
            }
        }
        if stream.flush().await.is_err() {
            return;
        }
    }
}

/// A request with a body of the announced length.
async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let length = lower.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
