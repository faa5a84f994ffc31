//! The blockchain nodes that this host may ask: those that its own configuration names, and no others.

use crate::not_known::NotKnown;
use dixmgr_contract::{FailureKind, Protocol, Time};
use dixmgr_probe::{Breakers, DEFAULT_TIMEOUT, Endpoint, NodeChecker, Target, endpoint_url};
use dixmgr_systemd::ActError;
use std::sync::Arc;
use std::time::SystemTime;

/// Asks nodes. Cheap to clone.
#[derive(Clone)]
pub struct Nodes {
    checker: NodeChecker,
    breakers: Breakers,
    known: Arc<Vec<(Endpoint, Protocol)>>,
}

impl Nodes {
    /// The nodes of the configuration.
    pub fn new(
        checker: NodeChecker,
        breakers: Breakers,
        known: impl IntoIterator<Item = (Endpoint, Protocol)>,
    ) -> Self {
        Self { checker, breakers, known: Arc::new(known.into_iter().collect()) }
    }

    /// Whether the node there is in sync.
    ///
    /// # Errors
    /// It is not in the configuration, does not answer, or is left alone because it has not answered several times in a row.
    pub(crate) async fn is_in_sync(&self, endpoint: &str, port: u16) -> Result<bool, NotKnown> {
        let wanted =
            endpoint_url(endpoint, port).map_err(|error| ActError::new(FailureKind::BadInput, error.to_string()))?;
        let (known, protocol) = self.find(&wanted).ok_or_else(|| {
            let text =
                format!("no node at {wanted} is in this host's configuration; give its service a probe with `rpc`");
            ActError::new(FailureKind::NotAllowed, text)
        })?;
        let pass = self.breakers.pass(Target::from(known)).map_err(NotKnown::LeftAlone)?;
        let now = Time::from(SystemTime::now());
        let is_in_sync = self.checker.is_in_sync(*protocol, known, now, DEFAULT_TIMEOUT).await;
        pass.looked(&is_in_sync);
        is_in_sync.map_err(|error| NotKnown::Unseen(ActError::new(FailureKind::Unexpected, error.to_string())))
    }

    /// The node of that whole URL, or else the first one at that `scheme://host:port`: the configuration may know a path or a
    /// password that the caller does not. Who asks this host for one of its own may name it otherwise: `localhost`, `127.0.0.1`.
    fn find(&self, wanted: &Endpoint) -> Option<&(Endpoint, Protocol)> {
        let first = |is: &dyn Fn(&Endpoint) -> bool| self.known.iter().find(|(known, _)| is(known));
        first(&|known| known.is_same(wanted))
            .or_else(|| first(&|known| known.place() == wanted.place()))
            .or_else(|| first(&|known| known.is_beside(wanted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_behind_one_port_are_told_apart_by_their_paths() {
        let known = ["http://a:9944/one", "http://u:p@a:9944/two", "http://b:9944/?key=1", "http://127.0.0.1:9933"];
        let known = known.map(|url| (Endpoint::parse(url).unwrap(), Protocol::Substrate));
        let nodes = Nodes::new(NodeChecker::new().unwrap(), Breakers::default(), known.clone());
        for (wanted, port, found) in [
            ("http://a:9944/one", 0, Some(0)),
            ("http://a/two", 9944, Some(1)),
            // The first of them.
            ("a", 9944, Some(0)),
            ("http://b", 9944, Some(2)),
            ("https://a:9944/one", 0, None),
            ("", 9933, Some(3)),
            ("localhost", 9933, Some(3)),
            ("[::1]", 9933, Some(3)),
            ("", 9934, None),
            ("http://a/one", 9945, None),
        ] {
            let wanted = endpoint_url(wanted, port).unwrap();
            assert_eq!(nodes.find(&wanted), found.map(|index: usize| &known[index]), "{wanted}");
        }
    }
}
