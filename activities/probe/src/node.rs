//! Is a blockchain node in sync? The one question so far: `system_health` of Substrate (Polkadot and its kin).
//!
//! Rejected: `GET /health/readiness`. It says the same, without telling a node that syncs from one that has no peers.

use crate::{Endpoint, HttpError, http, rpc};
use reqwest::{Client, header};
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How long a node may take for its answer where nobody says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks nodes how they are. A clone shares the client of the original.
#[derive(Clone, Debug)]
pub struct NodeChecker {
    client: Client,
    /// Of the next call: an answer that a proxy kept from an earlier one has another id.
    next_id: Arc<AtomicU64>,
}

impl NodeChecker {
    /// A checker. It reads the host's TLS authorities, once; a host without any can still ask `http://`.
    ///
    /// # Errors
    /// [`HttpError::Setup`].
    pub fn new() -> Result<Self, HttpError> {
        Ok(Self { client: http::client()?, next_id: Arc::new(AtomicU64::new(1)) })
    }

    /// Asks the Substrate node at `endpoint` for its `system_health`, all of it within `timeout`.
    ///
    /// # Errors
    /// [`NodeError`], with no word of the URL but `scheme://host:port`.
    pub async fn substrate_health(&self, endpoint: &Endpoint, timeout: Duration) -> Result<NodeHealth, NodeError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let request = self.client.post(endpoint.url()).header(header::CONTENT_TYPE, "application/json");
        let answer = http::exchange(endpoint, request.body(rpc::call(id, "system_health")), timeout).await?;
        if answer.status != 200 {
            return Err(NodeError::Status { place: endpoint.place().to_owned(), status: answer.status });
        }
        NodeHealth::read(endpoint, &rpc::result(endpoint, id, &answer.body)?)
    }
}

/// What a Substrate node says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeHealth {
    /// How many peers it is connected to.
    pub peers: u64,
    /// It is more than 5 blocks behind the median of its peers.
    pub is_syncing: bool,
    /// False for a node that is meant to be alone, such as one of `--dev`.
    pub should_have_peers: bool,
}

impl NodeHealth {
    /// True if it says that it does not sync and has somebody to compare itself with, or needs nobody.
    ///
    /// False is certain, true is not. The node compares itself with its own peers only, so one says "in sync" too
    ///
    /// - whose peers are all stuck at the same block, or on the same fork;
    /// - which stopped importing while no peer is known to be further;
    /// - which follows the best block while finality stands still: nothing here tells of finality.
    ///
    /// And behind a load balancer any node of the pool may have answered. Whether a chain moves is seen only by
    /// comparing its best and its finalized height over time, and with other nodes.
    pub const fn is_synced(&self) -> bool {
        !self.is_syncing && (self.peers > 0 || !self.should_have_peers)
    }

    fn read(endpoint: &Endpoint, result: &Value) -> Result<Self, NodeError> {
        let unexpected = |what| NodeError::Unexpected { place: endpoint.place().to_owned(), what };
        let flag = |name| result.get(name).and_then(Value::as_bool);
        Ok(Self {
            peers: result.get("peers").and_then(Value::as_u64).ok_or_else(|| unexpected("`peers` is not a number"))?,
            is_syncing: flag("isSyncing").ok_or_else(|| unexpected("`isSyncing` is not true or false"))?,
            should_have_peers: flag("shouldHavePeers")
                .ok_or_else(|| unexpected("`shouldHavePeers` is not true or false"))?,
        })
    }
}

/// Why a node's health is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Another HTTP status than 200.
    #[error("{place} answered HTTP {status} instead of 200{hint}", hint = hint(*.status))]
    Status {
        /// `scheme://host:port`.
        place: String,
        /// The status.
        status: u16,
    },
    /// The node refused the call.
    #[error("{place} answered with JSON-RPC error {code}: {message}")]
    Rpc {
        /// `scheme://host:port`.
        place: String,
        /// Its code; -32601 is a method that the node does not have.
        code: i64,
        /// Its text, cleaned and at most 100 characters; withheld if the URL holds more than `scheme://host:port`.
        message: String,
    },
    /// Something else than a node.
    #[error("the answer of {place} is not JSON; is it the RPC port of a node? It begins: {begins}")]
    NotJson {
        /// `scheme://host:port`.
        place: String,
        /// Its first 100 characters, cleaned; withheld if the URL holds more than `scheme://host:port`.
        begins: String,
    },
    /// JSON, but no answer to our call.
    #[error("the answer of {place} is not that of a Substrate node: {what}")]
    Unexpected {
        /// `scheme://host:port`.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

const fn hint(status: u16) -> &'static str {
    match status {
        300..=399 => "; redirects are not followed, so name the address that it leads to",
        401 => "; it wants a user and a password: `http://user:password@host`",
        403 => "; the node or a proxy before it does not let this host ask",
        404 | 405 => "; is it the RPC port of a node, and the path right?",
        429 => "; it is asked too often",
        _ => "",
    }
}
