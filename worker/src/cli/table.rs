//! What was, as lines for people.

use dixmgr_contract::{Span, Time};
use dixmgr_history::{Entry, Incident, Line, ServiceUptime};

/// One line for each entry; with its host, if there are several.
pub(super) fn history(lines: &[Line]) -> String {
    let several = lines.iter().any(|line| line.host != lines[0].host);
    lines
        .iter()
        .map(|line| {
            let host = if several { format!("{:<16} ", line.host) } else { String::new() };
            let (service, what, more) = entry(&line.entry);
            format!("{}  {host}{service:<24} {what:<12} {more}", line.entry.at()).trim_end().to_owned() + "\n"
        })
        .collect()
}

/// Whose it is, what it is in a word, and more.
fn entry(entry: &Entry) -> (&str, &str, String) {
    match entry {
        Entry::Transition(it) => (&it.service, &it.phase, it.reason.clone()),
        Entry::Restart(it) => {
            let reason = if it.reason.is_empty() { String::new() } else { format!(" ({})", it.reason) };
            let detail = if it.detail.is_empty() { String::new() } else { format!(": {}", it.detail) };
            (&it.service, "restart", format!("{} in {}{detail}{reason}", it.result, it.took))
        }
        Entry::Incident(it) => (&it.service, "incident", incident(it)),
        Entry::Member(it) => (&it.service, "member", format!("of {}", it.incident)),
        Entry::Note(it) => {
            let detail = if it.detail.is_empty() { String::new() } else { format!(": {}", it.detail) };
            (&it.service, "note", format!("{} to {} {}{detail}; {}", it.why, it.channel, it.outcome, it.title))
        }
        Entry::Action(it) => {
            let detail = if it.detail.is_empty() { String::new() } else { format!(" ({})", it.detail) };
            (&it.service, &it.action, format!("by {}: {}{detail}", it.who, it.result))
        }
        Entry::Interval(it) => (&it.service, it.state.as_str(), it.cause.clone()),
        Entry::Usage(it) => (&it.service, "usage", format!("{:.1} % CPU, {:.0} bytes", it.cpu_percent, it.memory)),
        Entry::Probe(it) => (&it.service, "probe", format!("{}: {} of {} failed", it.probe, it.failed, it.samples)),
    }
}

fn incident(it: &Incident) -> String {
    let end = it.ended.map(|ended| format!("; over after {}", ended.since(it.began))).unwrap_or_default();
    let by = if it.acknowledged_by.is_empty() { String::new() } else { format!("; {} cares", it.acknowledged_by) };
    format!("{} {}: {}{end}{by}", it.severity, it.alert, it.title)
}

/// One line for each service, under a heading.
pub(super) fn uptime(services: &[ServiceUptime]) -> String {
    let line = |name: &str, cells: [&str; 7]| {
        let [percent, outages, mtbf, mttr, down, unknown, off] = cells;
        let text =
            format!("{name:<24} {percent:>9} {outages:>9} {mtbf:>12} {mttr:>12} {down:>12} {unknown:>12} {off:>12}");
        text + "\n"
    };
    let several = services.iter().any(|one| one.host != services[0].host);
    let rows = services.iter().map(|one| {
        let name = if several { format!("{}@{}", one.service, one.host) } else { one.service.clone() };
        let percent = one.percent.map_or_else(|| "-".to_owned(), percent);
        let (outages, mean) = (one.uptime.outages.to_string(), |span: Option<Span>| span.map_or("-".to_owned(), short));
        let times = [one.uptime.down, one.uptime.unknown, one.uptime.off].map(short);
        let [down, unknown, off] = &times;
        line(&name, [&percent, &outages, &mean(one.mtbf), &mean(one.mttr), down, unknown, off])
    });
    let heading = line("SERVICE", ["UP", "INCIDENTS", "MTBF", "MTTR", "DOWN", "UNKNOWN", "OFF"]);
    std::iter::once(heading).chain(rows).collect()
}

/// Rounded down: what was down for a second is not shown as 100 %.
fn percent(of: f64) -> String {
    format!("{:.3}%", (of * 1000.0).floor() / 1000.0)
}

/// To the second; milliseconds only of what is shorter.
fn short(span: Span) -> String {
    let millis = span.as_millis();
    if millis < 1000 { span.to_string() } else { Span::from_secs(millis / 1000).to_string() }
}

/// One line for each incident.
pub(super) fn incidents(incidents: &[Incident], now: Time) -> String {
    incidents
        .iter()
        .map(|it| {
            let state = match it.ended {
                Some(ended) => format!("over after {}", short(ended.since(it.began))),
                None => format!("lasts {}", short(now.since(it.began))),
            };
            let members = if it.members > 1 { format!("; {} services", it.members) } else { String::new() };
            let by =
                if it.acknowledged_by.is_empty() { String::new() } else { format!("; {} cares", it.acknowledged_by) };
            let (began, severity) = (it.began, it.severity.as_str());
            format!("{began}  {severity:<8} {:<24} {:<20} {}; {state}{members}{by}\n", it.service, it.alert, it.title)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_history::{Restart, State, Transition, Uptime};

    fn at(seconds: i64) -> Time {
        Time::from_unix_millis(1_700_000_000_000 + seconds * 1000)
    }

    #[test]
    fn what_happened_is_a_line_each() {
        let transition = Transition {
            service: "api".into(),
            at: at(0),
            state: State::Down,
            phase: "down".into(),
            reason: "signal 9".into(),
        };
        let restart = Restart {
            service: "api".into(),
            at: at(1),
            reason: "signal 9".into(),
            result: "done".into(),
            detail: String::new(),
            took: Span::from_millis(12),
        };
        let line = |host: &str, entry| Line { host: host.into(), entry };
        let lines = [line("alpha", Entry::Transition(transition)), line("alpha", Entry::Restart(restart))];
        assert_eq!(
            history(&lines),
            "2023-11-14T22:13:20.000Z  api                      down         signal 9\n\
             2023-11-14T22:13:21.000Z  api                      restart      done in 12ms (signal 9)\n"
        );
        assert!(history(&[lines[0].clone(), line("beta", lines[1].entry.clone())]).contains("beta  "));
        assert_eq!(history(&[]), "");
    }

    #[test]
    fn a_second_down_is_not_a_hundred_percent() {
        let uptime =
            Uptime { up: Span::from_secs(2_591_999), down: Span::from_secs(1), outages: 1, ..Uptime::default() };
        let (percent, mtbf) = (uptime.percent(), uptime.mtbf());
        let one = ServiceUptime { host: "alpha".into(), service: "api".into(), uptime, percent, mtbf, mttr: None };
        let text = super::uptime(&[one]);
        assert!(text.starts_with("SERVICE ") && text.contains("99.999%") && text.contains("719h59m59s"), "{text}");
    }

    #[test]
    fn an_incident_says_whether_it_lasts() {
        let incident = Incident {
            id: "i".into(),
            began: at(0),
            updated: at(0),
            ended: None,
            alert: "service_down".into(),
            severity: dixmgr_contract::Severity::Critical,
            service: "api".into(),
            title: "api is down".into(),
            members: 3,
            acknowledged_by: "ada".into(),
        };
        let text = incidents(&[incident.clone(), Incident { ended: Some(at(5)), ..incident }], at(90));
        assert!(text.contains("api is down; lasts 1m30s; 3 services; ada cares\n"), "{text}");
        assert!(text.contains("; over after 5s; 3 services"), "{text}");
    }
}
