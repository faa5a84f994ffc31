//! Health over gRPC (grpc.health.v1): what real servers say decides how their service stands. One is Temporal's own, which is
//! Go's; the other is of tonic, and says what it is told to.

use super::SLEEP;
use dixmgr_contract::PhaseName;
use dixmgr_tests::{ADDRESS, Launch, Sandbox, TemporalServer, in_sandbox};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use temporalio_common::protos::grpc::health::v1::health_check_response::ServingStatus;
use temporalio_common::protos::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};

/// The service that is asked about.
const SERVICE: &str = "shop.Orders";

/// A health service; there is nothing else on its server.
#[derive(Clone, Default)]
struct Health(Arc<AtomicBool>);

impl UnaryService<HealthCheckRequest> for Health {
    type Response = HealthCheckResponse;
    type Future = Ready<Result<Response<HealthCheckResponse>, Status>>;

    fn call(&mut self, asked: Request<HealthCheckRequest>) -> Self::Future {
        if asked.get_ref().service != SERVICE {
            return ready(Err(Status::not_found("unknown service")));
        }
        let serves = self.0.load(Ordering::Relaxed);
        let status = if serves { ServingStatus::Serving } else { ServingStatus::NotServing };
        ready(Ok(Response::new(HealthCheckResponse { status: status.into() })))
    }
}

impl Service<http::Request<tonic::body::Body>> for Health {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let health = self.clone();
        Box::pin(async move {
            if request.uri().path() != "/grpc.health.v1.Health/Check" {
                return Ok(Status::unimplemented("nothing but health").into_http());
            }
            Ok(Grpc::new(tonic_prost::ProstCodec::default()).unary(health, request).await)
        })
    }
}

#[test]
fn what_says_over_grpc_that_it_does_not_serve_is_degraded_until_it_does() {
    in_sandbox(Sandbox::UserManager, |host| {
        let health = Health::default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = tonic::transport::Server::builder();
        runtime.spawn(server.serve("127.0.0.1:50051".parse().unwrap(), health.clone()));
        host.install([("orders.service", SLEEP), ("temporal.service", SLEEP), ("stranger.service", SLEEP)]);
        let temporal = TemporalServer::start();
        let often = "interval = \"1s\", failures = 2, start_grace = \"0s\"";
        let service = |name: &str, address: &str, asked: &str| {
            format!(
                "[services.{name}]\nunit = \"{name}.service\"\n\
                 probes.health = {{ grpc = \"{address}\", grpc_service = \"{asked}\", {often} }}\n"
            )
        };
        let config = service("orders", "127.0.0.1:50051", SERVICE)
            + &service("temporal", ADDRESS, "temporal.api.workflowservice.v1.WorkflowService")
            + &service("stranger", ADDRESS, SERVICE);
        let dixmgr = Launch::exec(host, &config).start();
        let workflows = temporal.connect();
        let orders = workflows.wait_phase("wf.svc.orders", PhaseName::Degraded);
        assert!(orders.detail.contains("health"), "{}", orders.detail);
        dixmgr.wait_logged(&["probe has failed", "service=orders", "it says that it does not serve"]);
        workflows.wait_phase("wf.svc.temporal", PhaseName::Healthy);
        workflows.wait_phase("wf.svc.stranger", PhaseName::Degraded);
        dixmgr.wait_logged(&["probe has failed", "service=stranger", "it does not know the service"]);
        let run = host.invocation("orders");
        health.0.store(true, Ordering::Relaxed);
        workflows.wait_phase("wf.svc.orders", PhaseName::Healthy);
        assert_eq!(host.invocation("orders"), run, "nobody has restarted it");
        health.0.store(false, Ordering::Relaxed);
        workflows.wait_phase("wf.svc.orders", PhaseName::Degraded);
    });
}
