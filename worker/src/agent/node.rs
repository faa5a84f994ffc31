//! A blockchain node that a service is: asked whether it is in sync, because one that is not is up and not ready.
//!
//! While it is not, it is asked twice a second, so that those who wait for it start soon; later at its probe's own interval.
//! Once it was in sync, only several failures in a row make it anything else.

use dixmgr_contract::Verdict;
use dixmgr_contract::observation::RULE_SYNC;
use dixmgr_model::{Check, Protocol, Service};
use dixmgr_probe::{Endpoint, NodeHealth};
use std::time::{Duration, Instant};

/// How often a node is asked that is not in sync yet.
const EAGER: Duration = Duration::from_millis(500);
/// How soon one is asked again whose port did not open yet.
const OPENING: Duration = Duration::from_millis(200);

/// What is known of a node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) endpoint: Endpoint,
    pub(super) timeout: Duration,
    interval: Duration,
    /// Failures in a row that it takes to fall out of sync.
    threshold: u32,
    failures: u32,
    /// `None` while it has not been asked in this run.
    in_sync: Option<bool>,
    detail: String,
    /// When it is asked next; `None` while it is being asked, or does not run.
    due: Option<Instant>,
}

impl Node {
    /// The node of a service with a probe for one.
    pub(super) fn of(service: &Service) -> Option<Self> {
        service.probes.values().find_map(|probe| match &probe.check {
            // The other protocols are not asked yet, which is said at the start: ready is what runs.
            Check::Node(check) if check.protocol == Protocol::Substrate => Some(Self {
                endpoint: Endpoint::parse(check.rpc.expose()).ok()?,
                timeout: probe.timeout.duration(),
                interval: probe.interval.duration(),
                threshold: probe.failures.max(1),
                failures: 0,
                in_sync: None,
                detail: String::new(),
                due: None,
            }),
            _ => None,
        })
    }

    /// A new run begins, or the node does not run any more.
    pub(super) fn restart(&mut self, runs: bool, now: Instant) {
        self.in_sync = None;
        self.failures = 0;
        self.detail.clear();
        self.due = runs.then_some(now);
    }

    pub(super) fn is_in_sync(&self) -> bool {
        self.in_sync == Some(true)
    }

    /// Nothing has come back of the first question yet.
    pub(super) fn is_unasked(&self) -> bool {
        self.in_sync.is_none()
    }

    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// True if it is to be asked now, which is then taken as done.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// Takes in an answer. True if the node stands otherwise than before.
    pub(super) fn hear(&mut self, answer: Result<NodeHealth, String>, now: Instant) -> bool {
        let before = self.in_sync;
        let well = answer.as_ref().is_ok_and(NodeHealth::is_synced);
        self.failures = if well { 0 } else { self.failures.saturating_add(1) };
        self.detail = match &answer {
            Ok(health) if health.is_syncing => format!("is syncing, {} peers", health.peers),
            Ok(health) => format!("{} peers", health.peers),
            Err(error) => error.clone(),
        };
        if well {
            self.in_sync = Some(true);
        } else if before != Some(true) || self.failures >= self.threshold {
            self.in_sync = Some(false);
        }
        let wait = match (&answer, self.in_sync) {
            (_, Some(true)) if well => self.interval,
            // Its port opens only a while after its start.
            (Err(_), _) if self.failures < 50 && before != Some(true) => OPENING,
            _ => EAGER.min(self.interval),
        };
        self.due = Some(now + wait);
        before != self.in_sync
    }

    /// What its workflow is told.
    pub(super) fn verdict(&self) -> Verdict {
        Verdict::new(RULE_SYNC, self.is_in_sync(), self.detail.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        let config = "[services.a]\nunit = \"a.service\"\nprobes.node = { rpc = \"http://127.0.0.1:1\", failures = 2 }";
        let config = dixmgr_model::parse(config, "test.toml", &|_| None).unwrap();
        Node::of(&config.services[0]).unwrap()
    }

    fn health(is_syncing: bool) -> Result<NodeHealth, String> {
        Ok(NodeHealth { peers: 3, is_syncing, should_have_peers: true })
    }

    #[test]
    fn one_failure_does_not_make_a_node_fall_out_of_sync() {
        let (mut node, now) = (node(), Instant::now());
        node.restart(true, now);
        assert!(node.ask(now) && !node.ask(now), "asked once at a time");
        assert!(node.hear(health(true), now) && !node.is_in_sync());
        assert_eq!(node.due(), Some(now + EAGER));
        assert!(node.hear(health(false), now) && node.is_in_sync());
        assert!(!node.hear(Err("no answer".into()), now) && node.is_in_sync());
        assert!(node.hear(Err("no answer".into()), now) && !node.is_in_sync());
        assert_eq!(node.verdict().detail, "no answer");
        node.restart(false, now);
        assert!(node.is_unasked() && node.due().is_none());
    }
}
