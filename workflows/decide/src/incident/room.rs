//! For how many members there is room: what is known of them is carried from run to run in one payload of Temporal, which is bounded.
//!
//! Who is well makes room for who is not, the longest well first: before all, those of whom nobody has heard. A channel that had
//! heard of one that has gone is told of its next trouble as of a new member's. Rejected: to let an incident that is full take in
//! nobody until it closes; in a large group something is always wrong.

use super::{Incident, Member};
use dixmgr_contract::alert::MemberReport;

/// More members than this are not taken in: what is known of them has to fit into one payload of Temporal (2 MB), with what is behind
/// them and what each channel was told, when the workflow is continued as a new run.
pub const MAX_MEMBERS: usize = 1_100;
/// Nor are more, when what is known of the others takes so many bytes.
pub const MAX_BYTES: usize = 800_000;
/// What a member takes besides its texts, in bytes: names of fields, moments, words.
const FRAME: usize = 300;

impl Incident {
    /// Whether there is room for a new member, made if need be. Counts those for which there is none.
    pub(super) fn admits(&mut self, report: &MemberReport, makes_room: bool) -> bool {
        if self.has_room() {
            return true;
        }
        let is_in_trouble = report.alerts.iter().any(|found| found.alert == self.spec.alert);
        if makes_room && (!is_in_trouble || self.make_room()) {
            return is_in_trouble;
        }
        self.refused_members = self.refused_members.saturating_add(1);
        false
    }

    /// Somebody was not taken in, and would not be now.
    pub(super) fn is_overfull(&self) -> bool {
        self.refused_members > 0 && !self.has_room()
    }

    fn has_room(&self) -> bool {
        let bytes = || self.members.iter().map(|(name, member)| name.len() + member.bytes()).sum::<usize>();
        self.members.len() < MAX_MEMBERS && bytes() < MAX_BYTES
    }

    /// Forgets of those who are well until there is room.
    fn make_room(&mut self) -> bool {
        let is_owed = |name: &String| self.lines.values().any(|line| line.passed.contains(name));
        let knows = |name: &String| self.lines.values().any(|line| line.knows(name));
        let is_well = |(name, member): &(&String, &Member)| !member.firing && !member.passed && !is_owed(name);
        let well = self.members.iter().filter(is_well);
        let mut well: Vec<_> = well.map(|(name, member)| (knows(name), member.ended, name.clone())).collect();
        well.sort();
        for (_, _, name) in well {
            self.members.remove(&name);
            self.lines.values_mut().for_each(|line| line.forget(&name));
            if self.has_room() {
                return true;
            }
        }
        false
    }
}

impl Member {
    /// About how many bytes it takes when it is written down.
    fn bytes(&self) -> usize {
        let labels: usize = self.labels.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
        FRAME + labels + self.detail.len()
    }
}
