//! The admin server: metrics, liveness, readiness, what the agent knows, and the switches of its rules.
//!
//! It starts before Temporal and before systemd has answered, so that a dixmgr in trouble can be looked at. Who asks is bounded
//! (`serving`). Whoever reaches it may look; only who is on this machine may switch something, and no page of a browser may.

use crate::agent::Handle;
use crate::exit::Failure;
use crate::serving::{self, Bounds};
use axum::extract::{ConnectInfo, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use dixmgr_contract::MaintenanceWindow;
use dixmgr_telemetry::Metrics;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What the handlers look at.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) metrics: Metrics,
    pub(crate) agent: Handle,
    /// Where it listens: who comes from there is on this machine.
    pub(crate) listens: IpAddr,
    /// True when all states are known.
    pub(crate) ready: watch::Receiver<bool>,
    pub(crate) maintenance: Arc<FileWindows>,
}

/// The maintenance windows of a configuration.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct FileWindows {
    /// Which one, as it was named.
    pub(crate) file: String,
    pub(crate) windows: Vec<MaintenanceWindow>,
}

impl FileWindows {
    pub(crate) fn of(config: &dixmgr_model::Config) -> Self {
        Self { file: config.source.clone(), windows: config.alerts.policy.maintenance.clone() }
    }
}

/// Takes the port.
///
/// # Errors
/// It is taken by somebody else, or not ours to take.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Taken(format!(
            "cannot listen on {address} for metrics: {error}; choose another port with -metrics-port, or switch metrics off with -metrics=false"
        ))
    })
}

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener, admin: Admin) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/live", get(async || "live\n"))
        .route("/ready", get(ready))
        .route("/api/v1/services", get(services))
        .route("/api/v1/rules", get(rules))
        .route("/api/v1/rules/{name}", post(switch))
        .route("/api/v1/maintenance", get(maintenance))
        .with_state(admin);
    serving::serve(listener, router, Bounds::default()).await;
}

async fn metrics(State(admin): State<Admin>) -> Response {
    // Ten thousand services take a tenth of a second to write down: not on a thread that others wait for.
    let rendered = tokio::task::spawn_blocking(move || admin.metrics.render()).await;
    match rendered {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn ready(State(admin): State<Admin>) -> Response {
    if *admin.ready.borrow() {
        (StatusCode::OK, "ready\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "systemd has not told all states yet\n").into_response()
    }
}

async fn services(State(admin): State<Admin>) -> Response {
    Json(admin.agent.snapshot().await).into_response()
}

async fn rules(State(admin): State<Admin>) -> Response {
    match admin.agent.rules().await {
        Some(rules) => Json(rules).into_response(),
        None => (StatusCode::NOT_FOUND, "alerting is off\n").into_response(),
    }
}

async fn maintenance(State(admin): State<Admin>) -> Response {
    Json(&*admin.maintenance).into_response()
}

async fn switch(
    State(admin): State<Admin>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    if !is_allowed(peer.ip(), admin.listens, &headers) {
        let reason = "rules are switched from this machine only, with `dixmgr rules NAME on|off`\n";
        return (StatusCode::FORBIDDEN, reason).into_response();
    }
    let on = match query.as_deref() {
        Some("on=true") => true,
        Some("on=false") => false,
        _ => return (StatusCode::BAD_REQUEST, "say ?on=true or ?on=false\n").into_response(),
    };
    match admin.agent.switch_rule(name, on).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(reason) => (StatusCode::NOT_FOUND, reason + "\n").into_response(),
    }
}

/// A browser says where the page is from that asks; nobody else does.
fn is_allowed(peer: IpAddr, listens: IpAddr, headers: &HeaderMap) -> bool {
    let peer = peer.to_canonical();
    let is_here = peer.is_loopback() || peer == listens.to_canonical();
    is_here && !headers.contains_key(header::ORIGIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_who_is_on_this_machine_and_no_page_may_switch_something() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let (any, one, plain) = (ip("0.0.0.0"), ip("10.0.0.5"), HeaderMap::new());
        for (peer, listens, allowed) in [
            ("127.0.0.1", any, true),
            ("::1", any, true),
            ("::ffff:127.0.0.1", any, true),
            ("10.0.0.5", one, true),
            ("10.0.0.6", one, false),
            ("192.0.2.1", any, false),
        ] {
            assert_eq!(is_allowed(ip(peer), listens, &plain), allowed, "{peer} at {listens}");
        }
        let page = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static("http://127.0.0.1:9090"))]);
        assert!(!is_allowed(ip("127.0.0.1"), any, &page));
    }
}
