//! The admin server: metrics, liveness, readiness, and what the agent knows.
//!
//! It starts before Temporal and before systemd has answered, so that a dixmgr in trouble can be looked at. Who asks is bounded
//! (`serving`).

use crate::agent::Handle;
use crate::exit::Failure;
use crate::serving::{self, Bounds};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use dixmgr_telemetry::Metrics;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What the handlers look at.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) metrics: Metrics,
    pub(crate) agent: Handle,
    /// True when all states are known.
    pub(crate) ready: watch::Receiver<bool>,
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
