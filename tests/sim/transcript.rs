//! How a step of the machine is written down: for a reader who was not there.

use dixmgr_contract::alert::SERVICE_DOWN;
use dixmgr_contract::{Alert, ServiceStatus, Span, Time, UnitState};
use dixmgr_decide::{Action, Service};
use std::fmt::Write;

/// `00:01:05.250`, from the beginning of the scenario.
pub(crate) fn clock(start: Time, at: Time) -> String {
    let millis = at.since(start).as_millis();
    let (seconds, millis) = (millis / 1000, millis % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The phase after a step, in one line, and what is to be done.
pub(crate) fn step(service: &Service, before: &str, actions: &[Action], start: Time, now: Time) -> String {
    let status = service.status(now);
    let mut text = format!("    {}  ", clock(start, now));
    if before != status.phase.as_str() {
        write!(text, "{before} -> ").unwrap();
    }
    write!(text, "{}", status.phase).unwrap();
    if !status.detail.is_empty() {
        write!(text, " ({})", status.detail).unwrap();
    }
    let max = service.spec.policy.restart.max;
    write!(text, "; restarts {} of {max}", status.restarts.in_window).unwrap();
    match service.wake_at() {
        Some(at) => writeln!(text, "; alarm {}", clock(start, at)).unwrap(),
        None => writeln!(text, "; no alarm").unwrap(),
    }
    for line in actions.iter().map(action) {
        writeln!(text, "                  {line}").unwrap();
    }
    text
}

fn action(action: &Action) -> String {
    match action {
        Action::Act(order) => {
            let guard = &order.guard;
            let run = guard.invocation.as_deref().map_or("no run".to_owned(), |run| format!("run {run}"));
            let counted = if guard.restarts_failure { ", counted" } else { "" };
            let waited: String =
                guard.waited.iter().map(|(name, span)| format!("; waited {span} for {name}")).collect();
            format!("ACT {} #{} on {run}{counted}: {}{waited}", order.verb, guard.generation, guard.reason)
        }
        Action::Withdraw { generation } => format!("WITHDRAW order {generation}"),
        Action::Report(report) => format!("REPORT {:?}: {}", report.kind, report.text),
        Action::Raise(raise) => {
            let rules: Vec<_> = raise
                .report
                .alerts
                .iter()
                .map(|alert| format!("{} {}{}", alert.rule, alert.severity, over(alert)))
                .collect();
            let rules = if rules.is_empty() { "nothing".to_owned() } else { rules.join(", ") };
            let cause = raise.cause.as_ref().map(|cause| match (&cause.service, &cause.host) {
                (Some(service), _) if cause.alert == SERVICE_DOWN => format!(", because of {service}"),
                (Some(service), _) => format!(", because of {} {service}", cause.alert),
                (None, Some(host)) => format!(", because of {} {host}", cause.alert),
                (None, None) => format!(", because of {}", cause.alert),
            });
            let cause = cause.unwrap_or_default();
            let paused = raise.report.paused_by.as_ref().map(|by| format!(", paused by {by}")).unwrap_or_default();
            format!("RAISE {}: {rules}{cause}{paused}", raise.alert)
        }
        Action::Answer(answer) => match &answer.result {
            Ok(text) => format!("ANSWER {} done: {text}", answer.id),
            Err(text) => format!("ANSWER {} refused: {text}", answer.id),
        },
        Action::Subscribe(to) => format!("SUBSCRIBE to {}", to.workflow_id),
        Action::Tell { workflow_id, readiness } => {
            let ready = if readiness.ready { "ready" } else { "not ready" };
            let run = readiness.run.as_deref().unwrap_or("-");
            format!("TELL {workflow_id}: {ready} (run {run}, revision {})", readiness.revision)
        }
        Action::Wait(wait) => {
            let names: Vec<_> = wait.dependencies.iter().map(ToString::to_string).collect();
            format!("WAIT for {} of {}, {}", serde_json::json!(wait.mode), names.join(", "), wait.timeout)
        }
        Action::End => "END".to_owned(),
        Action::TellWait(missing) => {
            let names: Vec<_> = missing.iter().map(ToString::to_string).collect();
            format!(
                "TELL the wait: missing are {}",
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            )
        }
        Action::EndWait => "END the wait".to_owned(),
        Action::Publish(phase) => format!("PUBLISH {phase}"),
        Action::Checkpoint => "CHECKPOINT".to_owned(),
    }
}

/// The statement `status`: what people would see.
pub(crate) fn status(status: &ServiceStatus, start: Time) -> String {
    let mut text = format!("    phase {} since {}", status.phase, clock(start, status.since));
    if !status.detail.is_empty() {
        write!(text, " ({})", status.detail).unwrap();
    }
    let restarts = &status.restarts;
    write!(text, "\n    generation {}, revision {}", status.generation, status.revision).unwrap();
    write!(text, ", restarts {} in window, {} in total", restarts.in_window, restarts.total).unwrap();
    if let Some(at) = restarts.next_at {
        write!(text, ", next at {}", clock(start, at)).unwrap();
    }
    if let Some(failure) = &status.last_failure {
        write!(text, "\n    last failure at {}: {}", clock(start, failure.at), failure.reason).unwrap();
        let recovered = |after: Span| format!(", recovered after {after}");
        text.push_str(&failure.recovered_after.map_or(", not recovered".to_owned(), recovered));
    }
    if !status.waiting_for.is_empty() {
        let names: Vec<_> = status.waiting_for.iter().map(ToString::to_string).collect();
        write!(text, "\n    waiting for {}", names.join(", ")).unwrap();
    }
    if let Some(by) = &status.paused_by {
        write!(text, "\n    paused by {by}").unwrap();
    }
    text.push('\n');
    text
}

/// What a simulated host says, in one line.
pub(crate) fn unit(unit: &UnitState) -> String {
    let run = unit.invocation.as_deref().unwrap_or("-");
    let ending = if unit.is_up() { String::new() } else { format!(", {}", unit.ending()) };
    format!("unit {} (run {run}{ending})", unit.active)
}

/// Whether it was over when it was told, and for how long.
fn over(alert: &Alert) -> String {
    alert.ended_ms.map(|ended| format!(" over for {}", Span::from_millis(ended))).unwrap_or_default()
}
