//! `grpc.health.v1.Health/Check` (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>), by hand.
//!
//! One message each way: five bytes of frame (gRPC over HTTP/2: a flag, the length), then a field of protobuf: the service's
//! name (`string service = 1`) there, a number (`ServingStatus status = 1`) back. The verdict on the call itself is in
//! trailers. A connection is made for each run.
//!
//! Rejected: tonic, whose generated code and stack of services would carry these two fields.

use super::failure::Failure;
use crate::text;
use bytes::{Bytes, BytesMut};
use h2::{RecvStream, client};
use http::{HeaderMap, Method, Request};
use std::{pin::pin, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};

/// The longest answer, in bytes.
const MAX_ANSWER: usize = 4 << 10;
/// The longest name of a service, in bytes.
pub(crate) const MAX_SERVICE: usize = 1_000;
const MAX_HEADERS: u32 = 16 << 10;

/// Asks over `stream` how `service` is; nothing is wrong if it serves.
pub(crate) async fn ask<S>(
    stream: S,
    authority: &str,
    is_tls: bool,
    service: &str,
    timeout: Duration,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = client::Builder::new();
    builder.max_header_list_size(MAX_HEADERS).enable_push(false).initial_window_size(65_535);
    let (sender, connection) = builder.handshake::<_, Bytes>(stream).await.map_err(|error| told(&error))?;
    let talk = talk(sender, request(authority, is_tls, timeout)?, frame(service));
    let (mut talk, mut connection) = (pin!(talk), pin!(connection));
    tokio::select! {
        biased;
        said = &mut talk => said,
        ended = &mut connection => match ended {
            Ok(()) => talk.await,
            Err(error) => Err(told(&error)),
        },
    }
}

fn request(authority: &str, is_tls: bool, timeout: Duration) -> Result<Request<()>, Failure> {
    let scheme = if is_tls { "https" } else { "http" };
    Request::builder()
        .method(Method::POST)
        .uri(format!("{scheme}://{authority}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", format!("{}m", timeout.as_millis().clamp(1, 99_999_999)))
        .header("user-agent", concat!("dixmgr/", env!("CARGO_PKG_VERSION")))
        .body(())
        .map_err(|_| Failure::Ours("the request cannot be made of the address".to_owned()))
}

async fn talk(sender: client::SendRequest<Bytes>, request: Request<()>, message: Bytes) -> Result<(), Failure> {
    let fail = |error: h2::Error| told(&error);
    let mut sender = sender.ready().await.map_err(fail)?;
    let (answer, mut stream) = sender.send_request(request, false).map_err(fail)?;
    stream.send_data(message, true).map_err(fail)?;
    let (head, mut body) = answer.await.map_err(fail)?.into_parts();
    if head.status != 200 {
        return Err(Failure::answered("gRPC", format!("it answered HTTP {}", head.status.as_u16())));
    }
    // An answer without a body has its verdict in the head.
    if let Some(code) = code(&head.headers)
        && code != 0
    {
        return Err(refused(code));
    }
    let message = read(&mut body).await?;
    let trailers = body.trailers().await.map_err(fail)?;
    match trailers.as_ref().or(Some(&head.headers)).and_then(code) {
        Some(0) => {}
        Some(code) => return Err(refused(code)),
        None => return Err(Failure::Answered("gRPC: the answer has no verdict on the call".to_owned())),
    }
    match status(&message) {
        Some(1) => Ok(()),
        Some(2) => Err(Failure::Answered("gRPC: it says that it does not serve".to_owned())),
        Some(3) => Err(Failure::Answered("gRPC: it does not know the service".to_owned())),
        Some(_) => Err(Failure::Answered("gRPC: it does not say whether it serves".to_owned())),
        None => Err(Failure::Answered("gRPC: the answer is no health status".to_owned())),
    }
}

async fn read(body: &mut RecvStream) -> Result<BytesMut, Failure> {
    let mut message = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| told(&error))?;
        if message.len() + data.len() > MAX_ANSWER {
            return Err(Failure::Answered("gRPC: the answer is longer than 4 KiB".to_owned()));
        }
        message.extend_from_slice(&data);
        // An error here is the stream's, and comes with the next piece.
        let _ = body.flow_control().release_capacity(data.len());
    }
    Ok(message)
}

fn told(error: &h2::Error) -> Failure {
    if let Some(error) = error.get_io() {
        return Failure::io("gRPC", error);
    }
    Failure::theirs("gRPC", text::short(&error.to_string()))
}

fn code(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// The codes of <https://grpc.io/docs/guides/status-codes/> that a health check meets.
fn refused(code: u32) -> Failure {
    let why = match code {
        4 => "its time was up",
        5 => "it does not know the service",
        7 => "it does not let this host ask",
        12 => "it has no health service",
        14 => "it is not available",
        16 => "it wants to know who asks",
        _ => "",
    };
    Failure::Answered(if why.is_empty() {
        format!("gRPC: status {code}")
    } else {
        format!("gRPC: status {code}, {why}")
    })
}

/// `HealthCheckRequest` in its frame.
fn frame(service: &str) -> Bytes {
    let end = (0..=service.len().min(MAX_SERVICE)).rev().find(|end| service.is_char_boundary(*end));
    let name = &service[..end.unwrap_or(0)];
    let mut message = Vec::with_capacity(name.len() + 8);
    if !name.is_empty() {
        message.push(1 << 3 | 2);
        varint(name.len() as u64, &mut message);
        message.extend_from_slice(name.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.extend_from_slice(&[0]);
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(&message);
    framed.freeze()
}

/// The status in a framed `HealthCheckResponse`: 0 if it is left out, as protobuf does with zeros.
fn status(framed: &[u8]) -> Option<u64> {
    let (head, message) = framed.split_at_checked(5)?;
    let length = u32::from_be_bytes(head.get(1..5)?.try_into().ok()?);
    if head.first() != Some(&0) || usize::try_from(length) != Ok(message.len()) {
        return None;
    }
    let (mut status, mut rest) = (0, message);
    while !rest.is_empty() {
        let key;
        (key, rest) = read_varint(rest)?;
        let value;
        (value, rest) = match key & 7 {
            0 => read_varint(rest)?,
            1 => (0, rest.get(8..)?),
            2 => {
                let (length, rest) = read_varint(rest)?;
                (0, rest.get(usize::try_from(length).ok()?..)?)
            }
            5 => (0, rest.get(4..)?),
            _ => return None,
        };
        if key == 1 << 3 {
            status = value;
        }
    }
    Some(status)
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(input: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in input.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(at).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, input.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_is_what_grpc_says() {
        assert_eq!(frame(""), [0, 0, 0, 0, 0][..]);
        assert_eq!(frame("ab"), [0, 0, 0, 0, 4, 10, 2, b'a', b'b'][..]);
        assert_eq!(status(&[0, 0, 0, 0, 2, 8, 1]), Some(1));
        assert_eq!(status(&[0, 0, 0, 0, 0]), Some(0));
        // A field that is not known is skipped.
        assert_eq!(status(&[0, 0, 0, 0, 6, 18, 2, 8, 9, 8, 2]), Some(2));
        for bad in
            [&[][..], &[0, 0, 0, 0], &[1, 0, 0, 0, 0], &[0, 0, 0, 0, 1], &[0, 0, 0, 0, 1, 8], &[0, 0, 0, 0, 2, 11, 1]]
        {
            assert_eq!(status(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), message in prop::collection::vec(any::<u8>(), 0..40)) {
            status(&bytes);
            let mut framed = vec![0];
            framed.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
            framed.extend_from_slice(&message);
            status(&framed);
        }

        #[test]
        fn a_number_is_read_back(value: u64, after in prop::collection::vec(any::<u8>(), 0..3)) {
            let mut bytes = Vec::new();
            varint(value, &mut bytes);
            bytes.extend_from_slice(&after);
            prop_assert_eq!(read_varint(&bytes), Some((value, after.as_slice())));
        }

        #[test]
        fn a_name_comes_whole_and_in_bounds(name in "[a-zü.]{0,600}") {
            let framed = frame(&name);
            let length = u32::from_be_bytes(framed[1..5].try_into().unwrap()) as usize;
            prop_assert_eq!(length, framed.len() - 5);
            prop_assert!(length <= MAX_SERVICE + 3);
            prop_assert!(name.len() > MAX_SERVICE || framed.ends_with(name.as_bytes()));
        }
    }
}
