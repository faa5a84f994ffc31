//! One exchange with a node: a JSON-RPC call, or a `GET` below its endpoint.
//!
//! It differs from `http::exchange` in two things. Answers may be longer: a header of Substrate at the change of an era, a
//! block of a busy chain or the peers of a Cosmos node take hundreds of KiB. And the body counts for some other statuses
//! than 200, since nodes explain a refusal there (Bitcoin answers each refused call with 404 or 500).

use super::language::Answer;
use crate::rpc::{self, Reply};
use crate::{Endpoint, NodeError, http};
use reqwest::{Client, RequestBuilder, Response, header};
use serde_json::Value;

/// The longest answer of a node that is read, in bytes.
pub const MAX_NODE_ANSWER: usize = 1 << 20;
/// The longest explanation of a refusal that is read, in bytes.
const MAX_EXPLANATION: usize = 16 << 10;

/// Calls `method`. A refusal is an answer, whatever status it comes with.
pub(super) async fn rpc(
    client: &Client,
    endpoint: &Endpoint,
    id: u64,
    method: &str,
    params: Value,
) -> Result<Reply, NodeError> {
    let request = client.post(endpoint.url()).header(header::CONTENT_TYPE, "application/json");
    let response = send(endpoint, request.body(rpc::call(id, method, &params))).await?;
    let status = response.status().as_u16();
    if status == 200 {
        return rpc::reply(endpoint, id, &whole(endpoint, response).await?);
    }
    if explains(status)
        && let Ok(refused @ Reply::Refused(_)) = rpc::reply(endpoint, id, &beginning(response).await)
    {
        return Ok(refused);
    }
    Err(unlike_200(endpoint, status))
}

/// Gets the JSON at `path` below the endpoint, or the status with which the node says that it has none.
pub(super) async fn get(client: &Client, endpoint: &Endpoint, path: &str) -> Result<Answer, NodeError> {
    let response = send(endpoint, client.get(below(endpoint, path))).await?;
    match response.status().as_u16() {
        200 => {
            let value = rpc::parse(endpoint, &whole(endpoint, response).await?)?;
            Ok(Answer::Reply(Reply::Result(value)))
        }
        status if explains(status) => Ok(Answer::Status(status)),
        status => Err(unlike_200(endpoint, status)),
    }
}

/// The status of a `GET` of `path` below the endpoint, if it is one that a node may say something with.
pub(super) async fn status(client: &Client, endpoint: &Endpoint, path: &str) -> Result<u16, NodeError> {
    let response = send(endpoint, client.get(below(endpoint, path))).await?;
    match response.status().as_u16() {
        status @ (200..=299 | 503) => Ok(status),
        status => Err(unlike_200(endpoint, status)),
    }
}

/// Statuses that a node refuses a call with. Others are of a proxy, or of another program.
const fn explains(status: u16) -> bool {
    matches!(status, 400 | 404 | 405 | 500 | 501 | 503)
}

pub(super) fn unlike_200(endpoint: &Endpoint, status: u16) -> NodeError {
    NodeError::Status { place: endpoint.place().to_owned(), status }
}

/// The endpoint's path may be a prefix, and its query a key.
fn below(endpoint: &Endpoint, path: &str) -> reqwest::Url {
    let mut url = endpoint.url();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path.split('/').filter(|segment| !segment.is_empty()));
    }
    url
}

async fn send(endpoint: &Endpoint, request: RequestBuilder) -> Result<Response, NodeError> {
    request.send().await.map_err(|error| told(endpoint, &error))
}

async fn whole(endpoint: &Endpoint, mut response: Response) -> Result<Vec<u8>, NodeError> {
    let too_long = || NodeError::TooLong { place: endpoint.place().to_owned() };
    if response.content_length().is_some_and(|announced| announced > MAX_NODE_ANSWER as u64) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| told(endpoint, &error))? {
        if body.len() + chunk.len() > MAX_NODE_ANSWER {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// As much as came: what is cut off or broken explains nothing.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > MAX_EXPLANATION {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    body
}

fn told(endpoint: &Endpoint, error: &reqwest::Error) -> NodeError {
    http::told(endpoint.place().to_owned(), error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_below_the_endpoints_own_and_keeps_its_query() {
        for (endpoint, url) in [
            ("node-1:26657", "http://node-1:26657/net/info"),
            ("http://node-1/key", "http://node-1/key/net/info"),
            ("http://node-1/key/?a=b", "http://node-1/key/net/info?a=b"),
            ("http://me:pw@node-1", "http://me:pw@node-1/net/info"),
        ] {
            assert_eq!(below(&Endpoint::parse(endpoint).unwrap(), "/net/info").as_str(), url);
        }
    }
}
