//! One service from its layers: catalogue, `[watcher]`, `[defaults]`, its own table.

use crate::{
    Check, Probe, Service,
    catalogue::{BELONGS, SERVICE, TARGETS},
    problem::{Complaint, Problems},
    tree::{Object, Places, fill, join, merge},
};
use dixmgr_contract::{
    DependencyPolicy, HostName, OnDependencyLoss, Policy, RestartPolicy, ServiceName, ServiceSpec, Span, UnitName,
    id::Origin,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeMap, path::PathBuf};

const DEFAULTS: &str = "defaults";

/// What the file says of a service, and where.
pub(crate) struct Item {
    pub(crate) name: ServiceName,
    pub(crate) origin: Origin,
    /// The table that it comes from.
    pub(crate) path: String,
    pub(crate) overlay: Object,
}

impl Item {
    /// Where its dependencies are written.
    pub(crate) fn after_path(&self) -> String {
        let path = if self.overlay.contains_key("after") { &self.path } else { DEFAULTS };
        join(path, "after")
    }
}

/// What lies under every service.
pub(crate) struct Base<'a> {
    /// `[watcher]`, then `[defaults]`.
    pub(crate) layers: Object,
    pub(crate) operation_timeout: Span,
    pub(crate) places: &'a Places,
}

#[derive(Deserialize)]
struct Raw {
    unit: UnitName,
    kind: String,
    chain: String,
    host: String,
    after: Vec<ServiceName>,
    dependency: DependencyPolicy,
    start: bool,
    on_dependency_loss: OnDependencyLoss,
    restart: RestartPolicy,
    probes: BTreeMap<String, Value>,
    resources: Measured,
}

#[derive(Deserialize)]
struct Measured {
    enabled: bool,
    paths: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct RawProbe {
    timeout: Span,
    latency: Option<Span>,
    interval: Span,
    failures: u32,
    successes: u32,
    start_grace: Span,
}

impl Base<'_> {
    /// The service, unless something of it was refused.
    pub(crate) fn build(&self, item: &Item, problems: &mut Problems) -> Option<Service> {
        let mut object = self.layers.clone();
        merge(&mut object, &item.overlay);
        // Without a unit there is nothing to say that was not said.
        object.get("unit")?;
        self.keep_backoff_in_bounds(&mut object, item);
        self.check_probes(&object, item, problems);
        fill(&SERVICE, &mut object);
        let raw: Raw = typed(object.into(), &item.path, self.places, problems)?;
        self.check_backoff(&raw.restart, item, problems);
        let probes = raw.probes.into_iter().filter_map(|(name, value)| {
            let path = join(&join(&item.path, "probes"), &name);
            Some((name, probe(value, &path, self.places, problems)?))
        });
        let probes = probes.collect();
        let spec = ServiceSpec {
            name: item.name.clone(),
            unit: raw.unit,
            host: HostName::new(raw.host).ok(),
            kind: raw.kind,
            chain: raw.chain,
            // Whether a dependency runs elsewhere depends on where this is read: `Config::spec_on`.
            after: Vec::new(),
            policy: Policy {
                start: raw.start,
                restart: raw.restart,
                operation_timeout: self.operation_timeout,
                dependency: raw.dependency,
                on_dependency_loss: raw.on_dependency_loss,
            },
        };
        Some(Service {
            spec,
            origin: item.origin.clone(),
            after: self.once(raw.after, item, problems),
            resources: raw.resources.enabled,
            paths: raw.resources.paths,
            probes,
        })
    }

    /// Each dependency once. A service that `[defaults]` makes everybody wait for does not wait for itself.
    fn once(&self, given: Vec<ServiceName>, item: &Item, problems: &mut Problems) -> Vec<ServiceName> {
        let mut after = Vec::with_capacity(given.len());
        let mut seen = std::collections::BTreeSet::new();
        for (index, name) in given.into_iter().enumerate() {
            if name == item.name {
                if item.overlay.contains_key("after") {
                    let path = format!("{}[{index}]", item.after_path());
                    let complaint = Complaint::new(format!("{name} depends on itself")).hint("remove it from the list");
                    problems.add(&path, self.places.line(&path), complaint);
                }
            } else if seen.insert(name.clone()) {
                after.push(name);
            }
        }
        after
    }

    /// The path of a key of the service: in its own table if it is there, else in `[defaults]`.
    fn origin_of(&self, item: &Item, key: &str) -> Option<String> {
        [&item.path, DEFAULTS].iter().map(|table| format!("{table}.{key}")).find(|path| self.places.has(path))
    }

    /// A long `backoff` alone is no contradiction: the default of `backoff_max` gives way.
    fn keep_backoff_in_bounds(&self, object: &mut Object, item: &Item) {
        if self.origin_of(item, "restart.backoff_max").is_some() {
            return;
        }
        let Some(Value::Object(restart)) = object.get_mut("restart") else { return };
        let backoff = restart.get("backoff").and_then(Value::as_str).and_then(|text| text.parse::<Span>().ok());
        if let Some(backoff) = backoff.filter(|backoff| *backoff > RestartPolicy::default().backoff_max) {
            restart.insert("backoff_max".to_owned(), backoff.to_string().into());
        }
    }

    fn check_backoff(&self, restart: &RestartPolicy, item: &Item, problems: &mut Problems) {
        if restart.backoff <= restart.backoff_max {
            return;
        }
        let path = self.origin_of(item, "restart.backoff_max").unwrap_or_else(|| item.path.clone());
        let complaint = Complaint::new(format!("{} is shorter than backoff, {}", restart.backoff_max, restart.backoff));
        problems.add(&path, self.places.line(&path), complaint.hint("no wait is longer than backoff_max"));
    }

    /// A probe asks one thing, and has only keys for what it asks.
    fn check_probes(&self, object: &Object, item: &Item, problems: &mut Problems) {
        let Some(Value::Object(probes)) = object.get("probes") else { return };
        for (name, probe) in probes {
            let Value::Object(probe) = probe else { continue };
            let path = self.origin_of(item, &join("probes", name)).unwrap_or_else(|| item.path.clone());
            let written = |key: &str| probe.contains_key(key) || self.places.has(&join(&path, key));
            let mut complain = |path: &str, complaint| problems.add(path, self.places.line(path), complaint);
            let asked: Vec<_> = TARGETS.into_iter().filter(|target| written(target)).collect();
            let target = match asked.as_slice() {
                [target] => *target,
                [] => {
                    let hint = "url for an HTTP check, tcp for a port, dns for a name, grpc for a gRPC server, rpc for a \
                                blockchain node";
                    complain(&path, Complaint::new("has none of url, tcp, dns, grpc and rpc").hint(hint));
                    continue;
                }
                [first, second, ..] => {
                    let complaint = Complaint::new(format!("has both {first} and {second}"));
                    complain(&path, complaint.hint("make two probes of it"));
                    continue;
                }
            };
            let strange = BELONGS.iter().filter(|(_, targets)| !targets.contains(&target));
            for (keys, targets) in strange {
                for key in keys.iter().filter(|key| probe.contains_key(**key)) {
                    let complaint = Complaint::new(format!("belongs to a probe with {}", targets.join(" or ")));
                    complain(&join(&path, key), complaint);
                }
            }
            for (key, complaint) in contradictions(probe, &written) {
                complain(&join(&path, key), complaint);
            }
        }
    }
}

/// Keys of a probe that cannot stand beside each other, or alone.
fn contradictions(probe: &Object, written: &dyn Fn(&str) -> bool) -> Vec<(&'static str, Complaint)> {
    let mut found = Vec::new();
    for (key, other) in [("tls_cert", "tls_key"), ("tls_key", "tls_cert")] {
        if probe.contains_key(key) && !written(other) {
            found.push((key, Complaint::new(format!("needs {other} as well"))));
        }
    }
    let is = |key: &str, value: bool| probe.get(key) == Some(&Value::Bool(value));
    for key in ["tls_ca", "tls_cert", "tls_key", "tls_server_name", "certificate_min"] {
        if is("tls", false) && probe.contains_key(key) {
            found.push((key, Complaint::new("stands beside tls = false").hint("remove one of the two")));
        }
    }
    if probe.contains_key("proxy") && written("unix") {
        let hint = "a unix socket is on this host; remove one of the two";
        found.push(("proxy", Complaint::new("stands beside unix").hint(hint)));
    }
    let url = probe.get("url").and_then(Value::as_str).unwrap_or_default();
    let follows = probe.get("redirects").and_then(Value::as_i64).is_some_and(|redirects| redirects > 0);
    if probe.contains_key("certificate_min") && url.starts_with("http://") && !follows {
        found.push((
            "certificate_min",
            Complaint::new("there is no certificate at an http:// URL").hint("write https://"),
        ));
    }
    found
}

fn probe(value: Value, path: &str, places: &Places, problems: &mut Problems) -> Option<Probe> {
    // `null` stands for a probe that was refused.
    let target = value.as_object()?;
    let asked = TARGETS.into_iter().find(|key| target.contains_key(*key))?;
    let given = value.clone();
    let check = match asked {
        "url" => Check::Http(Box::new(typed(given, path, places, problems)?)),
        "tcp" => Check::Tcp(typed(given, path, places, problems)?),
        "dns" => Check::Dns(typed(given, path, places, problems)?),
        "grpc" => Check::Grpc(typed(given, path, places, problems)?),
        _ => Check::Node(typed(given, path, places, problems)?),
    };
    let RawProbe { timeout, latency, interval, failures, successes, start_grace } =
        typed(value, path, places, problems)?;
    Some(Probe { check, timeout, latency, interval, failures, successes, start_grace })
}

/// Types for a checked value. That it fits is the catalogue's duty; where it is not met the file is refused.
pub(crate) fn typed<T: DeserializeOwned>(
    value: Value,
    path: &str,
    places: &Places,
    problems: &mut Problems,
) -> Option<T> {
    let complain = |error: serde_json::Error| problems.add(path, places.line(path), Complaint::new(error.to_string()));
    serde_json::from_value(value).map_err(complain).ok()
}
