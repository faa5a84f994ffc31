//! Which incidents hear of the service: whenever what its rules say changes, whole for each type of alert.
//!
//! The host says what fires; here it is compared with what the incidents were told. A repeated or late observation therefore
//! raises nothing, and what was told before a crash is not told again.
//!
//! What has a cause is held back for a moment: where the cause is mended at once, so is all that fell with it, and a thousand
//! incidents need not begin. So is what a dependency on another host may be behind, until that one has answered.
//!
//! An incident is told one thing after the other, and always all of it. Telling may take long (a dixmgr that is killed with it is
//! waited for); old news that arrived after newer ones would begin an incident that is over. Whatever changes meanwhile is compared
//! when the telling has ended.

use super::dependencies::LINGER;
use super::passed::Passing;
use super::phase::Phase;
use super::{Action, Service};
use dixmgr_contract::alert::SERVICE_PAUSED;
use dixmgr_contract::{Alert, Cause, MemberReport, Raise, Severity, Span, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A pause that lasts longer may have been forgotten: people are told.
pub const LONG_PAUSE: Span = Span::from_secs(24 * 3_600);

/// What still fires is told again after this long: whoever ended its incident by hand has begun another one.
const AGAIN: Span = Span::from_secs(3_600);

/// What fires, and what the incidents know of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Alerts {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) firing: Vec<Alert>,
    /// What came and went while Temporal was away.
    #[serde(skip_serializing_if = "Passing::is_empty")]
    pub(super) passing: Passing,
    /// By type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) told: BTreeMap<String, Told>,
    /// The types whose incident is being told.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) telling: BTreeSet<String>,
    /// The revision of the last report.
    revision: u64,
    /// When what still fires is told again.
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<Time>,
    /// Since when something is held back that has a cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Time>,
    /// Something is held back until a dependency has answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    awaited: bool,
    /// Somebody evaluates rules for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_on: bool,
    /// Nobody supervises the service any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_over: bool,
}

/// What an incident was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    rules: BTreeSet<(String, Severity)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_by: Option<String>,
    /// It was over when the incident was told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) has_passed: bool,
}

impl Told {
    /// That something has passed.
    pub(super) fn passed() -> Self {
        Self { has_passed: true, ..Self::default() }
    }
}

impl Alerts {
    /// True if there is nothing to be remembered.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Service {
    /// What its host says of the rules; nothing, where nobody evaluates them.
    pub(super) fn hear_alerts(&mut self, alerts: Option<Vec<Alert>>) {
        self.alerts.is_on = alerts.is_some();
        self.alerts.firing = alerts.unwrap_or_default();
    }

    /// The incident of that type has been told, or cannot be.
    pub(super) fn heard_by_incident(&mut self, alert: &str) {
        self.alerts.telling.remove(alert);
    }

    /// It is not supervised any more: nothing about it is wrong.
    pub(super) fn drop_alerts(&mut self) {
        self.alerts.is_over = true;
    }

    /// When something is to be told that nothing else brings about: what still fires, again, or what is held back.
    pub(super) fn tells_at(&self) -> Option<Time> {
        let held = self.alerts.held.map(|since| since.after(LINGER));
        let asked = self.alerts.awaited.then(|| self.answers_until()).flatten();
        [self.alerts.again, held, asked].into_iter().flatten().min()
    }

    /// When a pause has lasted for so long that people are told.
    pub(super) fn pause_remembered_at(&self) -> Option<Time> {
        let is_due = self.alerts.is_on && !self.alerts.is_over && !self.alerts.told.contains_key(SERVICE_PAUSED);
        (is_due && matches!(self.phase, Phase::Paused { .. })).then(|| self.since.after(LONG_PAUSE))
    }

    /// Tells the incidents what has changed.
    pub(super) fn raise(&mut self, now: Time, actions: &mut Vec<Action>) {
        let firing = self.all_firing(now);
        let types: BTreeSet<String> =
            firing.iter().map(|alert| alert.alert.clone()).chain(self.alerts.told.keys().cloned()).collect();
        let cause = self.cause();
        let is_held = self.holds_back(cause.is_some(), &types, now) | self.awaits_answer(cause.is_some(), &types, now);
        if types.is_empty() {
            return;
        }
        let is_again = self.alerts.again.is_some_and(|at| at <= now);
        let paused_by = match &self.phase {
            Phase::Paused { by, .. } => Some(by.clone()),
            _ => None,
        };
        for alert in types {
            if self.alerts.telling.contains(&alert) || (is_held && !self.alerts.told.contains_key(&alert)) {
                continue;
            }
            let of_type: Vec<Alert> = firing.iter().filter(|found| found.alert == alert).cloned().collect();
            let cause = cause.clone().or_else(|| self.own_cause(&alert, &firing));
            let rules = of_type.iter().map(|found| (found.rule.clone(), found.severity)).collect();
            let told = Told { rules, cause: cause.clone(), paused_by: paused_by.clone(), has_passed: false };
            let is_known = self.alerts.told.get(&alert) == Some(&told);
            if is_known && !is_again {
                continue;
            }
            if of_type.is_empty() {
                self.alerts.told.remove(&alert);
            } else {
                self.alerts.told.insert(alert.clone(), told);
            }
            self.alerts.telling.insert(alert.clone());
            actions.push(self.report_alerts(alert, of_type, cause, now));
        }
        let is_due = is_again || self.alerts.again.is_none();
        self.alerts.again = match self.alerts.told.is_empty() {
            true => None,
            false if is_due => Some(now.after(AGAIN)),
            false => self.alerts.again,
        };
    }

    /// True while what no incident knows yet is not told: it fell with its cause only just, and may be back as soon.
    fn holds_back(&mut self, has_cause: bool, types: &BTreeSet<String>, now: Time) -> bool {
        let is_news = types.iter().any(|alert| !self.alerts.told.contains_key(alert));
        let since = self.alerts.held.or(has_cause.then(|| self.news_since(now)));
        self.alerts.held = since.filter(|since| is_news && since.after(LINGER) > now);
        self.alerts.held.is_some()
    }

    /// True while a dependency on another host, which was asked only just, may be about to say that it is behind what is news.
    fn awaits_answer(&mut self, has_cause: bool, types: &BTreeSet<String>, now: Time) -> bool {
        let is_news = types.iter().any(|alert| !self.alerts.told.contains_key(alert));
        let may_come = self.answers_until().is_some_and(|until| until > now);
        self.alerts.awaited = is_news && !has_cause && may_come;
        self.alerts.awaited
    }

    pub(super) fn report_alerts(
        &mut self,
        alert: String,
        alerts: Vec<Alert>,
        cause: Option<Cause>,
        now: Time,
    ) -> Action {
        // After the loss of this workflow, the clock still makes the revision grow.
        let clock = u64::try_from(now.unix_millis()).unwrap_or(0);
        self.alerts.revision = clock.max(self.alerts.revision + 1);
        let report = MemberReport {
            service: Some(self.spec.name.clone()),
            host: self.spec.host.clone(),
            kind: self.spec.kind.clone(),
            chain: self.spec.chain.clone(),
            revision: self.alerts.revision,
            alerts,
            cause: None,
            paused_by: match &self.phase {
                Phase::Paused { by, .. } => Some(by.clone()),
                _ => None,
            },
        };
        Action::Raise(Raise { alert, report, cause })
    }

    /// What the host says, and a pause that somebody may have forgotten.
    fn all_firing(&self, now: Time) -> Vec<Alert> {
        if self.alerts.is_over {
            return Vec::new();
        }
        let mut firing = self.alerts.firing.clone();
        let pause = match &self.phase {
            Phase::Paused { by, .. } if self.alerts.is_on => Some((by, now.since(self.since))),
            _ => None,
        };
        if let Some((by, lasted)) = pause.filter(|(_, lasted)| *lasted >= LONG_PAUSE) {
            let by = if by.is_empty() { "somebody" } else { by };
            firing.push(Alert {
                rule: "ForgottenPause".to_owned(),
                alert: SERVICE_PAUSED.to_owned(),
                severity: Severity::Warning,
                age_ms: lasted.as_millis().saturating_sub(LONG_PAUSE.as_millis()),
                ended_ms: None,
                detail: format!("{} has been paused by {by} since {}; nobody acts on it", self.spec.name, self.since),
                labels: BTreeMap::new(),
            });
        }
        firing
    }
}
