//! By what a channel that keeps alerts knows an incident. Alertmanager takes another set of labels for another alert, so an end
//! under other labels than the beginning's ends nothing.
//!
//! What the labels were when the first note was tried, they are until the end: without the rule, which is another one when the
//! graver of two clears first, and without the service or the host where others may join. Severity is what people route by, so it
//! is a label that rises: each note names the severities under which the channel may know the incident otherwise, and what it knows
//! under them is over with that note. It does not fall: what was bad enough to wake somebody is over for them when all is over, as
//! in every other channel, and an incident that gets better and worse is no row of ends.
//!
//! Rejected: the labels of the last accepted note. A note whose answer was lost may have arrived.

use super::{line::Line, reach::BEHIND};
use dixmgr_contract::incident::IncidentSpec;
use dixmgr_contract::{GroupBy, HostName, Identity, ServiceName, Severity};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a channel may know the incident by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    labels: BTreeMap<String, String>,
    severities: BTreeSet<Severity>,
}

impl Line {
    /// The identity of a note of this severity, where the members have these labels in common.
    pub(super) fn identify(
        &self,
        spec: &IncidentSpec,
        labels: &BTreeMap<String, String>,
        severity: Severity,
        is_end: bool,
    ) -> Identity {
        let Some(known) = &self.known else {
            return Identity { labels: lasting(spec, labels), severity, former: Vec::new() };
        };
        let worst = known.severities.iter().copied().max().unwrap_or(severity);
        // What nobody was told of need not end.
        let severity = if is_end { worst } else { worst.max(severity) };
        let former = known.severities.iter().copied().filter(|former| *former != severity).collect();
        Identity { labels: known.labels.clone(), severity, former }
    }

    /// How bad the worst is that it was told of, or is about to be, if some of that was behind the members.
    pub(super) fn worst_behind(&self) -> Option<Severity> {
        let known = self.known.iter().flat_map(|known| known.severities.iter().copied());
        known.chain(self.current.iter().map(|current| current.note.severity)).max().filter(|_| self.knows(BEHIND))
    }

    /// The note is tried: from now on the channel may know it.
    pub(super) fn may_know(&mut self) {
        let Some(identity) = self.current.as_ref().and_then(|current| current.note.identity.as_ref()) else { return };
        let known = || Known { labels: identity.labels.clone(), severities: BTreeSet::new() };
        self.known.get_or_insert_with(known).severities.insert(identity.severity);
    }

    /// A note with this identity was accepted: whatever else the channel knew is over.
    pub(super) fn knows_only(&mut self, identity: Option<&Identity>) {
        if let (Some(known), Some(identity)) = (&mut self.known, identity) {
            known.severities = BTreeSet::from([identity.severity]);
        }
    }
}

/// Those of the labels that stay true.
fn lasting(spec: &IncidentSpec, labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let service = labels.get("service").and_then(|name| ServiceName::new(name.as_str()).ok());
    let host = labels.get("host").and_then(|name| HostName::new(name.as_str()).ok());
    let is_of = |found: String| found == spec.fingerprint;
    let is_of_service =
        service.is_some_and(|name| is_of(GroupBy::Service.fingerprint(&spec.alert, Some(&name), None, "")));
    let is_of_host = host.is_some_and(|name| is_of(GroupBy::Host.fingerprint(&spec.alert, None, Some(&name), "")));
    let lasts = |name: &str| match name {
        "rule" | "severity" => false,
        "service" => is_of_service,
        "host" => is_of_service || is_of_host,
        _ => true,
    };
    labels.iter().filter(|(name, _)| lasts(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn labels_of_one_of_many_are_no_labels_of_the_incident() {
        let all = labels(&[("rule", "R"), ("severity", "info"), ("service", "api"), ("host", "a"), ("team", "ops")]);
        for (fingerprint, lasting_ones) in [
            ("high_cpu.api", vec!["host", "service", "team"]),
            ("high_cpu.host.a", vec!["host", "team"]),
            ("high_cpu.chain.dot", vec!["team"]),
            ("high_cpu.fleet", vec!["team"]),
        ] {
            let spec = IncidentSpec { fingerprint: fingerprint.into(), alert: "high_cpu".into() };
            let found = lasting(&spec, &all);
            assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), lasting_ones, "{fingerprint}");
        }
    }

    #[test]
    fn the_severity_rises_and_what_it_was_is_named_until_a_note_is_accepted() {
        let spec = IncidentSpec { fingerprint: "t.api".into(), alert: "t".into() };
        let mut line = Line::new(1, "am");
        let identity = line.identify(&spec, &labels(&[("team", "ops")]), Severity::Warning, false);
        assert_eq!((identity.severity, identity.former.as_slice()), (Severity::Warning, [].as_slice()));
        line.known = Some(Known { labels: identity.labels.clone(), severities: BTreeSet::from([Severity::Warning]) });
        let worse = line.identify(&spec, &labels(&[("team", "other")]), Severity::Critical, false);
        assert_eq!((worse.severity, worse.former.as_slice()), (Severity::Critical, [Severity::Warning].as_slice()));
        assert_eq!(worse.labels, identity.labels);
        // It was never told how bad it got.
        let end = line.identify(&spec, &BTreeMap::new(), Severity::Critical, true);
        assert_eq!((end.severity, end.former.as_slice()), (Severity::Warning, [].as_slice()));
        line.knows_only(Some(&worse));
        let better = line.identify(&spec, &BTreeMap::new(), Severity::Info, false);
        assert_eq!((better.severity, better.former.as_slice()), (Severity::Critical, [].as_slice()));
    }
}
