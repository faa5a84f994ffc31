//! Who has what: the applied slices, and an index of names and workflow ids over them.
//!
//! The index is not stored: it follows from the slices, and is built again when they are read.

use super::rows::{Services, json_bytes};
use dixmgr_contract::plan::PlannedService;
use dixmgr_contract::{HostName, ServiceName, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What one host has told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slice {
    pub(super) generation: String,
    pub(super) applied_at: Time,
    /// Those that it has.
    pub(super) held: Services,
    /// Those that another host has; it gets them when they are given up.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub(super) claimed: Services,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) clusters: Vec<String>,
    /// What it takes when it is stored, at most.
    pub(super) bytes: usize,
}

fn is_empty(services: &Services) -> bool {
    services.0.is_empty()
}

impl Slice {
    pub(super) fn count(&self) -> usize {
        self.held.0.len() + self.claimed.0.len()
    }

    pub(super) fn workflow_ids(&self) -> impl Iterator<Item = &String> {
        self.held.0.values().chain(self.claimed.0.values()).map(|service| &service.workflow_id)
    }
}

/// What is stored of a slice, besides its services, in bytes at most.
pub(super) fn frame_bytes(host: &HostName, generation: &str, clusters: &[String]) -> usize {
    let clusters: usize = clusters.iter().map(|name| json_bytes(name)).sum();
    200 + host.as_str().len() + json_bytes(generation) + clusters
}

/// All slices, and who has which name and which workflow id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<HostName, Slice>", into = "BTreeMap<HostName, Slice>")]
pub(super) struct Slices {
    hosts: BTreeMap<HostName, Slice>,
    names: BTreeMap<ServiceName, HostName>,
    ids: BTreeMap<String, HostName>,
}

impl From<BTreeMap<HostName, Slice>> for Slices {
    fn from(hosts: BTreeMap<HostName, Slice>) -> Self {
        let mut slices = Self::default();
        for (host, slice) in hosts {
            slices.put(host, slice);
        }
        slices
    }
}

impl From<Slices> for BTreeMap<HostName, Slice> {
    fn from(slices: Slices) -> Self {
        slices.hosts
    }
}

impl Slices {
    pub(super) const fn hosts(&self) -> &BTreeMap<HostName, Slice> {
        &self.hosts
    }

    /// How many services are held.
    pub(super) fn held(&self) -> usize {
        self.names.len()
    }

    /// The other host that has the service's name, or else its workflow id.
    pub(super) fn rival(&self, service: &PlannedService, host: &HostName) -> Option<&HostName> {
        let owners = [self.names.get(&service.name), self.ids.get(&service.workflow_id)];
        owners.into_iter().flatten().find(|owner| *owner != host)
    }

    /// Takes a host's slice out, and frees what it held.
    pub(super) fn take(&mut self, host: &HostName) -> Option<Slice> {
        let slice = self.hosts.remove(host)?;
        for service in slice.held.0.values() {
            self.names.remove(&service.name);
            self.ids.remove(&service.workflow_id);
        }
        Some(slice)
    }

    /// Puts a slice in. What it holds must be free.
    pub(super) fn put(&mut self, host: HostName, slice: Slice) {
        for service in slice.held.0.values() {
            self.names.insert(service.name.clone(), host.clone());
            self.ids.insert(service.workflow_id.clone(), host.clone());
        }
        self.hosts.insert(host, slice);
    }

    /// Gives what is free to those who wait for it, the longest applied slice first. The hosts that got something.
    pub(super) fn promote(&mut self) -> BTreeSet<HostName> {
        let mut waiting: Vec<_> = self.hosts.iter().filter(|(_, slice)| !slice.claimed.0.is_empty()).collect();
        waiting.sort_by_key(|(host, slice)| (slice.applied_at, (*host).clone()));
        let waiting: Vec<HostName> = waiting.into_iter().map(|(host, _)| host.clone()).collect();
        waiting.into_iter().filter(|host| self.promote_one(host)).collect()
    }

    fn promote_one(&mut self, host: &HostName) -> bool {
        let Some(slice) = self.hosts.get_mut(host) else { return false };
        let (names, ids) = (&mut self.names, &mut self.ids);
        let is_free =
            |service: &PlannedService| !names.contains_key(&service.name) && !ids.contains_key(&service.workflow_id);
        let free: Vec<_> = slice.claimed.0.values().filter(|service| is_free(service)).cloned().collect();
        if free.is_empty() {
            return false;
        }
        let before = slice.held.bytes() + slice.claimed.bytes();
        for service in &free {
            slice.claimed.0.remove(&service.name);
            names.insert(service.name.clone(), host.clone());
            ids.insert(service.workflow_id.clone(), host.clone());
        }
        slice.held.merge(free);
        slice.bytes = (slice.bytes + slice.held.bytes() + slice.claimed.bytes()).saturating_sub(before);
        true
    }

    /// Of these workflow ids, those that are in no slice.
    pub(super) fn unplanned(&self, mut ids: BTreeSet<String>) -> BTreeSet<String> {
        ids.retain(|id| !self.ids.contains_key(id));
        if !ids.is_empty() {
            for service in self.hosts.values().flat_map(|slice| slice.claimed.0.values()) {
                ids.remove(&service.workflow_id);
            }
        }
        ids
    }
}
