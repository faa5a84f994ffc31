//! One of those in trouble: what is known of it, from its whole reports.

use super::{Incident, mute::Mute, skills::Skill, words};
use dixmgr_contract::alert::{MAX_DETAIL, MAX_LABELS, MemberReport};
use dixmgr_contract::{Alert, AlertPolicy, HostName, ServiceName, Severity, Span, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A member as the incident knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<ServiceName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<HostName>,
    /// For routing and silences.
    pub(super) labels: BTreeMap<String, String>,
    pub(super) revision: u64,
    /// Something is wrong with it.
    pub(super) firing: bool,
    /// How bad it is, or was.
    pub(super) severity: Severity,
    /// How bad it was at worst, this time.
    pub(super) peak: Severity,
    pub(super) detail: String,
    /// When it began.
    pub(super) since: Time,
    /// When it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Time>,
    /// It was over before it was heard of, and nobody has looked yet who is to be told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) passed: bool,
    /// People might have been told of it since it began, so the incident is not over before it is.
    #[serde(default)]
    pub(super) heard: bool,
    /// Since when people may be told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) audible: Option<Time>,
    /// Why people are not told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) muted: Option<Mute>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) paused_by: Option<String>,
    /// The incident that it is a consequence of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    /// The cause is over; so long it has to come back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) grace: Option<Time>,
    /// It is a consequence, and nobody would be told of it if it were none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) hushed: bool,
    /// People may have been told of it, and then asked for peace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) in_peace: bool,
    /// Which of the returns from that was its last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) returned: Option<u64>,
    /// The cause that has let it go because nobody is told of that: not to be waited for again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) let_go_by: Option<String>,
}

impl Member {
    /// Something is wrong with it that people were or may be told of.
    pub(super) const fn is_live(&self) -> bool {
        self.firing && self.heard
    }

    /// People may be told of it now.
    pub(super) const fn is_audible(&self) -> bool {
        self.firing && self.audible.is_some()
    }

    /// It is for a note: people may be told of it, or that channel was and wants to know what became of it.
    pub(super) const fn is_listed(&self, heard: bool) -> bool {
        self.is_audible() || heard
    }

    /// The cause is over, or there is none any more.
    pub(super) fn release(&mut self, policy: &AlertPolicy, now: Time) {
        if self.cause.take().is_some() {
            self.grace = Some(now.after(policy.consequence_grace));
        }
    }

    /// Its cause lasts, and nobody is told of it.
    pub(super) fn let_go(&mut self) {
        (self.let_go_by, self.grace) = (self.cause.take(), None);
    }

    /// What is said to be its cause.
    fn has_cause(&mut self, cause: Option<String>, policy: &AlertPolicy, now: Time) {
        if cause.is_some() && cause == self.let_go_by {
            return;
        }
        self.let_go_by = None;
        match cause {
            Some(cause) => (self.cause, self.grace) = (Some(cause), None),
            None => self.release(policy, now),
        }
    }
}

impl Incident {
    /// Takes in how a member stands, unless it is old news.
    pub(super) fn hear(&mut self, report: &MemberReport, policy: &AlertPolicy, now: Time) {
        let key = report.member();
        let is_new = !self.members.contains_key(&key);
        if is_new && !self.admits(report, self.has(Skill::MakesRoom)) {
            return;
        }
        let alert = self.spec.alert.clone();
        let cause = report.cause.clone().filter(|cause| self.may_hold(cause));
        let member = self.members.entry(key.clone()).or_insert_with(|| blank(report, now));
        if !is_new && report.revision != 0 && report.revision <= member.revision {
            return;
        }
        member.revision = report.revision.max(member.revision);
        member.paused_by = report.paused_by.as_deref().map(super::somebody);
        let of_type = || report.alerts.iter().filter(|found| found.alert == alert);
        let firing = || of_type().filter(|found| found.ended_ms.is_none());
        let ended = of_type().filter_map(|found| found.ended_ms).min();
        let since = |age: Option<u64>| now.earlier(Span::from_millis(age.unwrap_or(0)));
        let worst = |of: &Alert| of.severity;
        if let Some(worst) = firing().max_by_key(|found| worst(found)) {
            member.fire(worst, since(firing().map(|found| found.age_ms).max()));
            member.is(report, worst);
            member.has_cause(cause, policy, now);
            self.forget_passed(&key);
        } else if let Some(worst) = of_type().max_by_key(|found| worst(found)).filter(|_| !member.firing) {
            member.pass(worst, since(of_type().map(|found| found.age_ms).max()), since(ended), cause.is_some());
            member.is(report, worst);
        } else {
            member.end(now);
        }
    }
}

impl Incident {
    /// The services that are part of it, or were in this episode.
    pub fn parts(&self) -> Vec<ServiceName> {
        let began = self.began;
        let was_part = |ended: Time| began.is_none_or(|began| ended >= began);
        let is_part = |member: &&Member| member.firing || member.ended.is_some_and(was_part);
        self.members.values().filter(is_part).filter_map(|member| member.service.clone()).collect()
    }
}

impl Member {
    /// Nothing is wrong with it any more.
    pub(super) fn end(&mut self, now: Time) {
        if self.firing {
            self.ended = Some(now);
        }
        (self.firing, self.audible, self.muted) = (false, None, None);
        (self.cause, self.grace, self.hushed, self.let_go_by) = (None, None, false, None);
        (self.in_peace, self.returned) = (false, None);
    }

    fn fire(&mut self, worst: &Alert, since: Time) {
        if self.firing {
            self.peak = self.peak.max(worst.severity);
        } else {
            (self.firing, self.ended) = (true, None);
            (self.since, self.peak) = (since, worst.severity);
            self.heard = false;
        }
        self.tell(worst);
    }

    /// It was in trouble, and nobody knew.
    fn pass(&mut self, worst: &Alert, since: Time, ended: Time, is_consequence: bool) {
        (self.since, self.peak, self.ended) = (since, worst.severity, Some(ended.max(since)));
        // Of a consequence nobody is told when it is over.
        self.passed = !is_consequence;
        self.tell(worst);
    }

    /// Who it is.
    fn is(&mut self, report: &MemberReport, worst: &Alert) {
        (self.service, self.host) = (report.service.clone(), report.host.clone());
        self.labels = labels(report, worst);
    }

    fn tell(&mut self, worst: &Alert) {
        self.severity = worst.severity;
        self.detail = worst.detail.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_DETAIL).collect();
    }
}

fn blank(report: &MemberReport, now: Time) -> Member {
    Member {
        service: report.service.clone(),
        host: report.host.clone(),
        labels: BTreeMap::new(),
        revision: 0,
        firing: false,
        severity: Severity::Info,
        peak: Severity::Info,
        detail: String::new(),
        since: now,
        ended: None,
        passed: false,
        heard: false,
        audible: None,
        muted: None,
        paused_by: None,
        cause: None,
        grace: None,
        hushed: false,
        in_peace: false,
        returned: None,
        let_go_by: None,
    }
}

/// What routes and silences look at. The rule's own labels cannot take the place of what is known.
fn labels(report: &MemberReport, worst: &Alert) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> =
        worst.labels.iter().take(MAX_LABELS).map(|(name, value)| (words(name), words(value))).collect();
    let known = [
        ("type", Some(worst.alert.clone())),
        ("rule", Some(worst.rule.clone())),
        ("service", report.service.as_ref().map(ToString::to_string)),
        ("host", report.host.as_ref().map(ToString::to_string)),
        ("kind", Some(report.kind.clone()).filter(|kind| !kind.is_empty())),
        ("chain", Some(report.chain.clone()).filter(|chain| !chain.is_empty())),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            labels.insert(name.to_owned(), value);
        }
    }
    labels
}
