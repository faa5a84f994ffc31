//! The cluster's pulse: what a connection that nobody uses would not tell.
//!
//! The workers and the agent's deliveries come back by themselves after an outage. But people want to know of it, whatever
//! waited for this host's answer must hear from it again, and a server that has lost its data, or another one behind the
//! same address, knows neither our search attributes nor our workflows: then the session begins anew.
//!
//! Nobody asks much while all is well: each host of a fleet would ask the same server. A request of ours that fails, a poll
//! that breaks off among them, is reason enough to feel the pulse at once; a network that swallows everything is found out
//! by the connection's own keep-alive (30 s, and 15 s for an answer), which breaks the polls off too.

use super::SessionError;
use super::courier::TemporalCourier;
use super::session::Session;
use super::takeover;
use crate::agent::Message;
use dixmgr_telemetry::Event;
use dixmgr_telemetry::events::TemporalLost;
use std::sync::Arc;
use std::time::{Duration, Instant};
use temporalio_client::Client;
use temporalio_client::tonic::IntoRequest;
use temporalio_common::protos::temporal::api::workflowservice::v1::GetClusterInfoRequest;

/// How often the pulse is felt while nothing fails.
const PULSE: Duration = Duration::from_secs(300);
/// How soon after a request of ours has failed.
const TROUBLE: Duration = Duration::from_millis(250);
/// How often it is felt while there is none.
const NO_PULSE: Duration = Duration::from_secs(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is counted which workflows are open: one that somebody has ended is started again.
const CENSUS: Duration = Duration::from_secs(600);

impl Session {
    /// Feels the pulse until the session has to begin anew, and says why.
    pub(super) async fn pulse(&self, client: &Client, courier: &Arc<TemporalCourier>) -> SessionError {
        let mut cluster = beat(client).await.ok();
        let mut alive = true;
        let mut counted = Instant::now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(if alive { PULSE } else { NO_PULSE }) => {}
                () = self.endpoint.trouble.notified(), if alive => tokio::time::sleep(TROUBLE).await,
                reason = courier.refused() => return SessionError::Unreachable(reason),
            }
            match beat(client).await {
                Ok(now) if *cluster.get_or_insert_with(|| now.clone()) != now => {
                    return SessionError::Unreachable("another cluster answers there now".to_owned());
                }
                Ok(_) if !alive || counted.elapsed() > CENSUS => {
                    let ids = &self.workflow_ids;
                    let Ok(open) = takeover::open_workflows(client, &self.endpoint, ids).await else { continue };
                    counted = Instant::now();
                    if std::mem::replace(&mut alive, true) {
                        self.agent.say(Message::Census(open)).await;
                    } else {
                        self.connected();
                        self.agent.say(Message::Linked(Arc::clone(courier) as Arc<_>, open)).await;
                    }
                }
                Err(reason) if alive => {
                    alive = false;
                    TemporalLost { address: &self.endpoint.address, reason: &reason }.emit(&self.metrics);
                }
                _ => {}
            }
        }
    }
}

/// A question that names the answerer: the cluster's id, which a server makes with its database.
async fn beat(client: &Client) -> Result<String, String> {
    let mut request = GetClusterInfoRequest {}.into_request();
    request.set_timeout(PATIENCE);
    let answer = client.connection().workflow_service().get_cluster_info(request).await;
    answer.map(|info| info.into_inner().cluster_id).map_err(|status| status.message().to_owned())
}
