//! `unit …` and `policy …`: what the simulated host reports.

use crate::line::Line;
use dixmgr_contract::policy::RestartOn;
use dixmgr_contract::{
    ActiveState, Alert, Exit, ExitCode, Job, LoadState, OnOperatorStop, Passed, Policy, Span, Time, UnitState, Verdict,
};
use std::collections::BTreeMap;

/// Reads `unit STATE [key=value…]`.
pub(crate) fn read(line: &mut Line) -> Result<UnitState, String> {
    let word = line.word("the active state")?;
    let active = match ActiveState::from(word.as_str()) {
        ActiveState::Other(word) => return Err(format!("{word:?} is no active state")),
        known => known,
    };
    let load = line.pair::<String>("load")?.map_or(LoadState::Loaded, LoadState::from);
    let mut unit = UnitState::new(load, active);
    unit.invocation = line.pair("run")?;
    unit.sub = line.pair("sub")?.unwrap_or_default();
    unit.exit = line.pair::<String>("exit")?.map(|text| exit(&text)).transpose()?;
    unit.result = line.pair("result")?.unwrap_or_else(|| result_of(unit.exit).to_owned());
    unit.restarts = line.pair("nrestarts")?.unwrap_or_default();
    unit.job = match line.pair::<String>("job")?.as_deref() {
        None => None,
        Some("ours") => Some(Job { id: 1, ours: true }),
        Some("other") => Some(Job { id: 2, ours: false }),
        Some(other) => return Err(format!("`job={other}`: it is `ours` or `other`")),
    };
    unit.stopped_by_job = line.flag("by-job");
    unit.oneshot = line.flag("oneshot");
    Ok(unit)
}

/// `code:1`, `signal:9`, `core:6`.
pub(crate) fn exit(text: &str) -> Result<Exit, String> {
    let bad = || format!("`exit={text}`: write it as code:1, signal:9 or core:6");
    let (kind, status) = text.split_once(':').ok_or_else(bad)?;
    let code = match kind {
        "code" => ExitCode::Exited,
        "signal" => ExitCode::Killed,
        "core" => ExitCode::Dumped,
        _ => return Err(bad()),
    };
    Ok(Exit { code, status: status.parse().map_err(|_| bad())? })
}

/// What systemd makes of an exit (`Result=` in systemd.service(5)).
pub(crate) const fn result_of(exit: Option<Exit>) -> &'static str {
    match exit {
        Some(Exit { code: ExitCode::Exited, status: 0 }) | None => "success",
        Some(Exit { code: ExitCode::Exited, .. }) => "exit-code",
        Some(Exit { code: ExitCode::Killed, .. }) => "signal",
        Some(Exit { code: ExitCode::Dumped, .. }) => "core-dump",
    }
}

/// `good=http`: a probe that is content; `bad=http:timeout`: a rule that is not, and why; `failed=http:timeout`: a probe that has
/// failed; `unknown=http:shortage`: one of a run of which nothing is known.
pub(crate) fn verdicts(line: &mut Line) -> Result<Vec<Verdict>, String> {
    let mut verdicts = Vec::new();
    for word in ["good", "bad", "failed", "unknown"] {
        let Some(text) = line.pair::<String>(word)? else { continue };
        let (rule, detail) = text.split_once(':').unwrap_or((text.as_str(), ""));
        let (failed, unknown) = (word == "failed", word == "unknown");
        let verdict = Verdict::new(rule, word == "good" || unknown, detail.to_owned());
        verdicts.push(Verdict { unready: failed || unknown, failed, unknown, ..verdict });
    }
    Ok(verdicts)
}

/// `alerts=service_down:critical,high_cpu:warning`: rules that fire, each named after its type; `alerts=none`: none of them does.
/// Without it nobody evaluates rules.
pub(crate) fn alerts(line: &mut Line) -> Result<Option<Vec<Alert>>, String> {
    let Some(texts) = line.list::<String>("alerts")? else { return Ok(None) };
    let read = |text: &String| {
        let (alert, severity) = text.split_once(':').ok_or(format!("`alerts={text}`: write type:severity"))?;
        let severity = serde_json::from_value(severity.into()).map_err(|error| error.to_string())?;
        let (rule, alert) = (alert.to_owned(), alert.to_owned());
        Ok(Alert { rule, alert, severity, age_ms: 0, ended_ms: None, detail: String::new(), labels: BTreeMap::new() })
    };
    texts.iter().filter(|text| *text != "none").map(read).collect::<Result<_, String>>().map(Some)
}

/// `passed=service_down:critical:5m:1m`: it began five minutes ago and has been over for one; each is a new one.
pub(crate) fn passed(line: &mut Line, now: Time) -> Result<Vec<Passed>, String> {
    let number = u64::try_from(now.unix_millis()).unwrap_or(0);
    let read = |text: &String| {
        let parts: Vec<&str> = text.split(':').collect();
        let [alert, severity, began, ended] = parts[..] else {
            return Err(format!("`passed={text}`: write type:severity:began:ended"));
        };
        let span = |text: &str| text.parse::<Span>().map_err(|error| error.to_string());
        let (rule, alert) = (alert.to_owned(), alert.to_owned());
        let severity = serde_json::from_value(severity.into()).map_err(|error| error.to_string())?;
        let (age_ms, ended_ms) = (span(began)?.as_millis(), Some(span(ended)?.as_millis()));
        let alert = Alert { rule, alert, severity, age_ms, ended_ms, detail: String::new(), labels: BTreeMap::new() };
        Ok(Passed { number, alert })
    };
    line.list::<String>("passed")?.unwrap_or_default().iter().map(read).collect()
}

/// Reads `policy key=value…` into the policy that the host sends from now on.
pub(crate) fn policy(line: &mut Line, policy: &mut Policy) -> Result<(), String> {
    let restart = &mut policy.restart;
    restart.max = line.pair("max")?.unwrap_or(restart.max);
    restart.window = line.pair("window")?.unwrap_or(restart.window);
    restart.backoff = line.pair("backoff")?.unwrap_or(restart.backoff);
    restart.backoff_max = line.pair("backoff_max")?.unwrap_or(restart.backoff_max);
    restart.reset_after = line.pair("reset_after")?.unwrap_or(restart.reset_after);
    restart.settle = line.pair("settle")?.unwrap_or(restart.settle);
    if let Some(codes) = line.list("prevent_exit_codes")? {
        restart.prevent_exit_codes = codes.into_iter().collect();
    }
    if let Some(on) = line.list::<String>("restart_on")? {
        let read = |word: &String| match word.as_str() {
            "exit" => Ok(RestartOn::Exit),
            "probe" => Ok(RestartOn::Probe),
            word => Err(format!("{word} is neither exit nor probe")),
        };
        restart.restart_on = on.iter().map(read).collect::<Result<_, _>>()?;
    }
    match line.pair::<String>("on_operator_stop")?.as_deref() {
        None => {}
        Some("respect") => restart.on_operator_stop = OnOperatorStop::Respect,
        Some("restart") => restart.on_operator_stop = OnOperatorStop::Restart,
        Some(other) => return Err(format!("`on_operator_stop={other}`: it is `respect` or `restart`")),
    }
    policy.start = line.pair("start")?.unwrap_or(policy.start);
    policy.operation_timeout = line.pair("operation_timeout")?.unwrap_or(policy.operation_timeout);
    Ok(())
}
