//! The cluster machine: stories that a person can read, random lives, and a world that answers honestly but late.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod life;
mod stories;
mod world;

use dixmgr_contract::cluster::{ClusterReport, ClusterReportKind, PromoteArgs, RollingRestartArgs};
use dixmgr_contract::{ClusterMode, ClusterSpec, Command, PhaseName, Readiness, ServiceName, Time};
use dixmgr_decide::cluster::{Action, Event};

fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

fn spec(members: &[&str], quorum: u32, mode: ClusterMode) -> ClusterSpec {
    let members = members.iter().map(|member| name(member)).collect();
    ClusterSpec { mode, ..ClusterSpec::new(name("rpc"), members, quorum) }
}

fn readiness(member: &str, ready: bool, revision: u64, phase: PhaseName, run: &str) -> Readiness {
    Readiness { service: name(member), ready, revision, phase, run: Some(run.to_owned()), trouble: None }
}

fn roll(id: &str) -> Event {
    Event::RollingRestart {
        id: id.into(),
        args: RollingRestartArgs { by: "alice".into(), reason: "new release".into() },
    }
}

fn promote(id: &str, member: &str) -> Event {
    Event::Promote {
        id: id.into(),
        args: PromoteArgs { member: name(member), by: "bob".into(), reason: String::new() },
    }
}

fn commands(actions: &[Action]) -> Vec<(String, Command)> {
    let commands = actions.iter().filter_map(|action| match action {
        Action::Command { member, command, .. } => Some((member.to_string(), command.clone())),
        _ => None,
    });
    commands.collect()
}

fn reports(actions: &[Action]) -> Vec<ClusterReport> {
    let reports = actions.iter().filter_map(|action| match action {
        Action::Report(report) => Some(report.clone()),
        _ => None,
    });
    reports.collect()
}

fn kinds(actions: &[Action]) -> Vec<ClusterReportKind> {
    reports(actions).iter().map(|report| report.kind).collect()
}

fn answers(actions: &[Action]) -> Vec<(String, Result<String, String>)> {
    let answers = actions.iter().filter_map(|action| match action {
        Action::Answer(answer) => Some((answer.id.clone(), answer.result.clone())),
        _ => None,
    });
    answers.collect()
}

fn at(seconds: i64) -> Time {
    Time::from_unix_millis(1_000_000_000 + seconds * 1000)
}
