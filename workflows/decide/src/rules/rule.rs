//! One rule: what fires it, what clears it, and for how long either must be so.
//!
//! The default rules are written in the same words as people's own, so whoever wants another threshold copies a line.

use super::{
    facts::{NAMES, Names},
    template::{Template, TemplateError},
};
use crate::condition::{Condition, ConditionError};
use dixmgr_contract::{
    Severity, Span,
    alert::{self, MAX_LABELS},
    glob::glob,
};
use std::collections::BTreeMap;

/// The longest name or type.
const MAX_NAME: usize = 64;
/// The longest `for`, `clear` and `window`.
const MAX_SPAN: Span = Span::from_secs(7 * 86_400);
/// The most samples that a rule looks at.
pub const MAX_SAMPLES: u32 = 64;
/// The window in which `restarts` counts where a rule does not say.
pub const WINDOW: Span = Span::from_secs(300);

/// A rule as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSpec {
    /// Its name: 1 to 64 ASCII letters, digits, `-_`.
    pub name: String,
    /// The type of its alerts, such as `high_cpu`; the same rules as for a name.
    pub alert: String,
    /// How bad it is when it fires.
    pub severity: Severity,
    /// The condition that fires it, in CEL over [`NAMES`].
    pub when: String,
    /// For how long it must hold, at most a week.
    pub hold: Span,
    /// What clears it: a condition, or for how long `when` must not hold; empty: as soon as it does not.
    pub clear: String,
    /// So many of the last so many samples must fulfil `when`; (1, 1): the last one.
    pub of: (u32, u32),
    /// The window in which `restarts` counts.
    pub window: Span,
    /// The services that it is about, as patterns; empty: all.
    pub services: Vec<String>,
    /// Labels of its alerts, for routing.
    pub labels: BTreeMap<String, String>,
    /// What is told; empty: its name and condition.
    pub message: String,
}

impl Default for RuleSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            alert: String::new(),
            severity: Severity::Warning,
            when: String::new(),
            hold: Span::ZERO,
            clear: String::new(),
            of: (1, 1),
            window: WINDOW,
            services: Vec::new(),
            labels: BTreeMap::new(),
            message: String::new(),
        }
    }
}

/// A rule, compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub(super) spec: RuleSpec,
    pub(super) when: Condition,
    pub(super) clear_when: Option<Condition>,
    pub(super) clear_for: Span,
    pub(super) message: Template,
    pub(super) counts_restarts: bool,
    /// Somebody is told how many restarts there were, or a condition looks at it.
    pub(super) needs_restarts: bool,
    /// The facts that its conditions look at.
    uses: Names,
}

/// What is wrong with a rule: the key, the place in its text, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {what}")]
pub struct RuleError {
    /// The key of the rule.
    pub key: &'static str,
    /// Line and column in the key's text, where there is a place.
    pub at: Option<(usize, usize)>,
    /// What is wrong, with its place.
    pub what: String,
}

impl RuleError {
    fn new(key: &'static str, what: impl Into<String>) -> Self {
        Self { key, at: None, what: what.into() }
    }

    fn condition(key: &'static str, error: &ConditionError) -> Self {
        Self { key, at: error.at, what: error.to_string() }
    }

    fn template(error: &TemplateError) -> Self {
        Self { key: "message", at: Some((1, error.column)), what: error.to_string() }
    }
}

fn check_name(key: &'static str, name: &str) -> Result<(), RuleError> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_fine) {
        return Err(RuleError::new(key, format!("must be 1 to {MAX_NAME} ASCII letters, digits, `-` or `_`")));
    }
    Ok(())
}

fn check(spec: &RuleSpec) -> Result<(), RuleError> {
    check_name("name", &spec.name)?;
    check_name("type", &spec.alert)?;
    for (key, span) in [("for", spec.hold), ("window", spec.window)] {
        if span > MAX_SPAN {
            return Err(RuleError::new(key, format!("{span} is too long; at most {MAX_SPAN}")));
        }
    }
    let (k, n) = spec.of;
    if k == 0 || k > n || n > MAX_SAMPLES {
        return Err(RuleError::new(
            "of",
            format!("{k} of {n} is not possible; n is at most {MAX_SAMPLES}, k at most n"),
        ));
    }
    if spec.labels.len() > MAX_LABELS {
        return Err(RuleError::new("labels", format!("at most {MAX_LABELS} are allowed")));
    }
    let is_label = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
    if let Some((name, _)) = spec.labels.iter().find(|(name, value)| !is_label(name) || value.len() > 200) {
        return Err(RuleError::new(
            "labels",
            format!("{name:?} must be letters, digits and `_`, its value at most 200 bytes"),
        ));
    }
    Ok(())
}

impl Rule {
    /// Checks and compiles a rule.
    ///
    /// # Errors
    /// The first thing that is wrong with it, with its key and place.
    pub fn compile(spec: RuleSpec) -> Result<Self, RuleError> {
        check(&spec)?;
        let when = Condition::compile(&spec.when, &NAMES).map_err(|error| RuleError::condition("when", &error))?;
        let (clear_when, clear_for) = match spec.clear.trim() {
            "" => (None, Span::ZERO),
            text => match text.parse::<Span>() {
                Ok(span) if span > MAX_SPAN => {
                    return Err(RuleError::new("clear", format!("{span} is too long; at most {MAX_SPAN}")));
                }
                Ok(span) => (None, span),
                Err(_) => {
                    let compiled = Condition::compile(text, &NAMES);
                    (Some(compiled.map_err(|error| RuleError::condition("clear", &error))?), Span::ZERO)
                }
            },
        };
        let message = if spec.message.is_empty() {
            Template::compile("{service}: {rule}")
        } else {
            Template::compile(&spec.message)
        };
        let message = message.map_err(|error| RuleError::template(&error))?;
        let uses = |name: &str| when.uses(name) || clear_when.as_ref().is_some_and(|clear| clear.uses(name));
        let (counts_restarts, uses) = (uses("restarts"), Names::which(uses));
        let needs_restarts = counts_restarts || message.names("restarts");
        Ok(Self { spec, when, clear_when, clear_for, message, counts_restarts, needs_restarts, uses })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// As it is written.
    pub const fn spec(&self) -> &RuleSpec {
        &self.spec
    }

    /// Whether a look is another one after these have changed. Whoever counts samples wants each of them, and one that is always true
    /// (or never) looks at nothing.
    pub(super) fn depends_on(&self, changed: Names) -> bool {
        self.uses.has_any_of(changed) || self.spec.of.1 > 1 || self.uses == Names::NONE
    }

    /// Whether it looks at one of these.
    pub(super) const fn looks_at(&self, names: Names) -> bool {
        self.uses.has_any_of(names)
    }

    pub(super) fn is_about(&self, service: &str) -> bool {
        self.spec.services.is_empty() || self.spec.services.iter().any(|pattern| glob(pattern, service))
    }
}

/// Name, type, severity, `when`, `clear`, `for` in seconds, message.
type Line = (&'static str, &'static str, Severity, &'static str, &'static str, u64, &'static str);

/// Each clears apart from where it fires: a threshold 10 % below, a state when it is known to be another one.
const DEFAULTS: [Line; 13] = {
    use Severity::{Critical, Warning};
    [
        (
            "ServiceDown",
            alert::SERVICE_DOWN,
            Critical,
            "health == 'down'",
            "health == 'up' || health == 'degraded' || health == 'unclear' || health == 'stopped'",
            0,
            "{service} is down",
        ),
        (
            "ServiceDegraded",
            alert::SERVICE_DEGRADED,
            Warning,
            "health == 'degraded'",
            "health == 'up' || health == 'down' || health == 'stopped'",
            60,
            "{service} runs, but a probe is not content",
        ),
        (
            "HighCPUUsage",
            alert::HIGH_CPU,
            Warning,
            "cpu_percent > 80",
            "cpu_percent < 72",
            60,
            "{service} uses {cpu_percent} % of a processor",
        ),
        (
            "CriticalCPUUsage",
            alert::HIGH_CPU,
            Critical,
            "cpu_percent > 95",
            "cpu_percent < 85.5",
            60,
            "{service} uses {cpu_percent} % of a processor",
        ),
        (
            "HighMemoryUsage",
            alert::HIGH_MEMORY,
            Warning,
            "memory_bytes > 2147483648",
            "memory_bytes < 1932735283",
            60,
            "{service} uses {memory_bytes} of memory",
        ),
        (
            "CriticalMemoryUsage",
            alert::HIGH_MEMORY,
            Critical,
            "memory_bytes > 4294967296",
            "memory_bytes < 3865470566",
            60,
            "{service} uses {memory_bytes} of memory",
        ),
        (
            "HighDiskIO",
            alert::HIGH_DISK_IO,
            Warning,
            "disk_bps > 104857600",
            "disk_bps < 94371840",
            60,
            "{service} reads and writes {disk_bps}",
        ),
        (
            "RestartLoop",
            alert::RESTART_LOOP,
            Critical,
            "restarts >= 3",
            "restarts == 0",
            0,
            "{service} was restarted {restarts} times within {window}",
        ),
        (
            "SyncStalled",
            alert::SYNC_STALLED,
            Warning,
            "stalled_seconds >= stall_warning_seconds",
            "stalled_seconds < stall_warning_seconds * 0.9",
            0,
            "{service} has not moved for {stalled_seconds}",
        ),
        (
            "CriticalSyncStalled",
            alert::SYNC_STALLED,
            Critical,
            "stalled_seconds >= stall_critical_seconds",
            "stalled_seconds < stall_critical_seconds * 0.9",
            0,
            "{service} has not moved for {stalled_seconds}",
        ),
        (
            "LowPeerCount",
            alert::LOW_PEER_COUNT,
            Warning,
            "peers < min_peers",
            "peers >= min_peers * 1.1",
            120,
            "{service} has {peers} peers, fewer than {min_peers}",
        ),
        (
            "DependencyTimeout",
            alert::DEPENDENCY_TIMEOUT,
            Critical,
            "dependency_timed_out",
            "!dependency_timed_out",
            0,
            "{service} waited in vain for {missing_dependencies}",
        ),
        (
            "HealthCheckFailed",
            alert::HEALTH_CHECK_FAILED,
            Warning,
            "failed_checks > 0",
            "failed_checks == 0",
            0,
            "{service} fails {failed_checks} of its checks: {failed_check}",
        ),
    ]
};

/// The rules that there are without anybody's writing one.
pub fn defaults() -> Vec<RuleSpec> {
    let spec = |(name, alert, severity, when, clear, hold, message): Line| RuleSpec {
        name: name.to_owned(),
        alert: alert.to_owned(),
        severity,
        when: when.to_owned(),
        clear: clear.to_owned(),
        hold: Span::from_secs(hold),
        message: message.to_owned(),
        ..RuleSpec::default()
    };
    DEFAULTS.into_iter().map(spec).collect()
}
