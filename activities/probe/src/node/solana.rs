//! Solana: `getHealth` and `getSlot`. Heights are slots.
//!
//! `getHealth` says "ok" within 128 slots of the validators that the node knows, and always if it knows none: what tells
//! is the slot over time and the other nodes. Peers are not counted, since the only way is a list of the whole cluster.

use super::language::{Answers, Ask, Call, Fault, Language};
use super::value::{maybe_number, number};
use crate::rpc::Refusal;
use dixmgr_contract::{NodeProblem, NodeSighting, Time};
use std::collections::BTreeSet;

pub(crate) struct Solana;

/// `JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY`.
const UNHEALTHY: i64 = -32005;

const CALLS: [Call; 3] = [
    Call::may("health", Ask::Rpc("getHealth", "[]")),
    Call::may("best", Ask::Rpc("getSlot", r#"[{"commitment":"processed"}]"#)),
    Call::may("final", Ask::Rpc("getSlot", r#"[{"commitment":"finalized"}]"#)),
];

impl Language for Solana {
    fn calls(&self) -> &'static [Call] {
        &CALLS
    }

    fn read(&self, answers: &Answers, _now: Time) -> Result<NodeSighting, Fault> {
        let refusal = answers.refusal("health");
        let behind = match refusal {
            Some(Refusal { code: UNHEALTHY, data, .. }) => {
                maybe_number(data.get("numSlotsBehind"), "`numSlotsBehind` is not a number")?
            }
            Some(refusal) => return Err(Fault::Refused(refusal.clone())),
            None if *answers.must("health")? == "ok" => None,
            None => return Err("`getHealth` is neither \"ok\" nor an error".into()),
        };
        let slot = |name| answers.get(name).map(|slot| number(slot, "`getSlot` is not a number")).transpose();
        let best = slot("best")?;
        let problems: BTreeSet<_> =
            if refusal.is_some() && behind.is_none() { [NodeProblem::Unhealthy].into() } else { BTreeSet::new() };
        Ok(NodeSighting {
            best,
            finalized: slot("final")?,
            highest: best.zip(behind).map(|(best, behind)| best.saturating_add(behind)),
            // Unhealthy without saying by how much is a problem, not a synchronisation.
            is_syncing: Some(behind.is_some()),
            problems,
            ..NodeSighting::default()
        })
    }
}
