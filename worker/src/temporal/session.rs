//! A connection for ever: connect, prepare, tell the agent, work; and from the beginning when something breaks.

use super::SessionError;
use super::claim::claim;
use super::connect::{Endpoint, connect};
use super::courier::TemporalCourier;
use super::registry::Slice;
use super::workers::{self, Role};
use super::{namespace, takeover};
use crate::agent::{Handle, Message};
use crate::history::Trouble;
use dixmgr_bind::{HostActivities, LeaseActivities, LeaseStanding, Telling, TellingActivities};
use dixmgr_contract::HostName;
use dixmgr_contract::host::Claim;
use dixmgr_telemetry::events::{TemporalConnected, TemporalLost};
use dixmgr_telemetry::{Event, Metrics};
use futures_util::FutureExt;
use futures_util::future::FusedFuture;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// The workers are made anew now and then: the SDK keeps a few hundred bytes of every activity until then.
const RECYCLE: Duration = Duration::from_secs(24 * 3600);

/// What came of the first attempt to reach the cluster.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Connected and prepared.
    Ready,
    /// Nobody answers; it is tried for ever.
    Unreachable,
    /// The cluster said no: at start, that is the operator's to mend.
    Refused(String),
}

/// What a session needs.
pub(crate) struct Session {
    pub(crate) endpoint: Endpoint,
    pub(crate) host: HostName,
    pub(crate) workflow_ids: BTreeSet<String>,
    pub(crate) activities: HostActivities,
    /// How people are told.
    pub(crate) telling: Arc<Telling>,
    /// This start of dixmgr, and the lease that it wants.
    pub(crate) claim: Claim,
    pub(crate) slice: Slice,
    pub(crate) agent: Handle,
    pub(crate) metrics: Metrics,
    /// Why the history cannot be written, if so.
    pub(crate) history: watch::Receiver<Option<Trouble>>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Session {
    /// Runs until `stop`. `first` hears what came of the first attempt.
    pub(crate) async fn run(self, first: oneshot::Sender<Verdict>) {
        let mut first = Some(first);
        let mut wait = RETRY_FIRST;
        let mut told = String::new();
        let mut configured = false;
        let mut stop = self.stop.clone();
        while !*stop.borrow() {
            let began = Instant::now();
            let result = self.once(&mut first, &mut configured).await;
            if began.elapsed() > RETRY_MAX * 2 {
                (wait, told) = (RETRY_FIRST, String::new());
            }
            let Err(error) = result else { continue };
            let reason = error.to_string();
            // An outage is told once, not with every attempt to end it.
            if std::mem::replace(&mut told, reason.clone()) != reason {
                self.tell(&error, first.is_some());
            }
            self.agent.say(Message::Unlinked).await;
            if let Some(first) = first.take() {
                let _ = first.send(match error {
                    SessionError::Unreachable(_) => Verdict::Unreachable,
                    SessionError::Refused(reason) => Verdict::Refused(reason),
                });
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(RETRY_MAX),
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
    }

    /// A refusal at the very start ends the program, which then says why.
    fn tell(&self, error: &SessionError, at_start: bool) {
        match error {
            SessionError::Unreachable(reason) => {
                TemporalLost { address: &self.endpoint.address, reason }.emit(&self.metrics);
            }
            SessionError::Refused(reason) if !at_start => tracing::error!("{reason}"),
            SessionError::Refused(_) => {}
        }
    }

    /// One life of a connection. Ends well when asked to stop or to begin anew. `configured`: open incidents know this dixmgr's
    /// policy.
    async fn once(
        &self,
        first: &mut Option<oneshot::Sender<Verdict>>,
        configured: &mut bool,
    ) -> Result<(), SessionError> {
        let client = connect(&self.endpoint, Some(&self.metrics)).await?;
        namespace::ensure(&client, &self.endpoint).await?;
        let search_attributes = namespace::search_attributes(&client, &self.endpoint).await;
        let open = takeover::open_workflows(&client, &self.endpoint, &self.workflow_ids).await?;
        self.connected();
        // Whoever is told something shall find somebody at work.
        let (end, ended) = watch::channel(false);
        let spawn = |role| workers::spawn(role, self.endpoint.clone(), self.metrics.clone(), ended.clone()).fuse();
        let telling = TellingActivities::new(Arc::clone(&self.telling), search_attributes);
        let mut fleet = spawn(Role::Fleet(telling.clone()));
        let answer = tokio::select! {
            answer = claim(&client, &self.endpoint, &self.host, &self.claim) => answer,
            result = &mut fleet => Err(lost(result)),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let _ = end.send(true);
                let _ = fleet.await;
                return Err(error);
            }
        };
        let mut host = spawn(Role::Host(self.host.clone(), self.activities.clone()));
        let (leases, standing) = watch::channel(LeaseStanding::default());
        let mut lease = spawn(Role::Lease(self.host.clone(), self.lease(leases)));
        let courier = Arc::new(TemporalCourier::new(client.clone(), self.endpoint.clone(), search_attributes));
        self.agent.say(Message::Linked(courier.clone(), open)).await;
        if answer.was_lost {
            self.agent.say(Message::TellAll).await;
        }
        if let Some(first) = first.take() {
            let _ = first.send(Verdict::Ready);
        }
        let mut stop = self.stop.clone();
        let result = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => Ok(()),
            () = tokio::time::sleep(RECYCLE) => Ok(()),
            result = &mut fleet => Err(lost(result)),
            result = &mut host => Err(lost(result)),
            result = &mut lease => Err(lost(result)),
            error = self.pulse(&client, &courier) => Err(error),
            error = self.stay(&client, standing, configured) => Err(error),
            never = self.tell_of_itself(&client, &telling) => match never {},
        };
        self.agent.say(Message::Unlinked).await;
        let _ = end.send(true);
        for worker in [fleet, host, lease] {
            if !worker.is_terminated() {
                let _ = worker.await;
            }
        }
        result
    }

    fn lease(&self, standing: watch::Sender<LeaseStanding>) -> LeaseActivities {
        let agent = self.agent.clone();
        LeaseActivities {
            holder: self.claim.holder.clone(),
            stop: self.stop.clone(),
            heard_again: Arc::new(move || agent.tell_all()),
            standing,
        }
    }

    pub(super) fn connected(&self) {
        TemporalConnected { address: &self.endpoint.address, namespace: &self.endpoint.namespace }.emit(&self.metrics);
    }
}

fn lost(result: Result<anyhow::Result<()>, oneshot::error::RecvError>) -> SessionError {
    match result {
        Ok(Ok(())) => SessionError::Unreachable("a worker has ended by itself".to_owned()),
        Ok(Err(error)) => SessionError::Unreachable(format!("{error:#}")),
        Err(_) => SessionError::Unreachable("a worker's thread has died".to_owned()),
    }
}
