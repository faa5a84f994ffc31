//! What a protocol is: the calls to make, and how the answers become one sighting. Pure data and functions, so that every
//! reader can be fed with anything in a test, without a server.
//!
//! Rejected: an async function for each protocol. Each would have its own idea of time-outs, refusals and hostile answers.

use super::{
    beacon::Beacon, bitcoin::Bitcoin, cosmos::Cosmos, ethereum::Ethereum, solana::Solana, substrate::Substrate,
};
use crate::rpc::{Refusal, Reply};
use dixmgr_contract::{NodeSighting, Protocol, Time};
use serde_json::Value;

/// One protocol.
pub(crate) trait Language: Sync {
    /// The calls, in their order.
    fn calls(&self) -> &'static [Call];

    /// What the answers say of the node. `now` is the time of the look.
    ///
    /// # Errors
    /// The first thing that no node of this protocol says.
    fn read(&self, answers: &Answers, now: Time) -> Result<NodeSighting, Fault>;
}

/// The protocol's language.
pub(crate) const fn language(protocol: Protocol) -> &'static dyn Language {
    match protocol {
        Protocol::Substrate => &Substrate,
        Protocol::Ethereum => &Ethereum,
        Protocol::EthereumConsensus => &Beacon,
        Protocol::Cosmos => &Cosmos,
        Protocol::Bitcoin => &Bitcoin,
        Protocol::Solana => &Solana,
    }
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// What `read` knows its answer by.
    pub(crate) name: &'static str,
    /// What is asked.
    pub(crate) ask: Ask,
    /// The look goes on if the node refuses it, and if it fails in any other way once something was answered as JSON.
    pub(crate) optional: bool,
}

impl Call {
    pub(crate) const fn must(name: &'static str, ask: Ask) -> Self {
        Self { name, ask, optional: false }
    }

    pub(crate) const fn may(name: &'static str, ask: Ask) -> Self {
        Self { name, ask, optional: true }
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    /// A JSON-RPC method, with its parameters as JSON.
    Rpc(&'static str, &'static str),
    /// A JSON-RPC method whose one parameter is the hash that an earlier call answered; not asked if that said none.
    OfHash(&'static str, &'static str),
    /// `GET` of a path below the endpoint, whose answer is JSON.
    Get(&'static str),
    /// `GET` of a path below the endpoint, whose answer is its status.
    Status(&'static str),
}

/// Why the answers are no sighting.
#[derive(Debug, PartialEq)]
pub(crate) enum Fault {
    /// No node of the protocol says so.
    Unexpected(&'static str),
    /// The node refused what it may not refuse.
    Refused(Refusal),
}

impl From<&'static str> for Fault {
    fn from(what: &'static str) -> Self {
        Self::Unexpected(what)
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// JSON, or a refusal.
    Reply(Reply),
    /// An HTTP status.
    Status(u16),
}

/// The answers so far, by the name of the call.
#[derive(Debug, Default)]
pub(crate) struct Answers(Vec<(&'static str, Answer)>);

impl Answers {
    pub(crate) fn add(&mut self, name: &'static str, answer: Answer) {
        self.0.push((name, answer));
    }

    /// Something was answered that only a node answers, if only with a refusal; a mere status any server has.
    pub(crate) fn are_of_a_node(&self) -> bool {
        self.0.iter().any(|(_, answer)| matches!(answer, Answer::Reply(_)))
    }

    /// What was answered; `None` if it was refused, or is null.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        match self.answer(name)? {
            Answer::Reply(Reply::Result(value)) if !value.is_null() => Some(value),
            _ => None,
        }
    }

    /// What must have been answered.
    pub(crate) fn must(&self, name: &str) -> Result<&Value, Fault> {
        self.get(name).ok_or(Fault::Unexpected("a result that must be there is null"))
    }

    /// The refusal of a call.
    pub(crate) fn refusal(&self, name: &str) -> Option<&Refusal> {
        match self.answer(name)? {
            Answer::Reply(Reply::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }

    /// The status of an answer.
    pub(crate) fn status(&self, name: &str) -> Option<u16> {
        match self.answer(name)? {
            Answer::Status(status) => Some(*status),
            Answer::Reply(_) => None,
        }
    }

    fn answer(&self, name: &str) -> Option<&Answer> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, answer)| answer)
    }
}

#[cfg(test)]
mod tests;
