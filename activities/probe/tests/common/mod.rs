//! A small HTTP server on loopback that misbehaves on request.

use dixmgr_probe::{Endpoint, NodeChecker, NodeError, NodeHealth, endpoint_url};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// Long enough for whatever does answer.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// What the server does with a request.
pub(crate) struct Reply {
    /// Written first.
    pub(crate) first: Vec<u8>,
    /// Then written again and again, with a pause before each, until the client goes. Empty: the connection is closed.
    pub(crate) then: Vec<u8>,
    /// The pause.
    pub(crate) every: Duration,
}

impl Reply {
    pub(crate) fn bytes(first: impl Into<Vec<u8>>) -> Self {
        Self { first: first.into(), then: Vec::new(), every: Duration::ZERO }
    }

    /// A whole answer with that status line, and headers that end in a line end each.
    pub(crate) fn http(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::bytes(format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
        ))
    }

    pub(crate) fn ok(body: &Value) -> Self {
        Self::http("200 OK", "Content-Type: application/json\r\n", &body.to_string())
    }

    /// A node's answer to the call.
    pub(crate) fn health(asked: &Asked, peers: u64, is_syncing: bool) -> Self {
        let health = json!({"peers": peers, "isSyncing": is_syncing, "shouldHavePeers": true});
        Self::ok(&json!({"jsonrpc": "2.0", "result": health, "id": asked.call["id"]}))
    }
}

/// What the client sent.
#[derive(Clone)]
pub(crate) struct Asked {
    /// Request line and headers.
    pub(crate) head: String,
    /// The body; null if there is none.
    pub(crate) call: Value,
}

/// The server; it stops when it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    accepting: AbortHandle,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), asked.clone());
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, answer.clone(), seen.clone()));
            }
        });
        Self { port, asked, accepting: accepting.abort_handle() }
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        endpoint_url("127.0.0.1", self.port).unwrap()
    }

    pub(crate) async fn health(&self) -> Result<NodeHealth, NodeError> {
        NodeChecker::new().unwrap().substrate_health(&self.endpoint(), LONG).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<impl Fn(&Asked) -> Reply>, seen: Arc<Mutex<Vec<Asked>>>) {
    let Some(asked) = read(&mut stream).await else { return };
    let reply = answer(&asked);
    seen.lock().unwrap().push(asked);
    // A client that is gone is the end of it.
    let mut sent = stream.write_all(&reply.first).await;
    while sent.is_ok() && !reply.then.is_empty() {
        if !reply.every.is_zero() {
            tokio::time::sleep(reply.every).await;
        }
        sent = stream.write_all(&reply.then).await;
    }
    let _ = stream.shutdown().await;
}

/// A request whose body, if it has one, is JSON of the announced length.
async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let Some((_, length)) = head.split_once("content-length: ") else {
            return Some(Asked { call: Value::Null, head });
        };
        let length: usize = length.lines().next()?.parse().ok()?;
        if body.len() >= length {
            return Some(Asked { call: serde_json::from_str(body).ok()?, head });
        }
    }
}
