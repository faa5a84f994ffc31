//! What a run of the workflow can do that one begun by an older dixmgr could not: that one has to go on as it began, or its history
//! would not replay.
//!
//! A run asks for a skill when it matters for the first time, which leaves a mark in its history. Most services never need most of
//! them, and make no mark. Until it has asked, a run has none.

use super::{Event, Service};
use dixmgr_contract::CommandKind;
use serde::{Deserialize, Serialize};

/// Something that runs learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skill {
    /// It knows which of several alerts that fire says why.
    RelatesAlerts,
    /// It asks its dependencies on other hosts how they stand while something fires, and not only before a start.
    AsksForCauses,
    /// It has the host told that a service that is down already is to stay so.
    OrdersStopsAtRest,
    /// One that runs and does not work waits for what it comes after, before it is restarted.
    WaitsToBeHealed,
}

/// Which of them a run has, a bit each. The next run asks for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Skills(u8);

impl Skill {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::RelatesAlerts, Self::AsksForCauses, Self::OrdersStopsAtRest, Self::WaitsToBeHealed];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Skills {
    /// All of them: of a machine that nobody has to replay.
    pub(super) fn all() -> Self {
        Self(Skill::ALL.into_iter().fold(0, |all, skill| all | skill.bit()))
    }

    /// None of them.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    pub(super) const fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

impl Service {
    /// This run has the skill, or has not.
    pub const fn learn(&mut self, skill: Skill, has: bool) {
        self.skills.0 = if has { self.skills.0 | skill.bit() } else { self.skills.0 & !skill.bit() };
    }

    /// A new run begins, which knows nothing yet.
    pub const fn unlearn(&mut self) {
        self.skills = Skills(0);
    }

    pub(super) const fn has(&self, skill: Skill) -> bool {
        self.skills.0 & skill.bit() != 0
    }

    /// Whether it may make a difference that it has the skill, now or with what has come: else it is all one.
    pub fn matters<'a>(&self, skill: Skill, mut news: impl Iterator<Item = &'a Event>) -> bool {
        match skill {
            Skill::RelatesAlerts => self.has_alerts_to_relate(news),
            Skill::AsksForCauses => self.may_fire_elsewhere(news),
            Skill::OrdersStopsAtRest => {
                news.any(|event| matches!(event, Event::Commanded(command) if command.command == CommandKind::Stop))
            }
            Skill::WaitsToBeHealed => self.may_be_healed(news),
        }
    }
}
