//! The breakers of this host's endpoints, made of the configuration and shown as metrics.

use crate::senses::http_way;
use dixmgr_decide::breaker::BreakerState;
use dixmgr_model::{Check, Probe, Service};
use dixmgr_probe::{Breakers, Endpoint, ProbeId, Target};
use dixmgr_telemetry::{BreakerPosition, Metrics};

/// One for each endpoint that a workflow may have this host ask.
pub(crate) fn of(services: &[Service], metrics: Metrics) -> Breakers {
    let its = |service: &Service| {
        let id = |probe: &str| ProbeId { service: service.spec.name.to_string(), probe: probe.to_owned() };
        let targets = service.probes.iter().filter_map(|(name, probe)| Some((target(probe)?, id(name))));
        targets.collect::<Vec<_>>()
    };
    let show = move |probe: &ProbeId, state, open_for| {
        metrics.endpoints().set(&probe.service, &probe.probe, position(state), open_for);
    };
    Breakers::new(services.iter().flat_map(its), Box::new(show))
}

/// Whom a probe asks, if a workflow can ask the same.
fn target(probe: &Probe) -> Option<Target> {
    match &probe.check {
        Check::Http(check) => Some(Target::from(&http_way(check)?)),
        Check::Node(node) => Some(Target::from(&Endpoint::parse(node.rpc.expose()).ok()?)),
        _ => None,
    }
}

/// How a breaker is shown.
pub(crate) const fn position(breaker: BreakerState) -> BreakerPosition {
    match breaker {
        BreakerState::Closed { .. } => BreakerPosition::Closed,
        BreakerState::HalfOpen { .. } => BreakerPosition::HalfOpen,
        BreakerState::Open { .. } => BreakerPosition::Open,
    }
}
