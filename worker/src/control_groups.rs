//! Where the processes of services are, as systemd says.
//!
//! Asked beside measuring, never in front of it: a systemd that answers late holds up no sample, and a unit that it says nothing of
//! keeps nobody else from being found.

use dixmgr_contract::UnitName;
use dixmgr_systemd::UnitReader;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout_at};

/// One search at a time.
pub(crate) struct Search {
    reader: Arc<dyn UnitReader>,
    /// Where what is found arrives, while it goes on.
    found: Option<UnboundedReceiver<(usize, String)>>,
}

impl Search {
    pub(crate) const fn new(reader: Arc<dyn UnitReader>) -> Self {
        Self { reader, found: None }
    }

    /// Asks for the control groups of units, one after the other, unless others are still being asked for.
    pub(crate) fn begin(&mut self, lost: Vec<(usize, UnitName)>) {
        if self.found.is_some() || lost.is_empty() {
            return;
        }
        let (tell, found) = unbounded_channel();
        let reader = Arc::clone(&self.reader);
        tokio::spawn(async move {
            for (index, unit) in lost {
                // Whoever cannot be found is asked for again by the next search. Without systemd, all are refused at once.
                let Ok(control_group) = reader.control_group(&unit).await else { continue };
                if tell.send((index, control_group)).is_err() {
                    return;
                }
            }
        });
        self.found = Some(found);
    }

    /// What has been found by now. The rest is waited for, but for no longer than `patience`.
    pub(crate) async fn found(&mut self, patience: Duration) -> Vec<(usize, String)> {
        let until = Instant::now() + patience;
        let mut all = Vec::new();
        while let Some(found) = &mut self.found {
            match timeout_at(until, found.recv()).await {
                Ok(Some(one)) => all.push(one),
                Ok(None) => self.found = None,
                Err(_) => break,
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_contract::{FailureKind, UnitState};
    use dixmgr_systemd::ActError;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use tokio::sync::Notify;

    /// Says nothing of `ill.service`, and of `late.service` only when it is told to.
    #[derive(Default)]
    struct Odd(Notify);

    impl UnitReader for Odd {
        fn look<'a>(&'a self, _unit: &'a UnitName) -> BoxFuture<'a, Result<UnitState, ActError>> {
            async { Err(ActError::new(FailureKind::BusUnavailable, "not asked here")) }.boxed()
        }

        fn control_group<'a>(&'a self, unit: &'a UnitName) -> BoxFuture<'a, Result<String, ActError>> {
            async move {
                match unit.as_str() {
                    "ill.service" => return Err(ActError::new(FailureKind::BusUnavailable, "no answer")),
                    "late.service" => self.0.notified().await,
                    _ => {}
                }
                Ok(format!("/{unit}"))
            }
            .boxed()
        }
    }

    const DEADLINE: Duration = Duration::from_secs(30);

    fn lost(names: [&str; 2]) -> Vec<(usize, UnitName)> {
        names.iter().map(|name| name.parse().unwrap()).enumerate().collect()
    }

    #[tokio::test]
    async fn a_unit_that_cannot_be_found_keeps_nobody_else_from_being_found() {
        let mut search = Search::new(Arc::new(Odd::default()));
        search.begin(lost(["ill.service", "api.service"]));
        assert_eq!(search.found(DEADLINE).await, [(1, "/api.service".to_owned())]);
    }

    #[tokio::test]
    async fn a_systemd_that_answers_late_is_not_waited_for_and_not_asked_twice() {
        let systemd = Arc::new(Odd::default());
        let mut search = Search::new(Arc::clone(&systemd) as Arc<dyn UnitReader>);
        search.begin(lost(["late.service", "api.service"]));
        assert_eq!(search.found(Duration::from_millis(1)).await, []);
        search.begin(lost(["api.service", "late.service"]));
        systemd.0.notify_one();
        let expected = [(0, "/late.service".to_owned()), (1, "/api.service".to_owned())];
        assert_eq!(search.found(DEADLINE).await, expected, "the first search has gone on");
        search.begin(lost(["api.service", "ill.service"]));
        assert_eq!(search.found(DEADLINE).await, [(0, "/api.service".to_owned())]);
    }
}
