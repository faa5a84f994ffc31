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
    /// It runs, and whether it works is not known yet.
    Unclear,
    /// It should run and does not.
    Down,
    /// It is on its way up, or waits for what it depends on.
    Coming,
    /// It does not run, and that is meant.
    Stopped,
}

impl Health {
    /// True if it runs, whether it works or not.
    pub const fn runs(self) -> bool {
        matches!(self, Self::Up | Self::Degraded | Self::Unclear)
    }

    /// The word in conditions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Unclear => "unclear",
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

/// Some of [`NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Names(u32);

impl Names {
    /// All that there are.
    pub(super) const ALL: Self = Self(u32::MAX);
    pub(super) const NONE: Self = Self(0);
    pub(super) const RESTARTS: Self = Self::of("restarts");

    /// One of them; whoever misspells it hears of it from the compiler.
    const fn of(name: &str) -> Self {
        let mut at = 0;
        while at < NAMES.len() {
            if is_same(NAMES[at].0.as_bytes(), name.as_bytes()) {
                return Self(1 << at);
            }
            at += 1;
        }
        panic!("there is no such name")
    }

    /// Those of which something is so.
    pub(super) fn which(is_so: impl Fn(&'static str) -> bool) -> Self {
        let places = NAMES.iter().enumerate().filter(|(_, (name, _))| is_so(name));
        places.fold(Self::NONE, |all, (place, _)| all.and(Self(1 << place)))
    }

    /// What is measured.
    const MEASURED: Self = Self::of("cpu_percent")
        .and(Self::of("memory_bytes"))
        .and(Self::of("disk_read_bps"))
        .and(Self::of("disk_write_bps"))
        .and(Self::of("disk_bps"));
    /// What nodes say.
    const OF_NODES: Self = Self::of("peers")
        .and(Self::of("in_sync"))
        .and(Self::of("stalled_seconds"))
        .and(Self::of("stall_warning_seconds"))
        .and(Self::of("stall_critical_seconds"));

    /// These and others.
    pub(super) const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These if that is so.
    pub(super) const fn or_none(self, is_so: bool) -> Self {
        if is_so { self } else { Self::NONE }
    }

    /// Whether any of these is one of those.
    pub(super) const fn has_any_of(self, those: Self) -> bool {
        self.0 & those.0 != 0
    }
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

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
    /// Numbers the measurement, for rules that count them: one that has been seen counts once. 0: it is not measured, and a look counts
    /// after the time between two samples.
    pub sample: u64,
    /// How it stands.
    pub health: Option<Health>,
    /// It is known not to run: what cannot be told of it then is not so, rather than unknown.
    pub at_rest: bool,
    /// Nobody measures what it uses, nor will: what only that could tell is not so, rather than unknown.
    pub is_unmeasured: bool,
    /// It has no node to be asked, likewise.
    pub has_no_node: bool,
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
    /// What will never be known.
    pub(super) fn beyond(&self) -> Names {
        Names::MEASURED.or_none(self.is_unmeasured).and(Names::OF_NODES.or_none(self.has_no_node))
    }

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

    /// The names that stand for something else than `before`: all of them if what is not known means something else.
    pub(super) fn differ(&self, before: &Self) -> Names {
        macro_rules! changed {
            ($($fact:ident as $name:literal),*) => {{
                const ALL: Names = Names::NONE$(.and(Names::of($name)))*;
                const { assert!(ALL.0 == (1 << NAMES.len()) - 1, "each name stands for a fact") };
                Names::NONE$(.and(const { Names::of($name) }.or_none(self.$fact != before.$fact)))*
            }};
        }
        let names = changed!(
            service as "service", host as "host", kind as "kind", chain as "chain", health as "health",
            cpu_percent as "cpu_percent", memory_bytes as "memory_bytes", disk_read_bps as "disk_read_bps",
            disk_write_bps as "disk_write_bps", disk_read_bps as "disk_bps", disk_write_bps as "disk_bps",
            restarts as "restarts", peers as "peers", min_peers as "min_peers", in_sync as "in_sync",
            stalled as "stalled_seconds", stall_warning as "stall_warning_seconds",
            stall_critical as "stall_critical_seconds", failed_checks as "failed_checks",
            failed_check as "failed_check", dependency_timed_out as "dependency_timed_out",
            missing_dependencies as "missing_dependencies"
        );
        names.and(Names::ALL.or_none(self.at_rest != before.at_rest))
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
