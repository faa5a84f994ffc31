//! Execution clients of Ethereum and its kin, by the common JSON-RPC (ethereum/execution-apis).
//!
//! `eth_syncing` says false whenever no synchronisation runs: also while the consensus client is dead and nothing moves.
//! What tells is the block `latest`: its height over time, and its age. While a client does synchronise by stages or by
//! state, its height may stand still for hours; what it counts meanwhile is summed up as `work`.

use super::language::{Answers, Ask, Call, Fault, Language};
use super::value::{age, maybe_number, number};
use dixmgr_contract::{NodeSighting, Time};
use serde_json::{Map, Value};

pub(crate) struct Ethereum;

const CALLS: [Call; 4] = [
    Call::must("syncing", Ask::Rpc("eth_syncing", "[]")),
    Call::must("latest", Ask::Rpc("eth_getBlockByNumber", r#"["latest",false]"#)),
    Call::may("finalized", Ask::Rpc("eth_getBlockByNumber", r#"["finalized",false]"#)),
    Call::may("peers", Ask::Rpc("net_peerCount", "[]")),
];

/// At most this many counters, or stages, are summed up. geth has 16 and erigon 17.
const MAX_COUNTERS: usize = 64;

impl Language for Ethereum {
    fn calls(&self) -> &'static [Call] {
        &CALLS
    }

    fn read(&self, answers: &Answers, now: Time) -> Result<NodeSighting, Fault> {
        let syncing = match answers.must("syncing")? {
            Value::Bool(false) => None,
            Value::Object(state) => Some(state),
            _ => return Err("`eth_syncing` is neither false nor a state".into()),
        };
        let state = |key| syncing.and_then(|state| state.get(key));
        let current = maybe_number(state("currentBlock"), "`currentBlock` is not a height")?;
        // Null before the genesis block is there.
        let latest = answers.get("latest");
        let stamp = latest.and_then(|block| block.get("timestamp"));
        let stamp = maybe_number(stamp, "the `timestamp` of a block is not a number")?;
        let best = height(latest)?;
        Ok(NodeSighting {
            // In a snap sync `latest` stays at 0.
            best: best.max(current),
            finalized: height(answers.get("finalized"))?,
            highest: maybe_number(state("highestBlock"), "`highestBlock` is not a height")?,
            peers: maybe_number(answers.get("peers"), "`net_peerCount` is not a number")?,
            is_syncing: Some(syncing.is_some()),
            // The genesis block was not made when its stamp says.
            tip_age: age(stamp.filter(|_| best != Some(0)), now),
            work: syncing.map(work),
            ..NodeSighting::default()
        })
    }
}

fn height(block: Option<&Value>) -> Result<Option<u64>, &'static str> {
    let Some(block) = block else { return Ok(None) };
    let text = block.get("number").ok_or("a block has no `number`")?;
    number(text, "the `number` of a block is not a height").map(Some)
}

/// Counters that only grow: geth's `synced…` and `healed…`, and the blocks of the stages of erigon and reth.
fn work(state: &Map<String, Value>) -> u64 {
    let counters = state.iter().filter(|(key, _)| key.starts_with("synced") || key.starts_with("healed"));
    let stages = state.get("stages").and_then(Value::as_array).into_iter().flatten();
    let blocks = stages.filter_map(|stage| ["block_number", "block"].iter().find_map(|key| stage.get(key)));
    let values = counters.map(|(_, value)| value).take(MAX_COUNTERS).chain(blocks.take(MAX_COUNTERS));
    values.filter_map(|value| number(value, "").ok()).fold(0, u64::saturating_add)
}
