//! What is known of a service at a moment: the names that conditions and messages may use.
//!
//! A fact that is not known is absent, which is not the same as zero: a rule that needs it can say neither yes nor no.

use crate::condition::{Kind, Val};
use dixmgr_contract::Span;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// How a service stands, as its host sees it. What is not known is absent in [`Facts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It runs, and nothing is wrong with it.
    Up,
    /// It runs, and a probe is not content.
    Degraded,
    /// It should run and does not.
    Down,
    /// It is on its way up, or waits for what it depends on.
    Coming,
    /// It does not run, and that is meant.
    Stopped,
}

impl Health {
    /// The word in conditions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Coming => "coming",
            Self::Stopped => "stopped",
        }
    }
}

/// The names in conditions and messages, and what they stand for. `restarts` counts within the rule's window.
pub const NAMES: [(&str, Kind); 21] = [
    ("restarts", Kind::Number),
    ("service", Kind::Text),
    ("host", Kind::Text),
    ("kind", Kind::Text),
    ("chain", Kind::Text),
    ("health", Kind::Text),
    ("cpu_percent", Kind::Number),
    ("memory_bytes", Kind::Number),
    ("disk_read_bps", Kind::Number),
    ("disk_write_bps", Kind::Number),
    ("disk_bps", Kind::Number),
    ("peers", Kind::Number),
    ("min_peers", Kind::Number),
    ("in_sync", Kind::Bool),
    ("stalled_seconds", Kind::Number),
    ("stall_warning_seconds", Kind::Number),
    ("stall_critical_seconds", Kind::Number),
    ("failed_checks", Kind::Number),
    ("failed_check", Kind::Text),
    ("dependency_timed_out", Kind::Bool),
    ("missing_dependencies", Kind::Text),
];

/// What is known of a service now. Whoever fills it leaves out what is too old to be true.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Its name.
    pub service: Arc<str>,
    /// The host.
    pub host: Arc<str>,
    /// The kind of service.
    pub kind: Arc<str>,
    /// The chain that it serves; may be empty.
    pub chain: Arc<str>,
    /// Numbers the measurement, for rules that count them: one that has been seen counts once. 0: each look counts.
    pub sample: u64,
    /// How it stands.
    pub health: Option<Health>,
    /// It is known not to run: what cannot be told of it then is not so, rather than unknown.
    pub at_rest: bool,
    /// Percent of one processor.
    pub cpu_percent: Option<f64>,
    /// Memory that it holds, in bytes.
    pub memory_bytes: Option<u64>,
    /// Read from disks, in bytes a second.
    pub disk_read_bps: Option<u64>,
    /// Written to disks, in bytes a second.
    pub disk_write_bps: Option<u64>,
    /// A counter that grows with each restart, ours and systemd's; a smaller one means that it began anew.
    pub restarts: Option<u64>,
    /// Peers of a node.
    pub peers: Option<u64>,
    /// It should have as many.
    pub min_peers: Option<u64>,
    /// Whether a node is in sync.
    pub in_sync: Option<bool>,
    /// For how long a node has not moved; zero while it does.
    pub stalled: Option<Span>,
    /// From then on that is a warning.
    pub stall_warning: Option<Span>,
    /// From then on that is critical.
    pub stall_critical: Option<Span>,
    /// How many of its checks say no, after as many failures as each is allowed.
    pub failed_checks: Option<u64>,
    /// What the first of them says.
    pub failed_check: Option<String>,
    /// It waited for its dependencies in vain.
    pub dependency_timed_out: Option<bool>,
    /// Which of them are missing.
    pub missing_dependencies: Option<String>,
}

#[allow(clippy::cast_precision_loss, reason = "fractions of a second are what is wanted")]
fn seconds(span: Span) -> f64 {
    span.as_millis() as f64 / 1000.0
}

fn number(value: u64) -> Val<'static> {
    i64::try_from(value).map_or(Val::Int(i64::MAX), Val::Int)
}

impl Facts {
    /// Those that are known, by name. The first place is for `restarts`, which each rule counts for itself.
    pub(super) fn values(&self) -> Vec<(&'static str, Val<'_>)> {
        let mut known = Vec::with_capacity(NAMES.len());
        known.push(("", Val::Null));
        for (name, text) in
            [("service", &self.service), ("host", &self.host), ("kind", &self.kind), ("chain", &self.chain)]
        {
            known.push((name, Val::text(text)));
        }
        let mut add = |name: &'static str, value: Option<Val<'static>>| {
            if let Some(value) = value {
                known.push((name, value));
            }
        };
        add("health", self.health.map(|health| Val::Text(Cow::Borrowed(health.as_str()))));
        add("cpu_percent", self.cpu_percent.map(Val::Double));
        add("memory_bytes", self.memory_bytes.map(number));
        add("disk_read_bps", self.disk_read_bps.map(number));
        add("disk_write_bps", self.disk_write_bps.map(number));
        let both = self.disk_read_bps.zip(self.disk_write_bps);
        add("disk_bps", both.map(|(read, write)| number(read.saturating_add(write))));
        add("peers", self.peers.map(number));
        add("min_peers", self.min_peers.map(number));
        add("in_sync", self.in_sync.map(Val::Bool));
        for (name, span) in [
            ("stalled_seconds", self.stalled),
            ("stall_warning_seconds", self.stall_warning),
            ("stall_critical_seconds", self.stall_critical),
        ] {
            add(name, span.map(|span| Val::Double(seconds(span))));
        }
        add("failed_checks", self.failed_checks.map(number));
        add("dependency_timed_out", self.dependency_timed_out.map(Val::Bool));
        for (name, text) in [("failed_check", &self.failed_check), ("missing_dependencies", &self.missing_dependencies)]
        {
            if let Some(text) = text {
                known.push((name, Val::text(text)));
            }
        }
        known
    }

    /// The labels by which alerts of the service are routed.
    pub fn labels(&self) -> BTreeMap<String, String> {
        [("service", &self.service), ("host", &self.host), ("kind", &self.kind), ("chain", &self.chain)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.to_string()))
            .collect()
    }
}
