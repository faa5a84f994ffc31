//! What people ask of a service. A command is refused before it does anything, with the reason and the way out.

use super::attempt::Mandate;
use super::phase::{Attempt, By, Phase, StoppedBy};
use super::reading::{Reading, Seen};
use super::{Action, Answer, Service, Skill};
use dixmgr_contract::{Command, CommandKind, Time, Verb};

/// Ids remembered, so that a command that is sent twice is obeyed once.
const REMEMBERED: usize = 16;

impl Service {
    /// Why a command would be refused now; `None` if it would be taken.
    pub fn objection(&self, kind: CommandKind) -> Option<String> {
        let name = &self.spec.name;
        match (kind, &self.phase) {
            (CommandKind::Resume, Phase::Paused { .. }) => return None,
            (CommandKind::Resume, _) => return Some(format!("{name} is not paused")),
            (CommandKind::Pause, Phase::Paused { by, .. }) => {
                return Some(format!("{name} is paused already, by {}", somebody(by)));
            }
            (CommandKind::Pause, _) => return None,
            (_, Phase::Paused { by, .. }) => {
                return Some(format!("{name} is paused by {}; resume it first", somebody(by)));
            }
            _ => {}
        }
        let Some(seen) = &self.seen else {
            return Some(format!(
                "no host has reported on {name} yet; is dixmgr running there with {name} in its file?"
            ));
        };
        if self.host_lost {
            return Some(format!("the host of {name} is lost; nobody could do it"));
        }
        if let Some(attempt) = self.phase.attempt() {
            return Some(format!("a {} of {name} is under way; wait for it", attempt.verb));
        }
        match seen.reading() {
            Reading::Absent => Some(format!("{} does not exist on its host", self.spec.unit)),
            Reading::Masked => Some(format!("{0} is masked; `systemctl unmask {0}` first", self.spec.unit)),
            Reading::Broken => Some(format!(
                "systemd cannot load {0} ({1}); `systemctl status {0}` says why",
                self.spec.unit, seen.unit.load
            )),
            _ if seen.unit.is_held() => {
                Some(format!("systemd has a job on {} that is not ours; wait for it", self.spec.unit))
            }
            _ => None,
        }
    }

    /// Obeys a command, or answers why not.
    pub(super) fn obey(&mut self, command: Command, now: Time, actions: &mut Vec<Action>) {
        if self.commands.contains(&command.id) {
            return;
        }
        self.commands.push(command.id.clone());
        let surplus = self.commands.len().saturating_sub(REMEMBERED);
        self.commands.drain(..surplus);
        if let Some(reason) = self.objection(command.command).or_else(|| self.stays_paused(&command)) {
            return actions.push(Action::Answer(Answer { id: command.id, result: Err(reason) }));
        }
        let name = &self.spec.name;
        match command.command {
            CommandKind::Pause => {
                let result = Ok(format!("{name} is paused"));
                // What is under way is not called back; whoever waits for it is told.
                if let Some(attempt) = self.phase.attempt().cloned() {
                    self.answer(&attempt, Err("paused meanwhile".to_owned()), actions);
                }
                let Command { by, reason, to_all: with_all, .. } = command;
                self.enter(Phase::Paused { by, reason, with_all }, now);
                actions.push(Action::Answer(Answer { id: command.id, result }));
            }
            CommandKind::Resume => {
                let result = Ok(format!("{name} is supervised again"));
                // A person has looked at it: what failed meanwhile is started without a wait.
                self.budget.forget_waits();
                self.pending = None;
                self.enter(Phase::Unknown { absent: false }, now);
                actions.push(Action::Answer(Answer { id: command.id, result }));
            }
            CommandKind::Start | CommandKind::Stop | CommandKind::Restart => {
                if let Some(seen) = self.seen.clone() {
                    self.operate(command, &seen, now, actions);
                }
            }
        }
    }

    /// Whoever was paused by itself waits to be resumed by itself.
    fn stays_paused(&self, command: &Command) -> Option<String> {
        match &self.phase {
            Phase::Paused { by, with_all: false, .. } if command.to_all && command.command == CommandKind::Resume => {
                Some(format!("{} was paused by {} and not with the fleet; resume it", self.spec.name, somebody(by)))
            }
            _ => None,
        }
    }

    fn operate(&mut self, command: Command, seen: &Seen, now: Time, actions: &mut Vec<Action>) {
        let up = matches!(seen.reading(), Reading::Up | Reading::Impaired);
        let at_rest = matches!(seen.reading(), Reading::Dead | Reading::Idle | Reading::StoppedByJob);
        let verb = match command.command {
            CommandKind::Start if up => {
                let result = Ok(format!("{} is running already", self.spec.name));
                return actions.push(Action::Answer(Answer { id: command.id, result }));
            }
            CommandKind::Stop if at_rest && !self.has(Skill::OrdersStopsAtRest) => {
                self.stopped(StoppedBy::Command, seen, now);
                let result = Ok(format!("{} is stopped", self.spec.name));
                return actions.push(Action::Answer(Answer { id: command.id, result }));
            }
            // At rest too: the host has to hear that this is meant, or what fires there would fire on.
            CommandKind::Stop => Verb::Stop,
            CommandKind::Restart if !at_rest => Verb::Restart,
            _ => Verb::Start,
        };
        // A person has taken over: what failed before is not held against the service.
        self.budget.clear();
        self.pending = None;
        let attempt = self.order(verb, Mandate::Command(command.id), seen, now, actions);
        match verb {
            Verb::Stop => {
                self.stopped(StoppedBy::Command, seen, now);
                if let Phase::Stopped { attempt: slot, .. } = &mut self.phase {
                    *slot = Some(Attempt { at_rest, ..attempt });
                }
            }
            Verb::Start => self.enter(Phase::Starting { by: By::Us(attempt) }, now),
            Verb::Restart => self.enter(Phase::Restarting { by: By::Us(attempt) }, now),
        }
    }
}

fn somebody(by: &str) -> &str {
    if by.is_empty() { "somebody" } else { by }
}
