//! Which nodes catch up, over a restart of dixmgr: one that falls silent then is not to be restarted, and all that it said may have been
//! said to an earlier dixmgr.
//!
//! A small file, a node and the run in which it said so a line; written when a node begins or ends to catch up, which is seldom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The nodes that have said last that they catch up.
#[derive(Debug)]
pub(super) struct Syncing {
    file: PathBuf,
    /// By service and probe.
    runs: BTreeMap<String, String>,
}

impl Syncing {
    /// What an earlier dixmgr has left; nothing if it cannot be read.
    pub(super) fn open(file: &Path) -> Self {
        let runs = std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { file: file.to_owned(), runs }
    }

    /// Whether the node has said so in this run.
    pub(super) fn is(&self, service: &str, probe: &str, run: &str) -> bool {
        self.runs.get(&key(service, probe)).is_some_and(|known| known == run)
    }

    /// It catches up in this run, or does not.
    pub(super) fn put(&mut self, service: &str, probe: &str, run: &str, syncs: bool) {
        let key = key(service, probe);
        let known = self.runs.get(&key).is_some_and(|known| known == run);
        if syncs && !known {
            self.runs.insert(key, run.to_owned());
        } else if syncs || self.runs.remove(&key).is_none() {
            return;
        }
        self.keep();
    }

    fn keep(&self) {
        let new = self.file.with_extension("json.new");
        let text = serde_json::to_vec(&self.runs).unwrap_or_default();
        if let Err(error) = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &self.file)) {
            tracing::debug!("{} cannot be written: {error}", self.file.display());
        }
    }
}

/// No name has a slash.
fn key(service: &str, probe: &str) -> String {
    format!("{service}/{probe}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_catches_up_is_known_after_a_restart_for_as_long_as_it_does_in_that_run() {
        let file = std::env::temp_dir().join(format!("dixmgr-syncing-{}.json", std::process::id()));
        Syncing::open(&file).put("relay", "rpc", "a", true);
        let mut again = Syncing::open(&file);
        assert!(again.is("relay", "rpc", "a") && !again.is("relay", "rpc", "b") && !again.is("relay", "ws", "a"));
        again.put("relay", "rpc", "b", true);
        assert!(Syncing::open(&file).is("relay", "rpc", "b") && !again.is("relay", "rpc", "a"));
        again.put("relay", "rpc", "b", false);
        assert!(!Syncing::open(&file).is("relay", "rpc", "b"));
        std::fs::remove_file(&file).unwrap();
        again.put("relay", "rpc", "b", false);
        assert!(!file.exists(), "what is not news is not written");
    }
}
