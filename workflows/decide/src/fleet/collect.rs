//! The parts of a slice, until all of them are there.
//!
//! Parts of one generation may come in any order and more than once. A part of another generation begins a new collection:
//! what came last is what the host thinks now. A part of the generation that is applied says nothing new.

use super::rows::Services;
use super::slices::frame_bytes;
use super::{Action, Fleet, GIVE_UP, HOSTS, STORED_BYTES};
use dixmgr_contract::Time;
use dixmgr_contract::plan::PlanPart;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The parts of one generation of a host that have come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Collection {
    generation: String,
    parts: u32,
    got: BTreeMap<u32, Part>,
    /// When the last one came.
    pub(super) last: Time,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    services: Services,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    clusters: Vec<String>,
    /// Services whose name had come before in it.
    #[serde(default)]
    twice: usize,
    /// What it takes when it is stored.
    bytes: usize,
}

/// A whole slice as it was told.
pub(super) struct Told {
    pub(super) generation: String,
    pub(super) services: Services,
    pub(super) clusters: Vec<String>,
    /// Services that are left out because their name had come before.
    pub(super) twice: usize,
}

impl Collection {
    pub(super) fn bytes(&self) -> usize {
        self.got.values().map(|part| part.bytes).sum()
    }

    /// The whole, whatever the order in which its parts came.
    fn whole(self) -> Told {
        let (mut services, mut clusters, mut twice) = (Services::default(), BTreeSet::new(), 0);
        for part in self.got.into_values() {
            twice += part.twice + services.merge(part.services.0.into_values());
            clusters.extend(part.clusters);
        }
        Told { generation: self.generation, services, clusters: clusters.into_iter().collect(), twice }
    }
}

impl Fleet {
    pub(super) fn collect(&mut self, part: PlanPart, now: Time, actions: &mut Vec<Action>) {
        let PlanPart { host, generation, part: index, parts, .. } = &part;
        if self.slices.hosts().get(host).is_some_and(|slice| slice.generation == *generation) {
            return;
        }
        self.told_at = Some(now);
        if let Some(objection) = part.objection().or_else(|| self.too_many_hosts(&part)) {
            return self.note(&format!("a part of the plan of host {host} is refused: {objection}"), now);
        }
        let is_same = |known: &Collection| known.generation == *generation && known.parts == *parts;
        if !self.collecting.get(host).is_some_and(is_same) {
            let collection =
                Collection { generation: generation.clone(), parts: *parts, got: BTreeMap::new(), last: now };
            self.collecting.insert(host.clone(), collection);
        }
        let bytes_before = self.bytes();
        let Some(collection) = self.collecting.get_mut(host) else { return };
        collection.last = now;
        if collection.got.contains_key(index) {
            return;
        }
        let (host, index) = (host.clone(), *index);
        let frame = frame_bytes(&host, &part.generation, &part.clusters);
        let mut services = Services::default();
        let twice = services.merge(part.services);
        let bytes = frame + services.bytes();
        if bytes_before + bytes > STORED_BYTES {
            return self.note(
                &format!("a part of the plan of host {host} is refused: the fleet's plan would be too large to store"),
                now,
            );
        }
        collection.got.insert(index, Part { services, clusters: part.clusters, twice, bytes });
        if collection.got.len() == collection.parts as usize
            && let Some(collection) = self.collecting.remove(&host)
        {
            self.apply(host, collection.whole(), now, actions);
        }
    }

    /// What slices and collections take when they are stored.
    pub(super) fn bytes(&self) -> usize {
        let slices: usize = self.slices.hosts().values().map(|slice| slice.bytes).sum();
        slices + self.collecting.values().map(Collection::bytes).sum::<usize>()
    }

    fn too_many_hosts(&self, part: &PlanPart) -> Option<String> {
        let hosts = self.slices.hosts();
        let is_known = hosts.contains_key(&part.host) || self.collecting.contains_key(&part.host);
        let new = self.collecting.keys().filter(|host| !hosts.contains_key(host)).count();
        (!is_known && hosts.len() + new >= HOSTS).then(|| format!("the fleet has {HOSTS} hosts already"))
    }

    /// A host that began to tell and went away.
    pub(super) fn give_up(&mut self, now: Time) {
        let is_old = |collection: &Collection| collection.last.after(GIVE_UP) <= now;
        let old: Vec<_> =
            self.collecting.iter().filter(|(_, collection)| is_old(collection)).map(|(host, _)| host.clone()).collect();
        for host in old {
            if let Some(collection) = self.collecting.remove(&host) {
                let (got, parts) = (collection.got.len(), collection.parts);
                self.note(&format!("the plan of host {host} never became whole: {got} of {parts} parts came"), now);
            }
        }
    }
}
