//! The blockchain nodes that this host may ask: those that its own configuration names, and no others.

use dixmgr_contract::FailureKind;
use dixmgr_probe::{DEFAULT_TIMEOUT, Endpoint, NodeChecker, endpoint_url};
use dixmgr_systemd::ActError;
use std::sync::Arc;

/// Asks nodes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Nodes {
    checker: NodeChecker,
    known: Arc<Vec<Endpoint>>,
}

impl Nodes {
    /// The nodes of the configuration.
    pub fn new(checker: NodeChecker, known: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { checker, known: Arc::new(known.into_iter().collect()) }
    }

    /// Whether the node there is in sync.
    ///
    /// # Errors
    /// It is not in the configuration, or does not answer.
    pub(crate) async fn is_in_sync(&self, endpoint: &str, port: u16) -> Result<bool, ActError> {
        let wanted =
            endpoint_url(endpoint, port).map_err(|error| ActError::new(FailureKind::BadInput, error.to_string()))?;
        let known = self.find(&wanted).ok_or_else(|| {
            let text =
                format!("no node at {wanted} is in this host's configuration; give its service a probe with `rpc`");
            ActError::new(FailureKind::NotAllowed, text)
        })?;
        let health = self.checker.substrate_health(known, DEFAULT_TIMEOUT).await;
        let health = health.map_err(|error| ActError::new(FailureKind::Unexpected, error.to_string()))?;
        Ok(health.is_synced())
    }
    /// The node of that whole URL, or else the first one at that `scheme://host:port`: the configuration may know a path or a
    /// password that the caller does not.
    fn find(&self, wanted: &Endpoint) -> Option<&Endpoint> {
        let whole = self.known.iter().find(|known| known.is_same(wanted));
        whole.or_else(|| self.known.iter().find(|known| known.place() == wanted.place()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_behind_one_port_are_told_apart_by_their_paths() {
        let known = ["http://a:9944/one", "http://u:p@a:9944/two", "http://b:9944/?key=1"];
        let known = known.map(|url| Endpoint::parse(url).unwrap());
        let nodes = Nodes::new(NodeChecker::new().unwrap(), known.clone());
        for (wanted, port, found) in [
            ("http://a:9944/one", 0, Some(0)),
            ("http://a/two", 9944, Some(1)),
            // The first of them.
            ("a", 9944, Some(0)),
            ("http://b", 9944, Some(2)),
            ("https://a:9944/one", 0, None),
            ("http://a/one", 9945, None),
        ] {
            let wanted = endpoint_url(wanted, port).unwrap();
            assert_eq!(nodes.find(&wanted), found.map(|index: usize| &known[index]), "{wanted}");
        }
    }
}
