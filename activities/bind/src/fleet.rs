//! The activities of the fleet's queue: any host may do them.

// The macro generates undocumented constants beside each activity.
#![allow(missing_docs)]

use crate::beat::{beating, beating_until_stopped};
use crate::call::Call;
use crate::post::{Post, PostError};
use crate::telling::{TellingActivities, until_stopped};
use crate::unit::failure;
use dixmgr_contract::activity::Subscription;
use dixmgr_contract::cluster::ClusterReport;
use dixmgr_contract::host::{HostReport, LossMark};
use dixmgr_contract::id::{SIGNAL_COMMAND, SIGNAL_HOST_LOST, SIGNAL_RETIRE, SIGNAL_SUBSCRIBE, prefix_of};
use dixmgr_contract::plan::{FanOut, FannedOut, ForgetHost, Retire};
use dixmgr_contract::{Command, Subscribe};
use dixmgr_telemetry::events::{ClusterNews, HostNews};
use dixmgr_telemetry::{Event, Metrics};
use std::sync::Arc;
use temporalio_macros::activities;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

/// What any host does for the fleet. Cheap to clone.
#[derive(Clone)]
pub struct FleetActivities {
    /// Where events go.
    pub metrics: Metrics,
    /// Tells people of hosts that are lost.
    pub telling: TellingActivities,
}

#[activities]
impl FleetActivities {
    /// Subscribes a workflow to the readiness of a service. One that does not exist yet is tried again by Temporal.
    #[activity(name = "SubscribeActivity")]
    pub async fn subscribe(
        self: Arc<Self>,
        ctx: ActivityContext,
        call: Call<Subscription>,
    ) -> Result<(), ActivityError> {
        let Subscription { to, subscriber } = call.read().map_err(failure)?;
        let post = Post::new(ctx.client());
        post.signal(&to, SIGNAL_SUBSCRIBE, &Subscribe { workflow_id: subscriber }).await.map_err(again)
    }

    /// Tells each service of a host that nobody sees it any more.
    #[activity(name = "MarkHostLostActivity")]
    pub async fn mark_lost(self: Arc<Self>, ctx: ActivityContext, call: Call<LossMark>) -> Result<(), ActivityError> {
        let mark = call.read().map_err(failure)?;
        let own = ctx.info().workflow_id.clone().unwrap_or_default();
        let post = Post::new(ctx.client());
        let services = beating(&ctx, post.services_of(prefix_of(&own), &mark.host)).await.map_err(again)?;
        let missed = beating(&ctx, post.signal_each(&services, SIGNAL_HOST_LOST, &mark)).await.missed();
        if missed > 0 {
            let text = format!("{missed} of {} services could not be told", services.len());
            return Err(again(PostError::Failed(text)));
        }
        Ok(())
    }

    /// Ends the watching of services.
    #[activity(name = "RetireServicesActivity")]
    pub async fn retire(self: Arc<Self>, ctx: ActivityContext, call: Call<Retire>) -> Result<(), ActivityError> {
        let Retire { host, workflow_ids } = call.read().map_err(failure)?;
        let post = Post::new(ctx.client());
        let from = ForgetHost { host };
        let missed = beating(&ctx, post.signal_each(&workflow_ids, SIGNAL_RETIRE, &from)).await.missed();
        if missed > 0 { Err(again(PostError::Failed(format!("{missed} could not be told")))) } else { Ok(()) }
    }

    /// Sends one command to many services.
    #[activity(name = "FanOutActivity")]
    pub async fn fan_out(
        self: Arc<Self>,
        ctx: ActivityContext,
        call: Call<FanOut>,
    ) -> Result<FannedOut, ActivityError> {
        let FanOut { id, command, by, reason, workflow_ids, .. } = call.read().map_err(failure)?;
        let post = Post::new(ctx.client());
        let command = Command { id, command, by, reason, to_all: true };
        Ok(beating(&ctx, post.signal_each(&workflow_ids, SIGNAL_COMMAND, &command)).await.into())
    }

    /// Tells people what happened to a host, and writes it down once that is done, or nobody is told.
    #[activity(name = "ReportHostActivity")]
    pub async fn report_host(
        self: Arc<Self>,
        ctx: ActivityContext,
        report: Call<HostReport>,
    ) -> Result<(), ActivityError> {
        let report = report.read().map_err(failure)?;
        self.telling.unless_another_should(&report, ctx.info().attempt)?;
        until_stopped(beating_until_stopped(&ctx, self.telling.report_host(&ctx, &report)).await)?;
        HostNews(&report).emit(&self.metrics);
        Ok(())
    }

    /// Writes down what happened to a cluster.
    #[activity(name = "ReportClusterActivity")]
    pub async fn report_cluster(
        self: Arc<Self>,
        _ctx: ActivityContext,
        report: Call<ClusterReport>,
    ) -> Result<(), ActivityError> {
        ClusterNews(&report.read().map_err(failure)?).emit(&self.metrics);
        Ok(())
    }
}

/// Temporal tries it again.
pub(crate) fn again(error: PostError) -> ActivityError {
    let kind = match &error {
        PostError::NoWorkflow(_) => "NoWorkflow",
        PostError::Failed(_) => "Unexpected",
    };
    ActivityError::application(ApplicationFailure::builder(error).type_name(kind.to_owned()).build())
}
