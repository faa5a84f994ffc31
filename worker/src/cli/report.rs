//! `check`, `plan` and what the documentation is made of: nothing is started.

use super::print::{self, json};
use crate::exit::Failure;
use crate::{senses, telling};
use anyhow::Context;
use dixmgr_model::plan::Plan;
use dixmgr_model::{ConfigErrors, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Prints all errors of a file, or that there are none.
pub(super) fn check(file: &Path, as_json: bool) -> Result<(), Failure> {
    match telling::load(file) {
        Ok((config, _)) if as_json => {
            let (services, warnings) = (config.services.len(), unseen_nodes(&config.services));
            json(&serde_json::json!({"ok": true, "services": services, "problems": [], "warnings": warnings}))
        }
        Ok((config, _)) => {
            let mut text = format!("{}: {} services, no errors\n", file.display(), config.services.len());
            unseen_nodes(&config.services).iter().for_each(|warning| text += &format!("warning: {warning}\n"));
            print::text(&text)
        }
        Err(errors) => Err(refuse(&errors, as_json)?),
    }
}

/// What is to be said of chains whose nodes are on several hosts, and some of which only their own host can ask.
fn unseen_nodes(services: &[Service]) -> Vec<String> {
    let (mut nodes, mut hosts) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, BTreeSet<_>>::new());
    for service in services {
        for (name, probe) in &service.probes {
            let Some(chain) = senses::chain(service, probe) else { continue };
            hosts.entry(chain.clone()).or_default().insert(&service.spec.host);
            if senses::unseen_chain(service, probe).is_some() {
                nodes.entry(chain).or_default().push(format!("services.{}.probes.{name}", service.spec.name));
            }
        }
    }
    let apart = nodes.iter().filter(|(chain, _)| hosts.get(chain).is_some_and(|hosts| hosts.len() > 1));
    let warning = |((chain, protocol), nodes): (&(String, _), &Vec<String>)| {
        format!(
            "chain {chain} ({protocol}) has nodes on several hosts, and other hosts cannot ask {}: whether a node stands still by \
             its own fault or with the whole chain may not be told, and none is then restarted for it; give `rpc` an address that \
             the other hosts reach, not a loopback one",
            nodes.join(", ")
        )
    };
    apart.map(warning).collect()
}

/// A file with errors: said in the form that was asked for.
fn refuse(errors: &ConfigErrors, as_json: bool) -> Result<Failure, Failure> {
    if as_json {
        json(&serde_json::json!({"ok": false, "source": errors.source, "problems": errors.problems}))?;
    }
    Ok(Failure::Config(errors.to_string()))
}

/// Prints what a file supervises, in start order.
pub(super) fn plan(file: &Path, as_json: bool) -> Result<(), Failure> {
    let config = match telling::load(file) {
        Ok((config, _)) => config,
        Err(errors) => return Err(refuse(&errors, as_json)?),
    };
    let plan = Plan::new(&config);
    if as_json {
        return json(&serde_json::to_value(&plan).context("the plan cannot be written as JSON")?);
    }
    print::text(&plan.to_string())
}

pub(super) fn schema() -> Result<(), Failure> {
    json(&dixmgr_model::schema::json_schema())
}

/// The generated part of the README.
pub(super) fn reference() -> Result<(), Failure> {
    print::text(&format!("{}\n{}\n", dixmgr_model::reference(), dixmgr_telemetry::catalogue::metrics_reference()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_a_chain_on_several_hosts_that_only_their_own_can_ask_are_named_with_the_way_out() {
        let warned = |rpcs: [&str; 2], hosts: [&str; 2]| {
            let node = |name, rpc, host| {
                format!(
                    "[services.{name}]\nunit = '{name}.service'\nhost = '{host}'\nchain = 'dot'\nprobes.node = {{ rpc = '{rpc}' }}\n"
                )
            };
            let text = node("one", rpcs[0], hosts[0]) + &node("two", rpcs[1], hosts[1]);
            unseen_nodes(&dixmgr_model::parse(&text, "test.toml", &|_| None).unwrap().services)
        };
        let (local, far) = ("http://127.0.0.1:9944", "http://node:9944");
        assert_eq!(warned([local, "http://localhost:9945"], ["a", "a"]), [""; 0]);
        assert_eq!(warned([far, far], ["a", "b"]), [""; 0]);
        let [both] = &warned([local, local], ["a", "b"])[..] else { panic!("one chain") };
        assert!(
            both.contains("services.one.probes.node, services.two.probes.node") && both.contains("give `rpc`"),
            "{both}"
        );
        let [one] = &warned([far, local], ["a", "b"])[..] else { panic!("one chain") };
        assert!(!one.contains("services.one") && one.contains("services.two"), "{one}");
    }
}
