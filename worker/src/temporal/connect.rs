//! One connection to the cluster.

use super::SessionError;
use crate::agent::Backlog;
use anyhow::Context;
use dixmgr_bind::SdkMeter;
use dixmgr_telemetry::Metrics;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use temporalio_client::errors::ClientConnectError;
use temporalio_client::{Client, ClientOptions, ClientTlsOptions, Connection, ConnectionOptions, TlsOptions, Url};
use temporalio_common::telemetry::{TelemetryOptions, telemetry_init};
use tokio::sync::Notify;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the cluster is and what of it is ours.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// `host:port`.
    pub(crate) address: String,
    pub(crate) namespace: String,
    pub(crate) task_queue: String,
    /// Before all workflow ids: empty, or `dry.`.
    pub(crate) prefix: String,
    /// Shown in the UI as who did it.
    pub(crate) identity: String,
    pub(crate) tls: Tls,
    pub(crate) create_namespace: bool,
    pub(crate) take_over: bool,
    /// Told whenever one of our requests has failed.
    pub(crate) trouble: Arc<Notify>,
    /// Told how long each workflow task lay before it was taken here.
    pub(crate) backlog: Arc<Backlog>,
}

/// How the connection is secured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    pub(crate) ca: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) api_key: Option<dixmgr_model::Secret>,
}

impl Tls {
    /// An `http://` target ignores TLS options silently: the scheme decides.
    const fn is_on(&self) -> bool {
        self.ca.is_some() || self.cert.is_some() || self.api_key.is_some()
    }

    fn options(&self) -> anyhow::Result<TlsOptions> {
        let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let mut options = TlsOptions::builder().build();
        options.server_root_ca_cert = self.ca.as_ref().map(read).transpose()?;
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            let client = ClientTlsOptions::builder().client_cert(read(cert)?).client_private_key(read(key)?).build();
            options.client_tls_options = Some(client);
        }
        Ok(options)
    }
}

/// Telemetry options that put the SDK's metrics on our registry.
pub(crate) fn telemetry(endpoint: &Endpoint, metrics: &Metrics) -> TelemetryOptions {
    let (trouble, backlog) = (Arc::clone(&endpoint.trouble), Arc::clone(&endpoint.backlog));
    let (failed, lay) = (Arc::new(move || trouble.notify_one()), Arc::new(move |waited| backlog.lay(waited)));
    TelemetryOptions::builder()
        .metrics(Arc::new(SdkMeter::new(metrics.sdk_meter(), failed, lay)) as Arc<_>)
        .attach_service_name(false)
        .build()
}

/// Connects once. There is no retry in it.
///
/// # Errors
/// Unreachable, or refused.
pub(crate) async fn connect(endpoint: &Endpoint, metrics: Option<&Metrics>) -> Result<Client, SessionError> {
    let refused = |error: anyhow::Error| SessionError::Refused(format!("{error:#}"));
    let scheme = if endpoint.tls.is_on() { "https" } else { "http" };
    let url = Url::parse(&format!("{scheme}://{}", endpoint.address))
        .with_context(|| format!("{:?} is not host:port of a Temporal frontend", endpoint.address))
        .map_err(refused)?;
    let mut options =
        ConnectionOptions::new(url).identity(endpoint.identity.clone()).connect_timeout(CONNECT_TIMEOUT).build();
    if endpoint.tls.is_on() {
        options.tls_options = Some(endpoint.tls.options().map_err(refused)?);
        options.api_key = endpoint.tls.api_key.as_ref().map(|key| key.expose().to_owned());
    }
    if let Some(metrics) = metrics {
        let meter = telemetry_init(telemetry(endpoint, metrics)).map_err(refused)?;
        options.metrics_meter = meter.get_temporal_metric_meter();
    }
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT * 2, Connection::connect(options)).await;
    let connection = match connecting {
        Ok(Ok(connection)) => connection,
        Ok(Err(ClientConnectError::SystemInfoCallError(status))) => return Err(status.into()),
        Ok(Err(ClientConnectError::TonicTransportError(error))) => {
            return Err(SessionError::Unreachable(format!("{:#}", anyhow::Error::from(error))));
        }
        Ok(Err(error)) => return Err(SessionError::Unreachable(error.to_string())),
        Err(_) => return Err(SessionError::Unreachable(format!("no answer within {CONNECT_TIMEOUT:?}"))),
    };
    Client::new(connection, ClientOptions::new(endpoint.namespace.clone()).build())
        .map_err(|error| SessionError::Refused(error.to_string()))
}
