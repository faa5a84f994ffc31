//! The plan: what will be started, in which order, and what waits for what.

use crate::{Config, Service};
use dixmgr_contract::{DependencyMode, DependencyPolicy, HostName, ServiceName, UnitName};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// Deeper services are drawn at this depth: a chain of thousands must not fill the screen with lines.
const MAX_DEPTH: usize = 32;
/// Further dependencies named beside a service; the rest is counted.
const MAX_NAMED: usize = 4;

/// All services of a configuration in start order. Displayed as a tree: each service hangs below the dependency that is
/// ready last.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The file.
    pub source: String,
    /// In start order.
    pub services: Vec<Step>,
}

/// One service of the plan.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Its name.
    pub name: ServiceName,
    /// Its unit.
    pub unit: UnitName,
    /// What it is.
    pub kind: String,
    /// The chain it serves, or empty.
    pub chain: String,
    /// The only host that takes it, if the file names one.
    pub host: Option<HostName>,
    /// Its workflow in Temporal.
    pub workflow_id: String,
    /// 0 for a service that waits for nothing; otherwise one more than the highest of its dependencies.
    pub level: usize,
    /// What it waits for.
    pub after: Vec<ServiceName>,
    /// How it waits.
    pub dependency: DependencyPolicy,
    /// Whether it is brought up at start.
    pub start: bool,
    /// The names of its probes.
    pub probes: Vec<String>,
}

impl Plan {
    /// The plan of a configuration.
    pub fn new(config: &Config) -> Self {
        let mut level: BTreeMap<&ServiceName, usize> = BTreeMap::new();
        let mut services = Vec::with_capacity(config.services.len());
        for service in &config.services {
            let below = service.after.iter().filter_map(|name| level.get(name)).max();
            let own = below.map_or(0, |below| below + 1);
            level.insert(&service.spec.name, own);
            services.push(step(service, own));
        }
        Self { source: config.source.clone(), services }
    }

    /// For each service the one it hangs below: its last dependency in start order.
    fn children(&self) -> (Vec<usize>, Vec<Vec<usize>>) {
        let index: BTreeMap<_, _> = self.services.iter().enumerate().map(|(at, step)| (&step.name, at)).collect();
        let (mut roots, mut children) = (Vec::new(), vec![Vec::new(); self.services.len()]);
        for (at, step) in self.services.iter().enumerate() {
            match step.after.iter().filter_map(|name| index.get(name)).max() {
                Some(parent) => children[*parent].push(at),
                None => roots.push(at),
            }
        }
        (roots, children)
    }
}

fn step(service: &Service, level: usize) -> Step {
    Step {
        name: service.spec.name.clone(),
        unit: service.spec.unit.clone(),
        kind: service.spec.kind.clone(),
        chain: service.spec.chain.clone(),
        host: service.spec.host.clone(),
        workflow_id: service.origin.workflow_id(),
        level,
        after: service.after.clone(),
        dependency: service.spec.policy.dependency.clone(),
        start: service.spec.policy.start,
        probes: service.probes.keys().cloned().collect(),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (roots, children) = self.children();
        let levels = self.services.iter().map(|step| step.level + 1).max().unwrap_or(0);
        writeln!(f, "{}: {}, {}", self.source, count(self.services.len(), "service"), count(levels, "level"))?;
        // Depth first with a stack of our own: a chain of thousands must not exhaust the thread's.
        let mut open: Vec<(usize, String, bool)> = Vec::new();
        for root in roots {
            open.push((root, String::new(), true));
            while let Some((at, indent, last)) = open.pop() {
                let root = at == root;
                let branch = if root {
                    ""
                } else if last {
                    "└─ "
                } else {
                    "├─ "
                };
                writeln!(f, "{indent}{branch}{}", Line(&self.services[at]))?;
                let deeper = match (root, last) {
                    (true, _) => String::new(),
                    _ if indent.chars().count() >= 3 * MAX_DEPTH => indent,
                    (_, true) => format!("{indent}   "),
                    (_, false) => format!("{indent}│  "),
                };
                for (place, child) in children[at].iter().rev().enumerate() {
                    open.push((*child, deeper.clone(), place == 0));
                }
            }
        }
        Ok(())
    }
}

/// A service in one line.
struct Line<'a>(&'a Step);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(step) = self;
        write!(f, "{}  {}  {}", step.name, step.kind, step.unit)?;
        if let Some(host) = &step.host {
            write!(f, "  on {host}")?;
        }
        if !step.start {
            write!(f, "  not started by us")?;
        }
        if step.after.len() > 1 {
            let named: Vec<_> = step.after.iter().take(MAX_NAMED).map(ServiceName::as_str).collect();
            let word = if step.dependency.mode == DependencyMode::Any { "after any of" } else { "after" };
            write!(f, "  {word} {}", named.join(", "))?;
            if step.after.len() > MAX_NAMED {
                write!(f, " and {} more", step.after.len() - MAX_NAMED)?;
            }
        }
        Ok(())
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
