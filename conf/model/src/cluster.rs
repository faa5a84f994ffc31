//! Clusters: members that exist, each once, and a quorum that they can reach.

use crate::{
    Cluster,
    problem::{Complaint, Problems},
    service::{Item, typed},
    tree::{Places, join},
    value::near,
};
use dixmgr_contract::{ClusterMode, ServiceName, Span};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct RawCluster {
    members: Vec<ServiceName>,
    quorum: Option<u32>,
    mode: ClusterMode,
    healthy_for: Span,
    member_timeout: Span,
}

/// The clusters of the file, without those of which too much was refused.
pub(crate) fn clusters(clusters: &Value, items: &[Item], places: &Places, problems: &mut Problems) -> Vec<Cluster> {
    let known: BTreeSet<_> = items.iter().map(|item| item.name.as_str()).collect();
    let mut list = Vec::new();
    for (name, value) in clusters.as_object().into_iter().flatten() {
        let path = join("clusters", name);
        let Ok(name) = ServiceName::new(name.as_str()) else { continue };
        // Without members (refused, and told) there is nothing to check.
        if value.get("members").is_none() {
            continue;
        }
        let Some(raw) = typed::<RawCluster>(value.clone(), &path, places, problems) else { continue };
        list.extend(cluster(name, raw, &path, &known, places, problems));
    }
    list
}

fn cluster(
    name: ServiceName,
    raw: RawCluster,
    path: &str,
    known: &BTreeSet<&str>,
    places: &Places,
    problems: &mut Problems,
) -> Option<Cluster> {
    let complain = |problems: &mut Problems, path: &str, complaint| problems.add(path, places.line(path), complaint);
    let members_path = join(path, "members");
    let mut seen = BTreeSet::new();
    for (index, member) in raw.members.iter().enumerate() {
        let path = format!("{members_path}[{index}]");
        if !seen.insert(member) {
            complain(problems, &path, Complaint::new(format!("{member} is named twice")));
        } else if !known.contains(member.as_str()) {
            let near =
                if problems.may_compare(known.len()) { near(member.as_str(), known.iter().copied()) } else { None };
            let hint = near.map(|near| format!("did you mean {near}?"));
            let hint = hint.unwrap_or_else(|| "members are names of services".to_owned());
            complain(problems, &path, Complaint::new(format!("there is no service {member}")).hint(hint));
        }
    }
    let count = u32::try_from(raw.members.len()).unwrap_or(u32::MAX);
    if count == 0 {
        complain(problems, &members_path, Complaint::new("is empty").hint("name the services of the cluster"));
        return None;
    }
    let quorum = raw.quorum.unwrap_or(count / 2 + 1);
    if quorum > count {
        let path = join(path, "quorum");
        complain(
            problems,
            &path,
            Complaint::new(format!("{quorum} is more than the {count} members")).hint(format!("1 to {count}")),
        );
    }
    Some(Cluster {
        name,
        members: raw.members,
        quorum,
        mode: raw.mode,
        healthy_for: raw.healthy_for,
        member_timeout: raw.member_timeout,
    })
}
