//! Rules: what of a service's facts is worth telling people.
//!
//! Each rule has a condition that fires it and, apart from it, one that clears it; each must hold for a time. Between the two
//! nothing changes, so a value that trembles around a threshold is told once. What cannot be told (a fact that is not known)
//! is neither: it does not fire, it does not clear, and the time does not count.
//!
//! The host's agent looks at each service whenever a fact changes and at [`ServiceRules::wake_at`]. What is remembered is plain
//! data that the agent keeps on its disk: after a restart a pending alert goes on, and one that fires is no news. Rejected:
//! rules in the workflow. Facts change every few seconds, and a workflow's history is no place for that.

mod facts;
mod health;
mod node;
mod passed;
mod roots;
mod rule;
mod runs;
mod state;
mod template;

pub use facts::{Facts, Health, NAMES};
pub use health::{Sight, failed_checks};
pub use node::NodeStands;
pub use passed::{Carried, Episodes, Waits};
pub use roots::roots;
pub use rule::{MAX_SAMPLES, Rule, RuleError, RuleSpec, WINDOW, defaults};
pub use runs::{Runs, grown};
pub use state::{Phase, RuleState};
pub use template::{MAX_TEMPLATE, Template, TemplateError};

use crate::condition::Val;
use dixmgr_contract::{Alert, Severity, Span, Time};
use facts::Names;
use serde::{Deserialize, Serialize};
use state::{Look, Turn};
use std::collections::{BTreeMap, BTreeSet};
use template::Ours;

/// When nobody has looked for longer than this, pending alerts begin anew: nobody knows what was meanwhile.
pub const MAX_GAP: Span = Span::from_secs(3_600);
/// The time between two samples, if nobody says.
const SAMPLE_INTERVAL: Span = Span::from_secs(5);
/// Restarts that are remembered of a service.
const MAX_RESTARTS: usize = 64;
/// The most rules.
pub const MAX_RULES: usize = 500;

/// The rules of a host, and which of them are on.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    rules: Vec<Rule>,
    /// Only these; empty: all.
    enabled: BTreeSet<String>,
    disabled: BTreeSet<String>,
    /// The time between two samples, for rules that count them.
    sample_interval: Span,
}

/// A rule that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule {0:?}; there are {1}")]
pub struct UnknownRule(pub String, pub String);

impl Rules {
    /// The default rules and these; one of the same name replaces the default. More than [`MAX_RULES`] are cut off.
    ///
    /// # Errors
    /// What is wrong, each with the index in `own`.
    pub fn new(own: Vec<RuleSpec>) -> Result<Self, Vec<(usize, RuleError)>> {
        let mut errors = Vec::new();
        let mut rules: Vec<Rule> = Vec::new();
        let names: BTreeSet<_> = own.iter().map(|spec| spec.name.clone()).collect();
        for spec in defaults().into_iter().filter(|spec| !names.contains(&spec.name)) {
            match Rule::compile(spec) {
                Ok(rule) => rules.push(rule),
                Err(error) => errors.push((0, error)),
            }
        }
        for (index, spec) in own.into_iter().take(MAX_RULES).enumerate() {
            if rules.iter().any(|rule| rule.name() == spec.name) {
                let what = format!("there are two rules {:?}", spec.name);
                errors.push((index, RuleError { key: "name", at: None, what }));
                continue;
            }
            match Rule::compile(spec) {
                Ok(rule) => rules.push(rule),
                Err(error) => errors.push((index, error)),
            }
        }
        let (enabled, disabled) = (BTreeSet::new(), BTreeSet::new());
        let rules = Self { rules, enabled, disabled, sample_interval: SAMPLE_INTERVAL };
        if errors.is_empty() { Ok(rules) } else { Err(errors) }
    }

    /// With so much time between two samples; at least a millisecond.
    #[must_use]
    pub fn sampled_each(self, interval: Span) -> Self {
        Self { sample_interval: interval.max(Span::from_millis(1)), ..self }
    }

    /// Only the rules of `enabled` are on (empty: all), and none of `disabled`.
    ///
    /// # Errors
    /// The first name that no rule has.
    pub fn select(&mut self, enabled: &[String], disabled: &[String]) -> Result<(), UnknownRule> {
        enabled.iter().chain(disabled).try_for_each(|name| self.known(name).map(|_| ()))?;
        self.enabled = enabled.iter().cloned().collect();
        self.disabled = disabled.iter().cloned().collect();
        Ok(())
    }

    /// Switches one rule on or off.
    ///
    /// # Errors
    /// No rule has that name.
    pub fn switch(&mut self, name: &str, on: bool) -> Result<(), UnknownRule> {
        self.known(name)?;
        if !on {
            self.disabled.insert(name.to_owned());
            return Ok(());
        }
        self.disabled.remove(name);
        if !self.enabled.is_empty() {
            self.enabled.insert(name.to_owned());
        }
        Ok(())
    }

    /// Whether a rule is on.
    pub fn is_on(&self, name: &str) -> bool {
        (self.enabled.is_empty() || self.enabled.contains(name)) && !self.disabled.contains(name)
    }

    /// All of them, also those that are off.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// The longest time in which restarts are counted.
    fn longest_window(&self) -> Span {
        self.rules.iter().map(|rule| rule.spec.window).max().unwrap_or(WINDOW)
    }

    fn known(&self, name: &str) -> Result<&Rule, UnknownRule> {
        let names = || self.rules.iter().map(Rule::name).collect::<Vec<_>>().join(", ");
        self.get(name).ok_or_else(|| UnknownRule(name.to_owned(), names()))
    }

    fn get(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name() == name)
    }
}

/// How all rules stand with one service. Plain data; keep it on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceRules {
    /// Those with something to remember.
    rules: BTreeMap<String, RuleState>,
    /// When each of the last restarts was seen, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    restarts: Vec<Time>,
    /// The counter of restarts, as it was last.
    #[serde(skip_serializing_if = "Option::is_none")]
    restarts_seen: Option<u64>,
    /// The last sample that was counted.
    sample: u64,
    /// When one was counted last.
    #[serde(skip_serializing_if = "Option::is_none")]
    sampled: Option<Time>,
    /// When somebody looked last.
    #[serde(skip_serializing_if = "Option::is_none")]
    looked: Option<Time>,
}

/// A rule that fires now and did not, or the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The rule.
    pub rule: String,
    /// The type of its alerts.
    pub alert: String,
    /// How bad it is, or was.
    pub severity: Severity,
    /// It fires; or it does not any more.
    pub firing: bool,
    /// When it began.
    pub since: Time,
    /// What is wrong, or why it is not any more.
    pub detail: String,
}

impl ServiceRules {
    /// Looks at the facts with all rules; says what has changed.
    pub fn step(&mut self, rules: &Rules, facts: &Facts, now: Time) -> Vec<Change> {
        self.look_at(rules, facts, Names::ALL, now)
    }

    /// The same where the last step was with the same rules and the facts `before`, and changed nothing: a rule that has nothing to
    /// remember is not asked again about what is as it was.
    pub fn step_from(&mut self, before: &Facts, rules: &Rules, facts: &Facts, now: Time) -> Vec<Change> {
        // How many restarts there were lately changes by itself, as long as there was one at the last step.
        let is_recent = |(last, looked): (&Time, Time)| looked.since(*last) <= rules.longest_window();
        let ages = Names::RESTARTS.or_none(self.restarts.last().zip(self.looked).is_some_and(is_recent));
        self.look_at(rules, facts, facts.differ(before).and(ages), now)
    }

    fn look_at(&mut self, rules: &Rules, facts: &Facts, changed: Names, now: Time) -> Vec<Change> {
        if self.looked.is_some_and(|looked| now.since(looked) > MAX_GAP) {
            self.rules.values_mut().for_each(|state| state.forget_pending(now));
        }
        self.looked = Some(now);
        let is_new = self.samples(facts.sample, rules.sample_interval, now);
        self.count_restarts(facts.restarts, now);
        let mut changes = self.drop_those_off(rules, facts);
        let mut values = None;
        for rule in &rules.rules {
            let is_asked = rule.depends_on(changed) || self.rules.contains_key(rule.name());
            if !is_asked || !rules.is_on(rule.name()) || !rule.is_about(&facts.service) {
                continue;
            }
            let values = values.get_or_insert_with(|| facts.values());
            if rule.needs_restarts {
                values[0] = self.restarts_within(rule.spec.window, now);
            }
            let is_beyond = rule.looks_at(facts.beyond());
            changes.extend(self.look(rule, values, (is_new, facts.at_rest, is_beyond), now));
        }
        changes
    }

    /// Whether this look is another sample: where nothing is measured, one each interval.
    fn samples(&mut self, sample: u64, interval: Span, now: Time) -> bool {
        let is_due = || self.sampled.is_none_or(|sampled| now >= sampled.after(interval) || now < sampled);
        let is_new = if sample == 0 { is_due() } else { sample != self.sample };
        self.sample = sample;
        if is_new {
            self.sampled = Some(now);
        }
        is_new
    }

    /// When the next sample is due, if nobody measures before.
    fn next_sample(&self, interval: Span) -> Option<Time> {
        let sampled = self.sampled?;
        let late = |times: u64| sampled.after(Span::from_millis(interval.as_millis().saturating_mul(times)));
        // Nobody measures any more: after three of them the figures are no facts.
        let turns = if self.sample == 0 { 1 } else { 2 };
        (turns..=4).map(late).find(|at| self.looked.is_none_or(|looked| *at > looked))
    }

    fn look(
        &mut self,
        rule: &Rule,
        values: &[(&'static str, Val<'_>)],
        (is_new, at_rest, is_beyond): (bool, bool, bool),
        now: Time,
    ) -> Option<Change> {
        let known = self.rules.get_mut(rule.name());
        let is_firing = known.as_ref().is_some_and(|state| state.is_firing());
        let needs_when = !is_firing || rule.clear_when.is_none() || rule.spec.of.1 > 1 || is_beyond;
        // Of a service that does not run, what cannot be told is not so; nor is what never will be told.
        let is_moot = at_rest || is_beyond;
        let fires = if needs_when { rule.when.known(values).or(is_moot.then_some(false)) } else { None };
        let clears = match &rule.clear_when {
            Some(clear) if is_firing => {
                clear.known(values).or((at_rest || (is_beyond && fires == Some(false))).then_some(true))
            }
            _ => fires.map(|fires| !fires),
        };
        if known.is_none() && fires != Some(true) {
            return None;
        }
        let state = match known {
            Some(state) => state,
            None => self.rules.entry(rule.name().to_owned()).or_default(),
        };
        let turn = state.step(rule, Look { fires, clears, is_new }, now);
        // What is so, and is no sample yet, is looked at again.
        if state.is_blank() && fires != Some(true) {
            self.rules.remove(rule.name());
        }
        match turn? {
            Turn::Fires => {
                let spec = &rule.spec;
                let ours = Ours { rule: rule.name(), alert: &spec.alert, severity: spec.severity, window: spec.window };
                let text = rule.message.fill(ours, values);
                let Some(RuleState { phase: Phase::Firing { since, detail, .. }, .. }) =
                    self.rules.get_mut(rule.name())
                else {
                    return None;
                };
                detail.clone_from(&text);
                Some(change(rule, true, *since, text))
            }
            Turn::Clears(since) => Some(change(rule, false, since, String::new())),
        }
    }

    /// Rules that are off, or not about this service, or not there any more, fire no more.
    fn drop_those_off(&mut self, rules: &Rules, facts: &Facts) -> Vec<Change> {
        let mut changes = Vec::new();
        self.rules.retain(|name, state| {
            let rule = rules.get(name);
            if rule.is_some_and(|rule| rules.is_on(name) && rule.is_about(&facts.service)) {
                return true;
            }
            if let Phase::Firing { since, .. } = state.phase {
                let detail = "the rule does not apply any more".to_owned();
                changes.push(match rule {
                    Some(rule) => change(rule, false, since, detail),
                    None => Change {
                        rule: name.clone(),
                        alert: String::new(),
                        severity: Severity::Info,
                        firing: false,
                        since,
                        detail,
                    },
                });
            }
            false
        });
        changes
    }

    /// What fires, whole, as an observation carries it.
    pub fn firing(&self, rules: &Rules, now: Time) -> Vec<Alert> {
        let alert = |(name, state): (&String, &RuleState)| {
            let Phase::Firing { since, detail, .. } = &state.phase else { return None };
            let rule = rules.get(name)?;
            Some(Alert {
                rule: name.clone(),
                alert: rule.spec.alert.clone(),
                severity: rule.spec.severity,
                age_ms: now.since(*since).as_millis(),
                ended_ms: None,
                detail: detail.clone(),
                labels: rule.spec.labels.clone(),
            })
        };
        self.rules.iter().filter_map(alert).collect()
    }

    /// When to look again, if no fact changes before.
    pub fn wake_at(&self, rules: &Rules) -> Option<Time> {
        let looked = self.looked?;
        let of_rule = |(name, state): (&String, &RuleState)| {
            let rule = rules.get(name)?;
            let leaves = |at: &Time| at.after(rule.spec.window).after(Span::from_millis(1));
            let restart = self.restarts.iter().map(leaves).find(|at| *at > looked).filter(|_| rule.counts_restarts);
            let sample = self.next_sample(rules.sample_interval).filter(|_| rule.spec.of.1 > 1);
            [state.wake_at(rule), restart, sample].into_iter().flatten().min()
        };
        // A long time is not to look like one in which nobody looked.
        let latest = looked.after(Span::from_millis(MAX_GAP.as_millis() / 2));
        self.rules.iter().filter_map(of_rule).min().map(|at| at.min(latest))
    }

    /// Whether what was kept on the disk is out of date in a way that matters after a restart. That somebody has looked does not; of
    /// samples only those of rules that want several of the last ones, and nothing of one that has been so for all of them.
    pub fn differs_from(&self, kept: &Self) -> bool {
        let is_old = self
            .looked
            .zip(kept.looked)
            .is_some_and(|(looked, kept)| looked.since(kept).as_millis() > MAX_GAP.as_millis() / 4);
        let is_pending = self.rules.values().any(|state| matches!(state.phase, Phase::Pending { .. }));
        (self.restarts_seen, &self.restarts) != (kept.restarts_seen, &kept.restarts)
            || (is_pending && is_old)
            || !self.remembered().eq(kept.remembered())
    }

    fn remembered(&self) -> impl Iterator<Item = (&String, &Phase, u64)> {
        self.rules.iter().map(|(name, state)| (name, &state.phase, state.samples))
    }

    fn count_restarts(&mut self, counter: Option<u64>, now: Time) {
        let Some(counter) = counter else { return };
        let more = self.restarts_seen.map_or(0, |seen| counter.saturating_sub(seen));
        self.restarts_seen = Some(counter);
        let more = usize::try_from(more).unwrap_or(MAX_RESTARTS).min(MAX_RESTARTS);
        self.restarts.extend(std::iter::repeat_n(now, more));
        let surplus = self.restarts.len().saturating_sub(MAX_RESTARTS);
        self.restarts.drain(..surplus);
    }

    /// The first of the values, under no name while the counter is not known: what needs it cannot be told then.
    fn restarts_within(&self, window: Span, now: Time) -> (&'static str, Val<'static>) {
        if self.restarts_seen.is_none() {
            return ("", Val::Null);
        }
        let count = self.restarts.iter().filter(|at| now.since(**at) <= window).count();
        ("restarts", Val::Int(i64::try_from(count).unwrap_or(i64::MAX)))
    }
}

fn change(rule: &Rule, firing: bool, since: Time, detail: String) -> Change {
    let Rule { spec, .. } = rule;
    let (rule, alert, severity) = (spec.name.clone(), spec.alert.clone(), spec.severity);
    Change { rule, alert, severity, firing, since, detail }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
#[cfg(test)]
mod unasked_tests;
