//! The rules of a file: one's own, what they take from the built-in ones, and which are on.

use crate::{problem::Complaint, report::Report, tree::join};
use dixmgr_contract::{Severity, Span, alert::TYPES};
use dixmgr_decide::rules::{MAX_RULES, RuleError, RuleSpec, Rules, defaults};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Raw {
    name: String,
    #[serde(rename = "type")]
    alert: String,
    severity: Option<Severity>,
    when: String,
    #[serde(rename = "for")]
    hold: Option<Span>,
    clear: String,
    of: Option<Vec<u32>>,
    window: Span,
    services: Vec<String>,
    labels: BTreeMap<String, String>,
    message: String,
}

/// A rule and where it is written.
struct Item {
    path: String,
    spec: RuleSpec,
}

/// The rules, and what they are of.
pub(crate) struct Built {
    /// Absent if one does not compile, or there is none of a name; that has been told.
    pub(crate) rules: Option<Rules>,
    /// The types of alerts that there are.
    pub(crate) types: BTreeSet<String>,
}

/// Compiles `[[alerts.rules]]` and switches on what `enabled` and `disabled` say.
pub(crate) fn rules(given: &[Value], enabled: &[String], disabled: &[String], report: &mut Report<'_>) -> Built {
    let mut types: BTreeSet<String> = TYPES.into_iter().map(str::to_owned).collect();
    let mut names: BTreeSet<String> = defaults().into_iter().map(|spec| spec.name).collect();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    // Those that are refused stay known, so that nobody who names them is blamed.
    names.extend(given.iter().filter_map(|value| text(value, "name")));
    types.extend(given.iter().filter_map(|value| text(value, "type")));
    if given.len() > MAX_RULES {
        report.complain("alerts.rules", Complaint::new(format!("more than {MAX_RULES} rules")));
        return Built { rules: None, types };
    }
    let mut seen = BTreeSet::new();
    let mut items: Vec<Item> =
        given.iter().enumerate().filter_map(|(index, value)| item(index, value, report)).collect();
    items.retain(|item| {
        let is_new = seen.insert(item.spec.name.clone());
        if !is_new {
            let complaint = Complaint::new(format!("{} is already a rule", item.spec.name));
            report.complain(&join(&item.path, "name"), complaint.hint("give this one another name"));
        }
        is_new
    });
    for (key, list) in [("enabled_rules", enabled), ("disabled_rules", disabled)] {
        for (index, name) in list.iter().enumerate().filter(|(_, name)| !names.contains(*name)) {
            let hint = format!("there are {}", names.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
            let path = format!("alerts.{key}[{index}]");
            report.unknown(&path, format!("there is no rule {name}"), name, &names, &hint);
        }
    }
    let rules = compile(items, report);
    let rules = rules.and_then(|mut rules| rules.select(enabled, disabled).is_ok().then_some(rules));
    Built { rules, types }
}

fn compile(items: Vec<Item>, report: &mut Report<'_>) -> Option<Rules> {
    let (paths, specs): (Vec<_>, Vec<_>) = items.into_iter().map(|item| (item.path, item.spec)).unzip();
    match Rules::new(specs) {
        Ok(rules) => Some(rules),
        Err(errors) => {
            for (index, RuleError { key, what, .. }) in errors {
                let path = paths.get(index).map_or("alerts.rules", String::as_str);
                report.complain(&join(path, key), Complaint::new(what).maybe_hint(hint(key)));
            }
            None
        }
    }
}

fn hint(key: &str) -> Option<String> {
    let hint = match key {
        "name" => "such as \"ApiDown\"; each rule has a name of its own",
        "type" => "such as \"high_cpu\", or a word of your own",
        "when" => "such as \"cpu_percent > 90 && kind == 'relay'\"",
        "clear" => "such as \"cpu_percent < 80\", or for how long `when` must not hold, such as \"5m\"",
        "message" => "such as \"{service} uses {cpu_percent} %\"",
        "of" => "such as [3, 5]: of the last five samples three",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn item(index: usize, value: &Value, report: &mut Report<'_>) -> Option<Item> {
    let path = format!("alerts.rules[{index}]");
    // What was refused, or is missing, has been told.
    if ["name", "type"].iter().any(|key| value.get(key).is_none()) {
        return None;
    }
    let raw: Raw = report.typed(value.clone(), &path)?;
    let base = if raw.when.trim().is_empty() { Some(base(&raw, &path, report)?) } else { None };
    let base = base.unwrap_or_default();
    let of = match raw.of.as_deref() {
        None => base.of,
        Some([k, n]) => (*k, *n),
        Some(list) => {
            let complaint = Complaint::new(format!("needs two numbers, has {}", list.len()));
            report.complain(&join(&path, "of"), complaint.maybe_hint(hint("of")));
            base.of
        }
    };
    let or = |own: String, base: String| if own.trim().is_empty() { base } else { own };
    let spec = RuleSpec {
        name: raw.name,
        alert: raw.alert,
        severity: raw.severity.unwrap_or(base.severity),
        when: or(raw.when, base.when),
        hold: raw.hold.unwrap_or(base.hold),
        clear: or(raw.clear, base.clear),
        of,
        window: raw.window,
        services: raw.services,
        labels: raw.labels,
        message: or(raw.message, base.message),
    };
    Some(Item { path, spec })
}

/// The built-in rule that one without a condition is a change of: that of its name, else of its type and severity.
fn base(raw: &Raw, path: &str, report: &mut Report<'_>) -> Option<RuleSpec> {
    let mut all: Vec<RuleSpec> = defaults().into_iter().filter(|spec| spec.alert == raw.alert).collect();
    let same = |spec: &RuleSpec| spec.name == raw.name;
    let alike = |spec: &RuleSpec| raw.severity == Some(spec.severity);
    let at = all.iter().position(same).or_else(|| all.iter().position(alike)).unwrap_or(0);
    if at < all.len() {
        return Some(all.swap_remove(at));
    }
    let known = defaults().into_iter().map(|spec| spec.alert).collect();
    let message = format!("is empty, and type {} has no condition of its own", crate::form::shown(&raw.alert));
    report.unknown(&join(path, "when"), message, &raw.alert, &known, &hint("when").unwrap_or_default());
    None
}
