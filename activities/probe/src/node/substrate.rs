//! Substrate (Polkadot and its kin). `system_health` alone says little ([`crate::NodeHealth::is_synced`]): a node whose
//! peers are stuck calls itself in sync, and finality that stands still does not show in it. So the heights are asked for.
//! The node in Go, gossamer, has a `highestBlock` of 0 while it is alone, which is no height to lag behind.

use super::NodeHealth;
use super::language::{Answers, Ask, Call, Fault, Language};
use super::value::{maybe_number, number};
use dixmgr_contract::{NodeSighting, Time};

pub(crate) struct Substrate;

const CALLS: [Call; 5] = [
    Call::must("health", Ask::Rpc("system_health", "[]")),
    Call::may("sync", Ask::Rpc("system_syncState", "[]")),
    Call::may("best", Ask::Rpc("chain_getHeader", "[]")),
    Call::may("hash", Ask::Rpc("chain_getFinalizedHead", "[]")),
    Call::may("final", Ask::OfHash("chain_getHeader", "hash")),
];

impl Language for Substrate {
    fn calls(&self) -> &'static [Call] {
        &CALLS
    }

    fn read(&self, answers: &Answers, _now: Time) -> Result<NodeSighting, Fault> {
        let health = NodeHealth::of(answers.must("health")?)?;
        let sync = |key| answers.get("sync").and_then(|sync| sync.get(key));
        let height = |name| match answers.get(name) {
            Some(header) => match header.get("number") {
                Some(text) => number(text, "the `number` of a header is not a height").map(Some),
                None => Err("a header has no `number`"),
            },
            None => Ok(None),
        };
        let current = maybe_number(sync("currentBlock"), "`currentBlock` is not a height")?;
        Ok(NodeSighting {
            best: height("best")?.or(current),
            finalized: height("final")?,
            highest: maybe_number(sync("highestBlock"), "`highestBlock` is not a height")?,
            peers: Some(health.peers),
            wants_peers: Some(health.should_have_peers),
            is_syncing: Some(health.is_syncing),
            ..NodeSighting::default()
        })
    }
}
