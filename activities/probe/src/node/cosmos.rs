//! CometBFT (Tendermint), which runs the chains of the Cosmos SDK: `/status` and `/net_info` of its RPC.
//!
//! `catching_up` is false on a chain that has halted, and `/health` says only that the process lives: what tells is the
//! height over time and `latest_block_time`. Every block is final, so there is no finalized height besides the best one.
//! Asked by `GET`, as public documentation has it, since proxies often let nothing else through.

use super::language::{Answers, Ask, Call, Fault, Language};
use super::value::{flag, maybe_number, number};
use dixmgr_contract::{NodeSighting, Time};
use serde_json::Value;

pub(crate) struct Cosmos;

const CALLS: [Call; 2] = [Call::must("status", Ask::Get("/status")), Call::may("net", Ask::Get("/net_info"))];

impl Language for Cosmos {
    fn calls(&self) -> &'static [Call] {
        &CALLS
    }

    fn read(&self, answers: &Answers, now: Time) -> Result<NodeSighting, Fault> {
        let status = result(answers.must("status")?)?;
        let sync = status.get("sync_info").ok_or("`/status` has no `sync_info`")?;
        let height = sync.get("latest_block_height").ok_or("`sync_info` has no `latest_block_height`")?;
        let best = number(height, "`latest_block_height` is not a height")?;
        let time = sync.get("latest_block_time").and_then(Value::as_str).ok_or("`latest_block_time` is not a time")?;
        let time = Time::try_from(time.to_owned()).map_err(|_| "`latest_block_time` is not a time")?;
        let peers = match answers.get("net") {
            Some(net) => maybe_number(result(net)?.get("n_peers"), "`n_peers` is not a number")?,
            None => None,
        };
        let highest = sync.get("max_peer_block_height");
        Ok(NodeSighting {
            best: Some(best),
            highest: maybe_number(highest, "`max_peer_block_height` is not a height")?.filter(|height| *height > 0),
            peers,
            is_syncing: Some(flag(sync.get("catching_up"), "`catching_up` is not true or false")?),
            // Before the first block the time is that of genesis, or year 1.
            tip_age: (best > 0 && time > Time::default()).then(|| now.since(time)),
            ..NodeSighting::default()
        })
    }
}

/// The result within its JSON-RPC envelope. The id of a `GET` is -1, and was empty once; some forks have no envelope.
fn result(answer: &Value) -> Result<&Value, &'static str> {
    let Some(id) = answer.get("id") else { return Ok(answer) };
    if *id != -1 && *id != "" && !id.is_null() {
        return Err("its id is that of another call");
    }
    answer.get("result").filter(|result| !result.is_null()).ok_or("it holds no result")
}
