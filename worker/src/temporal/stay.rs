//! What a host sees to while its session lasts: that the fleet knows it, and that it has its name.
//!
//! The lease's activity waits for this host on a queue, for as long as it takes. A task that was given to somebody who does not hold
//! it (a poll that died with its cable, a foreign worker) would be waited for in vain: a name that was granted and does not come is
//! asked for again, which brings another lease, and if that does not help, over a new connection.

use super::SessionError;
use super::claim::claim;
use super::incidents;
use super::session::Session;
use crate::agent::Message;
use dixmgr_bind::LeaseStanding;
use dixmgr_telemetry::Event;
use dixmgr_telemetry::events::LeaseOverdue;
use std::time::Duration;
use temporalio_client::Client;
use tokio::sync::watch;

/// A lease comes within milliseconds. It is given up so long after what it lasts: a claim that comes while the grant of the one before
/// holds (`decide/host/claim.rs`) keeps the same lease.
const OVERDUE: Duration = Duration::from_secs(5);

/// Why the name has to be asked for again.
#[derive(Debug, PartialEq, Eq)]
enum Need {
    /// Somebody has ended the lease.
    Ended,
    /// The lease has not come.
    Overdue,
}

impl Session {
    /// Tells the fleet of this host, and asks for the host's name again whenever it has to. Ends when the session has to begin anew.
    pub(super) async fn stay(
        &self,
        client: &Client,
        mut standing: watch::Receiver<LeaseStanding>,
        configured: &mut bool,
    ) -> SessionError {
        if let Err(error) = self.slice.tell(client, &self.endpoint).await {
            return error;
        }
        // The policy is that of this dixmgr's start, so once is enough.
        if self.telling.enabled && !*configured {
            *configured = incidents::configure(client, &self.endpoint, &self.telling.policy).await;
        }
        let patience = self.claim.lease_timeout.duration() + OVERDUE;
        let (mut ended, mut is_second) = (0, false);
        loop {
            let need = need(&mut standing, &mut ended, patience).await;
            if need == Need::Overdue {
                LeaseOverdue { host: self.host.as_str(), after: patience }.emit(&self.metrics);
                if is_second {
                    return SessionError::Unreachable("the host's lease does not come".to_owned());
                }
            }
            is_second = need == Need::Overdue;
            match claim(client, &self.endpoint, &self.host, &self.claim).await {
                Ok(answer) if answer.was_lost => self.agent.say(Message::TellAll).await,
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }
}

/// Waits until the name has to be asked for. `ended`: how many ends are known.
async fn need(standing: &mut watch::Receiver<LeaseStanding>, ended: &mut u64, patience: Duration) -> Need {
    loop {
        let now = *standing.borrow_and_update();
        if std::mem::replace(ended, now.ended) != now.ended {
            return Need::Ended;
        }
        let patience = if now.is_held { Duration::MAX } else { patience };
        match tokio::time::timeout(patience, standing.changed()).await {
            Ok(Ok(())) => {}
            // The worker has ended, and the session with it.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => return Need::Overdue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_does_not_come_is_overdue_and_one_that_runs_never_is() {
        let (sender, mut standing) = watch::channel(LeaseStanding::default());
        let mut ended = 0;
        let begun = tokio::time::Instant::now();
        assert_eq!(need(&mut standing, &mut ended, PATIENCE).await, Need::Overdue);
        assert_eq!(begun.elapsed(), PATIENCE);
        sender.send_modify(|standing| standing.is_held = true);
        let day = Duration::from_secs(86_400);
        assert!(tokio::time::timeout(day, need(&mut standing, &mut ended, PATIENCE)).await.is_err());
        // It ends by itself, and another one is on its way.
        sender.send_modify(|standing| standing.is_held = false);
        assert_eq!(need(&mut standing, &mut ended, PATIENCE).await, Need::Overdue);
    }

    #[tokio::test(start_paused = true)]
    async fn each_end_is_heard_once() {
        let (sender, mut standing) = watch::channel(LeaseStanding { is_held: true, ended: 0 });
        let mut ended = 0;
        sender.send_modify(|standing| *standing = LeaseStanding { is_held: false, ended: 1 });
        assert_eq!(need(&mut standing, &mut ended, PATIENCE).await, Need::Ended);
        assert_eq!(need(&mut standing, &mut ended, PATIENCE).await, Need::Overdue);
    }
}
