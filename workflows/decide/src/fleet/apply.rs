//! A slice replaced: what becomes of the services that were in it, and of those that others wait for.

use super::collect::Told;
use super::rows::Services;
use super::slices::{Slice, frame_bytes};
use super::{Action, Fleet, SERVICES, STORED_BYTES};
use crate::Answer;
use dixmgr_contract::host::{HostReport, HostReportKind};
use dixmgr_contract::plan::{PART_SERVICES, Retire};
use dixmgr_contract::{HostName, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Services that a report names.
const NAMED: usize = 5;

impl Fleet {
    /// Swaps a host's slice for the one that it has told, or refuses it as a whole.
    pub(super) fn apply(&mut self, host: HostName, mut told: Told, now: Time, actions: &mut Vec<Action>) {
        let twice = told.twice + drop_repeated_ids(&mut told.services);
        let slice = self.slice(&host, told, now);
        if let Some(objection) = self.too_large(&host, &slice) {
            return self.note(&format!("the plan of host {host} is refused: {objection}"), now);
        }
        if twice > 0 {
            let text = format!("the plan of host {host} names a service or a workflow id twice; {twice} are left out");
            self.note(&text, now);
        }
        let old = self.slices.take(&host);
        self.report_conflicts(&host, &slice, old.as_ref(), actions);
        let is_more = |old: &Slice| slice.held.0.keys().any(|name| !old.held.0.contains_key(name));
        let has_news = old.as_ref().map_or(!slice.held.0.is_empty(), is_more);
        self.slices.put(host.clone(), slice);
        self.release(&host, old, now, actions);
        if has_news {
            self.came_late(host, now);
        }
    }

    /// What the host has of what it tells, and what it only claims.
    fn slice(&self, host: &HostName, told: Told, now: Time) -> Slice {
        let Told { generation, services, clusters, .. } = told;
        let (mut held, mut claimed) = (Services::default(), Services::default());
        for (name, service) in services.0 {
            let has_rival = self.slices.rival(&service, host).is_some();
            let place = if has_rival { &mut claimed } else { &mut held };
            place.0.insert(name, service);
        }
        let bytes = frame_bytes(host, &generation, &clusters) + held.bytes() + claimed.bytes();
        Slice { generation, applied_at: now, held, claimed, clusters, bytes }
    }

    fn too_large(&self, host: &HostName, slice: &Slice) -> Option<String> {
        let slices = self.slices.hosts();
        let (old_count, old_bytes) = slices.get(host).map_or((0, 0), |old| (old.count(), old.bytes));
        let count = slices.values().map(Slice::count).sum::<usize>() - old_count + slice.count();
        if count > SERVICES {
            return Some(format!("the fleet would have {count} services; at most {SERVICES}"));
        }
        let is_large = self.bytes() - old_bytes + slice.bytes > STORED_BYTES;
        is_large.then(|| "the fleet's plan would be too large to store".to_owned())
    }

    /// A host is gone for good.
    pub(super) fn forget(&mut self, id: String, host: &HostName, now: Time, actions: &mut Vec<Action>) {
        if self.is_answered(&id, actions) {
            return;
        }
        let collected = self.collecting.remove(host).is_some();
        let old = self.slices.take(host);
        let result = match &old {
            None if !collected => Err(format!("no host {host} is in the plan")),
            _ => Ok(format!("host {host} is forgotten")),
        };
        self.late.remove(host);
        self.release(host, old, now, actions);
        self.answer(Answer { id, result }, actions);
    }

    /// What the host gave up goes to those who wait for it; what nobody plans any more is retired.
    fn release(&mut self, host: &HostName, old: Option<Slice>, now: Time, actions: &mut Vec<Action>) {
        let Some(old) = old else { return };
        for host in self.slices.promote() {
            self.came_late(host, now);
        }
        let gone: Vec<_> = self.slices.unplanned(old.workflow_ids().cloned().collect()).into_iter().collect();
        for chunk in gone.chunks(PART_SERVICES) {
            actions.push(Action::Retire(Retire { host: host.clone(), workflow_ids: chunk.to_vec() }));
        }
    }

    /// One report for what is in conflict since this slice.
    fn report_conflicts(&self, host: &HostName, slice: &Slice, old: Option<&Slice>, actions: &mut Vec<Action>) {
        let is_new = |name| !old.is_some_and(|old| old.claimed.0.contains_key(name));
        let conflicts: BTreeMap<_, _> = slice
            .claimed
            .0
            .iter()
            .filter(|(name, _)| is_new(*name))
            .filter_map(|(name, service)| Some((name, self.slices.rival(service, host)?)))
            .collect();
        if conflicts.is_empty() {
            return;
        }
        let named: Vec<_> = conflicts.iter().take(NAMED).map(|(name, owner)| format!("{name} (of {owner})")).collect();
        let more = match conflicts.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!(
            "host {host} names services that belong to other hosts and does not get them: {}{more}; \
             take them out of the configuration of one host",
            named.join(", ")
        );
        actions.push(Action::Report(HostReport::new(host.clone(), HostReportKind::PlanConflict, text)));
    }
}

/// Two services of one host cannot share a workflow. The first by name stays.
fn drop_repeated_ids(services: &mut Services) -> usize {
    let (before, mut ids) = (services.0.len(), BTreeSet::new());
    services.0.retain(|_, service| ids.insert(service.workflow_id.clone()));
    before - services.0.len()
}
