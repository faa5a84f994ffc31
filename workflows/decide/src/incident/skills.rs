//! What a run of the workflow can do that one begun by an older dixmgr could not: that one has to go on as it began, or its history
//! would not replay.
//!
//! A run asks for a skill when it matters for the first time, which leaves a mark in its history. Until it has asked, it has none.

use super::{Event, Incident};
use dixmgr_contract::AlertPolicy;
use serde::{Deserialize, Serialize};

/// So many members have room, whatever is known of them.
const FEW: usize = 12;

/// Something that runs learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skill {
    /// It heeds whose business what is behind it is, and all peace that people have asked for: that nobody is told of it, and the
    /// maintenance windows of the fleet.
    HeedsReachAndPeace,
    /// It looks again when a maintenance window of the file opens.
    ForeseesWindows,
    /// An acknowledgement ends with the end that everybody was told, and the wait for the next step of the escalation begins anew
    /// with what comes back.
    EndsAcks,
    /// A note that was refused is tried again until it is given up; one that waits gives way to what is graver; who may have heard an
    /// end that is none hears that it is back.
    OutlivesFailures,
    /// Members that are well make room for others.
    MakesRoom,
    /// The wait for more of the same does not begin anew when the first of them is well.
    WaitsOnce,
}

/// Which of them a run has, a bit each. The next run asks for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Skills(u8);

impl Skill {
    /// All of them. A run asks in this order.
    pub const ALL: [Self; 6] = [
        Self::HeedsReachAndPeace,
        Self::ForeseesWindows,
        Self::EndsAcks,
        Self::OutlivesFailures,
        Self::MakesRoom,
        Self::WaitsOnce,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Skills {
    /// All of them: of a machine that nobody has to replay.
    pub(super) const ALL: Self = Self(u8::MAX);
    /// None of them.
    pub(super) const fn none() -> Self {
        Self(0)
    }
}

impl Incident {
    /// This run has the skill, or has not.
    pub const fn learn(&mut self, skill: Skill, has: bool) {
        self.skills.0 = if has { self.skills.0 | skill.bit() } else { self.skills.0 & !skill.bit() };
    }

    /// A new run begins, which knows nothing yet.
    pub const fn unlearn(&mut self) {
        self.skills = Skills::none();
    }

    pub(super) const fn has(&self, skill: Skill) -> bool {
        self.skills.0 & skill.bit() != 0
    }

    /// How many members there may be with these; none if there are none new.
    fn members_with<'a>(&self, news: impl Iterator<Item = &'a Event>) -> usize {
        let members = news.filter(|event| matches!(event, Event::Member(_))).count();
        if members > 0 { self.members.len() + members } else { 0 }
    }

    /// Whether it may make a difference that it has the skill, now or with what has come: else it is all one.
    pub fn matters<'a>(&self, skill: Skill, policy: &AlertPolicy, mut news: impl Iterator<Item = &'a Event>) -> bool {
        match skill {
            Skill::HeedsReachAndPeace => true,
            Skill::ForeseesWindows => !policy.maintenance.is_empty(),
            Skill::EndsAcks => self.has_steps_to_end(),
            Skill::OutlivesFailures => {
                news.any(Event::is_failure) || self.lines.values().any(|line| line.failing.is_some())
            }
            Skill::MakesRoom => self.members_with(news) > FEW,
            Skill::WaitsOnce => self.members_with(news) > 1 || self.lines.values().any(|line| line.first.is_some()),
        }
    }
}
