//! The time of one look: how much of it is left, and how much of it counts.

use super::{failure::Failure, resolve::Resolver};
use std::{net::IpAddr, time::Duration};
use tokio::time::Instant;

/// Runs from the beginning of a look.
#[derive(Debug)]
pub(crate) struct Clock {
    begun: Instant,
    until: Instant,
    /// In which names were looked up: that is the resolver's time, and not the endpoint's.
    resolving: Duration,
}

impl Clock {
    pub(crate) fn start(timeout: Duration) -> Self {
        let begun = Instant::now();
        Self { begun, until: begun + timeout, resolving: Duration::ZERO }
    }

    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
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
