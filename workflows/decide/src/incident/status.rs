//! What people see of an incident, and what it waits for, in sentences.

use super::{Incident, Member, line::Line, stamp};
use dixmgr_contract::incident::{ChannelStatus, IncidentPhase, IncidentStatus};
use dixmgr_contract::{AlertPolicy, NoteKind, Severity};
use std::collections::BTreeSet;

/// The most reasons that are named for members of which nobody is told.
const MAX_REASONS: usize = 5;

impl Incident {
    /// The answer of the query `status`.
    pub fn status(&self, policy: &AlertPolicy) -> IncidentStatus {
        IncidentStatus {
            id: self.id(),
            fingerprint: self.spec.fingerprint.clone(),
            alert: self.spec.alert.clone(),
            phase: self.phase(),
            severity: self.severity(),
            began: self.began,
            ended: self.over.filter(|_| self.began.is_some()).map(|over| self.passed.unwrap_or(over)),
            waiting_for: self.waiting_for(policy),
            next_at: self.wake,
            firing: self.members.values().filter(|member| member.firing).count() as u64,
            members: self.listed(),
            affected: self.affected_services().len() as u64,
            acked_by: self.ack.as_ref().map(|ack| ack.by.clone()),
            channels: self.lines.iter().map(|(name, line)| channel(name, line)).collect(),
            notes: self.sequence,
            refused_members: self.refused_members,
            input_error: None,
        }
    }

    /// How bad it is: what people were or may be told of; else what is wrong although nobody is told of it.
    fn severity(&self) -> Severity {
        let firing = || self.members.values().filter(|member| member.firing).map(|member| member.severity).max();
        if self.began.is_some() { self.worst } else { firing().unwrap_or(self.worst) }
    }

    /// Whether something is wrong with a service here; [`IncidentStatus::members`] may be too short to say.
    pub fn has_member(&self, service: &str) -> bool {
        self.services().any(|one| one.as_str() == service)
    }

    /// Where it stands, in one word.
    pub fn phase(&self) -> IncidentPhase {
        let firing = || self.members.values().filter(|member| member.firing);
        let is_live = firing().any(Member::is_live);
        let is_told = self.lines.values().any(|line| line.open.is_some() || line.current.is_some());
        match () {
            () if is_live && self.ack.is_some() => IncidentPhase::Acknowledged,
            () if is_live && is_told => IncidentPhase::Firing,
            () if firing().any(Member::is_audible) => IncidentPhase::Gathering,
            () if firing().any(|member| member.cause.is_some() || member.grace.is_some()) => IncidentPhase::Held,
            () if firing().next().is_some() => IncidentPhase::Silenced,
            () => IncidentPhase::Over,
        }
    }

    fn waiting_for(&self, policy: &AlertPolicy) -> Vec<String> {
        let mut said = Vec::new();
        let first =
            self.members.values().filter(|member| member.is_audible()).filter_map(|member| member.audible).min();
        match (self.phase(), first) {
            (IncidentPhase::Gathering, Some(first)) => {
                said.push(format!("what belongs to it, until {}", stamp(first.after(policy.group_wait))));
            }
            (IncidentPhase::Firing | IncidentPhase::Gathering, _) => {
                said.push("its members to be well again, or somebody to acknowledge it".to_owned());
            }
            (IncidentPhase::Acknowledged, _) => said.push("its members to be well again".to_owned()),
            (IncidentPhase::Over, _) => {
                let until = self.over.max(self.calm).map(|over| over.after(policy.dedupe_window));
                said.extend(until.map(|until| format!("whether it comes back before {}", stamp(until))));
            }
            (IncidentPhase::Held | IncidentPhase::Silenced, _) => {}
        }
        let reasons: BTreeSet<String> =
            self.members.values().filter_map(|member| member.muted.as_ref()).map(super::mute::Mute::reason).collect();
        said.extend(reasons.into_iter().take(MAX_REASONS).map(|reason| format!("nobody is told of it: {reason}")));
        if let (Some(step), Some(at), None) = (policy.escalation.get(self.stage), self.stage_at, &self.ack)
            && first.is_some()
        {
            said.push(format!(
                "somebody to acknowledge it before it goes on to {}, at {}",
                step.channels.join(", "),
                stamp(at.after(step.wait))
            ));
        }
        said.extend(self.lines.iter().filter_map(|(name, line)| on_its_way(name, line)));
        said
    }
}

fn on_its_way(name: &str, line: &Line) -> Option<String> {
    let current = line.current.as_ref()?;
    let what = kind(current.note.kind);
    if current.flying {
        return Some(format!("{name} to answer to the {what} (try {})", current.attempts));
    }
    Some(match line.last_error.as_str() {
        "" => format!("{name} to take the {what}: its rate limit"),
        error => format!("{name} to take the {what}, next at {} ({error})", stamp(current.next)),
    })
}

const fn kind(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Firing => "first note",
        NoteKind::Update => "update",
        NoteKind::Reminder => "reminder",
        NoteKind::Escalation => "escalation",
        NoteKind::Acknowledged => "acknowledgement",
        NoteKind::Resolved => "end",
        NoteKind::Late => "late summary",
        NoteKind::Test => "test",
    }
}

fn channel(name: &str, line: &Line) -> ChannelStatus {
    let current = line.current.as_ref();
    ChannelStatus {
        name: name.to_owned(),
        told: line.open.is_some(),
        sending: current.map(|current| kind(current.note.kind).to_owned()),
        attempts: current.map_or(0, |current| current.attempts),
        next_at: current.filter(|current| !current.flying).map(|current| current.next),
        last_error: line.last_error.clone(),
        sent: line.sent,
    }
}
