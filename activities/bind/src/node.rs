//! The blockchain nodes that this host may ask: those that its own configuration names, and no others.

use dixmgr_contract::FailureKind;
use dixmgr_probe::{DEFAULT_TIMEOUT, Endpoint, NodeChecker, endpoint_url};
use dixmgr_systemd::ActError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Asks nodes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Nodes {
    checker: NodeChecker,
    /// By `scheme://host:port`. The configuration may know a path or a password that the caller does not.
    known: Arc<BTreeMap<String, Endpoint>>,
}

impl Nodes {
    /// The nodes of the configuration.
    pub fn new(checker: NodeChecker, known: impl IntoIterator<Item = Endpoint>) -> Self {
        let known = known.into_iter().map(|endpoint| (endpoint.place().to_owned(), endpoint)).collect();
        Self { checker, known: Arc::new(known) }
    }

    /// Whether the node there is in sync.
    ///
    /// # Errors
    /// It is not in the configuration, or does not answer.
    pub(crate) async fn is_in_sync(&self, endpoint: &str, port: u16) -> Result<bool, ActError> {
        let wanted =
            endpoint_url(endpoint, port).map_err(|error| ActError::new(FailureKind::BadInput, error.to_string()))?;
        let known = self.known.get(wanted.place()).ok_or_else(|| {
            let text =
                format!("no node at {wanted} is in this host's configuration; give its service a probe with `rpc`");
            ActError::new(FailureKind::NotAllowed, text)
        })?;
        let health = self.checker.substrate_health(known, DEFAULT_TIMEOUT).await;
        let health = health.map_err(|error| ActError::new(FailureKind::Unexpected, error.to_string()))?;
        Ok(health.is_synced())
    }
}
