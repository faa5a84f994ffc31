//! The words of a note, and whom it names.

use super::{
    Clock, Incident, Member, hash,
    line::{Current, Line, Told, View},
    reach::BEHIND,
    rounded, words,
};
use dixmgr_contract::{AlertPolicy, Note, NoteKind, NoteMember, Route, ServiceName, Severity, Time};
use std::collections::{BTreeMap, BTreeSet};

/// The most members and services that a note lists.
const MAX_LISTED: usize = 100;
/// The most members that its title names.
const MAX_NAMED: usize = 3;
/// The longest id of a note, in bytes.
const MAX_ID: usize = 255;

/// What the words are made of.
struct Matter<'a> {
    kind: NoteKind,
    /// Those in trouble first, the worst first; then those that are well again.
    members: Vec<(&'a String, &'a Member)>,
    firing: usize,
    affected: usize,
    severity: Severity,
    began: Time,
    ended: Time,
    now: Time,
}

impl Incident {
    /// Makes a note for a channel, of what is so now.
    pub(super) fn compose(
        &mut self,
        route: &Route,
        line: &Line,
        view: View,
        kind: NoteKind,
        at: &Clock<'_>,
    ) -> Current {
        let (policy, now) = (at.policy, at.now);
        self.sequence += 1;
        let id = self.note_id(&route.name);
        let mut members = self.those_told_of(route, line, policy);
        members.sort_by_key(|(name, member)| (!member.firing, std::cmp::Reverse(member.peak), member.since, *name));
        let firing = members.iter().filter(|(_, member)| member.firing).count();
        let affected = self.affected_services();
        let peak = || members.iter().map(|(_, member)| member.peak).max().unwrap_or(self.worst);
        let severity =
            view.severity.unwrap_or_else(|| line.worst_behind().map_or_else(peak, |worst| worst.max(peak())));
        let (began, ended) = self.span_of(line, kind, now);
        let matter = Matter { kind, members, firing, affected: affected.len(), severity, began, ended, now };
        let is_over = matches!(kind, NoteKind::Resolved | NoteKind::Late);
        let labels = self.labels(&matter);
        let note = Note {
            id,
            incident: self.id(),
            sequence: self.sequence,
            kind,
            alert: self.spec.alert.clone(),
            severity,
            title: self.title(&matter),
            text: self.text(&matter, line, policy),
            service: matter.only().and_then(|member| member.service.clone()).map_or_else(String::new, String::from),
            members: matter.members.iter().take(MAX_LISTED).map(|(name, member)| listed(name, member)).collect(),
            more_members: matter.members.len().saturating_sub(MAX_LISTED) as u64,
            more_affected: affected.len().saturating_sub(MAX_LISTED) as u64,
            affected: affected.into_iter().take(MAX_LISTED).collect::<Vec<ServiceName>>(),
            identity: Some(line.identify(&self.spec, &labels, severity, is_over)),
            labels,
            began,
            ended: is_over.then_some(ended),
            at: now,
            for_all: kind == NoteKind::Update && (line.misled || severity > line.told.severity),
        };
        let told = Told {
            affected: self.affected_joins,
            severity: severity.max(line.told.severity),
            acks: self.acks,
            returns: self.returns,
            stage: self.stage,
        };
        let opens = line.open.is_none() && !is_over;
        let names = if is_over { Vec::new() } else { self.name_those_in_trouble(route, line, policy) };
        let passed = if is_over { line.passed.clone() } else { BTreeSet::new() };
        Current { note, opens, told, names, passed, attempts: 0, flying: false, doubted: false, next: now }
    }

    /// The members that a note names: also those that a channel was told of only because of what was behind them.
    fn those_told_of<'a>(&'a self, route: &Route, line: &Line, policy: &AlertPolicy) -> Vec<(&'a String, &'a Member)> {
        let business: BTreeSet<&String> = self.business(route, line, policy).map(|(name, _)| name).collect();
        let knows_behind = line.knows(BEHIND);
        let is_its = |name: &String| business.contains(name) || (knows_behind && line.knows(name));
        let is_owed = |name: &String| line.knows(name) || line.passed.contains(name);
        let is_listed = |(name, member): &(&String, &Member)| is_its(name) && member.is_listed(is_owed(name));
        self.members.iter().filter(is_listed).collect()
    }

    /// The next note's id: unique among all notes of all incidents to all channels.
    pub(super) fn note_id(&self, channel: &str) -> String {
        let name = &self.spec.fingerprint;
        let (born, sequence) = (self.born.unix_millis(), self.sequence);
        let mut id: String = format!("{born:x}-{sequence}-{:016x}-{channel}-{name}", hash(name));
        let end = (0..=MAX_ID.min(id.len())).rev().find(|end| id.is_char_boundary(*end)).unwrap_or(0);
        id.truncate(end);
        id
    }

    /// When what a channel was told of, or is about to be, began, and when it ended if it did.
    fn span_of(&self, line: &Line, kind: NoteKind, now: Time) -> (Time, Time) {
        let current = || line.current.as_ref().map(|current| current.note.began);
        let known = line.began.or_else(current);
        if let Some(span) = self.span_of_passed(line).filter(|_| known.is_none() && kind == NoteKind::Late) {
            return span;
        }
        (known.or(self.began).unwrap_or(now), line.over.unwrap_or(now))
    }

    /// In order of their names.
    fn name_those_in_trouble(&self, route: &Route, line: &Line, policy: &AlertPolicy) -> Vec<String> {
        let audible = self.business(route, line, policy).filter(|(_, member)| member.is_audible());
        let behind = self.reached(route, line).map(|_| BEHIND.to_owned());
        let mut names: Vec<String> = audible.map(|(name, _)| name.clone()).chain(behind).collect();
        names.sort();
        names
    }

    fn title(&self, matter: &Matter<'_>) -> String {
        if let Some(member) = matter.only()
            && !member.detail.is_empty()
        {
            return member.detail.clone();
        }
        // Those in trouble come first; at the end nobody is.
        let count = if matter.firing > 0 { matter.firing } else { matter.members.len() };
        let names: Vec<&str> = matter.members.iter().take(count).map(|(name, _)| name.as_str()).collect();
        let what = self.spec.alert.replace('_', " ");
        joined(&names).map_or_else(|| self.spec.fingerprint.clone(), |names| format!("{what}: {names}"))
    }

    fn text(&self, matter: &Matter<'_>, line: &Line, policy: &AlertPolicy) -> String {
        let mut said = Vec::new();
        let lasted = |until: Time| rounded(until.since(matter.began));
        let window = policy.dedupe_window;
        match matter.kind {
            NoteKind::Firing | NoteKind::Late | NoteKind::Test => {}
            NoteKind::Update if line.misled => said.push("It is back.".to_owned()),
            NoteKind::Update if matter.severity > line.told.severity => {
                said.push(format!("It is {} now; it was {}.", matter.severity, line.told.severity));
            }
            NoteKind::Update => {}
            NoteKind::Reminder => said.push(format!("It has lasted for {}.", lasted(matter.now))),
            NoteKind::Escalation => {
                said.push(format!("It has lasted for {}, and nobody has acknowledged it.", lasted(matter.now)));
            }
            NoteKind::Acknowledged => said.extend(self.ack.as_ref().map(super::Ack::sentence)),
            NoteKind::Resolved => said.push(format!("It lasted {}.", lasted(matter.ended))),
        }
        if matter.kind == NoteKind::Late {
            let lasted = lasted(matter.ended);
            said.push(format!("It lasted {lasted} and is over; it could not be told before."));
        }
        if line.open.is_none() && line.comebacks > 0 && matter.kind != NoteKind::Late {
            said.push(format!(
                "It is back; should it come and go, that is not told again until it has kept quiet for {window}."
            ));
        }
        if matter.kind == NoteKind::Resolved && line.comebacks > 1 {
            said.push(format!("It came back {} times.", line.comebacks));
        }
        let is_over = matches!(matter.kind, NoteKind::Resolved | NoteKind::Late);
        if matter.kind == NoteKind::Update {
            let new = |(name, member): &&(&String, &Member)| member.firing && !line.knows(name);
            let names: Vec<&str> = matter.members.iter().filter(new).map(|(name, _)| name.as_str()).collect();
            said.extend(joined(&names).map(|names| format!("New: {names}.")));
        }
        if !is_over && matter.firing > 1 {
            said.push(format!("{} are in trouble.", matter.firing));
        }
        if !is_over && self.is_overfull() {
            said.push(format!("There may be more: an incident has room for {}.", self.members.len()));
        }
        match matter.members.len() - matter.firing {
            _ if is_over => {}
            0 => {}
            1 => said.push("1 is well again.".to_owned()),
            many => said.push(format!("{many} are well again.")),
        }
        match matter.affected {
            _ if is_over => {}
            0 => {}
            1 => said.push(format!("1 service behind it is affected{}.", matter.behind())),
            many => said.push(format!("{many} services behind it are affected{}.", matter.behind())),
        }
        said.join(" ")
    }

    /// The labels that all of them have in common, and what the incident is.
    fn labels(&self, matter: &Matter<'_>) -> BTreeMap<String, String> {
        let mut members = matter.members.iter().map(|(_, member)| &member.labels);
        let mut common = members.next().cloned().unwrap_or_default();
        for labels in members {
            common.retain(|name, value| labels.get(name) == Some(value));
        }
        common.insert("type".to_owned(), self.spec.alert.clone());
        common.insert("severity".to_owned(), matter.severity.to_string());
        common
    }

    /// Its members as people see them, at most as many as a note lists.
    pub(super) fn listed(&self) -> Vec<NoteMember> {
        let mut members: Vec<_> =
            self.members.iter().filter(|(_, member)| member.firing || member.ended.is_some()).collect();
        members.sort_by_key(|(name, member)| (!member.firing, std::cmp::Reverse(member.peak), member.since, *name));
        members.into_iter().take(MAX_LISTED).map(|(name, member)| listed(name, member)).collect()
    }
}

impl<'a> Matter<'a> {
    /// How bad what is behind is, if that is worse than the rest.
    fn behind(&self) -> String {
        let own = self.members.iter().filter(|(_, member)| member.firing).map(|(_, member)| member.severity).max();
        if own < Some(self.severity) { format!(" ({})", self.severity) } else { String::new() }
    }

    fn only(&self) -> Option<&'a Member> {
        match self.members.as_slice() {
            [(_, member)] => Some(member),
            _ => None,
        }
    }
}

/// `a, b, c and 4 more`; nothing of no names.
fn joined(names: &[&str]) -> Option<String> {
    let mut shown: Vec<String> = names.iter().take(MAX_NAMED).map(|name| (*name).to_owned()).collect();
    if names.len() > MAX_NAMED {
        shown.push(format!("{} more", names.len() - MAX_NAMED));
    }
    match shown.split_last()? {
        (last, []) => Some(last.clone()),
        (last, rest) => Some(format!("{} and {last}", rest.join(", "))),
    }
}

fn listed(name: &str, member: &Member) -> NoteMember {
    let detail = if member.detail.is_empty() { words(name) } else { member.detail.clone() };
    NoteMember { service: member.service.clone(), host: member.host.clone(), detail, over: !member.firing }
}
