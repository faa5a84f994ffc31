//! The time of one look: how much of it is left, and how much of it counts.

use super::{failure::Failure, resolve::Resolver};
use dixmgr_contract::Span;
use std::{net::IpAddr, time::Duration};
use tokio::time::{Instant, timeout};

/// Runs from the beginning of a look.
#[derive(Debug)]
pub(crate) struct Clock {
    begun: Instant,
    limit: Duration,
    /// In which names were looked up: that is the resolver's time, and not the endpoint's.
    resolving: Duration,
}

impl Clock {
    pub(crate) fn start(limit: Duration) -> Self {
        Self { begun: Instant::now(), limit, resolving: Duration::ZERO }
    }

    /// All that there was at the beginning.
    pub(crate) const fn limit(&self) -> Duration {
        self.limit
    }

    /// `answer`, which the endpoint owes before the `limit` is over.
    pub(crate) async fn in_time<T>(
        limit: Duration,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        timeout(limit, answer).await.unwrap_or_else(|_| {
            let after = Span::from_millis(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
            Err(Failure::Theirs(format!("no answer in full within {after}")))
        })
    }

    pub(crate) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.begun.elapsed())
    }

    /// What the endpoint has taken so far.
    pub(crate) fn took(&self) -> Duration {
        self.begun.elapsed().saturating_sub(self.resolving)
    }

    /// The addresses of `host`. The resolver's own silence is told as such, before the time is up.
    pub(crate) async fn resolve(&mut self, resolver: &Resolver, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let begun = Instant::now();
        let found = resolver.addresses(host, self.left() * 3 / 4).await;
        self.resolving += begun.elapsed();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, mpsc};

    #[tokio::test(start_paused = true)]
    async fn the_time_of_the_resolver_is_not_the_endpoints() {
        let (shut, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let resolver = Resolver::over(move |_| {
            let _opened = gate.lock().unwrap().recv();
            Ok(Vec::new())
        });
        let mut clock = Clock::start(Duration::from_secs(4));
        tokio::time::advance(Duration::from_millis(400)).await;
        assert!(matches!(clock.resolve(&resolver, "hang").await, Err(Failure::Ours(_))));
        tokio::time::advance(Duration::from_millis(300)).await;
        assert_eq!(clock.took(), Duration::from_millis(700));
        assert_eq!(clock.left(), Duration::from_millis(600), "it is told in time");
        drop(shut);
    }
}
