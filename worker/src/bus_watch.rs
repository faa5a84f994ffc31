//! The breaker of D-Bus, shown: the connection to systemd is it, and `dixmgr_systemd` knows how it stands.
//!
//! Apart from the agent, which hears of a connection that is lost or back, but not of the tries in between.

use dixmgr_systemd::Connection;
use dixmgr_telemetry::{BreakerPosition, Metrics};
use tokio::sync::watch;

/// Shows it for as long as there is a connection to follow.
pub(crate) async fn show(mut connection: watch::Receiver<Connection>, metrics: Metrics) {
    loop {
        let position = match *connection.borrow_and_update() {
            Connection::Standing => BreakerPosition::Closed,
            Connection::Waiting => BreakerPosition::Open,
            Connection::Trying => BreakerPosition::HalfOpen,
        };
        metrics.systemd_breaker(position);
        if connection.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_telemetry::Room;

    #[tokio::test]
    async fn each_state_has_its_number_until_nobody_knows_any_more() {
        for (stands, number) in [(Connection::Standing, 0), (Connection::Trying, 1), (Connection::Waiting, 2)] {
            let metrics = Metrics::new("dixmgr", Room::of(1)).unwrap();
            let (sender, receiver) = watch::channel(stands);
            drop(sender);
            show(receiver, metrics.clone()).await;
            let line = format!("dixmgr_systemd_breaker_state {number}\n");
            assert!(metrics.render().unwrap().contains(&line), "{line}");
        }
    }
}
