//! What people see of the fleet.

use super::Fleet;
use super::rows::json_bytes;
use dixmgr_contract::plan::{Conflict, FleetPlan, FleetStatus, HostSlice, PAGE, PlanQuery, PlannedOn, PlannedService};
use dixmgr_contract::{HostName, ServiceName};
use std::collections::BTreeSet;

/// Conflicts, and clusters, in one answer.
const LISTED: usize = 1_000;
/// A page ends when it has more bytes than this; the server takes 2 MB.
const PAGE_BYTES: usize = 1_000_000;

impl Fleet {
    /// The answer of the query `status`.
    pub fn status(&self) -> FleetStatus {
        let hosts = self.slices.hosts().iter().map(|(host, slice)| HostSlice {
            host: host.clone(),
            generation: slice.generation.clone(),
            services: count(slice.held.0.len()),
            applied_at: slice.applied_at,
        });
        let mut conflicts = self.conflicts();
        let conflicts_total = count(conflicts.len());
        conflicts.truncate(LISTED);
        FleetStatus {
            hosts: hosts.collect(),
            services: count(self.slices.held()),
            conflicts,
            conflicts_total,
            paused: self.paused.clone(),
            notes: self.notes.clone(),
        }
    }

    fn conflicts(&self) -> Vec<Conflict> {
        let claims = self.slices.hosts().iter().flat_map(|(host, slice)| {
            slice.claimed.0.values().filter_map(move |service| {
                let (held_by, claimed_by) = (self.slices.rival(service, host)?.clone(), host.clone());
                Some(Conflict { service: service.name.clone(), held_by, claimed_by })
            })
        });
        let mut conflicts: Vec<_> = claims.collect();
        conflicts.sort();
        conflicts
    }

    /// The answer of the query `plan`.
    pub fn plan(&self, query: &PlanQuery) -> FleetPlan {
        let is_asked = |host: &HostName| query.host.as_ref().is_none_or(|asked| asked == host);
        let slices = || self.slices.hosts().iter().filter(|(host, _)| is_asked(host));
        let total: usize = slices().map(|(_, slice)| slice.held.0.len()).sum();
        let all = slices().flat_map(|(host, slice)| slice.held.0.values().map(move |service| (host, service)));
        let limit = query.limit.clamp(1, PAGE) as usize;
        let (mut services, mut bytes) = (Vec::new(), 0);
        for (host, service) in all.skip(query.offset as usize).take(limit) {
            bytes += page_bytes(host, service);
            if bytes > PAGE_BYTES && !services.is_empty() {
                break;
            }
            services.push(PlannedOn { host: host.clone(), service: service.clone() });
        }
        let end = (query.offset as usize).saturating_add(services.len());
        let next = (end < total && !services.is_empty()).then(|| count(end));
        let clusters: BTreeSet<_> = match query.offset {
            0 => slices().flat_map(|(_, slice)| slice.clusters.iter().cloned()).collect(),
            _ => BTreeSet::new(),
        };
        FleetPlan { services, total: count(total), next, clusters: clusters.into_iter().take(LISTED).collect() }
    }
}

/// What a service takes in an answer, in bytes at most: its texts and the names of its fields.
fn page_bytes(host: &HostName, service: &PlannedService) -> usize {
    let PlannedService { name, workflow_id, unit, kind, chain, after } = service;
    let texts = [host.as_str(), name.as_str(), workflow_id, unit.as_str(), kind, chain];
    100 + texts.iter().map(|text| json_bytes(text)).sum::<usize>()
        + after.iter().map(ServiceName::as_str).map(json_bytes).sum::<usize>()
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
