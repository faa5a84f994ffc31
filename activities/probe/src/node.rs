//! How is a blockchain node? One look at it, in whatever protocol it speaks.
//!
//! `language` says what a protocol is, and each protocol is a file beside it; `wire` makes one exchange. A look makes the
//! calls of the protocol one after the other, all of them within one time-out, and is one [`NodeSighting`] or one
//! [`NodeError`]: what a node refuses or does not know is absent from the sighting; what no node says is an error. A call that may
//! fail leaves only its own answer unknown, once the node has said something that a node says: a proxy lets one method through and
//! not the next, one answer is endless, one is slow. Whether the node answers at all, the first call decides. Whether what was seen is good is not decided here.
//!
//! [`NodeChecker::substrate_health`] is the older question whether a Substrate node calls itself in sync.
//!
//! Rejected: `GET /health/readiness`. It says the same, without telling a node that syncs from one that has no peers.
//! Rejected: JSON-RPC batches. Proxies and public nodes often refuse them, and one slow call would hide the others.

mod beacon;
mod bitcoin;
mod cosmos;
mod ethereum;
mod language;
mod solana;
mod substrate;
mod value;
mod wire;

pub use wire::MAX_NODE_ANSWER;

use crate::{Endpoint, HttpError, authorities::Authorities, check::resolve::Resolver, http, http::Clients, rpc};
use dixmgr_contract::{NodeSighting, Protocol, Time};
use dixmgr_decide::breaker::Event;
use dixmgr_decide::node::says_in_sync;
use language::{Answer, Answers, Ask, Fault};
use reqwest::header;
use rpc::{Refusal, Reply};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a node may take for its answer where nobody says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks nodes how they are. A clone shares the clients of the original.
#[derive(Clone, Debug)]
pub struct NodeChecker {
    clients: Arc<Clients>,
    /// Of the next call: an answer that a proxy kept from an earlier one has another id.
    next_id: Arc<AtomicU64>,
}

impl NodeChecker {
    /// A checker. It reads the host's TLS authorities when it first needs them; a host without any can still ask `http://`.
    ///
    /// # Errors
    /// [`HttpError::Setup`].
    pub fn new() -> Result<Self, HttpError> {
        let clients = Arc::new(Clients::new(Authorities::default(), Resolver::of_host())?);
        Ok(Self { clients, next_id: Arc::new(AtomicU64::new(1)) })
    }

    /// Asks the Substrate node at `endpoint` for its `system_health`, all of it within `timeout`.
    ///
    /// # Errors
    /// [`NodeError`], with no word of the URL but `scheme://host:port`.
    pub async fn substrate_health(&self, endpoint: &Endpoint, timeout: Duration) -> Result<NodeHealth, NodeError> {
        let id = self.next_id();
        let request =
            self.clients.of(endpoint).await?.post(endpoint.url()).header(header::CONTENT_TYPE, "application/json");
        let body = rpc::call(id, "system_health", &json!([]));
        let answer = http::exchange(endpoint, request.body(body), timeout).await?;
        if answer.status != 200 {
            return Err(NodeError::Status { place: endpoint.place().to_owned(), status: answer.status });
        }
        let unexpected = |what| NodeError::Unexpected { place: endpoint.place().to_owned(), what };
        NodeHealth::of(&rpc::result(endpoint, id, &answer.body)?).map_err(unexpected)
    }

    /// Whether the node at `endpoint`, which speaks `protocol`, says that it is in sync: of Substrate the answer of the Go version, of
    /// the others that it does not catch up and knows of nothing that is wrong. One that says neither is not.
    ///
    /// # Errors
    /// [`NodeError`], with no word of the URL but `scheme://host:port`.
    pub async fn is_in_sync(
        &self,
        protocol: Protocol,
        endpoint: &Endpoint,
        now: Time,
        timeout: Duration,
    ) -> Result<bool, NodeError> {
        if protocol == Protocol::Substrate {
            return Ok(self.substrate_health(endpoint, timeout).await?.is_synced());
        }
        Ok(says_in_sync(&self.look(protocol, endpoint, now, timeout).await?) == Some(true))
    }

    /// Looks at the node at `endpoint`, which speaks `protocol`, all of it within `timeout`. User and password of the URL
    /// are sent as basic authentication. `now` is the time that the age of a block is counted to.
    ///
    /// # Errors
    /// [`NodeError`], with no word of the URL but `scheme://host:port`.
    pub async fn look(
        &self,
        protocol: Protocol,
        endpoint: &Endpoint,
        now: Time,
        timeout: Duration,
    ) -> Result<NodeSighting, NodeError> {
        let language = language::language(protocol);
        let (mut answers, mut unheard, until) = (Answers::default(), None, Instant::now() + timeout);
        let mut calls = language.calls().iter().peekable();
        while let Some(call) = calls.next() {
            let may_fail = call.optional && answers.are_of_a_node();
            let left = until.saturating_duration_since(Instant::now());
            // A slow one leaves those after it as much time as it takes.
            let patience = if may_fail && calls.peek().is_some() { left / 2 } else { left };
            let late = || HttpError::Timeout { place: endpoint.place().to_owned(), after: timeout }.into();
            let asked = tokio::time::timeout(patience, self.ask(call.ask, endpoint, &answers)).await;
            match (call.ask, asked.unwrap_or_else(|_| Err(late()))) {
                (_, Ok(None)) => {}
                (_, Ok(Some(Answer::Reply(Reply::Refused(refusal))))) if !call.optional => {
                    return Err(refused(endpoint, refusal));
                }
                (Ask::Get(_), Ok(Some(Answer::Status(status)))) if !call.optional => {
                    return Err(wire::unlike_200(endpoint, status));
                }
                (_, Ok(Some(answer))) => answers.add(call.name, answer),
                (_, Err(NodeError::Http(error))) if may_fail && error.is_in_vain() => unheard = Some(error),
                (_, Err(_)) if may_fail => {}
                (_, Err(NodeError::Http(error))) if answers.are_of_a_node() && !error.is_ours() => {
                    return Err(NodeError::Half(error));
                }
                (_, Err(error)) => return Err(error),
            }
        }
        let sighting = language.read(&answers, now).map_err(|fault| match fault {
            Fault::Refused(refusal) => refused(endpoint, refusal),
            Fault::Unexpected(what) => NodeError::Unexpected { place: endpoint.place().to_owned(), what },
        })?;
        // Without a height nobody could say that it stands.
        match unheard.filter(|_| sighting.best.is_none()) {
            Some(error) => Err(NodeError::Half(error)),
            None => Ok(sighting),
        }
    }

    /// `None` if there is nothing to ask.
    async fn ask(&self, ask: Ask, endpoint: &Endpoint, answers: &Answers) -> Result<Option<Answer>, NodeError> {
        let client = self.clients.of(endpoint).await?;
        let rpc = |method, params| wire::rpc(client, endpoint, self.next_id(), method, params);
        Ok(Some(match ask {
            Ask::Rpc(method, params) => {
                // The text is one of ours; were it no JSON, the node would refuse null.
                let params = serde_json::from_str(params).unwrap_or_default();
                Answer::Reply(rpc(method, params).await?)
            }
            Ask::OfHash(method, name) => {
                let Some(answered) = answers.get(name) else { return Ok(None) };
                let place = || endpoint.place().to_owned();
                let hash = value::hash(answered)
                    .ok_or_else(|| NodeError::Unexpected { place: place(), what: "its hash of a block is none" })?;
                Answer::Reply(rpc(method, json!([hash])).await?)
            }
            Ask::Get(path) => wire::get(client, endpoint, path).await?,
            Ask::Status(path) => Answer::Status(wire::status(client, endpoint, path).await?),
        }))
    }

    fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
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

    /// Reads the answer to `system_health`. The node in Go, gossamer, writes its keys with a capital letter.
    fn of(result: &Value) -> Result<Self, &'static str> {
        let value = |key, gossamers| result.get(key).or_else(|| result.get(gossamers));
        let flag = |key, gossamers, what| value::flag(value(key, gossamers), what);
        Ok(Self {
            peers: value("peers", "Peers").and_then(Value::as_u64).ok_or("`peers` is not a number")?,
            is_syncing: flag("isSyncing", "IsSyncing", "`isSyncing` is not true or false")?,
            should_have_peers: flag("shouldHavePeers", "ShouldHavePeers", "`shouldHavePeers` is not true or false")?,
        })
    }
}

fn refused(endpoint: &Endpoint, Refusal { code, message, .. }: Refusal) -> NodeError {
    NodeError::Rpc { place: endpoint.place().to_owned(), code, message }
}

/// Why a node's health is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It answered, but not all that had to be asked.
    #[error("{0}, though it had answered another call just before")]
    Half(HttpError),
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
    /// Its answer is longer than [`MAX_NODE_ANSWER`].
    #[error("the answer of {place} is longer than {MAX_NODE_ANSWER} bytes; is it a node?")]
    TooLong {
        /// `scheme://host:port`.
        place: String,
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
    #[error("the answer of {place} is not that of a node of its `protocol`: {what}")]
    Unexpected {
        /// `scheme://host:port`.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl NodeError {
    /// It is a fault of ours, and says nothing of the node: a shortage, no way out of this host, a resolver that is silent.
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_ours())
    }

    /// What it means for a breaker: a node that answers is not dead, whatever the answer.
    pub const fn sign_of_life(&self) -> Event {
        match self {
            _ if self.is_ours() => Event::Abandoned,
            Self::Http(HttpError::TooLong { .. }) => Event::Succeeded,
            Self::Http(_) => Event::Failed,
            _ => Event::Succeeded,
        }
    }

    /// Nobody answered: no connection, or nothing in time. What is answered and not understood is no silence.
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_in_vain())
    }
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
