//! Consensus clients of Ethereum, by the Beacon API (ethereum/beacon-APIs).
//!
//! The status of `/health` is 200, 206 while it synchronises or is optimistic, or 503; clients differ in what an
//! execution client that is offline makes of it (lighthouse 503, others 206 or even 200), so `/syncing` is asked as well:
//! a `sync_distance` of 0 with `el_offline` is a node that nobody can use.

use super::language::{Answers, Ask, Call, Fault, Language};
use super::value::{flag, maybe_flag, maybe_number, number};
use dixmgr_contract::{NodeProblem, NodeSighting, Time};
use serde_json::Value;
use std::collections::BTreeSet;

pub(crate) struct Beacon;

const CALLS: [Call; 4] = [
    Call::must("health", Ask::Status("/eth/v1/node/health")),
    Call::may("syncing", Ask::Get("/eth/v1/node/syncing")),
    Call::may("peers", Ask::Get("/eth/v1/node/peer_count")),
    Call::may("final", Ask::Get("/eth/v1/beacon/headers/finalized")),
];

impl Language for Beacon {
    fn calls(&self) -> &'static [Call] {
        &CALLS
    }

    fn read(&self, answers: &Answers, _now: Time) -> Result<NodeSighting, Fault> {
        let mut problems = BTreeSet::new();
        let is_partial = match answers.status("health") {
            Some(200) => false,
            Some(206) => true,
            Some(503) => {
                problems.insert(NodeProblem::Unhealthy);
                false
            }
            _ => return Err("the status of `/eth/v1/node/health` is none of 200, 206 and 503".into()),
        };
        let peers = at(answers.get("peers"), "/data/connected");
        let slot = at(answers.get("final"), "/data/header/message/slot");
        let mut sighting = NodeSighting {
            finalized: maybe_number(slot, "the finalized `slot` is not a number")?,
            peers: maybe_number(peers, "`connected` is not a number")?,
            is_syncing: is_partial.then_some(true),
            ..NodeSighting::default()
        };
        if let Some(answer) = answers.get("syncing") {
            let state = answer.get("data").ok_or("`/eth/v1/node/syncing` has no `data`")?;
            let slot = |key| state.get(key).ok_or("`/eth/v1/node/syncing` has no slots");
            let head = number(slot("head_slot")?, "`head_slot` is not a number")?;
            let distance = number(slot("sync_distance")?, "`sync_distance` is not a number")?;
            let is_syncing = flag(state.get("is_syncing"), "`is_syncing` is not true or false")?;
            let optimistic = maybe_flag(state.get("is_optimistic"), "`is_optimistic` is not true or false")?;
            let offline = maybe_flag(state.get("el_offline"), "`el_offline` is not true or false")?;
            for (is_so, problem) in [(optimistic, NodeProblem::Optimistic), (offline, NodeProblem::ExecutionOffline)] {
                if is_so == Some(true) {
                    problems.insert(problem);
                }
            }
            sighting.best = Some(head);
            sighting.highest = Some(head.saturating_add(distance));
            // A 206 that `/syncing` does not explain is believed.
            sighting.is_syncing = Some(is_syncing || (is_partial && problems.is_empty()));
        } else if !is_partial && problems.is_empty() {
            return Err("it has `/eth/v1/node/health` and no `/eth/v1/node/syncing`".into());
        }
        Ok(NodeSighting { problems, ..sighting })
    }
}

fn at<'a>(answer: Option<&'a Value>, path: &str) -> Option<&'a Value> {
    answer.and_then(|answer| answer.pointer(path))
}
