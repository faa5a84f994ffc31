//! A checked tree to a [`Config`]: what no single key can tell. Names that clash, dependencies, cycles, clusters.

use crate::{
    Alerts, Config, ConfigErrors, Service, Temporal,
    alerts::alerts,
    catalogue::ROOT,
    cluster::clusters,
    config::Resources,
    dotidx,
    graph::levels,
    problem::{Complaint, Problems},
    report::Report,
    service::{Base, Item, typed},
    tree::{Object, Places, fill, join, merge},
    value::near,
};
use dixmgr_contract::{ServiceName, Span, id::Origin};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};

/// Services in one plan.
pub(crate) const MAX_SERVICES: usize = 50_000;
/// Dependencies in one plan.
const MAX_DEPENDENCIES: usize = 1_000_000;
/// Bytes of `[watcher]` and `[defaults]` as JSON.
const MAX_DEFAULTS: usize = 16 * 1024;

#[derive(Deserialize)]
struct Watcher {
    watch_interval: Span,
    operation_timeout: Span,
}

/// The sections on their way to types.
struct Parts<'a> {
    root: Object,
    places: &'a Places,
    problems: Problems,
}

impl Parts<'_> {
    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        typed(self.root.remove(name).unwrap_or_default(), name, self.places, &mut self.problems)
    }

    fn alerts(&mut self, base: &Path) -> Option<Alerts> {
        let given = match self.root.remove("alerts") {
            Some(Value::Object(given)) => given,
            _ => Object::new(),
        };
        alerts(given, base, &mut Report { places: self.places, problems: &mut self.problems })
    }

    fn build(&mut self, source: &str, base: &Path) -> Option<Config> {
        let mut layers = layers(&mut self.root);
        check_defaults(&mut layers, self.places, &mut self.problems);
        let items = items(&mut self.root, self.places, &mut self.problems);
        let alerts = self.alerts(base);
        fill(&ROOT, &mut self.root);
        let history = self.take("history");
        let (temporal, systemd, metrics) = (self.take("temporal"), self.take("systemd"), self.take("metrics"));
        let (hosts, resources, watcher) = (self.take("hosts"), self.take("resources"), self.take("watcher"));
        let (mut temporal, Watcher { watch_interval, operation_timeout }): (Temporal, _) = (temporal?, watcher?);
        check_tls(&temporal, self.places, &mut self.problems);
        temporal.resolve(base);
        let mut services = plan(&Base { layers, operation_timeout, places: self.places }, &items, &mut self.problems);
        let probes = services.iter_mut().flat_map(|service| service.probes.values_mut());
        probes.for_each(|probe| probe.check.resolve(base));
        services.iter_mut().flat_map(|service| &mut service.paths).for_each(|path| *path = base.join(&*path));
        let given = self.root.remove("clusters").unwrap_or_default();
        let clusters = clusters(&given, &items, self.places, &mut self.problems);
        if items.is_empty() && self.problems.is_empty() {
            let hint = "add a [services.NAME] section with a unit, or dotidx's [parachains.RELAY.CHAIN]";
            self.problems.add("", None, Complaint::new("supervises nothing").hint(hint));
        }
        let (systemd, metrics, hosts, mut resources): (_, _, _, Resources) = (systemd?, metrics?, hosts?, resources?);
        let (alerts, history) = (alerts?, history?);
        resources.paths.iter_mut().for_each(|path| *path = base.join(&*path));
        let source = source.to_owned();
        Some(Config {
            source,
            temporal,
            systemd,
            metrics,
            hosts,
            resources,
            alerts,
            history,
            watch_interval,
            operation_timeout,
            services,
            clusters,
        })
    }
}

/// Builds what was checked. `problems` are those of the check; whatever is found further is added to them.
pub(crate) fn build(
    root: Object,
    places: &Places,
    problems: Problems,
    source: &str,
    base: &Path,
) -> Result<Config, ConfigErrors> {
    let mut parts = Parts { root, places, problems };
    match parts.build(source, base) {
        Some(config) if parts.problems.is_empty() => Ok(config),
        _ => Err(parts.problems.into_errors(source)),
    }
}

/// Every service has a copy of the defaults, so that a large one would take all memory.
fn check_defaults(layers: &mut Object, places: &Places, problems: &mut Problems) {
    if serde_json::to_string(layers).is_ok_and(|text| text.len() > MAX_DEFAULTS) {
        let complaint = Complaint::new(format!("holds more than {MAX_DEFAULTS} bytes"));
        problems.add(
            "defaults",
            places.line("defaults"),
            complaint.hint("move what is long to the services that need it"),
        );
        layers.clear();
    }
}

/// What every service starts from: `[watcher]`, and `[defaults]` over it.
fn layers(root: &mut Object) -> Object {
    let mut layers = Object::new();
    let watcher = root.get("watcher");
    for (from, to) in [("max_restarts", "max"), ("restart_backoff", "backoff")] {
        if let Some(value) = watcher.and_then(|watcher| watcher.get(from)) {
            let mut restart = Object::new();
            restart.insert("restart".to_owned(), json!({ to: value }));
            merge(&mut layers, &restart);
        }
    }
    if let Some(Value::Object(defaults)) = root.remove("defaults") {
        merge(&mut layers, &defaults);
    }
    layers
}

/// Everything that the file calls a service, names being unique. What was refused keeps its name, so that nobody who
/// waits for it is blamed.
fn items(root: &mut Object, places: &Places, problems: &mut Problems) -> Vec<Item> {
    let mut items = match root.remove("parachains") {
        Some(Value::Object(parachains)) => dotidx::items(&parachains, places, problems),
        _ => Vec::new(),
    };
    let mut owners: BTreeMap<ServiceName, String> = BTreeMap::new();
    items.retain(|item| {
        let Some(other) = owners.get(&item.name) else {
            owners.insert(item.name.clone(), item.path.clone());
            return true;
        };
        let complaint = Complaint::new(format!("{} is already a service of [{other}]", item.name));
        problems.add(&item.path, places.line(&item.path), complaint.hint("rename one of the two tables"));
        false
    });
    if let Some(Value::Object(services)) = root.remove("services") {
        for (name, overlay) in services {
            let path = join("services", &name);
            let Ok(name) = ServiceName::new(name) else { continue };
            if let Some(other) = owners.get(&name) {
                let complaint = Complaint::new(format!("{name} is already a service of [{other}]"));
                problems.add(&path, places.line(&path), complaint.hint("give this one another name"));
                continue;
            }
            let overlay = if let Value::Object(overlay) = overlay { overlay } else { Object::new() };
            items.push(Item { origin: Origin::Service(name.clone()), name, path, overlay });
        }
    }
    if items.len() > MAX_SERVICES {
        let complaint = Complaint::new(format!("more than {MAX_SERVICES} services"));
        problems.add("", None, complaint.hint("spread them over several files"));
        items.clear();
    }
    items
}

/// All services that could be built, in start order if there is one.
fn plan(base: &Base<'_>, items: &[Item], problems: &mut Problems) -> Vec<Service> {
    let index: BTreeMap<_, _> = items.iter().enumerate().map(|(index, item)| (item.name.as_str(), index)).collect();
    let mut edges = vec![Vec::new(); items.len()];
    let mut built = Vec::new();
    let mut dependencies = 0;
    for (at, item) in items.iter().enumerate() {
        let Some(service) = base.build(item, problems) else { continue };
        dependencies += service.after.len();
        if dependencies > MAX_DEPENDENCIES {
            let complaint = Complaint::new(format!("more than {MAX_DEPENDENCIES} dependencies"));
            problems.add("", None, complaint.hint("let services wait for one that waits for the others"));
            break;
        }
        for dependency in &service.after {
            match index.get(dependency.as_str()) {
                Some(other) => edges[at].push(*other),
                None => unknown(dependency, item, &index, base.places, problems),
            }
        }
        built.push((at, service));
    }
    check_units(&built, items, base.places, problems);
    match levels(&edges) {
        Ok(level) => built.sort_by(|(a, x), (b, y)| (level[*a], &x.spec.name).cmp(&(level[*b], &y.spec.name))),
        Err(cycles) => {
            for cycle in cycles {
                let Some(first) = cycle.first() else { continue };
                let names = cycle.iter().chain([first]).map(|node| items[*node].name.as_str());
                let path = items[*first].after_path();
                let message = format!("dependency cycle: {}", names.collect::<Vec<_>>().join(" -> "));
                let complaint =
                    Complaint::new(message).hint("each waits for the next; remove one of these dependencies");
                problems.add(&path, base.places.line(&path), complaint);
            }
        }
    }
    built.into_iter().map(|(_, service)| service).collect()
}

fn unknown(name: &ServiceName, item: &Item, known: &BTreeMap<&str, usize>, places: &Places, problems: &mut Problems) {
    let path = item.after_path();
    let near = if problems.may_compare(known.len()) { near(name.as_str(), known.keys().copied()) } else { None };
    let hint = near.map_or_else(|| "add it under [services]".to_owned(), |near| format!("did you mean {near}?"));
    problems.add(&path, places.line(&path), Complaint::new(format!("there is no service {name}")).hint(hint));
}

/// One unit of one host is supervised once.
fn check_units(built: &[(usize, Service)], items: &[Item], places: &Places, problems: &mut Problems) {
    let mut owners = BTreeMap::new();
    for (at, service) in built {
        if let Some(other) = owners.insert((&service.spec.host, &service.spec.unit), &service.spec.name) {
            let path = join(&items[*at].path, "unit");
            let message = format!("{} is already the unit of service {other}", service.spec.unit);
            problems.add(&path, places.line(&path), Complaint::new(message).hint("one unit, one service"));
        }
    }
}

fn check_tls(temporal: &Temporal, places: &Places, problems: &mut Problems) {
    for (given, missing, name) in [
        (&temporal.tls_cert, &temporal.tls_key, ("temporal.tls_cert", "tls_key")),
        (&temporal.tls_key, &temporal.tls_cert, ("temporal.tls_key", "tls_cert")),
    ] {
        if given.is_some() && missing.is_none() && !places.has(&join("temporal", name.1)) {
            problems.add(name.0, places.line(name.0), Complaint::new(format!("needs {} as well", name.1)));
        }
    }
}
