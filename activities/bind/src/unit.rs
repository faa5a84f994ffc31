//! The activities of a host's own queue.

// The macro generates undocumented constants beside each activity.
#![allow(missing_docs)]

use crate::beat::beating;
use crate::call::{Call, NodeCall, UnitCall};
use crate::endpoints::Endpoints;
use crate::guard::Allowed;
use crate::node::Nodes;
use crate::order::{OrderEnd, OrderNews, Witness};
use crate::usage;
use dixmgr_contract::activity::{Report, ReportKind, ResourceUsage, SystemdServiceStatus};
use dixmgr_contract::check::{HttpCheckAnswer, HttpCheckInput};
use dixmgr_contract::{FailureKind, ServiceName, UnitName, Verb};
use dixmgr_systemd::{ActError, UnitControl, UnitReader};
use dixmgr_telemetry::events::{ActionDone, ActionRefused, RestartDone, WouldAct};
use dixmgr_telemetry::{Event, Metrics, events};
use std::sync::Arc;
use std::time::{Duration, Instant};
use temporalio_macros::activities;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

/// How long systemd may take for a job when the caller does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);
/// No caller may ask for longer.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// Told when an order was refused because the world is another one: whoever ordered needs to hear how it is now.
pub type Recheck = Arc<dyn Fn(&ServiceName) + Send + Sync>;

/// Told that a service has waited for these dependencies in vain.
pub type WaitedInVain = Arc<dyn Fn(&ServiceName, &[ServiceName]) + Send + Sync>;

/// The activities that act on and look at the units of one host. Cheap to clone.
#[derive(Clone)]
pub struct HostActivities {
    /// What may be looked at and acted on.
    pub allowed: Arc<Allowed>,
    /// Looks.
    pub reader: Arc<dyn UnitReader>,
    /// Acts, or in a dry run says what it would do.
    pub control: Arc<dyn UnitControl>,
    /// The blockchain nodes that may be asked.
    pub nodes: Nodes,
    /// The endpoints that may be checked.
    pub endpoints: Endpoints,
    /// Where events go.
    pub metrics: Metrics,
    /// Asks for a fresh observation of a service.
    pub recheck: Recheck,
    /// Passes on that a service has waited in vain.
    pub waited_in_vain: WaitedInVain,
    /// Told of each order.
    pub witness: Witness,
}

#[activities]
impl HostActivities {
    /// How systemd sees a unit.
    #[activity(name = "CheckSystemdServiceActivity")]
    pub async fn check(
        self: Arc<Self>,
        _ctx: ActivityContext,
        call: UnitCall,
    ) -> Result<SystemdServiceStatus, ActivityError> {
        let (unit, _) = call.read().map_err(failure)?;
        self.allowed.service(&unit).map_err(failure)?;
        let state = self.reader.look(&unit).await.map_err(failure)?;
        Ok(SystemdServiceStatus::from(&state))
    }

    /// Starts a unit, a failed one too.
    #[activity(name = "StartSystemdServiceActivity")]
    pub async fn start(self: Arc<Self>, ctx: ActivityContext, call: UnitCall) -> Result<(), ActivityError> {
        beating(&ctx, self.act(Verb::Start, call)).await
    }

    /// Stops a unit.
    #[activity(name = "StopSystemdServiceActivity")]
    pub async fn stop(self: Arc<Self>, ctx: ActivityContext, call: UnitCall) -> Result<(), ActivityError> {
        beating(&ctx, self.act(Verb::Stop, call)).await
    }

    /// Stops a unit if it runs and starts it.
    #[activity(name = "RestartSystemdServiceActivity")]
    pub async fn restart(self: Arc<Self>, ctx: ActivityContext, call: UnitCall) -> Result<(), ActivityError> {
        beating(&ctx, self.act(Verb::Restart, call)).await
    }

    /// Writes down what a service's people should know.
    #[activity(name = "ReportServiceActivity")]
    pub async fn report(self: Arc<Self>, _ctx: ActivityContext, report: Call<Report>) -> Result<(), ActivityError> {
        let report = report.read().map_err(failure)?;
        events::Report::from(&report).emit(&self.metrics);
        if report.kind == ReportKind::DependencyTimeout {
            (self.waited_in_vain)(&report.service, &report.dependencies);
        }
        Ok(())
    }

    /// What all processes of a unit use, over a tenth of a second.
    #[activity(name = "CheckResourceUsageActivity")]
    pub async fn check_resources(
        self: Arc<Self>,
        _ctx: ActivityContext,
        call: UnitCall,
    ) -> Result<ResourceUsage, ActivityError> {
        let (unit, _) = call.read().map_err(failure)?;
        self.allowed.service(&unit).map_err(failure)?;
        let control_group = self.reader.control_group(&unit).await.map_err(failure)?;
        usage::over_a_moment(control_group).await.map_err(failure)
    }

    /// Whether a blockchain node of this host is in sync.
    #[activity(name = "CheckNodeSyncActivity")]
    pub async fn check_node(self: Arc<Self>, _ctx: ActivityContext, call: NodeCall) -> Result<bool, ActivityError> {
        let (endpoint, port) = call.read().map_err(failure)?;
        Ok(self.nodes.is_in_sync(&endpoint, port).await?)
    }

    /// One look at an HTTP endpoint that a probe of this host names.
    #[activity(name = "CheckHTTPEndpointActivity")]
    pub async fn check_endpoint(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Call<HttpCheckInput>,
    ) -> Result<HttpCheckAnswer, ActivityError> {
        Ok(self.endpoints.check(&input.read().map_err(failure)?).await?)
    }

    /// Whether an HTTP endpoint that a probe of this host names answers `GET` with any 2xx.
    #[activity(name = "CheckHTTPEndpointSimpleActivity")]
    pub async fn check_endpoint_simply(
        self: Arc<Self>,
        _ctx: ActivityContext,
        url: Call<String>,
    ) -> Result<bool, ActivityError> {
        let input = HttpCheckInput { url: url.read().map_err(failure)?, ..HttpCheckInput::default() };
        Ok(self.endpoints.check(&input).await?.healthy)
    }
}

impl HostActivities {
    async fn act(&self, verb: Verb, call: UnitCall) -> Result<(), ActivityError> {
        let (unit, guard) = call.read().map_err(failure)?;
        let service = self.allowed.service(&unit).map_err(failure)?;
        let news = OrderNews { service: &service, verb, guard: guard.as_ref(), end: None };
        (self.witness)(&news);
        let began = Instant::now();
        let outcome = self.carry_out(&unit, &news).await;
        let why = outcome.as_ref().err().map(|error| (error.kind, error.message.as_str()));
        (self.witness)(&OrderNews { end: Some(OrderEnd { failure: why, took: began.elapsed() }), ..news });
        outcome.map_err(failure)
    }

    async fn carry_out(&self, unit: &UnitName, order: &OrderNews<'_>) -> Result<(), ActError> {
        let OrderNews { service, verb, guard, .. } = *order;
        if let Some(guard) = guard
            && let Err(error) = self.allowed.admit(unit, guard)
        {
            return Err(self.refused(service, error));
        }
        let timeout = guard.map_or(DEFAULT_TIMEOUT, |guard| Duration::from_millis(guard.timeout_ms));
        let began = Instant::now();
        match self.control.act(unit, verb, guard, timeout.min(MAX_TIMEOUT)).await {
            Ok(()) => {
                let restart = guard.is_some_and(|guard| guard.restarts_failure);
                for (dependency, waited) in guard.into_iter().flat_map(|guard| &guard.waited) {
                    self.metrics.dependency_waited(service.as_str(), dependency.as_str(), waited.duration());
                }
                self.done(service, unit, verb, restart, began.elapsed());
                Ok(())
            }
            Err(error) if error.kind == FailureKind::ObserveOnly => {
                let reason = guard.map_or("asked for", |guard| guard.reason.as_str());
                WouldAct { service, unit, verb, reason }.emit(&self.metrics);
                Err(error)
            }
            Err(error) => Err(self.refused(service, error)),
        }
    }

    fn done(&self, service: &ServiceName, unit: &UnitName, verb: Verb, restart: bool, took: Duration) {
        if restart {
            RestartDone { service, unit, took }.emit(&self.metrics);
        } else {
            ActionDone { service, unit, verb, took }.emit(&self.metrics);
        }
    }

    fn refused(&self, service: &ServiceName, error: ActError) -> ActError {
        ActionRefused { service, kind: error.kind, message: &error.message }.emit(&self.metrics);
        if error.kind.is_free() {
            (self.recheck)(service);
        }
        error
    }
}

/// The machine that ordered decides what follows; Temporal is not to repeat an order by itself.
pub(crate) fn failure(error: ActError) -> ActivityError {
    let kind = error.kind.as_str().to_owned();
    ActivityError::application(ApplicationFailure::builder(error).type_name(kind).non_retryable(true).build())
}
