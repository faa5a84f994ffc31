//! What is known of services that others depend on: told by their workflows, after a subscription.
//!
//! Whoever waits asks again from time to time: a workflow that somebody has ended comes back without its subscribers.

use dixmgr_contract::{Cause, Readiness, ServiceName, Span, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long one who waits believes a subscription without asking again.
const ASK_AGAIN: Span = Span::from_secs(300);

/// The services that one listens to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Peers(BTreeMap<ServiceName, Peer>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Peer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ready: Option<bool>,
    #[serde(default)]
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<Cause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<Time>,
}

impl Peers {
    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Listens to these and to no others.
    pub fn listen_to<'a>(&mut self, names: impl IntoIterator<Item = &'a ServiceName>) {
        let mut old = std::mem::take(&mut self.0);
        self.0 = names.into_iter().map(|name| (name.clone(), old.remove(name).unwrap_or_default())).collect();
    }

    /// Takes in what one of them says of itself; old news and strangers are ignored.
    pub fn hear(&mut self, readiness: Readiness) {
        if let Some(peer) = self.0.get_mut(&readiness.service)
            && (peer.ready.is_none() || readiness.revision > peer.revision)
        {
            *peer = Peer {
                ready: Some(readiness.ready),
                revision: readiness.revision,
                run: readiness.run,
                trouble: readiness.trouble,
                asked: peer.asked,
            };
        }
    }

    /// Whether it is ready; `None` while it has said nothing.
    pub fn ready(&self, name: &ServiceName) -> Option<bool> {
        self.0.get(name)?.ready
    }

    /// The run in which it said so.
    pub fn run(&self, name: &ServiceName) -> Option<&String> {
        self.0.get(name)?.run.as_ref()
    }

    /// What people are told of it, where it has said that it is not ready.
    pub fn trouble(&self, name: &ServiceName) -> Option<&Cause> {
        self.0.get(name)?.trouble.as_ref()
    }

    /// When it was asked, while it has said nothing.
    pub fn asked_in_vain(&self, name: &ServiceName) -> Option<Time> {
        self.0.get(name).filter(|peer| peer.ready.is_none())?.asked
    }

    /// True if it is time to subscribe to it, which is then taken as done.
    pub fn ask(&mut self, name: &ServiceName, now: Time) -> bool {
        let Some(peer) = self.0.get_mut(name) else { return false };
        let due = peer.asked.is_none_or(|asked| asked.after(ASK_AGAIN) <= now);
        if due {
            peer.asked = Some(now);
        }
        due
    }

    /// It could not be asked: it will be again.
    pub fn could_not_ask(&mut self, name: &ServiceName) {
        if let Some(peer) = self.0.get_mut(name) {
            peer.asked = None;
        }
    }

    /// When somebody who is not ready is to be asked again.
    pub fn ask_at(&self) -> Option<Time> {
        let silent = self.0.values().filter(|peer| peer.ready != Some(true));
        silent.map(|peer| peer.asked.map_or_else(Time::default, |asked| asked.after(ASK_AGAIN))).min()
    }
}
