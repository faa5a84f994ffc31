//! What is wrong with this dixmgr itself, told to people: its history cannot be written.
//!
//! Whole states, like everything that is told: that all is well is told at the begin of each session, so an incident that an earlier
//! dixmgr has left open ends; what is still wrong is told again each hour, should somebody have ended its incident by hand.

use super::session::Session;
use crate::history::Trouble;
use dixmgr_bind::TellingActivities;
use dixmgr_contract::alert::{HISTORY_DEGRADED, MAX_DETAIL};
use dixmgr_contract::{Alert, HostName, Raise, Severity, Time};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, SystemTime};
use temporalio_client::Client;

const AGAIN: Duration = Duration::from_secs(3600);
const RETRY: Duration = Duration::from_secs(5);

impl Session {
    /// Tells it for as long as the session lasts.
    pub(super) async fn tell_of_itself(&self, client: &Client, telling: &TellingActivities) -> Infallible {
        let mut history = self.history.clone();
        loop {
            let trouble = history.borrow_and_update().clone();
            let raise = raise(&self.host, trouble.as_ref(), Time::from(SystemTime::now()));
            let rest = match telling.report_own(client, &self.endpoint.prefix, raise).await {
                Ok(()) if trouble.is_none() => Duration::MAX,
                Ok(()) => AGAIN,
                Err(error) => {
                    tracing::debug!("how the history is cannot be told; it is tried again: {error}");
                    RETRY
                }
            };
            // Whoever could say something new is gone only when the program ends.
            if let Ok(Err(_)) = tokio::time::timeout(rest, history.changed()).await {
                return std::future::pending().await;
            }
        }
    }
}

/// What the incident is told. It believes the newest.
fn raise(host: &HostName, trouble: Option<&Trouble>, now: Time) -> Raise {
    let alert = |trouble: &Trouble| Alert {
        rule: "HistoryDegraded".to_owned(),
        alert: HISTORY_DEGRADED.to_owned(),
        severity: Severity::Warning,
        age_ms: now.since(trouble.since).as_millis(),
        ended_ms: None,
        detail: format!("{}; supervision goes on", trouble.text).chars().take(MAX_DETAIL).collect(),
        labels: BTreeMap::new(),
    };
    let revision = u64::try_from(now.unix_millis()).unwrap_or(0);
    Raise::of_host(host.clone(), HISTORY_DEGRADED, trouble.map(alert).into_iter().collect(), revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_contract::Span;

    #[test]
    fn a_history_that_cannot_be_written_is_trouble_of_its_host_and_one_that_can_is_none() {
        let (host, now) = (HostName::new("alpha").unwrap(), Time::from_unix_millis(1_000_000));
        let trouble = Trouble { since: now.earlier(Span::from_secs(3)), text: "x".repeat(1_000) };
        let bad = raise(&host, Some(&trouble), now);
        assert_eq!((bad.report.member(), bad.report.revision), ("host alpha".to_owned(), 1_000_000));
        let [alert] = &bad.report.alerts[..] else { panic!("{bad:?}") };
        assert_eq!((alert.age_ms, alert.detail.len()), (3_000, MAX_DETAIL));
        let well = raise(&host, None, now.after(Span::from_secs(1)));
        assert!(well.report.alerts.is_empty() && well.report.revision > bad.report.revision);
    }
}
