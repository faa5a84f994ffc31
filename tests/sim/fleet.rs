//! What others say: dependencies, here and elsewhere, and those who depend on the service.

use crate::line::Line;
use crate::world::name;
use dixmgr_contract::host::LossMark;
use dixmgr_contract::{Cause, Dependency, HostName, PhaseName, Policy, Readiness, Span, Time, WaitResult};
use dixmgr_decide::Event;
use std::str::FromStr;

/// `after db far@beta`: dependencies; those with a host run elsewhere.
pub(crate) fn after(line: &mut Line) -> Result<Vec<Dependency>, String> {
    let mut list = Vec::new();
    while let Ok(word) = line.word("a name") {
        let (service, host) = word.split_once('@').unwrap_or((&word, ""));
        let workflow_id = format!("wf.svc.{service}");
        list.push(Dependency { name: name(service)?, workflow_id, remote: !host.is_empty() });
    }
    Ok(list)
}

/// `heard NAME ready|missing [lost=HOST|down] rev=N run=X`, `subscribed ID`, `gone ID`, `unasked NAME`, `raised TYPE`, `waited`, `lost HOST`,
/// `retired HOST`.
pub(crate) fn event(what: &str, line: &mut Line, revision: u64, now: Time) -> Result<Event, String> {
    Ok(match what {
        "heard" => {
            let service = name(&line.word("a name")?)?;
            let ready = line.flag("ready") || !line.flag("missing");
            let revision = line.pair("rev")?.unwrap_or(revision);
            let phase = if ready { PhaseName::Healthy } else { PhaseName::Down };
            let lost = line.pair::<HostName>("lost")?.map(Cause::lost);
            let trouble = lost.or(line.flag("down").then(|| Cause::down(service.clone())));
            Event::Heard(Readiness { service, ready, revision, phase, run: line.pair("run")?, trouble })
        }
        "lost" => {
            let age = line.pair::<Span>("age")?.unwrap_or(Span::ZERO);
            Event::HostLost(LossMark { host: host(&line.word("a host")?)?, loss: 1, at: now.earlier(age) })
        }
        "retired" => Event::Retired(host(&line.word("a host")?)?),
        "subscribed" => Event::Subscribed(line.word("a workflow")?),
        "gone" => Event::Gone(line.word("a workflow")?),
        "raised" => Event::Raised(line.word("a type of alert")?),
        "unasked" => Event::CouldNotAsk(name(&line.word("a name")?)?),
        _ => {
            let missing = line.list::<String>("missing")?.unwrap_or_default();
            let missing = missing.iter().map(|text| name(text)).collect::<Result<Vec<_>, _>>()?;
            Event::Waited(WaitResult { satisfied: missing.is_empty(), waited_seconds: 0, missing })
        }
    })
}

fn host(text: &str) -> Result<HostName, String> {
    HostName::new(text).map_err(|error| format!("{text:?} {error}"))
}

/// The keys of `policy` that are about dependencies.
pub(crate) fn policy(line: &mut Line, policy: &mut Policy) -> Result<(), String> {
    policy.dependency.mode = word(line, "mode")?.unwrap_or(policy.dependency.mode);
    policy.dependency.timeout = line.pair("timeout")?.unwrap_or(policy.dependency.timeout);
    policy.dependency.on_timeout = word(line, "on_timeout")?.unwrap_or(policy.dependency.on_timeout);
    policy.on_dependency_loss = word(line, "on_dependency_loss")?.unwrap_or(policy.on_dependency_loss);
    Ok(())
}

/// A word that the configuration would understand.
fn word<T: serde::de::DeserializeOwned>(line: &mut Line, key: &str) -> Result<Option<T>, String> {
    let Some(text) = line.pair::<String>(key)? else { return Ok(None) };
    let value = serde_json::Value::from_str(&format!("{text:?}")).map_err(|error| error.to_string())?;
    serde_json::from_value(value).map(Some).map_err(|error| format!("`{key}={text}`: {error}"))
}
