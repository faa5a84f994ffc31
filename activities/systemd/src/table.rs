//! All units: which message belongs to whom, which jobs are ours, and what the consumer may see of it.
//!
//! While a call of ours about a unit has no answer yet, its changes are held back: they may be the effect of that very
//! call (a reset of the failed state, a job), and told alone they would look like somebody else's doing. The answer
//! takes a fraction of a millisecond.

use crate::{
    buffer::Buffer,
    properties::Patch,
    row::{Listed, Row},
    wire,
};
use dixmgr_contract::{UnitName, UnitState};
use std::{
    collections::{BTreeSet, HashMap},
    num::NonZeroU32,
    sync::Arc,
    time::Instant,
};

/// What a message leaves open.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    /// These units may be about to change again: systemd has to be asked.
    pub(crate) unsettled: Vec<usize>,
    /// A unit's load state cannot be what was listed.
    pub(crate) load_state: bool,
}

/// Everything that is known of the units; written by the session, read by those who act.
#[derive(Debug)]
pub(crate) struct Table {
    units: Vec<UnitName>,
    rows: Vec<Row>,
    by_name: HashMap<UnitName, usize>,
    /// Object path → units. More than one where names are aliases of one unit.
    by_path: HashMap<String, Vec<usize>>,
    /// Jobs that we asked for and that are not finished.
    ours: BTreeSet<u32>,
    buffer: Arc<Buffer>,
}

impl Table {
    /// A table of `units`, duplicates left out.
    pub(crate) fn new(units: Vec<UnitName>, buffer: Arc<Buffer>, now: Instant) -> Self {
        let mut by_path: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, unit) in units.iter().enumerate() {
            by_path.entry(wire::unit_path(unit)).or_default().push(index);
        }
        let by_name = units.iter().cloned().enumerate().map(|(index, unit)| (unit, index)).collect();
        let rows = units.iter().map(|unit| Row::new(unit.as_str().ends_with(".service"), now)).collect();
        Self { units, rows, by_name, by_path, ours: BTreeSet::new(), buffer }
    }

    pub(crate) fn units(&self) -> &[UnitName] {
        &self.units
    }

    pub(crate) fn index_of(&self, unit: &UnitName) -> Option<usize> {
        self.by_name.get(unit).copied()
    }

    pub(crate) fn watches(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
    }

    /// systemd says under which path the unit is really found (another one for an alias).
    pub(crate) fn found_at(&mut self, index: usize, path: &str) {
        let indices = match self.by_path.get_mut(path) {
            Some(indices) => indices,
            None => self.by_path.entry(path.to_owned()).or_default(),
        };
        if !indices.contains(&index) {
            indices.push(index);
        }
    }

    /// A `PropertiesChanged`.
    pub(crate) fn changed(&mut self, path: &str, is_unit_part: bool, patch: &Patch, at: Instant) -> Doubts {
        let mut doubts = Doubts::default();
        for index in self.by_path.get(path).cloned().unwrap_or_default() {
            let Some(row) = self.rows.get_mut(index) else { continue };
            if !is_unit_part {
                row.stage(patch.clone());
                continue;
            }
            row.apply(patch.clone(), &self.ours, at);
            if row.is_unsettled() {
                doubts.unsettled.push(index);
            }
            doubts.load_state |= row.known && row.seems_loaded_since();
            self.publish(index);
        }
        doubts
    }

    /// A line of systemd's list; `all` says that it differs in any case. True if it does: more answers must follow.
    pub(crate) fn listed(&mut self, index: usize, listed: Listed, all: bool) -> bool {
        let Some(row) = self.rows.get_mut(index) else { return false };
        let differs = all || !row.known || row.differs(&listed);
        if differs {
            row.stage(listed.into());
        }
        differs
    }

    /// An answer about a unit. True if nothing more needs to be asked about it.
    pub(crate) fn told_some(&mut self, index: usize, patch: Patch, at: Instant) -> bool {
        let Some(row) = self.rows.get_mut(index) else { return true };
        row.stage(patch);
        let all = row.staged_is_fresh();
        if all {
            self.told_all(index, Patch { invocation: Some(None), ..Patch::default() }, at);
        }
        all
    }

    /// The last answer about a unit.
    pub(crate) fn told_all(&mut self, index: usize, patch: Patch, at: Instant) {
        let Some(row) = self.rows.get_mut(index) else { return };
        row.apply_all(patch, &self.ours, at);
        self.publish(index);
    }

    /// The connection is gone, and with it everything that only made sense on it.
    pub(crate) fn forget_connection(&mut self) {
        self.ours.clear();
        self.rows.iter_mut().for_each(Row::forget_connection);
    }

    /// We are about to ask for something to be done to this unit, in the message with that serial.
    pub(crate) fn asking(&mut self, index: usize, serial: NonZeroU32) {
        if let Some(row) = self.rows.get_mut(index) {
            row.asking.insert(serial);
        }
    }

    /// We were answered, with a job or without, or have given up.
    pub(crate) fn answered(&mut self, index: usize, serial: NonZeroU32, job: Option<u32>) {
        self.ours.extend(job);
        let Some(row) = self.rows.get_mut(index) else { return };
        row.asking.remove(&serial);
        if let Some(id) = job {
            row.job_is_ours(id);
        }
        self.publish(index);
    }

    /// `JobRemoved`.
    pub(crate) fn job_removed(&mut self, id: u32, unit: &str) {
        self.ours.remove(&id);
        let indices = self.by_path.get(&wire::path_of(unit)).map_or(&[][..], Vec::as_slice);
        for index in indices {
            if let Some(row) = self.rows.get_mut(*index) {
                row.job_removed(id);
            }
        }
    }

    /// What is known of a unit, whether or not the consumer may see it yet.
    pub(crate) fn snapshot(&self, index: usize) -> Option<UnitState> {
        self.rows.get(index).map(|row| row.snapshot(&self.ours))
    }

    /// What a fresh answer about the unit means, without keeping it.
    pub(crate) fn read_as(&self, index: Option<usize>, unit: &UnitName, patch: Patch, at: Instant) -> UnitState {
        let known = index.and_then(|index| self.rows.get(index)).cloned();
        let mut row = known.unwrap_or_else(|| Row::new(unit.as_str().ends_with(".service"), at));
        row.apply(patch, &self.ours, at);
        row.snapshot(&self.ours)
    }

    fn publish(&self, index: usize) {
        let Some(row) = self.rows.get(index) else { return };
        if row.is_presentable() {
            self.buffer.put(index, row.snapshot(&self.ours), row.at);
        }
    }
}
