//! Workflow ids, types, task queues and search attributes: the names under which dixmgr is found in Temporal.

use crate::{HostName, ServiceName};
use std::time::Duration;

/// The workflow type of a supervised service.
pub const SERVICE_WATCH_WORKFLOW: &str = "ServiceWatchWorkflow";
/// The workflow type of a wait for dependencies.
pub const DEPENDENCY_WAIT_WORKFLOW: &str = "DependencyWaitWorkflow";
/// The signal that carries an [`crate::Observation`].
pub const SIGNAL_OBSERVE: &str = "observe";
/// The signal that carries a [`crate::Command`].
pub const SIGNAL_COMMAND: &str = "command";
/// The signal that carries a [`crate::Subscribe`].
pub const SIGNAL_SUBSCRIBE: &str = "subscribe";
/// The signal that carries a [`crate::Readiness`].
pub const SIGNAL_READINESS: &str = "readiness";
/// The signal that carries a [`crate::host::LossMark`].
pub const SIGNAL_HOST_LOST: &str = "host_lost";
/// The signal that carries a [`crate::plan::ForgetHost`]: that host does not supervise the service any more.
pub const SIGNAL_RETIRE: &str = "retire";
/// The query that answers a [`crate::ServiceStatus`].
pub const QUERY_STATUS: &str = "status";

/// The query that answers the silences of the fleet, its maintenance windows among them: a list of [`crate::alert::Silence`].
pub const QUERY_SILENCES: &str = "silences";

/// Keyword search attributes, registered at start where that is permitted.
pub const SEARCH_ATTRIBUTES: [&str; 6] = ["DixHost", "DixService", "DixKind", "DixChain", "DixPhase", "DixSeverity"];
/// Search attribute: the host.
pub const ATTRIBUTE_HOST: &str = "DixHost";
/// Search attribute: the service.
pub const ATTRIBUTE_SERVICE: &str = "DixService";
/// Search attribute: the kind of service.
pub const ATTRIBUTE_KIND: &str = "DixKind";
/// Search attribute: the chain it serves.
pub const ATTRIBUTE_CHAIN: &str = "DixChain";
/// Search attribute: the phase, written when it is a settled one.
pub const ATTRIBUTE_PHASE: &str = "DixPhase";
/// Search attribute: how bad an incident is.
pub const ATTRIBUTE_SEVERITY: &str = "DixSeverity";
/// Memo key that marks a workflow as started by this dixmgr (and not by the Go version).
pub const MEMO_MARK: &str = "dixmgr";

/// A workflow task that a killed dixmgr had taken is given to another one after this long; the server's default is 10 s.
pub const TASK_TIMEOUT: Duration = Duration::from_secs(5);

/// Before the ids of a dry run, so that it cannot meet a live fleet's workflows.
pub const DRY_PREFIX: &str = "dry.";

/// What gives a service its id: where in the configuration it comes from. `<R>` and `<C>` are the tables' keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// `[parachains.<R>.<R>]`: a relay chain's node.
    Relay(String),
    /// `[parachains.<R>.<C>]`: a parachain's node.
    Para(String, String),
    /// The i-th sidecar of a chain.
    Sidecar(String, String, u32),
    /// `[services.<name>]` and the fixed services of the dotidx format.
    Service(ServiceName),
}

impl Origin {
    /// The workflow id, such as `wf.node.para.polkadot.assethub`.
    pub fn workflow_id(&self) -> String {
        match self {
            Self::Relay(relay) => format!("wf.node.relay.{relay}"),
            Self::Para(relay, chain) => format!("wf.node.para.{relay}.{chain}"),
            Self::Sidecar(relay, chain, index) => format!("wf.sidecar.{relay}.{chain}.{index}"),
            Self::Service(name) => format!("wf.svc.{name}"),
        }
    }
}

/// The id of a service of which nothing but the name is known, such as `wf.svc.api`, in the family of `relative`.
pub fn service_id(relative: &str, service: &ServiceName) -> String {
    format!("{}wf.svc.{service}", prefix_of(relative))
}

/// The id of the wait of a service, such as `wf.wait.api`, in the family of `relative`.
pub fn wait_id(relative: &str, service: &ServiceName) -> String {
    format!("{}wf.wait.{service}", prefix_of(relative))
}

/// What stands before `wf.` in a workflow id: nothing, or the mark of a dry run.
pub fn prefix_of(id: &str) -> &str {
    if id.starts_with(DRY_PREFIX) { DRY_PREFIX } else { "" }
}

/// The queue of one host, on which its own dixmgr takes the tasks that must run there.
pub fn host_queue(task_queue: &str, host: &HostName) -> String {
    format!("{task_queue}@{host}")
}

/// The queue of a dry run beside `task_queue`.
pub fn dry_queue(task_queue: &str) -> String {
    format!("{task_queue}-watch")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_stays_in_its_family() {
        let api = ServiceName::new("api").unwrap();
        assert_eq!(wait_id("wf.svc.api", &api), "wf.wait.api");
        assert_eq!(wait_id("dry.wf.svc.api", &api), "dry.wf.wait.api");
        assert_eq!(service_id("dry.wf.wait.web", &api), "dry.wf.svc.api");
    }

    #[test]
    fn ids_are_those_of_the_go_version() {
        let ids = [
            Origin::Relay("polkadot".into()),
            Origin::Para("polkadot".into(), "assethub".into()),
            Origin::Sidecar("polkadot".into(), "assethub".into(), 2),
            Origin::Service(ServiceName::new("dix-nginx").unwrap()),
        ]
        .map(|origin| origin.workflow_id());
        assert_eq!(
            ids,
            [
                "wf.node.relay.polkadot",
                "wf.node.para.polkadot.assethub",
                "wf.sidecar.polkadot.assethub.2",
                "wf.svc.dix-nginx"
            ]
        );
    }
}
