//! The dotidx format: `[parachains.<relay>.<chain>]` tables stand for a whole tree of services.
//!
//! relay → parachains → sidecars → `dix-nginx` → the apps. Each becomes what a `[services.<name>]` table would say, so that
//! both kinds of file are checked and built by the same code.

use crate::{
    build::MAX_SERVICES,
    problem::{Complaint, Problems},
    service::Item,
    tree::{Object, Places, join},
};
use dixmgr_contract::{ServiceName, id::Origin};
use serde_json::{Value, json};

const NGINX: &str = "dix-nginx";
const APPS: [&str; 4] = ["dixlive", "dixfe", "dixbatch", "dixcron"];
const PATH: &str = "parachains";

/// The services that `parachains` stands for; none if it holds no chain.
pub(crate) fn items(parachains: &Object, places: &Places, problems: &mut Problems) -> Vec<Item> {
    let mut tree = Tree { places, problems, items: Vec::new(), nodes: Vec::new(), sidecars: Vec::new() };
    for (relay, chains) in parachains {
        if let Value::Object(chains) = chains {
            for (chain, table) in chains {
                tree.chain(relay, chain, chains.contains_key(relay), table);
            }
        }
    }
    if tree.items.is_empty() {
        return Vec::new();
    }
    let leaves =
        if tree.sidecars.is_empty() { std::mem::take(&mut tree.nodes) } else { std::mem::take(&mut tree.sidecars) };
    tree.service(NGINX, "nginx", &leaves);
    for app in APPS {
        tree.service(app, "app", &[NGINX.to_owned()]);
    }
    tree.items
}

struct Tree<'a> {
    places: &'a Places,
    problems: &'a mut Problems,
    items: Vec<Item>,
    nodes: Vec<String>,
    sidecars: Vec<String>,
}

impl Tree<'_> {
    fn chain(&mut self, relay: &str, chain: &str, has_relay: bool, table: &Value) {
        if self.is_full() {
            return;
        }
        let path = join(&join(PATH, relay), chain);
        let (name, origin, mut overlay) = if relay == chain {
            let unit = format!("relay-node-archive@{relay}.service");
            let overlay = object(&unit, "relay", chain, &[]);
            (format!("relay-node-{relay}"), Origin::Relay(relay.to_owned()), overlay)
        } else {
            let unit = format!("chain-node-archive@{relay}-{chain}.service");
            let after = if has_relay { vec![format!("relay-node-{relay}")] } else { Vec::new() };
            let overlay = object(&unit, "parachain", chain, &after);
            (format!("para-node-{relay}-{chain}"), Origin::Para(relay.to_owned(), chain.to_owned()), overlay)
        };
        if let Some(port) = table.get("port_rpc") {
            let rpc = format!("http://localhost:{port}");
            overlay.insert("probes".to_owned(), json!({ "node": { "rpc": rpc, "protocol": "substrate" } }));
        }
        self.add(&name, origin, &path, overlay);
        let count = table.get("sidecar_count").and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok());
        for index in 0..count.unwrap_or(0) {
            if self.is_full() {
                break;
            }
            let unit = format!("sidecar@{relay}-{chain}-{index}.service");
            let overlay = object(&unit, "sidecar", chain, std::slice::from_ref(&name));
            let sidecar = format!("sidecar-{relay}-{chain}-{index}");
            self.add(&sidecar, Origin::Sidecar(relay.to_owned(), chain.to_owned(), index), &path, overlay);
            self.sidecars.push(sidecar);
        }
        self.nodes.push(name);
    }

    /// One service too many is enough for the file to be refused.
    fn is_full(&self) -> bool {
        self.items.len() > MAX_SERVICES
    }

    fn service(&mut self, name: &str, kind: &str, after: &[String]) {
        let overlay = object(&format!("{name}.service"), kind, "", after);
        if let Some(name) = self.name(name, PATH) {
            self.items.push(Item { origin: Origin::Service(name.clone()), name, path: PATH.to_owned(), overlay });
        }
    }

    fn add(&mut self, name: &str, origin: Origin, path: &str, overlay: Object) {
        if let Some(name) = self.name(name, path) {
            self.items.push(Item { name, origin, path: path.to_owned(), overlay });
        }
    }

    fn name(&mut self, name: &str, path: &str) -> Option<ServiceName> {
        let complain =
            |error| self.problems.add(path, self.places.line(path), Complaint::new(format!("{name:?} {error}")));
        ServiceName::new(name).map_err(complain).ok()
    }
}

fn object(unit: &str, kind: &str, chain: &str, after: &[String]) -> Object {
    let mut object = Object::new();
    object.insert("unit".to_owned(), unit.into());
    object.insert("kind".to_owned(), kind.into());
    object.insert("chain".to_owned(), chain.into());
    // One without dependencies of its own takes those of [defaults].
    if !after.is_empty() {
        object.insert("after".to_owned(), after.into());
    }
    object
}
