//! Bitcoin Core and its kin: `getblockchaininfo` and `getnetworkinfo`. User and password are those of the URL.
//!
//! `blocks` below `headers` means that it knows of blocks that it does not have yet. A tip that is old may be bad luck. A
//! node that has just started refuses everything with code -28 for a while, which is news: it is up and of no use yet.

use super::language::{Answers, Ask, Call, Fault, Language};
use super::value::{age, maybe_flag, maybe_number, number};
use dixmgr_contract::{NodeProblem, NodeSighting, Time};
use serde_json::Value;

pub(crate) struct Bitcoin;

/// `RPC_IN_WARMUP`.
const WARMING_UP: i64 = -28;

const CALLS: [Call; 2] =
    [Call::may("chain", Ask::Rpc("getblockchaininfo", "[]")), Call::may("net", Ask::Rpc("getnetworkinfo", "[]"))];

impl Language for Bitcoin {
    fn calls(&self) -> &'static [Call] {
        &CALLS
    }

    fn read(&self, answers: &Answers, now: Time) -> Result<NodeSighting, Fault> {
        match answers.refusal("chain") {
            Some(refusal) if refusal.code == WARMING_UP => {
                return Ok(NodeSighting { problems: [NodeProblem::WarmingUp].into(), ..NodeSighting::default() });
            }
            Some(refusal) => return Err(Fault::Refused(refusal.clone())),
            None => {}
        }
        let chain = answers.must("chain")?;
        let height = |key, what| chain.get(key).ok_or(what).and_then(|value| number(value, what));
        let best = height("blocks", "`blocks` is not a height")?;
        // `time` is there since 23.0; `mediantime` is about an hour older.
        let stamp = chain.get("time").or_else(|| chain.get("mediantime"));
        let stamp = maybe_number(stamp, "`time` is not a number")?;
        let peers = answers.get("net").and_then(|net| net.get("connections"));
        let is_syncing = maybe_flag(chain.get("initialblockdownload"), "`initialblockdownload` is not true or false")?;
        Ok(NodeSighting {
            best: Some(best),
            highest: Some(height("headers", "`headers` is not a height")?),
            peers: maybe_number(peers, "`connections` is not a number")?,
            is_syncing: Some(is_syncing.unwrap_or(false)),
            tip_age: age(stamp.filter(|_| best > 0), now),
            problems: warns(chain).then_some(NodeProblem::Warning).into_iter().collect(),
            ..NodeSighting::default()
        })
    }
}

/// `warnings` is a text, and a list of texts since 28.0.
fn warns(chain: &Value) -> bool {
    match chain.get("warnings") {
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(texts)) => !texts.is_empty(),
        _ => false,
    }
}
