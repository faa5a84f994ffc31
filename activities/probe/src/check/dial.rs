//! The way to an endpoint: addresses in turn, a socket of this host, or through a proxy.

use super::{clock::Clock, failure::Failure, resolve::Resolver};
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Url;
use std::{io, path::Path, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// Addresses of one name that are tried.
const MAX_TRIED: usize = 4;
/// The longest head of a proxy's answer, in bytes.
const MAX_PROXY_HEAD: usize = 8 << 10;

/// Bytes in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

pub(crate) type BoxStream = Box<dyn Stream>;

/// A connection to `host`, all of it in the time that is left. Each address gets its share of it, so that one which swallows
/// packets leaves some for the next.
pub(crate) async fn tcp(resolver: &Resolver, host: &str, port: u16, clock: &mut Clock) -> Result<TcpStream, Failure> {
    let addresses = clock.resolve(resolver, host).await?;
    let what = format!("cannot connect to {}", super::Address { host: host.to_owned(), port });
    let count = addresses.len().min(MAX_TRIED);
    let mut failure = None;
    for (tried, address) in addresses.into_iter().take(count).enumerate() {
        // The last one has all that is left but a moment, in which to say so.
        let share = (clock.left().mul_f64(0.95)) / u32::try_from(count - tried).unwrap_or(1);
        let now = match timeout(share, TcpStream::connect((address, port))).await {
            Ok(Ok(stream)) => return Ok(tuned(stream, clock.left())),
            Ok(Err(error)) => Failure::io(&what, &error),
            Err(_) => Failure::Theirs(format!("{what}: no connection within {share:.1?}")),
        };
        // An address that this host cannot speak to (IPv6, say) does not excuse the one that refuses.
        failure = match failure {
            Some(before @ Failure::Theirs(_)) if matches!(now, Failure::Ours(_)) => Some(before),
            _ => Some(now),
        };
    }
    Err(failure.unwrap_or_else(|| Failure::Theirs(format!("{what}: it has no address"))))
}

/// A kept connection whose other end is gone without a word is noticed when nobody confirms what we send.
fn tuned(stream: TcpStream, patience: Duration) -> TcpStream {
    let half = u32::try_from(patience.as_millis() / 2).unwrap_or(u32::MAX).max(1);
    // Both only make it faster; a kernel that refuses is no reason not to ask.
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, half);
    let _ = stream.set_nodelay(true);
    stream
}

/// A connection to a socket of this host.
pub(crate) async fn unix(path: &Path) -> Result<UnixStream, Failure> {
    UnixStream::connect(path).await.map_err(|error| Failure::io("cannot connect to the unix socket", &error))
}

/// Asks a proxy, on a connection to it, for a tunnel (RFC 9110, 9.3.6).
///
/// Only a proxy that says that it got nowhere (5xx, but 511) says anything of the endpoint: all else that goes wrong here is between
/// it and us.
pub(crate) async fn tunnel<S: Stream>(mut stream: S, proxy: &Url, host: &str, port: u16) -> Result<S, Failure> {
    let ours = |why: &str| Failure::Ours(format!("the proxy: {why}"));
    let broken = |error: io::Error| ours(&error.to_string());
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some(credentials) = basic(proxy) {
        request += &format!("Proxy-Authorization: {credentials}\r\n");
    }
    request += "\r\n";
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let mut head = Vec::with_capacity(256);
    // Byte by byte: what follows the head is not ours to read.
    while !head.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.map_err(broken)?;
        head.push(byte);
        if head.len() > MAX_PROXY_HEAD {
            return Err(ours("its answer is too long"));
        }
    }
    let status = head.strip_prefix(b"HTTP/1.").and_then(|rest| std::str::from_utf8(rest.get(2..5)?).ok());
    match status {
        Some(status) if status.starts_with('2') => Ok(stream),
        // 511 (RFC 6585): the proxy wants to know who asks. Some say 500 of what they cannot reach.
        Some(status) if status.starts_with('5') && status != "511" => {
            Err(Failure::theirs("the proxy cannot reach it", format!("it answered HTTP {status}")))
        }
        Some(status) if status.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(ours(&format!("it answered HTTP {status}")))
        }
        _ => Err(ours("it does not speak HTTP")),
    }
}

/// User and password of a URL as Basic credentials (RFC 7617).
pub(crate) fn basic(url: &Url) -> Option<String> {
    let (user, password) = (url.username(), url.password());
    if user.is_empty() && password.is_none() {
        return None;
    }
    let mut both = decoded(user);
    both.push(b':');
    both.extend(decoded(password.unwrap_or_default()));
    Some(format!("Basic {}", STANDARD.encode(both)))
}

/// Without its percent signs.
pub(crate) fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = || text.get(at + 1..at + 3).filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let hex = || u8::from_str_radix(digits()?, 16).ok();
        match (*byte == b'%').then(hex).flatten() {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn user_and_password_become_credentials() {
        let of = |text: &str| basic(&Url::parse(text).unwrap());
        assert_eq!(of("http://a"), None);
        assert_eq!(of("http://Aladdin:open%20sesame@a").as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert_eq!(of("http://u@a").as_deref(), Some("Basic dTo="));
        assert_eq!(decoded("100%&%4%+5"), b"100%&%4%+5");
    }

    proptest! {
        #[test]
        fn what_was_written_with_percent_signs_is_read_again(bytes in prop::collection::vec(any::<u8>(), 0..40), text in ".{0,40}") {
            let written: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(decoded(&written), bytes);
            prop_assert!(decoded(&text).len() <= text.len());
            let plain = text.replace('%', "");
            prop_assert_eq!(decoded(&plain), plain.as_bytes());
        }
    }
}
